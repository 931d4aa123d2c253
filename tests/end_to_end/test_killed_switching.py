"""A daemon killed at every step of a switch to on-demand or back: one switch it is, with all units.

The way back waits for five minutes, and nobody wants to: the daemon's clock is put forward, twenty
seconds at a time, with spans of those seconds each time.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from urllib.error import URLError

import pytest

from tests.end_to_end.killing import LOST, STEPS, JournalFile, Killing
from tests.end_to_end.processes import Cast, Daemon, Physics, start_daemon, start_physics
from tests.end_to_end.proxy import Call, Proxy, interpose
from tests.end_to_end.set_clock import SetClock
from tests.end_to_end.test_process import tell_writes

pytestmark = [pytest.mark.process, pytest.mark.timeout(600)]

POLICY = """
version: 1
policies:
  - name: feeds
    match: {tables: ["feed*"]}
    write: {min: 5, max: 100}
    on_demand_escape: {after: 0s, return_after: 5m}
"""
RUSH, CALM = 400, 20
STRIDE_S = 20
STEPS_OF_A_SWITCH = [step for step in STEPS if step != "answered, nothing recorded"]
"""A switch is not sent unrecorded."""


class Theatre:
    """Tables that may be switched, in a few seconds, and a daemon that is followed by others."""

    def __init__(self, cast: Cast, physics: Physics, proxy: Proxy, folder: Path) -> None:
        self.physics = physics
        self.journal = JournalFile(folder / "journal.db")
        self.killing = Killing(proxy, self.journal, cast)
        self.tables = {step: f"feed-{n}" for n, step in enumerate(STEPS_OF_A_SWITCH)}
        for table in self.tables.values():
            physics.create_table(table, read=70, write=100, index="author")
        self._clock = SetClock(folder / "clock")
        self._proxy, self._cast = proxy, cast
        self._lives = 0
        self.daemon = self.begin_anew()

    def begin_anew(self) -> Daemon:
        script = Path(__file__).parent / "set_clock.py"
        self.daemon = start_daemon(
            self._cast,
            Physics(self.physics.process, self._proxy.url),
            *("--policy-text", POLICY, "--journal", str(self.journal.path)),
            *("--describe-s", "3600", "--tick-s", "0.25"),
            program=(sys.executable, str(script), str(self._clock.path)),
            name=f"daemon-{self._lives}",
        )
        self._lives += 1
        return self.daemon

    def tell(self, table: str, units: float, until: Callable[[], bool]) -> None:
        """Twenty seconds after twenty seconds of so many units each, in a third of a second."""
        deadline = time.monotonic() + 90
        while not until():
            assert time.monotonic() < deadline, f"{table}\n{self._cast.last_words()}"
            self._clock.advance(STRIDE_S)
            try:
                tell_writes(
                    self.daemon,
                    table,
                    units=units,
                    seconds=STRIDE_S,
                    ahead_s=self._clock.ahead_s,
                )
            except (URLError, ConnectionError):
                self._cast.until(self.has_ended, within=5, what="its end")
            time.sleep(0.3)

    def has_ended(self) -> bool:
        return self.daemon.process.has_ended

    def is_on_demand(self, table: str) -> bool:
        told = self.physics.call("DescribeTable", TableName=table)["Table"]
        summary = told.get("BillingModeSummary", {})
        is_settled: bool = told["TableStatus"] == "ACTIVE"
        return is_settled and summary.get("BillingMode") == "PAY_PER_REQUEST"

    def has_units(self, table: str) -> bool:
        return self.physics.provisioned()[f"{table}:write"] > 0

    def switches(self, table: str, mode: str) -> list[Call]:
        """Those to ``mode`` that were taken."""
        calls = self._proxy.made("UpdateTable", table)
        return [c for c in calls if c.status == 200 and c.members.get("BillingMode") == mode]

    def await_verdicts(self, step: str) -> None:
        self._cast.until(
            lambda: self.journal.open_calls() == 0, within=30, what=f"{step}: a verdict"
        )

    def refused(self) -> list[Call]:
        return [c for c in self._proxy.made("UpdateTable") if c.status not in (None, 200)]


@pytest.fixture
def theatre(cast: Cast, tmp_path: Path) -> Iterator[Theatre]:
    physics = start_physics(cast, "--slow-down", "0.05")
    with interpose(physics.url) as proxy:
        yield Theatre(cast, physics, proxy, tmp_path)


def test_no_switch_to_on_demand_is_repeated_or_lost(theatre: Theatre) -> None:
    for step, table in theatre.tables.items():
        rush = partial(theatre.tell, table, RUSH)
        theatre.killing.kill(step, table, theatre.daemon, cause=rush)
        theatre.begin_anew()
        assert len(theatre.switches(table, "PAY_PER_REQUEST")) == (step not in LOST), step
        rush(partial(theatre.is_on_demand, table))
        theatre.await_verdicts(step)
        assert len(theatre.switches(table, "PAY_PER_REQUEST")) == 1, step
    assert theatre.refused() == []


def test_no_switch_back_is_repeated_or_lost(theatre: Theatre) -> None:
    for table in theatre.tables.values():
        theatre.tell(table, RUSH, partial(theatre.is_on_demand, table))
    for step, table in theatre.tables.items():
        calm_down = partial(theatre.tell, table, CALM)
        theatre.killing.kill(step, table, theatre.daemon, cause=calm_down)
        theatre.begin_anew()
        assert len(theatre.switches(table, "PROVISIONED")) == (step not in LOST), step
        calm_down(partial(theatre.has_units, table))
        theatre.await_verdicts(step)
        (call,) = theatre.switches(table, "PROVISIONED")
        sent = call.members["ProvisionedThroughput"]
        assert sent["ReadCapacityUnits"] == 70, "as it was"
        assert CALM <= sent["WriteCapacityUnits"] < 100, "what it needs"
        units = theatre.physics.provisioned()
        assert units[f"{table}:write"] == sent["WriteCapacityUnits"], step
        of_index = [units[f"{table}/index/author:{d}"] for d in ("read", "write")]
        assert of_index == [70, 100], "as it was"
    assert theatre.refused() == []
