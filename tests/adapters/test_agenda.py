"""What is announced to a running pilot, and when the agenda lets go of it."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from capacity_pilot.adapters.agenda import Announced, RunningAgenda
from capacity_pilot.core.errors import InputError, OverloadedError
from capacity_pilot.core.events.declared import Announcement
from capacity_pilot.core.events.occurrence import LOOKAHEAD_S
from capacity_pilot.core.policy import PolicySet

NOON = datetime(2026, 1, 5, 12, tzinfo=UTC)
NOW = NOON.timestamp()
MANAGED = ("feed-a", "feed-b", "orders")
MINUTE = 60.0


def agenda(*, most: int = 1000) -> RunningAgenda:
    bounds = {"min": 1, "max": 10}
    named = [("feeds", "feed-*"), ("rest", "*")]
    policies = [{"name": n, "match": {"tables": [p]}, "write": bounds} for n, p in named]
    return RunningAgenda(PolicySet.model_validate({"version": 1, "policies": policies}), most=most)


def push(in_s: float = 600.0, **said: object) -> Announcement:
    usual: dict[str, object] = {"name": "push", "audience": 1000, "lasts": "10m"}
    scope = {} if "policy" in said else {"tables": ["feed-*"]}
    return Announcement.model_validate(
        usual | scope | said | {"at": NOON + timedelta(seconds=in_s)}
    )


def announce(to: RunningAgenda, announcement: Announcement, now: float = NOW) -> Announced:
    return to.announce(announcement, managed=MANAGED, now=now)


def test_an_announcement_is_for_a_policys_tables_or_those_that_match() -> None:
    to = agenda()
    assert announce(to, push()).tables == ("feed-a", "feed-b")
    assert announce(to, push(policy="rest")).tables == ("orders",)
    assert announce(to, push(tables=["o*", "feed-a"])).tables == ("feed-a", "orders")


def test_the_same_again_takes_the_place_of_the_earlier_one() -> None:
    to = agenda()
    first, again = announce(to, push()), announce(to, push(audience=5000))
    assert (again.id, first.is_update, again.is_update) == (first.id, False, True)
    (only,) = to.occurrences(NOW)
    assert only.expected.audience == 5000
    other = (push(601), push(name="launch"), push(tables=["feed-a"]), push(policy="feeds"))
    assert len({first.id, *(announce(to, one).id for one in other)}) == 5


def test_one_is_listed_until_it_is_over_or_called_off() -> None:
    to = agenda()
    later, sooner = announce(to, push(1200)), announce(to, push(600, name="first"))
    assert [a.id for a in to.announced(NOW)] == [sooner.id, later.id]
    assert to.cancel(later.id, NOW) == later
    assert to.cancel(later.id, NOW) is None
    assert [a.id for a in to.announced(NOW + 1199)] == [sooner.id]
    assert to.announced(NOW + 1200) == []
    assert to.cancel(sooner.id, NOW + 1200) is None


def test_it_concerns_the_pilot_only_once_it_is_near() -> None:
    to = agenda()
    announce(to, push(LOOKAHEAD_S + 60))
    assert to.occurrences(NOW + 59) == []
    (coming,) = to.occurrences(NOW + 60)
    assert coming.is_announced


def test_one_that_is_on_already_is_taken_one_that_is_over_is_not() -> None:
    to = agenda()
    assert announce(to, push(-599)).occurrence.starts_at == NOW - 599
    with pytest.raises(InputError, match=r"^at: 2026-01-05T11:50:00\+00:00 is over by now$"):
        announce(to, push(-600))


def test_next_year_is_too_far_away() -> None:
    with pytest.raises(InputError, match="more than a year ahead"):
        announce(agenda(), push(367 * 86_400.0))


def test_a_policy_that_is_not_there_is_told_with_those_that_are() -> None:
    with pytest.raises(InputError, match=r"^policy: none is named 'fed'; there is feeds, rest$"):
        announce(agenda(), push(policy="fed"))


def test_tables_nobody_manages_are_a_mistake() -> None:
    with pytest.raises(InputError, match=r"^tables: fits none of the 3 tables managed"):
        announce(agenda(), push(tables=["fed-*"]))


def test_there_is_an_end_to_what_is_kept() -> None:
    to = agenda(most=2)
    first, _ = announce(to, push(60)), announce(to, push(120))
    with pytest.raises(OverloadedError, match=r"^2 announcements are waiting, which is the most"):
        announce(to, push(180))
    assert announce(to, push(120, audience=3)).is_update  # known already: it needs no room
    to.cancel(first.id, NOW)
    announce(to, push(180))
    announce(to, push(7200), now=NOW + 120 + 10 * MINUTE)  # the next is over by then
