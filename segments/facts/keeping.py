"""Keeps the facts of cards true to the mirror: found as a whole when they are due, and anew for changed cards.

A changed card moves the facts of those it shares an address with, or did: they are found anew with it.
"""

from __future__ import annotations

import secrets
import time
from collections.abc import Collection, Mapping
from dataclasses import replace
from typing import Any

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session, aliased

from core.clock import utcnow
from core.database import any_of
from core.locks import one_at_a_time
from integration.mirror import Address
from integration.models import Portal
from segments import asked_fields
from segments.card_facts import CardFacts, CrossingAddress, FactsRun, SharedAddress
from segments.conditions.card_fields import Card
from segments.conditions.catalog import Scope, scope_of
from segments.facts import summing
from segments.rules.tree import Kind
from segments.saved import How, Segment
from segments.worth import swap, trust
from segments.worth.sales import rule_of

_LOCK = 0x4346
_MEMORY = "256MB"
_FACTS: Any = CardFacts.__table__
_SHARED: Any = SharedAddress.__table__
_CROSSING: Any = CrossingAddress.__table__
_KEY = ("kind", "normalised", "entity", "entity_id")


def due(session: Session, portal_id: int) -> bool:
    """Whether the portal's facts are to be found as a whole."""
    run = session.get(FactsRun, portal_id, populate_existing=True)
    if run is None or run.due_at is not None:
        return True
    return run.basis != trust.basis_of(session, rule_of(session, portal_id))


def is_due() -> sa.ColumnElement[bool]:
    """The same of `portals`, as far as one can see without the sale rule; or whether fields are asked for anew."""
    fresh = sa.exists().where(FactsRun.portal_id == Portal.id, FactsRun.due_at.is_(None))
    return ~fresh | asked_fields.are_new()


def lacks_fields(session: Session, portal_id: int) -> bool:
    """Whether custom fields are asked for that the facts don't repeat yet."""
    query = sa.select(Portal.id).where(Portal.id == portal_id, asked_fields.are_new())
    return session.scalar(query) is not None


def put_off(session: Session, portal_id: int) -> None:
    """Too much has changed: the facts of all cards are to be found anew, and until then nobody asks them."""
    session.execute(
        sa.update(FactsRun).where(FactsRun.portal_id == portal_id).values(due_at=utcnow())
    )


def find_all(session: Session, portal_id: int) -> int:
    """The facts of all cards of the portal; how many. Call in its own transaction.

    What changes meanwhile is noted, and followed afterwards.
    """
    one_at_a_time(session, _LOCK, portal_id)
    session.execute(sa.text(f"SET LOCAL work_mem = '{_MEMORY}'"))
    started, now = time.perf_counter(), utcnow()
    seen = session.scalar(sa.select(FactsRun.due_at).where(FactsRun.portal_id == portal_id))
    scope = _with_asked_fields(session, _asking_the_mirror(session, portal_id))
    basis = trust.basis_of(session, scope.rule)
    name = f"common_{secrets.token_hex(4)}"
    everybody = summing.common_addresses(scope)
    made = sa.CreateTableAs(everybody, name, metadata=sa.MetaData(), temporary=True)
    session.execute(made)
    common: Any = made.table
    session.execute(sa.text(f"ANALYZE {name}"))
    rows = sa.select(*(common.c[each] for each in ("portal_id", *_KEY)))
    shared = rows.where(common.c.alike)
    kinds = sorted(Kind)  # in the order of the key
    selects = [summing.of_cards(scope, kind, shared.subquery()) for kind in kinds]
    cards = swap.replace(session, _FACTS, portal_id, selects)
    swap.replace(session, _SHARED, portal_id, [shared])
    swap.replace(session, _CROSSING, portal_id, [rows.where(common.c.crossing)])
    session.execute(sa.DropTable(common))
    asked_fields.repeated(session, portal_id, scope.known_fields)
    values = {
        "basis": basis,
        "cards": cards,
        "seconds": round(time.perf_counter() - started, 3),
        "found_at": now,
    }
    put = insert(FactsRun).values(portal_id=portal_id, **values)
    put_off_since = FactsRun.due_at.is_distinct_from(seen)
    due_at = sa.case((put_off_since, FactsRun.due_at))
    session.execute(
        put.on_conflict_do_update(index_elements=["portal_id"], set_={**values, "due_at": due_at})
    )
    return cards


