"""Sentence parts of the catalogue: what is said of related rows, and an operator with its value."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from typing import Any

from babel.dates import format_date, get_day_names, get_month_names
from babel.numbers import format_decimal

from core.web.words import N_, plural, spoken_locale
from core.web.words import gettext as _
from segments.conditions.operators import Operator
from segments.rules.tree import Measure

Named = Callable[[str], str]
"""A value of a list, or the id of a segment, as it is called."""

NBSP = "\u00a0"


@dataclass(frozen=True, slots=True)
class RowWords:
    """How rows of a relation are spoken of. Message ids; `which` ends before what holds for the row."""

    one: str
    one_which: str
    none: str
    first_which: str
    last_which: str
    number: str
    over: str


ROW_WORDS: dict[str, RowWords] = {
    "deals": RowWords(
        N_("there is a deal"), N_("there is a deal for which"), N_("there are no deals"),
        N_("the first deal is one for which"), N_("the last deal is one for which"),
        N_("number of deals"), N_("over deals"),
    ),
    "leads": RowWords(
        N_("there is a lead"), N_("there is a lead for which"), N_("there are no leads"),
        N_("the first lead is one for which"), N_("the last lead is one for which"),
        N_("number of leads"), N_("over leads"),
    ),
    "activities": RowWords(
        N_("there is an activity"), N_("there is an activity for which"),
        N_("there are no activities"), N_("the first activity is one for which"),
        N_("the last activity is one for which"), N_("number of activities"), N_("over activities"),
    ),
    "stage_moves": RowWords(
        N_("there is a move between stages"), N_("there is a move between stages for which"),
        N_("there are no moves between stages"),
        N_("the first move between stages is one for which"),
        N_("the last move between stages is one for which"), N_("number of moves between stages"),
        N_("over moves between stages"),
    ),
    "products": RowWords(
        N_("there is a product in deals"), N_("there is a product in deals for which"),
        N_("there are no products in deals"), N_("the first product in deals is one for which"),
        N_("the last product in deals is one for which"), N_("number of products in deals"),
        N_("over products in deals"),
    ),
    "addresses": RowWords(
        N_("there is an address"), N_("there is an address for which"), N_("there are no addresses"),
        "", "", N_("number of addresses"), N_("over addresses"),
    ),
    "recurring_deals": RowWords(
        N_("there is a template of recurring deals"),
        N_("there is a template of recurring deals for which"),
        N_("there are no templates of recurring deals"),
        N_("the first template of recurring deals is one for which"),
        N_("the last template of recurring deals is one for which"),
        N_("number of templates of recurring deals"), N_("over templates of recurring deals"),
    ),
}  # fmt: skip

TAKEN: dict[Measure, str] = {
    Measure.SUM: N_("sum of %(field)s"),
    Measure.AVG: N_("average of %(field)s"),
    Measure.MIN: N_("lowest of %(field)s"),
    Measure.MAX: N_("highest of %(field)s"),
}

_CALENDAR: dict[tuple[str, str], str] = {
    ("this", "day"): N_("is today"),
    ("this", "week"): N_("is in this week"),
    ("this", "month"): N_("is in this month"),
    ("this", "quarter"): N_("is in this quarter"),
    ("this", "year"): N_("is in this year"),
    ("previous", "day"): N_("is yesterday"),
    ("previous", "week"): N_("is in the previous week"),
    ("previous", "month"): N_("is in the previous month"),
    ("previous", "quarter"): N_("is in the previous quarter"),
    ("previous", "year"): N_("is in the previous year"),
    ("next", "day"): N_("is tomorrow"),
    ("next", "week"): N_("is in the next week"),
    ("next", "month"): N_("is in the next month"),
    ("next", "quarter"): N_("is in the next quarter"),
    ("next", "year"): N_("is in the next year"),
}


def quoted(text: str) -> str:
    """«text», which may hold no such quotes itself."""
    return f"«{text.replace('«', '„').replace('»', '“')}»"


def phrase(op: Operator, value: Any, named: Named, unit: str = "") -> str:
    """What follows the subject: the operator's words and the value. `unit` follows a number."""
    return _PHRASES[op.shape.key](op, value, named, unit)


