"""Policies edited while the daemon runs: what changes, when, and what stays as it was."""

from __future__ import annotations

import asyncio
import json
import threading
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from aiobotocore.session import AioSession
from structlog.testing import capture_logs

from capacity_pilot.adapters.calendar import PolicyCalendar
from capacity_pilot.adapters.journal.sqlite import open_sqlite_journal
from capacity_pilot.adapters.policy_source import parse_policies
from capacity_pilot.adapters.policy_sources.folder import LocalPolicies
from capacity_pilot.adapters.policy_sources.texts import FixedText
from capacity_pilot.cli.screen import Size
from capacity_pilot.cli.status import draw_status
from capacity_pilot.core.errors import PolicyError, SourceError
from capacity_pilot.core.events.declared import Announcement
from capacity_pilot.core.model import Dimension, Direction, ScalableTarget
from capacity_pilot.core.policy import PolicySet
from capacity_pilot.core.ports import Journal
from capacity_pilot.core.record import RecordKind
from capacity_pilot.core.spread import choose_fleet, spread
from capacity_pilot.daemon.policy_keeping import Followers, PolicyKeeper
from capacity_pilot.daemon.policy_versions import PolicyReader, PolicyVersion, read_first
from capacity_pilot.web.metrics import render_metrics
from tests.daemon.stage import APPLY_TIME_S, FEED, NOON, Stage, registered, set_stage, table

READS = ScalableTarget(FEED, Dimension.READ)
WRITES = ScalableTarget(FEED, Dimension.WRITE)


def written(*more: str, name: str = "feeds", most: int = 10_000, tables: str = "feed*") -> str:
    """One policy; ``more`` are further lines of it."""
    lines = [
        "version: 1",
        "policies:",
        f"  - name: {name}",
        f'    match: {{tables: ["{tables}"]}}',
        f"    read: {{min: 10, max: {most}}}",
        f"    write: {{min: 10, max: {most}}}",
        "    scale_in: {stabilization: 60, reserve_decreases: 0}",
        *(f"    {line}" for line in more),
    ]
    return "\n".join(lines) + "\n"


@dataclass
class Office:
    """A stage whose policies are in a file."""

    stage: Stage
    keeper: PolicyKeeper
    file: Path
    changes: list[float]

    async def edit(self, text: str) -> dict[str, object]:
        self.file.write_text(text)
        told = await self.keeper.reload("a test")
        # As the daemon does, beside the loop.
        self.stage.scaling.recheck(await self.stage.loop.catch_up())
        await self.stage.scaling.look()
        return told

    async def until_calm(self) -> None:
        await self.stage.until(lambda: not self.stage.loop.pilot.changing, within=60)


@asynccontextmanager
async def open_office(
    session: AioSession, folder: Path, text: str, *, journal: Journal | None = None, **more: object
) -> AsyncIterator[Office]:
    file = folder / "policy.yaml"
    file.write_text(text)
    source, reader = LocalPolicies(file), PolicyReader(lambda _: None)
    version = await read_first(source, reader, journal=journal, now=NOON)
    specs = [table("feed"), table("other")]
    async with set_stage(
        session,
        *specs,
        policy_set=version.policies,
        journal=journal,
        **more,  # type: ignore[arg-type]
    ) as stage:
        changes: list[float] = []
        followers = Followers(
            loop=stage.loop,
            agenda=stage.agenda,
            after_change=lambda: changes.append(stage.now),
            is_active=lambda: stage.is_active,
        )
        keeper = PolicyKeeper(
            version,
            source=source,
            reader=reader,
            followers=followers,
            book=stage.book,
            clock=stage.clock,
        )
        yield Office(stage, keeper, file, changes)


