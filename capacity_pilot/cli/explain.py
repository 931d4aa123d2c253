"""``capacity-pilot explain TABLE``: why a table has what it has, and why not more or less."""

from __future__ import annotations

import asyncio
from collections import defaultdict
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from typing import Any
from urllib.parse import quote

from pydantic import BaseModel, ConfigDict, Field
from pydantic_settings import CliImplicitFlag, CliPositionalArg

from capacity_pilot.cli.daemon_calls import DEFAULT_URL, call
from capacity_pilot.cli.screen import (
    HELD,
    Size,
    hang,
    label,
    measure_terminal,
    say_number,
    say_override,
    say_reasons,
    say_seconds,
    say_target,
    say_time,
    write_lines,
)

Told = Mapping[str, Any]

_INDENT = 13
_LEAST_CHANGES = 2
_VERBS = {"scale_out": "raise", "scale_in": "lower"}
_SWITCHED = {"PAY_PER_REQUEST": "switch to on-demand", "PROVISIONED": "switch to provisioned"}


class Explain(BaseModel):
    """Show what a running daemon wants of one table and why, what holds it back and until when,
    and what it last did. Units are per second, times UTC.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    table: CliPositionalArg[str] = Field(description="the table's name")
    url: str = Field(default=DEFAULT_URL, description="where the daemon is")
    in_full: CliImplicitFlag[bool] = Field(
        default=False, alias="all", description="more than fits the terminal"
    )

    def cli_cmd(self) -> None:
        told = asyncio.run(call("GET", self.url, f"/explain/{quote(self.table, safe='')}"))
        now = datetime.now(UTC).timestamp()
        write_lines(draw_explanation(told, measure_terminal(is_whole=self.in_full), now=now))


def draw_explanation(told: Told, size: Size, *, now: float) -> list[str]:
    """Lines of at most ``size.width``; where they would be more than ``size.height``, all is said
    of the target that needs a look most, in brief of those that do not, and only the latest
    changes are shown.
    """
    width = size.width
    head = [line for text in _draw_head(told, now) for line in hang(text, width)]
    targets = sorted(told["targets"], key=_is_quiet)
    full = [_draw_target(target, width, now) for target in targets]
    brief = [hang(_sum_up(target), width) for target in targets]
    changes = [line for change in told["changes"] for line in _draw_change(change, width, now)]
    changes = changes or ["  none in the last day"]
    if size.height is None:
        return [*head, *_flatten(full), "", "last changes", *changes]
    room = size.height - len(head) - 2 - min(len(changes), _LEAST_CHANGES)
    body = _flatten(_fit(full, brief, room))
    left = size.height - len(head) - len(body) - 2
    tail = ["", "last changes", *changes[:left]] if left > 0 else []
    return [*head, *body, *tail][: size.height]


def _fit(full: list[list[str]], brief: list[list[str]], room: int) -> list[list[str]]:
    """The first in full, and as many more as there is room for when the others are brief."""
    chosen = [*full[:1], *brief[1:]]
    for n, lines in enumerate(full[1:], start=1):
        if sum(map(len, chosen)) - len(chosen[n]) + len(lines) > room:
            break
        chosen[n] = lines
    return chosen


def _flatten(parts: list[list[str]]) -> list[str]:
    return [line for part in parts for line in part]


def _draw_head(told: Told, now: float) -> Iterator[str]:
    resources, allowed = told["resources"], defaultdict(list)
    states = sorted({resource["status"] for resource in resources})
    state = "a change is under way" if told["is_changing"] else "/".join(states)
    yield (
        f"{told['table']}: policy {told['policy']!r}, {told['mode']}, {state}, "
        f"read {say_seconds(told['described_s_ago'])} ago"
    )
    if (escape := told.get("on_demand_escape")) is not None:
        yield _say_escape(escape, now)
    for freeze in told["freezes"]:
        held, until = HELD[freeze["direction"]], say_time(freeze["until"], now)
        yield f"! {held} until {until}: frozen {freeze['id']} by {freeze['by']}: {freeze['why']}"
    for override in told["overrides"]:
        set_to = say_override(override, now)
        yield f"! {set_to}: {override['id']} by {override['by']}: {override['why']}"
    for resource in resources:
        allowed[_say_decreases(resource, now)].append(resource["resource"])
    for said, of in allowed.items():
        yield f"  decreases AWS allows of {', '.join(of)}: {said}"


def _say_decreases(resource: Told, now: float) -> str:
    if resource["next_decrease_at"]:
        return f"none before {say_time(resource['next_decrease_at'], now)}"
    if resource["free_decreases"]:
        return f"{resource['free_decreases']} more today at any time"
    return "one now, the next an hour later"


def _say_escape(escape: Told, now: float) -> str:
    of = f"{escape['switches_in_24_h']} of {escape['switches_per_day']} switches in 24 h"
    if escape["billing_mode"] != "PAY_PER_REQUEST":
        return f"  may be switched to on-demand: {of}"
    since, usd = escape["on_demand_since"], escape["usd_per_hour"]
    cost = "" if usd is None else f", ${usd:.4g}/h"
    begun = "" if since is None else f" since {say_time(since, now)}"
    return f"! on-demand{begun}{cost}: {of}"


def _is_quiet(target: Told) -> tuple[bool, bool, bool, float]:
    """Sorts what is to be moved first, then what is held, then the fullest; last what nobody has
    been heard of.
    """
    full = (target["demand"] or 0.0) / (target["provisioned"] or float("inf"))
    is_held = "rising_demand" in target["reasons"] or "overridden" in target["reasons"]
    is_still = target["action"] == "hold" and not is_held
    return is_still, target["demand"] is None, not target["held_by"], -full


def _draw_target(target: Told, width: int, now: float) -> list[str]:
    lines = ["", *hang(f"{say_target(target)}: {_say_decision(target)}", width)]
    for name, texts in (
        ("  demand", [_say_demand(target)]),
        ("  capacity", [_say_capacity(target)]),
        ("  bucket", [] if _is_unheard(target) else [_say_bucket(target)]),
        ("  why", target["because"]),
        ("  heard", [target["heard"]] if target["rung"] != "full" else []),
        ("  held", [_say_hold(hold, now) for hold in target["holds"]]),
    ):
        lines += label(name, texts, width, indent=_INDENT)
    return lines


def _say_decision(target: Told) -> str:
    has = _say_provisioned(target)
    if target["action"] in _VERBS:
        return f"{_VERBS[target['action']]} from {has} to {say_number(target['units'])}"
    return f"stay at {has}" if target["holds"] or target["because"] else f"stay at {has}, steady"


def _say_provisioned(target: Told) -> str:
    if target["provisioned"] is not None:
        return say_number(target["provisioned"])
    return "on-demand" if "on_demand" in target["reasons"] else "a capacity not read yet"


def _is_unheard(target: Told) -> bool:
    """Nobody has told of its demand: neither is its need known, nor what is in its bucket."""
    return target["demand"] is None and target["least"] is None


def _say_demand(target: Told) -> str:
    if target["demand"] is None:
        return "unknown: no span has told of it"
    ahead = f"{say_number(target['expected'])} within {say_seconds(target['apply_time_s'])}"
    said = [f"{say_number(target['demand'])} now, {ahead} as seconds show it"]
    if (high := target["quantiles"].get("0.99")) is not None:
        said.append(f"99 % below {say_number(high)}")
    if target["coverage"] is not None:
        said.append(f"spans tell of {target['coverage']:.0%}")
    for key, what in (("foreseen", "known to come"), ("upstream", "announced by signals")):
        if target[key] is not None:
            said.append(f"{say_number(target[key])} {what}")
    return "; ".join(said)


def _say_capacity(target: Told) -> str:
    has = _say_provisioned(target)
    if target["min"] is None:
        return f"{has}; not the pilot's: the policy gives no bounds"
    bounds = f"{say_number(target['min'])} to {say_number(target['max'])}"
    if _is_unheard(target):
        return f"{has}, bounds {bounds}; what it needs is unknown"
    needs = f"{has}, bounds {bounds}; needs {say_number(target['least'])} at least"
    if (target["resting"] or 0.0) >= (target["provisioned"] or 0.0):
        return needs
    return f"{needs}, would come down to {say_number(target['resting'])}"


def _say_bucket(target: Told) -> str:
    dry_s = target["seconds_to_throttle"]
    lasts = "does not run dry" if dry_s is None else f"runs dry in {say_seconds(dry_s)}"
    if target["provisioned"] is None:
        return "none while on-demand" if "on_demand" in target["reasons"] else "unknown"
    trusted = f"{target['burst_reliance']:.0%} of it trusted"
    return f"{say_number(target['burst_units'])} units of burst, {trusted}; {lasts}"


def _say_hold(hold: Told, now: float) -> str:
    until = "" if hold["until"] is None else f" (until {say_time(hold['until'], now)})"
    return f"{hold['because']}{until}"


def _sum_up(target: Told) -> str:
    begun = f"{say_target(target)}: {_say_decision(target)}, "
    why = target["held_by"] or target["reasons"]
    if target["demand"] is not None:
        return f"{begun}demand {say_number(target['demand'])}; {say_reasons(why)}"
    more = say_reasons([name for name in why if name != "no_telemetry"])
    return f"{begun}nothing heard{f'; {more}' if more else ''}"


def _draw_change(change: Told, width: int, now: float) -> list[str]:
    moved = ", ".join(
        f"{c['target']} {'?' if c['from'] is None else format(c['from'], ',')} → {c['to']:,}"
        for c in change["changes"]
    )
    if change["switched_to"]:
        moved = ", ".join(filter(None, (_SWITCHED[change["switched_to"]], moved)))
    outcome = change["outcome"].replace("_", " ")
    if change["in_force_after_s"] is not None:
        outcome = f"in force after {change['in_force_after_s']:g} s"
    if change["tries"] > 1:
        outcome += f", try {change['tries']}"
    message = f" ({change['message']})" if change["message"] else ""
    text = f"{moved}: {outcome}{message}; {say_reasons(change['reasons'])}"
    when = f"  {say_time(change['at'], now)}"
    return label(when, [text], width, indent=_INDENT)
