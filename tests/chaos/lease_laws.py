"""What must hold of pilots that share a lease: one of them changes capacity, and one always does.

Who has the lease is what the state table says, and not what a pilot believes.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Final

from tests.chaos import state_table
from tests.chaos.aws import Account, Call
from tests.chaos.faults import BadCalls
from tests.chaos.pilot_process import PilotProcess
from tests.chaos.schedule import Schedule
from tests.chaos.variants import STORE_OPERATIONS

TAKEOVER_S: Final = 15.0
_CHANGES: Final = {"UpdateTable", "RegisterScalableTarget"}
_NEEDED: Final = STORE_OPERATIONS | {"DescribeTable"}

Break = Callable[[str, str], None]


class LeaseLaws:
    """Sees every change that is sent and that arrives, and looks at the pilots every second."""

    def __init__(self, schedule: Schedule, account: Account, break_law: Break) -> None:
        self._account = account
        self._break = break_law
        self._faults = [
            fault
            for fault in schedule.faults
            if isinstance(fault, BadCalls) and fault.operations & _NEEDED
        ]
        self._names: dict[int, str] = {}
        self._well_since: dict[int, float] = {}
        self._led_at = 0.0
        self._lease: state_table.LeaseItem | None = None
        account.on_arrival.append(self._judge_arrival)

    def sent(self, process: PilotProcess, call: Call) -> None:
        """A change is sent: by the holder, and under the token that it holds."""
        lease = process.lease
        assert lease is not None
        has = state_table.read_lease(self._account.store)
        if has is None or (has.holder, has.token) != (process.name, lease.token):
            what = f"{process.name} with token {lease.token} while it is {has}"
            self._break("the holder's to send", f"{call.table}: {what}: {call.parameters}")

    def look(self, processes: Iterable[PilotProcess], now: float) -> None:
        """Where one could have taken over for long enough, somebody has.

        A holder that is cut off, but gets through now and then, still has the lease.
        """
        well: dict[int, float] = {}
        for process in processes:
            self._names[process.number] = process.name
            if process.is_paused or not process.is_ticking or self._is_cut_off(process.place, now):
                continue
            well[process.number] = self._well_since.get(process.number, now)
            if process.tenure.may_send(0.0):
                self._led_at = now
        self._well_since = well
        lease = state_table.read_lease(self._account.store)
        if lease != self._lease and lease is not None:
            self._lease = lease
            if lease.holder not in {self._names[number] for number in well}:
                self._led_at = now
        waited_s = now - max(self._led_at, min(well.values(), default=now))
        if waited_s > TAKEOVER_S:
            self._break("takeover", f"nobody for {waited_s:.0f} s, though {sorted(well)} could")
            self._led_at = now  # told once

    def _judge_arrival(self, call: Call) -> None:
        """A change arrives: its sender still has the lease, alive or not."""
        if call.operation not in _CHANGES:
            return
        has = state_table.read_lease(self._account.store)
        name = self._names.get(call.process)
        if has is None or name is None or has.holder not in ("", name):
            late_s = (call.reached_at or 0.0) - call.begun_at
            what = f"{name}'s arrives after {late_s:.2f} s while it is {has}"
            self._break("the holder's to arrive", f"{call.table}: {what}: {call.parameters}")

    def _is_cut_off(self, place: int, now: float) -> bool:
        return any(now in f.during and f.place in (None, place) for f in self._faults)
