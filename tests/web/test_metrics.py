"""``/metrics`` as Prometheus reads it."""

from __future__ import annotations

import math
import re

import aiohttp
from hypothesis import given
from hypothesis import strategies as st

from capacity_pilot.web.health import serve_health
from capacity_pilot.web.metrics import Metric, metrics_route, render_metrics

FORECAST = Metric(
    name="capacity_pilot_forecast_units",
    kind="gauge",
    told="Demand ahead,\nper \\ second.",
    samples=(
        ({"table": "feed", "quantile": "0.5"}, 120.0),
        ({"table": "feed", "quantile": "0.99"}, math.inf),
        ({"table": "idle", "quantile": "0.5"}, math.nan),
    ),
)


def test_a_metric_is_told_of_once_and_its_samples_line_by_line() -> None:
    assert render_metrics([FORECAST]).splitlines() == [
        r"# HELP capacity_pilot_forecast_units Demand ahead,\nper \\ second.",
        "# TYPE capacity_pilot_forecast_units gauge",
        'capacity_pilot_forecast_units{table="feed",quantile="0.5"} 120.0',
        'capacity_pilot_forecast_units{table="feed",quantile="0.99"} Inf',
        'capacity_pilot_forecast_units{table="idle",quantile="0.5"} NaN',
    ]


@given(st.text())
def test_a_label_stays_within_its_quotes_whatever_it_says(text: str) -> None:
    metric = Metric(name="m", kind="gauge", told="", samples=[({"table": text}, 1.0)])
    line = render_metrics([metric]).removeprefix("# HELP m \n# TYPE m gauge\n")
    match = re.fullmatch(r'm\{table="((?:[^\\"\n]|\\[\\"n])*)"\} 1\.0\n', line, flags=re.DOTALL)
    assert match is not None
    spelled = {r"\\": "\\", r"\"": '"', r"\n": "\n"}
    assert re.sub(r"\\[\\\"n]", lambda found: spelled[found[0]], match[1]) == text


async def test_it_is_served_beside_the_status() -> None:
    async with (
        serve_health(
            host="127.0.0.1",
            port=0,
            find_fault=lambda: None,
            report_status=dict,
            routes=[metrics_route(lambda: [FORECAST])],
        ) as port,
        aiohttp.ClientSession() as session,
        session.get(f"http://127.0.0.1:{port}/metrics") as response,
    ):
        assert response.headers["Content-Type"] == "text/plain; version=0.0.4; charset=utf-8"
        assert await response.text() == render_metrics([FORECAST])
