"""The report as a file: asks for nothing, trusts no name, can be read without seeing."""

from __future__ import annotations

import base64
import hashlib
import json
import re
import sys
from dataclasses import dataclass, field, replace
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import pytest

from capacity_pilot.core.errors import InputError
from capacity_pilot.simulator.report import write_html
from capacity_pilot.simulator.result import Minutes, ReplayResult
from tests.simulator.report.results import make_result

HOSTILE = "<img src=x onerror=alert(1)></script><script>alert(2)</script>\"' &amp; %{y} $x"


@dataclass
class Document(HTMLParser):
    """Elements with their attributes, and what the scripts contain."""

    elements: list[tuple[str, dict[str, str | None]]] = field(default_factory=list)
    scripts: list[tuple[dict[str, str | None], str]] = field(default_factory=list)
    text: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        super().__init__(convert_charrefs=True)

    __hash__ = None  # type: ignore[assignment]

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs)))
        if tag == "script":
            self.scripts.append((dict(attrs), ""))

    def handle_data(self, data: str) -> None:
        if self.elements and self.elements[-1][0] == "script" and self.scripts:
            attributes, before = self.scripts[-1]
            self.scripts[-1] = attributes, before + data
        else:
            self.text.append(data)

    def handle_endtag(self, tag: str) -> None:
        if tag == "script":
            self.elements.append(("/script", {}))

    def all(self, tag: str) -> list[dict[str, str | None]]:
        return [attributes for name, attributes in self.elements if name == tag]

    @property
    def figures(self) -> list[str]:
        return [text for attributes, text in self.scripts if "type" in attributes]


def write(result: ReplayResult, folder: Path) -> Document:
    path = folder / "report.html"
    write_html(result, path)
    document = Document()
    document.feed(path.read_text(encoding="utf-8"))
    return document


def test_nothing_is_loaded_from_anywhere(tmp_path: Path) -> None:
    document = write(make_result(), tmp_path)
    for _, attributes in document.elements:
        for name in ("src", "srcset", "href", "action", "data", "poster"):
            address = attributes.get(name) or "#"
            assert address.startswith("#") or address == "data:,", attributes
    styles = (tmp_path / "report.html").read_text(encoding="utf-8").split("</style>")[0]
    assert "url(" not in styles
    assert "@import" not in styles


def test_the_browser_is_told_to_run_these_scripts_and_no_others(tmp_path: Path) -> None:
    document = write(make_result(), tmp_path)
    [policy] = [
        meta["content"] or ""
        for meta in document.all("meta")
        if meta.get("http-equiv") == "Content-Security-Policy"
    ]
    assert policy.startswith("default-src 'none';")
    run = [text for attributes, text in document.scripts if "type" not in attributes]
    assert len(run) == 2
    for text in run:
        digest = base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()
        assert f"'sha256-{digest}'" in policy
    assert "unsafe" not in policy.split("script-src")[1].split(";")[0]


def test_a_trace_tells_how_true_its_forecasts_were(tmp_path: Path) -> None:
    words = " ".join(write(make_result(names=["feed"]), tmp_path).text)
    words = words.replace("\N{NO-BREAK SPACE}", " ")
    for told in (
        "The pilot's forecasts of feed",
        "apply time, 53 s",
        "1.2 %",
        "last 75 %, level 20 %",
    ):
        assert told in words
    without = make_result(names=["feed"], strategies=("aws-auto-scaling-70", "clairvoyant"))
    assert "Forecast" not in " ".join(write(without, tmp_path).text)


def test_names_are_text_wherever_they_come_from(tmp_path: Path) -> None:
    strategies = ("pilot", "aws-auto-scaling-70", HOSTILE + "-60", "clairvoyant")
    plain = make_result(
        names=["plain"], strategies=("pilot", "aws-auto-scaling-70", "other-60", "clairvoyant")
    )
    hostile = make_result(
        names=[HOSTILE],
        strategies=strategies,
        reasons=(HOSTILE,),
        settings={HOSTILE: HOSTILE, "versions": {HOSTILE: HOSTILE}, "demand": [HOSTILE]},
    )
    hostile = replace(hostile, traces=(replace(hostile.traces[0], policy=HOSTILE),))
    document = write(hostile, tmp_path)
    tags = {tag for tag, _ in document.elements}
    assert tags == {tag for tag, _ in write(plain, tmp_path).elements}
    assert not [a for _, attributes in document.elements for a in attributes if a.startswith("on")]
    assert HOSTILE in "".join(document.text)
    # plotly.js reads a little HTML in every string, so there names are escaped once more.
    drawn = [string for text in document.figures for string in _strings(json.loads(text))]
    assert any("&lt;img" in string for string in drawn)
    assert not [string for string in drawn if re.search(r"<(?!/?b>|br>|extra>|/extra>)", string)]


