"""Every operator once: what it is called, which values it takes, what it means for an empty field, its SQL.

Empty is never false: «is not X» and «none of» keep clients whose field is empty, every other comparison
drops them. `Operator.empty` says it, and `segments.conditions.compile` obeys it.
"""

from __future__ import annotations

import operator
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from enum import StrEnum
from typing import Any, TypeAlias

import sqlalchemy as sa

from core.web.words import N_
from segments.conditions import shapes
from segments.conditions.shapes import Shape
from segments.rules import dates
from segments.rules.dates import Period, Span, Unit

Expression: TypeAlias = sa.SQLColumnExpression[Any]


class Type(StrEnum):
    """How a field's values are compared."""

    TEXT = "text"
    NUMBER = "number"
    MONEY = "money"
    FLAG = "flag"
    DATE = "date"
    MOMENT = "moment"
    CHOICE = "choice"  # one of a list, by its id as text
    LIST = "list"  # several values: a JSON array of ids or texts
    METRIC = "metric"  # a number that has a rank among all clients
    SAMPLE = "sample"
    SEGMENT = "segment"


def unranked(_percent: Decimal) -> Expression:
    """Of a value that has no rank among the others."""
    raise TypeError("only metrics have ranks")


@dataclass(frozen=True, slots=True)
class Operand:
    """A field's SQL value, with what comparing it needs to know of the portal."""

    sql: Expression
    type: Type
    today: date
    utc_offset_minutes: int
    ranked: Callable[[Decimal], Expression] = unranked

    def within(self, span: Span) -> Expression:
        """The value's day, by the portal's clock, is in the span."""
        bounds: list[Expression] = []
        if span.first is not None:
            bounds.append(self.sql >= self._edge(span.first))
        if span.last is not None:
            last = span.last
            if self.type is Type.DATE:
                bounds.append(self.sql <= self._edge(last))
            elif last < date.max:
                bounds.append(self.sql < self._edge(last + timedelta(days=1)))
        return sa.and_(*bounds) if bounds else self.sql.is_not(None)

    def day(self) -> Expression:
        """The value's day by the portal's clock."""
        if self.type is Type.DATE:
            return self.sql
        shift: Expression = sa.literal_column(f"interval '{int(self.utc_offset_minutes)} minutes'")
        return sa.cast(sa.func.timezone("UTC", self.sql) + shift, sa.Date)

    def part(self, name: str) -> Expression:
        """A part of the day: month, isodow…"""
        return sa.cast(sa.extract(name, self.day()), sa.Integer)

    def _edge(self, day: date) -> Expression:
        if self.type is Type.DATE:
            return sa.literal(day, sa.Date)
        day = max(day, date(1, 1, 3))
        midnight = datetime.combine(day, time(), UTC)
        return sa.literal(
            midnight - timedelta(minutes=self.utc_offset_minutes), sa.DateTime(timezone=True)
        )


@dataclass(frozen=True, slots=True)
class Operator:
    """A row of the table. `empty`: whether an empty field satisfies it. `words` follow the field's label.

    `compare` is a comparison of numbers itself, of columns as well as of known values. `span`: the days a value stands
    for, given the portal's day.
    """

    key: str
    words: str
    shape: Shape
    sql: Callable[[Operand, Any], Expression]
    empty: bool = False
    compare: Callable[[Any, Any], Any] | None = None
    span: Callable[[Any, date], Span] | None = None


def _lowered(text: str) -> str:
    return text.lower()


def _like(operand: Operand, pattern: str) -> Expression:
    return operand.sql.ilike(pattern, escape="\\")


def _escaped(text: str) -> str:
    return text.replace("\\", "\\\\").replace("%", "\\%").replace("_", "\\_")


def _one_of(operand: Operand, texts: list[str]) -> Expression:
    return sa.func.lower(operand.sql).in_([_lowered(text) for text in texts])


def _anniversary(operand: Operand, last: date) -> Expression:
    """Between today and the last day."""
    days = dates.anniversaries(operand.today, last)
    return (operand.part("month") * 100 + operand.part("day")).in_(sorted(days))


def _items(values: list[str]) -> Expression:
    return sa.cast(sa.literal(values, sa.ARRAY(sa.Text)), sa.ARRAY(sa.Text))


def _length(operand: Operand) -> Expression:
    return sa.func.coalesce(sa.func.jsonb_array_length(operand.sql), 0)


