"""The mirror → the facts of cards: selects of their addresses, deals and sales, of all cards or of some.

The deals are those that conditions ask for (`related_rows.deals_of`), so that facts and mirror can't differ in whose they are.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import aggregate_order_by
from sqlalchemy.orm import aliased

from integration.mirror import Address
from segments.card_facts import COPIES, CardFacts
from segments.conditions.card_fields import LATEST_SALES, Card
from segments.conditions.catalog import Scope
from segments.conditions.known import BITS, REACHED_BY, STATES, VALID
from segments.conditions.operators import Expression
from segments.conditions.related_rows import Rows, activities_of, contact_moment, deals_of
from segments.rules.tree import Kind
from segments.worth import sales

_ADDRESSED = {"email": "emails", "phone": "phones", "messenger": "messengers"}
_EARLIEST: Expression = sa.literal_column("'-9223372036854775808'::bigint")
_MICROSECONDS = 1_000_000
_NULLABLE = {column.name for column in CardFacts.__table__.columns if column.nullable}


def of_cards(scope: Scope, kind: Kind, shared: Any) -> sa.Select[Any]:
    """The rows of `card_facts`, without deals of their addresses' other cards: those are told by `shared`."""
    card = Card(kind, scope)
    source: Any = card.anchor
    mirrored = card.row
    columns: dict[str, Any] = {name: mirrored[name] for name in COPIES if name in mirrored}
    columns["custom"] = custom_values(scope, kind, mirrored.custom)
    for rows in _sums(scope, kind, shared):
        source = sa.outerjoin(source, rows, rows.c.card_id == card.id)
        columns |= {column.name: column for column in rows.c if column.name != "card_id"}
    for name in _ADDRESSED.values():
        columns[name] = _or_zero(columns[f"all_{name}"]) - _or_zero(columns[f"shared_{name}"])
    key = {
        "portal_id": sa.literal(scope.portal_id, sa.Integer),
        "kind": sa.literal(kind.value, sa.Text),
        "card_id": card.id,
    }
    listed = [
        key.get(column.name, _filled(columns, column)).label(column.name)
        for column in CardFacts.__table__.columns
    ]
    return sa.select(*listed).select_from(source).where(*card.alive())


def custom_values(scope: Scope, kind: Kind, custom: Any) -> Any:
    """Of a card's custom values, those that the facts repeat."""
    codes = sorted(scope.known_fields.get(kind, ()))
    if not codes:
        return sa.null()
    pairs = (part for code in codes for part in (sa.literal(code, sa.Text), custom[code]))
    return sa.func.jsonb_strip_nulls(sa.func.jsonb_build_object(*pairs))


def common_addresses(scope: Scope) -> sa.Select[Any]:
    """Addresses of more than one card, for each card that has one: columns of `shared_addresses` and two flags.

    `alike`: another card of its side has it; `crossing`: one of the other side.
    """
    one = aliased(Address)
    of_lead = one.entity == Kind.LEAD.value
    held = (
        sa.select(one.kind, one.normalised, of_lead.label("of_lead"), one.entity, one.entity_id)
        .where(*reached(one, scope))
        .distinct()
        .subquery("held")
    )
    address = (held.c.kind, held.c.normalised)
    everybody = sa.func.count().over(partition_by=address)
    leads = sa.func.count().filter(held.c.of_lead).over(partition_by=address)
    of_its_side = sa.case((held.c.of_lead, leads), else_=everybody - leads)
    counted = sa.select(
        *held.c,
        (of_its_side > 1).label("alike"),
        (everybody > of_its_side).label("crossing"),
    ).subquery("counted")
    names = ("kind", "normalised", "entity", "entity_id", "alike", "crossing")
    of_portal = sa.literal(scope.portal_id, sa.Integer).label("portal_id")
    rows = sa.select(of_portal, *(counted.c[name] for name in names))
    return rows.where(counted.c.alike | counted.c.crossing)


def reached(address: Any, scope: Scope) -> tuple[Expression, ...]:
    """Of `addresses`, or an alias of it: those that are counted."""
    return (
        address.portal_id == scope.portal_id,
        address.kind.in_(REACHED_BY),
        address.normalised.is_not(None),
    )


def _filled(columns: dict[str, Any], column: Any) -> Any:
    found = columns.get(column.name, sa.cast(sa.null(), column.type))
    return found if column.name in _NULLABLE else _or_zero(found)


def _or_zero(value: Any) -> Any:
    return sa.func.coalesce(value, 0)


def _sums(scope: Scope, kind: Kind, shared: Any) -> Iterable[Any]:
    yield _of_addresses(scope, kind).subquery("addressed")
    yield _of_shared(scope, kind, shared).subquery("shared")
    yield _of_deals(scope, kind).subquery("dealt")
    yield _returned(scope, kind).subquery("returned")
    yield _sold(scope, kind).subquery("bought")
    yield _contacts(scope, kind).subquery("contacted")


def _of_addresses(scope: Scope, kind: Kind) -> sa.Select[Any]:
    address = aliased(Address)
    bit: Expression = sa.case(BITS, value=address.kind, else_=0)
    valid = sa.case((address.normalised.is_not(None), bit), else_=0)
    mask = sa.func.bit_or(bit.op("|")(valid.op("<<")(sa.literal_column(str(VALID)))))
    return (
        sa.select(
            address.entity_id.label("card_id"),
            mask.label("reached_by"),
            *(
                sa.func.count(address.normalised.distinct())
                .filter(address.kind == each)
                .label(f"all_{name}")
                for each, name in _ADDRESSED.items()
            ),
        )
        .where(
            address.portal_id == scope.portal_id,
            address.entity == kind.value,
            *scope.among(address.entity_id),
        )
        .group_by(address.entity_id)
    )


