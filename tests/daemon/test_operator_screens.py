"""What an operator on call is shown: ``status`` and ``explain``, of a loop in virtual time."""

from __future__ import annotations

import copy
from collections.abc import AsyncIterator
from typing import Any

import pytest
from aiobotocore.session import AioSession

from capacity_pilot.cli.explain import draw_explanation
from capacity_pilot.cli.screen import Size
from capacity_pilot.cli.status import draw_status
from capacity_pilot.core.model import Dimension
from tests.daemon.api import ask, command, serve
from tests.daemon.stage import BY_DAY, FEED, Stage, policies, set_stage, table

READ, WRITE = Dimension.READ, Dimension.WRITE
WHO = {"by": "kim@laptop", "why": "incident 7"}
WHOLE = Size(200, None)
TERMINAL = Size(80, 23)


@pytest.fixture
async def stage(aws_session: AioSession) -> AsyncIterator[Stage]:
    """The table ``feed`` with an index, 100 units each way, asked for 60 writes a second."""
    async with set_stage(aws_session, table("feed", "by-day"), table("feed-2")) as opened:
        opened.demand = {(FEED, WRITE): 60.0, (BY_DAY, WRITE): 40.0}
        await opened.pass_seconds(60)
        yield opened


async def show_status(stage: Stage, size: Size = WHOLE) -> list[str]:
    async with serve(stage) as url:
        _, status = await ask("GET", f"{url}/status")
    return draw_status(status, size)


async def explain(stage: Stage, size: Size = WHOLE) -> list[str]:
    async with serve(stage) as url:
        _, told = await ask("GET", f"{url}/explain/feed")
    return draw_explanation(told, size, now=stage.now)


async def order(stage: Stage, place: str, **said: Any) -> str:
    async with serve(stage) as url:
        status, told = await ask("POST", f"{url}/{place}", WHO | said)
    assert status == 201, told
    return str(told["id"])


def about(lines: list[str], name: str) -> str:
    """The one line that begins with a target's name."""
    (line,) = (line for line in lines if line.startswith(f"{name} "))
    return line


def part(lines: list[str], target: str) -> list[str]:
    """What an explanation tells of one target."""
    first = next(n for n, line in enumerate(lines) if line.startswith(f"{target}: "))
    return lines[first : lines.index("", first)]


async def test_a_raise_that_a_freeze_holds_stands_first_with_what_holds_it(stage: Stage) -> None:
    number = await order(stage, "freezes", tables=["fe*"], direction="out", lasts="2h")
    stage.demand = {(FEED, WRITE): 60.0, (BY_DAY, WRITE): 400.0}
    await stage.pass_seconds(60)
    lines = await show_status(stage)
    assert lines[1] == (
        f"  frozen {number}: fe* not raised until 14:01:00Z (kim@laptop: incident 7)"
    )
    assert lines[4].startswith("feed/by-day:write ")
    assert "↑" in lines[4]
    assert lines[4].endswith(" held: operator freeze")

    told = await explain(stage)
    assert f"! not raised until 14:01:00Z: frozen {number} by kim@laptop: incident 7" in told
    held = part(told, "feed/index/by-day:write")
    assert held[0] == "feed/index/by-day:write: stay at 100"
    assert "  why        forecast demand will not fit provisioned capacity" in held
    assert "  held       an operator has frozen it (until 14:01:00Z)" in held


async def test_a_change_is_told_with_what_came_of_it(stage: Stage) -> None:
    number = await order(stage, "overrides", table="feed", write=700, lasts="10m")
    await stage.pass_seconds(1)
    assert "  12:01:01Z  feed:write 100 → 700: requested; overridden" in [
        line.replace("beyond warm, ", "") for line in await explain(stage)
    ]
    await stage.pass_seconds(15)
    lines = await show_status(stage)
    assert f"  override {number}: feed at write 700 until 12:11:00Z (kim@laptop: incident 7)" in (
        lines
    )
    line = about(lines, "feed:write")
    assert line.endswith("100→700, in force, 15 s ago")
    assert "overridden" in line
    assert "700" not in about(lines, "feed:read")
    told = await explain(stage)
    assert any("feed:write 100 → 700: in force after 10 s;" in line for line in told)
    assert "  why        an operator has set it, for a time" in part(told, "feed:write")


