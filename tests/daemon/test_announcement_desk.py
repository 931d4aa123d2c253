"""Announcements over the daemon's API: from the POST to capacity in force, in virtual time."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from aiobotocore.session import AioSession
from structlog.testing import capture_logs

from capacity_pilot.adapters.journal.sqlite import open_sqlite_journal
from capacity_pilot.core.model import Dimension
from tests.daemon.api import ask, command, serve
from tests.daemon.stage import BY_DAY, FEED, Stage, policies, set_stage, table

WRITE = Dimension.WRITE
PUSH = {"name": "push", "policy": "feeds", "lasts": "2m", "audience": 1000}


@pytest.fixture
async def stage(aws_session: AioSession) -> AsyncIterator[Stage]:
    """The table ``feed`` with an index, 100 units each way."""
    async with set_stage(aws_session, table("feed", "by-day")) as opened:
        yield opened


def moment(stage: Stage, in_s: float) -> str:
    return (datetime.fromtimestamp(stage.now, UTC) + timedelta(seconds=in_s)).isoformat()


async def test_what_is_announced_is_in_force_in_time_and_goes_again(stage: Stage) -> None:
    stage.demand = {(FEED, WRITE): 50.0}
    with capture_logs() as events:
        async with serve(stage) as url:
            await stage.pass_seconds(60)
            body = PUSH | {"at": moment(stage, 120), "write": {"at_least": 900}}
            status, told = await ask("POST", f"{url}/announcements", body)
            assert (status, told["state"], told["tables_now"]) == (201, "coming", ["feed"])
            await stage.pass_seconds(60)
            assert stage.provisioned(FEED) == stage.provisioned(BY_DAY) == (100, 100)
            await stage.pass_seconds(60)
            assert stage.provisioned(FEED) == stage.provisioned(BY_DAY) == (100, 900)

            _, report = await ask("GET", f"{url}/status")
            assert [a["state"] for a in report["announcements"]] == ["on"]
            await stage.pass_seconds(130)
            _, report = await ask("GET", f"{url}/status")
            assert report["announcements"] == []
            gains = {gain["target"]: gain for gain in report["gains"]}
            assert gains["feed:write"]["learned_from"] == 1
            assert gains["feed:write"]["per"] == "recipient"
    await stage.until(lambda: stage.provisioned(FEED)[1] < 100, within=1200)
    named = [event["event"] for event in events if event["event"] in ("announced", "decision")]
    assert named[:2] == ["announced", "decision"]
    (decision, *_) = [event for event in events if event["event"] == "decision"]
    assert {"rising_demand", "announced", "first_time"} <= set(decision["reasons"])
    assert decision["targets"][1]["foreseen"] == 900


async def test_a_second_announcement_takes_the_firsts_place_and_can_be_called_off(
    stage: Stage,
) -> None:
    async with serve(stage) as url:
        place = f"{url}/announcements"
        body = PUSH | {"at": moment(stage, 120)}
        status, first = await ask("POST", place, body)
        again, second = await ask("POST", place, body | {"audience": 5000})
        assert (status, again) == (201, 200)
        assert first["id"] == second["id"]
        _, listed = await ask("GET", place)
        assert [a["audience"] for a in listed["announcements"]] == [5000]

        status, cancelled = await ask("DELETE", f"{place}/{first['id']}")
        assert (status, cancelled["audience"]) == (200, 5000)
        assert (await ask("GET", place))[1] == {"announcements": []}
        status, told = await ask("DELETE", f"{place}/{first['id']}")
        assert status == 404
        assert told["errors"] == [f"no announcement has the id '{first['id']}'"]


async def test_status_tells_of_each_event_what_is_on_and_what_comes_next(
    aws_session: AioSession,
) -> None:
    """It is noon; every ten minutes something lasts five, and at one there is something else."""
    events = [
        {"name": "often", "cron": "*/10 * * * *", "lasts": "5m"},
        {"name": "once", "at": "2026-10-09T13:00Z"},
    ]
    async with set_stage(aws_session, table("feed"), policy_set=policies(events=events)) as stage:
        told = stage.desk.report()["events"]
    assert isinstance(told, list)
    assert [(e["name"], e["state"], e["starts_in_s"], e["ends_in_s"]) for e in told] == [
        ("often", "on", 0, 300),
        ("often", "coming", 600, 900),
        ("once", "coming", 3600, 5400),
    ]


BAD = {
    "no tables": ({"policy": None}, "for which tables? name either policy or tables"),
    "no policy": ({"policy": "fed"}, "policy: none is named 'fed'; there is feeds"),
    "nothing comes": ({"audience": None}, "what comes? name audience, read, write or indexes"),
    "no zone": (
        {"at": "2026-10-09T13:00"},
        "at: Input should have timezone info (got '2026-10-09T13:00')",
    ),
    "over": ({"at": "2026-10-09T11:00Z"}, "at: 2026-10-09T11:00:00+00:00 is over by now"),
    "nobody": (
        {"audience": 0},
        "audience: Input should be greater than or equal to 1 (got '0')",
    ),
    "no length": (
        {"lasts": "2 days"},
        "lasts: '2 days' is not a duration such as 90s, 10m, 2h or 7d (got '2 days')",
    ),
    "no load": (
        {"write": {}},
        "write: says no load: name at_least, multiplier or per_recipient",
    ),
    "misspelt": (
        {"write": {"atleast": 3}},
        "write.atleast: Extra inputs are not permitted (got '3')",
    ),
}


@pytest.mark.parametrize(("change", "message"), BAD.values(), ids=BAD.keys())
async def test_what_cannot_be_announced_is_told_why(
    stage: Stage, change: dict[str, object], message: str
) -> None:
    async with serve(stage) as url:
        body = PUSH | {"at": "2026-10-09T13:00Z"} | change
        status, told = await ask("POST", f"{url}/announcements", body)
        assert (status, told["errors"][0]) == (400, message)
        assert (await ask("GET", f"{url}/announcements"))[1] == {"announcements": []}


async def test_what_is_no_announcement_at_all_is_refused(stage: Stage) -> None:
    async with serve(stage) as url:
        place = f"{url}/announcements"
        json = {"Content-Type": "application/json"}
        status, told = await ask("POST", place, data=b'{"name": ', headers=json)
        assert status == 400
        assert told["errors"][0].startswith("Invalid JSON")
        status, told = await ask("POST", place, data=b" " * 70_000, headers=json)
        assert status == 413
        status, told = await ask("POST", place, data=b"name=push")
        assert status == 415
        assert told["errors"] == [
            "Content-Type is 'application/octet-stream'; send application/json"
        ]


async def test_the_command_announces_lists_and_calls_off(
    stage: Stage, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    at = moment(stage, 3600)
    async with serve(stage) as url:

        async def run(*arguments: str) -> tuple[int, str]:
            return await command(monkeypatch, capsys, "announce", "--url", url, *arguments)

        assert await run("--list") == (0, "nothing is announced\n")
        code, said = await run(
            *("--name", "push", "--at", at, "--table", "feed*", "or[d]ers", "--audience", "200000"),
            *("--write-at-least", "900", "--write-multiplier", "8x"),
            *("--by", "kim", "--why", "notice 12"),
        )
        assert code == 0
        number = said.split()[1]
        line = (
            f"announced: {number} 'push' at 2026-10-09T13:00:00Z, coming, 200,000 recipients, "
            "write at_least 900, write multiplier 8, by kim: notice 12, for feed\n"
        )
        assert said == line
        assert await run("--list") == (0, line)
        assert await run("--cancel", number) == (0, line.replace("announced", "called off"))
        assert await run("--cancel", number) == (
            1,
            f"capacity-pilot: refused: no announcement has the id '{number}'\n",
        )
        code, said = await run("--name", "push", "--at", at, "--policy", "fed", "--audience", "1")
        assert (code, said) == (
            1,
            "capacity-pilot: refused: policy: none is named 'fed'; there is feeds\n",
        )


@pytest.mark.parametrize(
    ("arguments", "code", "message"),
    [
        ((), 2, "give --name and --at, or --list, or --cancel ID"),
        (("--list", "--cancel", "1"), 2, "give --name and --at, or --list, or --cancel ID"),
        (("--name", "push"), 2, "an announcement needs both --name and --at"),
        (
            ("--name", "push", "--at", "+10"),
            1,
            "at: '10' is not a duration such as 90s, 10m, 2h or 7d",
        ),
        (("--list", "--url", "nowhere"), 1, "nowhere/announcements is not where a daemon answers"),
    ],
)
async def test_a_command_that_makes_no_sense_is_told_in_one_line(
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    *,
    arguments: tuple[str, ...],
    code: int,
    message: str,
) -> None:
    ended, said = await command(monkeypatch, capsys, "announce", *arguments)
    assert ended == code
    assert said.startswith(f"capacity-pilot: {message}")
    assert said.count("\n") == 1


async def test_a_daemon_that_is_not_there_is_told(
    stage: Stage, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    async with serve(stage) as url:
        pass
    code, said = await command(monkeypatch, capsys, "announce", "--list", "--url", url)
    assert code == 1
    assert said.startswith(f"capacity-pilot: {url}/announcements: no answer")


async def test_who_announced_and_who_called_it_off_and_why_is_in_the_journal(
    aws_session: AioSession, tmp_path: Path
) -> None:
    async with AsyncExitStack() as stack:
        journal = await stack.enter_async_context(open_sqlite_journal(tmp_path / "journal.db"))
        stage = await stack.enter_async_context(
            set_stage(aws_session, table("feed"), journal=journal)
        )
        place = f"{await stack.enter_async_context(serve(stage))}/announcements"
        body = PUSH | {"at": moment(stage, 600), "write": {"at_least": 900}}
        signed = body | {"by": "kim@school", "why": "notice 12"}
        _, told = await ask("POST", place, signed)
        assert (told["by"], told["why"]) == ("kim@school", "notice 12")
        _, unsigned = await ask("POST", place, body | {"name": "other"})
        assert unsigned["by"] == "somebody at 127.0.0.1"
        await ask("DELETE", f"{place}/{told['id']}", {"by": "lee", "why": "rain"})
        await ask("DELETE", f"{place}/{unsigned['id']}")
        status, refused = await ask("DELETE", f"{place}/{told['id']}", {"by": "two\nlines"})
        assert status == 400
        assert "by: is not one line of printable text" in refused["errors"][0]
        await stage.book.flush(within_s=5.0)
        records = await journal.read(since=0.0)
    signs = [(r.kind.value, r.body["by"], r.body["why"]) for r in records if "by" in r.body]
    assert signs == [
        ("announced", "kim@school", "notice 12"),
        ("announced", "somebody at 127.0.0.1", None),
        ("cancelled", "lee", "rain"),
        ("cancelled", "somebody at 127.0.0.1", None),
    ]
