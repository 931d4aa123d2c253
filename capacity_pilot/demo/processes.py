"""Child processes that speak JSON lines: started together, ended together, missed at once."""

from __future__ import annotations

import asyncio
import json
import sys
from collections import deque
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from typing import Any

from capacity_pilot.core.errors import PilotError

_TAIL_LINES = 15
_STOP_GRACE_S = 10.0
_LONGEST_LINE = 1 << 20

Line = Mapping[str, Any]


class ChildError(PilotError):
    """A process of the demo ended early or never came up; the message has its last lines."""


class Child:
    """A running process. ``hear`` gets its JSON lines; others are kept only for the tail.

    ``watching`` ends with the process, and with ``ChildError`` unless that ended well.
    """

    def __init__(
        self, name: str, process: asyncio.subprocess.Process, hear: Callable[[Line], None]
    ) -> None:
        self.name = name
        self.hear = hear
        self._process = process
        self._tail: deque[str] = deque(maxlen=_TAIL_LINES)
        self._is_stopping = False
        self.watching = asyncio.create_task(self._watch(), name=f"watching {name}")

    async def _watch(self) -> None:
        assert self._process.stdout is not None  # noqa: S101 (started with pipes)
        async for raw in self._process.stdout:
            text = raw.decode(errors="replace").rstrip()
            self._tail.append(text)
            if (line := _parse(text)) is not None:
                self.hear(line)
        status = await self._process.wait()
        if status != 0 and not self._is_stopping:
            raise self.tell_end(f"ended with status {status}")

    def say(self, text: str) -> None:
        """Writes a line to the process's standard input."""
        assert self._process.stdin is not None  # noqa: S101 (started with pipes)
        self._process.stdin.write(f"{text}\n".encode())

    def tell_end(self, what: str) -> ChildError:
        """An error that says what happened, with the last lines the process wrote."""
        lines = "\n".join(f"  | {line}" for line in self._tail) or "  | (it wrote nothing)"
        return ChildError(f"{self.name} {what}; its last lines:\n{lines}")

    async def stop(self) -> None:
        """Asks it to end, and kills it when it takes too long."""
        self._is_stopping = True
        if self._process.returncode is None:
            self._process.terminate()
            try:
                await asyncio.wait_for(self._process.wait(), _STOP_GRACE_S)
            except TimeoutError:
                self._process.kill()
        await asyncio.gather(self.watching, return_exceptions=True)  # told by whoever waited


def ignore(_line: Line) -> None:
    """Hears nothing."""


def _parse(text: str) -> Line | None:
    try:
        line = json.loads(text)
    except ValueError:
        return None
    return line if isinstance(line, dict) else None


@asynccontextmanager
async def start_child(name: str, arguments: Sequence[str]) -> AsyncIterator[Child]:
    """Runs this Python with ``arguments`` until the block ends."""
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        *arguments,
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
        limit=_LONGEST_LINE,
        # Ctrl-C is for the demo alone: it ends the others in order.
        start_new_session=True,
    )
    child = Child(name, process, ignore)
    try:
        yield child
    finally:
        await asyncio.shield(child.stop())


async def await_line(child: Child, is_awaited: Callable[[Line], bool], *, timeout_s: float) -> Line:
    """The first such line, or a ``ChildError`` if the child ends or stays silent before it."""
    found: asyncio.Future[Line] = asyncio.get_running_loop().create_future()

    def hear(line: Line) -> None:
        if not found.done() and is_awaited(line):
            found.set_result(line)

    child.hear = hear
    ended: set[asyncio.Future[Any]] = {found, child.watching}
    await asyncio.wait(ended, timeout=timeout_s, return_when=asyncio.FIRST_COMPLETED)
    if found.done():
        return found.result()
    if child.watching.done():
        child.watching.result()
        raise child.tell_end("ended before it was ready")
    raise child.tell_end(f"was not ready within {timeout_s:g} s")
