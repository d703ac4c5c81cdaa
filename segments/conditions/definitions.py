"""A segment's JSON ⇄ its tree, checked against the catalogue: every error names the place and what is allowed."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from segments.conditions.card_fields import CARD, RANKED
from segments.conditions.catalog import Context, Field, Scope
from segments.conditions.operators import OPERATORS, Operator, Type
from segments.conditions.relations import RELATIONS, Relation
from segments.rules.tree import (
    CLIENTS,
    MAX_CONDITIONS,
    MAX_DEPTH,
    VERSION,
    Condition,
    Definition,
    Group,
    Kind,
    Limit,
    Measure,
    Mode,
    Node,
    Related,
)

MOST = 10_000_000


class InvalidCondition(ValueError):
    """A definition that can't be used: `path` says where, `problem` what is wrong and what is allowed."""

    def __init__(self, path: str, problem: str) -> None:
        super().__init__(f"{path}: {problem}")
        self.path = path
        self.problem = problem


def read(raw: Any, scope: Scope) -> Definition:
    """The definition of this JSON. Raises InvalidCondition."""
    return _Reader(scope).definition(raw)


def read_group(raw: Any, scope: Scope, side: str) -> Group:
    """One side's tree alone («clients» or «leads»). Raises InvalidCondition."""
    return _Reader(scope).side(raw, side)


def written(definition: Definition) -> dict[str, Any]:
    """The JSON of a definition; `read` gives the same definition back."""
    found: dict[str, Any] = {"version": VERSION}
    if definition.clients is not None:
        kinds = [kind.value for kind in definition.kinds]
        found["clients"] = {"kinds": kinds, "where": _written(definition.clients)}
    if definition.leads is not None:
        found["leads"] = {"where": _written(definition.leads)}
    if definition.limit is not None:
        limit = definition.limit
        found["limit"] = {"count": limit.count} | ({"by": limit.by} if limit.by else {})
    return found


def _written(node: Node) -> dict[str, Any]:
    match node:
        case Group(mode, parts):
            return {mode.value: [_written(part) for part in parts]}
        case Condition(field, op, value):
            return {"field": field, "op": op} | ({} if value is None else {"value": value})
        case Related():
            found: dict[str, Any] = {"related": node.relation, "measure": node.measure.value}
            for key in ("of", "op", "value"):
                if getattr(node, key) is not None:
                    found[key] = getattr(node, key)
            return found | ({} if node.where is None else {"where": _written(node.where)})


def measured(relation: Relation, measure: Measure, of: str | None, scope: Scope) -> Type | None:
    """The type of what is compared: of a count, of a sum, of the latest date; None when impossible."""
    if measure is Measure.COUNT:
        return Type.NUMBER
    field = relation.context.find(of or "", scope)
    if field is None or field.type not in _MEASURED.get(measure, ()):
        return None
    return field.type


_SUMMED = (Type.NUMBER, Type.MONEY)
_ORDERED = (*_SUMMED, Type.DATE, Type.MOMENT)
_MEASURED = {
    Measure.SUM: _SUMMED,
    Measure.AVG: _SUMMED,
    Measure.MIN: _ORDERED,
    Measure.MAX: _ORDERED,
}


