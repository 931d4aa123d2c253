"""When events come: cron as crontabs mean it, clocks that jump, public holidays."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from capacity_pilot.adapters.calendar import PolicyCalendar, find_faults
from capacity_pilot.core.errors import PolicyError
from capacity_pilot.core.events.occurrence import LOOKAHEAD_S
from capacity_pilot.core.model import Direction
from capacity_pilot.core.policy import PolicySet

MINUTE, HOUR, DAY = 60, 3600, 86_400


def policies(*, country: str | None = None, **lists: list[dict[str, object]]) -> PolicySet:
    policy = {
        "name": "feed",
        "match": {"tables": ["feed"]},
        "write": {"min": 1, "max": 10},
        "country": country,
        **lists,
    }
    return PolicySet.model_validate({"version": 1, "policies": [policy]})


def event(**said: object) -> dict[str, object]:
    return {"name": "notice", "lasts": "10m"} | said


def moments(
    begin: str, end: str, zone: str, *, country: str | None = None, **said: object
) -> list[str]:
    """Local times with offsets at which an event begins, as a calendar asked every hour says."""
    calendar = PolicyCalendar(policies(country=country, events=[event(timezone=zone, **said)]))
    tz = ZoneInfo(zone)
    now = datetime.fromisoformat(begin).replace(tzinfo=tz).timestamp()
    until = datetime.fromisoformat(end).replace(tzinfo=tz).timestamp()
    found: set[float] = set()
    while now < until:
        found |= {o.starts_at for o in calendar.occurrences(now)}
        now += HOUR
    local = (datetime.fromtimestamp(at, tz) for at in sorted(found) if at < until)
    return [at.strftime("%m-%d %H:%M%z") for at in local]


def test_days_of_the_week_are_a_crontabs() -> None:
    """From Thursday to Thursday: 1-5 is Monday to Friday, 0 and 7 are Sunday."""
    week = ("2026-01-01", "2026-01-08", "Asia/Seoul")
    working = moments(*week, cron="0 8 * * 1-5")
    assert [at[:5] for at in working] == ["01-01", "01-02", "01-05", "01-06", "01-07"]
    assert working == moments(*week, cron="0 8 * * mon-fri")
    assert (
        moments(*week, cron="0 8 * * 0") == moments(*week, cron="0 8 * * 7") == ["01-04 08:00+0900"]
    )


def test_a_day_of_the_month_and_one_of_the_week_are_both_meant() -> None:
    found = moments("2026-02-09", "2026-02-17", "UTC", cron="0 0 13 * 1")
    assert [at[:5] for at in found] == ["02-09", "02-13", "02-16"]


def test_what_spring_leaves_out_comes_right_after_it() -> None:
    spring = ("2026-03-28", "2026-03-31", "Europe/Berlin")
    assert moments(*spring, cron="30 2 * * *") == [
        "03-28 02:30+0100",
        "03-29 03:00+0200",
        "03-30 02:30+0200",
    ]
    # The event at eight keeps to the clock on the wall, an hour sooner by the sun.
    assert moments(*spring, cron="0 8 * * *")[:2] == ["03-28 08:00+0100", "03-29 08:00+0200"]


def test_what_autumn_repeats_comes_once() -> None:
    autumn = ("2026-10-24", "2026-10-27", "Europe/Berlin")
    assert moments(*autumn, cron="30 2 * * *") == [
        "10-24 02:30+0200",
        "10-25 02:30+0200",
        "10-26 02:30+0100",
    ]


def test_every_half_hour_is_every_half_hour_also_when_clocks_jump() -> None:
    spring = moments("2026-03-29", "2026-03-30", "Europe/Berlin", cron="*/30 * * * *")
    autumn = moments("2026-10-25", "2026-10-26", "Europe/Berlin", cron="*/30 * * * *")
    assert (len(spring), len(autumn)) == (46, 50)


CLOCKS = [
    # zone, nights of spring and autumn, what is left out and what repeated, winter's and summer's
    ("Europe/Berlin", "2026-03-29", "2026-10-25", ("02:30", "02:30"), ("+0100", "+0200")),
    ("America/New_York", "2026-03-08", "2026-11-01", ("02:30", "01:30"), ("-0500", "-0400")),
]


@pytest.mark.parametrize(("zone", "spring", "autumn", "times", "offsets"), CLOCKS)
def test_what_clocks_leave_out_and_repeat_comes_once(
    zone: str, spring: str, autumn: str, times: tuple[str, str], offsets: tuple[str, str]
) -> None:
    winter, summer = offsets
    left_out, repeated = times

    def on(day: str, **said: str) -> list[str]:
        begin = datetime.fromisoformat(day)
        return moments(day, (begin + timedelta(days=1)).isoformat(), zone, country=None, **said)

    def cron(at: str) -> str:
        hour, minute = at.split(":")
        return f"{int(minute)} {int(hour)} * * *"

    right_after = [f"{spring[5:]} 03:00{summer}"]
    assert on(spring, cron=cron(left_out)) == on(spring, at=f"{spring} {left_out}") == right_after
    the_first = [f"{autumn[5:]} {repeated}{summer}"]
    assert on(autumn, cron=cron(repeated)) == on(autumn, at=f"{autumn} {repeated}") == the_first
    # Not far from it nothing is different.
    assert on(spring, cron="0 3 * * *") == right_after
    assert on(spring, at=f"{spring} 01:59") == [f"{spring[5:]} 01:59{winter}"]
    assert on(autumn, cron="0 4 * * *") == [f"{autumn[5:]} 04:00{winter}"]
    # Steps within an hour that is named are times of day as well: 2:00 and 2:30 are one at 3:00.
    assert on(spring, cron="*/30 2 * * *") == right_after
    hour = repeated[:2]
    twice = on(autumn, cron=f"*/30 {int(hour)} * * *")
    assert twice == [f"{autumn[5:]} {hour}:{minute}{summer}" for minute in ("00", "30")]


@pytest.mark.parametrize(("zone", "spring", "autumn", "times", "offsets"), CLOCKS)
def test_a_freeze_holds_through_the_night_in_which_clocks_jump(
    zone: str, spring: str, autumn: str, times: tuple[str, str], offsets: tuple[str, str]
) -> None:
    winter, summer = offsets
    left_out, repeated = times

    def ends(**said: str) -> list[str]:
        calendar = PolicyCalendar(policies(freeze=[{"timezone": zone, **said}]))
        tz, found = ZoneInfo(zone), set()
        for day in (spring, autumn):
            midnight = datetime.fromisoformat(day).replace(tzinfo=tz).timestamp()
            for now in range(int(midnight), int(midnight) + 12 * HOUR, 10 * MINUTE):
                found |= {(f.starts_at, f.ends_at) for f in calendar.freezes(now)}
        local = [[datetime.fromtimestamp(at, tz) for at in each] for each in sorted(found)]
        return [" ".join(f"{at:%m-%d %H:%M%z}" for at in each) for each in local]

    night = spring[5:]
    until_left_out = {"from": f"{spring} 00:30", "until": f"{spring} {left_out}"}
    assert ends(**until_left_out) == [f"{night} 00:30{winter} {night} 03:00{summer}"]
    night = autumn[5:]
    until_repeated = {"from": f"{autumn} 00:30", "until": f"{autumn} {repeated}"}
    assert ends(**until_repeated) == [f"{night} 00:30{summer} {night} {repeated}{winter}"]
    # So many hours are so many hours: the wall shows one more, or one less, when they are over.
    nightly = ends(cron="0 1 * * *", lasts="3h")
    assert nightly[0].endswith(f"{spring[5:]} 05:00{summer}")
    assert nightly[1].endswith(f"{autumn[5:]} 03:00{winter}")


def test_a_zone_whose_clocks_jump_at_midnight_by_half_an_hour_and_the_other_way_round() -> None:
    """Lord Howe Island, in the south: spring is in October, and half an hour is left out."""
    assert moments("2026-10-03", "2026-10-06", "Australia/Lord_Howe", cron="15 2 * * *") == [
        "10-03 02:15+1030",
        "10-04 02:30+1100",
        "10-05 02:15+1100",
    ]


def test_a_single_moment_is_in_the_events_zone_unless_it_names_its_own() -> None:
    day = ("2026-01-05", "2026-01-06", "Asia/Seoul")
    assert moments(*day, at="2026-01-05 08:00") == ["01-05 08:00+0900"]
    assert moments(*day, at="2026-01-05T01:00Z") == ["01-05 10:00+0900"]


def test_public_holidays_are_skipped_or_the_only_days() -> None:
    """Christmas 2026 is a Friday; in Germany Saturday is a holiday, too."""
    days = ("2026-12-24", "2026-12-29", "Europe/Berlin")
    skipping = moments(*days, country="DE", cron="0 8 * * *", holidays="skip")
    only = moments(*days, country="DE", cron="0 8 * * *", holidays="only")
    assert [at[:5] for at in skipping] == ["12-24", "12-27", "12-28"]
    assert [at[:5] for at in only] == ["12-25", "12-26"]


def test_a_part_of_a_country_has_its_own_holidays() -> None:
    """Epiphany is one in Bavaria and not in Berlin."""
    day = ("2026-01-06", "2026-01-07", "Europe/Berlin")
    said = {"cron": "0 8 * * *", "holidays": "skip"}
    assert moments(*day, country="DE-BY", **said) == []
    assert moments(*day, country="DE-BE", **said) == ["01-06 08:00+0100"]


def test_the_holiday_is_the_events_local_day() -> None:
    """Eight in the evening in UTC is already New Year's Day in Seoul."""
    said = {"cron": "0 20 * * *", "holidays": "skip", "country": "KR"}
    year = ("2025-12-31", "2026-01-01")
    assert moments(*year, "UTC", **said) == ["12-31 20:00+0000"]
    assert moments("2026-01-01", "2026-01-02", "Asia/Seoul", **said) == []


