"""Tells how far down the ladder the pilot has come, target by target and as a whole."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterator

import numpy as np
import structlog

from capacity_pilot.core.fleet import Fleet, Ints
from capacity_pilot.core.ladder import RUNG_WORDING, Rung
from capacity_pilot.core.model import ScalableTarget
from capacity_pilot.core.pilot import Pilot
from capacity_pilot.daemon.narration import name_target
from capacity_pilot.web.metrics import Metric

WATCH_S = 1.0

_MOST_NAMED = 20

log = structlog.get_logger("capacity_pilot")


class LadderWatch:
    """Call ``look`` every ``WATCH_S``: each change is told once.

    The whole stands as high as the best of its targets: while one is heard, what tells of it works,
    and the others may be idle.
    """

    def __init__(self, pilot: Pilot) -> None:
        self._pilot = pilot
        self._rungs: dict[ScalableTarget, Rung] = {}
        self._whole = Rung.HOLD
        self._seen: tuple[Fleet, Ints] | None = None

    async def look(self) -> None:
        """Tells of what has changed since last looked."""
        fleet, stands = self._pilot.fleet, self._pilot.ladder.rung
        if self._seen and self._seen[0] is fleet and np.array_equal(self._seen[1], stands):
            return
        self._seen = fleet, stands
        before, self._rungs = self._rungs, self._pilot.rungs()
        moved: defaultdict[tuple[Rung, Rung], list[str]] = defaultdict(list)
        for target, rung in self._rungs.items():
            if (was := before.get(target, Rung.HOLD)) is not rung:
                moved[was, rung].append(str(target))
        for (was, rung), targets in sorted(moved.items()):
            self._tell("rung_changed", was, rung, targets=targets[:_MOST_NAMED], count=len(targets))
        was, self._whole = self._whole, find_whole(self._rungs)
        if was is not self._whole:
            self._tell("rung_of_all_changed", was, self._whole)

    def report(self) -> dict[str, object]:
        """What ``/status`` says of it: targets by name where they are not at the top."""
        rungs = self._pilot.rungs()
        whole, counts = find_whole(rungs), Counter(rungs.values())
        return {
            "ladder": {
                "rung": name_rung(whole),
                "because": RUNG_WORDING[whole],
                "targets": {name_rung(rung): counts[rung] for rung in Rung},
                "below": [
                    {"target": str(target), "rung": name_rung(rung)}
                    for target, rung in rungs.items()
                    if rung is not Rung.FULL
                ],
            }
        }

    def measure(self) -> Iterator[Metric]:
        """What ``/metrics`` says of it."""
        rungs = self._pilot.rungs()
        scale = ", ".join(f"{rung.value} {name_rung(rung)}" for rung in Rung)
        yield Metric(
            name="capacity_pilot_rung",
            kind="gauge",
            told=f"How much is heard of a target: {scale}.",
            samples=[(name_target(target), float(rung)) for target, rung in rungs.items()],
        )
        yield Metric(
            name="capacity_pilot_rung_of_all",
            kind="gauge",
            told="The best rung of any target.",
            samples=[({}, float(find_whole(rungs)))],
        )

    def _tell(self, event: str, was: Rung, rung: Rung, **more: object) -> None:
        tell = log.warning if rung > was and rung > Rung.NO_UPSTREAM else log.info
        said = {"rung": name_rung(rung), "before": name_rung(was), "because": RUNG_WORDING[rung]}
        tell(event, **said, **more)


def find_whole(rungs: dict[ScalableTarget, Rung]) -> Rung:
    """The best rung there is; without targets nothing is heard."""
    return min(rungs.values(), default=Rung.HOLD)


def name_rung(rung: Rung) -> str:
    """As logs, metrics and the API have it."""
    return rung.name.lower()
