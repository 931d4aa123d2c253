"""A daemon killed at every step of a change: the next one neither repeats nor loses it."""

from __future__ import annotations

import resource
import sqlite3
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import pytest

from tests.end_to_end.processes import Cast, Daemon, Physics, start_daemon, start_physics
from tests.end_to_end.proxy import Answer, Forward, Interference, NoAnswerError, Proxy, interpose
from tests.end_to_end.test_process import tell_writes

pytestmark = [pytest.mark.process, pytest.mark.timeout(600)]

STEPS = (
    "before it is recorded",
    "recorded, not taken",
    "taken, no answer",
    "answered, the answer not recorded",
    "answered, nothing recorded",
    "answered and recorded",
)


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
        """What was recorded of a table, in order, decisions left out."""
        with self.open() as database:
            rows = database.execute(
                "SELECT kind FROM records WHERE table_name = ? AND kind != 'decided' ORDER BY id",
                (table,),
            )
            return [kind for (kind,) in rows]

    def open_calls(self) -> int:
        with self.open() as database:
            (count,) = database.execute("SELECT count(*) FROM open_calls").fetchone()
            return int(count)


def never(_: Forward) -> Answer:
    raise NoAnswerError


def pass_on(forward: Forward) -> Answer:
    return forward()


def await_units(physics: Physics, table: str, *, cast: Cast) -> None:
    cast.until(
        lambda: physics.provisioned()[f"{table}:write"] >= 400,
        within=90,
        what=f"{table} with what it needs",
    )


def starting(proxy: Proxy, cast: Cast, physics: Physics, path: Path, life: int) -> Daemon:
    via = Physics(physics.process, proxy.url)
    options = ("--journal", str(path), "--describe-s", "600")
    return start_daemon(cast, via, *options, name=f"daemon-{life}")


DURING = {
    "before it is recorded": ("DescribeTable", never),
    "recorded, not taken": ("UpdateTable", never),
    "taken, no answer": ("UpdateTable", pass_on),
}
"""The call during which the daemon is killed, and what first becomes of it."""


def kill_during(
    operation: str, act: Interference, table: str, daemon: Daemon, *, proxy: Proxy, cast: Cast
) -> None:
    """Kills the daemon before it hears the answer to a call about the table."""

    def interfere(forward: Forward) -> Answer:
        try:
            return act(forward)
        finally:
            daemon.process.kill()

    proxy.at(operation, interfere, concerns=lambda members: members.get("TableName") == table)
    tell_writes(daemon, table, units=400, seconds=20)
    ended = daemon.process.popen.poll
    cast.until(lambda: ended() is not None, within=60, what=f"{operation} of {table}")


def kill_after(
    step: str, table: str, daemon: Daemon, *, proxy: Proxy, journal: JournalFile, cast: Cast
) -> None:
    """Kills the daemon when it has heard that its change is taken."""

    def has_heard() -> bool:
        return any(e["table"] == table for e in daemon.process.events("actuation"))

    with ExitStack() as held:

        def lock(forward: Forward) -> Answer:
            held.enter_context(journal.locked())
            return forward()

        if step == "answered, the answer not recorded":
            proxy.at("UpdateTable", lock)
        elif step == "answered, nothing recorded":
            held.enter_context(journal.locked())
        tell_writes(daemon, table, units=400, seconds=20)
        cast.until(has_heard, within=60, what="an answer")
        if step == "answered and recorded":
            cast.until(lambda: "answer" in journal.kinds(table), within=60, what="its record")
        daemon.process.kill()


LEFT_BEHIND = {
    "before it is recorded": [],
    "recorded, not taken": ["call"],
    "taken, no answer": ["call"],
    "answered, the answer not recorded": ["call"],
    "answered, nothing recorded": [],
    "answered and recorded": ["call", "answer"],
}


def test_no_change_is_repeated_or_lost_at_whatever_step_the_daemon_is_killed(
    cast: Cast, tmp_path: Path
) -> None:
    """Each life begins by taking up what the one before left, and ends one step further."""
    physics = start_physics(cast, apply_median=8.0)
    tables = {step: f"feed-{number}" for number, step in enumerate(STEPS)}
    for table in tables.values():
        physics.create_table(table, read=100, write=100)
    journal = JournalFile(tmp_path / "journal.db")
    with interpose(physics.url) as proxy:
        daemon = starting(proxy, cast, physics, journal.path, 0)
        for life, (step, table) in enumerate(tables.items(), start=1):
            if step in DURING:
                kill_during(*DURING[step], table, daemon, proxy=proxy, cast=cast)
            else:
                kill_after(step, table, daemon, proxy=proxy, journal=journal, cast=cast)
            assert journal.kinds(table) == LEFT_BEHIND[step], step
            daemon = starting(proxy, cast, physics, journal.path, life)
            taken = [c for c in proxy.made("UpdateTable", table) if c.status == 200]
            is_lost = step in STEPS[:2]
            assert len(taken) == (0 if is_lost else 1), step
            if is_lost:
                tell_writes(daemon, table, units=400, seconds=20)
            await_units(physics, table, cast=cast)
            cast.until(lambda: journal.open_calls() == 0, within=30, what=f"{step}: a verdict")
            (call,) = [c for c in proxy.made("UpdateTable", table) if c.status == 200]
            sent = call.members["ProvisionedThroughput"]["WriteCapacityUnits"]
            assert physics.provisioned()[f"{table}:write"] == sent, step
        refused = [c for c in proxy.made("UpdateTable") if c.status not in (None, 200)]
        assert refused == []


def test_a_full_disk_holds_no_increase_back_and_nothing_is_lost_once_there_is_room(
    cast: Cast, physics: Physics, tmp_path: Path
) -> None:
    physics.create_table("feed", read=100, write=100)
    journal = JournalFile(tmp_path / "journal.db")
    daemon = start_daemon(cast, physics, "--journal", str(journal.path))
    unlimited = resource.prlimit(daemon.process.popen.pid, resource.RLIMIT_FSIZE)
    with journal.open() as database:  # so that the log may be written, and the journal not
        database.execute("INSERT INTO documents VALUES ('large', zeroblob(1000000))")
        small = (500_000, unlimited[1])
        resource.prlimit(daemon.process.popen.pid, resource.RLIMIT_FSIZE, small)
        tell_writes(daemon, "feed", units=400, seconds=20)
        cast.until(lambda: physics.provisioned()["feed:write"] >= 400, within=60, what="capacity")
        told = daemon.status()["journal"]
        assert told["state"] == "degraded", told
        assert told["waiting_records"] > 0
        assert journal.kinds("feed") == []
        resource.prlimit(daemon.process.popen.pid, resource.RLIMIT_FSIZE, unlimited)
        cast.until(lambda: daemon.status()["journal"]["state"] == "ok", within=30, what="a journal")
    assert journal.kinds("feed")[:2] == ["call", "answer"]
