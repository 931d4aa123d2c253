"""``python -m tests.chaos``: runs a range of seeds, and says of those that failed how to see it.

One run prints every event of the daemon if ``--tell`` asks for it.
"""

from __future__ import annotations

import argparse
import logging
import sys
import time
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor

import structlog

from tests.chaos.drawing import draw_schedule
from tests.chaos.run import Report, run_schedule

_VIOLATIONS_TOLD = 3


def main() -> int:
    asked = _read_arguments()
    began_at = time.monotonic()
    reports = []
    for report in _run_all(asked):
        reports.append(report)
        for violation in report.violations[: None if asked.tell else _VIOLATIONS_TOLD]:
            print(f"seed {report.seed}: {violation}")  # noqa: T201
        if report.violations:
            print(f"  again: make chaos SEEDS=1 FROM={report.seed} TELL=1", flush=True)  # noqa: T201
    print(_sum_up(reports, took_s=time.monotonic() - began_at))  # noqa: T201
    return 1 if any(report.violations for report in reports) else 0


def run_seed(seed: int, *, is_told: bool = False) -> Report:
    """Runs a seed; the daemon's events are dropped unless they are to be told."""
    level = logging.DEBUG if is_told else logging.CRITICAL
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(level))
    schedule = draw_schedule(seed)
    if is_told:
        for fault in schedule.faults:
            print(fault)  # noqa: T201
    return run_schedule(schedule)


def _run_all(asked: argparse.Namespace) -> Iterator[Report]:
    seeds = range(asked.first, asked.first + asked.seeds)
    if asked.tell or asked.processes == 1:
        yield from (run_seed(seed, is_told=asked.tell) for seed in seeds)
        return
    with ProcessPoolExecutor(max_workers=asked.processes) as pool:
        yield from pool.map(run_seed, seeds)


def _sum_up(reports: list[Report], *, took_s: float) -> str:
    updates = sum(report.updates for report in reports)
    decreases = sum(report.decreases for report in reports)
    processes = sum(report.processes for report in reports)
    idled = sum(report.idled for report in reports)
    throttled = sum(report.throttled for report in reports)
    at_floor = sum(report.throttled_at_floor for report in reports)
    as_found = sum(report.throttled_as_found for report in reports)
    return (
        f"{len(reports)} schedules in {took_s:.0f} s, "
        f"{sum(bool(report.violations) for report in reports)} failed; {processes} processes, "
        f"{updates} changes taken, {decreases} of them decreases, {idled} targets lowered as idle; "
        f"throttled units {throttled:.0f}, "
        f"{at_floor:.0f} at the policies' min, {as_found:.0f} without anybody"
    )


def _read_arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.chaos", description=__doc__)
    parser.add_argument("--seeds", type=int, default=300, help="how many")
    parser.add_argument("--from", type=int, default=1, dest="first", help="the first one")
    parser.add_argument("--processes", type=int, default=2, help="side by side")
    parser.add_argument("--tell", action="store_true", help="what the daemon logs, and all faults")
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
