"""What a person changed in the builder's form, put into the draft: inputs by place, and one action.

An input is named by its condition's place and what it is: «clients.0|op».
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from segments.building import builder, builder_fields, builder_inputs
from segments.building.builder import INNER, SIDES, Draft, Node, NoSuchPlace
from segments.building.builder_inputs import STARTING, Typed
from segments.conditions.catalog import Context, Scope
from segments.conditions.definitions import measured
from segments.conditions.operators import OPERATORS, Operator, Type
from segments.conditions.relations import RELATIONS
from segments.rules.tree import Measure

Inputs = Mapping[str, Sequence[str]]
MAX_CHARACTERS = 200_000


class Unreadable(ValueError):
    """The draft that was sent is no JSON of a segment."""


@dataclass(frozen=True, slots=True)
class Edited:
    """A draft after a change. `focus`: the place to look at next, when an action was taken."""

    draft: Draft
    focus: str = ""


def parsed(text: str) -> Draft:
    """The draft of this JSON. Raises Unreadable."""
    try:
        raw = json.loads(text) if len(text) <= MAX_CHARACTERS else None
    except ValueError:
        raw = None
    if not isinstance(raw, dict) or not set(raw) & set(SIDES):
        raise Unreadable
    return builder.opened(raw)


def edited(text: str, inputs: Inputs, action: str, scope: Scope) -> Edited:
    """The draft with the form's inputs and then the action: its name, a place, an argument, apart by spaces.

    Raises Unreadable, NoSuchPlace.
    """
    draft = parsed(text)
    name, place, argument = [*action.split(" ", 2), "", "", ""][:3]
    if name == "replace":
        return Edited(draft)
    apply(draft, inputs, scope)
    return Edited(draft, _act(draft, name, place, argument, scope) if name else "")


def apply(draft: Draft, inputs: Inputs, scope: Scope) -> None:
    """Put the inputs into the conditions they belong to."""
    typed: dict[str, dict[str, Sequence[str]]] = {}
    for name, texts in inputs.items():
        place, bar, what = name.partition("|")
        if bar:
            typed.setdefault(place, {})[what] = texts
    for side in SIDES:
        if side in draft:
            _apply_side(draft, side, typed, scope)
    if "limit" in typed:
        _apply_limit(draft, typed["limit"])


def operators_of(node: Node, context: Context, scope: Scope) -> Mapping[str, Operator]:
    """What the condition, or the measure of related rows, can be compared by."""
    kind = type_of(node, context, scope)
    return {} if kind is None else OPERATORS[kind]


def type_of(node: Node, context: Context, scope: Scope) -> Type | None:
    """The type of what is compared; None: nothing is."""
    if "field" in node:
        field = context.find(node["field"], scope)
        return None if field is None else field.type
    relation = RELATIONS.get(node["related"])
    measure = node.get("measure", Measure.ANY.value)
    if relation is None or measure not in list(Measure) or not Measure(measure).compares:
        return None
    of = node.get("of")
    return measured(relation, Measure(measure), of if isinstance(of, str) else None, scope)


def _apply_side(
    draft: Draft, side: str, typed: Mapping[str, Mapping[str, Sequence[str]]], scope: Scope
) -> None:
    kinds = typed.get(side, {}).get("kinds")
    if kinds and side == SIDES[0]:
        draft[side] = builder.opened({side: {**draft[side], "kinds": list(kinds)}})[side]
    for place, node in _conditions(draft[side]["where"], side):
        if place in typed:
            context = builder_fields.context_at(draft, place)
            _apply_node(node, typed[place], context, scope)


def _conditions(node: Node, place: str) -> Iterator[tuple[str, Node]]:
    if not builder.is_group(node):
        yield place, node
        if "related" in node:
            yield from _conditions(node["where"], f"{place}.{INNER}")
        return
    for number, part in enumerate(builder.parts_of(node)):
        yield from _conditions(part, f"{place}.{number}")


def _apply_node(node: Node, typed: Typed, context: Context, scope: Scope) -> None:
    before = operators_of(node, context, scope).get(node.get("op", ""))
    if "related" in node:
        _apply_measure(node, typed)
    known = operators_of(node, context, scope)
    if not known:
        return
    op = known.get((typed.get("op") or [""])[0]) or known.get(node.get("op", ""))
    if op is None:
        kind = type_of(node, context, scope)
        op = next(iter(known.values())) if kind is None else builder_fields.usual(kind)
    node["op"] = op.key
    same_inputs = before is not None and before.shape.key == op.shape.key
    shape = op.shape.key
    value = builder_inputs.read(shape, typed) if same_inputs else STARTING.get(shape)
    node.pop("value", None)
    if value is not None:
        node["value"] = value


def _apply_measure(node: Node, typed: Typed) -> None:
    measure = (typed.get("measure") or [node.get("measure", "")])[0]
    if measure not in list(Measure):
        return
    node["measure"] = measure
    if not Measure(measure).compares:
        for key in ("of", "op", "value"):
            node.pop(key, None)
    if not Measure(measure).of_field:
        node.pop("of", None)
    elif of := (typed.get("of") or [""])[0]:
        node["of"] = of


def _apply_limit(draft: Draft, typed: Typed) -> None:
    count = builder_inputs.number((typed.get("count") or [""])[0].strip())
    draft.pop("limit", None)
    if count is not None:
        by = (typed.get("by") or [""])[0]
        draft["limit"] = {"count": count} | ({"by": by} if by else {})


def _act(draft: Draft, name: str, place: str, argument: str, scope: Scope) -> str:
    if name == "side":
        builder.switch(draft, place if place in SIDES else SIDES[0], on=argument == "on")
        return place
    if name == "add":
        return _add(draft, place, argument, scope)
    if name == "mode":
        return builder.set_mode(draft, place, argument)
    if name == "drop":
        return _drop(draft, place, argument)
    if name not in _SIMPLE:
        raise NoSuchPlace(name)
    return _SIMPLE[name](draft, place)


_SIMPLE: dict[str, Callable[[Draft, str], str]] = {
    "remove": builder.remove,
    "duplicate": builder.duplicate,
    "wrap": builder.wrap,
    "unwrap": builder.unwrap,
    "up": lambda draft, place: builder.move(draft, place, -1),
    "down": lambda draft, place: builder.move(draft, place, 1),
}


def _add(draft: Draft, place: str, key: str, scope: Scope) -> str:
    if key == "group":
        return builder.add(draft, place, {"any": []})
    node = builder_fields.node_of(key, builder_fields.context_at(draft, place), scope)
    if node is None:
        raise NoSuchPlace(key)
    added = builder.add(draft, place, node)
    inner: list[Any] = builder.parts_of(node["where"]) if "related" in node else []
    return f"{added}.{INNER}.0" if inner else added


def _drop(draft: Draft, place: str, choice: str) -> str:
    """Take one of the chosen values away."""
    node = builder.at(draft, place)
    left = [each for each in node.get("value", ()) if str(each) != choice]
    node.pop("value", None)
    if left:
        node["value"] = left
    return place
