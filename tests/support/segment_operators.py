"""What each operator of a condition means, thought out value by value: no SQL, nothing of the compiler."""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import date, datetime, timedelta
from decimal import Decimal
from typing import Any

from support.segment_portal import OFFSET, TODAY

CHOICES = {
    "type", "responsible", "company", "industry", "employees", "source", "stage", "state", "client_contact",
    "client_company", "rfm_name", "lifecycle", "pipeline", "currency", "kind", "direction", "from_stage",
    "product", "purpose",
}  # fmt: skip


def compare_field(value: Any, node: dict[str, Any]) -> bool:
    """A field with a value of the condition: ids as they are, texts in any case."""
    op, asked = node["op"], node.get("value")
    if node["field"] in CHOICES and value is not None and op in {"any_of", "none_of"}:
        return (str(value) in {str(item) for item in asked}) is (op == "any_of")
    return compare(value, op, asked)


def compare(value: Any, op: str, asked: Any) -> bool:
    """An operator, by its meaning for an empty value first."""
    if op == "empty":
        return value is None
    if op == "filled":
        return value is not None
    if value is None:
        return op in {"is_not", "none_of", "lacks", "ne", "not_yes", "has_none", "at_most"}
    if op in {"yes", "no", "not_yes"}:
        return value is (op == "yes")
    if isinstance(value, list):
        return compare_list(value, op, asked)
    if isinstance(value, date):
        return compare_day(local_day(value), op, asked)
    if isinstance(value, str):
        return compare_text(value, op, asked)
    return compare_number(Decimal(value), op, asked)


def compare_list(value: list[str], op: str, asked: Any) -> bool:
    if op in {"at_least", "at_most"}:
        return len(value) >= asked if op == "at_least" else len(value) <= asked
    wanted = {str(item) for item in asked}
    if op == "has_any":
        return bool(wanted & set(value))
    return wanted <= set(value) if op == "has_all" else not wanted & set(value)


def compare_text(value: str, op: str, asked: Any) -> bool:
    if op in {"any_of", "none_of"}:
        found = value.lower() in [str(item).strip().lower() for item in asked]
        return found is (op == "any_of")
    small, wanted = value.lower(), asked.strip().lower()
    return {
        "is": lambda: small == wanted, "is_not": lambda: small != wanted,
        "contains": lambda: wanted in small, "lacks": lambda: wanted not in small,
        "starts": lambda: small.startswith(wanted), "ends": lambda: small.endswith(wanted),
        "matches": lambda: re.search(asked.strip(), value, re.IGNORECASE) is not None,
    }[op]()  # fmt: skip


def compare_number(value: Decimal, op: str, asked: Any) -> bool:
    if op == "between":
        low, high = (Decimal(str(edge)) for edge in asked)
        return low <= value <= high
    edge = Decimal(str(asked))
    return {
        "eq": value == edge, "ne": value != edge, "lt": value < edge,
        "le": value <= edge, "gt": value > edge, "ge": value >= edge,
    }[op]  # fmt: skip


def local_day(value: date) -> date:
    """The day by the portal's clock."""
    return (value + timedelta(minutes=OFFSET)).date() if isinstance(value, datetime) else value


def shifted(day: date, number: int, unit: str) -> date:
    """The day `number` units away; months end where they end."""
    if unit in {"day", "week"}:
        return day + timedelta(days=number * (7 if unit == "week" else 1))
    months = number * {"month": 1, "quarter": 3, "year": 12}[unit]
    year, month = day.year, day.month + months
    while month < 1:
        year, month = year - 1, month + 12
    while month > 12:
        year, month = year + 1, month - 12
    number = day.day
    while True:
        try:
            return date(year, month, number)
        except ValueError:
            number -= 1


def period_of(day: date, unit: str) -> tuple[int, ...]:
    """What equals for two days of the same calendar period."""
    return {
        "day": lambda: (day.toordinal(),), "week": lambda: day.isocalendar()[:2],
        "month": lambda: (day.year, day.month), "quarter": lambda: (day.year, (day.month - 1) // 3),
        "year": lambda: (day.year,),
    }[unit]()  # fmt: skip


def compare_day(day: date, op: str, asked: Any) -> bool:
    tests: dict[str, Callable[[], bool]] = {
        "on": lambda: day == date.fromisoformat(asked),
        "before": lambda: day < date.fromisoformat(asked),
        "after": lambda: day > date.fromisoformat(asked),
        "between": lambda: asked[0] <= day.isoformat() <= asked[1],
        "in_last": lambda: shifted(TODAY, -asked["n"], asked["unit"]) <= day <= TODAY,
        "in_next": lambda: TODAY <= day <= shifted(TODAY, asked["n"], asked["unit"]),
        "more_than_ago": lambda: day < shifted(TODAY, -asked["n"], asked["unit"]),
        "this": lambda: in_period(day, asked, 0),
        "previous": lambda: in_period(day, asked, -1),
        "next": lambda: in_period(day, asked, 1),
        "back": lambda: in_period(day, asked["unit"], -asked["n"]),
        "anniversary_today": lambda: has_anniversary(day, 0),
        "anniversary_within": lambda: has_anniversary(
            day, (shifted(TODAY, asked["n"], asked["unit"]) - TODAY).days
        ),
        "anniversary_month": lambda: day.month in asked,
        "weekday": lambda: day.isoweekday() in asked,
    }
    return tests[op]()


def in_period(day: date, unit: str, away: int) -> bool:
    """The day is in the calendar period `away` from today's."""
    start = TODAY.replace(day=1) if unit in {"month", "quarter", "year"} else TODAY
    return period_of(day, unit) == period_of(shifted(start, away, unit), unit)


def has_anniversary(day: date, within: int) -> bool:
    """One of the next days is the day's anniversary; 29 February falls on the 28th in common years."""
    for offset in range(min(within, 366) + 1):
        at = TODAY + timedelta(days=offset)
        if (at.month, at.day) == (day.month, day.day):
            return True
        leap = at.year % 4 == 0 and (at.year % 100 != 0 or at.year % 400 == 0)
        if (day.month, day.day) == (2, 29) and (at.month, at.day) == (2, 28) and not leap:
            return True
    return False
