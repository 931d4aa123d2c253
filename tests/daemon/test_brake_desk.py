"""Freezes and overrides over the daemon's API and command line, in virtual time."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from aiobotocore.session import AioSession
from structlog.testing import capture_logs

from capacity_pilot.adapters.journal.sqlite import SqliteJournal, open_sqlite_journal
from capacity_pilot.core.errors import JournalError
from capacity_pilot.core.model import Dimension
from capacity_pilot.core.record import RecordKind
from tests.daemon.api import ask, command, serve
from tests.daemon.stage import BY_DAY, FEED, Stage, policies, set_stage, table

WRITE = Dimension.WRITE
WHO = {"by": "kim@laptop", "why": "incident 7"}
SURGE = {(FEED, WRITE): 900.0}


@pytest.fixture
async def stage(aws_session: AioSession) -> AsyncIterator[Stage]:
    """The table ``feed`` with an index, 100 units each way, asked for 50 writes a second."""
    async with set_stage(aws_session, table("feed", "by-day")) as opened:
        opened.demand = {(FEED, WRITE): 50.0}
        await opened.pass_seconds(60)
        yield opened


async def test_a_freeze_holds_a_surge_and_its_end_lets_it_go(stage: Stage) -> None:
    with capture_logs() as events:
        async with serve(stage) as url:
            body = WHO | {"tables": ["fe*"], "direction": "out"}
            status, told = await ask("POST", f"{url}/freezes", body)
            assert (status, told["tables_now"], told["until"]) == (201, ["feed"], None)
            assert (told["by"], told["why"], told["warnings"]) == ("kim@laptop", "incident 7", [])
            stage.demand = SURGE
            await stage.pass_seconds(30)
            assert stage.provisioned(FEED) == (100, 100)
            _, report = await ask("GET", f"{url}/status")
            assert [f["id"] for f in report["freezes"]] == [told["id"]]

            status, ended = await ask("DELETE", f"{url}/freezes/{told['id']}", WHO)
            assert (status, ended["id"]) == (200, told["id"])
            await stage.pass_seconds(30)
            assert stage.provisioned(FEED)[1] > 900
            status, told = await ask("DELETE", f"{url}/freezes/{told['id']}", WHO)
            assert status == 404
            assert told["errors"] == [f"no freeze has the id '{ended['id']}'"]
    said = [event["event"] for event in events]
    assert said.index("frozen") < said.index("released") < said.index("decision")


async def test_an_override_is_set_and_ends_by_itself(stage: Stage) -> None:
    with capture_logs() as events:
        async with serve(stage) as url:
            body = WHO | {"table": "feed", "index": "by-day", "write": 700, "lasts": "2m"}
            status, told = await ask("POST", f"{url}/overrides", body)
            assert (status, told["warnings"], told["ends_in_s"]) == (201, [], 120)
            await stage.pass_seconds(20)
            assert stage.provisioned(BY_DAY) == (100, 700)
            assert stage.provisioned(FEED) == (100, 100)
            await stage.pass_seconds(100)
            assert (await ask("GET", f"{url}/overrides"))[1] == {"overrides": []}
    (released,) = [event for event in events if event["event"] == "released"]
    assert (released["by"], released["why"]) == ("capacity-pilot", "it is over")


async def test_an_override_said_again_takes_the_firsts_place(stage: Stage) -> None:
    async with serve(stage) as url:
        body = WHO | {"table": "feed", "write": 700, "lasts": "2m"}
        assert (await ask("POST", f"{url}/overrides", body))[0] == 201
        status, told = await ask("POST", f"{url}/overrides", body | {"write": 300})
        assert status == 200
        _, listed = await ask("GET", f"{url}/overrides")
        assert [(o["id"], o["write"]) for o in listed["overrides"]] == [(told["id"], 300)]
        status, ended = await ask("DELETE", f"{url}/overrides/{told['id']}", WHO)
        assert (status, ended["write"]) == (200, 300)
        await stage.pass_seconds(30)
        assert stage.provisioned(FEED) == (100, 100)


async def test_an_override_below_demand_is_carried_out_and_warned_of(stage: Stage) -> None:
    async with serve(stage) as url:
        body = WHO | {"table": "feed", "write": 30, "lasts": "10m"}
        _, told = await ask("POST", f"{url}/overrides", body)
        assert told["warnings"] == [
            (
                "write: 30 is below the present demand of 50 units/s: requests will be throttled "
                "once the burst bucket is empty"
            ),
            "a decrease of feed: AWS then allows 3 more today at any time",
        ]
        await stage.pass_seconds(20)
        assert stage.provisioned(FEED) == (100, 30)


async def test_a_lowering_that_aws_does_not_allow_yet_is_told_when_it_will_be(
    stage: Stage,
) -> None:
    async with serve(stage) as url:
        await ask("POST", f"{url}/freezes", WHO)  # so that the pilot itself spends no decrease
        body = WHO | {"table": "feed", "lasts": "6h"}
        for units in (90, 80, 70, 60):
            await ask("POST", f"{url}/overrides", body | {"read": units})
            await stage.pass_seconds(60)
        assert stage.provisioned(FEED)[0] == 60
        _, told = await ask("POST", f"{url}/overrides", body | {"read": 20})
        assert told["warnings"] == [
            (
                "AWS allows the next decrease of feed at 2026-10-09T13:04:01Z: until then it stays "
                "as it is"
            )
        ]
        await stage.pass_seconds(3600)
        assert stage.provisioned(FEED)[0] == 20


BAD_OVERRIDES = {
    "no such table": (
        {"table": "fed"},
        "table: 'fed' is not managed; there is feed",
    ),
    "no such index": (
        {"index": "by-night"},
        "index: feed has none named 'by-night'; it has by-day",
    ),
    "too much": (
        {"write": 10_001},
        "write: 10001 is above max 10000 of policy 'feeds'; beyond_bounds allows it",
    ),
    "too little": (
        {"write": 9},
        "write: 9 is below min 10 of policy 'feeds'; beyond_bounds allows it",
    ),
    "more than AWS allows": (
        {"write": 40_001, "beyond_bounds": True},
        "write: 40001 is above 40000, the account's limit for a table or an index",
    ),
    "no units": ({"write": None}, "to what? name read or write"),
    "for ever": ({"lasts": None}, "lasts: Input should be a valid number (got 'None')"),
    "nobody": ({"by": ""}, "by: String should have at least 1 character (got '')"),
    "misspelt": ({"writes": 3}, "writes: Extra inputs are not permitted (got '3')"),
}


@pytest.mark.parametrize(("change", "message"), BAD_OVERRIDES.values(), ids=BAD_OVERRIDES.keys())
async def test_an_override_that_cannot_be_is_told_why(
    stage: Stage, change: dict[str, object], message: str
) -> None:
    async with serve(stage) as url:
        body = WHO | {"table": "feed", "write": 300, "lasts": "2m"} | change
        status, told = await ask("POST", f"{url}/overrides", body)
        assert (status, told["errors"][0]) == (400, message)
        assert (await ask("GET", f"{url}/overrides"))[1] == {"overrides": []}


async def test_a_dimension_without_bounds_is_not_overridden(aws_session: AioSession) -> None:
    async with (
        set_stage(aws_session, table("feed"), policy_set=policies(read=None)) as stage,
        serve(stage) as url,
    ):
        body = WHO | {"table": "feed", "read": 20, "lasts": "2m", "beyond_bounds": True}
        status, told = await ask("POST", f"{url}/overrides", body)
        assert (status, told["errors"]) == (
            400,
            ["read: policy 'feeds' gives no bounds for it, so it is not managed"],
        )


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"tables": ["feet*"]}, "tables: fits none of the 1 tables managed; nothing would be"),
        ({"tables": []}, "tables: List should have at least 1 item"),
        ({"direction": "up"}, "direction: Input should be 'in', 'out' or 'both' (got 'up')"),
        ({"lasts": "0s"}, "lasts: Input should be greater than 0 (got '0s')"),
        ({"why": None}, "why: Input should be a valid string (got 'None')"),
    ],
)
async def test_a_freeze_that_cannot_be_is_told_why(
    stage: Stage, change: dict[str, object], message: str
) -> None:
    async with serve(stage) as url:
        status, told = await ask("POST", f"{url}/freezes", WHO | change)
        assert status == 400
        assert told["errors"][0].startswith(message)


async def test_who_ends_something_says_who_and_why(stage: Stage) -> None:
    async with serve(stage) as url:
        _, freeze = await ask("POST", f"{url}/freezes", WHO)
        place = f"{url}/freezes/{freeze['id']}"
        assert (await ask("DELETE", place))[0] == 415
        status, told = await ask("DELETE", place, {"by": "kim"})
        assert (status, told["errors"]) == (400, ["why: Field required"])
        assert len((await ask("GET", f"{url}/freezes"))[1]["freezes"]) == 1


async def test_what_is_in_force_outlives_the_process_and_what_happened_is_recorded(
    aws_session: AioSession, tmp_path: Path
) -> None:
    async with open_sqlite_journal(tmp_path / "journal") as journal:
        async with (
            set_stage(aws_session, table("feed"), journal=journal) as stage,
            serve(stage) as url,
        ):
            began = stage.now
            await ask("POST", f"{url}/freezes", WHO | {"lasts": "5m"})
            stage.clock.pass_seconds(1)
            body = WHO | {"table": "feed", "write": 700, "lasts": "2m"}
            _, override = await ask("POST", f"{url}/overrides", body)
            stage.clock.pass_seconds(1)
            _, told = await ask("POST", f"{url}/freezes", WHO | {"direction": "in"})
            stage.clock.pass_seconds(1)
            await ask("DELETE", f"{url}/freezes/{told['id']}", {"by": "lee", "why": "over"})
            await stage.book.flush(within_s=10)
        async with set_stage(aws_session, table("feed"), journal=journal) as stage:
            await stage.brakes.restore()
            assert [o["id"] for o in stage.brakes.show_overrides()] == [override["id"]]
            await stage.pass_seconds(20)
            assert stage.provisioned(FEED) == (100, 700)
            await stage.pass_seconds(300)
            assert stage.brakes.report() == {"freezes": [], "overrides": []}
            await stage.book.flush(within_s=10)
        kinds = (RecordKind.FROZEN, RecordKind.OVERRIDDEN, RecordKind.RELEASED)
        records = [r for r in await journal.read(since=began) if r.kind in kinds]
        assert [(r.kind, r.table, r.body["by"]) for r in records] == [
            (RecordKind.FROZEN, "", "kim@laptop"),
            (RecordKind.OVERRIDDEN, "feed", "kim@laptop"),
            (RecordKind.FROZEN, "", "kim@laptop"),
            (RecordKind.RELEASED, "", "lee"),
            (RecordKind.RELEASED, "feed", "capacity-pilot"),
            (RecordKind.RELEASED, "", "capacity-pilot"),
        ]
        assert records[1].body["what"]["write"] == 700


async def test_a_brake_works_where_nothing_can_be_written_down_and_says_so(
    aws_session: AioSession, tmp_path: Path
) -> None:
    journal = SqliteJournal(tmp_path / "no such folder" / "journal")
    async with set_stage(aws_session, table("feed"), journal=journal) as stage:
        async with serve(stage) as url:
            body = WHO | {"table": "feed", "write": 700, "lasts": "2m"}
            status, told = await ask("POST", f"{url}/overrides", body)
            assert status == 201
            assert told["warnings"][0].startswith("done, but not kept, so that a restart undoes")
        await stage.pass_seconds(20)
        assert stage.provisioned(FEED) == (100, 700)
    await journal.close()


async def test_where_what_was_kept_is_damaged_nothing_is_lowered_until_somebody_says_so(
    aws_session: AioSession, tmp_path: Path
) -> None:
    async with (
        open_sqlite_journal(tmp_path / "journal") as journal,
        set_stage(aws_session, table("feed"), journal=journal) as stage,
        serve(stage) as url,
    ):
        await journal.save("brakes", b'{"freezes": 3}')
        await stage.brakes.restore()
        stage.demand = {(FEED, WRITE): 20.0}
        await stage.pass_seconds(300)
        assert stage.provisioned(FEED) == (100, 100)
        (freeze,) = stage.brakes.show_freezes()
        assert (freeze["direction"], freeze["by"]) == ("in", "capacity-pilot")
        assert freeze["why"] == "the freezes and overrides kept are damaged"
        assert (await ask("DELETE", f"{url}/freezes/{freeze['id']}", WHO))[0] == 200
        await stage.until(lambda: stage.provisioned(FEED)[1] < 100, within=30)
        await stage.brakes.restore()
        assert stage.brakes.show_freezes() == []


async def test_brakes_that_can_be_read_later_are_taken_up_with_those_ordered_meanwhile(
    aws_session: AioSession, tmp_path: Path
) -> None:
    away, path = tmp_path / "away", tmp_path / "disk"
    path.mkdir()
    async with (
        open_sqlite_journal(path / "journal") as kept,
        set_stage(aws_session, table("feed"), journal=kept) as stage,
        serve(stage) as url,
    ):
        _, told = await ask("POST", f"{url}/freezes", WHO)
    path.rename(away)
    journal = SqliteJournal(path / "journal")
    async with set_stage(aws_session, table("feed"), journal=journal) as stage:
        with pytest.raises(JournalError):
            await stage.brakes.restore()
        async with serve(stage) as url:
            body = WHO | {"table": "feed", "read": 200, "lasts": "1h"}
            _, since = await ask("POST", f"{url}/overrides", body)
        assert since["warnings"][-1] == (
            "done, but not kept yet: what was kept before could not be read"
        )
        away.rename(path)
        for _ in range(2):  # what was read together is kept together
            await stage.brakes.restore()
            assert [f["id"] for f in stage.brakes.show_freezes()] == [told["id"]]
            assert [o["id"] for o in stage.brakes.show_overrides()] == [since["id"]]
    await journal.close()


async def test_a_pilot_on_standby_takes_no_orders(stage: Stage) -> None:
    stage.is_active = False
    async with serve(stage) as url:
        for place in ("freezes", "overrides", "freezes/f1"):
            body = WHO | ({"table": "feed", "read": 9, "lasts": "1m"} if "ov" in place else {})
            method = "DELETE" if "/" in place else "POST"
            status, told = await ask(method, f"{url}/{place}", body)
            assert status == 503
            assert told["errors"] == [
                "this pilot is on standby: order it of the one with the lease"
            ]


async def test_in_shadow_it_is_said_that_nothing_is_changed(aws_session: AioSession) -> None:
    async with (
        set_stage(aws_session, table("feed"), is_shadow=True) as stage,
        serve(stage) as url,
    ):
        body = WHO | {"table": "feed", "write": 700, "lasts": "2m"}
        _, told = await ask("POST", f"{url}/overrides", body)
        assert told["warnings"] == ["this process runs in shadow: nothing is changed"]


async def test_the_commands_freeze_override_and_resume(
    stage: Stage, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    async with serve(stage) as url:

        async def run(*arguments: str) -> tuple[int, str]:
            options = ("--url", url, "--by", "kim", "--why", "incident 7")
            return await command(monkeypatch, capsys, *arguments, *options)

        assert await run("resume") == (0, "nothing is frozen\n")
        code, said = await run("freeze", "[f]eed", "o*", "--direction", "in", "--for", "2h")
        frozen = said.split()[1].rstrip(",")
        assert (code, said) == (
            0,
            f"frozen: {frozen}, not lowered until 2026-10-09T14:01:00Z: feed\n",
        )
        code, said = await run("override", "feed", "--read", "80", "--for", "10m")
        overridden = said.split()[1].rstrip(",")
        assert (code, said) == (
            0,
            (
                f"overridden: {overridden}, feed at read 80 until 2026-10-09T12:11:00Z\n"
                "warning: a decrease of feed: AWS then allows 3 more today at any time\n"
            ),
        )
        assert await run("resume", "feed?") == (
            1,
            (
                "capacity-pilot: 'feed?' is neither frozen nor overridden; there is "
                f"[f]eed, {frozen}, feed, o*, {overridden}\n"
            ),
        )
        ended = f"resumed: {frozen}, [f]eed, o*, frozen by kim: incident 7\n"
        still = f"still overridden: {overridden}; name one to end it\n"
        assert await run("resume") == (0, ended + still)
        assert await run("resume", "feed") == (
            0,
            f"resumed: {overridden}, feed at read 80, overridden by kim: incident 7\n",
        )


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("override", "feed", "--for", "1m", "--why", "x"), "to what? give --read or --write"),
        (
            ("override", "feed", "--for", "1m", "--why", "x", "--write", "many"),
            (
                "write: Input should be a valid integer, unable to parse string as an integer (got "
                "'many')"
            ),
        ),
        (
            ("freeze", "--why", "x", "--direction", "up"),
            "direction: Input should be 'in', 'out' or 'both' (got 'up')",
        ),
    ],
)
async def test_a_command_that_makes_no_sense_is_told_in_one_line(
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    arguments: tuple[str, ...],
    message: str,
) -> None:
    assert await command(monkeypatch, capsys, *arguments) == (2, f"capacity-pilot: {message}\n")
