"""The composition root: opens everything, schedules the loop, ends in order."""

from __future__ import annotations

import asyncio
import signal
from collections.abc import Callable, Coroutine, Iterable, Iterator
from contextlib import AsyncExitStack, contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import chain
from typing import Any

import structlog
from apscheduler.events import (
    EVENT_JOB_ERROR,
    EVENT_JOB_MAX_INSTANCES,
    EVENT_JOB_MISSED,
    JobEvent,
)
from apscheduler.schedulers.asyncio import AsyncIOScheduler

from capacity_pilot import __version__
from capacity_pilot.adapters.agenda import RunningAgenda
from capacity_pilot.adapters.aws.cloudwatch import open_cloudwatch
from capacity_pilot.adapters.aws.dynamodb import open_gateway
from capacity_pilot.adapters.aws.shadow import ShadowGateway
from capacity_pilot.adapters.clock import SystemClock
from capacity_pilot.adapters.otlp.decode import Decoder
from capacity_pilot.adapters.otlp.estimate import Estimator
from capacity_pilot.adapters.otlp.grpc_server import serve_grpc
from capacity_pilot.adapters.otlp.http_server import serve_http
from capacity_pilot.adapters.otlp.intake import Intake
from capacity_pilot.adapters.otlp.receiver import Receiver
from capacity_pilot.adapters.policy_source import load_policies, parse_policies
from capacity_pilot.core.errors import GatewayError, InputError, PolicyError
from capacity_pilot.core.model import AccountLimits
from capacity_pilot.core.modes import Mode
from capacity_pilot.core.pilot import Pilot
from capacity_pilot.core.policy import PolicySet
from capacity_pilot.core.ports import Agenda, CapacityGateway
from capacity_pilot.daemon.announcement_desk import AnnouncementDesk
from capacity_pilot.daemon.brake_desk import BrakeDesk
from capacity_pilot.daemon.control_loop import ControlLoop
from capacity_pilot.daemon.coverage_watch import CoverageWatch
from capacity_pilot.daemon.forecast_report import measure_forecasts, report_forecasts
from capacity_pilot.daemon.rehearsal import rehearse
from capacity_pilot.daemon.status import find_fault, report_status
from capacity_pilot.settings import DaemonSettings
from capacity_pilot.web.announcements import announcement_routes
from capacity_pilot.web.brakes import brake_routes
from capacity_pilot.web.health import serve_health
from capacity_pilot.web.metrics import metrics_route

_IN_FLIGHT_GRACE_S = 8.0

_CLOUDWATCH_S = 20.0
"""Between looks whether minutes are due to be read, which is once a minute at most."""


@dataclass(frozen=True, slots=True)
class Desks:
    """Where people tell the daemon what they know and want."""

    announcements: AnnouncementDesk
    brakes: BrakeDesk


Spawn = Callable[[Coroutine[Any, Any, None]], object]

log = structlog.get_logger("capacity_pilot")


async def run_daemon(settings: DaemonSettings) -> None:
    """Runs until SIGTERM or SIGINT; raises whatever unexpected ends it earlier.

    Raises ``PolicyError`` before anything is opened if the policy cannot be followed, and
    ``InputError`` for an address that cannot be listened on.
    """
    policies = _read_policies(settings)
    stopping = _listen_for_signals()
    await asyncio.to_thread(rehearse)
    tasks = asyncio.TaskGroup()
    calls: set[asyncio.Task[None]] = set()

    def spawn(work: Coroutine[Any, Any, None]) -> None:
        task = tasks.create_task(work)
        calls.add(task)
        task.add_done_callback(calls.discard)

    agenda = RunningAgenda(policies)
    async with AsyncExitStack() as stack:
        loop, receiver, intake = await _open_loop(
            settings, policies, stack, spawn=spawn, agenda=agenda
        )
        desks = _open_desks(settings, loop, agenda)
        watch = await _watch_coverage(settings, loop, stack)
        addresses = await _open_listeners(
            settings, loop, stack, receiver=receiver, intake=intake, desks=desks, watch=watch
        )
        async with tasks:
            with _schedule(loop, settings, desks, watch) as failure:
                log.info(
                    "ready",
                    version=__version__,
                    mode=settings.mode,
                    policies=[p.name for p in policies.policies],
                    tables=sorted(loop.pilot.descriptions),
                    **addresses,
                )
                await _wait_for_end(stopping, failure)
            # No tick from here on: what is in flight may end, nothing more is begun.
            log.info("stopping", calls_in_flight=len(calls))
            await _let_end(calls, grace_s=_IN_FLIGHT_GRACE_S)


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