async def test_until_when_a_decrease_is_held_is_told(stage: Stage) -> None:
    await order(stage, "freezes")
    for units in (90, 80, 70, 60):
        async with serve(stage) as url:
            await ask(
                "POST", f"{url}/overrides", WHO | {"table": "feed", "read": units, "lasts": "6h"}
            )
        await stage.pass_seconds(60)
    async with serve(stage) as url:
        await ask("POST", f"{url}/overrides", WHO | {"table": "feed", "read": 20, "lasts": "6h"})
    await stage.pass_seconds(1)
    told = await explain(stage)
    assert "  decreases AWS allows of feed: none before 13:04:01Z" in told
    assert "  held       AWS allows no further decrease yet (until 13:04:01Z)" in part(
        told, "feed:read"
    )


async def test_what_a_policys_freeze_and_an_event_hold_is_told_with_their_ends(
    aws_session: AioSession,
) -> None:
    says = {
        "freeze": [{"from": "2026-10-09T12:00Z", "until": "2026-10-09T12:30Z"}],
        "events": [{"name": "sale", "at": "2026-10-09T12:01Z", "lasts": "20m"}],
    }
    policy_set = policies(scale_in={"stabilization": 1, "reserve_decreases": 0}, **says)
    async with set_stage(aws_session, table("feed"), policy_set=policy_set) as stage:
        stage.demand = {(FEED, WRITE): 20.0}
        await stage.pass_seconds(700)
        held = part(await explain(stage), "feed:write")
        assert any("an event of the policy is on" in h and "until 12:21:00Z" in h for h in held)
        await stage.pass_seconds(700)
        held = part(await explain(stage), "feed:write")
        assert "  held       the policy freezes capacity at this time (until 12:30:00Z)" in held


async def test_what_is_out_of_order_is_said_first(stage: Stage) -> None:
    stage.is_telling = False
    await stage.pass_seconds(40)
    async with serve(stage) as url:
        _, status = await ask("GET", f"{url}/status")
    lines = draw_status(status, WHOLE)
    assert lines[1] == "! no spans for 40 s: nothing is lowered until they come again"
    changed = copy.deepcopy(dict(status))
    changed |= {"state": "standby", "lease": {"holder": "pilot-b", "fault": None}}
    changed |= {"journal": {"fault": "disk full"}, "now": status["now"] + 60}
    lines = draw_status(changed, WHOLE)
    assert lines[1:6] == [
        "! the loop stands still: ticked 60.0 s ago",
        "! no spans for 40 s: nothing is lowered until they come again",
        "! hold: neither spans nor CloudWatch tell of it: held, idle or unheard (6 hold)",
        "! standby: pilot-b holds the lease",
        "! journal: disk full",
    ]


async def test_before_the_first_tick_there_is_something_to_show_as_well(
    aws_session: AioSession,
) -> None:
    async with set_stage(aws_session, table("feed")) as stage:
        lines = await show_status(stage)
        assert lines[1:3] == [
            "! the loop stands still: ticked never",
            "! no spans have come yet: nothing is known of demand",
        ]
        assert (await explain(stage))[0].startswith("feed: policy 'feeds', active, ACTIVE, read 0")


@pytest.mark.parametrize("size", [Size(80, 23), Size(60, 12), Size(120, 39), Size(200, 8)])
async def test_both_fit_the_terminal(aws_session: AioSession, size: Size) -> None:
    tables = (table(f"feed-{n:02}-with-a-name-as-long-as-some-are", "by-day") for n in range(20))
    async with set_stage(aws_session, table("feed", "by-day", "by-hour"), *tables) as stage:
        stage.demand = {(FEED, WRITE): 90.0, (BY_DAY, WRITE): 150.0}
        await order(stage, "freezes", direction="both")
        await stage.pass_seconds(120)
        status, told = await show_status(stage, size), await explain(stage, size)
    for lines in (status, told):
        assert len(lines) <= size.height if size.height else True
        assert max(map(len, lines)) <= size.width
    assert any(line.startswith("feed/by-day:write ") for line in status)
    assert status[-1].startswith("and ")
    assert any(line.startswith("feed/index/by-day:write: stay at 100") for line in told)


