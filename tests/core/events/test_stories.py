"""Events and announcements told in time: ready before, held during, released after, learned from.

Changes take half a minute; the story's clock starts at nine.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace

import numpy as np
import pytest

from capacity_pilot.core.events.declared import Event
from capacity_pilot.core.events.occurrence import FreezeWindow, Occurrence
from capacity_pilot.core.model import Direction
from capacity_pilot.core.reasons import Reason
from tests.core.scenario import HOLD, IN, MIDNIGHT, OUT, Story, seconds

NINE = MIDNIGHT + 9 * 3600
APPLY_S = 30.0


@dataclass
class Agenda:
    """What the story knows to come, each from when it is told."""

    known: list[tuple[float, Occurrence]] = field(default_factory=list)
    frozen: list[FreezeWindow] = field(default_factory=list)

    def occurrences(self, now: float) -> Sequence[Occurrence]:
        return [o for told_at, o in self.known if told_at <= now < o.ends_at]

    def freezes(self, now: float) -> Sequence[FreezeWindow]:
        return [f for f in self.frozen if f.starts_at <= now < f.ends_at]

    def add(
        self,
        at: str,
        *,
        lasts: str = "10m",
        told: str = "0s",
        announced: bool = False,
        **said: object,
    ) -> Occurrence:
        """An event at ``at`` of which the story knows from ``told`` on."""
        starts_at = NINE + seconds(at)
        expected = {"name": "push", "at": "2026-01-05T09:00Z"} | said
        occurrence = Occurrence(
            source=f"{at} {lasts}",
            expected=Event.model_validate(expected),
            starts_at=starts_at,
            ends_at=starts_at + seconds(lasts),
            policies=frozenset({0}),
            is_announced=announced,
        )
        self.known.append((NINE + seconds(told), occurrence))
        return occurrence

    def freeze(self, at: str, *, lasts: str, directions: Sequence[Direction]) -> None:
        starts_at = NINE + seconds(at)
        self.frozen.append(
            FreezeWindow(
                policy=0,
                starts_at=starts_at,
                ends_at=starts_at + seconds(lasts),
                directions=frozenset(directions),
            )
        )


@pytest.fixture
def agenda() -> Agenda:
    return Agenda()


def tell(agenda: Agenda, **changes: object) -> Story:
    usual: dict[str, object] = {"provisioned": 150.0, "demand": 100.0, "apply_s": APPLY_S}
    return Story(agenda=agenda, **(usual | changes))  # type: ignore[arg-type]


def push(story: Story, at: str, *, to: float, lasts: int = 300) -> Story:
    """Demand leaps to ``to`` within three seconds and ebbs away."""
    begins = seconds(at)
    for after in range(lasts):
        height = min(after / 3, 1.0) * np.exp(-after / 60)
        story.at(f"{begins + after}s", demand=100.0 + (to - 100.0) * height)
    return story


def foreseen(story: Story) -> float:
    return float(story.told[-1][1].foreseen[story.slot])


def in_force_at(story: Story, at: str) -> float:
    return float(story.until(at).provisioned)


def test_what_the_policy_states_is_in_force_when_the_event_begins(agenda: Agenda) -> None:
    agenda.add("5m", write={"at_least": 3000})
    story = tell(agenda).until("3m30s").expect(HOLD, Reason.EVENT | Reason.FIRST_TIME)
    assert story.provisioned < 200
    story.at("3m31s").expect_within(60, OUT, Reason.EVENT)
    assert story.told[-1][1].units[story.slot] == 3000
    assert in_force_at(story, "5m") == 3000


def test_a_lead_may_be_longer_than_changes_take_but_never_shorter(agenda: Agenda) -> None:
    agenda.add("8m", lasts="1m", lead="5m", write={"at_least": 3000})
    agenda.add("12m", lasts="1m", lead="1s", write={"at_least": 5000})
    story = tell(agenda).until("2m59s")
    assert story.provisioned < 200
    assert in_force_at(story, "3m45s") == 3000
    assert in_force_at(story, "12m") == 5000


def test_a_multiple_is_of_what_was_usual_before_the_event_not_in_it(agenda: Agenda) -> None:
    agenda.add("5m", write={"multiplier": "8x"})
    story = tell(agenda)
    assert in_force_at(story, "5m") == pytest.approx(800, abs=1)
    story.at("5m1s", demand=600.0).until("8m")
    assert foreseen(story) == pytest.approx(800, abs=1)


def test_nothing_is_lowered_before_and_in_an_event_and_afterwards_as_ever(agenda: Agenda) -> None:
    agenda.add("16m", lasts="4m", write={"at_least": 900})
    story = tell(agenda, provisioned=500.0, stabilization="1m")
    story.at("4m", demand=20.0).at("4m50s").until("14m").expect_only(HOLD)
    assert in_force_at(story, "16m") == 900
    story.at("16m1s").until("19m59s").expect_only(HOLD)
    story.at("20m").expect_within(60, IN, Reason.TROUGH)


def test_a_change_under_way_when_the_lead_begins_does_not_make_it_late(agenda: Agenda) -> None:
    """The table is busy from just before the lead time on, and the event's own raise waits."""
    agenda.add("5m", write={"at_least": 3000})
    story = tell(agenda).at("3m53s", demand=400.0).expect_within(10, OUT)
    assert story.told[-1][1].units[story.slot] < 3000
    assert in_force_at(story, "5m") == 3000