async def test_other_bounds_hold_from_the_next_tick_on(
    aws_session: AioSession, tmp_path: Path
) -> None:
    async with open_office(aws_session, tmp_path, written(most=300)) as office:
        stage = office.stage
        stage.demand = {(FEED, Dimension.WRITE): 900.0, (FEED, Dimension.READ): 50.0}
        await stage.until(lambda: stage.provisioned(FEED)[1] == 300, within=60)
        await office.until_calm()
        told = await office.edit(written(most=2000))
        assert told["is_changed"] is True
        assert told["hash"] == office.keeper.version.hash
        await stage.pass_seconds(2)
        (plan,) = [p for p in stage.witness.actuated if p.decided_at > office.changes[0]]
        assert plan.decided_at == office.changes[0] + 1
        assert 900 < plan.changes[0].write <= 2000


async def test_what_was_learned_survives(aws_session: AioSession, tmp_path: Path) -> None:
    async with open_office(aws_session, tmp_path, written()) as office:
        stage, pilot = office.stage, office.stage.loop.pilot
        stage.demand = {(FEED, Dimension.WRITE): 300.0, (FEED, Dimension.READ): 50.0}
        await stage.until(lambda: stage.provisioned(FEED)[1] > 300, within=60)
        await office.until_calm()
        await stage.pass_seconds(60)
        before, apply_times = pilot.state, pilot.apply_time_s.copy()
        changed_at = pilot.deeds.last("feed")
        # Another table comes with it, so that every array grows.
        await office.edit(written(most=5000, tables="*"))
        fleet = pilot.fit(stage.now)
        feed = [slot for d in Dimension if (slot := fleet.slot(FEED, d)) is not None]
        assert len(fleet) == 4
        np.testing.assert_array_equal(pilot.apply_time_s[feed], apply_times)
        np.testing.assert_array_equal(pilot.state.demand.units[:, feed], before.demand.units)
        np.testing.assert_array_equal(pilot.state.burst.units[feed], before.burst.units)
        assert before.burst.units.min() > 0
        assert pilot.deeds.last("feed") is changed_at
        assert pilot.bounds.ceiling.tolist() == [5000.0] * 4


async def test_a_table_that_is_named_no_more_is_left_as_it_is(
    aws_session: AioSession, tmp_path: Path
) -> None:
    async with open_office(aws_session, tmp_path, written(tables="*")) as office:
        stage = office.stage
        stage.demand = {(FEED, Dimension.WRITE): 900.0}
        await office.edit(written(tables="other"))
        asked = len(stage.witness.described_at["feed"])
        await stage.pass_seconds(60)
        assert sorted(stage.loop.pilot.descriptions) == ["other"]
        assert stage.provisioned(FEED) == (100, 100)
        assert len(stage.witness.described_at["feed"]) == asked


async def test_a_mistake_leaves_all_as_it_was_and_is_told(
    aws_session: AioSession, tmp_path: Path
) -> None:
    async with open_office(aws_session, tmp_path, written(most=300)) as office:
        good, pilot = office.keeper.version, office.stage.loop.pilot
        with capture_logs() as logs, pytest.raises(PolicyError, match="min 10 is above max 3"):
            await office.edit(written(most=3))
        with pytest.raises(PolicyError):
            await office.keeper.reload("again")
        assert office.keeper.version is good
        assert pilot.policies is good.policies
        (told,) = [log for log in logs if log["event"] == "policies_refused"]
        assert (told["log_level"], told["kept"]) == ("error", good.hash)
        report = office.keeper.report()
        assert str(report["fault"]).startswith(f"{office.file}:5:11: policies.0.read: min 10")
        assert report["hash"] == good.hash
        assert "capacity_pilot_policy_is_outdated{} 1.0" in render_metrics(office.keeper.measure())
        screen = draw_status(
            {
                "version": "1",
                "mode": "active",
                "now": 0.0,
                "last_tick_at": 0.0,
                "telemetry": {"last_received_s_ago": 0.0},
                "targets": [],
                "policies": report,
            },
            Size(width=200, height=None),
        )
        assert any("policies: those of" in line and "min 10 is above" in line for line in screen)
        # Corrected, it is in force, and nothing is said to be wrong any more.
        await office.edit(written(most=400))
        assert office.keeper.fault is None
        assert "capacity_pilot_policy_is_outdated{} 0.0" in render_metrics(office.keeper.measure())


