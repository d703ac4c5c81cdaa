"""The builder's words: measures, units, months, and what is wrong with a condition that isn't finished."""

from __future__ import annotations

from collections.abc import Sequence

from babel.dates import get_day_names, get_month_names

from core.web.words import gettext as _
from core.web.words import spoken_locale
from segments.building.builder import Node
from segments.building.drafts import Problem
from segments.conditions.options import Options
from segments.rules.dates import Unit
from segments.rules.tree import Kind, Measure, Mode

_WEEK = 7


def measures(*, ordered: bool) -> Options:
    """What can be asked of related rows; first and last where they have an order."""
    words = {
        Measure.ANY: _("there are such"),
        Measure.NONE: _("there are none such"),
        Measure.FIRST: _("the very first one is such"),
        Measure.LAST: _("the very last one is such"),
        Measure.COUNT: _("their number"),
        Measure.SUM: _("the sum of"),
        Measure.AVG: _("the average of"),
        Measure.MIN: _("the lowest of"),
        Measure.MAX: _("the highest of"),
    }
    outer = (Measure.FIRST, Measure.LAST)
    return [(each.value, text) for each, text in words.items() if ordered or each not in outer]


def modes() -> Options:
    """How many conditions of a group have to hold."""
    return [
        (Mode.ALL.value, _("all of")),
        (Mode.ANY.value, _("any of")),
        (Mode.NONE.value, _("none of")),
    ]


def joints() -> dict[str, str]:
    """The word between two conditions of a group."""
    return {"all": _("and"), "any": _("or"), "none": _("nor")}


def units() -> Options:
    """Units after a number: 30 days."""
    return [
        (Unit.DAY.value, _("days")),
        (Unit.WEEK.value, _("weeks")),
        (Unit.MONTH.value, _("months")),
        (Unit.QUARTER.value, _("quarters")),
        (Unit.YEAR.value, _("years")),
    ]


def periods() -> Options:
    """A unit alone: this month."""
    return [
        (Unit.DAY.value, _("day")),
        (Unit.WEEK.value, _("week")),
        (Unit.MONTH.value, _("month")),
        (Unit.QUARTER.value, _("quarter")),
        (Unit.YEAR.value, _("year")),
    ]


def months() -> Options:
    """January is 1."""
    names = get_month_names("wide", "stand-alone", spoken_locale())
    return [(str(number), str(names[number])) for number in sorted(names)]


def weekdays() -> Options:
    """Monday is 1."""
    names = get_day_names("abbreviated", "stand-alone", spoken_locale())
    return [(str(number + 1), str(names[number])) for number in range(_WEEK)]


def kinds() -> dict[Kind, str]:
    """Kinds of cards."""
    return {
        Kind.CONTACT: _("Contacts"),
        Kind.COMPANY: _("Companies"),
        Kind.LEAD: _("Leads"),
    }


def only_of(without: Sequence[Kind]) -> str:
    """A condition on a field that some of the asked cards don't have."""
    listed = ", ".join(kinds()[kind].lower() for kind in without)
    return _("Not a field of these cards: %(kinds)s. For them it counts as empty", kinds=listed)


def lost() -> str:
    """A field or list that is gone."""
    return _("The portal has no such field any more. Remove the condition or choose another field")


def problem(found: Problem, shape: str, node: Node) -> str:
    """What to do about a problem, beside the condition."""
    if found.part == "field" or found.part == "related":
        return lost()
    if found.part == "of":
        return _("Choose what to measure")
    if found.part == "op":
        return _("Choose how to compare")
    if found.part == "value":
        return _("Not finished: choose or enter a value") if _unfilled(node) else _unfit(shape)
    if "deep" in found.words:
        return _("Groups may stand one inside another five deep at most")
    if "conditions at most" in found.words:
        return _("There may be a hundred conditions at most")
    return found.words


def _unfilled(node: Node) -> bool:
    value = node.get("value")
    if isinstance(value, dict):
        return any(part in (None, "") or part == [None, None] for part in value.values())
    return value is None or (isinstance(value, list) and None in value)


def _unfit(shape: str) -> str:
    words = {
        "number": _("Enter a number"),
        "percent": _("Enter a number above 0, up to 100"),
        "share": _("Enter a number above 0, up to 100"),
        "period": _("Enter a whole number"),
        "count": _("Enter a whole number from 1"),
        "numbers": _("Enter two numbers, the smaller first"),
        "days": _("Choose two dates, the earlier first"),
        "pattern": _("This is no regular expression"),
    }
    return words.get(shape) or _("This value can't be used here")


def limits() -> Options:
    """Who comes first when not everybody is taken."""
    return [
        ("", _("by chance, always the same ones")),
        ("ltv", _("with the highest LTV")),
        ("sales", _("with the most sales")),
        ("average_check", _("with the highest average check")),
        ("mean_gap_days", _("with the longest gap between sales")),
    ]


def shortcuts() -> list[tuple[str, str]]:
    """What the keyboard does."""
    return [
        ("Alt N", _("add a condition to this group")),
        ("Enter", _("choose in a list")),
        ("Esc", _("close a list")),
        ("Alt ↑, Alt ↓", _("move the condition")),
        ("Alt C", _("duplicate")),
        ("Alt G", _("put into a group")),
        ("Alt U", _("ungroup")),
        ("Alt Delete", _("remove")),
        ("Ctrl Z, Ctrl Shift Z", _("step back, step forward")),
        ("Ctrl Enter", _("save")),
    ]
