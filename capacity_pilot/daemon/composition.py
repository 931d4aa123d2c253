"""The composition root: opens everything, schedules the loop, ends in order."""

from __future__ import annotations

import asyncio
import signal
from collections.abc import Callable, Coroutine, Iterable, Iterator
from contextlib import AsyncExitStack
from dataclasses import dataclass
from functools import partial
from itertools import chain
from typing import Any

import structlog

from capacity_pilot import __version__
from capacity_pilot.adapters.agenda import RunningAgenda
from capacity_pilot.adapters.aws.cloudwatch import open_cloudwatch
from capacity_pilot.adapters.aws.dynamodb import SENT_WITHIN_S, open_gateway
from capacity_pilot.adapters.aws.heartbeat import open_pulse
from capacity_pilot.adapters.clock import SystemClock
from capacity_pilot.adapters.lease import KEEP_S
from capacity_pilot.adapters.notices import open_messenger
from capacity_pilot.adapters.otlp.decode import Decoder
from capacity_pilot.adapters.otlp.estimate import Estimator
from capacity_pilot.adapters.otlp.intake import Intake
from capacity_pilot.adapters.otlp.receiver import Receiver
from capacity_pilot.adapters.policy_sources.opening import open_source
from capacity_pilot.adapters.policy_sources.texts import FixedText, PolicySource
from capacity_pilot.core.errors import GatewayError
from capacity_pilot.core.model import AccountLimits
from capacity_pilot.core.pilot import Pilot
from capacity_pilot.core.ports import CapacityGateway
from capacity_pilot.core.record import RecordKind
from capacity_pilot.daemon.announcement_desk import AnnouncementDesk
from capacity_pilot.daemon.announcement_keeping import AnnouncementKeeping
from capacity_pilot.daemon.bookkeeping import Bookkeeper
from capacity_pilot.daemon.brake_desk import BrakeDesk
from capacity_pilot.daemon.ceiling_watch import LOOK_S as CEILING_S
from capacity_pilot.daemon.ceiling_watch import CeilingWatch
from capacity_pilot.daemon.control_loop import ControlLoop, Surroundings
from capacity_pilot.daemon.coverage_watch import CoverageWatch
from capacity_pilot.daemon.demand_keeping import NOTE_S, DemandKeeping
from capacity_pilot.daemon.demand_keeping import SAVE_S as DEMAND_S
from capacity_pilot.daemon.driving import check_modes, open_registrations, route_tables
from capacity_pilot.daemon.event_log import tap
from capacity_pilot.daemon.explanation import explain_with_past
from capacity_pilot.daemon.forecast_report import measure_forecasts, report_forecasts
from capacity_pilot.daemon.heartbeat import BEAT_S, Heartbeat
from capacity_pilot.daemon.housekeeping import keep_house
from capacity_pilot.daemon.idle_watch import LOOK_S as IDLE_S
from capacity_pilot.daemon.idle_watch import IdleWatch
from capacity_pilot.daemon.ladder_watch import WATCH_S as LADDER_S
from capacity_pilot.daemon.ladder_watch import LadderWatch
from capacity_pilot.daemon.listeners import open_listeners
from capacity_pilot.daemon.notifying import Notifier
from capacity_pilot.daemon.on_demand_watch import ADVISE_S
from capacity_pilot.daemon.policy_keeping import Followers, PolicyKeeper
from capacity_pilot.daemon.policy_versions import PolicyReader, read_first
from capacity_pilot.daemon.quota_watch import ASK_S, QuotaWatch
from capacity_pilot.daemon.quota_watch import WATCH_S as QUOTA_S
from capacity_pilot.daemon.rehearsal import rehearse
from capacity_pilot.daemon.safe_levels import keep_mode
from capacity_pilot.daemon.scaling_watch import WATCH_S, ScalingWatch
from capacity_pilot.daemon.schedule import Job, run_jobs
from capacity_pilot.daemon.snapshots import Snapshots
from capacity_pilot.daemon.status import find_fault, report_status
from capacity_pilot.daemon.store import DAY_S, Store, open_store
from capacity_pilot.daemon.succession import Estate, Succession
from capacity_pilot.daemon.tag_watch import WATCH_S as TAGS_S
from capacity_pilot.daemon.tag_watch import TagWatch
from capacity_pilot.daemon.tenure import Tenure
from capacity_pilot.daemon.throttle_watch import LOOK_S, ThrottleWatch
from capacity_pilot.settings import DaemonSettings
from capacity_pilot.web.announcements import announcement_routes
from capacity_pilot.web.brakes import brake_routes
from capacity_pilot.web.explanation import explanation_route
from capacity_pilot.web.metrics import Metric, metrics_route
from capacity_pilot.web.policies import policy_routes