def number(value: Any, unit: str = "") -> str:
    """A number in full, as the reader's language writes it."""
    text = format_decimal(Decimal(str(value)), "#,##0.##############", locale=spoken_locale())
    return text + (f"{NBSP}{unit}" if unit else "")


def day(iso: str) -> str:
    """31.01.2026."""
    pattern = "dd.MM.y" if spoken_locale().startswith("ru") else "d MMM y"
    return format_date(date.fromisoformat(iso), pattern, locale=spoken_locale())


def period(value: dict[str, Any]) -> str:
    """30 days."""
    length = value["n"]
    match value["unit"]:
        case "day":
            return plural(length, "%(n)s day", "%(n)s days")
        case "week":
            return plural(length, "%(n)s week", "%(n)s weeks")
        case "month":
            return plural(length, "%(n)s month", "%(n)s months")
        case "quarter":
            return plural(length, "%(n)s quarter", "%(n)s quarters")
        case _:
            return plural(length, "%(n)s year", "%(n)s years")


def _with(text: Callable[[Any, Named, str], str]) -> Callable[[Operator, Any, Named, str], str]:
    return lambda op, value, named, unit: f"{_(op.words)} {text(value, named, unit)}"


def _quotes(values: list[str], _named: Named, _unit: str) -> str:
    return ", ".join(quoted(value.strip()) for value in values)


def _range(texts: list[str]) -> str:
    return _("from %(low)s to %(high)s", low=texts[0], high=texts[1])


def _span(op: Operator, value: Any, _named: Named, _unit: str) -> str:
    length = period(value)
    if op.key == "more_than_ago":
        return _("is more than %(length)s ago", length=length)
    if op.key == "back":
        return _("is in the calendar period that was %(length)s before this one", length=length)
    return f"{_(op.words)} {length}"


def _names(names: Any, chosen: list[int], shift: int) -> str:
    return ", ".join(names[number - shift] for number in sorted(chosen))


def _months(value: list[int], _named: Named, _unit: str) -> str:
    return _names(get_month_names("wide", "stand-alone", spoken_locale()), value, 0)


def _weekdays(value: list[int], _named: Named, _unit: str) -> str:
    return _names(get_day_names("wide", "stand-alone", spoken_locale()), value, 1)


def _segment(op: Operator, value: Any, named: Named, _unit: str) -> str:
    return f"{_(op.words)} {named(str(value))}"


def _segment_on(_op: Operator, value: Any, named: Named, _unit: str) -> str:
    segment = named(str(value["segment"]))
    return _("was in %(segment)s at the end of %(day)s", segment=segment, day=day(value["day"]))


def _segment_between(_op: Operator, value: Any, named: Named, _unit: str) -> str:
    segment, days = named(str(value["segment"])), _range([day(each) for each in value["days"]])
    return _("entered %(segment)s in the days %(days)s", segment=segment, days=days)


_PHRASES: dict[str, Callable[[Operator, Any, Named, str], str]] = {
    "nothing": lambda op, _value, _named, _unit: _(op.words),
    "text": _with(lambda value, _named, _unit: quoted(value.strip())),
    "texts": _with(_quotes),
    "pattern": _with(lambda value, _named, _unit: quoted(value.strip())),
    "number": _with(lambda value, _named, unit: number(value, unit)),
    "numbers": _with(lambda value, _named, unit: _range([number(each, unit) for each in value])),
    "percent": _with(lambda value, _named, _unit: number(value, "%")),
    "day": _with(lambda value, _named, _unit: day(value)),
    "days": _with(lambda value, _named, _unit: _range([day(each) for each in value])),
    "period": _span,
    "unit": lambda op, value, _named, _unit: _(_CALENDAR[op.key, value]),
    "months": _with(_months),
    "weekdays": _with(_weekdays),
    "choices": _with(lambda value, named, _unit: ", ".join(named(str(each)) for each in value)),
    "count": _with(lambda value, _named, _unit: number(value)),
    "share": _with(
        lambda value, _named, _unit: f"{number(value['percent'], '%')} {quoted(value['salt'])}"
    ),
    "segment": _segment,
    "segment_on": _segment_on,
    "segment_between": _segment_between,
}
