"""``capacity-pilot hand-back``: undoes what a daemon that is gone has left registered."""

from __future__ import annotations

import asyncio
import sys

from capacity_pilot.daemon.hand_back import hand_back
from capacity_pilot.settings import StoreSettings


class HandBack(StoreSettings):
    """Give back Application Auto Scaling's minimums and suspensions as a daemon found them.

    A daemon does so when it is told to stop. For one that is gone and does not come back, with its
    --journal or --state-table. Every flag is also an environment variable, as those of run are.
    """

    def cli_cmd(self) -> None:
        given_back = asyncio.run(hand_back(self))
        lines = [f"given back: {target}" for target in given_back] or ["nothing was held"]
        sys.stdout.write("\n".join(lines) + "\n")