_IN_FLIGHT_GRACE_S = 8.0
_FLUSH_S = 3.0
_PRUNE_S = 3600.0
_CATCH_UP_S = 5.0

_CLOUDWATCH_S = 20.0
"""Between looks whether minutes are due to be read, which is once a minute at most."""

Spawn = Callable[[Coroutine[Any, Any, None]], object]

log = structlog.get_logger("capacity_pilot")


@dataclass(frozen=True, slots=True, kw_only=True)
class Parts:
    """What a running daemon is made of."""

    mode: str
    store: Store
    book: Bookkeeper
    tenure: Tenure
    loop: ControlLoop
    intake: Intake
    receiver: Receiver
    desk: AnnouncementDesk
    brakes: BrakeDesk
    keeping: AnnouncementKeeping
    snapshots: Snapshots
    succession: Succession
    scaling: ScalingWatch
    tags: TagWatch
    ladder: LadderWatch
    idle: IdleWatch
    throttles: ThrottleWatch
    quotas: QuotaWatch
    policies: PolicyKeeper
    demand: DemandKeeping
    ceilings: CeilingWatch
    notifier: Notifier
    watch: CoverageWatch | None
    heartbeat: Heartbeat | None


async def run_daemon(settings: DaemonSettings) -> None:
    """Runs until SIGTERM or SIGINT; raises whatever unexpected ends it earlier.

    Raises ``PolicyError`` or ``SourceError`` before anything but the journal is opened if there
    are no policies to follow, and ``InputError`` for an address that cannot be listened on or a
    journal that cannot be shared.
    """
    stopping = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stopping.set)
    # Until there is something to reload: by itself the signal would end the process.
    asyncio.get_running_loop().add_signal_handler(signal.SIGHUP, lambda: None)
    tasks = asyncio.TaskGroup()
    calls: set[asyncio.Task[None]] = set()

    def spawn(work: Coroutine[Any, Any, None]) -> None:
        task = tasks.create_task(work)
        calls.add(task)
        task.add_done_callback(calls.discard)

    async with AsyncExitStack() as stack:
        parts = await _open_parts(settings, stack, spawn=spawn)
        addresses = await _listen(settings, parts, stack)
        book, tenure = parts.book, parts.tenure
        tap.listen(parts.notifier.hear)
        stack.callback(tap.listen, None)
        async with tasks:
            writer = tasks.create_task(book.write_on())
            told = {
                "version": __version__,
                "mode": settings.mode,
                "policies": [p.name for p in parts.loop.pilot.policies.policies],
                "policies_hash": parts.policies.version.hash,
            }
            book.note(RecordKind.STARTED, body={"pilot": parts.store.pilot, **told})
            await parts.succession.prepare()
            keep = partial(tenure.keep, partial(_take_up, parts))
            await keep()
            parts.policies.note("start")
            await parts.policies.save()
            jobs = _list_jobs(settings, parts, keep=keep)
            counts, chores = parts.loop.counts, _list_chores(settings, parts)
            follower = tasks.create_task(parts.policies.follow())
            reload = partial(parts.policies.reload_quietly, "SIGHUP")
            asyncio.get_running_loop().add_signal_handler(signal.SIGHUP, lambda: spawn(reload()))
            with run_jobs(jobs, counts) as failure, keep_house(chores, counts, failure):
                log.info("ready", **told, tables=sorted(parts.loop.pilot.descriptions), **addresses)
                await _wait_for_end(stopping, failure)
            # No tick from here on: what is in flight may end, nothing more is begun.
            asyncio.get_running_loop().remove_signal_handler(signal.SIGHUP)
            follower.cancel()
            log.info("stopping", calls_in_flight=len(calls))
            await _let_end(calls, grace_s=_IN_FLIGHT_GRACE_S)
            await keep()
            await parts.scaling.hand_back()
            await _save(parts)
            await _save_demand(parts)
            book.note(RecordKind.STOPPED, body={"pilot": parts.store.pilot})
            await book.flush(within_s=_FLUSH_S)
            await parts.notifier.close()
            await tenure.leave()
            writer.cancel()


