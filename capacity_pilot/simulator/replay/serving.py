"""What a replay does most often, compiled: seconds of demand served and noted."""

from __future__ import annotations

from capacity_pilot.core.fleet import Floats, Ints
from capacity_pilot.simulator.compiled import compiled
from capacity_pilot.simulator.physics.bucket import BURST, PROVISIONED
from capacity_pilot.simulator.physics.bulk import begin_second, take_units
from capacity_pilot.simulator.replay.ledger import note_second


@compiled
def serve_seconds(
    levels: Floats,
    has_begun: bool,  # noqa: FBT001 - compiled code takes no keywords
    tally: Floats,
    columns: Ints,
    demand: Floats,
    again: Floats,
    units: Floats,
) -> None:
    """Each array on its own, since to unpack a tuple of them would cost more than the work.

    ``columns`` (2, n) is slots and workloads, ``units`` (2, seconds, n) what is consumed and
    throttled.
    """
    for column in range(columns.shape[1]):
        slot, workload = columns[0, column], columns[1, column]
        for second in range(demand.shape[0]):
            if second > 0 or not has_begun:
                begin_second(levels, slot)
            asked = demand[second, workload] + again[column]
            consumed = take_units(levels, slot, asked)
            throttled = asked - consumed
            units[0, second, column] = consumed
            units[1, second, column] = throttled
            note_second(
                tally, column, levels[PROVISIONED, slot], levels[BURST, slot], consumed, throttled
            )
