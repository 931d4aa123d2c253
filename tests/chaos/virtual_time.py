"""An event loop whose time stands still while anything is left to do, and then jumps.

What is looptime's idea, without its polls of a real selector: nothing here waits for a socket, and
what is given to a thread is done at once. So the same program takes the same steps in the same
order whenever and wherever it runs, and an hour of it takes seconds.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any, TypeVar, TypeVarTuple

_T = TypeVar("_T")
_Ts = TypeVarTuple("_Ts")


class VirtualLoop(asyncio.BaseEventLoop):
    """Its time begins at 0. Raises ``RuntimeError`` where everybody waits and nothing is due."""

    def __init__(self) -> None:
        super().__init__()
        self._elapsed_s = 0.0
        self._selector = self  # asked by the base class how long it may sleep

    def time(self) -> float:
        return self._elapsed_s

    def select(self, timeout: float | None) -> list[object]:
        if timeout is None:
            raise RuntimeError("everybody waits, and nothing is due")
        self._elapsed_s += timeout
        return []

    def _process_events(self, event_list: list[object]) -> None:
        """There are none."""

    def _write_to_self(self) -> None:
        """Nobody else can wake it."""

    def run_in_executor(
        self,
        executor: Any,  # noqa: ARG002 - the loop's own thread does it
        func: Callable[[*_Ts], _T],
        *args: *_Ts,
    ) -> asyncio.Future[_T]:
        future: asyncio.Future[_T] = self.create_future()
        try:
            future.set_result(func(*args))
        except Exception as error:  # noqa: BLE001 - as a thread hands on whatever was raised
            future.set_exception(error)
        return future


def run_virtually(work: Callable[[VirtualLoop], Coroutine[Any, Any, _T]]) -> _T:
    """Runs it to its end in a loop of its own."""
    loop = VirtualLoop()
    try:
        return loop.run_until_complete(work(loop))
    finally:
        loop.close()
