"""The report in a real browser: drawn, silent, and as wide as the screen."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from capacity_pilot.simulator.report import write_html
from tests.simulator.report.browser import Page, Screen, find_chromium, open_browser
from tests.simulator.report.results import make_result

CHROMIUM = find_chromium()
LAPTOP = Screen(1440, 900)
PHONE = Screen(390, 844, is_phone=True)
HOSTILE = "<img src=x onerror=document.title='owned'></script><script>document.title=1</script>"

pytestmark = [
    pytest.mark.process,
    pytest.mark.skipif(CHROMIUM is None, reason="chromium is not installed"),
]

DRAW_ALL = """(async () => {
  const charts = [...document.querySelectorAll('.chart')];
  for (const chart of charts) {
    chart.scrollIntoView({behavior: 'instant'});
    while (!['drawn', 'failed'].includes(chart.dataset.state))
      await new Promise((done) => requestAnimationFrame(done));
  }
  return charts.map((chart) =>
    [chart.id, chart.dataset.state, chart.querySelectorAll('path.js-line, path.point').length > 0]);
})()"""

READ_OUT = """(() => {
  const course = document.querySelector('.course');
  const box = course.querySelector('.nsewdrag').getBoundingClientRect();
  course.querySelector('.chart').dispatchEvent(new PointerEvent('pointermove',
    {clientX: box.left + box.width / 2, clientY: box.top + 5}));
  return [...course.querySelectorAll('output')].map((output) => output.textContent)
    .concat(course.querySelector('.moment').textContent);
})()"""

SHOWN = """[...new Set(document.querySelector('#trace-0-course').data
  .filter((line) => line.visible !== false && ['provisioned', 'signal'].includes(line.meta))
  .map((line) => line.name))]"""


@pytest.fixture(scope="module")
def report(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("report") / "report.html"
    result = make_result(names=["evening feed", HOSTILE], days=2, signals=["push_sent", HOSTILE])
    write_html(result, path)
    return path


def check_silence(page: Page, report: Path) -> None:
    assert page.complaints == []
    assert page.requests == [report.as_uri()]


@pytest.mark.parametrize("screen", [LAPTOP, PHONE], ids=["laptop", "phone"])
async def test_every_chart_is_drawn_and_nothing_sticks_out(
    report: Path, tmp_path: Path, screen: Screen
) -> None:
    async with open_browser(str(CHROMIUM), tmp_path) as page:
        await page.show(report, screen)
        # Far below the screen nothing has been drawn, so that a large report opens at once.
        assert (
            await page.evaluate("document.querySelector('#trace-1-course').dataset.state") is None
        )
        drawn = await page.evaluate(DRAW_ALL)
        assert len(drawn) == 5
        assert all(state == "drawn" and has_lines for _, state, has_lines in drawn), drawn
        assert await page.evaluate("document.documentElement.scrollWidth") <= screen.width
        assert await page.evaluate("document.title") == "Capacity Pilot: replay report"
        check_silence(page, report)


async def test_strategies_and_days_are_chosen_and_read_out(report: Path, tmp_path: Path) -> None:
    async with open_browser(str(CHROMIUM), tmp_path) as page:
        await page.show(report, LAPTOP)
        await page.evaluate(DRAW_ALL)
        assert await page.evaluate(SHOWN) == [
            "Capacity Pilot",
            "AWS auto scaling at 70 %",
            "clairvoyant",
        ]
        await page.evaluate("document.querySelector('.chip[data-group=s5]').click()")
        assert "static peak" in await page.evaluate(SHOWN)
        await page.evaluate("document.querySelector('.chip[data-group=u0]').click()")
        assert "push_sent" in await page.evaluate(SHOWN)
        # On its own scale it is drawn where demand is, whatever it counts.
        assert await page.evaluate(
            "document.querySelector('#trace-0-course')._fullLayout.yaxis4.domain.join()"
            " === document.querySelector('#trace-0-course')._fullLayout.yaxis.domain.join()"
        )

        await page.evaluate(
            "(() => { const days = document.querySelector('#trace-0-days'); days.value = '1';"
            " days.dispatchEvent(new Event('change')); })()"
        )
        *units, moment = await page.evaluate(READ_OUT)
        assert re.fullmatch(r"day 2 (11:5|12:0)\d, units/s", moment)  # pixels are not minutes
        assert len(units) == 10  # demand, seven who provision, and two signals
        assert all(int(told.replace(",", "")) > 0 for told in units)
        check_silence(page, report)