async def _take_up(parts: Parts) -> None:
    await parts.succession.take_up()
    await parts.scaling.take_up()
    await parts.loop.on_demand.restore(parts.store.journal)
    await keep_mode(parts.store.journal, parts.mode)
    if parts.store.lease is not None:
        taken = {"pilot": parts.store.pilot, "token": parts.store.lease.token}
        parts.book.note(RecordKind.LEASE_TAKEN, body=taken)


async def _save(parts: Parts) -> None:
    """Documents are the active pilot's to save."""
    if parts.tenure.is_active:
        await parts.snapshots.save()
        await parts.keeping.save()
        await parts.policies.save()
        await parts.loop.on_demand.save(parts.store.journal)


async def _save_demand(parts: Parts) -> None:
    if parts.tenure.is_active:
        await parts.demand.note()
        await parts.demand.save()


def _list_jobs(
    settings: DaemonSettings, parts: Parts, *, keep: Job
) -> Iterator[tuple[str, Job, float]]:
    """What is done again and again, and how many seconds apart."""
    yield "tick", parts.loop.tick, settings.tick_s
    yield "describe_due", parts.loop.describe_due, 1.0
    yield "discover", parts.loop.discover, settings.discover_s
    yield "keep_lease", keep, KEEP_S
    yield "try_again", parts.succession.try_again, 1.0
    yield "note_ends", parts.brakes.note_ends, 1.0
    if parts.store.lease is not None:
        yield "catch_up", parts.keeping.catch_up, _CATCH_UP_S
    if parts.heartbeat is not None:
        yield "beat", parts.heartbeat.beat, BEAT_S
    yield "watch_tags", parts.tags.look, TAGS_S
    yield "watch_ladder", parts.ladder.look, LADDER_S
    yield "watch_idle", parts.idle.look, IDLE_S
    yield "watch_auto_scaling", parts.scaling.look, WATCH_S
    yield "watch_throttles", parts.throttles.look, LOOK_S
    yield "watch_ceilings", parts.ceilings.look, CEILING_S
    yield "watch_quotas", parts.quotas.look, QUOTA_S
    yield "ask_quotas", parts.quotas.ask, ASK_S
    yield "note_demand", parts.demand.note, NOTE_S
    yield "advise", parts.loop.on_demand.advise, ADVISE_S
    if parts.watch is not None:
        yield "read_cloudwatch", parts.watch.read_cloudwatch, _CLOUDWATCH_S


def _list_chores(settings: DaemonSettings, parts: Parts) -> Iterator[tuple[str, Job, float]]:
    """What no decision waits for."""
    yield "save", partial(_save, parts), settings.snapshot_s
    yield "save_demand", partial(_save_demand, parts), DEMAND_S
    yield "prune", partial(parts.book.prune, settings.journal_days * DAY_S), _PRUNE_S


async def _wait_for_end(stopping: asyncio.Event, failure: asyncio.Future[None]) -> None:
    """Returns when told to stop; raises what a job raised."""
    stopped = asyncio.ensure_future(stopping.wait())
    try:
        await asyncio.wait((stopped, failure), return_when=asyncio.FIRST_COMPLETED)
        if not stopped.done():
            failure.result()
    finally:
        stopped.cancel()


async def _let_end(calls: Iterable[asyncio.Task[None]], *, grace_s: float) -> None:
    """Waits for the calls, and gives up those that outlast the grace.

    Whoever stopped the process kills it some time later anyway. What a call given up has done
    is read from the table by the next process.
    """
    if not (waiting := set(calls)):
        return
    _, waiting = await asyncio.wait(waiting, timeout=grace_s)
    if waiting:
        log.warning("calls_given_up", calls=len(waiting))
    for call in waiting:
        call.cancel()


async def _open_source(settings: DaemonSettings, stack: AsyncExitStack) -> PolicySource:
    if settings.policy is None:
        return FixedText(settings.policy_text or "", address="CAPACITY_PILOT_POLICY_TEXT")
    return await stack.enter_async_context(
        open_source(
            settings.policy,
            poll_s=settings.policy_poll_s,
            region=settings.region or "",
            endpoint_url=settings.policy_endpoint_url,
        )
    )


