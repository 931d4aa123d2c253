"""The demo in words: phases, the daemon's events, and the summary's sentences."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Final

from capacity_pilot.core.model import Resource
from capacity_pilot.core.reasons import WORDING
from capacity_pilot.demo.processes import Line
from capacity_pilot.demo.recording import PilotEvent
from capacity_pilot.demo.tables import FEED
from capacity_pilot.demo.timeline import Phase, Timeline

_WORDING: Final = {reason.name.lower(): words for reason, words in WORDING.items() if reason.name}


def describe_phase(timeline: Timeline, at_s: float) -> str:
    """What the crowd is doing, in one line."""
    since_push = at_s - timeline.push_s
    match timeline.phase(at_s):
        case Phase.WARM_UP:
            return f"warm-up: the push notification leaves in {-since_push:.0f} s"
        case Phase.RISE:
            return f"PUSH SENT {since_push:.0f} s ago: demand rises to {timeline.factor:g} times"
        case Phase.HOLD:
            return f"push {since_push:.0f} s ago: demand holds at {timeline.factor:g} times"
        case Phase.DECAY:
            return f"push {since_push:.0f} s ago: the crowd leaves"
        case Phase.OVER:
            return "over: the last requests come back"


def is_worth_telling(event: PilotEvent) -> bool:
    """True for what an onlooker should read."""
    return event.name in _SENTENCES


def describe_event(event: PilotEvent) -> str:
    """One line for an event that is worth telling."""
    return _SENTENCES[event.name](event.facts)


def _tell_decision(facts: Line) -> str:
    because = "; ".join(_WORDING.get(reason, reason) for reason in facts["reasons"])
    return f"decision: scale {facts['direction']}, {_list_changes(facts['changes'])}: {because}"


def _tell_actuation(facts: Line) -> str:
    if facts["outcome"] == "requested":
        return f"UpdateTable taken {facts['after_decision_s']:.2f} s after the decision"
    return f"UpdateTable {facts['outcome']}: {facts['message'] or 'nothing sent'}"


def _tell_applied(facts: Line) -> str:
    return f"in force after {facts['apply_time_s']:.1f} s: {_list_changes(facts['changes'])}"


def _tell_loss(facts: Line) -> str:
    return f"telemetry lost for {facts['silent_s']:.0f} s: capacity is held, silence is not zero"


_SENTENCES: Final[Mapping[str, Callable[[Line], str]]] = {
    "decision": _tell_decision,
    "actuation": _tell_actuation,
    "capacity_applied": _tell_applied,
    "telemetry_lost": _tell_loss,
    "telemetry_resumed": lambda _facts: "telemetry is back",
}


def _list_changes(changes: list[dict[str, Any]]) -> str:
    return ", ".join(f"{_short(c['resource'])} {c['read']} r {c['write']} w" for c in changes)


def _short(resource: str) -> str:
    """The index's name, or that it is the table: there is only one."""
    return (
        "table" if resource == FEED else resource.removeprefix(str(Resource(FEED, "")) + "/index/")
    )
