"""AWS Application Auto Scaling on a DynamoDB table: target tracking by two CloudWatch alarms.

What is modelled, and where AWS says so:

- Out when consumption was above the target for 2 consecutive minutes, in when it was 20 points
  or more below it for 15 (re:Post knowledge centre, "DynamoDB auto scaling": at a target of 70 %
  and 100 units, above 70 and down to 50). Live alarms compare "< 50", so the two differ at
  exactly 50 only.
- The new capacity is what brings the newest minute to the target, rounded toward more
  (Application Auto Scaling user guide, "Target tracking": proportional, conservative rounding).
- Alarms count units and are rewritten with each change of capacity; the rewritten alarm looks
  back at the same minutes.
- An alarm's Auto Scaling action is repeated once per minute while it stands (CloudWatch user
  guide, "Alarms"). That is how a refused decrease, or one that met an UPDATING table, is tried
  again. No quota limits scaling out (developer guide, "AutoScaling", usage notes).
- Alarms on AWS/DynamoDB metrics always ignore missing data and keep their state (CloudWatch API,
  PutMetricAlarm, TreatMissingData). A few more minutes than needed are fetched, so that a short
  gap is bridged by older ones; AWS's example fetches 5 for 3, taken here as two more.
- The cooldown of DynamoDB tables and indexes is 0 s by default (CDK reference,
  UtilizationScalingProps), hence there is none.
- Registering enforces the bounds once; capacity set outside them later is left alone.

Consumption is what is seen, not demand: a throttled table shows no more than it could serve.
"""

from __future__ import annotations

import math
from collections import deque
from typing import Final

from capacity_pilot.core.errors import InputError
from capacity_pilot.simulator.rivals import Bounds, Sight

LOWEST_TARGET: Final = 20.0
HIGHEST_TARGET: Final = 90.0
MINUTES_OUT: Final = 2
MINUTES_IN: Final = 15
POINTS_BELOW: Final = 20.0
_BRIDGED_MINUTES: Final = 2


class AwsAutoScaling:
    """One policy with ``target`` percent utilization, 20 to 90, else ``InputError``.

    ``bounds`` are what is registered, and may be registered anew.
    """

    __slots__ = (
        "_is_high",
        "_is_low",
        "_is_registered",
        "_minutes",
        "_name",
        "_target",
        "_watched",
        "bounds",
    )

    def __init__(self, *, target: float, bounds: Bounds) -> None:
        if not LOWEST_TARGET <= target <= HIGHEST_TARGET:
            raise InputError(
                f"target utilization is {target:g} %; "
                f"it must be {LOWEST_TARGET:g} to {HIGHEST_TARGET:g}"
            )
        self._name = f"aws-auto-scaling-{target:g}"
        self._target = target
        self.bounds = bounds
        self._minutes: deque[tuple[float, float]] = deque(maxlen=MINUTES_IN + _BRIDGED_MINUTES)
        self._watched: int | None = None  # the capacity the alarms were written for
        self._is_high = False
        self._is_low = False
        self._is_registered = False

    @property
    def name(self) -> str:
        return self._name

    def decide(self, sight: Sight) -> int | None:
        """Units the standing alarm asks for; ``None`` without one, or while UPDATING."""
        for minute in sight.news:
            self._minutes.append((minute.starts_at, minute.consumed))
        provisioned = sight.provisioned
        if provisioned != self._watched:
            self._watched = provisioned
            self._is_high = self._is_low = False
            self._evaluate(provisioned)
        elif sight.news:
            self._evaluate(provisioned)
        if not sight.is_changeable:
            return None
        if not self._is_registered:
            self._is_registered = True
            if provisioned != self.bounds.clamp(provisioned):
                return self.bounds.clamp(provisioned)
        return self._tracked(provisioned) if self._is_high or self._is_low else None

    def _evaluate(self, provisioned: int) -> None:
        high = self._target * 60.0 * provisioned / 100.0  # units a minute, as alarms count them
        low = (self._target - POINTS_BELOW) * 60.0 * provisioned / 100.0
        self._is_high = self._stands(high, math.inf, needed=MINUTES_OUT, stood=self._is_high)
        self._is_low = self._stands(-math.inf, low, needed=MINUTES_IN, stood=self._is_low)

    def _stands(self, above: float, up_to: float, *, needed: int, stood: bool) -> bool:
        """Whether the newest ``needed`` minutes all lie in (above, up_to].

        One that does not ends the alarm; too few of them within the fetched range, counted from
        the newest, leave it as it stood.
        """
        if not self._minutes:
            return stood
        oldest = self._minutes[-1][0] - 60.0 * (needed + _BRIDGED_MINUTES - 1)
        for found, (starts_at, consumed) in enumerate(reversed(self._minutes), start=1):
            if starts_at < oldest:
                break
            if not above < consumed <= up_to:
                return False
            if found == needed:
                return True
        return stood

    def _tracked(self, provisioned: int) -> int | None:
        """Capacity at which the newest minute is on target, if that moves the alarm's way."""
        newest = self._minutes[-1][1]
        units = self.bounds.clamp(math.ceil(newest * 100.0 / (60.0 * self._target)))
        if self._is_high:
            return units if units > provisioned else None
        return units if units < provisioned else None
