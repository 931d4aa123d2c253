"""Switches of billing mode as AWS takes or refuses them, told in time."""

from __future__ import annotations

import pytest

from capacity_pilot.core.model import BillingMode, Dimension, ResourceStatus, ScalableTarget
from capacity_pilot.simulator.physics.billing import MOST_SWITCHES, SWITCHES_COUNT_S
from capacity_pilot.simulator.physics.refusals import RefusedError
from capacity_pilot.simulator.physics.tables import Units
from capacity_pilot.simulator.physics.world import Charge, World
from tests.daemon.stage import BY_DAY, FEED, NOON, table

ON_DEMAND, PROVISIONED = BillingMode.PAY_PER_REQUEST, BillingMode.PROVISIONED
BOTH = {"": Units(read=300, write=200), "by-day": Units(read=30, write=20)}


class Story:
    """The table ``feed`` with an index, 100 units each way, and the time."""

    def __init__(self) -> None:
        self.world = World()
        self.now = NOON
        self.world.create_table(table("feed", "by-day"), self.now)
        self.world.advance(self.now)

    def pass_seconds(self, seconds: float) -> Story:
        self.now += seconds
        self.world.advance(self.now)
        return self

    def switch(self, mode: BillingMode, changes: dict[str, Units] | None = None) -> Story:
        self.world.switch_billing("feed", mode, changes or {}, self.now)
        return self

    def refuse(self, mode: BillingMode, changes: dict[str, Units] | None = None) -> RefusedError:
        with pytest.raises(RefusedError) as refused:
            self.world.switch_billing("feed", mode, changes or {}, self.now)
        return refused.value

    @property
    def mode(self) -> BillingMode:
        return self.world.table("feed").spec.billing_mode

    def units(self, index: str = "") -> Units:
        return self.world.table("feed").resources[index].units

    def write(self, units: float) -> None:
        self.world.admit(self.world.table("feed"), [Charge("", Dimension.WRITE, units)])


def test_until_a_switch_is_over_the_provisioned_units_serve() -> None:
    story = Story().switch(ON_DEMAND).pass_seconds(128)
    assert story.mode is PROVISIONED
    assert story.units() == Units(100, 100)
    assert story.world.table("feed").table.status is ResourceStatus.UPDATING
    slot = story.world.slot(ScalableTarget(FEED, Dimension.WRITE))
    with pytest.raises(RefusedError, match="provisioned throughput"):
        story.write(story.world.buckets.spendable(slot) + 1)
    story.pass_seconds(45)
    assert story.mode is ON_DEMAND
    assert story.units() == story.units("by-day") == Units(0, 0)
    story.write(4e4)


def test_a_table_that_was_on_demand_before_is_so_again_within_seconds() -> None:
    story = Story().switch(ON_DEMAND).pass_seconds(200)
    story.switch(PROVISIONED, BOTH).pass_seconds(54)
    assert story.mode is ON_DEMAND
    story.pass_seconds(60)
    assert story.mode is PROVISIONED
    assert (story.units(), story.units("by-day")) == (BOTH[""], BOTH["by-day"])
    assert story.world.table("feed").resources[BY_DAY.index].warm.write >= 4_000
    story.switch(ON_DEMAND).pass_seconds(5)
    assert story.mode is ON_DEMAND


def test_what_a_switch_must_and_must_not_carry() -> None:
    story = Story()
    assert "Neither" in story.refuse(ON_DEMAND, BOTH).message
    story.switch(ON_DEMAND)
    assert story.refuse(PROVISIONED, BOTH).code == "ResourceInUseException"
    story.pass_seconds(200)
    assert "when BillingMode is PROVISIONED" in story.refuse(PROVISIONED).message
    without = story.refuse(PROVISIONED, {"": Units(1, 1)})
    assert without.message.endswith("ProvisionedThroughput must be specified for index: by-day")
    other = story.refuse(PROVISIONED, BOTH | {"gone": Units(1, 1)})
    assert other.code == "ResourceNotFoundException"
    assert story.refuse(PROVISIONED, BOTH | {"": Units(40_001, 1)}).code == "LimitExceededException"


def test_four_switches_to_on_demand_in_24_hours_and_any_number_back() -> None:
    story = Story()
    for _ in range(MOST_SWITCHES):
        story.switch(ON_DEMAND).pass_seconds(200).switch(PROVISIONED, BOTH).pass_seconds(200)
    assert story.refuse(ON_DEMAND).code == "LimitExceededException"
    assert story.mode is PROVISIONED
    story.pass_seconds(SWITCHES_COUNT_S - MOST_SWITCHES * 400).switch(ON_DEMAND)


def test_only_an_index_counts_a_switch_as_a_decrease() -> None:
    story = Story().switch(ON_DEMAND).pass_seconds(200)
    resources = story.world.table("feed").resources
    assert resources[""].quota.decreases_today(story.now) == 0
    assert resources["by-day"].quota.decreases_today(story.now) == 1


def test_units_no_longer_provisioned_leave_the_account_its_room() -> None:
    story = Story()
    story.world.create_table(table("feed-2", write=40_000), story.now)
    story.world.create_table(table("feed-3", write=39_800), story.now)
    story.pass_seconds(1)
    with pytest.raises(RefusedError, match="reserved by the account: 80000"):
        story.world.update_table("feed-3", {"": Units(100, 40_000)}, story.now)
    story.switch(ON_DEMAND).pass_seconds(200)
    story.world.update_table("feed-3", {"": Units(100, 40_000)}, story.now)
