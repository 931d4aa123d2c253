"""Made-up demand for social apps, seeded, with the upstream signals that precede it.

Time starts on a Monday at midnight. People follow a day and a week; pushes bring crowds within
seconds; outages end in retry storms; launches and nightly jobs change the level at once. What
people do enters the feed route and reaches the table a second or two later; jobs go straight to
the table. A table's file has, per second:

``t_s``
    seconds from the start, without gaps
``count``
    units asked of the table
``push_sent``
    recipients a push was sent to; the first of those who open it, about a twentieth, enter the
    feed 4 s later, most of them within minutes
``route_feed``
    requests entering the feed route, of which 60 % reach the table 1 s later and 40 % 2 s later

Tables of one seed belong to one app: they share its pushes, outages and launch, each answering
in its own strength. The same seed gives the same numbers with the same version of NumPy.
"""

from capacity_pilot.simulator.generator.files import write_demand
from capacity_pilot.simulator.generator.kinds import KINDS
from capacity_pilot.simulator.generator.table import (
    FEED_LAGS_S,
    Block,
    TableSpec,
    generate_blocks,
)

__all__ = ["FEED_LAGS_S", "KINDS", "Block", "TableSpec", "generate_blocks", "write_demand"]
