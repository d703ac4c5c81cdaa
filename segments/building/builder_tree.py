"""The builder's tree as it is shown: rows and boxes with their words, inputs, choices and problems."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from sqlalchemy.orm import Session

from core.web.words import gettext as _
from segments.building import builder, builder_fields, builder_inputs, builder_words
from segments.building.builder import INNER, Draft, Node
from segments.building.builder_choices import Choices, Lists
from segments.building.builder_fields import label_of
from segments.building.builder_forms import operators_of, type_of
from segments.building.drafts import Problem
from segments.conditions.catalog import Context, Field, Scope
from segments.conditions.definitions import measured
from segments.conditions.operators import OPERATORS, Type
from segments.conditions.options import Options
from segments.conditions.relations import RELATIONS, Relation
from segments.rules.tree import Measure


@dataclass(frozen=True, slots=True)
class Row:
    """A condition. `typed`: texts of its inputs; `measures` and `inside` are of related rows."""

    place: str
    title: str
    operators: Options
    op: str
    shape: str
    typed: dict[str, list[str]]
    choices: Choices | None = None
    measures: Options = ()  # type: ignore[assignment]
    measure: str = ""
    measured: Options = ()  # type: ignore[assignment]
    of: str = ""
    inside: Box | None = None
    problem: str | None = None
    note: str | None = None
    unit: str = ""


@dataclass(frozen=True, slots=True)
class Box:
    """A group. `problem`: of the group itself."""

    place: str
    mode: str
    parts: tuple[Row | Box, ...]
    problem: str | None = None

    @property
    def root(self) -> bool:
        """Whether it is the whole of a side, or all conditions on related rows."""
        return "." not in self.place or self.place.endswith(f".{INNER}")

    @property
    def inner(self) -> bool:
        """Whether it is about related rows."""
        return INNER in self.place.split(".")


@dataclass
class Tree:
    """Makes the boxes of one draft."""

    session: Session
    scope: Scope
    draft: Draft
    problems: dict[str, Problem]
    segments: Options

    def __post_init__(self) -> None:
        self.lists = Lists(self.session, self.scope)

    def side(self, side: str) -> Box | None:
        """The tree of one side; None when it isn't asked for."""
        if side not in self.draft:
            return None
        return self._box(self.draft[side]["where"], side)

    def _box(self, group: Node, place: str) -> Box:
        parts = tuple(
            self._box(part, f"{place}.{number}")
            if builder.is_group(part)
            else self._row(part, f"{place}.{number}")
            for number, part in enumerate(builder.parts_of(group))
        )
        return Box(place, builder.mode_of(group), parts, self._problem(place, ""))

    def _row(self, node: Node, place: str) -> Row:
        return self._related(node, place) if "related" in node else self._condition(node, place)

    def _condition(self, node: Node, place: str) -> Row:
        context = builder_fields.context_at(self.draft, place)
        field = context.find(node["field"], self.scope)
        facts = self._compared(node, place, context, field)
        if field is None:
            return Row(place, node["field"], **facts)
        facts["note"] = self._note(field, node, place)
        return Row(place, label_of(field), **facts)

    def _related(self, node: Node, place: str) -> Row:
        relation = RELATIONS.get(node["related"])
        if relation is None:
            return Row(place, node["related"], [], "", "", {}, problem=builder_words.lost())
        measure = node.get("measure", Measure.ANY.value)
        field = relation.context.find(node.get("of") or "", self.scope)
        return Row(
            place,
            _(relation.label),
            measures=builder_words.measures(ordered=bool(relation.ordered)),
            measure=measure,
            measured=self._measured(relation, measure),
            of=node.get("of") or "",
            inside=self._box(node["where"], f"{place}.{INNER}"),
            **self._compared(node, place, relation.context, field),
        )

    def _compared(
        self, node: Node, place: str, context: Context, field: Field | None
    ) -> dict[str, Any]:
        known = operators_of(node, context, self.scope)
        op = known.get(node.get("op", ""))
        shape = "" if op is None else op.shape.key
        choices = None
        if field is not None and shape == "choices":
            choices = self.lists.choices(field, context, node.get("value"))
        money = type_of(node, context, self.scope) is Type.MONEY
        return {
            "operators": [(each.key, _(each.words)) for each in known.values()],
            "op": "" if op is None else op.key,
            "shape": shape,
            "typed": builder_inputs.shown(shape, node.get("value")),
            "choices": choices,
            "problem": self._problem(place, shape),
            "unit": self.scope.rule.base_currency if money else "",
        }

    def _measured(self, relation: Relation, measure: str) -> Options:
        """Fields of the rows that this measure can be taken of."""
        if measure not in list(Measure) or not Measure(measure).of_field:
            return []
        return [
            (each.key, label_of(each))
            for each in relation.context.listed(self.scope)
            if measured(relation, Measure(measure), each.key, self.scope) is not None
        ]

    def _problem(self, place: str, shape: str) -> str | None:
        problem = self.problems.get(place)
        if problem is None:
            return None
        return builder_words.problem(problem, shape, builder.at(self.draft, place))

    def _note(self, field: Field, node: Node, place: str) -> str | None:
        """What the condition says of cards that don't have the field, or have it empty."""
        op = OPERATORS[field.type].get(node.get("op", ""))
        if op is not None and op.empty and op.key != "empty":
            return _("Cards where this is empty are in as well")
        if INNER in place.split("."):
            return None
        asked = builder_fields.kinds_of(self.draft, place.partition(".")[0])
        without = [kind for kind in asked if kind not in field.kinds]
        return builder_words.only_of(without) if without else None
