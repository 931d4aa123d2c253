"""What the lookout does while the fleet, the agenda and telemetry change under it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from capacity_pilot.core.demand import DemandState, absorb
from capacity_pilot.core.events.declared import Announcement
from capacity_pilot.core.events.lookout import Lookout
from capacity_pilot.core.events.occurrence import FreezeWindow, Occurrence
from capacity_pilot.core.events.schedule import NOTHING_COMING, Schedule
from capacity_pilot.core.fleet import Fleet, carry_over
from capacity_pilot.core.model import Resource
from capacity_pilot.core.reasons import Reason
from tests.core.scenario import MIDNIGHT, arrivals

NOON = MIDNIGHT + 12 * 3600
FEED, NEWS, BY_DAY = Resource("feed"), Resource("news"), Resource("feed", "by-day")


@dataclass
class Known:
    """An agenda with the occurrences a test says."""

    known: Sequence[Occurrence] = ()

    def occurrences(self, now: float) -> Sequence[Occurrence]:
        return [o for o in self.known if now < o.ends_at]

    def freezes(self, _: float) -> Sequence[FreezeWindow]:
        return ()


def announced(in_s: float, lasts: float = 600.0, **said: object) -> Occurrence:
    usual: dict[str, object] = {"name": "push", "at": 0, "tables": ["feed"], "audience": 100}
    return Occurrence(
        source="1",
        expected=Announcement.model_validate(usual | said),
        starts_at=NOON + in_s,
        ends_at=NOON + in_s + lasts,
        tables=("feed",),
        is_announced=True,
    )


class World:
    """A lookout over a fleet whose demand is told a second later; changes take ten seconds."""

    def __init__(self, *resources: Resource, known: Sequence[Occurrence] = ()) -> None:
        self.agenda = Known(known)
        self.lookout = Lookout(self.agenda, policy_number=lambda _: 0, now=NOON)
        self.fleet = Fleet.of(resources)
        self.lookout.refit(self.fleet)
        self.now = NOON
        self.demand = DemandState.empty(len(self.fleet), NOON)
        self.schedule = NOTHING_COMING

    def refit(self, *resources: Resource) -> None:
        new = Fleet.of(resources)
        fresh = DemandState.empty(len(new), self.now)
        self.demand = carry_over(self.demand, fresh=fresh, old=self.fleet, new=new)
        self.lookout.refit(new)
        self.fleet = new

    def live(self, until_s: int, **units: float) -> None:
        """Every target of a table is asked for so many units a second."""
        while self.now < NOON + until_s:
            self.now += 1
            self.schedule = self.look(self.now)
            told = [
                (slot, int(self.now) - 1, units.get(self.fleet.target(slot).resource.table, 10.0))
                for slot in range(len(self.fleet))
            ]
            self.demand = absorb(self.demand, arrivals(*told), self.now)
            self.lookout.learn(self.demand, self.now)

    def look(self, now: float, *, bucket: float = 0.0) -> Schedule:
        size = len(self.fleet)
        return self.lookout.look(
            self.demand,
            now,
            apply_time_s=np.full(size, 10.0),
            burst_units=np.full(size, bucket),
        )

    def foreseen(self, resource: Resource) -> float:
        first = self.fleet.first_slot(resource.table, resource.index)
        assert first is not None
        return float(np.broadcast_to(self.schedule.foreseen, len(self.fleet))[first])


def taught(*resources: Resource) -> World:
    """After one push to 100 recipients that brought 50 units a second on top of 10."""
    world = World(*resources, known=[announced(60, lasts=60)])
    world.live(60)
    world.live(120, feed=60.0)
    world.live(140)
    return world


def test_with_nothing_known_nothing_is_foreseen_and_nothing_computed() -> None:
    world = World(FEED)
    world.live(5)
    assert world.schedule is NOTHING_COMING


def test_only_the_tables_it_is_for_are_concerned_with_their_indexes() -> None:
    world = World(FEED, BY_DAY, NEWS, known=[announced(30, write={"at_least": 70})])
    world.live(20)
    assert world.schedule.is_near.tolist() == [True] * 4 + [False] * 2
    write = [world.schedule.foreseen[slot] for slot in (1, 3, 5)]
    assert write[:2] == [70, 70]
    assert np.isnan(write[2])


def test_an_index_may_be_said_to_bring_another_load() -> None:
    indexes = {"by-*": {"write": {"at_least": 7}}}
    world = World(FEED, BY_DAY, known=[announced(30, write={"at_least": 70}, indexes=indexes)])
    world.live(20)
    assert world.schedule.foreseen[[1, 3]].tolist() == [70, 7]


def test_a_table_that_is_created_meanwhile_is_prepared_as_well() -> None:
    known = [announced(90, write={"at_least": 70})]
    world = World(NEWS, known=known)
    world.live(60)
    world.refit(NEWS, FEED)
    world.live(80)
    first = world.fleet.first_slot("feed", "")
    assert first is not None
    assert world.schedule.foreseen[first + 1] == 70


def test_what_was_learned_outlives_changes_of_the_fleet() -> None:
    world = taught(FEED)
    world.agenda.known = [announced(300)]
    world.live(200)
    world.refit(Resource("a"), FEED, NEWS)
    world.live(299)
    assert 60 <= world.foreseen(FEED) < 80


def test_a_lesson_under_way_outlives_changes_of_the_fleet() -> None:
    world = World(FEED, known=[announced(60, lasts=60)])
    world.live(60)
    world.live(80, feed=60.0)
    world.refit(Resource("a"), FEED)
    world.live(140)
    world.agenda.known = [announced(300)]
    world.live(299)
    assert 60 <= world.foreseen(FEED) < 80


def test_terms_that_change_take_effect_and_keep_what_was_usual() -> None:
    world = World(FEED, known=[announced(60, write={"multiplier": "2x"})])
    world.live(65)
    world.live(90, feed=500.0)
    world.agenda.known = [announced(60, write={"multiplier": "5x"})]
    world.live(91, feed=500.0)
    assert world.schedule.foreseen[1] == 50


def test_whoever_learns_of_an_event_amid_it_does_not_take_its_load_for_usual() -> None:
    world = World(FEED)
    world.live(60)
    world.live(200, feed=500.0)
    world.agenda.known = [announced(60, write={"multiplier": "5x"})]
    world.live(210, feed=500.0)
    assert np.isnan(world.schedule.foreseen).all()
    world.live(670)
    assert all(len(gains.slots) == 0 for gains in world.lookout.state.gains.values())


def test_an_event_without_recipients_and_one_with_teach_different_things() -> None:
    world = taught(FEED)
    world.agenda.known = [announced(300, audience=None, write={"at_least": 1})]
    world.live(299)
    assert np.isnan(world.foreseen(FEED))
    assert (world.schedule.reasons & Reason.FIRST_TIME > 0).all()


@settings(max_examples=20)
@given(st.integers(1, 10_000), st.integers(0, 10_000))
def test_more_recipients_never_let_less_be_foreseen(some: int, more: int) -> None:
    world = taught(FEED)
    foreseen = []
    for audience in (some, some + more):
        world.agenda.known = [replace(announced(150, audience=audience), source=str(audience))]
        schedule = world.look(world.now + 1)
        foreseen.append(schedule.foreseen[0])
    assert 10 < foreseen[0] <= foreseen[1]


@settings(max_examples=30)
@given(st.floats(0, 20_000), st.floats(0, 20_000))
def test_what_the_bucket_carries_need_not_be_bought(units: float, more: float) -> None:
    world = taught(FEED)
    world.agenda.known = [announced(150, lasts=60)]
    alone, some, most, usual = (
        world.look(world.now + 1, bucket=bucket) for bucket in (0.0, units, units + more, 1e9)
    )
    assert alone.foreseen[1] == some.foreseen[1] == alone.needed[1]
    assert alone.needed[1] >= some.needed[1] >= most.needed[1] >= usual.needed[1]
    # The whole minute may be as high as its highest part, and no part is shorter than 15 s.
    carried = alone.needed[1] - some.needed[1]
    assert carried <= units / 15 + 1e-6
    if some.needed[1] > usual.needed[1]:
        assert carried >= units / 60 - 1e-6


def test_what_was_stated_is_bought_whatever_is_in_the_bucket() -> None:
    world = taught(FEED)
    world.agenda.known = [announced(150, write={"at_least": 55})]
    read, write = world.look(world.now + 1, bucket=1e9).needed
    assert read < write == 55
