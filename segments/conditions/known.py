"""Conditions answered by what is known of every card by heart (`segments.card_facts`), and which cards are unsure.

Only questions that the facts answer exactly are taken here; None sends the rest to the mirror. The bits and the
columns are written by `segments.facts` with the same names.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import date, timedelta
from decimal import Decimal
from functools import cache
from typing import Any

import sqlalchemy as sa

from integration.mirror import Address, AddressKind
from integration.models import ChangedCard, ChangedClient
from segments.conditions.catalog import Scope
from segments.conditions.operators import OPERATORS, Expression, Operand, Type
from segments.rules.tree import Condition, Group, Kind, Measure, Mode, Node, Related

STATES = {"P": "open", "S": "won", "F": "lost"}
BITS = {kind.value: 1 << place for place, kind in enumerate(AddressKind)}
VALID = len(BITS)
"""The bits of valid addresses stand so many places higher."""
REACHED_BY = tuple(
    kind.value for kind in (AddressKind.EMAIL, AddressKind.PHONE, AddressKind.MESSENGER)
)
"""Kinds of addresses that are counted and by which a person is recognised."""


def unsure(scope: Scope, kind: Kind) -> sa.TextualSelect:
    """Cards whose facts may differ from the mirror: changed ones, and those that share an address with one."""
    return _unsure(int(scope.portal_id), kind)


def noted(scope: Scope) -> sa.TextualSelect:
    """Changed cards of all kinds: rows (kind, card_id)."""
    columns = sa.column("kind", sa.Text), sa.column("card_id", sa.BigInteger)
    return sa.text(_noted(int(scope.portal_id))).columns(*columns)


def _noted(portal_id: int) -> str:
    return (
        f"SELECT kind, card_id FROM {ChangedCard.__tablename__} WHERE portal_id = {portal_id} "
        "UNION ALL SELECT kind, client_id AS card_id"
        f" FROM {ChangedClient.__tablename__} WHERE portal_id = {portal_id}"
    )


@cache
def _unsure(portal_id: int, kind: Kind) -> sa.TextualSelect:
    """As text: it stands several times in every select, and is written five times faster than built."""
    noted = _noted(portal_id)
    kinds = ", ".join(f"'{each}'" for each in REACHED_BY)
    sharing = (
        f"SELECT theirs.entity_id FROM ({noted}) noted"
        f" JOIN {Address.__tablename__} mine ON mine.portal_id = {portal_id}"
        f" AND mine.entity = noted.kind AND mine.entity_id = noted.card_id AND mine.kind IN ({kinds})"
        f" JOIN {Address.__tablename__} theirs ON theirs.portal_id = {portal_id}"
        " AND theirs.kind = mine.kind AND theirs.normalised = mine.normalised"
        f" AND theirs.entity = '{kind}'"
    )
    text = f"SELECT card_id FROM ({noted}) noted WHERE kind = '{kind}' UNION ALL {sharing}"
    return sa.text(text).columns(sa.column("card_id", sa.BigInteger))


def answer(facts: Any, node: Related, scope: Scope) -> Expression | None:
    """What the facts say of this question about related rows; None when they don't."""
    asked = _parts(node.where)
    if asked is None:
        return None
    if node.relation == "deals":
        return _of_deals(facts, node, asked, scope)
    if node.relation == "addresses" and node.measure in {Measure.ANY, Measure.NONE}:
        return _of_addresses(facts, node, asked)
    return None


def _parts(where: Group | None) -> list[Condition] | None:
    """Conditions that all have to hold, when the tree is no more than that."""
    found: list[Condition] = []
    nodes: Iterable[Node] = () if where is None else (where,)
    for node in nodes:
        match node:
            case Condition():
                found.append(node)
            case Group(mode=Mode.ALL) | Group(parts=(_,), mode=Mode.ANY):
                for part in node.parts:
                    inner = [part] if isinstance(part, Condition) else None
                    if isinstance(part, Group):
                        inner = _parts(part)
                    if inner is None:
                        return None
                    found += inner
            case _:
                return None
    return found


def _of_deals(facts: Any, node: Related, asked: list[Condition], scope: Scope) -> Expression | None:
    if node.measure is Measure.LAST:
        return _of_last(facts, asked)
    if node.measure is Measure.ANY and (returned := _returned(facts, asked)) is not None:
        return returned
    number = _number(facts, asked, scope)
    if number is None:
        return None
    if node.measure is Measure.ANY:
        return number > 0
    if node.measure is Measure.NONE:
        return number == 0
    if node.measure is not Measure.COUNT:
        return None
    op = OPERATORS[Type.NUMBER][node.op or ""]
    operand = Operand(number, Type.NUMBER, scope.today, scope.rule.utc_offset_minutes)
    return op.sql(operand, op.shape.read(node.value))


