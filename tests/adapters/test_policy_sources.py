"""Policies in files, in S3 and in the Parameter Store: whole states, and a word when they change.

S3 and the Parameter Store are moto's. What changes in the middle of a read is changed by a client
between the calls that the source makes.
"""

from __future__ import annotations

import asyncio
import shutil
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, cast

import pytest
from aiobotocore.session import AioSession

from capacity_pilot.adapters.policy_sources.address import (
    LocalPlace,
    ParameterPlace,
    S3Place,
    parse_address,
)
from capacity_pilot.adapters.policy_sources.folder import LocalPolicies
from capacity_pilot.adapters.policy_sources.opening import open_source
from capacity_pilot.adapters.policy_sources.parameters import ParameterPolicies
from capacity_pilot.adapters.policy_sources.s3 import S3Policies
from capacity_pilot.adapters.policy_sources.texts import FixedText, PolicySource, PolicyTexts
from capacity_pilot.core.errors import PolicyError, SourceError
from tests.adapters.policy_sources import policy
from tests.moto_server import serve_moto

SOON_S = 20.0


@pytest.fixture(scope="module")
def moto() -> Iterator[str]:
    with serve_moto() as url:
        yield url


@asynccontextmanager
async def client_of(service: str, moto: str, session: AioSession) -> AsyncIterator[Any]:
    create = cast(Any, session.create_client)  # typed by services written out
    async with create(service, region_name="us-east-1", endpoint_url=moto) as client:
        yield client


@pytest.mark.parametrize(
    ("address", "place"),
    [
        ("policies/feed.yaml", LocalPlace(Path("policies/feed.yaml"))),
        ("s3://ops/policies", S3Place("ops", "policies/")),
        ("s3://ops/a/b/", S3Place("ops", "a/b/")),
        ("s3://ops", S3Place("ops", "")),
        ("s3://ops/a/feed.yaml", S3Place("ops", "a/feed.yaml")),
        ("ssm:/capacity-pilot/prod", ParameterPlace("/capacity-pilot/prod")),
    ],
)
def test_addresses_name_a_place(address: str, place: object) -> None:
    assert parse_address(address) == place


@pytest.mark.parametrize(
    ("address", "said"),
    [
        ("s3://", "'s3://' names no bucket; write s3://bucket/prefix"),
        ("s3://Ops/a", "'s3://Ops/a' names no bucket"),
        ("ssm:feed", "'ssm:feed' names no path of the Parameter Store; write ssm:/a/path"),
        ("ssm:/", "'ssm:/' names no path"),
        ("https://example.com/policy.yaml", "'https://example.com/policy.yaml' is nothing"),
    ],
)
def test_other_addresses_are_refused(address: str, said: str) -> None:
    with pytest.raises(PolicyError, match=r"^policy: ") as refused:
        parse_address(address)
    assert said in str(refused.value)


def test_a_hash_is_that_of_the_texts_and_their_names() -> None:
    fixed = asyncio.run(FixedText("version: 1", address="TEXT").read())
    again = PolicyTexts.load(fixed.dump())
    other = asyncio.run(FixedText("version: 1\n", address="TEXT").read())
    assert fixed.hash == again.hash != other.hash
    assert len(fixed.hash) == 64


async def first_change(source: PolicySource, act: Callable[[], Awaitable[None]]) -> None:
    """Returns when the source says that something has changed, after ``act``."""
    watching = asyncio.ensure_future(anext(source.changes()))
    await asyncio.sleep(0.2)  # until it is watched: nothing tells when
    assert not watching.done()
    await act()
    async with asyncio.timeout(SOON_S):
        await watching


async def test_an_edited_file_is_noticed(tmp_path: Path) -> None:
    file = tmp_path / "policy.yaml"
    file.write_text(policy("feed"))
    source = LocalPolicies(file)
    before = await source.read()

    async def edit() -> None:
        (tmp_path / "notes.txt").write_text("not a policy")
        file.write_text(policy("feed", most=200))

    await first_change(source, edit)
    after = await source.read()
    assert before.hash != after.hash
    assert "max: 200" in after.texts[0].text


async def test_what_was_edited_before_the_watch_began_is_noticed(tmp_path: Path) -> None:
    file = tmp_path / "policy.yaml"
    file.write_text(policy("feed"))
    source = LocalPolicies(file)
    await source.read()
    file.write_text(policy("feed", most=200))
    async with asyncio.timeout(SOON_S):
        await anext(source.changes())


async def test_a_file_put_in_the_place_of_another_is_noticed(tmp_path: Path) -> None:
    file, new = tmp_path / "policy.yaml", tmp_path / ".policy.yaml.new"
    file.write_text(policy("feed"))
    source = LocalPolicies(file)
    await source.read()

    async def replace_file() -> None:
        new.write_text(policy("feed", most=200))
        new.rename(file)

    await first_change(source, replace_file)


