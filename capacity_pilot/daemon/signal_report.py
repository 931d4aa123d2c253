"""What is known of upstream signals, as plain data for ``/status``."""

from __future__ import annotations

from dataclasses import asdict

from capacity_pilot.core.pilot import Pilot


def render_signals(pilot: Pilot) -> dict[str, object]:
    """The signals told of, and which of them lead what, by how much and how surely."""
    names = [name for _, name in pilot.signals.names]
    leads = []
    for lead in pilot.leads:
        told = asdict(lead) | {"signal": names[lead.signal]}
        target = pilot.fleet.target(told.pop("slot"))
        leads.append({"target": str(target)} | {k: _round(v) for k, v in told.items()})
    return {"known": names, "left_out": pilot.signals.left_out, "leads": leads}


def _round(value: object) -> object:
    return round(value, 4) if isinstance(value, float) else value