async def test_the_commands_ask_a_daemon(
    stage: Stage, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    async with serve(stage) as url:
        code, said = await command(monkeypatch, capsys, "status", "--url", url)
        assert code == 0
        assert said.splitlines()[0].endswith("active: 2 tables, ticked 0.0 s ago, spans 0.0 s ago")
        code, said = await command(monkeypatch, capsys, "explain", "feed", "--url", url)
        assert code == 0
        assert "feed:write: " in said
        assert await command(monkeypatch, capsys, "explain", "f/d", "--url", url) == (
            1,
            "capacity-pilot: refused: table 'f/d' is not managed\n",
        )


async def test_a_refusal_that_comes_again_is_one_line_with_its_number(stage: Stage) -> None:
    stage.witness.unsendable.add("feed")
    await order(stage, "overrides", table="feed", write=700, lasts="10m")
    await stage.pass_seconds(20)
    changes = (lines := await explain(stage))[lines.index("last changes") + 1 :]
    assert len(changes) == 1
    assert "feed:write 100 → 700: not sent, try " in changes[0]


async def test_of_a_target_nobody_heard_of_nothing_is_said_that_is_not_known(stage: Stage) -> None:
    assert part(await explain(stage), "feed:read") == [
        "feed:read: stay at 100",
        "  demand     unknown: no span has told of it",
        "  capacity   100, bounds 10 to 10,000; what it needs is unknown",
        "  heard      neither spans nor CloudWatch tell of it: held, idle or unheard",
        "  held       no span has told of this target yet",
    ]
    assert "unknown" not in "\n".join(part(await explain(stage), "feed:write"))
    brief = await explain(stage, Size(80, 16))
    assert "feed:read: stay at 100, nothing heard" in brief


async def test_what_is_wanted_and_held_is_read_in_full_on_a_narrow_screen(
    aws_session: AioSession,
) -> None:
    bounds = {"min": 50, "max": 500}
    policy_set = policies(write=bounds, on_demand_escape={"after": "60s"})
    tables = (table(f"feed-{n:02}") for n in range(20))
    async with set_stage(
        aws_session, table("feed", "by-day"), *tables, policy_set=policy_set
    ) as stage:
        stage.demand = {(FEED, WRITE): 80.0, (BY_DAY, WRITE): 80.0}
        await stage.pass_seconds(60)
        stage.demand = {(FEED, WRITE): 2500.0, (BY_DAY, WRITE): 2500.0}
        await stage.pass_seconds(10)
        status, told = await show_status(stage, TERMINAL), await explain(stage, TERMINAL)
        piped = await show_status(stage, Size(80, None))
    for lines in (status, told):
        assert len(lines) <= 23
        assert "…" not in "".join(lines)
    row = next(n for n, line in enumerate(status) if line.startswith("feed:write "))
    said = " ".join(line.strip() for line in status[row : row + 2])
    assert said.endswith(" held: ceiling, update in flight, switch waits")
    assert piped[row : row + 2] == status[row : row + 2]
    assert "             it needs more than provisioned capacity reaches: on-demand is to" in told
    assert "feed:read: stay at 100, nothing heard" in told
    assert told[-1] != "last changes"


async def test_only_what_asks_for_more_than_there_can_be_is_said_to(
    aws_session: AioSession,
) -> None:
    policy_set = policies(
        write={"min": 50, "max": 500}, on_demand_escape={"after": "10s", "return_after": "5m"}
    )
    async with set_stage(aws_session, table("feed", "by-day"), policy_set=policy_set) as stage:
        stage.demand = {(FEED, WRITE): 80.0, (BY_DAY, WRITE): 20.0}
        await stage.pass_seconds(20)
        heard = "  heard      more is heard again: believed once that has lasted 30 s"
        assert heard in part(await explain(stage), "feed:write")
        await stage.pass_seconds(20)
        stage.demand = {(FEED, WRITE): 2500.0, (BY_DAY, WRITE): 20.0}
        await stage.pass_seconds(8)
        told = await explain(stage)
        wanted = "it needs more than provisioned capacity reaches: on-demand is to meet it"
        assert f"             {wanted}" in part(told, "feed:write")
        for other in ("feed:read", "feed/index/by-day:read", "feed/index/by-day:write"):
            assert wanted not in "\n".join(part(told, other))
        await stage.until(lambda: stage.world.table("feed").is_on_demand, within=240)
        await stage.pass_seconds(5)
        told, status = await explain(stage), await show_status(stage)
    assert part(told, "feed:write")[0] == "feed:write: stay at on-demand"
    assert "  bucket     none while on-demand" in part(told, "feed:write")
    assert part(told, "feed:read")[0] == "feed:read: stay at on-demand"
    assert about(status, "feed:write").split()[3:5] == ["-", "-"]


async def test_orders_make_room_for_the_targets(stage: Stage) -> None:
    for number in range(12):
        await order(stage, "freezes", tables=["feed", f"feed-{number}*"], direction="in")
    await stage.pass_seconds(1)
    lines = await show_status(stage, TERMINAL)
    assert "lines more; --all shows them" in "\n".join(lines)
    assert any(line.startswith("feed:write ") for line in lines)
