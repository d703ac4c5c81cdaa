"""The administrator's rules in words: what fields may take, what a version changed, what is in the way."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from core.web import formats
from core.web.words import gettext as _
from core.web.words import plural
from integration.admin_rules import Content
from integration.rules.hours import Hours
from integration.rules.keeping import OPTIONAL, Keeping, Use
from segments.writing import writing_rules
from segments.writing.targets import Refusal, Target
from segments.writing.writing_rules import Why


@dataclass(frozen=True, slots=True)
class Line:
    """One thing that a version changed; without `before`, what it began with."""

    title: str
    before: str | None
    after: str


def kinds() -> dict[str, str]:
    """Kinds of cards and histories."""
    return {
        "contact": _("Contacts"),
        "company": _("Companies"),
        "lead": _("Leads"),
        "deal": _("Deals"),
        "history": _("Stage history"),
        "activity": _("Activities"),
    }


def metrics() -> dict[str, str]:
    """The figures."""
    return {
        "ltv": _("LTV"),
        "average_check": _("Average check"),
        "sales": _("Number of sales"),
        "first_sale": _("First sale"),
        "last_sale": _("Last sale"),
        "rfm": _("RFM group"),
    }


def figure(key: str) -> str:
    """`contact.ltv` in words."""
    kind, _dot, metric = key.partition(".")
    return f"{kinds()[kind]}: {metrics()[metric]}"


def refusals() -> dict[Refusal, str]:
    """Why a field can't take a figure."""
    return {
        Refusal.MULTIPLE: _("holds several values"),
        Refusal.FRACTION: _("whole numbers only, kopecks would be lost"),
        Refusal.NOT_MONEY: _("is for money, and this is a number"),
        Refusal.TIME: _("wants a time too, and a sale only has a date"),
        Refusal.TYPE: _("holds another kind of value"),
        Refusal.UNKNOWN: _("is not on the portal"),
        Refusal.LEFT_OUT: _("is not read; switch it on under “Reading”"),
        Refusal.TAKEN: _("takes another figure already"),
    }


def reasons() -> dict[Why, str]:
    """Why a figure is held back."""
    return {
        Why.GONE: _("the field is not on the portal any more"),
        Why.RETYPED: _("the field is of another type now"),
        Why.LEFT_OUT: _("the field is not read any more"),
        Why.IGNORED: _("the portal accepted the value and kept the old one, or rounded it"),
    }


def uses() -> dict[str, str]:
    """The rules that may need a field or an entity."""
    return {
        "sale_rule": _("the sale rule"),
        "writing": _("figures on the cards"),
        "segment": _("a segment's conditions"),
    }


def use(found: Use, labels: Mapping[tuple[str, str], str]) -> str:
    """What is needed, and by what."""
    what = kinds()[found.entity]
    if found.code is not None:
        what += f", {labels.get((found.entity, found.code), found.code)}"
    return f"{what}: {uses()[found.by]}"


def writing_changes(before: Content | None, after: Content) -> Iterator[Line]:
    """Where figures went and go."""
    new = {target.key: target for target in writing_rules.targets_of(after)}
    if before is None:
        for key, target in new.items():
            yield Line(figure(key), None, _place(target))
        return
    old = {target.key: target for target in writing_rules.targets_of(before)}
    for key in dict.fromkeys([*old, *new]):
        if _code(old.get(key)) != _code(new.get(key)):
            yield Line(figure(key), _place(old.get(key)), _place(new.get(key)))


def keeping_changes(
    before: Content | None, after: Content, labels: Mapping[tuple[str, str], str]
) -> Iterator[Line]:
    """What was read and is read."""
    if before is None:
        yield Line(_("Everything"), None, _("read"))
    old, new = Keeping.of(before), Keeping.of(after)
    for entity in OPTIONAL:
        if (entity in old.skipped) != (entity in new.skipped):
            yield Line(kinds()[entity], *_switched(entity not in new.skipped))
    for entity in dict.fromkeys([*old.left_out, *new.left_out]):
        was, now = (rule.left_out.get(entity, frozenset()) for rule in (old, new))
        for code in sorted(was ^ now):
            title = f"{kinds()[entity]}, {labels.get((entity, code), code)}"
            yield Line(title, *_switched(code in was))


def hours_changes(before: Content | None, after: Content) -> Iterator[Line]:
    """When people worked and work, and when everything is checked."""
    old, new = Hours.of(before), Hours.of(after)
    if before is None:
        yield Line(_("Working time"), None, working_time(new))
        yield Line(_("Nightly check"), None, hour(new.check_at))
        return
    if (old.days, old.start, old.end) != (new.days, new.start, new.end):
        yield Line(_("Working time"), working_time(old), working_time(new))
    if old.check_at != new.check_at:
        yield Line(_("Nightly check"), hour(old.check_at), hour(new.check_at))


def days() -> tuple[str, ...]:
    """The days of a week, Monday first."""
    return (_("Mon"), _("Tue"), _("Wed"), _("Thu"), _("Fri"), _("Sat"), _("Sun"))


def working_time(hours: Hours) -> str:
    """Days and hours in one line."""
    if not hours.days:
        return _("none")
    named = ", ".join(days()[day] for day in hours.days)
    return f"{named}, {hour(hours.start)}–{hour(hours.end)}"


def size(number: int) -> str:
    """About how many bytes."""
    for unit, words in ((2**30, _("GB")), (2**20, _("MB")), (2**10, _("KB"))):
        if number >= unit:
            return f"{formats.number(number / unit, 1)} {words}"
    return _("less than 1 KB") if number else "—"


def hour(number: int) -> str:
    """An hour of the clock."""
    return f"{number}:00"


def overwritten(target: Target, number: int) -> str:
    """What writing would replace."""
    cards = plural(
        number,
        "%(n)s card holds another value there",
        "%(n)s cards hold another value there",
    )
    return f"{figure(target.key)} → {_quoted(target.label)}: {cards}"


def _switched(on: bool) -> tuple[str, str]:
    words = (_("not read"), _("read"))
    return words if on else (words[1], words[0])


def _code(target: Target | None) -> str | None:
    return target.code if target else None


def _place(target: Target | None) -> str:
    if target is None:
        return _("not written")
    return _("field of Rubilnik") if target.own else _quoted(target.label)


def _quoted(name: str) -> str:
    return _("“%(name)s”", name=name)
