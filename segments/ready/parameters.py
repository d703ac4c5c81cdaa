"""What people may choose in a preset: numbers, lists, fields of their portal, with limits and defaults.

`Facts` are what defaults and presets need to know of the portal. Values come as JSON has them; what is left
out takes its default.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm import Session

from core.web.words import gettext as _
from integration.mirror import Status
from segments.conditions.catalog import NOT_KEPT, Scope
from segments.conditions.options import Options, options
from segments.rules.tree import Kind

MAX_TEXT = 200
MAX_CHOSEN = 200
HALF_GONE, NEARLY_ALL_GONE = 180, 365
MOST_DAYS = 3650
_PROGRESS = ("P", None, "")


class InvalidParameter(ValueError):
    """A value a preset can't take: `key` says which, `problem` what is allowed."""

    def __init__(self, key: str, problem: str) -> None:
        super().__init__(f"{key}: {problem}")
        self.key = key
        self.problem = problem


class Asks(StrEnum):
    """Kinds of parameters: which input a form shows."""

    WHOLE = "whole"  # a whole number: days, months, times
    NUMBER = "number"  # a number that may have a fraction: a sum, a ratio, a per cent
    SWITCH = "switch"
    WAY = "way"  # one of `ways`
    TEXTS = "texts"  # words separated by commas
    CHOICES = "choices"  # some of the portal's list `options`
    FIELD = "field"  # one of the portal's custom fields


@dataclass(frozen=True, slots=True)
class OfFields:
    """Which custom fields can be chosen, and what the label of the likely one looks like."""

    entities: tuple[str, ...]
    types: tuple[str, ...]
    likely: str


@dataclass
class Facts:
    """What presets know of a portal."""

    session: Session
    scope: Scope
    half_gone: int = (
        HALF_GONE  # days without a sale after which half of the clients never came back
    )
    nearly_all_gone: int = NEARLY_ALL_GONE  # … and nine of ten
    _lists: dict[str, Options] = field(default_factory=dict)

    def options(self, name: str) -> Options:
        """The values of a list of the portal."""
        if name not in self._lists:
            self._lists[name] = options(self.session, self.scope.portal_id, name)
        return self._lists[name]

    def fields(self, of: OfFields) -> Options:
        """Custom fields as (code, label)."""
        return [
            (code, row.label)
            for entity in of.entities
            for code, row in self.scope.custom.get(entity, {}).items()
            if row.type_id in of.types and row.type_id not in NOT_KEPT and not row.multiple
        ]

    def likely_field(self, of: OfFields) -> str | None:
        """The field whose label looks like the one that is meant."""
        named = re.compile(of.likely, re.IGNORECASE)
        return next((code for code, label in self.fields(of) if named.search(label)), None)

    def stages(self, dictionary: str) -> list[str]:
        """Stages in progress of a funnel, in the portal's order."""
        query = (
            sa.select(Status.status_id, Status.semantic)
            .where(Status.portal_id == self.scope.portal_id, Status.dictionary == dictionary)
            .order_by(Status.sort, Status.status_id)
        )
        return [stage for stage, state in self.session.execute(query) if state in _PROGRESS]

    def funnels(self) -> list[list[str]]:
        """Stages in progress of each pipeline of deals that counts by the sale rule."""
        wanted = self.scope.rule.pipelines
        numbers = [int(number) for number, _name in self.options("pipelines")] or [0]
        found = [
            self.stages("DEAL_STAGE" if number == 0 else f"DEAL_STAGE_{number}")
            for number in numbers
            if wanted is None or number in wanted
        ]
        return [stages for stages in found if stages]

    def has(self, kind: Kind, code: str | None) -> bool:
        """Whether a kind of card has this custom field."""
        return code in self.scope.custom.get(kind.value, {})


Default = Callable[[Facts], Any]


