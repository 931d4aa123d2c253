"""People are told of what the log says and is worth it: once, beside everything else."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from contextlib import asynccontextmanager
from typing import Any, cast

import pytest
from aiobotocore.session import AioSession
from aiohttp import web
from pydantic import ValidationError
from structlog.testing import capture_logs

from capacity_pilot.adapters.notices import open_messenger
from capacity_pilot.adapters.policy_text import join, parse_files
from capacity_pilot.core.errors import GatewayError, InputError
from capacity_pilot.core.model import Dimension
from capacity_pilot.core.notices import Notice, Notification, Occasion, Quiet, read_event
from capacity_pilot.core.policy import PolicySet
from capacity_pilot.daemon.ceiling_watch import CeilingWatch
from capacity_pilot.daemon.event_log import EventTap
from capacity_pilot.daemon.notifying import MOST_WAITING, Notifier
from capacity_pilot.web.metrics import render_metrics
from tests.chaos.virtual_time import VirtualLoop, run_virtually
from tests.daemon.stage import FEED, NOON, policies, set_stage, table
from tests.moto_server import serve_moto

TOPIC = "arn:aws:sns:us-east-1:123456789012:ops"
REFUSED = {"event": "policies_refused", "source": "policy.yaml", "error": "policy.yaml:1:1: no"}
LOST = {"event": "telemetry_lost", "silent_s": 16.0}


def notification(**said: object) -> Notification:
    return Notification.model_validate({"webhook": "https://example.com/hook"} | said)


def notice(subject: str = "", at: float = NOON, **more: Any) -> Notice:
    return Notice(
        occasion=Occasion.QUOTA_NEAR, subject=subject, at=at, details={"share": 0.9}, **more
    )


class VirtualClock:
    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = loop

    def now(self) -> float:
        return NOON + self._loop.time()


class Phone:
    """A messenger that notes what it is told, and when; it fails as often as ``failing`` says."""

    def __init__(self, loop: asyncio.AbstractEventLoop, *failing: Exception) -> None:
        self.told: list[tuple[float, str, Notice]] = []
        self.tries: list[float] = []
        self.hangs = False
        self._loop = loop
        self._failing = list(failing)

    async def tell(self, to: Notification, notice: Notice) -> None:
        self.tries.append(self._loop.time())
        if self.hangs:
            await asyncio.sleep(1e6)
        if self._failing:
            raise self._failing.pop(0)
        self.told.append((self._loop.time(), to.address, notice))


def notifier(
    loop: VirtualLoop, phone: Phone, *to: Notification, is_active: Callable[[], bool] = lambda: True
) -> Notifier:
    return Notifier(phone, notifications=lambda: to, is_active=is_active, clock=VirtualClock(loop))


def test_the_same_is_told_once_in_its_time_and_counted_meanwhile() -> None:
    async def work(loop: VirtualLoop) -> Phone:
        phone = Phone(loop)
        told = notifier(loop, phone, notification(quiet_for="10m"))
        for _ in range(30):
            told.hear(REFUSED)
            told.hear(REFUSED | {"source": "other.yaml"})
            await asyncio.sleep(60)
        assert told.outcomes == {"told": 6, "quiet": 54}
        assert 'capacity_pilot_notices_total{outcome="quiet"} 54.0' in render_metrics(
            told.measure()
        )
        await told.close()
        return phone

    phone = run_virtually(work)
    mine = [(at, n.repeats) for at, _, n in phone.told if n.subject == "policy.yaml"]
    assert mine == [(0.0, 0), (600.0, 9), (1200.0, 9)]
    assert phone.told[2][2].text == (
        "capacity-pilot: policies cannot be followed, the last good ones stay in force "
        "(policy.yaml); 9 times more since last told"
    )


def test_who_wants_to_know_of_what_is_told_of_that() -> None:
    async def work(loop: VirtualLoop) -> Phone:
        phone = Phone(loop)
        told = notifier(
            loop,
            phone,
            notification(webhook="https://a.example/"),
            notification(webhook="https://b.example/", when=["telemetry_lost"]),
        )
        for event in (
            REFUSED,
            LOST,
            {"event": "decision"},
            {"event": "rung_changed", "rung": "hold"},
        ):
            told.hear(event)
        told.hear({"event": "rung_changed", "rung": "hand_back", "count": 3})
        await told.close()
        return phone

    told = [(to, n.occasion.value) for _, to, n in run_virtually(work).told]
    assert sorted(told) == [
        ("https://a.example/", "hand_back"),
        ("https://a.example/", "policies_refused"),
        ("https://a.example/", "telemetry_lost"),
        ("https://b.example/", "telemetry_lost"),
    ]


def test_a_standby_tells_of_its_lost_lease_alone() -> None:
    async def work(loop: VirtualLoop) -> Phone:
        phone = Phone(loop)
        told = notifier(loop, phone, notification(), is_active=lambda: False)
        told.hear(LOST)
        told.hear({"event": "standby", "holder": "another"})
        await told.close()
        return phone

    assert [n.occasion for _, _, n in run_virtually(work).told] == [Occasion.LEASE_LOST]


def test_what_fails_is_tried_again_and_given_up_and_holds_nobody_else_up() -> None:
    async def work(loop: VirtualLoop) -> None:
        gone = [GatewayError("no answer")] * 5
        phone = Phone(loop, *gone[:2])
        told = notifier(loop, phone, notification())
        with capture_logs() as logs:
            told.hear(LOST)
            await asyncio.sleep(100)
            assert phone.tries == [0.0, 2.0, 12.0]
            assert len(phone.told) == 1
            never = notifier(loop, Phone(loop, *gone[:4]), notification())
            never.hear(LOST)
            await asyncio.sleep(100)
            wrong = notifier(loop, Phone(loop, InputError("status 404")), notification())
            wrong.hear(LOST)
            await asyncio.sleep(100)
        for each in (told, never, wrong):
            await each.close()
        assert (never.outcomes, wrong.outcomes) == ({"failed": 1}, {"refused": 1})
        given_up = [log for log in logs if log["event"] == "notice_not_told"]
        assert [(log["outcome"], log["error"]) for log in given_up] == [
            ("failed", "no answer"),
            ("refused", "status 404"),
        ]
        assert given_up[0]["to"] == "https://example.com"  # the rest of it is often a secret

    run_virtually(work)


def test_a_queue_is_bounded_and_the_end_does_not_wait_long() -> None:
    async def work(loop: VirtualLoop) -> None:
        phone = Phone(loop)
        phone.hangs = True
        told = notifier(loop, phone, notification())
        for number in range(MOST_WAITING + 30):
            told.hear({"event": "at_ceiling", "target": f"t{number}"})
            await asyncio.sleep(0)
        await asyncio.sleep(1)
        assert told.outcomes["lost"] == 29  # one is being told, so many wait
        began = loop.time()
        await told.close()
        assert loop.time() - began == 3.0

    run_virtually(work)


def test_the_log_is_listened_to_while_somebody_does() -> None:
    tap, heard = EventTap(), list[object]()
    event = {"event": "quota_near"}
    tap(None, "warning", event)
    tap.listen(lambda told: heard.append(dict(told)))
    assert tap(None, "warning", event) is event
    tap.listen(None)
    tap(None, "warning", event)
    assert heard == [event]


@asynccontextmanager
async def serve_hook(*statuses: int) -> AsyncIterator[tuple[str, list[Any]]]:
    """A webhook that answers with these, the last one from then on."""
    bodies: list[Any] = []

    async def take(request: web.Request) -> web.Response:
        assert request.content_type == "application/json"
        bodies.append(await request.json())
        return web.Response(status=statuses[min(len(bodies), len(statuses)) - 1])

    app = web.Application()
    app.router.add_post("/hook/secret", take)
    runner = web.AppRunner(app)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    try:
        host, port = runner.addresses[0][:2]
        yield f"http://{host}:{port}/hook/secret", bodies
    finally:
        await runner.cleanup()


async def test_a_webhook_is_told_in_json(monkeypatch: pytest.MonkeyPatch) -> None:
    async with serve_hook(200, 503, 404) as (url, bodies), open_messenger(pilot="p1") as messenger:
        monkeypatch.setenv("OPS_HOOK", url)
        await messenger.tell(notification(webhook="env:OPS_HOOK"), notice("account write"))
        (body,) = bodies
        assert body == {
            "text": "capacity-pilot: provisioned capacity comes near AWS's quota (account write)",
            "occasion": "quota_near",
            "subject": "account write",
            "at": NOON,
            "pilot": "p1",
            "repeats": 0,
            "details": {"share": 0.9},
        }
        with pytest.raises(GatewayError, match="status 503") as refused:
            await messenger.tell(notification(webhook=url), notice())
        assert "secret" not in str(refused.value)
        with pytest.raises(InputError, match="refused with status 404"):
            await messenger.tell(notification(webhook=url), notice())
        with pytest.raises(InputError, match="no such environment variable"):
            await messenger.tell(notification(webhook="env:NOBODY_HAS_THIS"), notice())
        with pytest.raises(GatewayError, match="no answer"):
            await messenger.tell(notification(webhook="http://127.0.0.1:1/"), notice())


@pytest.fixture(scope="module")
def moto() -> Iterator[str]:
    with serve_moto() as url:
        yield url


async def test_a_topic_is_told(moto: str, aws_session: AioSession) -> None:
    create = cast(Any, aws_session.create_client)  # typed by services written out
    where = {"region_name": "us-east-1", "endpoint_url": moto}
    async with (
        create("sns", **where) as sns,
        create("sqs", **where) as sqs,
        open_messenger(pilot="p1", sns_endpoint_url=moto, session=aws_session) as messenger,
    ):
        topic = (await sns.create_topic(Name="ops"))["TopicArn"]
        queue = (await sqs.create_queue(QueueName="ops"))["QueueUrl"]
        asked = await sqs.get_queue_attributes(QueueUrl=queue, AttributeNames=["QueueArn"])
        await sns.subscribe(
            TopicArn=topic, Protocol="sqs", Endpoint=asked["Attributes"]["QueueArn"]
        )
        long = "tableau-é-" + 100 * "x"
        await messenger.tell(notification(sns=topic, webhook=None), notice(long))
        received = await sqs.receive_message(QueueUrl=queue)
        envelope = json.loads(received["Messages"][0]["Body"])
        assert envelope["Subject"].startswith("capacity-pilot: provisioned capacity comes near")
        assert len(envelope["Subject"]) == 100
        assert envelope["MessageAttributes"]["occasion"]["Value"] == "quota_near"
        assert json.loads(envelope["Message"])["subject"] == long
        gone = topic.replace(":ops", ":gone")
        with pytest.raises(GatewayError, match=r":gone: .*NotFound"):
            await messenger.tell(notification(sns=gone, webhook=None), notice())


def test_who_is_told_once_may_be_told_of_another_thing() -> None:
    quiet, to = Quiet(), notification(quiet_for=60)
    assert quiet.admit(to, notice("a")) == 0
    assert quiet.admit(to, notice("b")) == 0
    assert quiet.admit(to, notice("a", at=NOON + 59)) is None
    assert quiet.admit(notification(webhook="https://b.example"), notice("a", at=NOON + 59)) == 0
    assert quiet.admit(to, notice("a", at=NOON + 60)) == 1
    assert quiet.admit(to, notice("a", at=NOON)) == 0, "the clock was put back"


@pytest.mark.parametrize(
    ("said", "why"),
    [
        ({}, "whom to tell? name either sns or webhook"),
        ({"sns": TOPIC, "webhook": "https://a.example"}, "whom to tell"),
        ({"sns": "ops"}, "sns"),
        ({"webhook": "ftp://a.example"}, "webhook"),
        ({"webhook": "https://a.example", "when": ["breakfast"]}, "when.0"),
        ({"webhook": "https://a.example", "when": []}, "when"),
        ({"webhook": "https://a.example", "quiet_for": "5s"}, "quiet_for"),
    ],
)
def test_notifications_are_checked(said: dict[str, object], why: str) -> None:
    with pytest.raises(ValidationError) as refused:
        Notification.model_validate(said)
    assert why in str(refused.value)


def test_notifications_of_all_files_count_each_once() -> None:
    def file(*said: str) -> str:
        lines = "".join(f"  - {each}\n" for each in said)
        policy = '{name: a, match: {tables: ["a"]}, write: {min: 1, max: 2}}'
        return f"version: 1\nnotifications:\n{lines}policies:\n  - {policy}\n"

    topic, hook = f"{{sns: '{TOPIC}'}}", "{webhook: 'env:HOOK', when: [lease_lost]}"
    found = join(parse_files([("a.yaml", file(topic, hook)), ("b.yaml", file(topic))]))
    assert [each.address for each in found.notifications] == [TOPIC, "env:HOOK"]
    assert (
        PolicySet.model_validate(
            {"version": 1, "policies": [policies().policies[0].model_dump(exclude_unset=True)]}
        ).notifications
        == []
    )


async def test_a_table_at_its_ceiling_is_told_once_while_it_is(aws_session: AioSession) -> None:
    bounds = {"min": 10, "max": 300}
    async with set_stage(
        aws_session, table("feed"), policy_set=policies(write=bounds, read=bounds)
    ) as stage:
        watch = CeilingWatch(stage.loop.pilot, lambda: stage.loop.last_step)

        async def pass_looking(seconds: int) -> Sequence[Any]:
            with capture_logs() as logs:
                for _ in range(seconds):
                    await stage.pass_seconds(1)
                    await watch.look()
            return [log for log in logs if log["event"] == "at_ceiling"]

        stage.demand = {(FEED, Dimension.WRITE): 200.0, (FEED, Dimension.READ): 20.0}
        assert await pass_looking(60) == []
        stage.demand = {(FEED, Dimension.WRITE): 900.0, (FEED, Dimension.READ): 20.0}
        (told,) = await pass_looking(60)
        assert (told["target"], told["provisioned"]) == ("feed:write", 300.0)
        assert told["needed"] > 800
        seen = read_event(told, stage.now)
        assert seen is not None
        assert (seen.occasion, seen.subject) == (Occasion.AT_CEILING, "feed:write")
        stage.demand = {(FEED, Dimension.WRITE): 100.0, (FEED, Dimension.READ): 20.0}
        assert await pass_looking(120) == []
        stage.demand = {(FEED, Dimension.WRITE): 900.0, (FEED, Dimension.READ): 20.0}
        assert len(await pass_looking(60)) == 1