@dataclass
class _Reader:
    scope: Scope
    left: int = MAX_CONDITIONS

    def definition(self, raw: Any) -> Definition:
        found = _object(raw, "segment", {"version", "clients", "leads", "limit"})
        if found.get("version") != VERSION:
            raise InvalidCondition("version", f"must be {VERSION}")
        if found.get("clients") is None and found.get("leads") is None:
            raise InvalidCondition("segment", "must have clients, leads or both")
        definition = Definition(limit=_limit(found.get("limit")))
        if (clients := found.get("clients")) is not None:
            side = _object(clients, "clients", {"kinds", "where"})
            kinds = _kinds(side.get("kinds", [kind.value for kind in CLIENTS]))
            tree = self.side(side.get("where", {"all": []}), "clients", kinds)
            definition = Definition(tree, kinds, definition.leads, definition.limit)
        if (leads := found.get("leads")) is not None:
            side = _object(leads, "leads", {"where"})
            tree = self.side(side.get("where", {"all": []}), "leads")
            definition = Definition(definition.clients, definition.kinds, tree, definition.limit)
        return definition

    def side(self, raw: Any, side: str, kinds: tuple[Kind, ...] = CLIENTS) -> Group:
        allowed = (Kind.LEAD,) if side == "leads" else kinds
        return self._group(raw, f"{side}.where", CARD, allowed, 1)

    def _group(
        self, raw: Any, path: str, context: Context, kinds: tuple[Kind, ...], depth: int
    ) -> Group:
        if depth > MAX_DEPTH:
            raise InvalidCondition(path, f"groups may be nested {MAX_DEPTH} deep at most")
        if not isinstance(raw, dict) or len(raw) != 1 or (key := next(iter(raw))) not in _MODES:
            raise InvalidCondition(path, 'must be a group: {"all": […]}, "any" or "none"')
        parts = raw[key]
        if not isinstance(parts, list):
            raise InvalidCondition(f"{path}.{key}", "must be a list of conditions")
        read_parts = (
            self._node(part, f"{path}.{key}[{number}]", context, kinds, depth)
            for number, part in enumerate(parts)
        )
        return Group(Mode(key), tuple(read_parts))

    def _node(
        self, raw: Any, path: str, context: Context, kinds: tuple[Kind, ...], depth: int
    ) -> Node:
        if not isinstance(raw, dict):
            raise InvalidCondition(path, "must be an object: a group or a condition")
        if "field" not in raw and "related" not in raw:
            return self._group(raw, path, context, kinds, depth + 1)
        self.left -= 1
        if self.left < 0:
            raise InvalidCondition(path, f"there may be {MAX_CONDITIONS} conditions at most")
        if "field" in raw:
            return self._condition(raw, path, context, kinds)
        if context is not CARD:
            raise InvalidCondition(path, "conditions on related rows can't be nested")
        return self._related(raw, path, kinds, depth)

    def _condition(
        self, raw: Mapping[str, Any], path: str, context: Context, kinds: tuple[Kind, ...]
    ) -> Condition:
        _object(raw, path, {"field", "op", "value"})
        field = _known_field(context, raw["field"], f"{path}.field", self.scope)
        if context is CARD and not set(field.kinds) & set(kinds):
            having = ", ".join(field.kinds)
            raise InvalidCondition(f"{path}.field", f"«{field.key}» is a field of: {having}")
        op = _known_operator(field.operators, raw.get("op"), f"{path}.op", field.type)
        if op.key == "top" and field.key not in RANKED:
            raise InvalidCondition(f"{path}.op", f"«top» may be asked of: {_listed(RANKED)}")
        _check_value(op, raw.get("value"), f"{path}.value")
        return Condition(field.key, op.key, raw.get("value"))

    def _related(
        self, raw: Mapping[str, Any], path: str, kinds: tuple[Kind, ...], depth: int
    ) -> Related:
        _object(raw, path, {"related", "measure", "where", "of", "op", "value"})
        relation = RELATIONS.get(raw["related"]) if isinstance(raw["related"], str) else None
        if relation is None or not set(relation.kinds) & set(kinds):
            having = _listed(key for key, each in RELATIONS.items() if set(each.kinds) & set(kinds))
            raise InvalidCondition(f"{path}.related", f"must be one of: {having}")
        measure = _measure(raw.get("measure", Measure.ANY.value), relation, f"{path}.measure")
        where = raw.get("where")
        tree = (
            None
            if where is None
            else self._group(where, f"{path}.where", relation.context, kinds, depth + 1)
        )
        if not measure.compares:
            for key in ("of", "op", "value"):
                if raw.get(key) is not None:
                    raise InvalidCondition(f"{path}.{key}", f"has no meaning with «{measure}»")
            return Related(relation.key, measure, tree)
        of = raw.get("of")
        if not measure.of_field and of is not None:
            raise InvalidCondition(f"{path}.of", f"has no meaning with «{measure}»")
        if measure.of_field:
            of = _known_field(relation.context, of, f"{path}.of", self.scope).key
        kind = measured(relation, measure, of, self.scope)
        if kind is None:
            raise InvalidCondition(f"{path}.of", f"«{measure}» can't be taken of this field")
        op = _known_operator(OPERATORS[kind], raw.get("op"), f"{path}.op", kind)
        _check_value(op, raw.get("value"), f"{path}.value")
        return Related(relation.key, measure, tree, of, op.key, raw.get("value"))


_MODES = {mode.value for mode in Mode}


def _object(raw: Any, path: str, allowed: set[str]) -> dict[str, Any]:
    if not isinstance(raw, dict):
        raise InvalidCondition(path, "must be an object")
    for key in raw:
        if key not in allowed:
            raise InvalidCondition(f"{path}.{key}", f"is unknown; allowed: {_listed(allowed)}")
    return raw


def _kinds(raw: Any) -> tuple[Kind, ...]:
    allowed = [kind.value for kind in CLIENTS]
    if not isinstance(raw, list) or not raw or any(kind not in allowed for kind in raw):
        raise InvalidCondition("clients.kinds", f"must be a list of: {', '.join(allowed)}")
    return tuple(kind for kind in CLIENTS if kind.value in raw)


def _limit(raw: Any) -> Limit | None:
    if raw is None:
        return None
    found = _object(raw, "limit", {"count", "by"})
    count, by = found.get("count"), found.get("by")
    if isinstance(count, bool) or not isinstance(count, int) or not 1 <= count <= MOST:
        raise InvalidCondition("limit.count", f"must be a whole number from 1 to {MOST}")
    if by is not None and by not in RANKED:
        raise InvalidCondition("limit.by", f"must be left out, or one of: {_listed(RANKED)}")
    return Limit(count, by)


def _known_field(context: Context, key: Any, path: str, scope: Scope) -> Field:
    field = context.find(key, scope) if isinstance(key, str) else None
    if field is None:
        having = _listed(each.key for each in context.listed(scope))
        raise InvalidCondition(path, f"there is no such field; allowed: {having}")
    return field


def _known_operator(known: Mapping[str, Operator], key: Any, path: str, kind: Type) -> Operator:
    op = known.get(key) if isinstance(key, str) else None
    if op is None:
        raise InvalidCondition(path, f"is not for a {kind}; allowed: {_listed(known)}")
    return op


def _check_value(op: Operator, raw: Any, path: str) -> None:
    try:
        op.shape.read(raw)
    except ValueError as error:
        raise InvalidCondition(path, f"must be {error}") from None


def _measure(raw: Any, relation: Relation, path: str) -> Measure:
    allowed = [
        each.value
        for each in Measure
        if relation.ordered or each not in {Measure.FIRST, Measure.LAST}
    ]
    if raw not in allowed:
        raise InvalidCondition(path, f"must be one of: {', '.join(allowed)}")
    return Measure(raw)


def _listed(names: Iterable[str]) -> str:
    return ", ".join(sorted(names))