def test_an_announcement_that_comes_too_late_is_met_as_soon_as_it_can(agenda: Agenda) -> None:
    agenda.add("5m", told="4m50s", announced=True, write={"at_least": 3000})
    story = tell(agenda).until("4m49s").expect(HOLD)
    story.at("4m50s").expect(OUT, Reason.ANNOUNCED | Reason.RISING_DEMAND, units=3000)


def test_one_that_is_called_off_in_time_costs_nothing(agenda: Agenda) -> None:
    agenda.add("5m", announced=True, write={"at_least": 3000})
    story = tell(agenda).until("3m").expect(HOLD, Reason.ANNOUNCED)
    agenda.known.clear()
    story.until("6m")
    assert story.provisioned < 200


def test_the_first_push_teaches_what_the_second_will_bring(agenda: Agenda) -> None:
    """Twice as many recipients the second time, and nothing stated but their number. The policy
    relies on no bucket.
    """
    agenda.add("5m", lasts="5m", announced=True, audience=10_000)
    agenda.add("25m", lasts="5m", announced=True, audience=20_000)
    story = tell(agenda)
    story.policy = replace(story.policy, burst_reliance=np.zeros(len(story.fleet)))
    push(story, "5m", to=500.0).at("10m", demand=100.0).until("23m")
    assert not np.isfinite(foreseen(story))
    story.until("25m")
    assert 900 < foreseen(story) < 1.45 * 900  # 100 and twice 400, and what one leaves open
    assert story.provisioned >= foreseen(story)
    push(story, "25m1s", to=900.0, lasts=200)
    assert story.series(lambda d: d.demand).max() < story.provisioned
    story.at("30m20s", demand=100.0)
    assert not np.isfinite(foreseen(story))
    assert not int(story.told[-1][1].reasons[story.slot]) & Reason.ANNOUNCED


def test_an_event_that_brings_its_load_late_is_met_late(agenda: Agenda) -> None:
    """The load of twelve minutes into the event is not bought before it begins."""
    agenda.add("3m", lasts="15m")
    agenda.add("30m", lasts="15m")
    story = tell(agenda).at("15m", demand=600.0).at("17m", demand=100.0).until("30m")
    assert foreseen(story) < 150
    story.until("42m")
    assert foreseen(story) >= 600


def test_one_that_did_not_take_place_does_not_unteach_the_one_that_did(agenda: Agenda) -> None:
    for at in ("3m", "10m", "17m"):
        agenda.add(at, lasts="4m", audience=10_000)
    story = push(tell(agenda), "3m", to=500.0, lasts=200).at("7m", demand=100.0).until("17m")
    assert foreseen(story) >= 480


def test_two_loads_at_once_teach_nothing_of_either(agenda: Agenda) -> None:
    agenda.add("3m", lasts="3m", audience=10_000)
    agenda.add("3m10s", lasts="3m", name="other", audience=10_000)
    story = push(tell(agenda), "3m", to=500.0, lasts=200).at("7m", demand=100.0)
    first, second = story.lookout.state.gains.values()
    assert np.isnan(first.samples[0, 1:]).all()  # but for the ten seconds it was alone
    assert len(second.slots) == 0


def test_two_known_loads_at_once_come_on_top_of_each_other(agenda: Agenda) -> None:
    agenda.add("4m", audience=1_000, write={"per_recipient": 0.4})
    agenda.add("4m30s", name="other", audience=1_000, write={"per_recipient": 0.3})
    assert in_force_at(tell(agenda), "4m") == pytest.approx(100 + 400 + 300, abs=1)


def test_a_push_nobody_tells_of_teaches_nothing(agenda: Agenda) -> None:
    agenda.add("3m", lasts="3m", audience=10_000)
    story = tell(agenda).at("2m50s", telemetry=False).at("6m10s", telemetry=True).until("7m")
    (gains,) = story.lookout.state.gains.values()
    assert len(gains.slots) == 0


def test_an_event_is_met_although_no_span_ever_told_of_the_table(agenda: Agenda) -> None:
    agenda.add("3m", write={"at_least": 3000})
    assert in_force_at(tell(agenda, demand=None), "3m") == 3000


def test_the_policys_max_holds_in_an_event_too(agenda: Agenda) -> None:
    agenda.add("3m", write={"at_least": 30_000})
    assert in_force_at(tell(agenda, write=(10, 2_000)), "3m") == 2_000


def test_a_freeze_holds_decreases(agenda: Agenda) -> None:
    agenda.freeze("4m", lasts="20m", directions=[Direction.IN])
    story = tell(agenda, provisioned=900.0, stabilization="1m").until("4m")
    story.at("4m1s", demand=20.0).until("23m59s").expect_only(HOLD).expect(HOLD, Reason.FROZEN)
    story.at("24m").expect_within(30, IN)


def test_a_freeze_of_increases_lets_demand_run_into_the_wall(agenda: Agenda) -> None:
    agenda.freeze("3m", lasts="4m", directions=[Direction.OUT])
    story = tell(agenda).at("4m", demand=400.0)
    story.until("6m59s").expect_only(HOLD).expect(HOLD, Reason.FROZEN)
    story.at("7m").expect(OUT, Reason.RISING_DEMAND)
