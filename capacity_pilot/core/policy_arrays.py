"""A policy set spread over a fleet: what decisions are made by."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

import numpy as np

from capacity_pilot.core.fleet import Bools, Fleet, Floats
from capacity_pilot.core.idle_rule import MIN
from capacity_pilot.core.model import AccountLimits, Dimension
from capacity_pilot.core.policy import PolicySet

_LEAST_RISK_PPM = 0.01


@dataclass(frozen=True, slots=True)
class IdleRules:
    """Rules on idling over a fleet's slots, (n,): after how many seconds, inf where there is none,
    and the units to be left with, NaN where idle targets are only told of.
    """

    after_s: Floats
    lower_to: Floats


@dataclass(frozen=True, slots=True)
class PolicyArrays:
    """A policy set spread over a fleet's slots, all (n,).

    ``caution`` is how much ``risk`` asks to buy on suspicion, 1 for 10 ppm;
    ``stabilization_s`` and ``hand_back_after_s`` are in seconds; ``safe`` is what to have while
    nothing is known, NaN where the policy says none. ``idle`` is ``None`` where no policy has such
    a rule.
    """

    is_managed: Bools
    floor: Floats
    ceiling: Floats
    caution: Floats
    burst_reliance: Floats
    stabilization_s: Floats
    reserve_decreases: Floats
    safe: Floats
    hand_back_after_s: Floats
    idle: IdleRules | None = None

    @property
    def has_idle_rule(self) -> Bools:
        """Whether the policy has a rule on its idling, (n,)."""
        if self.idle is None:
            return np.zeros(len(self.is_managed), dtype=np.bool_)
        return np.isfinite(self.idle.after_s)


def caution_for(risk_ppm: float) -> float:
    """How cautious to be: 1 at 10 ppm, and a fifth more or less for every factor of ten.

    What is bought on suspicion is scaled by it. Rare excesses have about exponential tails, so
    their heights go with the logarithm of how rare they may be.
    """
    share = min(max(risk_ppm, _LEAST_RISK_PPM), 1e6) / 1e6
    return math.log(share) / math.log(1e-5)


def spread_policies(policies: PolicySet, fleet: Fleet, limits: AccountLimits) -> PolicyArrays:
    """Bounds and knobs per slot; maxima above the account's table limit are cut to it."""
    size = len(fleet)
    arrays = PolicyArrays(
        is_managed=np.zeros(size, dtype=np.bool_),
        floor=np.ones(size),
        ceiling=np.ones(size),
        caution=np.ones(size),
        burst_reliance=np.zeros(size),
        stabilization_s=np.full(size, 150.0),
        reserve_decreases=np.ones(size),
        safe=np.full(size, np.nan),
        hand_back_after_s=np.full(size, np.inf),
    )
    idle = IdleRules(np.full(size, np.inf), np.full(size, np.nan))
    most = {Dimension.READ: limits.table_read, Dimension.WRITE: limits.table_write}
    alike: dict[tuple[int, str], list[int]] = {}
    for place, resource in enumerate(fleet.resources):
        number = policies.number_for(resource.table)
        if number is not None:
            alike.setdefault((number, resource.index), []).append(place)
    for (number, _), places in alike.items():
        policy = policies.policies[number]
        both = (2 * np.array(places)[:, None] + np.arange(2)).ravel()
        arrays.caution[both] = caution_for(policy.risk)
        arrays.burst_reliance[both] = policy.burst_reliance
        arrays.stabilization_s[both] = policy.scale_in.stabilization
        arrays.reserve_decreases[both] = policy.scale_in.reserve_decreases
        arrays.hand_back_after_s[both] = policy.hand_back_after
        if policy.idle is not None:
            idle.after_s[both] = policy.idle.after
        bounds = policy.bounds(fleet.resources[places[0]])
        for dimension in Dimension:
            of_one = getattr(bounds, dimension.label)
            if of_one is not None:
                slots = both[dimension::2]
                arrays.is_managed[slots] = True
                arrays.floor[slots] = min(of_one.min, most[dimension])
                arrays.ceiling[slots] = min(of_one.max, most[dimension])
                arrays.safe[slots] = np.nan if of_one.safe is None else of_one.safe
                if policy.idle is not None and policy.idle.lower_to is not None:
                    level = policy.idle.lower_to
                    idle.lower_to[slots] = min(of_one.min if level == MIN else level, of_one.max)
    has_rules = bool(np.count_nonzero(np.isfinite(idle.after_s)))
    return replace(arrays, idle=idle) if has_rules else arrays
