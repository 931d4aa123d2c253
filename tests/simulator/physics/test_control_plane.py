"""UpdateTable as AWS takes or refuses it, told in time."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from capacity_pilot.core.model import (
    AccountLimits,
    BillingMode,
    Dimension,
    Resource,
    ResourceStatus,
    ScalableTarget,
)
from capacity_pilot.simulator.physics.apply_times import ApplyTimes, ControlPlaneLimiter
from capacity_pilot.simulator.physics.refusals import RefusedError
from capacity_pilot.simulator.physics.settings import WorldSettings
from capacity_pilot.simulator.physics.tables import (
    IndexSpec,
    KeySchema,
    TableSpec,
    TableState,
    Units,
)
from capacity_pilot.simulator.physics.world import World

MIDNIGHT = datetime(2026, 10, 9, tzinfo=UTC).timestamp()
HOUR = 3600.0


def spec(
    name: str = "feed",
    *,
    units: Units = Units(100, 100),  # noqa: B008 - a tuple
    indexes: Mapping[str, Units] | None = None,
    billing_mode: BillingMode = BillingMode.PROVISIONED,
) -> TableSpec:
    return TableSpec(
        name=name,
        key=KeySchema("pk"),
        units=units,
        indexes=tuple(
            IndexSpec(name=i, key=KeySchema(i), projection="ALL", projected=None, units=u)
            for i, u in (indexes or {}).items()
        ),
        billing_mode=billing_mode,
    )


class Story:
    """A world with one table and a time of day; ``at`` moves to it."""

    def __init__(self, table: TableSpec, settings: WorldSettings | None = None) -> None:
        self.world = World(settings)
        self.name = table.name
        self.now = MIDNIGHT
        self.world.create_table(table, self.now)
        self.world.advance(self.now)

    @property
    def table(self) -> TableState:
        return self.world.table(self.name)

    def at(self, seconds_of_day: float) -> Story:
        self.now = MIDNIGHT + seconds_of_day
        self.world.advance(self.now)
        return self

    def update(self, **changes: tuple[int, int]) -> Story:
        self.world.update_table(
            self.name,
            {k if k != "table" else "": Units(*v) for k, v in changes.items()},
            self.now,
        )
        return self

    def settle(self) -> Story:
        return self.at(self.now - MIDNIGHT + 400)

    def refuse(self, **changes: tuple[int, int]) -> RefusedError:
        before = self.snapshot()
        with pytest.raises(RefusedError) as refused:
            self.update(**changes)
        assert self.snapshot() == before
        return refused.value

    def snapshot(self) -> str:
        return repr((self.table, list(self.world.buckets.provisioned)))


# Decreases


def spend_four(story: Story) -> Story:
    for turn in range(4):
        story.at(600.0 * turn).update(table=(100, 99 - turn))
    return story


def test_the_fifth_decrease_waits_an_hour_from_the_last_accepted_one() -> None:
    story = spend_four(Story(spec()))  # the fourth at 00:30:00
    refused = story.at(2741).refuse(table=(100, 50))
    assert refused.code == "LimitExceededException"
    assert refused.message == (
        "Subscriber limit exceeded: Provisioned throughput decreases are limited within a given "
        "UTC day. After the first 4 decreases, each subsequent decrease in the same UTC day can "
        "be performed at most once every 3600 seconds. Number of decreases today: 4. "
        "Last decrease at Friday, October 9, 2026 at 12:30:00 AM Coordinated Universal Time. "
        "Next decrease can be made at Friday, October 9, 2026 at 1:30:00 AM Coordinated Universal "
        "Time"
    )
    story.at(1800 + HOUR - 0.001).refuse(table=(100, 50))
    story.at(1800 + HOUR).update(table=(100, 50))
    assert story.table.table.quota.decreases_today(story.now) == 5


def test_a_refused_try_does_not_push_the_next_decrease_out() -> None:
    story = spend_four(Story(spec()))
    for second in range(2000, 5000, 500):
        story.at(second).refuse(table=(100, 50))
    story.at(1800 + HOUR).update(table=(100, 50))


def test_midnight_gives_four_new_decreases_minutes_after_the_last() -> None:
    story = spend_four(Story(spec()))
    story.at(23.9 * HOUR).update(table=(100, 60))
    last = story.now
    story.at(24 * HOUR - 1).refuse(table=(100, 50))
    for turn in range(4):
        story.at(24 * HOUR + 10 * turn).update(table=(100, 50 - turn))
        assert story.table.table.quota.decreases_today(story.now) == turn + 1
    assert last == MIDNIGHT + 23.9 * HOUR
    story.at(24 * HOUR + 60).refuse(table=(100, 1))


def test_the_counter_reads_zero_after_midnight_while_the_last_date_stays() -> None:
    story = Story(spec()).at(100).update(table=(100, 99))
    described = story.at(25 * HOUR).table.describe(story.now).resources[0]
    assert described.decreases_today == 0
    assert described.last_decrease_at == MIDNIGHT + 100


def test_read_down_and_write_up_is_a_decrease_and_is_refused_with_its_increase() -> None:
    story = spend_four(Story(spec()))
    refused = story.at(2000).refuse(table=(50, 500))
    assert "decreases are limited" in refused.message
    story.at(2000).update(table=(100, 500))  # the increase alone passes


def test_both_dimensions_down_in_one_call_is_one_decrease() -> None:
    story = Story(spec()).at(10).update(table=(50, 50))
    assert story.table.table.quota.decreases_today(story.now) == 1


def test_table_and_index_have_budgets_of_their_own_and_share_their_fate() -> None:
    story = spend_four(Story(spec(indexes={"by_author": Units(100, 100)})))
    refused = story.at(2500).refuse(table=(100, 10), by_author=(100, 10))
    assert "Number of decreases today: 4" in refused.message
    story.at(2500).update(by_author=(100, 10))
    assert story.table.resources["by_author"].quota.decreases_today(story.now) == 1


@given(
    tries=st.lists(
        st.tuples(st.floats(10, 5000), st.integers(1, 200), st.integers(1, 200)), max_size=60
    )
)
def test_no_sequence_of_calls_gets_past_the_quota(tries: list[tuple[float, int, int]]) -> None:
    story = Story(spec())
    accepted: list[float] = []
    for pause, read, write in tries:
        story.at(story.now - MIDNIGHT + pause)
        units = story.table.table.units
        try:
            story.update(table=(read, write))
        except RefusedError:
            continue
        if read < units.read or write < units.write:
            accepted.append(story.now)
    for day in {at // 86_400 for at in accepted}:
        today = [at for at in accepted if at // 86_400 == day]
        for before, later in pairwise(today[3:]):
            assert later - before >= HOUR
        assert len(today) <= 27


# What is refused


def test_an_unchanged_value_fails_the_whole_call() -> None:
    story = Story(spec(units=Units(1, 1), indexes={"gsi1": Units(2, 3)}))
    assert story.refuse(table=(1, 1)).message == (
        "The provisioned throughput for the table will not change. The requested value equals "
        "the current value. Current ReadCapacityUnits provisioned for the table: 1. Requested "
        "ReadCapacityUnits: 1. Current WriteCapacityUnits provisioned for the table: 1. Requested "
        "WriteCapacityUnits: 1. Refer to the Amazon DynamoDB Developer Guide for current limits "
        "and how to request higher limits."
    )
    refused = story.refuse(table=(9, 9), gsi1=(2, 3))
    assert refused.code == "ValidationException"
    assert refused.message.startswith(
        "The provisioned throughput for the index gsi1 will not change. The requested value "
        "equals the current value. Current ReadCapacityUnits provisioned for the index: 2. "
    )


def test_a_busy_table_and_a_busy_index_are_in_use() -> None:
    story = Story(spec(indexes={"gsi1": Units(5, 5)}))
    story.update(table=(200, 200))
    refused = story.refuse(table=(300, 300))
    assert refused.code == "ResourceInUseException"
    assert refused.message == (
        "Attempt to change a resource which is still in use: Table IOPS are currently being "
        "updated. Table: feed"
    )
    story.settle().update(gsi1=(6, 6))
    assert story.table.table.status is ResourceStatus.ACTIVE
    assert story.table.resources["gsi1"].status is ResourceStatus.UPDATING
    for changes in ({"gsi1": (7, 7)}, {"table": (300, 300)}):
        assert story.refuse(**changes).message == (
            "Attempt to change a resource which is still in use: Index is being updated. "
            "Table: feed Index: gsi1"
        )


def test_unknown_tables_and_indexes_are_not_found() -> None:
    story = Story(spec())
    assert story.refuse(nope=(1, 1)).message == (
        "Requested resource not found: Index nope for table feed"
    )
    with pytest.raises(RefusedError) as refused:
        story.world.update_table("gone", {"": Units(1, 1)}, story.now)
    assert refused.value.code == "ResourceNotFoundException"
    assert refused.value.message == "Requested resource not found: Table: gone not found"


def test_zero_units_and_empty_calls_are_invalid() -> None:
    story = Story(spec(indexes={"gsi1": Units(5, 5)}))
    assert story.refuse(table=(0, 5)).message == (
        "1 validation error detected: Value '0' at 'provisionedThroughput.readCapacityUnits' "
        "failed to satisfy constraint: Member must have value greater than or equal to 1"
    )
    assert "'globalSecondaryIndexUpdates.1.member.update" in story.refuse(gsi1=(5, 0)).message
    assert story.refuse().message.startswith("At least one of ProvisionedThroughput")


def test_maxima_hold_for_each_resource_and_for_the_account() -> None:
    story = Story(spec(indexes={"gsi1": Units(30_000, 1)}))
    assert story.refuse(table=(40_001, 100)).message.startswith(
        "The requested ReadCapacityUnits, 40001, is above the per table maximum for the account "
        "in us-east-1. Per table maximum: 40000."
    )
    assert story.refuse(gsi1=(1, 40_001)).message.startswith(
        "The requested WriteCapacityUnits for index gsi1, 40001, is above the per index maximum"
    )
    story.update(table=(40_000, 100)).settle()
    story.world.create_table(spec("other", units=Units(9_000, 1)), story.now)
    story.at(story.now - MIDNIGHT)
    refused = story.refuse(gsi1=(31_001, 1))
    assert refused.code == "LimitExceededException"
    assert refused.message.startswith(
        "This request would have caused the ReadCapacityUnits limit to be exceeded for the "
        "account in us-east-1. Current ReadCapacityUnits reserved by the account: 79000. "
        "Limit: 80000. Requested: 31001"
    )
    story.update(gsi1=(31_000, 1))


def test_an_account_above_its_maximum_may_still_decrease() -> None:
    limits = AccountLimits(account_read=50)
    story = Story(spec(), WorldSettings(limits=limits))
    story.update(table=(60, 100))


def test_capacity_requested_but_not_yet_in_force_is_reserved() -> None:
    story = Story(spec(), WorldSettings(limits=AccountLimits(account_read=1000)))
    story.world.create_table(spec("other"), story.now)
    story.at(0).update(table=(900, 100))
    with pytest.raises(RefusedError, match="reserved by the account: 1000"):
        story.world.update_table("other", {"": Units(101, 100)}, story.now)


def test_an_on_demand_table_has_no_capacity_to_set() -> None:
    story = Story(spec(units=Units(0, 0), billing_mode=BillingMode.PAY_PER_REQUEST))
    assert story.refuse(table=(5, 5)).code == "ValidationException"
    assert story.table.table.units == Units(0, 0)


def test_no_more_tables_change_at_once_than_the_account_may() -> None:
    story = Story(spec(), WorldSettings(tables_in_flux=1))
    story.world.create_table(spec("other"), story.now)
    story.at(0).update(table=(200, 200))
    with pytest.raises(RefusedError, match="Only 1 tables") as refused:
        story.world.update_table("other", {"": Units(5, 5)}, story.now)
    assert refused.value.code == "LimitExceededException"


def test_ten_updates_at_once_meet_the_control_planes_limit_and_a_second_later_do_not() -> None:
    story = Story(spec("t0"))
    for number in range(1, 10):
        story.world.create_table(spec(f"t{number}"), story.now)
    story.at(0)
    refused = []
    for number in range(10):
        try:
            story.world.update_table(f"t{number}", {"": Units(200, 200)}, story.now)
        except RefusedError as refusal:
            refused.append((number, refusal))
    assert [number for number, _ in refused] == [7, 8, 9]
    assert {(r.code, r.message) for _, r in refused} == {
        (
            "ThrottlingException",
            "The rate of control plane requests made by this account is too high",
        )
    }
    for number, _ in refused:
        story.world.update_table(f"t{number}", {"": Units(200, 200)}, story.now + 1)


def test_calls_that_would_be_refused_anyway_cost_the_limiter_nothing() -> None:
    story = Story(spec())
    for _ in range(50):
        story.refuse(table=(100, 100))
    story.update(table=(200, 200))


def test_the_limiter_never_grants_more_than_its_rate_and_burst() -> None:
    limiter = ControlPlaneLimiter(per_second=2, largest_burst=3)
    granted = sum(limiter.permits(tenth / 10) for tenth in range(101))
    assert granted == 3 + 2 * 10


# What is accepted


def test_a_change_within_warm_throughput_is_in_force_within_seconds() -> None:
    story = Story(spec(units=Units(100, 1000))).update(table=(100, 10)).settle()
    story.update(table=(100, 900))
    pending = story.table.table.pending
    assert pending is not None
    assert 1.0 <= pending.applies_at - story.now <= 2.4
    story.at(story.now - MIDNIGHT + 2.4)
    assert story.table.table.units == Units(100, 900)


def test_a_change_beyond_warm_throughput_keeps_the_old_capacity_until_it_is_in_force() -> None:
    settings = WorldSettings(
        apply_times=ApplyTimes(median_seconds=30, sigma=0), initial_burst_seconds=0
    )
    story = Story(spec(), settings).update(table=(100, 500))
    slot = story.world.slot(ScalableTarget(Resource("feed"), Dimension.WRITE))
    story.at(29.9)
    assert (story.table.table.status, story.table.table.units.write) == ("UPDATING", 100)
    assert story.world.buckets.provisioned[slot] == 100
    story.at(30)
    assert (story.table.table.status, story.table.table.units.write) == ("ACTIVE", 500)
    assert story.world.buckets.provisioned[slot] == 500
    assert story.table.table.warm == Units(100, 500)
    assert story.table.table.last_increase_at == MIDNIGHT


def test_burst_saved_while_nobody_looked_is_saved_at_the_capacity_of_each_second() -> None:
    settings = WorldSettings(
        apply_times=ApplyTimes(median_seconds=30, sigma=0), initial_burst_seconds=0
    )
    story = Story(spec(units=Units(10, 10)), settings).update(table=(10, 100)).at(40)
    slot = story.world.slot(ScalableTarget(Resource("feed"), Dimension.WRITE))
    # 30 s at 10 units, then 10 s at 100.
    assert story.world.buckets.burst[slot] == 30 * 10 + 10 * 100


def test_table_and_indexes_change_in_one_call_each_at_its_own_time() -> None:
    story = Story(spec(indexes={"a": Units(9, 9), "b": Units(9, 9)}))
    story.update(table=(50, 50), a=(5, 5))
    assert story.table.resources["b"].status is ResourceStatus.ACTIVE
    described = story.table.describe(story.now)
    assert not described.is_settled
    story.at(6)
    assert {i: r.units for i, r in story.table.resources.items()} == {
        "": Units(50, 50),
        "a": Units(5, 5),
        "b": Units(9, 9),
    }


def test_warm_throughput_never_falls() -> None:
    story = Story(spec()).update(table=(10, 10)).settle()
    assert story.table.table.warm == Units(100, 100)


def test_same_seed_same_apply_times() -> None:
    def apply_time(seed: int) -> float:
        story = Story(spec(), WorldSettings(seed=seed)).update(table=(500, 500))
        assert story.table.table.pending is not None
        return story.table.table.pending.applies_at

    assert apply_time(1) == apply_time(1) != apply_time(2)


def test_a_deleted_tables_slots_serve_the_next_table_afresh() -> None:
    story = Story(spec())
    story.world.delete_table("feed")
    size = story.world.buckets.size
    story.world.create_table(spec(units=Units(7, 7)), story.now)
    assert story.world.buckets.size == size
    assert list(story.world.buckets.burst) == [2100.0, 2100.0]


def test_a_tables_pending_change_dies_with_it() -> None:
    story = Story(spec(), WorldSettings(apply_times=ApplyTimes(creation_seconds=10)))
    with pytest.raises(RefusedError, match="Table is being created: feed"):
        story.world.delete_table("feed")
    story.at(10).update(table=(500, 500)).settle()
    story.world.delete_table("feed")
    story.world.create_table(spec(units=Units(7, 7)), story.now)
    story.settle()
    assert story.table.table.units == Units(7, 7)


@given(
    changes=st.dictionaries(
        st.sampled_from(["", "a", "b", "nope"]),
        st.builds(Units, st.integers(0, 60_000), st.integers(0, 60_000)),
    )
)
def test_a_call_is_taken_whole_or_changes_nothing(changes: dict[str, Units]) -> None:
    story = Story(spec(indexes={"a": Units(9, 9), "b": Units(9, 9)}))
    before = story.snapshot()
    try:
        story.world.update_table("feed", changes, story.now)
    except RefusedError:
        assert story.snapshot() == before
        return
    for index, resource in story.table.resources.items():
        pending = resource.pending and resource.pending.units
        assert pending == changes.get(index)


# A replay


def test_a_replay_throttles_from_the_surge_until_the_new_capacity_is_in_force() -> None:
    settings = WorldSettings(
        apply_times=ApplyTimes(median_seconds=30, sigma=0), initial_burst_seconds=0
    )
    story = Story(spec(units=Units(1, 100)), settings)
    slot = story.world.slot(ScalableTarget(Resource("feed"), Dimension.WRITE))
    throttled = []
    for second in range(180):
        story.at(second)
        if second == 60:
            story.update(table=(1, 400))
        demand = np.zeros(story.world.buckets.size)
        demand[slot] = 90.0 if second < 60 else 400.0
        throttled.append(float(story.world.serve(demand)[1][slot]))
    # A minute at 90 of 100 units saves 600: two seconds' worth of the missing 300.
    assert throttled[60:62] == [0.0, 0.0]
    assert throttled[62:90] == [300.0] * 28
    assert throttled[90:] == [0.0] * 90
    story.at(240)
    minute = story.world.meter.published(story.now, minutes_back=1)
    assert minute is not None
    assert minute.starts_at == MIDNIGHT + 60
    assert minute.throttle_events[slot] == 28 * 300
    assert minute.consumed[slot] == 60 * 400 - 28 * 300