def repeat_fields(session: Session, portal_id: int) -> int:
    """Have the facts repeat all custom fields that are asked for; how many cards. Call in its own transaction.

    Only these values are read: a fraction of the time that finding all facts takes.
    """
    one_at_a_time(session, _LOCK, portal_id)
    scope = _with_asked_fields(session, _asking_the_mirror(session, portal_id))
    selects = [_with_custom(scope, kind) for kind in sorted(Kind)]
    cards = swap.replace(session, _FACTS, portal_id, selects)
    asked_fields.repeated(session, portal_id, scope.known_fields)
    return cards


def _with_asked_fields(session: Session, scope: Scope) -> Scope:
    """The scope in which the facts know all fields that saved segments ask for, and drafts did lately."""
    query = sa.select(Segment.definition).where(
        Segment.portal_id == scope.portal_id,
        Segment.how == How.DYNAMIC,
        Segment.archived_at.is_(None),
    )
    asked_fields.note(session, scope.portal_id, session.scalars(query))
    return replace(scope, known_fields=asked_fields.every(session, scope.portal_id))


def _with_custom(scope: Scope, kind: Kind) -> sa.Select[Any]:
    """The facts of a kind as they are, but for the custom values."""
    fact, mirrored = _FACTS.c, Card(kind, scope).anchor
    row = mirrored.c
    same = sa.and_(row.portal_id == scope.portal_id, row.bitrix_id == fact.card_id)
    custom = summing.custom_values(scope, kind, row.custom).label("custom")
    columns = [custom if column is fact.custom else column for column in fact]
    query = sa.select(*columns).select_from(sa.outerjoin(_FACTS, mirrored, same))
    return query.where(fact.portal_id == scope.portal_id, fact.kind == kind.value)


def follow(session: Session, portal_id: int, touched: Mapping[Kind, Collection[int]]) -> None:
    """The facts of these cards anew, in the transaction that takes them off the list of changed ones."""
    one_at_a_time(session, _LOCK, portal_id)
    run = session.get(FactsRun, portal_id, populate_existing=True)
    if run is None or run.due_at is not None:
        return
    scope = _asking_the_mirror(session, portal_id)
    if run.basis != trust.basis_of(session, scope.rule):
        put_off(session, portal_id)
        return
    moved = _with_neighbours(session, scope, touched)
    _cross_anew(session, scope, touched)
    for kind in Kind:
        if moved[kind]:
            _share_anew(session, scope, kind, moved[kind])
            _find_some(session, scope, kind, moved[kind])


def _asking_the_mirror(session: Session, portal_id: int) -> Scope:
    return replace(scope_of(session, portal_id), known=False)


def _with_neighbours(
    session: Session, scope: Scope, touched: Mapping[Kind, Collection[int]]
) -> dict[Kind, list[int]]:
    """These cards, and others of their side that begin or cease to share an address with them."""
    portal_id = scope.portal_id
    of_these = _among(touched)
    own, every = aliased(Address), aliased(Address)
    kept, flag = aliased(SharedAddress), aliased(SharedAddress)
    values = sa.union(
        sa.select(own.kind, own.normalised, _of_leads(own).label("of_leads")).where(
            *summing.reached(own, scope), of_these(own)
        ),
        sa.select(kept.kind, kept.normalised, _of_leads(kept).label("of_leads")).where(
            kept.portal_id == portal_id, of_these(kept)
        ),
    ).cte("value")
    holders = (
        sa.select(every.kind, every.normalised, every.entity, every.entity_id, values.c.of_leads)
        .join(values, _same(every, values.c))
        .where(
            every.portal_id == portal_id,
            (every.entity == Kind.LEAD.value) == values.c.of_leads,
        )
        .distinct()
        .subquery("holder")
    )
    number = sa.func.count().over(
        partition_by=(holders.c.kind, holders.c.normalised, holders.c.of_leads)
    )
    counted = sa.select(*holders.c, number.label("number")).subquery("counted")
    same = _same(flag, counted.c) & (flag.entity == counted.c.entity)
    same &= (flag.entity_id == counted.c.entity_id) & (flag.portal_id == portal_id)
    moved = (
        sa.select(counted.c.entity, counted.c.entity_id)
        .outerjoin(flag, same)
        .where((counted.c.number > 1) != flag.entity_id.is_not(None))
    )
    found = {kind: set(touched.get(kind, ())) for kind in Kind}
    for entity, card_id in session.execute(moved):
        found[Kind(entity)].add(card_id)
    return {kind: sorted(ids) for kind, ids in found.items()}