def test_an_event_that_has_begun_is_known_until_it_is_over() -> None:
    """As a daemon sees it that was started in the middle of it, and one that was there before."""
    eight = datetime(2026, 1, 5, 8, tzinfo=UTC).timestamp()
    long_running = PolicyCalendar(policies(events=[event(cron="0 8 * * *", lasts="2h")]))
    long_running.occurrences(eight - HOUR)
    for calendar in (
        long_running,
        PolicyCalendar(policies(events=[event(cron="0 8 * * *", lasts="2h")])),
    ):
        begun = [o.starts_at for o in calendar.occurrences(eight + 2 * HOUR - 1)]
        assert eight in begun
        assert eight not in [o.starts_at for o in calendar.occurrences(eight + 2 * HOUR)]


def test_what_comes_is_known_early_enough_and_a_clock_may_be_put_back() -> None:
    calendar = PolicyCalendar(policies(events=[event(cron="0 8 * * *")]))
    eight = datetime(2026, 1, 5, 8, tzinfo=UTC).timestamp()
    for now in (eight - LOOKAHEAD_S, eight - 1, eight - LOOKAHEAD_S + 1):
        assert eight in [o.starts_at for o in calendar.occurrences(now)]
    assert eight not in [o.starts_at for o in calendar.occurrences(eight - DAY)]


