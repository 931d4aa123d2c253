"""``capacity-pilot run``: the daemon."""

from __future__ import annotations

import asyncio

import uvloop

from capacity_pilot.daemon import run_daemon
from capacity_pilot.daemon.event_log import configure_event_log
from capacity_pilot.settings import DaemonSettings


class Run(DaemonSettings):
    """Run the daemon: OTLP spans in, UpdateTable calls out.

    Every flag is also an environment variable: --http-port is CAPACITY_PILOT_HTTP_PORT.
    """

    def cli_cmd(self) -> None:
        configure_event_log(self.log_level)
        with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
            runner.run(run_daemon(self))
