"""Kills a daemon at a precise step of a change, and knows what its journal is left with."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.end_to_end.processes import Cast, Daemon, Process
from tests.end_to_end.proxy import Answer, Forward, Interference, NoAnswerError, Proxy

STEPS = (
    "before it is recorded",
    "recorded, not taken",
    "taken, no answer",
    "answered, the answer not recorded",
    "answered, nothing recorded",
    "answered and recorded",
)


_UNSENT = {"expired", "not_sent"}


class JournalFile:
    """The daemon's journal, from outside."""

    def __init__(self, path: Path) -> None:
        self.path = path

    @contextmanager
    def open(self) -> Iterator[sqlite3.Connection]:
        database = sqlite3.connect(
            self.path, isolation_level=None, timeout=5, check_same_thread=False
        )
        try:
            yield database
        finally:
            database.close()

    @contextmanager
    def locked(self) -> Iterator[None]:
        """The daemon cannot write meanwhile."""
        with self.open() as database:
            database.execute("BEGIN IMMEDIATE")
            yield
            database.execute("ROLLBACK")

    def kinds(self, table: str) -> list[str]:
        """What was recorded of a table, in order, decisions and calls that were not sent left out:
        where the machine is slow, a plan may be too old by the time it is its turn.
        """
        with self.open() as database:
            rows = database.execute(
                "SELECT id, kind, call, body FROM records"
                " WHERE table_name = ? AND kind != 'decided' ORDER BY id",
                (table,),
            ).fetchall()
        unsent = {call for _, _, call, body in rows if json.loads(body).get("outcome") in _UNSENT}
        return [kind for id_, kind, call, _ in rows if not {id_, call} & unsent]

    def open_calls(self) -> int:
        with self.open() as database:
            (count,) = database.execute("SELECT count(*) FROM open_calls").fetchone()
            return int(count)


def kill_during(
    proxy: Proxy,
    operation: str,
    act: Interference,
    process: Process,
    *,
    concerns: Callable[[dict[str, Any]], bool],
) -> None:
    """Has the process killed before it hears the answer to the next such call."""

    def interfere(forward: Forward) -> Answer:
        try:
            return act(forward)
        finally:
            process.kill()

    proxy.at(operation, interfere, concerns=concerns)


def never(_: Forward) -> Answer:
    raise NoAnswerError


def pass_on(forward: Forward) -> Answer:
    return forward()


DURING = {
    "before it is recorded": ("DescribeTable", never),
    "recorded, not taken": ("UpdateTable", never),
    "taken, no answer": ("UpdateTable", pass_on),
}
"""The call during which the daemon is killed, and what first becomes of it."""

LEFT_BEHIND = {
    "before it is recorded": [],
    "recorded, not taken": ["call"],
    "taken, no answer": ["call"],
    "answered, the answer not recorded": ["call"],
    "answered, nothing recorded": [],
    "answered and recorded": ["call", "answer"],
}
"""What is recorded of the change by then."""


def _about(table: str) -> Callable[[dict[str, Any]], bool]:
    """Calls of other tables may come in between."""
    return lambda members: members.get("TableName") == table


LOST = frozenset(STEPS[:2])
"""Killed there, the daemon has changed nothing yet."""

Cause = Callable[[Callable[[], bool]], None]
"""Has the daemon want a change of the table, at the latest when what it is given says that it has
come to it.
"""


@dataclass(frozen=True)
class Killing:
    """How a daemon that calls through ``proxy`` is killed."""

    proxy: Proxy
    journal: JournalFile
    cast: Cast

    def kill(self, step: str, table: str, daemon: Daemon, *, cause: Cause) -> None:
        """At this step of its next change of the table; it is dead when this returns."""
        before = self.journal.kinds(table)
        if step in DURING:
            self._kill_during(*DURING[step], table, daemon, cause=cause)
        else:
            self._kill_after(step, table, daemon, cause=cause)
        recorded = self.journal.kinds(table)
        assert recorded == before + LEFT_BEHIND[step], f"{step}: {recorded}"

    def _kill_during(
        self, operation: str, act: Interference, table: str, daemon: Daemon, *, cause: Cause
    ) -> None:
        """Before it hears the answer to a call about the table."""
        kill_during(self.proxy, operation, act, daemon.process, concerns=_about(table))
        cause(lambda: daemon.process.has_ended)
        self.cast.until(lambda: daemon.process.has_ended, within=60, what=f"{operation} of {table}")

    def _kill_after(self, step: str, table: str, daemon: Daemon, *, cause: Cause) -> None:
        """When it has heard that its change is taken."""
        earlier, recorded = len(self._heard(daemon, table)), self.journal.kinds(table)

        def has_heard() -> bool:
            return len(self._heard(daemon, table)) > earlier

        with ExitStack() as held:

            def lock(forward: Forward) -> Answer:
                held.enter_context(self.journal.locked())
                return forward()

            if step == "answered, the answer not recorded":
                self.proxy.at("UpdateTable", lock, concerns=_about(table))
            elif step == "answered, nothing recorded":
                held.enter_context(self.journal.locked())
            cause(has_heard)
            self.cast.until(has_heard, within=60, what=f"{step}: an answer about {table}")
            if step == "answered and recorded":
                self.cast.until(
                    lambda: "answer" in self.journal.kinds(table)[len(recorded) :],
                    within=60,
                    what="its record",
                )
            daemon.process.kill()

    @staticmethod
    def _heard(daemon: Daemon, table: str) -> list[dict[str, Any]]:
        told = daemon.process.events("actuation")
        return [e for e in told if (e["table"], e["outcome"]) == (table, "requested")]
