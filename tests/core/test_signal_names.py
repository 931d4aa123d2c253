"""Which signals get numbers, whose table they lead, and who gives a number up."""

from __future__ import annotations

import numpy as np

from capacity_pilot.core.fleet import Fleet
from capacity_pilot.core.forecast.upstream import NO_SIGNALS
from capacity_pilot.core.model import Resource, SignalKey
from capacity_pilot.core.signal_names import SignalNames

FLEET = Fleet.of([Resource("carts"), Resource("feed"), Resource("feed", "by-author")])
NOW = 1_700_000_000.0
HOUR = 3600.0


def told(*names: str, count: float = 1.0, table: str = "") -> dict[SignalKey, float]:
    return {(table, name, int(NOW)): count for name in names}


def test_names_keep_the_numbers_they_were_given_first() -> None:
    names = SignalNames()
    names.address(told("GET /feed", "POST /like"), FLEET, NOW)
    news = names.address(told("POST /like", "pushes", count=7.0), FLEET, NOW + 1)
    assert news.signals.tolist() == [1, 2]
    assert news.counts.tolist() == [7.0, 7.0]
    assert news.seconds.tolist() == [int(NOW)] * 2
    assert names.names == (("", "GET /feed"), ("", "POST /like"), ("", "pushes"))


def test_a_signal_of_a_table_may_lead_that_one_alone() -> None:
    names = SignalNames()
    signals = told("anything") | told("sent", table="feed") | told("sent", table="gone")
    table_of = names.address(signals, FLEET, NOW).table_of
    np.testing.assert_array_equal(table_of, [np.nan, FLEET.table_of[2], np.inf])
    # Tables are numbered anew when others come.
    grown = Fleet.of([*FLEET.resources, Resource("aaa"), Resource("gone")])
    table_of = names.address({}, grown, NOW + 1).table_of
    feed, gone = (grown.slot(Resource(name), 0) for name in ("feed", "gone"))  # type: ignore[arg-type]
    np.testing.assert_array_equal(table_of, [np.nan, grown.table_of[feed], grown.table_of[gone]])


def test_while_nothing_is_told_there_are_no_signals() -> None:
    assert SignalNames().address({}, FLEET, NOW) is NO_SIGNALS


def test_beyond_the_bound_signals_are_left_out_and_counted() -> None:
    names = SignalNames(most=2)
    news = names.address(told("a", "b", "c", "d"), FLEET, NOW)
    assert news.signals.tolist() == [0, 1]
    assert names.left_out == 2


def test_a_clearly_busier_signal_takes_the_number_of_the_least_busy() -> None:
    names = SignalNames(most=2)
    names.address(told("feed", count=200.0) | told("health", count=1.0), FLEET, NOW)
    names.address(told("pushes", count=10_000.0) | told("rare", count=1.5), FLEET, NOW + 1)
    assert names.address({}, FLEET, NOW + 60).renewed.tolist() == []
    news = names.address(told("pushes"), FLEET, NOW + 700)
    assert news.renewed.tolist() == [1]
    assert news.signals.tolist() == [1]
    assert names.names == (("", "feed"), ("", "pushes"))


def test_what_was_busy_days_ago_is_not_busy_for_ever() -> None:
    names = SignalNames(most=1)
    names.address(told("old", count=1000.0), FLEET, NOW)
    for hours in range(1, 9 * 24):
        names.address(told("new", count=20.0), FLEET, NOW + hours * HOUR)
    assert names.names == (("", "new"),)


def test_a_flood_of_names_is_forgotten() -> None:
    names = SignalNames(most=2)
    for n in range(1000):
        names.address(told(f"name {n}"), FLEET, NOW + n)
    assert len(names.names) == 2
    assert names.left_out > 900
    assert len(names._busiest) <= 16
