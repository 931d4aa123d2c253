"""Why a decision is what it is: bit flags in the arrays, words where a person looks."""

from __future__ import annotations

from enum import IntFlag
from functools import lru_cache
from typing import Final

import numpy as np
import numpy.typing as npt

Reasons = npt.NDArray[np.int64]


class Reason(IntFlag):
    """Everything that can have shaped a decision. Several hold at once."""

    STEADY = 0
    RISING_DEMAND = 1 << 0
    SURGE = 1 << 1
    TROUGH = 1 << 2
    FLOOR = 1 << 3
    CEILING = 1 << 4
    BURST_COVERS = 1 << 5
    NO_TELEMETRY = 1 << 6
    STALE_TELEMETRY = 1 << 7
    CAPACITY_UNKNOWN = 1 << 8
    UPDATE_IN_FLIGHT = 1 << 9
    THROTTLING = 1 << 10
    AFTERMATH = 1 << 11
    STABILIZING = 1 << 12
    SMALL_SAVING = 1 << 13
    DECREASE_QUOTA = 1 << 14
    DECREASE_RESERVE = 1 << 15
    UNMANAGED = 1 << 16
    EVENT = 1 << 17
    ANNOUNCED = 1 << 18
    FIRST_TIME = 1 << 19
    FROZEN = 1 << 20
    COVERAGE_UNKNOWN = 1 << 21
    LOW_COVERAGE = 1 << 22
    COVERAGE_CHANGED = 1 << 23
    UPSTREAM = 1 << 24
    NOT_IN_SERVICE = 1 << 25
    GLOBAL_TABLE = 1 << 26
    CONTESTED = 1 << 27
    AUTO_SCALING_UNKNOWN = 1 << 28
    NO_MINIMUM = 1 << 29
    MINIMUM_SET = 1 << 30
    BEYOND_WARM = 1 << 31
    OPERATOR_FREEZE = 1 << 32
    OVERRIDDEN = 1 << 33
    NOT_SUSPENDED = 1 << 34
    LARGEST_STEP = 1 << 35
    TABLES_PER_MINUTE = 1 << 36
    SPEND_PER_HOUR = 1 << 37
    COOLDOWN = 1 << 38
    RESERVED = 1 << 39
    ACCOUNT_QUOTA = 1 << 40
    BY_CLOUDWATCH = 1 << 45
    SAFE_LEVEL = 1 << 46
    OUT_OF_REACH = 1 << 47
    ON_DEMAND = 1 << 48
    WITHIN_REACH = 1 << 49
    SWITCH_WAITS = 1 << 50
    SWITCHES_SPENT = 1 << 51
    RECURRING = 1 << 52
    IDLE = 1 << 53
    WOKEN = 1 << 54
    HINTED = 1 << 55
    HINT_REFUTED = 1 << 56