def _has_any(operand: Operand, values: list[str]) -> Expression:
    # Ids are numbers in the mirror and texts in the condition; both forms are looked for.
    forms: list[Any] = [[value] for value in values]
    forms += [[int(value)] for value in values if value.lstrip("-").isdigit() and len(value) < 18]
    return sa.or_(*(operand.sql.contains(form) for form in forms))


def _has_all(operand: Operand, values: list[str]) -> Expression:
    return sa.and_(*(_has_any(operand, [value]) for value in values))


def _top(operand: Operand, percent: Decimal) -> Expression:
    return operand.sql >= operand.ranked(percent)


def _stored(_operand: Operand, _value: Any) -> Expression:
    raise TypeError("membership is asked of its own table: conditions.membership_conditions")


_EMPTY = Operator("empty", N_("is empty"), shapes.NOTHING, lambda o, _: o.sql.is_(None), empty=True)
_FILLED = Operator("filled", N_("is filled"), shapes.NOTHING, lambda o, _: o.sql.is_not(None))
_EITHER = (_EMPTY, _FILLED)

_TEXT = (
    Operator("is", N_("is"), shapes.TEXT, lambda o, v: _one_of(o, [v])),
    Operator("is_not", N_("is not"), shapes.TEXT, lambda o, v: ~_one_of(o, [v]), empty=True),
    Operator("any_of", N_("is any of"), shapes.TEXTS, _one_of),
    Operator(
        "none_of", N_("is none of"), shapes.TEXTS, lambda o, v: ~_one_of(o, v), empty=True
    ),
    Operator("contains", N_("contains"), shapes.TEXT, lambda o, v: _like(o, f"%{_escaped(v)}%")),
    Operator(
        "lacks", N_("does not contain"), shapes.TEXT,
        lambda o, v: ~_like(o, f"%{_escaped(v)}%"), empty=True,
    ),
    Operator("starts", N_("starts with"), shapes.TEXT, lambda o, v: _like(o, f"{_escaped(v)}%")),
    Operator("ends", N_("ends with"), shapes.TEXT, lambda o, v: _like(o, f"%{_escaped(v)}")),
    Operator("matches", N_("matches"), shapes.PATTERN, lambda o, v: o.sql.op("~*")(v)),
    *_EITHER,
)  # fmt: skip


def _number(
    key: str, words: str, compare: Callable[[Any, Any], Any], *, empty: bool = False
) -> Operator:
    def sql(operand: Operand, value: Decimal) -> Expression:
        found: Expression = compare(operand.sql, _as_kept(operand, value))
        return found

    return Operator(key, words, shapes.NUMBER, sql, empty=empty, compare=compare)


def _as_kept(operand: Operand, value: Decimal) -> Decimal | int:
    """A whole number for a whole column: compared as such, its statistics tell how many rows there are."""
    kept = getattr(operand.sql, "type", None)
    if not isinstance(kept, sa.Integer) or value != value.to_integral_value():
        return value
    bits = 15 if isinstance(kept, sa.SmallInteger) else 31
    return int(value) if abs(value) < 2**bits else value


def _between(value: Any, edges: tuple[Any, Any]) -> Any:
    return (value >= edges[0]) & (value <= edges[1])


def _within(operand: Operand, edges: tuple[Decimal, Decimal]) -> Expression:
    first, last = (_as_kept(operand, edge) for edge in edges)
    found: Expression = _between(operand.sql, (first, last))
    return found


_NUMBER = (
    _number("eq", N_("equals"), operator.eq),
    _number("ne", N_("does not equal"), operator.ne, empty=True),
    _number("lt", N_("is less than"), operator.lt),
    _number("le", N_("is at most"), operator.le),
    _number("gt", N_("is more than"), operator.gt),
    _number("ge", N_("is at least"), operator.ge),
    Operator(
        "between", N_("is between"), shapes.NUMBERS, _within, compare=_between
    ),
    *_EITHER,
)  # fmt: skip

_DAY = Period(1)


def _dated(key: str, words: str, shape: Shape, span: Callable[[Any, date], Span]) -> Operator:
    return Operator(key, words, shape, lambda o, v: o.within(span(v, o.today)), span=span)


_FLAG = (
    Operator("yes", N_("is yes"), shapes.NOTHING, lambda o, _: o.sql.is_(True)),
    Operator("no", N_("is no"), shapes.NOTHING, lambda o, _: o.sql.is_(False)),
    Operator(
        "not_yes", N_("is no/empty"), shapes.NOTHING, lambda o, _: o.sql.is_not(True), empty=True
    ),
    *_EITHER,
)

