"""Keeps stored members of segments true: one statement compares who is in with who should be.

Everybody, or only the touched cards: the same select narrowed to their ids, so both agree.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, replace
from typing import Any

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session

from core.clock import utcnow
from segments import audience
from segments.conditions import definitions
from segments.conditions.card_fields import TABLES
from segments.conditions.catalog import Scope
from segments.conditions.compile import members
from segments.conditions.definitions import InvalidCondition
from segments.members import basis
from segments.rules.tree import Condition, Definition, Kind, walk
from segments.saved import How, Segment, SegmentSize, SegmentStay, Why

PATIENCE_MS = 60_000
_COUNTED = {Kind.CONTACT: "contacts", Kind.COMPANY: "companies", Kind.LEAD: "leads"}


@dataclass(frozen=True, slots=True)
class Moved:
    """How many entered and left; of touched cards, how many are in."""

    entered: int = 0
    left: int = 0
    inside: int = 0


def read(segment: Segment, scope: Scope) -> Definition | None:
    """The segment's definition. None when the portal lacks something it names: then `problem` says what.

    Its members stay as they were, and are found anew once the portal has it again.
    """
    try:
        definition = definitions.read(segment.definition, scope)
    except InvalidCondition as error:
        segment.problem = f"{error.path}: {error.problem.partition('; ')[0]}"
        return None
    return definition


def refresh(session: Session, scope: Scope, segment: Segment) -> Moved:
    """All members of a dynamic segment, with its counters and today's size."""
    definition = read(segment, scope)
    if definition is None:
        segment.stale_at = None
        return Moved()
    reason = basis.why(scope, segment, definition)
    with audience.patient(session, PATIENCE_MS):
        moved = _compare(session, scope, segment.id, definition, reason)
    recount(session, scope, segment)
    _settle(session, scope, segment, definition)
    return moved


def refresh_touched(
    session: Session,
    scope: Scope,
    segment: Segment,
    definition: Definition,
    touched: Mapping[Kind, Collection[int]],
) -> Moved:
    """The members among these cards; of a segment whose members depend on these cards alone."""
    total = Moved()
    counters = dict(segment.counters or {})
    for kind, _tree in definition.asked():
        if ids := tuple(touched.get(kind, ())):
            narrowed = replace(scope, ids=ids)
            reason = Why.CHANGED
            moved = _compare(session, narrowed, segment.id, definition.only(kind), reason, kind)
            counters[_COUNTED[kind]] = counters.get(_COUNTED[kind], 0) + moved.entered - moved.left
            total = Moved(
                total.entered + moved.entered,
                total.left + moved.left,
                total.inside + moved.inside,
            )
    if total.entered or total.left:
        segment.counters = counters
    if total != Moved():  # addresses of members may have changed as well
        segment.recount_at = segment.recount_at or scope.now
    return total


def stands_alone(definition: Definition) -> bool:
    """Whether a card's membership depends on that card only: no limit, no share of the highest."""
    ranked = (
        isinstance(node, Condition) and node.op == "top"
        for tree in definition.trees()
        for node in walk(tree)
    )
    return definition.stands_alone and not any(ranked)


def mark_stale(session: Session, portal_id: int, *segment_ids: int) -> None:
    """These dynamic segments, or all of them, are to be found anew as a whole."""
    mark = sa.update(Segment).where(
        Segment.portal_id == portal_id,
        Segment.how == How.DYNAMIC,
        Segment.archived_at.is_(None),
    )
    if segment_ids:
        mark = mark.where(Segment.id.in_(segment_ids))
    session.execute(mark.values(stale_at=utcnow()).execution_options(synchronize_session=False))


def recount(session: Session, scope: Scope, segment: Segment) -> None:
    """The counters of the stored members, and today's size."""
    portal_id = scope.portal_id
    with audience.patient(session, PATIENCE_MS):
        counters = audience.counted(session, scope.portal_id, living(scope.portal_id, segment.id))
    sizes = {name: getattr(counters, name) for name in _COUNTED.values()}
    put = insert(SegmentSize).values(
        portal_id=portal_id, segment_id=segment.id, day=scope.today, **sizes
    )
    session.execute(
        put.on_conflict_do_update(index_elements=["portal_id", "segment_id", "day"], set_=sizes)
    )
    segment.counters = counters.as_dict()
    segment.counted_at, segment.recount_at = scope.now, None


