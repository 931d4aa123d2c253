"""Which signals get numbers, whose table they lead, and who gives a number up."""

from __future__ import annotations

import numpy as np

from capacity_pilot.core.fleet import Fleet, Ints
from capacity_pilot.core.forecast.upstream import NO_SIGNALS
from capacity_pilot.core.model import Resource, SignalKey
from capacity_pilot.core.signal_names import NOTHING_TOLD, SignalNames, SignalsTold

FLEET = Fleet.of([Resource("carts"), Resource("feed"), Resource("feed", "by-author")])
NOW = 1_700_000_000.0
HOUR = 3600.0


def counts(*names: str, count: float = 1.0, table: str = "") -> dict[SignalKey, float]:
    return {(table, name, int(NOW)): count for name in names}


def told(*names: str, count: float = 1.0, table: str = "") -> SignalsTold:
    return SignalsTold.of(counts(*names, count=count, table=table))


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
    signals = counts("anything") | counts("sent", table="feed") | counts("sent", table="gone")
    table_of = names.address(SignalsTold.of(signals), FLEET, NOW).table_of
    np.testing.assert_array_equal(table_of, [np.nan, FLEET.table_of[2], np.inf])
    # Tables are numbered anew when others come.
    grown = Fleet.of([*FLEET.resources, Resource("aaa"), Resource("gone")])
    table_of = names.address(NOTHING_TOLD, grown, NOW + 1).table_of
    feed, gone = (grown.slot(Resource(name), 0) for name in ("feed", "gone"))  # type: ignore[arg-type]
    np.testing.assert_array_equal(table_of, [np.nan, grown.table_of[feed], grown.table_of[gone]])


def test_while_nothing_is_told_there_are_no_signals() -> None:
    assert SignalNames().address(NOTHING_TOLD, FLEET, NOW) is NO_SIGNALS


def test_beyond_the_bound_signals_are_left_out_and_counted() -> None:
    names = SignalNames(most=2)
    news = names.address(told("a", "b", "c", "d"), FLEET, NOW)
    assert news.signals.tolist() == [0, 1]
    assert names.left_out == 2


def test_a_clearly_busier_signal_takes_the_number_of_the_least_busy() -> None:
    names = SignalNames(most=2)
    usual = counts("feed", count=200.0) | counts("health", count=1.0)
    names.address(SignalsTold.of(usual), FLEET, NOW)
    later = counts("pushes", count=10_000.0) | counts("rare", count=1.5)
    names.address(SignalsTold.of(later), FLEET, NOW + 1)
    assert names.address(NOTHING_TOLD, FLEET, NOW + 60).renewed.tolist() == []
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


FEED = (("", "feed"), ("", "pushes"))


def ahead(*columns: int) -> tuple[SignalsTold, Ints]:
    """An entry a second."""
    entries = len(columns)
    told = SignalsTold(FEED, np.array(columns), int(NOW) + np.arange(entries), np.ones(entries))
    return told, np.arange(1, entries + 1)


def test_seconds_in_which_nothing_new_is_told_of_go_together() -> None:
    names = SignalNames()
    steady, ends = ahead(0, 0, 0, 0)
    assert names.count_seconds(steady, ends, NOW) == 1, "the signal has no number yet"
    names.address(steady.until(1), FLEET, NOW)
    assert names.count_seconds(steady, ends, NOW) == 4
    later, ends = ahead(0, 0, 1, 0)
    assert names.count_seconds(later, ends, NOW) == 1, "that of the third second has none"
    names.address(later, FLEET, NOW)
    assert names.count_seconds(later, ends, NOW) == 4


def test_no_second_is_looked_at_before_the_election_it_comes_after() -> None:
    names = SignalNames()
    told, ends = ahead(*[0] * 30)
    names.address(told.until(1), FLEET, NOW)
    assert names.count_seconds(told, ends, NOW + 590) == 10
    assert names.count_seconds(told, ends, NOW + 599) == 1
    assert names.count_seconds(told, ends, NOW + 600) == 30, "it is held in the first"
    names.address(told.until(1), FLEET, NOW + 600)
    assert names.count_seconds(told, ends, NOW + 1195) == 5


def test_told_of_again_and_again_a_signal_has_its_busiest_second() -> None:
    """By columns of the same names, as a replay tells of them, or by names alone."""
    entries = [(0, 5.0), (1, 3.0), (0, 9.0), (1, 2.0), (0, 1.0)]
    by_column, by_name = SignalNames(), SignalNames()
    for n, (column, count) in enumerate(entries):
        second = np.array([int(NOW) + n])
        one = SignalsTold(FEED, np.array([column]), second, np.array([count]))
        by_column.address(one, FLEET, NOW + n)
        by_name.address(SignalsTold.of({(*FEED[column], int(NOW) + n): count}), FLEET, NOW + n)
    assert by_column.remember() == by_name.remember()
    assert by_column.remember().busiest == {FEED[0]: 9.0, FEED[1]: 3.0}


def test_a_signal_that_a_policy_names_gets_a_number_when_it_is_heard_and_keeps_it() -> None:
    names = SignalNames(most=2)
    both = told("feed", "health", count=200.0)
    names.address(both, FLEET, NOW)
    quiet = told("pushes")
    assert names.address(quiet, FLEET, NOW + 1).signals.tolist() == []
    names.keep(frozenset({"pushes"}))
    news = names.address(quiet, FLEET, NOW + 2)
    assert (news.signals.tolist(), news.renewed.tolist()) == ([0], [0])
    assert names.number("orders", "pushes") == 0
    assert names.number("orders", "feed") is None
    names.address(told("busy", "busier", count=5000.0), FLEET, NOW + 3)
    news = names.address(NOTHING_TOLD, FLEET, NOW + 700)
    assert news.renewed.tolist() == [1]
    assert names.number("orders", "pushes") == 0


def test_a_tables_own_signal_goes_before_one_of_the_same_name_that_leads_any() -> None:
    names = SignalNames()
    signals = counts("sent") | counts("sent", table="feed")
    names.address(SignalsTold.of(signals), FLEET, NOW)
    assert (names.number("feed", "sent"), names.number("carts", "sent")) == (1, 0)
