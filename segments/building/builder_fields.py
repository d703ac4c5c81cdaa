"""What a condition can be added about: every field by its words, grouped, and the condition it begins as.

A field of related rows can be found as well as the card's own: it begins as a question about those rows
with one condition inside.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from core.web.words import gettext as _
from segments.building.builder import INNER, SIDES, Draft, Node, NoSuchPlace, at, is_group
from segments.building.builder_inputs import STARTING
from segments.conditions.card_fields import CARD
from segments.conditions.catalog import Context, Field, Scope
from segments.conditions.operators import OPERATORS, Operator, Type
from segments.conditions.relations import RELATIONS, Relation
from segments.rules.tree import Kind, Measure

_USUAL = {
    Type.TEXT: "contains",
    Type.NUMBER: "ge",
    Type.MONEY: "ge",
    Type.METRIC: "ge",
    Type.DATE: "in_last",
    Type.MOMENT: "in_last",
}


@dataclass(frozen=True, slots=True)
class Entry:
    """A line of the list of fields; `key` is what `node_of` makes a condition from."""

    key: str
    label: str


@dataclass(frozen=True, slots=True)
class Shelf:
    """Lines of one topic."""

    title: str
    entries: list[Entry]


def kinds_of(draft: Draft, side: str) -> tuple[Kind, ...]:
    """The kinds of cards a side is about."""
    if side == SIDES[1]:
        return (Kind.LEAD,)
    return tuple(Kind(name) for name in draft[side]["kinds"])


def shelves(draft: Draft, place: str, scope: Scope) -> list[Shelf]:
    """Everything that may be added to the group at this place. Raises NoSuchPlace."""
    if not is_group(at(draft, place)):
        raise NoSuchPlace(place)
    relation = relation_at(draft, place)
    if relation is not None:
        return _by_group(relation.context.listed(scope), "field:")
    kinds = set(kinds_of(draft, place.partition(".")[0]))
    listed = context_at(draft, place).listed(scope)
    own = [each for each in listed if kinds & set(each.kinds)]
    related = [each for each in RELATIONS.values() if kinds & set(each.kinds)]
    return _by_group(own, "field:") + [_of_relation(each, scope) for each in related]


def relation_at(draft: Draft, place: str) -> Relation | None:
    """Whose rows the conditions at this place are about; None: the card's own."""
    steps = place.split(".")
    if INNER not in steps:
        return None
    outer = ".".join(steps[: steps.index(INNER)])
    return RELATIONS.get(at(draft, outer)["related"])


def context_at(draft: Draft, place: str) -> Context:
    """What the conditions at this place speak about."""
    relation = relation_at(draft, place)
    side = place.partition(".")[0]
    return CARD.of(kinds_of(draft, side)) if relation is None else relation.context


def node_of(key: str, context: Context, scope: Scope) -> Node | None:
    """The condition a line of the list begins as."""
    what, _colon, name = key.partition(":")
    if what == "field":
        field = context.find(name, scope)
        return None if field is None else _condition(field)
    relation_key, _colon, field_key = name.partition(":")
    relation = RELATIONS.get(relation_key)
    if relation is None or context.key != CARD.key:
        return None
    inner = relation.context.find(field_key, scope) if field_key else None
    parts = [] if inner is None else [_condition(inner)]
    return {"related": relation.key, "measure": Measure.ANY.value, "where": {"all": parts}}


def usual(kind: Type) -> Operator:
    """The operator that a condition on such a field begins with."""
    known = OPERATORS[kind]
    return known.get(_USUAL.get(kind, "")) or next(iter(known.values()))


def label_of(field: Field) -> str:
    """The field's words; a custom field's are the portal's own."""
    return field.label if field.code is not None else _(field.label)


def _condition(field: Field) -> Node:
    op = usual(field.type)
    value = STARTING.get(op.shape.key)
    return {"field": field.key, "op": op.key} | ({} if value is None else {"value": value})


def _by_group(fields: Iterable[Field], prefix: str) -> list[Shelf]:
    found: dict[str, list[Entry]] = {}
    for field in fields:
        found.setdefault(field.group, []).append(Entry(prefix + field.key, label_of(field)))
    return [Shelf(_(group), entries) for group, entries in found.items()]


def _of_relation(relation: Relation, scope: Scope) -> Shelf:
    title = _(relation.label)
    whole = Entry(f"related:{relation.key}", _("%(rows)s: there are, how many, sum…", rows=title))
    fields = [
        Entry(f"related:{relation.key}:{each.key}", f"{title}: {label_of(each)}")
        for each in relation.context.listed(scope)
    ]
    return Shelf(title, [whole, *fields])