def _read_policies(settings: DaemonSettings) -> PolicySet:
    if settings.policy is not None:
        policies = load_policies(settings.policy)
    else:
        policies = parse_policies(settings.policy_text or "", source="CAPACITY_PILOT_POLICY_TEXT")
    check_modes(policies, is_shadow=settings.mode == "shadow")
    return policies


def check_modes(policies: PolicySet, *, is_shadow: bool) -> None:
    """Raises ``PolicyError`` for what a policy may ask for and this process cannot do.

    Nothing here speaks to Application Auto Scaling, and one gateway serves all tables: a table in
    shadow beside active ones would be written to.
    """
    for policy in policies.policies:
        if policy.mode is Mode.FLOOR:
            raise PolicyError(f"policy {policy.name!r}: mode floor cannot be carried out yet")
        if policy.mode is Mode.SHADOW and not is_shadow:
            raise PolicyError(
                f"policy {policy.name!r}: mode shadow in a process with --mode active cannot be "
                "carried out yet; run it in a process of its own with --mode shadow"
            )
        if "auto_scaling" in policy.model_fields_set and policy.mode is not Mode.OFF:
            raise PolicyError(
                f"policy {policy.name!r}: auto_scaling {policy.auto_scaling} cannot be carried out "
                "yet: see that no other scaler drives the table"
            )


def _listen_for_signals() -> asyncio.Event:
    stopping = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stopping.set)
    return stopping


async def _open_loop(
    settings: DaemonSettings,
    policies: PolicySet,
    stack: AsyncExitStack,
    *,
    spawn: Spawn,
    agenda: Agenda,
) -> tuple[ControlLoop, Receiver, Intake]:
    """The gateway and the pilot over it, tables read once, nothing listening yet."""
    clock = SystemClock()
    gateway: CapacityGateway = await stack.enter_async_context(
        open_gateway(region=settings.region or "", endpoint_url=settings.endpoint_url, clock=clock)
    )
    limits = await _ask_limits(gateway)
    if settings.mode == "shadow":
        gateway = ShadowGateway(gateway, apply_time_s=settings.apply_time_s, clock=clock)
    pilot = Pilot(
        policies,
        limits=limits,
        apply_time_s=settings.apply_time_s,
        now=clock.now(),
        agenda=agenda,
        cloudwatch_usd_per_month=settings.cloudwatch_budget_usd,
    )
    estimator, intake = Estimator(), Intake()
    loop = ControlLoop(
        pilot,
        gateway=gateway,
        intake=intake,
        item_sizes=estimator,
        clock=clock,
        describe_s=settings.describe_s,
        spawn=spawn,
    )
    await loop.discover()
    decoder = Decoder(estimator, sampling_ratios=settings.sampling_ratio)
    return loop, Receiver(decoder, intake, clock), intake


def _open_desks(settings: DaemonSettings, loop: ControlLoop, agenda: RunningAgenda) -> Desks:
    clock = SystemClock()
    brakes = BrakeDesk(
        loop.pilot,
        clock=clock,
        latest=lambda: loop.last_step,
        is_shadow=settings.mode == "shadow",
    )
    return Desks(AnnouncementDesk(agenda, pilot=loop.pilot, clock=clock), brakes)


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