def _strings(value: object) -> list[str]:
    if isinstance(value, str):
        return [value]
    if isinstance(value, dict):
        return [string for each in value.values() for string in _strings(each)]
    if isinstance(value, list):
        return [string for each in value for string in _strings(each)]
    return []


def test_a_restless_week_keeps_twelve_traces_within_25_megabytes(tmp_path: Path) -> None:
    result = make_result(names=["week"], days=7)
    trace = result.traces[0]
    draw = np.random.default_rng(3).random
    courses = {
        name: replace(
            course,
            minutes=Minutes(
                provisioned=1e4 * draw(10_080),
                throttled=1e4 * draw(10_080),
                burst=300 * draw(10_080),
            ),
        )
        for name, course in trace.courses.items()
    }
    write(replace(result, traces=()), tmp_path)
    shell = (tmp_path / "report.html").stat().st_size
    write(replace(result, traces=(replace(trace, courses=courses),)), tmp_path)
    section = (tmp_path / "report.html").stat().st_size - shell
    assert shell + 12 * section < 25e6


def test_it_can_be_read_aloud(tmp_path: Path) -> None:
    document = write(make_result(), tmp_path)
    assert document.all("html")[0]["lang"] == "en"
    assert document.all("title")
    assert document.all("table")
    assert len(document.all("caption")) == len(document.all("table"))
    assert all(heading.get("scope") in {"col", "row"} for heading in document.all("th"))
    charts = [a for a in document.all("div") if a.get("class") == "chart"]
    assert len(charts) == 5  # the fleet's frontier, and two per trace
    assert all(chart["role"] == "img" and chart["aria-label"] for chart in charts)
    names = [a["id"] for _, a in document.elements if "id" in a]
    assert len(names) == len(set(names))
    links = [a["href"] or "" for a in document.all("a")]
    assert links
    assert {link.removeprefix("#") for link in links} <= set(names)


def test_it_says_how_to_run_it_again(tmp_path: Path) -> None:
    text = "".join(write(make_result(), tmp_path).text)
    assert "capacity-pilot simulate --demand feed.csv.gz --mean 500 --seed 7" in text
    assert "capacity-pilot 0.1.0, numpy 2.1.0" in text


def test_a_trace_says_what_is_not_real_about_it(tmp_path: Path) -> None:
    result = make_result(names=["coarse"])
    trace = replace(
        result.traces[0],
        is_seconds_real=False,
        bin_s=300,
        missing_seconds=1740,
        is_policy_own=False,
    )
    text = "".join(write(replace(result, traces=(trace,)), tmp_path).text)
    assert "seconds drawn from bins of 5 min, seeded" in text
    assert "not recorded, so unseen by the pilot: 29 min" in text
    assert "borrowed without its bounds" in text


def test_traces_of_a_day_have_their_own_table_where_some_are_shorter(tmp_path: Path) -> None:
    long, short = make_result(names=["long"]), make_result(names=["short"], days=0.1)
    both = replace(long, traces=(*long.traces, *short.traces))
    told = "Traces of a day or more (1 of 2)"
    assert told in "".join(write(both, tmp_path).text)
    assert "Traces of a day" not in "".join(write(long, tmp_path).text)


@pytest.mark.parametrize(
    "strategies", [("pilot",), ("aws-auto-scaling-70", "clairvoyant"), ("on-demand",)]
)
def test_whoever_ran_there_is_a_report(tmp_path: Path, strategies: tuple[str, ...]) -> None:
    document = write(make_result(strategies=strategies), tmp_path)
    assert len(document.figures) == 5


def test_without_plotly_it_says_what_to_install(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "plotly.offline", None)
    with pytest.raises(InputError, match=re.escape("pip install 'capacity-pilot[simulation]'")):
        write_html(make_result(), tmp_path / "report.html")


def test_a_path_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"missing/report\.html: cannot write the report: No such"):
        write_html(make_result(), tmp_path / "missing" / "report.html")
