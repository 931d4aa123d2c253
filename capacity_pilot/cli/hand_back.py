"""``capacity-pilot hand-back``: undoes what a daemon that is gone has left registered."""

from __future__ import annotations

import asyncio
import sys

from capacity_pilot.daemon.event_log import configure_event_log
from capacity_pilot.daemon.hand_back import hand_back
from capacity_pilot.settings import StoreSettings


class HandBack(StoreSettings):
    """Give back Application Auto Scaling's minimums and suspensions as a daemon found them, and
    raise what it does not scale to the policies' safe levels, if the daemon was in active mode.

    For a daemon that is gone and does not come back, with its --journal or --state-table. Every
    flag is also an environment variable, as those of run are.
    """

    def cli_cmd(self) -> None:
        configure_event_log("INFO", stream=sys.stderr)
        done = asyncio.run(hand_back(self))
        lines = [f"given back: {target}" for target in done.given_back] or ["nothing was held"]
        lines += [f"raised to its safe level: {target}" for target in done.raised]
        sys.stdout.write("\n".join(lines) + "\n")