def present(portal_id: int, segment_id: int) -> sa.Select[Any]:
    """Stored members: rows (kind, member_id)."""
    stay: Any = SegmentStay
    return sa.select(stay.kind, stay.member_id).where(
        stay.portal_id == portal_id, stay.segment_id == segment_id, stay.left_at.is_(None)
    )


def living(portal_id: int, segment_id: int, *, few: bool = False) -> sa.Select[Any]:
    """Stored members whose cards the portal still has: rows (kind, member_id).

    `few`: only the first of them are wanted, so the cards are looked up one by one, not gathered beforehand.
    """
    stay = SegmentStay
    cards = [
        sa.select(sa.true()).where(
            stay.kind == kind.value,
            table.portal_id == portal_id,
            table.bitrix_id == stay.member_id,
            table.deleted_at.is_(None),
        )
        for kind, table in TABLES.items()
    ]
    alive = [
        card.correlate(stay).scalar_subquery() if few else card.correlate(stay).exists()
        for card in cards
    ]
    return present(portal_id, segment_id).where(sa.or_(*alive))


def _settle(session: Session, scope: Scope, segment: Segment, definition: Definition) -> None:
    """The members are those of now, unless the segment was changed or marked stale meanwhile."""
    same = sa.and_(
        Segment.version == segment.version,
        Segment.stale_at.is_not_distinct_from(segment.stale_at),
    )
    session.flush()
    session.execute(
        sa.update(Segment)
        .where(Segment.portal_id == segment.portal_id, Segment.id == segment.id)
        .values(
            basis=basis.of(scope, definition),
            problem=None,
            refreshed_at=scope.now,
            stale_at=sa.case((same, sa.null()), else_=Segment.stale_at),
        )
        .execution_options(synchronize_session=False)
    )
    session.refresh(segment)


def _compare(
    session: Session,
    scope: Scope,
    segment_id: int,
    definition: Definition,
    reason: Why,
    kind: Kind | None = None,
) -> Moved:
    """Who should be in against who is: with `kind`, only the scope's cards of that kind."""
    table: Any = SegmentStay.__table__
    wanted = members(scope, definition).cte("wanted").prefix_with("MATERIALIZED")
    here = [
        table.c.portal_id == scope.portal_id,
        table.c.segment_id == segment_id,
        table.c.left_at.is_(None),
    ]
    if kind is not None:
        here += [table.c.kind == kind.value, *scope.among(table.c.member_id)]
    # NOT IN is hashed whatever the planner expects of `wanted`; it expects badly, and would nest loops.
    is_wanted = sa.select(wanted.c.kind, wanted.c.member_id)
    left = (
        sa.update(table)
        .where(*here, sa.tuple_(table.c.kind, table.c.member_id).not_in(is_wanted))
        .values(left_at=scope.now, left_by=reason)
        .returning(sa.literal(1))
        .cte("gone")
    )
    inside = sa.select(table.c.kind, table.c.member_id).where(*here)
    new = sa.select(
        sa.literal(scope.portal_id),
        sa.literal(segment_id),
        wanted.c.kind,
        wanted.c.member_id,
        sa.literal(scope.now, sa.DateTime(timezone=True)),
        sa.literal(reason),
    ).where(sa.tuple_(wanted.c.kind, wanted.c.member_id).not_in(inside))
    columns = ["portal_id", "segment_id", "kind", "member_id", "entered_at", "entered_by"]
    put = insert(table).from_select(columns, new).on_conflict_do_nothing()
    entered = put.returning(sa.literal(1)).cte("came")
    numbers = sa.select(*(_number_of(rows) for rows in (entered, left, wanted)))
    counted: Any = session.execute(numbers).one()
    return Moved(*counted)


def _number_of(rows: sa.CTE) -> sa.ScalarSelect[int]:
    return sa.select(sa.func.count()).select_from(rows).scalar_subquery()
