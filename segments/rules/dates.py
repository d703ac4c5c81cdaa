"""Dates people speak of, turned into days: «за последние 30 дней», this quarter, a birthday next week.

All functions take `today`, the portal's day, and count in its calendar. A month ago from the 31st is the
last day of a shorter month. A birthday of 29 February is on 28 February of a common year.
"""

from __future__ import annotations

from calendar import isleap, monthrange
from dataclasses import dataclass
from datetime import date, timedelta
from enum import StrEnum

MONTHS = 12
_FURTHEST = 400 * 366


class Unit(StrEnum):
    """Units of a period."""

    DAY = "day"
    WEEK = "week"
    MONTH = "month"
    QUARTER = "quarter"
    YEAR = "year"


_MONTHS_IN = {Unit.MONTH: 1, Unit.QUARTER: 3, Unit.YEAR: 12}
_DAYS_IN = {Unit.DAY: 1, Unit.WEEK: 7}


@dataclass(frozen=True, slots=True)
class Period:
    """A length of time: `n` units."""

    n: int
    unit: Unit = Unit.DAY

    def __post_init__(self) -> None:
        days = {Unit.DAY: 1, Unit.WEEK: 7, Unit.MONTH: 31, Unit.QUARTER: 92, Unit.YEAR: 366}
        if not 0 <= self.n <= _FURTHEST // days[self.unit]:
            raise ValueError("0 or more, and not more than 400 years")


@dataclass(frozen=True, slots=True)
class Span:
    """Days from `first` to `last`, both included; None is open."""

    first: date | None = None
    last: date | None = None


def moved(day: date, period: Period, direction: int) -> date:
    """The day a period later (`direction` 1) or earlier (-1); not beyond the calendar's ends."""
    try:
        if period.unit in _DAYS_IN:
            return day + timedelta(days=direction * period.n * _DAYS_IN[period.unit])
        month = day.year * MONTHS + day.month - 1 + direction * period.n * _MONTHS_IN[period.unit]
        year, zero_based = divmod(month, MONTHS)
        length = monthrange(year, zero_based + 1)[1] if 1 <= year <= date.max.year else 31
        return date(year, zero_based + 1, min(day.day, length))
    except (OverflowError, ValueError):
        return date.max if direction > 0 else date.min


def in_last(period: Period, today: date) -> Span:
    """From a period ago until today."""
    return Span(moved(today, period, -1), today)


def in_next(period: Period, today: date) -> Span:
    """From today until a period later."""
    return Span(today, moved(today, period, 1))


def more_than_ago(period: Period, today: date) -> Span:
    """Earlier than a period ago."""
    edge = moved(today, period, -1)
    return Span(None, edge - timedelta(days=1) if edge > date.min else edge)


def calendar(unit: Unit, today: date, shift: int) -> Span:
    """The week (from Monday), month, quarter or year of today (`shift` 0), before (-1…) or after it (1…)."""
    first = _start(unit, today)
    if shift:
        first = moved(first, Period(abs(shift), unit), 1 if shift > 0 else -1)
    return Span(first, moved(first, Period(1, unit), 1) - timedelta(days=1))


def anniversaries(first: date, last: date) -> frozenset[int]:
    """Days of the year from first to last, as month × 100 + day: 229 stands for 29 February.

    In a common year 28 February brings 229 with it.
    """
    found: set[int] = set()
    for offset in range(min((last - first).days, 366) + 1):
        day = first + timedelta(days=offset)
        found.add(day.month * 100 + day.day)
        if (day.month, day.day) == (2, 28) and not isleap(day.year):
            found.add(229)
    return frozenset(found)


def _start(unit: Unit, day: date) -> date:
    match unit:
        case Unit.DAY:
            return day
        case Unit.WEEK:
            return day - timedelta(days=day.weekday())
        case Unit.MONTH:
            return day.replace(day=1)
        case Unit.QUARTER:
            return day.replace(month=(day.month - 1) // 3 * 3 + 1, day=1)
        case Unit.YEAR:
            return day.replace(month=1, day=1)
