"""Figures as people read them: absence is a dash, zero is zero, and nothing rounds to zero."""

from __future__ import annotations

import math

ABSENT = "\N{EN DASH}"
TIMES = "\N{MULTIPLICATION SIGN}"
_MINUTE_S = 60
_HOUR_S = 3600
_DAY_S = 86_400
_CENTS_COUNT_BELOW = 1000.0


def is_absent(value: float | None) -> bool:
    """No figure, or none that is a number."""
    return value is None or not math.isfinite(value)


def say_count(value: float | None) -> str:
    """Whole units with thousands separated; below 10, one decimal where there is one."""
    if value is None or not math.isfinite(value):
        return ABSENT
    if 0 < abs(value) < 0.05:
        return "<0.1"
    if abs(value) < 10 and value != round(value):
        return f"{value:.1f}"
    return f"{value:,.0f}"


def say_ppm(value: float | None) -> str:
    """Parts per million: zero only where nothing at all was throttled."""
    if value is None or not math.isfinite(value):
        return ABSENT
    if value == 0:
        return "0"
    if value < 0.01:
        return "<0.01"
    if value < 1:
        return f"{value:.2f}"
    return f"{value:.1f}" if value < 10 else f"{value:,.0f}"


def say_usd(value: float | None) -> str:
    """Dollars, with cents where they matter."""
    if value is None or not math.isfinite(value):
        return ABSENT
    return f"${value:,.2f}" if abs(value) < _CENTS_COUNT_BELOW else f"${value:,.0f}"


def say_ratio(value: float | None) -> str:
    """A cost over another one."""
    if value is None or not math.isfinite(value):
        return ABSENT
    return f"{value:.2f}{TIMES}"


def say_share(value: float | None) -> str:
    """A fraction from 0 to 1, in percent."""
    if value is None or not math.isfinite(value):
        return ABSENT
    return f"{100 * value:.0f} %"


def say_percent(value: float | None) -> str:
    """A fraction from 0 to 1, in percent to two digits where it is small."""
    if value is None or not math.isfinite(value):
        return ABSENT
    percent = 100 * value
    if percent == 0 or percent >= 10:
        return f"{percent:.0f} %"
    return "<0.01 %" if percent < 0.01 else f"{percent:.2g} %"


def say_duration(seconds: float) -> str:
    """``12 s``, ``3 min 20 s``, ``5 h 10 min``."""
    whole = round(seconds)
    if whole < _MINUTE_S:
        return f"{whole} s"
    if whole < _HOUR_S:
        return _two(whole, _MINUTE_S, ("min", "s"))
    return _two(round(whole / _MINUTE_S), _MINUTE_S, ("h", "min"))


def _two(amount: int, per: int, units: tuple[str, str]) -> str:
    large, small = divmod(amount, per)
    return f"{large:,} {units[0]} {small} {units[1]}" if small else f"{large:,} {units[0]}"


def say_days(days: float) -> str:
    """A replay's length: ``7 days``, or hours and minutes below one."""
    if days < 1:
        return say_duration(days * _DAY_S)
    return f"{days:.3g} day" if days == 1 else f"{days:.3g} days"


def say_moment(at_s: float) -> str:
    """A second of the replay: ``day 2 08:01:30``; its first second is ``day 1 00:00:00``."""
    day, second = divmod(int(at_s), _DAY_S)
    hours, rest = divmod(second, _HOUR_S)
    minutes, seconds = divmod(rest, _MINUTE_S)
    return f"day {day + 1} {hours:02}:{minutes:02}:{seconds:02}"
