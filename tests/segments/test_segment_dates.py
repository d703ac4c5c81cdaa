"""Relative dates in the portal's calendar."""

from datetime import date

import pytest

from segments.rules import dates
from segments.rules.dates import Period, Span, Unit


@pytest.mark.parametrize(
    ("day", "period", "direction", "expected"),
    [
        (date(2026, 3, 31), Period(1, Unit.MONTH), -1, date(2026, 2, 28)),
        (date(2024, 3, 31), Period(1, Unit.MONTH), -1, date(2024, 2, 29)),
        (date(2024, 2, 29), Period(1, Unit.YEAR), 1, date(2025, 2, 28)),
        (date(2026, 1, 15), Period(2, Unit.QUARTER), -1, date(2025, 7, 15)),
        (date(2026, 1, 1), Period(1, Unit.WEEK), -1, date(2025, 12, 25)),
        (date(2026, 1, 1), Period(400, Unit.YEAR), 1, date(2426, 1, 1)),
        (date(9999, 1, 1), Period(400, Unit.YEAR), 1, date.max),
        (date(100, 1, 1), Period(400, Unit.YEAR), -1, date.min),
    ],
)
def test_months_end_where_they_end(day, period, direction, expected):
    assert dates.moved(day, period, direction) == expected


@pytest.mark.parametrize(
    ("unit", "shift", "expected"),
    [
        (Unit.WEEK, 0, Span(date(2026, 2, 23), date(2026, 3, 1))),
        (Unit.WEEK, -1, Span(date(2026, 2, 16), date(2026, 2, 22))),
        (Unit.MONTH, 0, Span(date(2026, 3, 1), date(2026, 3, 31))),
        (Unit.MONTH, -1, Span(date(2026, 2, 1), date(2026, 2, 28))),
        (Unit.QUARTER, 1, Span(date(2026, 4, 1), date(2026, 6, 30))),
        (Unit.YEAR, -1, Span(date(2025, 1, 1), date(2025, 12, 31))),
    ],
)
def test_a_week_begins_on_monday_and_a_month_on_the_first(unit, shift, expected):
    assert dates.calendar(unit, date(2026, 3, 1), shift) == expected


def test_a_birthday_of_29_february_falls_on_28_february_of_a_common_year():
    assert 229 in dates.anniversaries(date(2026, 2, 28), date(2026, 2, 28))
    assert 229 not in dates.anniversaries(date(2028, 2, 28), date(2028, 2, 28))
    assert 229 in dates.anniversaries(date(2028, 2, 29), date(2028, 2, 29))
    assert {1231, 101} <= dates.anniversaries(date(2026, 12, 30), date(2027, 1, 2))
