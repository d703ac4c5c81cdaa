"""A draft of a segment against the catalogue: what of it can be counted now, and what is wrong where.

Each condition is checked by itself with the definition's own check, so one that isn't finished hides none
of the others.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

from segments.building import builder
from segments.building.builder import INNER, Draft, Node
from segments.conditions import definitions
from segments.conditions.catalog import Scope
from segments.conditions.definitions import InvalidCondition
from segments.rules.tree import VERSION, Definition

EVERYBODY: Node = {"all": []}


@dataclass(frozen=True, slots=True)
class Problem:
    """What is wrong at a place: `part` is the node's key, `value` the one that is unfinished or unfit."""

    part: str
    words: str


@dataclass
class Checked:
    """A draft's finished part, and its problems by place. `usable` None: nothing can be asked."""

    usable: Draft | None
    problems: dict[str, Problem] = field(default_factory=dict)


def check(draft: Draft, scope: Scope) -> Checked:
    """The whole draft."""
    found = _Checking(draft, scope)
    usable = found.whole()
    return Checked(usable, found.problems)


def branch(draft: Draft, place: str, scope: Scope) -> Draft | None:
    """The question that one node of the outer tree asks by itself; None while it isn't finished."""
    side = place.partition(".")[0]
    node = _Checking(draft, scope).node(builder.at(draft, place), place, side)
    if node is None and place != side:
        return None
    where = {"all": [node]} if node is not None else EVERYBODY
    return _alone(draft, side, where)


def read(usable: Draft, scope: Scope) -> Definition:
    """The definition of a draft's finished part."""
    return definitions.read(usable, scope)


@dataclass
class _Checking:
    draft: Draft
    scope: Scope
    problems: dict[str, Problem] = field(default_factory=dict)

    def whole(self) -> Draft | None:
        usable: Draft = {"version": VERSION}
        for side in builder.SIDES:
            if side in self.draft:
                tree = self.node(self.draft[side]["where"], side, side)
                usable[side] = {**self.draft[side], "where": tree or EVERYBODY}
        if "limit" in self.draft:
            usable["limit"] = self.draft["limit"]
        try:
            definitions.read(usable, self.scope)
        except InvalidCondition as error:
            self._note(error)
            return None
        return usable

    def node(self, node: Node, place: str, side: str) -> Node | None:
        """The finished part of a node; problems of the rest are noted."""
        if builder.is_group(node):
            numbered = enumerate(builder.parts_of(node))
            parts = self._finished(
                self.node(part, f"{place}.{number}", side) for number, part in numbered
            )
            return {builder.mode_of(node): parts} if parts else None
        if "field" in node:
            return node if self._fits(node, place, side) else None
        return self._related(node, place, side)

    def _related(self, node: Node, place: str, side: str) -> Node | None:
        bare = {key: value for key, value in node.items() if key != "where"}
        fits = self._fits(bare, place, side)
        where = node.get("where", EVERYBODY)
        inner = self._inner(bare, where, f"{place}.{INNER}", side)
        if not fits or (inner is None and builder.parts_of(where)):
            return None
        return bare if inner is None else {**bare, "where": inner}

    def _inner(self, related: Node, node: Node, place: str, side: str) -> Node | None:
        if builder.is_group(node):
            numbered = enumerate(builder.parts_of(node))
            parts = self._finished(
                self._inner(related, part, f"{place}.{number}", side) for number, part in numbered
            )
            return {builder.mode_of(node): parts} if parts else None
        around = {"related": related["related"], "where": {"all": [node]}}
        return node if self._fits(around, place, side) else None

    def _finished(self, parts: Iterable[Node | None]) -> list[Node]:
        return [part for part in parts if part is not None]

    def _fits(self, node: Node, place: str, side: str) -> bool:
        try:
            definitions.read(_alone(self.draft, side, {"all": [node]}), self.scope)
        except InvalidCondition as error:
            part = builder.place_of(error.path)[1]
            self.problems[place] = Problem(part, error.problem)
            return False
        return True

    def _note(self, error: InvalidCondition) -> None:
        place, part = builder.place_of(error.path)
        self.problems.setdefault(place, Problem(part, error.problem))


def _alone(draft: Draft, side: str, where: Node) -> Draft:
    given: dict[str, Any] = {**draft.get(side, {}), "where": where}
    return {"version": VERSION, side: given}