def test_freezes_hold_over_midnight_and_between_dates() -> None:
    calendar = PolicyCalendar(
        policies(
            freeze=[
                {"cron": "0 0 31 12 *", "lasts": "26h"},
                {"from": "2026-11-27", "until": "2026-11-30", "timezone": "America/New_York",
                 "directions": ["in", "out"]},
            ]
        )
    )  # fmt: skip

    def directions(moment: str) -> set[Direction]:
        now = datetime.fromisoformat(moment).timestamp()
        return {d for window in calendar.freezes(now) for d in window.directions}

    assert directions("2026-12-30T23:59:59Z") == set()
    assert (
        directions("2026-12-31T00:00:00Z") == directions("2027-01-01T01:59:59Z") == {Direction.IN}
    )
    assert directions("2027-01-01T02:00:00Z") == set()
    assert directions("2026-11-27T04:59:59Z") == set()
    assert directions("2026-11-27T05:00:00Z") == {Direction.IN, Direction.OUT}


def test_a_calendar_of_what_never_can_be_is_refused() -> None:
    with pytest.raises(PolicyError, match=r"policies\.0\.events\.0\.cron: not five fields"):
        PolicyCalendar(policies(events=[event(cron="0 8 * *")]))


field = st.text(alphabet="0123456789*/,-#LWmonJAN ", min_size=1, max_size=6)


@given(st.lists(field, min_size=5, max_size=5).map(" ".join))
def test_no_expression_brings_a_calendar_down(cron: str) -> None:
    """It is refused with a reason, or its times can be worked out."""
    given_policies = policies(events=[event(cron=cron, lasts="1s")])
    if faults := list(find_faults(given_policies)):
        assert all(fault.path == ("policies", 0, "events", 0, "cron") for fault in faults)
        assert all(fault.message for fault in faults)
    else:
        now = datetime(2026, 3, 28, 22, tzinfo=UTC).timestamp()
        times = [o.starts_at for o in PolicyCalendar(given_policies).occurrences(now)]
        assert times == sorted(set(times))
        assert all(at > now - 1 for at in times)


@given(st.text(max_size=30))
def test_no_time_zone_brings_a_calendar_down(zone: str) -> None:
    given_policies = policies(events=[event(cron="0 8 * * *", timezone=zone)])
    assert all(fault.path[-1] == "timezone" for fault in find_faults(given_policies))
