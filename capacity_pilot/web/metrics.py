"""``/metrics`` in Prometheus's text format, version 0.0.4.

https://prometheus.io/docs/instrumenting/exposition_formats/
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Literal

from aiohttp import web

_CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"
_LABEL = str.maketrans({"\\": r"\\", '"': r"\"", "\n": r"\n"})
_HELP = str.maketrans({"\\": r"\\", "\n": r"\n"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Metric:
    """A metric's name, what it means, and its samples by label. Counters end in ``_total``."""

    name: str
    kind: Literal["counter", "gauge"]
    told: str
    samples: Iterable[tuple[Mapping[str, str], float]]


def metrics_route(collect: Callable[[], Iterable[Metric]]) -> web.RouteDef:
    """The route, for a server to add; ``collect`` is asked at every scrape.

    What it gives is gone through in a thread: a large fleet's must not hold up the loop. So it
    has to come from what nobody changes.
    """

    async def get(_: web.Request) -> web.Response:
        text = await asyncio.to_thread(render_metrics, collect())
        return web.Response(body=text.encode(), headers={"Content-Type": _CONTENT_TYPE})

    return web.get("/metrics", get)


def render_metrics(metrics: Iterable[Metric]) -> str:
    """One line per sample; infinite and absent values as the format spells them."""
    return "".join(line + "\n" for metric in metrics for line in _render(metric))


def _render(metric: Metric) -> Iterator[str]:
    yield f"# HELP {metric.name} {metric.told.translate(_HELP)}"
    yield f"# TYPE {metric.name} {metric.kind}"
    for labels, value in metric.samples:
        pairs = ",".join(f'{name}="{text.translate(_LABEL)}"' for name, text in labels.items())
        yield f"{metric.name}{{{pairs}}} {_spell(value)}"


def _spell(value: float) -> str:
    """As Go's ParseFloat reads it."""
    return repr(float(value)).replace("inf", "Inf").replace("nan", "NaN")