WORDING: dict[Reason, str] = {
    Reason.RISING_DEMAND: "forecast demand will not fit provisioned capacity",
    Reason.SURGE: "demand has left its recent past behind",
    Reason.TROUGH: "forecast demand needs less than is provisioned",
    Reason.FLOOR: "raised to the policy's min",
    Reason.CEILING: "capped by the policy's max or the account's limit",
    Reason.BURST_COVERS: "demand is above provisioned, the burst bucket covers it",
    Reason.NO_TELEMETRY: "no span has told of this target yet",
    Reason.STALE_TELEMETRY: "telemetry went silent; silence is not zero demand",
    Reason.CAPACITY_UNKNOWN: "provisioned capacity has not been read yet",
    Reason.UPDATE_IN_FLIGHT: "the table or an index of it is still changing",
    Reason.THROTTLING: "requests were throttled lately: no scale-in",
    Reason.AFTERMATH: "a surge is under way or ebbing away: no scale-in",
    Reason.STABILIZING: "a higher recommendation is within the stabilization window",
    Reason.SMALL_SAVING: "the saving is not worth a decrease",
    Reason.DECREASE_QUOTA: "AWS allows no further decrease yet",
    Reason.DECREASE_RESERVE: "the remaining decreases are kept in reserve",
    Reason.UNMANAGED: "the policy gives no bounds for this dimension",
    Reason.EVENT: "an event of the policy is on or coming: no scale-in",
    Reason.ANNOUNCED: "an announced load is on or coming: no scale-in",
    Reason.FIRST_TIME: "no earlier event of this name was seen here: only what was stated is known",
    Reason.FROZEN: "the policy freezes capacity at this time",
    Reason.COVERAGE_UNKNOWN: "too little is known yet of what share of units spans tell of",
    Reason.LOW_COVERAGE: "spans tell of too little of what CloudWatch counts, or too unsteadily",
    Reason.COVERAGE_CHANGED: "spans tell of another share of units since a few minutes ago",
    Reason.UPSTREAM: "a signal that demand has followed before says that more is on its way",
    Reason.HINTED: "a signal that the policy's upstream names says that more is on its way",
    Reason.HINT_REFUTED: "left aside: demand follows no signal as the policy's upstream says",
    Reason.RECURRING: "a surge is due that has come at this time before",
    Reason.IDLE: "nobody has asked anything of it for as long as the policy's idle says",
    Reason.WOKEN: "it was idle and is asked for again: back to what is safe",
    Reason.NOT_IN_SERVICE: "the table is archived, inaccessible or being deleted",
    Reason.GLOBAL_TABLE: "a change of a global table would reach every Region: use floor mode",
    Reason.CONTESTED: "Application Auto Scaling scales the table too, and the policy says refuse",
    Reason.AUTO_SCALING_UNKNOWN: "Application Auto Scaling could not be asked what it scales",
    Reason.NO_MINIMUM: "floor mode needs a scalable target of Application Auto Scaling here",
    Reason.MINIMUM_SET: "the minimum is set; the rest is Application Auto Scaling's",
    Reason.BEYOND_WARM: "more than the table was ever ready for: AWS may take minutes longer",
    Reason.OPERATOR_FREEZE: "an operator has frozen it",
    Reason.OVERRIDDEN: "an operator has set it, for a time",
    Reason.LARGEST_STEP: "cut short by the policy's limits: largest_step",
    Reason.TABLES_PER_MINUTE: "held by the policy's limits: tables_changed_per_minute",
    Reason.SPEND_PER_HOUR: "cut short or held by the policy's limits: spend_per_hour",
    Reason.COOLDOWN: "the policy's cooldown since the last change in this direction is not over",
    Reason.RESERVED: "cut short or held: less than what is reserved would save nothing",
    Reason.ACCOUNT_QUOTA: "cut short or held by the account's quota of provisioned units",
    Reason.BY_CLOUDWATCH: "spans are lost, and CloudWatch's late minutes ask for more",
    Reason.SAFE_LEVEL: "nothing has been known for hand_back_after: the policy's safe level",
    Reason.OUT_OF_REACH: "it needs more than provisioned capacity reaches: on-demand is to meet it",
    Reason.ON_DEMAND: "the table is on-demand: provisioned capacity did not reach what it needed",
    Reason.WITHIN_REACH: "what it needs is within reach of provisioned capacity again",
    Reason.SWITCH_WAITS: "a switch waits until that has lasted as long as the policy says",
    Reason.SWITCHES_SPENT: "of a table AWS allows four switches to on-demand in 24 hours",
    Reason.NOT_SUSPENDED: "Application Auto Scaling's scale-in is not suspended yet: no scale-in",
}


_MOVES: Final = (
    Reason.RISING_DEMAND
    | Reason.SURGE
    | Reason.TROUGH
    | Reason.FLOOR
    | Reason.UPSTREAM
    | Reason.RECURRING
    | Reason.HINTED
    | Reason.HINT_REFUTED
    | Reason.IDLE
    | Reason.WOKEN
    | Reason.OVERRIDDEN
    | Reason.FIRST_TIME
    | Reason.BEYOND_WARM
    | Reason.BY_CLOUDWATCH
    | Reason.SAFE_LEVEL
    | Reason.OUT_OF_REACH
    | Reason.WITHIN_REACH
)
"""What asks for a capacity, or tells of one; all others hold or cut short what is asked for."""


_NAMES: dict[int, str] = {r.value: r.name.lower() for r in Reason if r.name and r}


@lru_cache(maxsize=4096)  # few of all there could be occur, and those for hundreds of targets
def name_reasons(reasons: int) -> tuple[str, ...]:
    """Lower-case names, for logs and metrics: ``("rising_demand", "surge")``."""
    return tuple(name for bit, name in _NAMES.items() if reasons & bit) or ("steady",)


def name_holds(reasons: int) -> tuple[str, ...]:
    """The names of those that hold or cut short what is asked for."""
    holds = reasons & ~_MOVES.value
    return tuple(name for bit, name in _NAMES.items() if holds & bit)


def explain_reasons(reasons: int) -> str:
    """One line for people."""
    return "; ".join(WORDING[r] for r in Reason if r and reasons & r) or "steady"


def list_reasons(reasons: int) -> tuple[list[Reason], list[Reason]]:
    """Why a decision is what it is, and what holds it back."""
    all_of_them = [reason for reason in Reason if reason and reasons & reason]
    return (
        [reason for reason in all_of_them if reason & _MOVES],
        [reason for reason in all_of_them if not reason & _MOVES],
    )