async def test_what_was_a_mistake_may_also_be_taken_back(
    aws_session: AioSession, tmp_path: Path
) -> None:
    async with open_office(aws_session, tmp_path, written()) as office:
        with pytest.raises(PolicyError):
            await office.edit("version: 2\n")
        told = await office.edit(written())
        assert (told["is_changed"], told["fault"], office.changes) == (False, None, [])


async def test_a_file_that_is_gone_is_no_empty_policy(
    aws_session: AioSession, tmp_path: Path
) -> None:
    async with open_office(aws_session, tmp_path, written()) as office:
        office.file.unlink()
        with pytest.raises(SourceError, match="No such file"):
            await office.keeper.reload("a test")
        assert sorted(office.stage.loop.pilot.descriptions) == ["feed"]


async def test_policies_are_parsed_and_checked_beside_the_loop(
    aws_session: AioSession, tmp_path: Path
) -> None:
    threads: list[threading.Thread] = []
    async with open_office(aws_session, tmp_path, written()) as office:
        reader = PolicyReader(lambda _: threads.append(threading.current_thread()))
        office.keeper._reader = reader
        await office.edit(written(most=77))
    assert threads
    assert threading.main_thread() not in threads


def writes_registered(stage: Stage) -> Any:
    """What Application Auto Scaling has of the table's writes."""
    found = stage.server.scaling.list_targets({"ServiceNamespace": "dynamodb"}, stage.now)
    (target,) = (
        t
        for t in found["ScalableTargets"]
        if t["ScalableDimension"] == "dynamodb:table:WriteCapacityUnits"
    )
    return target


async def test_leaving_floor_mode_puts_back_the_minimum_that_was_there(
    aws_session: AioSession, tmp_path: Path
) -> None:
    async with (
        open_sqlite_journal(tmp_path / "journal.db") as journal,
        open_office(
            aws_session,
            tmp_path,
            written("mode: floor"),
            journal=journal,
            registered=[registered(READS), registered(WRITES)],
        ) as office,
    ):
        stage = office.stage

        def minimum() -> object:
            return writes_registered(stage)["MinCapacity"]

        stage.demand = {(FEED, Dimension.WRITE): 300.0, (FEED, Dimension.READ): 30.0}
        await stage.until(lambda: minimum() != 20, within=60)
        await office.edit(written("mode: shadow"))
        assert minimum() == 20
        await stage.pass_seconds(60)
        assert minimum() == 20


async def test_leaving_active_mode_lets_suspended_scale_in_go(
    aws_session: AioSession, tmp_path: Path
) -> None:
    async with (
        open_sqlite_journal(tmp_path / "journal.db") as journal,
        open_office(
            aws_session,
            tmp_path,
            written("auto_scaling: suspend"),
            journal=journal,
            registered=[registered(WRITES)],
        ) as office,
    ):
        stage = office.stage

        def is_suspended() -> bool:
            return bool(writes_registered(stage)["SuspendedState"]["DynamicScalingInSuspended"])

        await stage.until(is_suspended, within=30)
        await office.edit(written("mode: off"))
        assert not is_suspended()
        # And the other way round, at once as well.
        await office.edit(written("auto_scaling: suspend"))
        assert is_suspended()


async def test_what_shadow_mode_imagined_is_forgotten_when_it_becomes_active(
    aws_session: AioSession, tmp_path: Path
) -> None:
    async with open_office(aws_session, tmp_path, written("mode: shadow")) as office:
        stage = office.stage
        stage.demand = {(FEED, Dimension.WRITE): 900.0, (FEED, Dimension.READ): 50.0}
        await stage.pass_seconds(30 + int(APPLY_TIME_S))
        (imagined,) = stage.loop.pilot.descriptions.values()
        assert imagined.resources[0].write > 900
        assert stage.provisioned(FEED) == (100, 100)
        await office.edit(written())
        (real,) = stage.loop.pilot.descriptions.values()
        assert real.resources[0].write == 100
        await stage.pass_seconds(2)
        plan = next(p for p in stage.witness.actuated if p.decided_at >= office.changes[0])
        assert (plan.direction, plan.decided_at) == (Direction.OUT, office.changes[0] + 1)
        await stage.until(lambda: stage.provisioned(FEED)[1] > 900, within=30)


