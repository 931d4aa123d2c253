"""A strategy's changes: what they made provisioned, which a page can show, how reasons read."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from capacity_pilot.core.fleet import Floats
from capacity_pilot.core.reasons import WORDING, Reason
from capacity_pilot.simulator.report.wording import say_moment
from capacity_pilot.simulator.result import Change, Course

_WORDS = {reason.name.lower(): WORDING[reason] for reason in Reason if reason.name and reason}


def find_provisioned(course: Course, minutes: int) -> Floats:
    """Provisioned (minutes,), units/s; NaN where a strategy provisions nothing.

    Where the course was not kept by the minute, as the clairvoyant's is not, its changes tell:
    they are in force at once.
    """
    if course.minutes is not None:
        return course.minutes.provisioned
    if course.score.unit_hours is None or minutes == 0:
        return np.full(minutes, np.nan)
    if not course.changes:
        return np.full(minutes, course.score.unit_hours / (minutes / 60))
    starts = [0, *(int(change.at_s // 60) for change in course.changes), minutes]
    levels = [course.changes[0].before, *(change.after for change in course.changes)]
    return np.repeat(np.array(levels, dtype=np.float64), np.diff(starts))


def choose_changes(changes: Sequence[Change], *, at_most: int) -> list[Change]:
    """In order of time; where there are too many, those that moved capacity most."""
    if len(changes) <= at_most:
        return list(changes)
    largest = sorted(changes, key=lambda change: -abs(change.after - change.before))[:at_most]
    return sorted(largest, key=lambda change: change.at_s)


def list_reasons(change: Change) -> list[str]:
    """The pilot's reasons in words; any other as it was given."""
    return [_WORDS.get(reason, reason) for reason in change.reasons]


def describe_change(change: Change) -> list[str]:
    """When, from what to what, and why: a line each."""
    moved = f"{change.before:,} → {change.after:,} units/s"
    return [say_moment(change.at_s), moved, *list_reasons(change)]
