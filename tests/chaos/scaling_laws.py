"""What must hold of every change of a minimum, and of what is registered when all is over."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping
from typing import Any, Final

from capacity_pilot.adapters.scaling_holds import DOCUMENT
from capacity_pilot.core.holds import Hold, decode_holds
from capacity_pilot.core.model import ScalableTarget
from capacity_pilot.simulator.physics.auto_scaling import name_target
from tests.chaos.aws import Account, Call
from tests.chaos.pilot_process import PilotProcess
from tests.chaos.scaler import Scaler
from tests.chaos.schedule import Schedule

_SENDABLE: Final = {"MinCapacity", "ResourceId", "ScalableDimension", "ServiceNamespace"}
_FRESH_S: Final = 5.05

Break = Callable[[str, str], None]
ReadDocument = Callable[[PilotProcess, str], bytes | None]


class ScalingLaws:
    """Watches what all processes ask of Application Auto Scaling.

    ``read_document`` reads what whoever comes after a process would find in its journal.
    """

    def __init__(
        self,
        schedule: Schedule,
        account: Account,
        scaler: Scaler,
        *,
        break_law: Break,
        read_document: ReadDocument,
    ) -> None:
        self._account = account
        self._schedule = schedule
        self._scaler = scaler
        self._break = break_law
        self._read_document = read_document
        self._targets = {_key(name_target(target)): target for target in schedule.scaled}
        self._read: dict[tuple[int, ScalableTarget], Call] = {}
        self._changes: dict[ScalableTarget, list[Call]] = defaultdict(list)
        self._seen_at: dict[int, float] = {}  # by call, when its sender had read the target

    def passed(self, process: PilotProcess, point: str, call: Call) -> None:
        """A process has come to this point of a call."""
        if point == "scaling_read_answered":
            for answer in (call.answer or {}).get("ScalableTargets", ()):
                self._read[process.number, self._targets[_key(answer)]] = call
        elif point == "register_begun":
            target = self._targets.get(_key(call.parameters))
            if target is None:
                self._break("registrations", f"makes one: {call.parameters}")
                return
            for what in self._judge(process, target, call):
                self._break("registrations", f"{target}: {what}: {call.parameters}")
            self._changes[target].append(call)

    def _judge(self, process: PilotProcess, target: ScalableTarget, call: Call) -> Iterator[str]:
        if call.parameters.keys() != _SENDABLE:
            yield f"sends {sorted(call.parameters)}"
        if any(
            earlier.ended_at is None and earlier.process == process.number
            for earlier in self._changes[target]
        ):
            yield "another change of it is in flight"
        read = self._read.get((process.number, target))
        if read is None or read.reached_at is None or read.answer is None:
            yield "was never read"
            return
        self._seen_at[id(call)] = read.reached_at
        if (age_s := call.begun_at - read.begun_at) > _FRESH_S:
            yield f"rests on a reading {age_s:.2f} s old"
        minimum = call.parameters["MinCapacity"]
        least = self._operators(target, read.reached_at)
        if not least <= minimum <= self._schedule.ceiling:
            yield f"{minimum} is not within {least} and {self._schedule.ceiling}"
        hold = self._holds(process).get(target)
        if hold is None or hold.minimum != least:
            yield f"what is to be given back, {least}, is not kept: {hold}"
        elif minimum != least and minimum not in hold.asked:
            yield f"that it is the pilot's own is not kept: {hold}"

    def judge_end(self) -> None:
        """All that was the operators' is registered again."""
        for target in sorted(self._targets.values()):
            found = self._scaler.minimum(target)
            if found not in (allowed := self._allowed(target)):
                self._break("given back", f"{target} has {found}, its operator's is {allowed}")
            if self._scaler.is_suspended(target):
                self._break("given back", f"{target} is suspended")

    def _allowed(self, target: ScalableTarget) -> set[int]:
        """The operator's last. One that a change overtook that was on its way is nobody's to know:
        AWS takes changes without any condition.
        """
        values = self._scaler.operators[target]
        overtaken = any(
            self._seen_at.get(id(call), 0.0) <= at - self._account.epoch <= (call.reached_at or 0.0)
            for at, _ in values[1:]
            for call in self._changes[target]
        )
        return {minimum for _, minimum in (values if overtaken else values[-1:])}

    def _operators(self, target: ScalableTarget, elapsed_s: float) -> int:
        """The operator's minimum at that time."""
        at = self._account.epoch + elapsed_s
        return [minimum for since, minimum in self._scaler.operators[target] if since <= at][-1]

    def _holds(self, process: PilotProcess) -> dict[ScalableTarget, Hold]:
        content = self._read_document(process, DOCUMENT)
        return {} if content is None else {hold.target: hold for hold in decode_holds(content)}


def _key(named: Mapping[str, Any]) -> tuple[str, str]:
    return named["ResourceId"], named["ScalableDimension"]
