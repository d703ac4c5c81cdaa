"""What a segment's JSON names, read without the catalogue: also of one that can't be used any more."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from segments.rules.tree import CLIENTS, Kind

_SEGMENT = "segment"


@dataclass(frozen=True, slots=True)
class Place:
    """Where a condition stands: on which cards, and on which rows of them."""

    kinds: tuple[str, ...]
    relation: str | None = None


def segments(raw: Any) -> set[int]:
    """Ids of the segments that conditions name."""
    values = (node.get("value") for _, node in nodes(raw) if node.get("field") == _SEGMENT)
    ids = (value.get("segment") if isinstance(value, dict) else value for value in values)
    return {each for each in ids if isinstance(each, int)}


def fields(raw: Any) -> Iterator[tuple[Place, str]]:
    """Keys of the fields that conditions compare or measure."""
    for place, node in nodes(raw):
        for place_of_key, key in ((place, "field"), (_inside(place, node), "of")):
            if isinstance(node.get(key), str):
                yield place_of_key, node[key]


def relations(raw: Any) -> set[str]:
    """Kinds of related rows that are asked for."""
    return {node["related"] for _, node in nodes(raw) if isinstance(node.get("related"), str)}


def kinds(raw: Any) -> set[str]:
    """Kinds of cards that are asked for."""
    return {kind for place in _sides(raw) for kind in place[0].kinds}


def nodes(raw: Any) -> Iterator[tuple[Place, dict[str, Any]]]:
    """Every condition and every question about related rows, with its place."""
    for place, tree in _sides(raw):
        yield from _below(place, tree)


def _sides(raw: Any) -> Iterator[tuple[Place, Any]]:
    for side, default in (("clients", [kind.value for kind in CLIENTS]), ("leads", [Kind.LEAD])):
        found = raw.get(side) if isinstance(raw, dict) else None
        if isinstance(found, dict):
            yield Place(tuple(found.get("kinds", default))), found.get("where")


def _below(place: Place, node: Any) -> Iterator[tuple[Place, dict[str, Any]]]:
    if not isinstance(node, dict):
        return
    if "field" in node or "related" in node:
        yield place, node
        yield from _below(_inside(place, node), node.get("where"))
        return
    for parts in node.values():
        for part in parts if isinstance(parts, list) else ():
            yield from _below(place, part)


def _inside(place: Place, node: dict[str, Any]) -> Place:
    return Place(place.kinds, node.get("related"))
