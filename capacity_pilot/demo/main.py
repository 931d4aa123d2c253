"""Runs the demo for whoever looks on, and leaves its figures."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import sys
from pathlib import Path

from rich.console import Console

from capacity_pilot import __version__
from capacity_pilot.core.errors import InputError
from capacity_pilot.demo.closing import draw_summary
from capacity_pilot.demo.environment import isolate
from capacity_pilot.demo.options import DemoOptions
from capacity_pilot.demo.performance import perform
from capacity_pilot.demo.plain import PlainView, SilentView
from capacity_pilot.demo.summary import Summary
from capacity_pilot.demo.view import LiveView


def run_demo(options: DemoOptions, *, is_headless: bool, json_file: Path | None) -> None:
    """Shows the run on standard output, unless headless, and writes the figures to the file."""
    if json_file is not None and not json_file.parent.is_dir():
        raise InputError(f"--json {json_file}: there is no folder {json_file.parent}")
    isolate(os.environ)
    console = Console(highlight=False)
    summary = asyncio.run(_perform(options, console, is_headless=is_headless))
    if json_file is not None:
        json_file.write_text(render_json(summary, options))
    if not is_headless or json_file is None:
        console.print(draw_summary(summary))


async def _perform(options: DemoOptions, console: Console, *, is_headless: bool) -> Summary:
    _stop_on_signals()
    if is_headless:
        return await perform(options, SilentView())
    if not console.is_terminal:
        return await perform(options, PlainView(options.timeline, _write_line))
    with LiveView(console, options.timeline) as view:
        return await perform(options, view)


def render_json(summary: Summary, options: DemoOptions) -> str:
    """The figures, and all it takes to run the same again."""
    run = {
        "version": __version__,
        "command": sys.argv[1:],
        "seed": options.seed,
        "return_consumed_capacity": options.report,
        "sample_ratio": options.sample_ratio,
    }
    return json.dumps(run | summary.render(), indent=2) + "\n"


def _stop_on_signals() -> None:
    """Ends the run as Ctrl-C does, so that no process is left behind."""
    task = asyncio.current_task()
    assert task is not None  # noqa: S101 (called from within a coroutine)
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGHUP):
        loop.add_signal_handler(number, task.cancel)


def _write_line(text: str) -> None:
    sys.stdout.write(text + "\n")
    sys.stdout.flush()
