"""``python -m capacity_pilot.simulator.physics``: the model as a server of its own.

Prints one JSON line with its address when it is ready, and ends on SIGTERM or SIGINT.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import signal
import sys
from collections.abc import Sequence

import uvloop

from capacity_pilot.core.errors import InputError
from capacity_pilot.simulator.physics.apply_times import ApplyTimes
from capacity_pilot.simulator.physics.server import serve_physics
from capacity_pilot.simulator.physics.settings import WorldSettings
from capacity_pilot.simulator.physics.world import World


def main(arguments: Sequence[str] | None = None) -> int:
    """Serves until told to stop; 2 when an option is out of its bounds."""
    options = _parser().parse_args(arguments)
    try:
        world = World(
            WorldSettings(
                region=options.region,
                apply_times=ApplyTimes(
                    median_seconds=options.apply_median,
                    warm_is_fast=not options.slow_when_warm,
                ),
                burst_availability=options.burst_availability,
                initial_burst_seconds=options.initial_burst_seconds,
                seed=options.seed,
            )
        )
        world.slow_down(options.slow_down)
    except InputError as error:
        sys.stderr.write(f"{error}\n")
        return 2
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(_serve(world, options.host, options.port))
    return 0


async def _serve(world: World, host: str, port: int) -> None:
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    async with serve_physics(world, host, port) as server:
        address = {"url": server.url, "host": server.host, "port": server.port}
        sys.stdout.write(json.dumps(address) + "\n")
        sys.stdout.flush()
        await stop.wait()


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m capacity_pilot.simulator.physics",
        description="A DynamoDB with real throttling, quotas and apply times.",
    )
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--port", type=int, default=0, help="0 takes a free port")
    parser.add_argument("--region", default="us-east-1")
    parser.add_argument(
        "--apply-median",
        type=float,
        default=30.0,
        help="median seconds until capacity beyond warm throughput is in force",
    )
    parser.add_argument(
        "--slow-when-warm",
        action="store_true",
        help="changes within warm throughput take as long as any",
    )
    parser.add_argument(
        "--slow-down",
        type=float,
        default=1.0,
        help="every change, switches to on-demand and back too, takes so many times as long",
    )
    parser.add_argument(
        "--burst-availability", type=float, default=1.0, help="fraction of the burst granted, 0-1"
    )
    parser.add_argument(
        "--initial-burst-seconds", type=float, default=300.0, help="burst of a new table, 0-300"
    )
    parser.add_argument("--seed", type=int, default=0)
    return parser


if __name__ == "__main__":
    sys.exit(main())