_DATE = (
    _dated("on", N_("is on"), shapes.DAY, lambda v, _: Span(v, v)),
    _dated("before", N_("is before"), shapes.DAY, lambda v, _: Span(None, dates.moved(v, _DAY, -1))),
    _dated("after", N_("is after"), shapes.DAY, lambda v, _: Span(dates.moved(v, _DAY, 1), None)),
    _dated("between", N_("is between"), shapes.DAYS, lambda v, _: Span(*v)),
    _dated("in_last", N_("is in the last"), shapes.PERIOD, dates.in_last),
    _dated("in_next", N_("is in the next"), shapes.PERIOD, dates.in_next),
    _dated("more_than_ago", N_("is earlier than ago"), shapes.PERIOD, dates.more_than_ago),
    _dated("this", N_("is in this"), shapes.UNIT, lambda v, today: dates.calendar(v, today, 0)),
    _dated(
        "previous", N_("is in the previous"), shapes.UNIT,
        lambda v, today: dates.calendar(v, today, -1),
    ),
    _dated(
        "next", N_("is in the coming"), shapes.UNIT, lambda v, today: dates.calendar(v, today, 1)
    ),
    _dated(
        "back", N_("is in the calendar period before by"), shapes.PERIOD,
        lambda v, today: dates.calendar(v.unit, today, -v.n),
    ),
    Operator(
        "anniversary_today", N_("has its anniversary today"), shapes.NOTHING,
        lambda o, _: _anniversary(o, o.today),
    ),
    Operator(
        "anniversary_within", N_("has its anniversary in the next"), shapes.PERIOD,
        lambda o, v: _anniversary(o, dates.moved(o.today, v, 1)),
    ),
    Operator(
        "anniversary_month", N_("has its anniversary in"), shapes.MONTHS,
        lambda o, v: o.part("month").in_(v),
    ),
    Operator(
        "weekday", N_("is on a"), shapes.WEEKDAYS, lambda o, v: o.part("isodow").in_(v)
    ),
    *_EITHER,
)  # fmt: skip

_CHOICE = (
    Operator("any_of", N_("is any of"), shapes.CHOICES, lambda o, v: o.sql.in_(v)),
    Operator("none_of", N_("is none of"), shapes.CHOICES, lambda o, v: o.sql.not_in(v), empty=True),
    *_EITHER,
)

_LIST = (
    Operator("has_any", N_("has any of"), shapes.CHOICES, _has_any),
    Operator("has_all", N_("has all of"), shapes.CHOICES, _has_all),
    Operator(
        "has_none", N_("has none of"), shapes.CHOICES, lambda o, v: ~_has_any(o, v), empty=True
    ),
    Operator(
        "at_least", N_("has at least"), shapes.COUNT, lambda o, v: _length(o) >= v
    ),
    Operator("at_most", N_("has at most"), shapes.COUNT, lambda o, v: _length(o) <= v, empty=True),
    *_EITHER,
)  # fmt: skip

_METRIC = (
    *_NUMBER,
    Operator("top", N_("is among the highest"), shapes.PERCENT, _top),
)

_SEGMENT = (
    Operator("in", N_("is in"), shapes.SEGMENT, _stored),
    Operator("not_in", N_("is not in"), shapes.SEGMENT, _stored, empty=True),
    Operator("was_in_on", N_("was at the end of a day in"), shapes.SEGMENT_ON, _stored),
    Operator("entered_in", N_("entered in a period"), shapes.SEGMENT_BETWEEN, _stored),
    Operator("never_in", N_("has never been in"), shapes.SEGMENT, _stored, empty=True),
)

_SAMPLE = (
    Operator("share", N_("is in a constant share of"), shapes.SHARE, lambda o, v: o.sql < v[0]),
)

OPERATORS: dict[Type, dict[str, Operator]] = {
    kind: {each.key: each for each in rows}
    for kind, rows in {
        Type.TEXT: _TEXT,
        Type.NUMBER: _NUMBER,
        Type.MONEY: _NUMBER,
        Type.FLAG: _FLAG,
        Type.DATE: _DATE,
        Type.MOMENT: _DATE,
        Type.CHOICE: _CHOICE,
        Type.LIST: _LIST,
        Type.METRIC: _METRIC,
        Type.SAMPLE: _SAMPLE,
        Type.SEGMENT: _SEGMENT,
    }.items()
}

UNITS = tuple(Unit)
