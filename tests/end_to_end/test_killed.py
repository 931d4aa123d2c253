"""A daemon killed at every step of a change: the next one neither repeats nor loses it."""

from __future__ import annotations

import resource
from functools import partial
from pathlib import Path

import pytest

from tests.end_to_end.killing import LOST, STEPS, JournalFile, Killing
from tests.end_to_end.processes import Cast, Daemon, Physics, start_daemon, start_physics
from tests.end_to_end.proxy import Proxy, interpose
from tests.end_to_end.test_process import tell_writes

pytestmark = [pytest.mark.process, pytest.mark.timeout(600)]


def await_units(physics: Physics, table: str, *, cast: Cast) -> None:
    cast.until(
        lambda: physics.provisioned()[f"{table}:write"] >= 400,
        within=90,
        what=f"{table} with what it needs",
    )


def push(daemon: Daemon, table: str, *_: object) -> None:
    tell_writes(daemon, table, units=400, seconds=20)


def starting(proxy: Proxy, cast: Cast, physics: Physics, path: Path, life: int) -> Daemon:
    via = Physics(physics.process, proxy.url)
    options = ("--journal", str(path), "--describe-s", "600")
    return start_daemon(cast, via, *options, name=f"daemon-{life}")


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
        killing = Killing(proxy, journal, cast)
        daemon = starting(proxy, cast, physics, journal.path, 0)
        for life, (step, table) in enumerate(tables.items(), start=1):
            killing.kill(step, table, daemon, cause=partial(push, daemon, table))
            daemon = starting(proxy, cast, physics, journal.path, life)
            taken = [c for c in proxy.made("UpdateTable", table) if c.status == 200]
            assert len(taken) == (0 if step in LOST else 1), step
            if step in LOST:
                push(daemon, table)
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
