"""``capacity-pilot status``: what the daemon is doing, on one screen."""

from __future__ import annotations

import asyncio
import math
import textwrap
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NamedTuple

from pydantic import BaseModel, ConfigDict, Field
from pydantic_settings import CliImplicitFlag

from capacity_pilot.cli.daemon_calls import DEFAULT_URL, call
from capacity_pilot.cli.screen import (
    HELD,
    Size,
    cut,
    cut_middle,
    hang,
    label,
    measure_terminal,
    say_number,
    say_override,
    say_reasons,
    say_seconds,
    say_some,
    say_target,
    say_time,
    write_lines,
)

Told = Mapping[str, Any]

_LATE_TICK_S = 10.0
_SILENT_S = 15.0
_NEVER_S = float("inf")
_LEAST_DOING = 24
_MODES = {"PAY_PER_REQUEST": "to on-demand", "PROVISIONED": "to provisioned"}
_UP, _DOWN = "↑", "↓"
_LAST_WIDTH = 34
_GAP = 2
_INDENT = 4
_BY_LIMIT = {
    "KeyRangeThroughputExceeded": "hot keys, which capacity does not cool",
    "AccountLimitExceeded": "the account's quota",
    "MaxOnDemandThroughputExceeded": "its on-demand maximum",
}
_FIGURES = f"{'demand':>8} {'expected':>8} {'has':>7} {'dry in':>6}  "