def _number(facts: Any, asked: list[Condition], scope: Scope) -> Expression | None:
    """How many deals satisfy the conditions, when they are about states alone, of all or of counted pipelines,
    or about sales above zero in a period.
    """
    if (sold := _sold_within(facts, asked, scope)) is not None:
        return sold
    states = [each for each in asked if each.field == "state"]
    others = [each for each in asked if each.field != "state"]
    counted = bool(others)
    if len(states) > 1 or len(others) > 1 or not all(_is_counted(each, scope) for each in others):
        return None
    if not states:
        return None if counted else facts.deals
    (state,) = states
    named = _states(state)
    if named is None or (counted and state.op != "any_of"):
        return None
    prefix = "counted_" if counted else ""
    columns = [getattr(facts, prefix + STATES[each]) for each in named]
    total: Expression = sum(columns[1:], columns[0]) if columns else sa.literal(0)
    return total if state.op == "any_of" else facts.deals - total


def _sold_within(facts: Any, asked: list[Condition], scope: Scope) -> Expression | None:
    """How many sales above zero have their day in a period."""
    field = {each.field: each for each in asked}
    if len(asked) != len(field) or field.keys() - {"is_sale"} != {"sold_on", "amount"}:
        return None
    day, amount, sale = field["sold_on"], field["amount"], field.get("is_sale")
    op = OPERATORS[Type.DATE][day.op]
    if op.span is None or amount.op != "gt" or Decimal(str(amount.value)) != 0:
        return None
    if sale is not None and sale.op != "yes":
        return None
    span = op.span(op.shape.read(day.value), scope.today)
    until = (
        sa.func.cardinality(facts.sold_days) if span.last is None else _sold_until(facts, span.last)
    )
    if span.first is not None and span.first > date.min:
        until = until - _sold_until(facts, span.first - timedelta(days=1))
    found: Expression = sa.func.coalesce(until, 0)
    return found


def _sold_until(facts: Any, day: date) -> Any:
    """The number of sales up to this day: its place among the days, which are in order."""
    return sa.func.width_bucket(sa.literal(day, sa.Date), facts.sold_days, type_=sa.Integer)


def _states(condition: Condition) -> list[str] | None:
    """The states it names; None when it names something else or asks in another way."""
    if condition.op not in {"any_of", "none_of"}:
        return None
    named = sorted(set(condition.value))
    return named if set(named) <= STATES.keys() else None


def _is_counted(condition: Condition, scope: Scope) -> bool:
    """Whether it asks for deals of the pipelines that count by the sale rule."""
    if condition.field != "pipeline" or condition.op != "any_of" or scope.rule.pipelines is None:
        return False
    return set(condition.value) == {str(number) for number in scope.rule.pipelines}


def _of_last(facts: Any, asked: list[Condition]) -> Expression | None:
    if not asked:
        return facts.deals > 0  # type: ignore[no-any-return]
    if len(asked) > 1 or asked[0].field != "state" or (named := _states(asked[0])) is None:
        return None
    is_named = sa.func.coalesce(facts.last_state.in_(named), sa.false())
    return is_named if asked[0].op == "any_of" else sa.and_(facts.deals > 0, sa.not_(is_named))


def _returned(facts: Any, asked: list[Condition]) -> Expression | None:
    """A sale at most so many days after a lost deal: the smallest number of days tells."""
    field = {each.field: each for each in asked}
    days = field.get("days_after_lost")
    if days is None or len(asked) != len(field) or days.op not in {"le", "lt"}:
        return None
    sale = field.get("is_sale")
    if len(asked) > 2 or (len(asked) == 2 and (sale is None or sale.op != "yes")):
        return None
    op = OPERATORS[Type.NUMBER][days.op]
    compared = facts.days_after_lost
    if op.compare is None:
        return None
    near: Expression = op.compare(compared, op.shape.read(days.value))
    return sa.func.coalesce(near, sa.false())


def _of_addresses(facts: Any, node: Related, asked: list[Condition]) -> Expression | None:
    kinds, valid = set(BITS), False
    for condition in asked:
        match condition:
            case Condition(field="kind", op="any_of"):
                kinds &= set(condition.value)
            case Condition(field="valid", op="yes"):
                valid = True
            case _:
                return None
    mask = sum(BITS[kind] for kind in kinds) << (VALID if valid else 0)
    found: Expression = facts.reached_by.op("&")(sa.literal_column(str(mask)))
    return found != 0 if node.measure is Measure.ANY else found == 0