async def test_announcements_stay_with_the_policy_of_that_name(
    aws_session: AioSession, tmp_path: Path
) -> None:
    push = Announcement.model_validate(
        {
            "name": "push",
            "policy": "feeds",
            "at": "2026-10-09T12:02:00Z",
            "lasts": "10m",
            "write": {"at_least": 700},
        }
    )
    async with open_office(aws_session, tmp_path, written()) as office:
        stage = office.stage
        await stage.desk.announce(push)
        stage.demand = {(FEED, Dimension.WRITE): 20.0, (FEED, Dimension.READ): 20.0}
        await stage.pass_seconds(5)
        first = written(name="others", tables="other")
        await office.edit(first + "".join(written().splitlines(keepends=True)[2:]))
        await stage.until(lambda: stage.provisioned(FEED)[1] >= 700, within=120)
        assert stage.provisioned(type(FEED)("other"))[1] < 700


async def test_every_version_is_in_the_journal_and_the_last_good_one_outlives_its_source(
    aws_session: AioSession, tmp_path: Path
) -> None:
    reader = PolicyReader(lambda _: None)
    async with open_sqlite_journal(tmp_path / "journal.db") as journal:
        async with open_office(aws_session, tmp_path, written(), journal=journal) as office:
            office.keeper.note("start")
            first = office.keeper.version
            await office.edit(written(most=77))
            second = office.keeper.version
            with pytest.raises(PolicyError):
                await office.edit(written(most=1))
            await office.stage.book.flush(within_s=5.0)
            records = [r for r in await journal.read(since=0.0) if "policies" in r.kind]
            said = [(r.kind, r.body["hash"], r.body["source"]) for r in records]
            source = str(office.file)
            assert said[:2] == [
                (RecordKind.POLICIES_ADOPTED, first.hash, source),
                (RecordKind.POLICIES_ADOPTED, second.hash, source),
            ]
            assert said[2][0] is RecordKind.POLICIES_REFUSED
            assert records[1].body["why"] == "a test"
        with capture_logs() as logs:
            kept = await read_first(LocalPolicies(office.file), reader, journal=journal, now=NOON)
        assert (kept.hash, kept.policies, kept.is_kept) == (second.hash, second.policies, True)
        assert "above max 1" in str(kept.fault)
        assert [log["log_level"] for log in logs] == ["error"]
        # Another place's policies are no substitute, and a text's mistakes are the start's.
        with pytest.raises(SourceError, match="No such file"):
            await read_first(LocalPolicies(tmp_path / "no"), reader, journal=journal, now=NOON)
        with pytest.raises(PolicyError, match=r"TEXT:1:10: version: has to be 1"):
            await read_first(
                FixedText("version: 2", address="TEXT"), reader, journal=journal, now=0
            )


async def test_a_kept_document_that_makes_no_sense_is_left_aside(tmp_path: Path) -> None:
    reader, missing = PolicyReader(lambda _: None), LocalPolicies(tmp_path / "policy.yaml")
    async with open_sqlite_journal(tmp_path / "journal.db") as journal:
        for content in (
            b"{",
            b"[]",
            json.dumps({"source": str(tmp_path / "policy.yaml")}).encode(),
        ):
            await journal.save("policies", content)
            with capture_logs() as logs, pytest.raises(SourceError):
                await read_first(missing, reader, journal=journal, now=NOON)
            assert logs[0]["event"] == "kept_policies_left_aside"