async def _open_parts(settings: DaemonSettings, stack: AsyncExitStack, *, spawn: Spawn) -> Parts:
    """The pilot and all around it, tables read once, nothing listening yet."""
    clock = SystemClock()
    store = await stack.enter_async_context(open_store(settings, clock, role=settings.mode))
    source = await _open_source(settings, stack)
    reader = PolicyReader(partial(check_modes, settings=settings))
    version = await read_first(source, reader, journal=store.journal, now=clock.now())
    await asyncio.to_thread(rehearse)
    book, tenure = Bookkeeper(store.journal, clock=clock), Tenure(store.lease)
    dynamodb = await stack.enter_async_context(
        open_gateway(
            region=settings.region or "",
            endpoint_url=settings.endpoint_url,
            clock=clock,
            book=book,
            may_send=tenure.may_send,
        )
    )
    limits = await _ask_limits(dynamodb)
    is_shadow = settings.mode == "shadow"
    registrations = await open_registrations(
        settings, stack, book=book, clock=clock, may_send=tenure.may_send
    )
    agenda = RunningAgenda(version.policies)
    pilot = Pilot(
        version.policies,
        limits=limits,
        apply_time_s=settings.apply_time_s,
        now=clock.now(),
        agenda=agenda,
        cloudwatch_usd_per_month=settings.cloudwatch_budget_usd,
    )
    gateway = route_tables(
        dynamodb,
        registrations,
        mode_of=pilot.mode_for,
        is_shadow=is_shadow,
        apply_time_s=settings.apply_time_s,
        clock=clock,
    )
    estimator, intake = Estimator(), Intake()
    around = Surroundings(
        gateway=gateway,
        intake=intake,
        item_sizes=estimator,
        clock=clock,
        book=book,
        spawn=spawn,
        is_active=lambda: tenure.is_active,
    )
    loop = ControlLoop(pilot, around, describe_s=settings.describe_s)
    await loop.discover()
    scaling = ScalingWatch(
        pilot,
        registrations,
        clock=clock,
        counts=loop.counts,
        reread=loop.reread,
        may_change=lambda: tenure.is_active and not is_shadow,
    )
    await scaling.look()
    keeping = AnnouncementKeeping(agenda, pilot=pilot, book=book, clock=clock)
    snapshots = Snapshots(pilot, store.journal, clock=clock)
    brakes = BrakeDesk(
        pilot,
        clock=clock,
        latest=lambda: loop.last_step,
        book=book,
        is_active=lambda: tenure.is_active,
        is_shadow=is_shadow,
    )

    async def catch_up() -> None:
        scaling.recheck(await loop.catch_up())
        await scaling.look()

    messenger = await stack.enter_async_context(
        open_messenger(pilot=store.pilot, sns_endpoint_url=settings.sns_endpoint_url)
    )
    notifier = Notifier(
        messenger,
        notifications=lambda: pilot.policies.notifications,
        is_active=lambda: tenure.is_active,
        clock=clock,
    )
    followers = Followers(
        loop=loop,
        agenda=agenda,
        after_change=lambda: spawn(catch_up()),
        is_active=lambda: tenure.is_active,
    )
    policies = PolicyKeeper(
        version, source=source, reader=reader, followers=followers, book=book, clock=clock
    )
    tags = TagWatch(
        dynamodb,
        policies=lambda: pilot.policies,
        listed=lambda: loop.listed,
        on_change=policies.retag,
        clock=clock,
    )
    estate = Estate(loop=loop, book=book, snapshots=snapshots, announcements=keeping, brakes=brakes)
    decoder = Decoder(estimator, sampling_ratios=settings.sampling_ratio)
    return Parts(
        mode=settings.mode,
        store=store,
        book=book,
        tenure=tenure,
        loop=loop,
        intake=intake,
        receiver=Receiver(decoder, intake, clock),
        desk=AnnouncementDesk(agenda, pilot=pilot, clock=clock, keeping=keeping),
        brakes=brakes,
        keeping=keeping,
        snapshots=snapshots,
        succession=Succession(estate, gateway=gateway, clock=clock),
        scaling=scaling,
        tags=tags,
        ladder=LadderWatch(pilot),
        idle=IdleWatch(pilot),
        throttles=ThrottleWatch(intake, clock=clock),
        quotas=QuotaWatch(pilot, gateway=gateway, clock=clock),
        policies=policies,
        demand=DemandKeeping(pilot, store.journal, clock=clock),
        ceilings=CeilingWatch(pilot, lambda: loop.last_step),
        notifier=notifier,
        watch=await _watch_coverage(settings, loop, stack),
        heartbeat=await _open_heartbeat(settings, loop, tenure, stack),
    )