async def test_a_mounted_config_map_is_noticed(tmp_path: Path) -> None:
    """Kubernetes swaps a link to a folder; the files in it are links through that one."""
    for version in ("1", "2"):
        (tmp_path / f"..{version}").mkdir()
        (tmp_path / f"..{version}" / "policy.yaml").write_text(policy("feed", most=int(version)))
    data, new = tmp_path / "..data", tmp_path / "..data_new"
    data.symlink_to("..1")
    (tmp_path / "policy.yaml").symlink_to("..data/policy.yaml")
    source = LocalPolicies(tmp_path)
    assert [t.name for t in (await source.read()).texts] == [str(tmp_path / "policy.yaml")]

    async def swap() -> None:
        new.symlink_to("..2")
        new.rename(data)

    await first_change(source, swap)
    assert "max: 2" in (await source.read()).texts[0].text


async def test_a_folder_that_is_made_anew_is_noticed(tmp_path: Path) -> None:
    folder = tmp_path / "policies"
    folder.mkdir()
    (folder / "a.yaml").write_text(policy("a"))
    source = LocalPolicies(folder, poll_s=0.1)
    await source.read()
    changes = source.changes()

    async def until(hashes: Callable[[str | None], bool]) -> None:
        async with asyncio.timeout(SOON_S):
            async for _ in changes:
                try:
                    found: str | None = (await source.read()).hash
                except SourceError:
                    found = None
                if hashes(found):
                    return

    shutil.rmtree(folder)
    await until(lambda found: found is None)
    folder.mkdir()
    (folder / "b.yaml").write_text(policy("b"))
    await until(lambda found: found is not None)
    (folder / "c.yaml").write_text(policy("c"))
    await until(lambda _: len(list(folder.iterdir())) == 2)


async def test_what_a_folder_lacks_is_said(tmp_path: Path) -> None:
    with pytest.raises(SourceError, match=r"there is no \.yaml file in this folder"):
        await LocalPolicies(tmp_path).read()
    with pytest.raises(SourceError, match=r"gone\.yaml: No such file or directory"):
        await LocalPolicies(tmp_path / "gone.yaml").read()
    (tmp_path / "latin.yaml").write_bytes(b"version: \xff")
    with pytest.raises(PolicyError, match=r"latin\.yaml: not UTF-8 at byte 9"):
        await LocalPolicies(tmp_path).read()


async def test_objects_below_a_prefix_are_one_set(moto: str, aws_session: AioSession) -> None:
    async with client_of("s3", moto, aws_session) as s3:
        await s3.create_bucket(Bucket="one-set")
        versioning = {"Status": "Enabled"}
        await s3.put_bucket_versioning(Bucket="one-set", VersioningConfiguration=versioning)
        for key in ("prod/b.yaml", "prod/a.yml", "prod/notes.txt", "prod/old/c.yaml", "x.yaml"):
            await s3.put_object(Bucket="one-set", Key=key, Body=policy("feed").encode())
        async with open_source(
            "s3://one-set/prod",
            poll_s=30.0,
            region="us-east-1",
            endpoint_url=moto,
            session=aws_session,
        ) as source:
            read = await source.read()
        head = await s3.head_object(Bucket="one-set", Key="prod/b.yaml")
        names = ["s3://one-set/prod/a.yml", "s3://one-set/prod/b.yaml"]
        assert [each.name for each in read.texts] == names
        assert read.texts[1].version == head["VersionId"]
        assert read.texts[0].text == policy("feed")
        # One object by its name, and only that.
        await s3.put_object(Bucket="one-set", Key="prod/b.yaml.yaml", Body=b"")
        place = S3Place("one-set", "prod/b.yaml")
        one = await S3Policies(s3, place, address="s3://", poll_s=1.0).read()
        assert [each.name for each in one.texts] == ["s3://one-set/prod/b.yaml"]


class Counting:
    """A client in front of another one that notes the calls, and lets a test act before one."""

    def __init__(self, client: Any) -> None:
        self.calls: list[str] = []
        self.before: dict[str, Callable[[], Awaitable[object]]] = {}
        self._client = client

    async def get_object(self, **members: Any) -> Any:
        self.calls.append(members["Key"])
        if (act := self.before.pop(members["Key"], None)) is not None:
            await act()
        return await self._client.get_object(**members)

    def get_paginator(self, name: str) -> Any:
        self.calls.append(name)
        return self._client.get_paginator(name)


async def fill(s3: Any, bucket: str) -> Counting:
    """Makes the bucket, with ``a.yaml`` and ``b.yaml`` in it."""
    await s3.create_bucket(Bucket=bucket)
    for name in "ab":
        await s3.put_object(Bucket=bucket, Key=f"{name}.yaml", Body=policy(name).encode())
    return Counting(s3)


async def test_only_changed_objects_are_fetched_and_only_changes_told(
    moto: str, aws_session: AioSession
) -> None:
    async with client_of("s3", moto, aws_session) as s3:
        client = await fill(s3, "polled")
        source = S3Policies(client, S3Place("polled", ""), address="s3://polled", poll_s=0.01)
        before = await source.read()
        client.calls.clear()

        async def edit() -> None:
            assert set(client.calls) == {"list_objects_v2"}
            client.calls.clear()
            await s3.put_object(Bucket="polled", Key="b.yaml", Body=policy("b", most=7).encode())

        await first_change(source, edit)
        after = await source.read()
        assert [call for call in client.calls if call != "list_objects_v2"] == ["b.yaml"]
        assert after.texts[0] == before.texts[0]
        assert after.hash != before.hash