def test_only_what_was_edited_is_parsed_again(tmp_path: Path) -> None:
    seen: list[PolicySet] = []
    reader = PolicyReader(seen.append)

    def read() -> PolicyVersion:
        texts = asyncio.run(LocalPolicies(tmp_path).read())
        return reader.read(texts, source="here", now=0.0)

    (tmp_path / "a.yaml").write_text(written(name="a", tables="a"))
    (tmp_path / "b.yaml").write_text(written(name="b", tables="b"))
    before = read()
    (tmp_path / "b.yaml").write_text(written(name="b", tables="b2"))
    after = read()
    assert before.hash != after.hash
    assert [p.match.tables for p in after.policies.policies] == [["a"], ["b2"]]
    assert after.policies.policies[0] is before.policies.policies[0]
    assert len(seen) == 2


def put_in_force(office: Office, text: str) -> None:
    """At once: nothing else gets to run meanwhile."""
    policies = parse_policies(text, source="policy.yaml")
    pilot = office.stage.loop.pilot
    fleet = choose_fleet(policies, pilot.resources)
    office.stage.agenda.adopt(PolicyCalendar(policies))
    office.stage.loop.adopt(spread(policies, fleet, pilot.limits))


async def decide(office: Office, units: float) -> None:
    """Up to a decision that is just about to be carried out."""
    stage = office.stage
    stage.demand = {(FEED, Dimension.WRITE): units, (FEED, Dimension.READ): 50.0}
    while not stage.spawned:
        stage.clock.pass_seconds(1.0)
        stage.world.advance(stage.now)
        stage.tell()
        await stage.loop.tick()


async def test_what_was_decided_under_other_policies_is_not_sent(
    aws_session: AioSession, tmp_path: Path
) -> None:
    async with open_office(aws_session, tmp_path, written(most=5000)) as office:
        stage = office.stage
        await decide(office, 900.0)
        put_in_force(office, written(most=400))
        await asyncio.gather(*stage.spawned)
        assert stage.witness.actuated == []
        assert stage.loop.counts["plans_overtaken_by_policies"] == 1
        await stage.pass_seconds(1)
        (plan,) = stage.witness.actuated
        assert plan.changes[0].write == 400


async def test_what_shadow_mode_is_imagining_meanwhile_is_not_taken_for_real(
    aws_session: AioSession, tmp_path: Path
) -> None:
    async with open_office(aws_session, tmp_path, written("mode: shadow")) as office:
        stage, pilot = office.stage, office.stage.loop.pilot
        await decide(office, 900.0)
        await asyncio.sleep(0)  # so that it is begun
        assert len(stage.witness.actuated) == 1
        put_in_force(office, written())
        await asyncio.gather(*stage.spawned)
        assert not pilot.is_changing("feed")
        assert pilot.descriptions["feed"].resources[0].write == 100
        # It is left as it is until it was read again, by whoever shows it as it is.
        stage.tell()
        await stage.loop.tick()
        assert not stage.spawned
        await stage.loop.catch_up()
        await stage.until(lambda: stage.provisioned(FEED)[1] > 900, within=30)


async def test_from_floor_mode_to_active_and_back(aws_session: AioSession, tmp_path: Path) -> None:
    async with (
        open_sqlite_journal(tmp_path / "journal.db") as journal,
        open_office(
            aws_session,
            tmp_path,
            written("mode: floor"),
            journal=journal,
            registered=[registered(READS, maximum=5000), registered(WRITES, maximum=5000)],
        ) as office,
    ):
        stage = office.stage

        def writes() -> tuple[int, bool]:
            target = writes_registered(stage)
            return target["MinCapacity"], target["SuspendedState"]["DynamicScalingInSuspended"]

        stage.demand = {(FEED, Dimension.WRITE): 300.0, (FEED, Dimension.READ): 30.0}
        await stage.until(lambda: writes()[0] > 20, within=60)
        await office.edit(written("auto_scaling: suspend"))
        assert writes() == (20, True)
        stage.demand = {(FEED, Dimension.WRITE): 900.0, (FEED, Dimension.READ): 30.0}
        await stage.until(lambda: stage.provisioned(FEED)[1] > 900, within=60)
        assert writes() == (20, True)
        await office.edit(written("mode: floor"))
        assert writes() == (20, False)
        await stage.until(lambda: writes()[0] > 900, within=60)
