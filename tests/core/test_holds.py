"""What was there comes back, whoever came in between: original minimums and suspensions."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from capacity_pilot.core.auto_scaling import Registration, Suspension
from capacity_pilot.core.errors import InputError
from capacity_pilot.core.holds import Hold, decode_holds, encode_holds
from capacity_pilot.core.model import Dimension, Resource, ScalableTarget

WRITE = ScalableTarget(Resource("feed", "by-day"), Dimension.WRITE)
FOUND = Registration(target=WRITE, minimum=20, maximum=500)

units = st.integers(1, 500)


def test_the_minimum_before_the_first_change_is_given_back_however_often_it_changes() -> None:
    hold = Hold(target=WRITE).asking(FOUND, 200)
    hold = hold.asking(replace(FOUND, minimum=200), 300)
    assert hold.give_back(replace(FOUND, minimum=300)) == FOUND
    assert hold.give_back(replace(FOUND, minimum=200)) == FOUND, "the last call may be lost"


def test_what_somebody_else_sets_is_kept_and_given_back() -> None:
    hold = Hold(target=WRITE).asking(FOUND, 200)
    theirs = replace(FOUND, minimum=50)
    assert hold.give_back(theirs) == theirs, "nobody noticed yet, and it is theirs all the same"
    hold = hold.seeing(theirs)
    assert hold.minimum == 50
    hold = hold.asking(theirs, 300)
    assert hold.give_back(replace(FOUND, minimum=300)) == theirs


def test_a_minimum_is_not_given_back_above_a_maximum_lowered_meanwhile() -> None:
    hold = Hold(target=WRITE).asking(replace(FOUND, minimum=100), 200)
    lowered = replace(FOUND, minimum=60, maximum=60)
    hold = hold.asking(replace(FOUND, minimum=200), 60)
    assert hold.give_back(lowered) == replace(lowered, minimum=60)


def test_only_scale_in_is_resumed_and_only_where_the_pilot_suspended_it() -> None:
    by_hand = Suspension(scale_in=True, scheduled=True)
    found = replace(FOUND, suspension=by_hand)
    assert Hold(target=WRITE).asking(found, 200).give_back(found).suspension == by_hand
    resumed = Hold(target=WRITE).suspending().give_back(found)
    assert resumed.suspension == Suspension(scheduled=True)


@given(first=units, steps=st.lists(units, max_size=7), lost=st.integers(0, 7))
def test_whatever_was_asked_and_whichever_of_it_was_lost_the_first_is_given_back(
    first: int, steps: list[int], lost: int
) -> None:
    found = replace(FOUND, minimum=first)
    hold = Hold(target=WRITE)
    for number, step in enumerate(steps):
        hold = hold.seeing(found).asking(found, step)
        found = found if number == lost else replace(found, minimum=step)
    assert hold.seeing(found).give_back(found).minimum == first


@given(
    st.lists(
        st.builds(
            Hold,
            target=st.builds(
                ScalableTarget,
                st.builds(Resource, st.text(), st.text()),
                st.sampled_from(Dimension),
            ),
            minimum=st.none() | units,
            asked=st.lists(units).map(tuple),
            resumes_scale_in=st.booleans(),
        )
    )
)
def test_holds_are_read_as_they_were_written(holds: list[Hold]) -> None:
    assert decode_holds(encode_holds(holds)) == tuple(holds)


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"{", "holds are damaged: JSONDecodeError"),
        (b"[]", "holds are damaged: TypeError"),
        (b'{"format": 1, "holds": [{}]}', "holds are damaged: KeyError: 'table'"),
        (b'{"format": 9, "holds": []}', "holds have format 9, this release 1"),
    ],
)
def test_a_document_that_cannot_be_read_says_so(content: bytes, said: str) -> None:
    with pytest.raises(InputError, match=said):
        decode_holds(content)