async def test_a_prefix_that_changes_while_it_is_read_is_read_again(
    moto: str, aws_session: AioSession
) -> None:
    async with client_of("s3", moto, aws_session) as s3:
        client = await fill(s3, "moving")
        source = S3Policies(client, S3Place("moving", ""), address="s3://moving", poll_s=1.0)

        def put(key: str, most: int) -> Callable[[], Awaitable[object]]:
            body = policy("new", most=most).encode()
            return lambda: s3.put_object(Bucket="moving", Key=key, Body=body)

        # The one that was read already changes, and the one that is about to be read.
        client.before = {"b.yaml": put("a.yaml", 5)}
        both = await source.read()
        assert ["max: 5" in t.text for t in both.texts] == [True, False]
        client.before = {"b.yaml": put("b.yaml", 6)}
        await put("b.yaml", 4)()
        assert "max: 6" in (await source.read()).texts[1].text

        # One that never comes to rest is not half read.
        async def stir(most: int = 10) -> object:
            client.before = {"b.yaml": lambda: stir(most + 1)}
            return await put("b.yaml", most)()

        await put("b.yaml", 9)()
        client.before = {"b.yaml": stir}
        with pytest.raises(SourceError, match="s3://moving: changed each of the 3 times"):
            await source.read()


async def test_what_is_wrong_with_a_bucket_is_said_with_what_to_do(
    moto: str, aws_session: AioSession
) -> None:
    async with client_of("s3", moto, aws_session) as s3:

        def source(bucket: str, key: str = "") -> S3Policies:
            return S3Policies(s3, S3Place(bucket, key), address=f"s3://{bucket}/{key}", poll_s=0.01)

        with pytest.raises(SourceError, match=r"NoSuchBucket.*; make the bucket, or correct"):
            await source("nowhere").read()
        await s3.create_bucket(Bucket="bare")
        with pytest.raises(SourceError, match=r"there is no \.yaml object right below it"):
            await source("bare", "prod/").read()
        await s3.put_object(Bucket="bare", Key="a.yaml", Body=b"version: \xff")
        with pytest.raises(PolicyError, match=r"^s3://bare/a\.yaml: not UTF-8 at byte 9"):
            await source("bare").read()
        # Whoever could not ask is told of each chance to ask again, and of none once it is read.
        lost = source("late")
        with pytest.raises(SourceError):
            await lost.read()
        changes = lost.changes()
        await anext(changes)
        await s3.create_bucket(Bucket="late")
        await s3.put_object(Bucket="late", Key="a.yaml", Body=policy("a").encode())
        await anext(changes)
        await lost.read()
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(anext(changes), 0.3)


async def test_parameters_below_a_path_are_one_set(moto: str, aws_session: AioSession) -> None:
    async with client_of("ssm", moto, aws_session) as ssm:

        async def put(name: str, most: int = 100) -> None:
            await ssm.put_parameter(
                Name=name, Value=policy("feed", most=most), Type="String", Overwrite=True
            )

        for number in range(13):  # more than AWS gives at a time
            await put(f"/pilot/prod/{number:02}")
        await put("/pilot/prod/old/feed")
        await put("/pilot/test")
        place = ParameterPlace("/pilot/prod")
        source = ParameterPolicies(ssm, place, address="ssm:/pilot/prod", poll_s=0.01)
        read = await source.read()
        assert [t.name for t in read.texts] == [f"ssm:/pilot/prod/{n:02}" for n in range(13)]
        assert {t.version for t in read.texts} == {"1"}
        await first_change(source, lambda: put("/pilot/prod/12", most=7))
        after = await source.read()
        assert (after.texts[12].version, "max: 7" in after.texts[12].text) == ("2", True)
        empty = ParameterPlace("/pilot/none")
        with pytest.raises(SourceError, match="no parameter right below /pilot/none; put one"):
            await ParameterPolicies(ssm, empty, address="ssm:/pilot/none", poll_s=1.0).read()


class TornPages:
    """A Parameter Store that changes between two pages, so many times."""

    def __init__(self, times: int) -> None:
        self.version = 1
        self._times = times

    def get_paginator(self, _: str) -> TornPages:
        return self

    async def paginate(self, **_: object) -> AsyncIterator[dict[str, object]]:
        first = self.version
        if self._times:
            self._times -= 1
            self.version += 1
        for name, version in (("a", first), ("b", self.version)):
            yield {"Parameters": [{"Name": name, "Value": str(version), "Version": version}]}


async def test_pages_of_two_moments_are_no_set() -> None:
    def source(times: int) -> ParameterPolicies:
        client = TornPages(times)
        return ParameterPolicies(client, ParameterPlace("/p"), address="ssm:/p", poll_s=1.0)

    read = await source(times=1).read()
    assert [t.text for t in read.texts] == ["2", "2"]
    with pytest.raises(SourceError, match="ssm:/p: changed each of the 4 times"):
        await source(times=9).read()
