"""Policies' hints at signals spread over a fleet, by the numbers that signals have."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from capacity_pilot.core.fleet import Fleet, Floats
from capacity_pilot.core.forecast.upstream.hints import Hints, respond
from capacity_pilot.core.forecast.upstream.response import BINS
from capacity_pilot.core.model import Dimension
from capacity_pilot.core.policy import PolicySet
from capacity_pilot.core.signal_names import SignalNames
from capacity_pilot.core.upstream_hint import MOST_HINTS, UpstreamHint


@dataclass(frozen=True, slots=True)
class StatedHints:
    """``stated`` are the hints of each table that has any, and its slots; ``names`` those of
    signals; ``keys`` (MOST_HINTS, n) and ``weights`` (BINS, MOST_HINTS, n) as in ``Hints``. What
    one count brings is said of tables, not of indexes.
    """

    stated: tuple[tuple[str, tuple[int, ...], tuple[UpstreamHint, ...]], ...]
    names: frozenset[str]
    keys: Floats
    weights: Floats


def spread_hints(policies: PolicySet, fleet: Fleet) -> StatedHints | None:
    """``None`` where no policy of the fleet's tables has any."""
    slots_of: dict[str, list[int]] = {}
    if any(policy.upstream for policy in policies.policies):
        for place, resource in enumerate(fleet.resources):
            slots_of.setdefault(resource.table, []).extend((2 * place, 2 * place + 1))
    stated = []
    keys = np.full((MOST_HINTS, len(fleet)), np.nan)
    weights = np.zeros((BINS, MOST_HINTS, len(fleet)))
    for table, slots in slots_of.items():
        policy = policies.policy_for(table)
        if policy is None or not policy.upstream:
            continue
        stated.append((table, tuple(slots), tuple(policy.upstream)))
        for row, hint in enumerate(policy.upstream):
            keys[row, slots] = hint.key
            for slot in slots[:2] if hint.gain is not None else ():
                gain = getattr(hint.gain, Dimension(slot % 2).label)
                if gain is not None:
                    weights[:, row, slot] = respond(gain, hint.lag)
    names = frozenset(hint.signal for _, _, hints in stated for hint in hints)
    return StatedHints(tuple(stated), names, keys, weights) if stated else None


def number_hints(stated: StatedHints, names: SignalNames) -> Hints:
    """The same by signals' numbers; NaN for signals that were never heard."""
    signals = np.full_like(stated.keys, np.nan)
    lasts_s = np.zeros(len(names.names))
    for table, slots, hints in stated.stated:
        for row, hint in enumerate(hints):
            number = names.number(table, hint.signal)
            if number is not None:
                signals[row, list(slots)] = number
                lasts_s[number] = max(lasts_s[number], hint.lasts)
    return Hints(stated.keys, signals, stated.weights, lasts_s)
