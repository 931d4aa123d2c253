"""How far long work is."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager


@contextmanager
def show_progress(work: str, total: int) -> Iterator[Callable[[int], None]]:
    """A bar on standard error, where it is a terminal; gives what to tell of work done."""
    from rich.console import Console  # noqa: PLC0415 (an extra's dependency)
    from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn  # noqa: PLC0415

    columns = (TextColumn("{task.description}"), BarColumn(), TimeRemainingColumn())
    console = Console(stderr=True)
    with Progress(*columns, console=console, disable=not console.is_terminal) as bar:
        task = bar.add_task(work, total=total)
        yield lambda done: bar.advance(task, done)
