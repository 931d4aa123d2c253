"""Policies that go by tags: whose a table is, once they were read, and when they change."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from aiobotocore.session import AioSession
from structlog.testing import capture_logs

from capacity_pilot.adapters.aws import open_gateway
from capacity_pilot.core.errors import GatewayError
from capacity_pilot.core.matching import Tags
from capacity_pilot.daemon.tag_watch import TagReader, TagWatch
from tests.daemon.test_policy_keeping import Office, open_office

BY_TAGS = """\
version: 1
policies:
  - name: social
    match: {tags: {team: social}}
    read: {min: 300, max: 900}
    write: {min: 300, max: 900}
  - name: the rest
    match: {tables: ["*"]}
    read: {min: 10, max: 200}
    write: {min: 10, max: 200}
"""


@dataclass
class Reads:
    """A reader that counts, and can be cut off from AWS."""

    inner: TagReader
    is_cut_off: bool = False
    read: list[str] = field(default_factory=list)

    async def tags(self, table: str, /) -> Tags | None:
        if self.is_cut_off:
            raise GatewayError("ListTagsOfResource: no answer")
        self.read.append(table)
        return await self.inner.tags(table)


@dataclass
class Registry:
    """An office whose tables have tags."""

    office: Office
    client: Any
    reads: Reads
    watch: TagWatch

    async def tag(self, table: str, **tags: str) -> None:
        told = await self.client.describe_table(TableName=table)
        await self.client.tag_resource(
            ResourceArn=told["Table"]["TableArn"],
            Tags=[{"Key": key, "Value": value} for key, value in tags.items()],
        )

    async def look(self) -> dict[str, str | None]:
        """Has the watch look and the loop catch up; whose the tables are then."""
        await self.watch.look()
        await self.office.stage.loop.catch_up()
        policies = self.office.stage.loop.pilot.policies
        chosen = {table: policies.policy_for(table) for table in ("feed", "other")}
        return {table: None if p is None else p.name for table, p in chosen.items()}


@asynccontextmanager
async def open_registry(session: AioSession, folder: Path) -> AsyncIterator[Registry]:
    async with open_office(session, folder, BY_TAGS) as office:
        stage = office.stage
        url = stage.server.url
        async with (
            session.create_client("dynamodb", region_name="us-east-1", endpoint_url=url) as client,
            open_gateway(
                region="us-east-1", clock=stage.clock, endpoint_url=url, session=session
            ) as gateway,
        ):
            reads = Reads(gateway)
            watch = TagWatch(
                reads,
                policies=lambda: stage.loop.pilot.policies,
                listed=lambda: stage.loop.listed,
                on_change=office.keeper.retag,
                clock=stage.clock,
            )
            yield Registry(office, client, reads, watch)


async def test_a_table_is_nobodys_until_its_tags_were_read(
    aws_session: AioSession, tmp_path: Path
) -> None:
    """Else it would be driven by the next policy that fits, and between its bounds."""
    async with open_registry(aws_session, tmp_path) as registry:
        pilot = registry.office.stage.loop.pilot
        await registry.tag("feed", team="social")
        registry.reads.is_cut_off = True
        with capture_logs() as events:
            assert await registry.look() == {"feed": None, "other": None}
            await registry.look()
        told = [(e["table"], e["tables_waiting"]) for e in events if e["event"] == "tags_not_read"]
        assert told == [("feed", 2)], "told once"
        assert dict(pilot.descriptions) == {}
        registry.reads.is_cut_off = False
        assert await registry.look() == {"feed": "social", "other": "the rest"}
        assert set(pilot.descriptions) == {"feed", "other"}
        await registry.office.stage.pass_seconds(1)
        floors = {str(pilot.fleet.target(n)): pilot.bounds.floor[n] for n in range(4)}
        assert floors == {"feed:read": 300, "feed:write": 300, "other:read": 10, "other:write": 10}


async def test_tags_are_read_again_after_a_while_and_kept_where_that_fails(
    aws_session: AioSession, tmp_path: Path
) -> None:
    async with open_registry(aws_session, tmp_path) as registry:
        clock = registry.office.stage.clock
        await registry.look()
        assert registry.reads.read == ["feed", "other"]
        await registry.tag("other", team="social")
        clock.pass_seconds(599.0)
        assert await registry.look() == {"feed": "the rest", "other": "the rest"}
        assert len(registry.reads.read) == 2
        clock.pass_seconds(1.0)
        registry.reads.is_cut_off = True
        assert await registry.look() == {"feed": "the rest", "other": "the rest"}
        registry.reads.is_cut_off = False
        assert await registry.look() == {"feed": "the rest", "other": "social"}


async def test_an_edit_of_the_policies_forgets_no_tags(
    aws_session: AioSession, tmp_path: Path
) -> None:
    async with open_registry(aws_session, tmp_path) as registry:
        await registry.tag("feed", team="social")
        await registry.look()
        await registry.office.edit(BY_TAGS.replace("name: social", "name: feeds"))
        assert await registry.look() == {"feed": "feeds", "other": "the rest"}
        assert registry.reads.read == ["feed", "other"]


async def test_nothing_is_asked_where_no_policy_goes_by_tags(
    aws_session: AioSession, tmp_path: Path
) -> None:
    async with open_registry(aws_session, tmp_path) as registry:
        await registry.office.edit(BY_TAGS.replace("tags: {team: social}", "tables: [feed]"))
        assert await registry.look() == {"feed": "social", "other": "the rest"}
        assert registry.reads.read == []