class Status(BaseModel):
    """Show what a running daemon is doing: what is out of order, what operators have ordered, and
    its targets, most urgent first, with what is wanted of each and what holds that back.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    url: str = Field(default=DEFAULT_URL, description="where the daemon is")
    all_targets: CliImplicitFlag[bool] = Field(
        default=False, alias="all", description="more than fits the terminal"
    )

    def cli_cmd(self) -> None:
        status = asyncio.run(call("GET", self.url, "/status"))
        write_lines(draw_status(status, measure_terminal(is_whole=self.all_targets)))


def draw_status(status: Told, size: Size) -> list[str]:
    """Lines of at most ``size.width``, as many as ``size.height`` at most. What does not fit a line
    goes on in the next: the most urgent targets are shown with all there is to say of them.
    """
    width, height = size
    head = [line for text in _draw_head(status) for line in hang(text, width)]
    if height is not None:
        head = _shorten(head, max(height // 2, 2))
    targets = sorted(status["targets"], key=_urgency)
    if not targets:
        return [*head, "", "no target yet: no table that a policy names was found"]
    room = None if height is None else max(height - len(head) - 2, 2)
    columns = _lay_out(targets[:room], width)
    last_changes = status.get("last_changes", {})
    rows = [_draw_target(t, last_changes.get(t["table"]), columns) for t in targets[:room]]
    shown = _fit(rows, len(targets), room)
    lines = [*head, "", columns.title, *(line for row in shown for line in row)]
    if left := targets[len(shown) :]:
        lines.append(cut(_sum_up(left), width))
    return lines


def _shorten(head: list[str], most: int) -> list[str]:
    """What is out of order comes first, and stays."""
    if len(head) <= most:
        return head
    return [*head[: most - 1], f"  and {len(head) - most + 1} lines more; --all shows them"]


def _fit(rows: list[list[str]], targets: int, room: int | None) -> list[list[str]]:
    """As many rows as fit, one at least, with a line for the ``targets`` that do not."""
    if room is None or (targets == len(rows) and sum(map(len, rows)) <= room):
        return rows
    fitting, left = [rows[0][: room - 1]], room - 1 - len(rows[0])
    for row in rows[1:]:
        if (left := left - len(row)) < 0:
            break
        fitting.append(row)
    return fitting


class _Columns(NamedTuple):
    """How wide the first column is, that of what is done, and the whole; ``is_wide`` where a last
    change has one of its own.
    """

    name: int
    doing: int
    width: int
    is_wide: bool

    @property
    def title(self) -> str:
        begun = f"{'target':{self.name}}{_FIGURES}"
        return f"{begun}{'doing':{self.doing}}last change" if self.is_wide else f"{begun}doing"


def _lay_out(targets: Sequence[Told], width: int) -> _Columns:
    name = min(max(len(_name(target)) for target in targets), max(3 * width // 10, 16))
    left = width - name - len(_FIGURES)
    is_wide = left - _LAST_WIDTH >= _LEAST_DOING
    return _Columns(name, left - _LAST_WIDTH if is_wide else left, width, is_wide)


def _draw_head(status: Told) -> Iterator[str]:
    tables = {target["table"] for target in status["targets"]}
    tick_at, spans_s = status["last_tick_at"], status["telemetry"]["last_received_s_ago"]
    tick_s = None if tick_at is None else status["now"] - tick_at
    yield (
        f"capacity-pilot {status['version']}, {status['mode']}: {_count(tables)}, ticked "
        f"{_ago(tick_s)}, spans {_ago(spans_s)}"
    )
    yield from _draw_faults(status, tick_s, spans_s)
    now = status["now"]
    for freeze in status.get("freezes", ()):
        held = HELD[freeze["direction"]]
        until = say_time(freeze["until"], now)
        yield (
            f"  frozen {freeze['id']}: {', '.join(freeze['tables'])} {held} until {until}"
            f" ({freeze['by']}: {freeze['why']})"
        )
    for override in status.get("overrides", ()):
        order = f"({override['by']}: {override['why']})"
        yield f"  override {override['id']}: {say_override(override, now)} {order}"
    for announced in status.get("announcements", ()):
        when = "on now" if announced["state"] == "on" else f"at {say_time(announced['at'], now)}"
        yield f"  announced {announced['name']!r}: {when}"
    for table in status.get("on_demand", ()):
        yield f"  {_say_on_demand(table)}"
    if idle := status.get("idle"):
        yield f"  {_say_idle(idle)}"


def _say_on_demand(told: Told) -> str:
    """A table that is only watched: demand, and what is to be said of its price."""
    asked = [f"{name} {say_number(units)}" for name, units in told["demand"].items() if units]
    demand = ", ".join(asked) or "no demand told of"
    advice = told["advice"]
    if advice is None:
        return f"on demand, only watched: {told['table']} ({demand})"
    has, other = advice["on_demand_usd_per_hour"], advice["provisioned_usd_per_hour"]
    return (
        f"on demand, only watched: {told['table']} ({demand}); ${has:.4g}/h over "
        f"{advice['over_hours']} h, provisioned would have been ${other:.4g}/h"
    )


def _say_idle(idle: Sequence[Told]) -> str:
    """What nobody uses, the dearest first."""
    usd = sum(each["usd_per_month"] for each in idle)
    dearest = sorted(idle, key=lambda each: -each["usd_per_month"])
    named = say_some([f"{each['target']} ({each['advice']})" for each in dearest])
    return f"idle, ${usd:,.2f} a month: {named}"


def _draw_faults(status: Told, tick_s: float | None, spans_s: float | None) -> Iterator[str]:
    """What is out of order."""
    if tick_s is None or tick_s > _LATE_TICK_S:
        yield f"! the loop stands still: ticked {_ago(tick_s)}"
    if spans_s is None:
        yield "! no spans have come yet: nothing is known of demand"
    elif spans_s > _SILENT_S:
        yield f"! no spans for {say_seconds(spans_s)}: nothing is lowered until they come again"
    yield from _draw_ladder(status.get("ladder"))
    if status.get("state") == "standby":
        lease = status.get("lease") or {}
        yield f"! standby: {lease.get('holder') or 'nobody known'} holds the lease"
    for part in ("journal", "lease"):
        if fault := (status.get(part) or {}).get("fault"):
            yield f"! {part}: {fault}"
    yield from _draw_outdated(status.get("policies") or {})
    for dimension, total in status.get("account", {}).items():
        if total["is_near"]:
            quota = f"the account's quota of {total['quota']:,} {dimension} units"
            yield f"! {total['share']:.0%} of {quota} is provisioned"
    for near in status.get("near_table_quota", ()):
        yield f"! {near['target']} has {near['provisioned']:,.0f} of {near['quota']:,} it may have"
    for refused in status.get("refused_by_other_limits", ()):
        if refused["is_on"]:
            yield f"! {_say_refused(refused)}"


def _draw_outdated(policies: Told) -> Iterator[str]:
    """Why the policies in force are not those that stand in their source."""
    if fault := policies.get("fault"):
        first, *more = fault.splitlines()
        rest = f" (and {len(more)} more)" if more else ""
        yield f"! policies: those of {policies['read_at']} stay in force: {first}{rest}"


def _say_refused(refused: Told) -> str:
    """Whose calls a limit other than provisioned capacity refuses."""
    place = f"{refused['table']}/{refused['index']}" if refused["index"] else refused["table"]
    whose = ", ".join(refused["routes"]) or refused["service"] or "nobody named"
    return (
        f"{place} throttled by {_BY_LIMIT[refused['limit']]}: {say_number(refused['calls'])} "
        f"{refused['operation']} of {whose}, last {_ago(refused['last_s_ago'])}"
    )


def _draw_ladder(ladder: Told | None) -> Iterator[str]:
    """How many targets stand on which rung, where the whole is not at the top or some have come
    down from it further than to being silent, which idle ones are.
    """
    if ladder is None:
        return
    counts = ladder["targets"]
    if ladder["rung"] != "full" or counts["cloudwatch"] or counts["hand_back"]:
        stand = ", ".join(f"{n:,} {say_reasons([name])}" for name, n in counts.items() if n)
        yield f"! {say_reasons([ladder['rung']])}: {ladder['because']} ({stand})"


def _count(tables: set[str]) -> str:
    return "1 table" if len(tables) == 1 else f"{len(tables):,} tables"


def _ago(seconds: float | None) -> str:
    return "never" if seconds is None else f"{max(seconds, 0.0):.1f} s ago"


def _urgency(target: Told) -> tuple[bool, float, float, bool, str]:
    """Sorts by what needs a look: raised or to be raised, soonest dry, fullest; last what nobody
    has been heard of.
    """
    is_rising = target["action"] == "scale_out" or "rising_demand" in target["reasons"]
    dry_s = target["seconds_to_throttle"]
    full = (target["demand"] or 0.0) / (target["provisioned"] or _NEVER_S)
    dry_s = _NEVER_S if dry_s is None else dry_s
    return not is_rising, dry_s, -full, target["demand"] is None, _name(target)


def _draw_target(target: Told, last: Told | None, columns: _Columns) -> list[str]:
    """One line, and more where what is done does not fit its column."""
    figures = (
        f"{say_number(target['demand']):>7}",
        f"{say_number(target['expected']):>8}",
        f"{say_number(target['provisioned']):>7}",
        f"{say_seconds(target['seconds_to_throttle']):>6}",
    )
    line = f"{cut_middle(_name(target), columns.name):{columns.name}} {' '.join(figures)}  "
    room = columns.doing - _GAP if columns.is_wide else columns.doing
    first, *more = textwrap.wrap(_say_doing(target), max(room, 1), break_long_words=False) or [""]
    if len(first) > room:
        first, more = "", [first, *more]
    line += f"{first:{columns.doing}}{_say_last(target, last)}" if columns.is_wide else first
    rest = label("", [" ".join(more)], columns.width, indent=_INDENT) if more else []
    return [cut(line, columns.width).rstrip(), *rest]


def _say_doing(target: Told) -> str:
    held = say_reasons(target["held_by"])
    why = say_reasons([name for name in target["reasons"] if name not in target["held_by"]])
    if target["action"] != "hold":
        arrow = _UP if target["action"] == "scale_out" else _DOWN
        return f"{arrow}{say_number(target['units'])}: {why}{f'; {held}' if held else ''}"
    return f"{_say_wanted(target)}{held}" if held else why


def _say_wanted(target: Told) -> str:
    """What demand asks for and does not get."""
    if "rising_demand" in target["reasons"]:
        return f"{_UP}{_say_ceiling(target['least'])} held: "
    if "trough" in target["reasons"]:
        return f"{_DOWN}{_say_ceiling(target['resting'])} held: "
    return ""


def _say_ceiling(units: float | None) -> str:
    return say_number(None if units is None else math.ceil(units))


def _say_last(target: Told, last: Told | None) -> str:
    """What the table's last change made of this target, if it did concern it."""
    if last is None:
        return ""
    if last["switched_to"]:
        outcome = "in force" if last["in_force_after_s"] is not None else last["outcome"]
        mode = _MODES[last["switched_to"]]
        return f"{mode}, {outcome.replace('_', ' ')}, {say_seconds(last['s_ago'])} ago"
    for change in last["changes"]:
        if change["target"] == say_target(target):
            outcome = "in force" if last["in_force_after_s"] is not None else last["outcome"]
            units = f"{_say_units(change['from'])}→{_say_units(change['to'])}"
            return f"{units}, {outcome.replace('_', ' ')}, {say_seconds(last['s_ago'])} ago"
    return ""


def _say_units(units: int | None) -> str:
    return "?" if units is None else f"{units:,}"


def _sum_up(left: list[Told]) -> str:
    """What is not shown. Whether a bucket runs dry is known of those that were heard of."""
    dry = [t["seconds_to_throttle"] for t in left if t["seconds_to_throttle"] is not None]
    unheard = sum(target["demand"] is None for target in left)
    said = [f"and {len(left):,} more{f' ({unheard:,} unheard)' if unheard else ''}"]
    if dry:
        said.append(f"dry in {say_seconds(min(dry))} at the soonest")
    elif unheard < len(left):
        said.append("none running dry")
    return f"{', '.join(said)}; --all shows them"


def _name(target: Told) -> str:
    place = f"{target['table']}/{target['index']}" if target["index"] else target["table"]
    return f"{place}:{target['dimension']}"