async def _watch_coverage(
    settings: DaemonSettings, loop: ControlLoop, stack: AsyncExitStack
) -> CoverageWatch | None:
    if not settings.cloudwatch_budget_usd:
        return None
    clock = SystemClock()
    reader = await stack.enter_async_context(
        open_cloudwatch(
            region=settings.region or "",
            endpoint_url=settings.cloudwatch_endpoint_url,
            clock=clock,
        )
    )
    return CoverageWatch(loop.pilot, source=reader, clock=clock, counts=loop.counts)


async def _open_heartbeat(
    settings: DaemonSettings, loop: ControlLoop, tenure: Tenure, stack: AsyncExitStack
) -> Heartbeat | None:
    """None in shadow, where nothing is changed that could be handed back."""
    if settings.heartbeat is None or settings.mode == "shadow":
        return None
    clock = SystemClock()
    pulse = await stack.enter_async_context(
        open_pulse(
            region=settings.region or "",
            name=settings.heartbeat,
            endpoint_url=settings.cloudwatch_endpoint_url,
            clock=clock,
        )
    )
    return Heartbeat(
        pulse,
        clock=clock,
        counts=loop.counts,
        may_send=lambda: tenure.may_send(SENT_WITHIN_S),
        decided_at=lambda: loop.last_tick_at,
        read_at=lambda: loop.pilot.described_at,
    )


async def _ask_limits(gateway: CapacityGateway) -> AccountLimits:
    """AWS's defaults where the account cannot be asked: UpdateTable would still refuse more."""
    try:
        return await gateway.limits()
    except GatewayError as error:
        log.warning("limits_unknown", error=str(error), assumed=str(AccountLimits()))
        return AccountLimits()


async def _listen(settings: DaemonSettings, parts: Parts, stack: AsyncExitStack) -> dict[str, str]:
    """Opens the listeners over the parts, and says where they are."""
    clock, loop, desk, watch = SystemClock(), parts.loop, parts.desk, parts.watch

    def report() -> dict[str, object]:
        status = report_status(
            loop, parts.intake, parts.receiver, mode=settings.mode, now=clock.now()
        )
        status |= report_forecasts(loop.pilot.fleet, loop.pilot.quantiles)
        status |= desk.report() | parts.brakes.report()
        status |= parts.book.report() | parts.tenure.report() | parts.snapshots.report()
        status |= parts.scaling.report() | parts.throttles.report() | loop.on_demand.report()
        status |= parts.quotas.report() | parts.idle.report()
        status |= {"policies": parts.policies.report()}
        if parts.heartbeat is not None:
            status |= parts.heartbeat.report()
        return status if watch is None else status | watch.report()

    def measure() -> Iterable[Metric]:
        return chain(
            measure_forecasts(loop.pilot.fleet, loop.pilot.quantiles),
            parts.ladder.measure(),
            parts.idle.measure(),
            parts.throttles.measure(),
            loop.on_demand.measure(),
            parts.quotas.measure(),
            parts.policies.measure(),
            parts.notifier.measure(),
            () if watch is None else watch.measure(),
        )

    return await open_listeners(
        settings,
        stack,
        receiver=parts.receiver,
        find_fault=lambda: find_fault(loop, tick_s=settings.tick_s, now=clock.now()),
        report_status=report,
        routes=(
            *announcement_routes(desk),
            *brake_routes(parts.brakes),
            *policy_routes(parts.policies),
            explanation_route(
                lambda table: explain_with_past(
                    loop.pilot, loop.last_step, table, clock.now(), journal=parts.store.journal
                )
            ),
            metrics_route(measure),
        ),
    )