def _of_shared(scope: Scope, kind: Kind, shared: Any) -> sa.Select[Any]:
    row = shared.c
    return (
        sa.select(
            row.entity_id.label("card_id"),
            sa.func.count().label("shared"),
            *(
                sa.func.count().filter(row.kind == each).label(f"shared_{name}")
                for each, name in _ADDRESSED.items()
            ),
        )
        .where(
            row.portal_id == scope.portal_id, row.entity == kind.value, *scope.among(row.entity_id)
        )
        .group_by(row.entity_id)
    )


def _deals(scope: Scope, kind: Kind) -> tuple[Rows, tuple[Expression, ...]]:
    rows = deals_of(kind, scope)
    return rows, (*rows.where, *scope.among(rows.card_id))


def _of_deals(scope: Scope, kind: Kind) -> sa.Select[Any]:
    rows, where = _deals(scope, kind)
    deal, state = rows.row, rows.row.stage_semantic
    pipelines = scope.rule.pipelines
    counts = sa.true() if pipelines is None else deal.pipeline_id.in_(pipelines)
    codes = {each: place for place, each in enumerate(STATES, 1)}
    created = sa.cast(sa.extract("epoch", deal.created_at) * _MICROSECONDS, sa.BigInteger)
    # The greatest of such arrays is found in one pass; to put all deals in order takes twice as long.
    place = sa.func.array_position(
        sa.literal(list(codes), sa.ARRAY(sa.Text)), sa.cast(state, sa.Text), type_=sa.BigInteger
    )
    latest = sa.func.max(
        sa.dialects.postgresql.array(
            [sa.func.coalesce(created, _EARLIEST), deal.bitrix_id, _or_zero(place)],
            type_=sa.BigInteger,
        ),
        type_=sa.ARRAY(sa.BigInteger),
    )[3]
    last = sa.case({number: each for each, number in codes.items()}, value=latest)
    columns: list[Any] = [
        rows.card_id.label("card_id"),
        sa.func.count().label("deals"),
        *(sa.func.count().filter(state == each).label(name) for each, name in STATES.items()),
        *(
            sa.func.count().filter(state == each, counts).label(f"counted_{name}")
            for each, name in STATES.items()
        ),
        last.label("last_state"),
    ]
    return sa.select(*columns).select_from(rows.source).where(*where).group_by(rows.card_id)


def _sold(scope: Scope, kind: Kind) -> sa.Select[Any]:
    """Of the sales above zero: their days, and the mean of the latest ones over that of the earlier ones."""
    rows, where = _deals(scope, kind)
    deal, day = rows.row, sales.sold_on(scope.rule, rows.row)
    newest_first = (day.desc(), deal.bitrix_id.desc())
    place = sa.func.row_number().over(partition_by=rows.card_id, order_by=newest_first)
    sold = (
        sa.select(
            rows.card_id.label("card_id"),
            deal.base_amount,
            day.label("sold_on"),
            place.label("place"),
        )
        .select_from(rows.source)
        .where(*where, sales.is_sale(scope.rule, deal), deal.base_amount > sa.literal_column("0"))
        .subquery("sold")
    )
    latest = sa.func.avg(sold.c.base_amount).filter(sold.c.place <= LATEST_SALES)
    earlier = sa.func.avg(sold.c.base_amount).filter(sold.c.place > LATEST_SALES)
    days = sa.func.array_agg(aggregate_order_by(sold.c.sold_on, sold.c.place.desc()))
    return sa.select(
        sold.c.card_id,
        (latest / earlier).label("check_change"),
        days.filter(sold.c.sold_on.is_not(None)).label("sold_days"),
    ).group_by(sold.c.card_id)


def _contacts(scope: Scope, kind: Kind) -> sa.Select[Any]:
    """The latest completed activity."""
    rows = activities_of(kind, scope)
    last = sa.func.max(contact_moment(rows.row)).label("last_contact_at")
    query = sa.select(rows.card_id.label("card_id"), last).select_from(rows.source)
    where = (*rows.where, *scope.among(rows.card_id), rows.row.completed)
    return query.where(*where).group_by(rows.card_id)


def _returned(scope: Scope, kind: Kind) -> sa.Select[Any]:
    """The smallest `days_after_lost`: from the latest lost deal closed on an earlier day to a sale."""
    rows, where = _deals(scope, kind)
    deal = rows.row
    sold = sales.is_sale(scope.rule, deal)
    lost = deal.stage_semantic == "F"
    event = (
        sa.select(
            rows.card_id.label("card_id"),
            sa.case((sold, sales.sold_on(scope.rule, deal))).label("sold_on"),
            sa.case((lost, deal.closed_on)).label("lost_on"),
        )
        .select_from(rows.source)
        .where(*where, sa.or_(sold, lost))
        .subquery("event")
    )
    earlier = sa.func.max(event.c.lost_on).over(
        partition_by=event.c.card_id,
        order_by=sa.func.coalesce(event.c.sold_on, event.c.lost_on),
        groups=(None, -1),
    )
    days = sa.select(event.c.card_id, (event.c.sold_on - earlier).label("days")).subquery("days")
    return sa.select(days.c.card_id, sa.func.min(days.c.days).label("days_after_lost")).group_by(
        days.c.card_id
    )