@dataclass(frozen=True, slots=True)
class Parameter:
    """One choice. `label` is a message id, `default` a value or what the portal's facts make of it.

    `required`: the preset says nothing until it is chosen.
    """

    key: str
    label: str
    asks: Asks = Asks.WHOLE
    default: Any | Default = None
    low: float = 1
    high: float = MOST_DAYS
    ways: tuple[tuple[str, str], ...] = ()
    options: str = ""
    fields: OfFields | None = None
    required: bool = False

    def starting(self, facts: Facts) -> Any:
        """The value before anybody chooses."""
        if callable(self.default):
            return self.default(facts)
        if self.asks is Asks.FIELD and self.default is None and self.fields is not None:
            return facts.likely_field(self.fields)
        if self.asks in (Asks.TEXTS, Asks.CHOICES):
            return list(self.default or ())
        return self.default

    def choices(self, facts: Facts) -> Options:
        """What can be chosen, in the viewer's language."""
        if self.asks is Asks.FIELD and self.fields is not None:
            return facts.fields(self.fields)
        if self.asks is Asks.CHOICES:
            return facts.options(self.options)
        return [(value, _(words)) for value, words in self.ways]

    def read(self, raw: Any, facts: Facts) -> Any:
        """The value, checked. Raises InvalidParameter."""
        try:
            return _READERS[self.asks](self, raw, facts)
        except _Unfit as unfit:
            raise InvalidParameter(self.key, str(unfit)) from None


class _Unfit(ValueError):
    """What is allowed instead."""


def _whole(of: Parameter, raw: Any, _facts: Facts) -> int:
    if isinstance(raw, bool) or not isinstance(raw, int) or not of.low <= raw <= of.high:
        raise _Unfit(f"must be a whole number from {of.low} to {of.high}")
    return raw


def _number(of: Parameter, raw: Any, _facts: Facts) -> int | float:
    known = isinstance(raw, int | float) and not isinstance(raw, bool)
    if not known or not of.low <= raw <= of.high:
        raise _Unfit(f"must be a number from {of.low} to {of.high}")
    number: int | float = raw
    return number


def _switch(_of: Parameter, raw: Any, _facts: Facts) -> bool:
    if not isinstance(raw, bool):
        raise _Unfit("must be true or false")
    return raw


def _way(of: Parameter, raw: Any, _facts: Facts) -> str:
    allowed = [value for value, _words in of.ways]
    if raw not in allowed:
        raise _Unfit(f"must be one of: {', '.join(allowed)}")
    return str(raw)


def _texts(of: Parameter, raw: Any, _facts: Facts) -> list[str]:
    if not isinstance(raw, list) or len(raw) > MAX_CHOSEN:
        raise _Unfit("must be a list of texts")
    if any(not isinstance(each, str) or len(each) > MAX_TEXT for each in raw):
        raise _Unfit("must be a list of texts")
    found = [each.strip() for each in raw if each.strip()]
    if of.required and not found:
        raise _Unfit("must not be empty")
    return found


def _choices(of: Parameter, raw: Any, facts: Facts) -> list[str]:
    if not isinstance(raw, list) or len(raw) > MAX_CHOSEN:
        raise _Unfit("must be a list of ids")
    known = dict(facts.options(of.options))
    for each in raw:
        if each not in known:
            raise _Unfit(f"has no value «{each}»")
    return list(raw)


def _field(of: Parameter, raw: Any, facts: Facts) -> str | None:
    allowed = [] if of.fields is None else [code for code, _label in facts.fields(of.fields)]
    if raw is not None and raw not in allowed:
        raise _Unfit(f"must be left out or one of: {', '.join(allowed)}")
    return None if raw is None else str(raw)


_READERS: Mapping[Asks, Callable[[Parameter, Any, Facts], Any]] = {
    Asks.WHOLE: _whole,
    Asks.NUMBER: _number,
    Asks.SWITCH: _switch,
    Asks.WAY: _way,
    Asks.TEXTS: _texts,
    Asks.CHOICES: _choices,
    Asks.FIELD: _field,
}
