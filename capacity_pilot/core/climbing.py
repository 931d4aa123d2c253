"""How high a surge is met that may come of a signal nobody knows anything of.

A raise is sized for what seconds show of a surge, less what bursts mostly break off by. But one
that begins while an upstream signal moves as it never did before has a cause that goes on, and its
first raise is all there is for an apply time. So that one is sized for climbing that goes on, too.
When the signal moves again there is a lesson to go by.
"""

from __future__ import annotations

import numpy as np

from capacity_pilot.core.compiled import compiled
from capacity_pilot.core.fleet import Bools, Floats
from capacity_pilot.core.forecast import Forecast
from capacity_pilot.core.sizing import Sizing

_MOST = 8.0
"""Times what is seen at most: how steep a climb is, its first seconds hardly tell."""


def climb_on(
    sizing: Sizing,
    forecast: Forecast,
    moving_s: Floats,
    *,
    provisioned: Floats,
    caution: Floats,
    ahead_s: Floats,
    unsettled_s: float,
) -> Sizing:
    """A surge that needs a raise is raised to where it comes to until the raise after that, if it
    climbs on as it did on average in the ``moving_s`` (n,) that such a signal has moved; NaN where
    none does. The last settled second was over ``unsettled_s`` ago, and a change made now is in
    force ``ahead_s`` (n,) from now.
    """
    least = sizing.least.copy()
    climb_slots(
        least,
        moving_s,
        forecast.newest,
        forecast.usual,
        forecast.is_surging,
        provisioned,
        caution,
        unsettled_s + 2.0 * ahead_s,
    )
    return sizing._replace(least=least)


@compiled
def climb_slots(  # noqa: PLR0913, PLR0917 - compiled code takes no dataclasses
    least: Floats,
    moving_s: Floats,
    newest: Floats,
    usual: Floats,
    is_surging: Bools,
    provisioned: Floats,
    caution: Floats,
    until_s: Floats,
) -> None:
    """``climb_on``, in place; what climbs does so for ``until_s`` (n,) from the settled second."""
    for slot in range(len(least)):
        if np.isnan(moving_s[slot]) or not is_surging[slot] or not least[slot] > provisioned[slot]:
            continue
        pace = np.maximum(newest[slot] - usual[slot], 0.0) / np.maximum(moving_s[slot], 1.0)
        climb = np.minimum(pace * until_s[slot], (_MOST - 1.0) * newest[slot])
        least[slot] = np.maximum(least[slot], newest[slot] + caution[slot] * climb)
