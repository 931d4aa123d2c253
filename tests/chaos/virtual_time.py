"""An event loop whose time stands still while anything is left to do, and then jumps.

What is looptime's idea, without its polls of a real selector: nothing here waits for a socket, and
what is given to a thread is done at once. So the same program takes the same steps in the same
order whenever and wherever it runs, and an hour of it takes seconds.

Several programs may run in one loop, each in a context of its own (``begin_context``), and any of
them may stand still for a while, as a stopped process does: its timers run out meanwhile, what it
is sent arrives, and all of it happens when it goes on.
"""

from __future__ import annotations

import asyncio
import heapq
from collections.abc import Callable, Coroutine
from contextvars import Context, ContextVar, copy_context
from typing import Any, Final, TypeVar, TypeVarTuple

_T = TypeVar("_T")
_Ts = TypeVarTuple("_Ts")

_OWNER: Final[ContextVar[object]] = ContextVar("owner", default=None)


def begin_context(owner: object) -> Context:
    """A context whose tasks, and whatever comes of them, are this owner's."""
    context = copy_context()
    context.run(_OWNER.set, owner)
    return context


class VirtualLoop(asyncio.BaseEventLoop):
    """Its time begins at 0. Raises ``RuntimeError`` where everybody waits and nothing is due."""

    def __init__(self) -> None:
        super().__init__()
        self._elapsed_s = 0.0
        self._selector = self  # asked by the base class how long it may sleep
        self._put_off: dict[object, list[asyncio.Handle]] = {}

    def time(self) -> float:
        return self._elapsed_s

    def pause(self, owner: object) -> None:
        """Nothing of this owner's happens until ``resume``."""
        self._put_off.setdefault(owner, [])

    def resume(self, owner: object) -> None:
        """All that would have happened meanwhile does, in its order."""
        for handle in self._put_off.pop(owner, ()):
            self._queue.append(handle)

    def put_off(self, handle: asyncio.Handle, context: Context) -> bool:
        """True of what its owner is to do, and not now."""
        if not self._put_off:
            return False
        waiting = self._put_off.get(context.get(_OWNER))
        if waiting is None:
            return False
        waiting.append(handle)
        return True

    def select(self, timeout: float | None) -> list[object]:
        if timeout is None:
            raise RuntimeError("everybody waits, and nothing is due")
        self._elapsed_s += timeout
        return []

    def call_at(
        self,
        when: float,
        callback: Callable[[*_Ts], object],
        *args: *_Ts,
        context: Context | None = None,
    ) -> asyncio.TimerHandle:
        timer = _Timer(when, callback, args, self, _given(context))
        base: Any = self
        heapq.heappush(base._scheduled, timer)
        scheduled: Any = timer
        scheduled._scheduled = True
        return timer

    def _call_soon(
        self, callback: Callable[..., object], args: tuple[Any, ...], context: Context | None
    ) -> asyncio.Handle:
        handle = _Step(callback, args, self, _given(context))
        self._queue.append(handle)
        return handle

    @property
    def _queue(self) -> Any:
        base: Any = self
        return base._ready

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


class _Step(asyncio.Handle):
    """One that waits while its owner stands still."""

    def _run(self) -> None:
        base: Any = self
        if not base._loop.put_off(self, base._context):
            base_run: Any = super()
            base_run._run()


class _Timer(asyncio.TimerHandle):
    """The same, once it has run out."""

    def _run(self) -> None:
        base: Any = self
        if not base._loop.put_off(self, base._context):
            base_run: Any = super()
            base_run._run()


def _given(context: Context | None) -> Context:
    return copy_context() if context is None else context  # one without anything in it is false


def run_virtually(work: Callable[[VirtualLoop], Coroutine[Any, Any, _T]]) -> _T:
    """Runs it to its end in a loop of its own."""
    loop = VirtualLoop()
    try:
        return loop.run_until_complete(work(loop))
    finally:
        loop.close()