async def _ask_limits(gateway: CapacityGateway) -> AccountLimits:
    """AWS's defaults where the account cannot be asked: UpdateTable would still refuse more."""
    try:
        return await gateway.limits()
    except GatewayError as error:
        log.warning("limits_unknown", error=str(error), assumed=str(AccountLimits()))
        return AccountLimits()


async def _open_listeners(
    settings: DaemonSettings,
    loop: ControlLoop,
    stack: AsyncExitStack,
    *,
    receiver: Receiver,
    intake: Intake,
    desks: Desks,
    watch: CoverageWatch | None,
) -> dict[str, str]:
    """Opens the listeners and says where they are."""
    host, most_bytes = settings.host, settings.max_request_mib << 20
    clock = SystemClock()
    try:
        http = await stack.enter_async_context(
            serve_http(receiver, host=host, port=settings.http_port, max_request_bytes=most_bytes)
        )
        grpc = await stack.enter_async_context(
            serve_grpc(receiver, host=host, port=settings.grpc_port, max_request_bytes=most_bytes)
        )
        health_port = await stack.enter_async_context(
            serve_health(
                host=host,
                port=settings.health_port,
                find_fault=lambda: find_fault(loop, tick_s=settings.tick_s, now=clock.now()),
                report_status=lambda: (
                    report_status(loop, intake, receiver, mode=settings.mode, now=clock.now())
                    | report_forecasts(loop.pilot.fleet, loop.pilot.quantiles)
                    | desks.announcements.report()
                    | desks.brakes.report()
                    | ({} if watch is None else watch.report())
                ),
                routes=(
                    *announcement_routes(desks.announcements),
                    *brake_routes(desks.brakes),
                    metrics_route(
                        lambda: chain(
                            measure_forecasts(loop.pilot.fleet, loop.pilot.quantiles),
                            () if watch is None else watch.measure(),
                        )
                    ),
                ),
            )
        )
    except OSError as error:
        raise InputError(f"cannot listen on {host}: {error}") from error
    return {
        "otlp_http": f"http://{host}:{http.port}/v1/traces",
        "otlp_grpc": f"{host}:{grpc.port}",
        "health": f"http://{host}:{health_port}",
    }


@contextmanager
def _schedule(
    loop: ControlLoop, settings: DaemonSettings, desks: Desks, watch: CoverageWatch | None
) -> Iterator[asyncio.Future[None]]:
    """Runs the periodic jobs meanwhile; the future fails with whatever one of them raised.

    Jobs run at fixed slots. A slot that comes while the last one still runs, or that is noticed
    too late, is counted and left out: a tick made up for would decide on the same data.
    """
    failure: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    def note(event: JobEvent) -> None:
        if event.code != EVENT_JOB_ERROR:
            loop.counts[f"{event.job_id}_missed"] += 1
        elif not failure.done():
            failure.set_exception(event.exception)

    scheduler = AsyncIOScheduler(timezone=UTC)
    scheduler.add_listener(note, EVENT_JOB_ERROR | EVENT_JOB_MISSED | EVENT_JOB_MAX_INSTANCES)
    jobs: list[tuple[Callable[[], Coroutine[Any, Any, None]], float]] = [
        (loop.tick, settings.tick_s),
        (loop.describe_due, 1.0),
        (loop.discover, settings.discover_s),
        (desks.brakes.note_ends, 1.0),
    ]
    if watch is not None:
        jobs.append((watch.read_cloudwatch, _CLOUDWATCH_S))
    for job, seconds in jobs:
        scheduler.add_job(
            job,
            "interval",
            id=job.__name__,
            seconds=seconds,
            start_date=datetime.now(UTC).replace(microsecond=0),
            misfire_grace_time=None if seconds < 1 else max(1, int(seconds)),
            coalesce=True,
            max_instances=1,
        )
    scheduler.start()
    try:
        yield failure
    finally:
        scheduler.shutdown(wait=False)