def _of_leads(row: Any) -> sa.ColumnElement[bool]:
    side: sa.ColumnElement[bool] = row.entity == Kind.LEAD.value
    return side


def _same(one: Any, other: Any) -> sa.ColumnElement[bool]:
    return sa.and_(one.kind == other.kind, one.normalised == other.normalised)


def _among(touched: Mapping[Kind, Collection[int]]) -> Any:
    """Condition on rows of addresses: they are of these cards."""
    return lambda row: sa.or_(
        sa.false(),
        *(
            (row.entity == kind.value) & (row.entity_id == any_of(ids))
            for kind, ids in touched.items()
            if ids
        ),
    )


def _share_anew(session: Session, scope: Scope, kind: Kind, ids: list[int]) -> None:
    mine = (_SHARED.c.portal_id == scope.portal_id, _SHARED.c.entity == kind.value)
    session.execute(sa.delete(_SHARED).where(*mine, _SHARED.c.entity_id == any_of(ids)))
    one, other = aliased(Address), aliased(Address)
    elsewhere = sa.exists().where(
        other.portal_id == scope.portal_id,
        _same(other, one),
        (other.entity == Kind.LEAD.value) == (kind is Kind.LEAD),
        (other.entity != one.entity) | (other.entity_id != one.entity_id),
    )
    rows = (
        sa.select(one.portal_id, *(getattr(one, name) for name in _KEY))
        .where(
            *summing.reached(one, scope),
            one.entity == kind.value,
            one.entity_id == any_of(ids),
            elsewhere,
        )
        .distinct()
    )
    session.execute(insert(_SHARED).from_select(["portal_id", *_KEY], rows))


def _cross_anew(session: Session, scope: Scope, touched: Mapping[Kind, Collection[int]]) -> None:
    """Leads and clients that begin or cease to share an address with one of these cards."""
    portal_id, of_these = scope.portal_id, _among(touched)
    mine, holder, other = aliased(Address), aliased(Address), aliased(Address)
    elsewhere = sa.exists().where(
        other.portal_id == portal_id, _same(other, mine), _of_leads(other) != _of_leads(mine)
    )
    rows = (
        sa.select(holder.portal_id, *(getattr(holder, name) for name in _KEY))
        .join(mine, _same(holder, mine))
        .where(
            *summing.reached(mine, scope), of_these(mine), elsewhere, holder.portal_id == portal_id
        )
        .distinct()
    )
    put = insert(_CROSSING).from_select(["portal_id", *_KEY], rows)
    session.execute(put.on_conflict_do_nothing())
    row, theirs = _CROSSING.c, aliased(CrossingAddress)
    values = sa.select(theirs.kind, theirs.normalised).where(
        theirs.portal_id == portal_id, of_these(theirs)
    )
    kept = (
        sa.exists().where(
            holder.portal_id == portal_id,
            _same(holder, row),
            holder.entity == row.entity,
            holder.entity_id == row.entity_id,
        ),
        sa.exists().where(
            other.portal_id == portal_id, _same(other, row), _of_leads(other) != _of_leads(row)
        ),
    )
    gone = sa.delete(_CROSSING).where(
        row.portal_id == portal_id,
        sa.tuple_(row.kind, row.normalised).in_(values),
        sa.not_(sa.and_(*kept)),
    )
    session.execute(gone)


def _find_some(session: Session, scope: Scope, kind: Kind, ids: list[int]) -> None:
    session.execute(
        sa.delete(_FACTS).where(
            _FACTS.c.portal_id == scope.portal_id,
            _FACTS.c.kind == kind.value,
            _FACTS.c.card_id == any_of(ids),
        )
    )
    fresh = summing.of_cards(replace(scope, ids=tuple(ids)), kind, _SHARED)
    names = [column.name for column in _FACTS.columns]
    session.execute(insert(_FACTS).from_select(names, fresh))
