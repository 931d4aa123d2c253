"""The HTML report: one file that asks the network for nothing."""

from __future__ import annotations

import base64
import hashlib
import importlib
from collections.abc import Iterator, Mapping
from importlib import resources
from pathlib import Path
from string import Template

from capacity_pilot.core.errors import InputError
from capacity_pilot.simulator.report.figure import Figure
from capacity_pilot.simulator.report.frontier_figure import draw_frontier
from capacity_pilot.simulator.report.headline import draw_headline
from capacity_pilot.simulator.report.markup import escape
from capacity_pilot.simulator.report.section import draw_chart, draw_section
from capacity_pilot.simulator.report.tables import draw_fleet_table, draw_overview_table
from capacity_pilot.simulator.report.wording import ABSENT
from capacity_pilot.simulator.result import LEAST_DAYS, ReplayResult


def write_html(result: ReplayResult, path: Path) -> None:
    """Writes the report to ``path``, replacing what is there.

    Raises ``InputError`` where plotly is not installed or ``path`` cannot be written.
    """
    text = "".join(_compose(result))
    try:
        path.write_text(text, encoding="utf-8")
    except OSError as error:
        raise InputError(f"{path}: cannot write the report: {error.strerror}") from error


def _compose(result: ReplayResult) -> Iterator[str]:
    plotly_js = _read_plotly_js()
    script = _read("page.js")
    yield Template(_read("page.html")).substitute(
        policy=_content_policy(plotly_js, script),
        style=_read("page.css"),
        plotly_js=plotly_js,
        headline=draw_headline(result),
        fleet_tables="".join(_draw_fleets(result)),
        fleet_frontier=draw_chart("fleet-frontier", _draw_fleet_frontier(result)),
        overview_table=draw_overview_table(result),
        traces="".join(draw_section(trace, index) for index, trace in enumerate(result.traces)),
        settings=_draw_settings(result.settings),
        script=script,
    )


def _draw_fleet_frontier(result: ReplayResult) -> Figure:
    risks = {trace.risk_ppm for trace in result.traces}
    risk_ppm = risks.pop() if len(risks) == 1 else None
    return draw_frontier(result.fleet, of="all traces", risk_ppm=risk_ppm)


def _draw_fleets(result: ReplayResult) -> Iterator[str]:
    """All traces; then those of a day or more, by which targets are set, if that is a choice."""
    count = len(result.traces)
    yield draw_fleet_table(result.fleet, caption=f"All traces ({count})")
    of_days = sum(trace.days >= LEAST_DAYS for trace in result.traces)
    if 0 < of_days < count:
        caption = f"Traces of a day or more ({of_days} of {count})"
        yield f"<h3>{escape(caption)}</h3>"
        yield draw_fleet_table(result.fleet_of_days, caption=caption)


def _read(name: str) -> str:
    return resources.files(__package__).joinpath(name).read_text(encoding="utf-8")


def _read_plotly_js() -> str:
    """plotly.js as the installed plotly ships it (MIT; its licence heads the file)."""
    try:
        # Untyped, and slow to import: only a report that is really written pays for it.
        offline = importlib.import_module("plotly.offline")
    except ImportError as error:
        raise InputError(
            "the HTML report needs plotly: pip install 'capacity-pilot[simulation]'"
        ) from error
    return str(offline.get_plotlyjs())


def _content_policy(*scripts: str) -> str:
    """Lets a browser run our own scripts and nothing else, and load nothing from anywhere."""
    hashes = " ".join(
        "'sha256-" + base64.b64encode(hashlib.sha256(text.encode()).digest()).decode() + "'"
        for text in scripts
    )
    # plotly.js sets styles, and makes its pictures for download from data: and blob: URLs.
    return (
        f"default-src 'none'; script-src {hashes}; style-src 'unsafe-inline'; "
        "img-src data: blob:; base-uri 'none'; form-action 'none'"
    )


def _draw_settings(settings: Mapping[str, object]) -> str:
    rows = "".join(
        f"<dt>{escape(name.replace('_', ' '))}</dt><dd>{_draw_setting(value)}</dd>"
        for name, value in settings.items()
    )
    return f"<dl>{rows}</dl>"


def _draw_setting(value: object) -> str:
    if isinstance(value, Mapping):
        return escape(", ".join(f"{name} {each}" for name, each in value.items()) or ABSENT)
    if isinstance(value, (list, tuple)):
        return escape(", ".join(str(each) for each in value) or ABSENT)
    return escape(ABSENT if value is None else value)
