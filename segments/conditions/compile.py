"""A segment's tree → one select of its members, which starts from the portal and only narrows.

A part that is unknown (SQL's NULL) never holds; under «none» its negation does. So every comparison is
false for an empty field, unless the operator says that empty satisfies it.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import distinct_on

from segments.conditions import known
from segments.conditions.card_fields import CARD, Card
from segments.conditions.catalog import Field, Scope
from segments.conditions.definitions import measured
from segments.conditions.known import unsure
from segments.conditions.membership_conditions import in_segment, sampled
from segments.conditions.narrowing import limited, nobodys
from segments.conditions.operators import OPERATORS, Expression, Operand, Operator, Type, unranked
from segments.conditions.related_rows import Rows
from segments.conditions.relations import RELATIONS, Relation
from segments.rules.tree import (
    Condition,
    Definition,
    Group,
    Kind,
    Measure,
    Mode,
    Node,
    Related,
)


@dataclass(frozen=True, slots=True)
class Part:
    """A compiled part of a tree. `certain`: it is never NULL."""

    sql: Expression
    certain: bool = False

    def negated(self) -> Expression:
        """Holds where the part does not, unknown included."""
        return sa.not_(self.sql) if self.certain else self.sql.is_not(True)


WEIGHTS = ("emails", "phones", "messengers", "shared")
"""What a known card adds to the counters; NULL of a card whose addresses are to be looked at."""


def members(scope: Scope, definition: Definition) -> sa.Select[Any]:
    """The members: rows (kind, member_id)."""
    return _members(scope, definition, ())


def weighed(scope: Scope, definition: Definition) -> sa.Select[Any]:
    """The members with their weights: rows (kind, member_id, emails, phones, messengers, shared)."""
    return _members(scope, definition, WEIGHTS)


def _members(scope: Scope, definition: Definition, weights: tuple[str, ...]) -> sa.Select[Any]:
    clients = [
        arm for kind, tree in definition.of_clients() for arm in _arms(scope, kind, tree, weights)
    ]
    if definition.leads is None:
        found = sa.union_all(*clients).subquery("found")
    elif not clients:
        found = sa.union_all(*_arms(scope, Kind.LEAD, definition.leads, weights)).subquery("found")
    else:
        chosen = sa.union_all(*clients).cte("clients").prefix_with("MATERIALIZED")
        leads = _arms(scope, Kind.LEAD, definition.leads, weights, chosen)
        found = sa.union_all(sa.select(*chosen.c), *leads).subquery("found")
    query = sa.select(*found.c)
    return query if definition.limit is None else limited(query, found, scope, definition.limit)


def card_select(scope: Scope, kind: Kind, *trees: Node) -> tuple[Card, list[Expression], Any]:
    """For questions about single cards: the card, what each of the trees says of it, where to select from."""
    card = Card(kind, scope)
    answers: list[Expression] = [
        sa.func.coalesce(compiled(card, tree).sql, sa.false()).label(f"part_{number}")
        for number, tree in enumerate(trees)
    ]
    return card, answers, card.source()


def compiled(card: Card, node: Node) -> Part:
    """What the part says of the card."""
    match node:
        case Group():
            return _group([compiled(card, part) for part in node.parts], node.mode)
        case Condition():
            return _card_condition(card, node)
        case Related():
            return _related(card, node)


def _arms(
    scope: Scope,
    kind: Kind,
    tree: Group,
    weights: tuple[str, ...],
    clients: sa.CTE | None = None,
) -> list[sa.Select[Any]]:
    """The cards of a kind: of the known ones what their facts say, of the unsure ones what the mirror says."""
    cards = [Card(kind, scope)]
    if scope.known and scope.ids is None:
        cards = [Card(kind, scope, known=True), Card(kind, replace(scope, ids=unsure(scope, kind)))]
    return [_side(card, tree, weights, clients) for card in cards]


def _side(
    card: Card, tree: Group, weights: tuple[str, ...], clients: sa.CTE | None
) -> sa.Select[Any]:
    where = compiled(card, tree).sql
    conditions = [*card.alive(), where]
    if clients is not None:
        conditions += nobodys(card, clients)
    empty = sa.cast(sa.null(), sa.SmallInteger)
    weighing = [
        (getattr(card.facts, name) if card.known else empty).label(name) for name in weights
    ]
    return (
        sa.select(
            sa.literal(card.kind.value, sa.Text).label("kind"),
            card.id.label("member_id"),
            *weighing,
        )
        .select_from(card.source())
        .where(*conditions)
    )


def _group(parts: list[Part], mode: Mode) -> Part:
    certain = all(part.certain for part in parts)
    match mode:
        case Mode.ALL:
            return Part(sa.and_(sa.true(), *(part.sql for part in parts)), certain)
        case Mode.ANY:
            return Part(sa.or_(sa.false(), *(part.sql for part in parts)), certain)
        case Mode.NONE:
            return Part(sa.and_(sa.true(), *(part.negated() for part in parts)), certain=True)


def _card_condition(card: Card, condition: Condition) -> Part:
    field = CARD.find(condition.field, card.scope)
    if field is None:  # the portal has lost it since: `segments.standing` tells, nothing breaks
        return Part(sa.false(), certain=True)
    op = field.operators[condition.op]
    if card.kind not in field.kinds:
        return Part(sa.true() if op.empty else sa.false(), certain=True)
    value = op.shape.read(condition.value)
    if field.type is Type.SAMPLE:
        return Part(sampled(card.id, value), certain=True)
    if field.type is Type.SEGMENT:
        return Part(in_segment(card, op.key, value), certain=True)
    return _compared(field, op, value, card, card.scope, card.rank(field.key))


def _compared(
    field: Field, op: Operator, value: Any, row: Any, scope: Scope, ranked: Any = unranked
) -> Part:
    sql = field.column(row, scope)
    if field.missing is not None:
        sql = _with_missing(sql, field, op, value)
    return _applied(sql, field.type, op, value, scope, ranked)


def _applied(
    sql: Expression, kind: Type, op: Operator, value: Any, scope: Scope, ranked: Any = unranked
) -> Part:
    operand = Operand(sql, kind, scope.today, scope.rule.utc_offset_minutes, ranked)
    compared = op.sql(operand, value)
    if not op.empty or op.key in _OF_EMPTINESS:
        return Part(compared, op.key in _OF_EMPTINESS)
    return Part(sa.or_(compared, sql.is_(None)), certain=True)


_OF_EMPTINESS = {"empty", "filled"}


def _with_missing(sql: Expression, field: Field, op: Operator, value: Any) -> Expression:
    """The value with that of a missing row, where it can make a difference.

    Where it can't, the plain column lets the database begin with the rows that exist. An operator that holds of
    what is empty would take a missing row for that.
    """
    if op.compare is not None and not op.empty and not op.compare(field.missing, value):
        return sql
    return sql if op.key == "top" else sa.func.coalesce(sql, field.missing)


def _related(card: Card, node: Related) -> Part:
    relation = RELATIONS[node.relation]
    if card.kind not in relation.kinds:
        return Part(sa.literal(node.measure is Measure.NONE), certain=True)
    if card.known and (answered := known.answer(card.facts, node, card.scope)) is not None:
        return Part(answered, certain=True)
    rows = relation.rows(card.kind, card.scope)
    inner = _inner(rows, relation, node.where, card.scope)
    match node.measure:
        case Measure.ANY:
            return Part(_exists(card, rows, inner), certain=True)
        case Measure.NONE:
            return Part(sa.not_(_exists(card, rows, inner)), certain=True)
        case Measure.FIRST | Measure.LAST:
            return Part(_outermost(card, rows, relation, node.measure, inner), certain=True)
        case _:
            return Part(_aggregate(card, rows, relation, node, inner), certain=True)


def _inner(rows: Rows, relation: Relation, tree: Group | None, scope: Scope) -> Expression | None:
    return None if tree is None else _inner_part(rows, relation, tree, scope).sql


def _inner_part(rows: Rows, relation: Relation, node: Node, scope: Scope) -> Part:
    """What a part of the inner conditions says of a related row: all of them of one and the same."""
    if isinstance(node, Group):
        parts = [_inner_part(rows, relation, part, scope) for part in node.parts]
        return _group(parts, node.mode)
    if isinstance(node, Related):
        raise TypeError("conditions on related rows can't be nested")
    field = relation.context.find(node.field, scope)
    if field is None:
        return Part(sa.false(), certain=True)
    op = field.operators[node.op]
    return _compared(field, op, op.shape.read(node.value), rows.row, scope)


def _exists(card: Card, rows: Rows, inner: Expression | None) -> Expression:
    found = sa.select(sa.literal(1)).select_from(rows.source)
    found = found.where(*rows.where, rows.card_id == card.id)
    return (found if inner is None else found.where(inner)).correlate(card.anchor).exists()


def _narrowed(card: Card, rows: Rows) -> tuple[Expression, ...]:
    return (*rows.where, *card.scope.among(rows.card_id))


def _outermost(
    card: Card, rows: Rows, relation: Relation, measure: Measure, inner: Expression | None
) -> Expression:
    """The first or the last of all the card's rows satisfies the conditions."""
    moment, number = getattr(rows.row, relation.ordered), rows.row.bitrix_id
    order = (
        (moment.desc().nulls_last(), number.desc())
        if measure is Measure.LAST
        else (moment.asc().nulls_first(), number.asc())
    )
    answer = sa.true() if inner is None else sa.func.coalesce(inner, sa.false())
    each = (
        sa.select(rows.card_id.label("card_id"), answer.label("holds"))
        .select_from(rows.source)
        .where(*_narrowed(card, rows))
        .ext(distinct_on(rows.card_id))
        .order_by(rows.card_id, *order)
        .subquery()
    )
    found: Expression = card.id.in_(sa.select(each.c.card_id).where(each.c.holds))
    return found


