"""Edits of a segment that is being made: pure changes of its JSON, each at a place.

A draft has the form of a definition (`segments.rules.tree`), but may hold conditions that are not finished
yet. A place is «clients» or «leads» and the way from there by number, with «w» for the conditions on
related rows: «clients.0.w.2». Every edit returns the place to look at next.
"""

from __future__ import annotations

import re
from copy import deepcopy
from typing import Any

from segments.rules.tree import CLIENTS, VERSION, Mode

Draft = dict[str, Any]
Node = dict[str, Any]
SIDES = ("clients", "leads")
INNER = "w"
_MODES = tuple(mode.value for mode in Mode)
_STEP = re.compile(r"\[(\d+)\]")


class NoSuchPlace(LookupError):
    """The draft has nothing there."""


def opened(raw: Any) -> Draft:
    """A draft of any JSON: what can't be shown as conditions is left out."""
    found: Draft = {"version": VERSION}
    given = raw if isinstance(raw, dict) else {}
    for side in SIDES:
        part = given.get(side)
        if isinstance(part, dict):
            found[side] = {"where": _group(part.get("where"))}
    if "clients" in found:
        found["clients"]["kinds"] = _kinds(given["clients"].get("kinds"))
    limit = given.get("limit")
    if isinstance(limit, dict):
        found["limit"] = {key: limit[key] for key in ("count", "by") if key in limit}
    return found


def new() -> Draft:
    """All clients: where a new segment begins."""
    return opened({"clients": {}})


def is_group(node: Node) -> bool:
    """Whether the node joins others."""
    return "field" not in node and "related" not in node


def mode_of(group: Node) -> str:
    """all, any or none."""
    return next(key for key in group if key in _MODES)


def parts_of(group: Node) -> list[Node]:
    """The nodes a group joins."""
    found: list[Node] = group[mode_of(group)]
    return found


def at(draft: Draft, place: str) -> Node:
    """The node at a place. Raises NoSuchPlace."""
    side, *steps = place.split(".")
    try:
        node: Node = draft[side]["where"]
        for step in steps:
            node = node["where"] if step == INNER else parts_of(node)[_number(step)]
    except (KeyError, IndexError, ValueError, StopIteration, TypeError):
        raise NoSuchPlace(place) from None
    return node


def switch(draft: Draft, side: str, *, on: bool) -> None:
    """Ask for a side, or leave it out."""
    if on and side not in draft:
        draft[side] = opened({side: {}})[side]
    elif not on:
        draft.pop(side, None)


def add(draft: Draft, place: str, node: Node) -> str:
    """Put a node at the end of the group."""
    parts = _parts(draft, place)
    parts.append(deepcopy(node))
    return f"{place}.{len(parts) - 1}"


def remove(draft: Draft, place: str) -> str:
    """Take the node away; next is its neighbour, or the group it was in."""
    parts, group, number = _siblings(draft, place)
    del parts[number]
    return f"{group}.{min(number, len(parts) - 1)}" if parts else group


def duplicate(draft: Draft, place: str) -> str:
    """Put the same node right after it."""
    parts, group, number = _siblings(draft, place)
    parts.insert(number + 1, deepcopy(parts[number]))
    return f"{group}.{number + 1}"


def move(draft: Draft, place: str, by: int) -> str:
    """Exchange the node with its neighbour; at an end it stays."""
    parts, group, number = _siblings(draft, place)
    other = number + by
    if not 0 <= other < len(parts):
        return place
    parts[number], parts[other] = parts[other], parts[number]
    return f"{group}.{other}"


def wrap(draft: Draft, place: str) -> str:
    """Put the node into a group of its own."""
    parts, _group_place, number = _siblings(draft, place)
    parts[number] = {Mode.ALL.value: [parts[number]]}
    return f"{place}.0"


def unwrap(draft: Draft, place: str) -> str:
    """Put the group's nodes where the group was."""
    parts, group, number = _siblings(draft, place)
    if not is_group(parts[number]):
        raise NoSuchPlace(place)
    inside = parts_of(parts[number])
    parts[number : number + 1] = inside
    return f"{group}.{number}" if inside else group


def set_mode(draft: Draft, place: str, mode: str) -> str:
    """How many parts of the group have to hold."""
    group = at(draft, place)
    if mode not in _MODES or not is_group(group):
        raise NoSuchPlace(place)
    parts = parts_of(group)
    group.clear()
    group[mode] = parts
    return place


def place_of(path: str) -> tuple[str, str]:
    """The place that `InvalidCondition.path` names, and which part of the node there."""
    head, *steps = path.split(".")
    if head not in SIDES:
        return "", path
    place, part = [head], ""
    for number, step in enumerate(steps):
        index = _STEP.search(step)
        if index is not None:
            place.append(index[1])
        elif step == "where" and number:
            place.append(INNER)
        elif step not in ("where", *_MODES):
            part = step
    return ".".join(place), part


def _parts(draft: Draft, place: str) -> list[Node]:
    group = at(draft, place)
    if not is_group(group):
        raise NoSuchPlace(place)
    return parts_of(group)


def _siblings(draft: Draft, place: str) -> tuple[list[Node], str, int]:
    """The nodes beside this one, the place of their group, its number among them."""
    at(draft, place)
    group, _dot, last = place.rpartition(".")
    if not last.isdigit():
        raise NoSuchPlace(place)
    return _parts(draft, group), group, int(last)


def _number(step: str) -> int:
    if not (step.isascii() and step.isdigit()):
        raise ValueError(step)
    return int(step)


def _group(raw: Any) -> Node:
    if isinstance(raw, dict) and len(raw) == 1:
        key, parts = next(iter(raw.items()))
        if key in _MODES and isinstance(parts, list):
            return {key: [node for node in map(_node, parts) if node is not None]}
    return {Mode.ALL.value: []}


def _node(raw: Any) -> Node | None:
    if not isinstance(raw, dict):
        return None
    if isinstance(raw.get("field"), str):
        return {key: raw[key] for key in ("field", "op", "value") if key in raw}
    if isinstance(raw.get("related"), str):
        known = ("related", "measure", "of", "op", "value")
        return {key: raw[key] for key in known if key in raw} | {"where": _group(raw.get("where"))}
    return _group(raw) if len(raw) == 1 and next(iter(raw)) in _MODES else None


def _kinds(raw: Any) -> list[str]:
    wanted = raw if isinstance(raw, list) else []
    return [kind.value for kind in CLIENTS if not wanted or kind.value in wanted]