_TAKEN: dict[Measure, Any] = {
    Measure.SUM: sa.func.sum,
    Measure.AVG: sa.func.avg,
    Measure.MIN: sa.func.min,
    Measure.MAX: sa.func.max,
}
_ZERO = (Measure.COUNT, Measure.SUM)


def _aggregate(
    card: Card, rows: Rows, relation: Relation, node: Related, inner: Expression | None
) -> Expression:
    """A count, sum… of the rows, compared. A card without rows has count and sum 0, and no other measure."""
    scope = card.scope
    kind = measured(relation, node.measure, node.of, scope)
    if kind is None:  # the portal has lost the field since
        return sa.false()
    op = OPERATORS[kind][node.op or ""]
    value = op.shape.read(node.value)
    taken = _taken(rows, relation, node, scope)
    grouped = sa.select(rows.card_id).select_from(rows.source).where(*_narrowed(card, rows))
    if inner is not None:
        grouped = grouped.where(inner)
    grouped = grouped.group_by(rows.card_id)
    holds = _applied(taken, kind, op, value, scope)
    with_rows: Expression = card.id.in_(grouped.having(holds.sql))
    if not _of_nothing(node.measure, op, value):
        return with_rows
    without: Expression = card.id.not_in(grouped.having(holds.negated()))
    return without


def _taken(rows: Rows, relation: Relation, node: Related, scope: Scope) -> Expression:
    field = relation.context.find(node.of or "", scope)
    if field is None:
        return sa.func.count()
    taken: Expression = _TAKEN[node.measure](field.column(rows.row, scope))
    return sa.func.coalesce(taken, 0) if node.measure is Measure.SUM else taken


def _of_nothing(measure: Measure, op: Operator, value: Any) -> bool:
    """Whether a card without such rows satisfies the comparison."""
    if measure in _ZERO and op.compare is not None:
        return bool(op.compare(0, value))
    if measure in _ZERO:
        return op.key == "filled"
    return op.empty
