"""Who is in a segment made by hand: put in, taken out; and of any segment, who came and went, when and why."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session

from core.clock import utcnow
from core.database import any_of, id_array
from integration.models import ChangedCard
from segments.conditions.card_fields import TABLES
from segments.conditions.catalog import scope_of
from segments.members import membership, saving
from segments.rules.tree import Kind
from segments.saved import How, Segment, SegmentStay, Why

AT_ONCE = 10_000
_DIGITS = 18
Card = tuple[Kind, int]


class NotStatic(Exception):
    """The segment gets its members by its conditions."""


class TooMany(Exception):
    """More cards at once than a list takes by hand."""


@dataclass(frozen=True, slots=True)
class Stay:
    """A card's presence in a segment."""

    segment_id: int
    name: str
    how: str
    entered_at: datetime
    entered_by: str


@dataclass(frozen=True, slots=True)
class Change:
    """A card entered or left."""

    at: datetime
    kind: Kind
    member_id: int
    entered: bool
    why: str


def card(written: str) -> Card | None:
    """A card as pages name it, contact:7."""
    kind, _, number = written.partition(":")
    fits = kind in list(Kind) and number.isascii() and number.isdigit() and len(number) <= _DIGITS
    return (Kind(kind), int(number)) if fits else None


def put_in(
    session: Session,
    portal_id: int,
    segment_id: int,
    cards: Collection[Card],
    user_id: int | None = None,
) -> int:
    """Put cards of this portal into a static segment; how many entered. Raises NoSuchSegment, NotStatic, TooMany."""
    segment = static(session, portal_id, segment_id, len(cards))
    known = living(session, portal_id, cards)
    entered = enter(session, portal_id, segment_id, known, Why.HAND, utcnow())
    return _changed(session, segment, known, entered, user_id)


def take_out(
    session: Session,
    portal_id: int,
    segment_id: int,
    cards: Collection[Card],
    user_id: int | None = None,
) -> int:
    """Take cards out of a static segment; how many left. Raises NoSuchSegment, NotStatic, TooMany."""
    segment = static(session, portal_id, segment_id, len(cards))
    left = leave(session, portal_id, segment_id, cards, Why.HAND, utcnow())
    return _changed(session, segment, cards, left, user_id)


def static(session: Session, portal_id: int, segment_id: int, number: int = 0) -> Segment:
    """The segment, if cards can be put into it by hand. Raises NoSuchSegment, NotStatic, TooMany."""
    segment = saving.find(session, portal_id, segment_id)
    if segment.how != How.STATIC:
        raise NotStatic
    if number > AT_ONCE:
        raise TooMany
    return segment


def enter(
    session: Session,
    portal_id: int,
    segment_id: int,
    cards: Collection[Card],
    why: Why,
    now: datetime,
) -> int:
    """Store that cards are in from now on; those already in stay. Returns how many entered."""
    entered = 0
    for kind, ids in _by_kind(cards):
        listed = sa.select(
            sa.literal(portal_id),
            sa.literal(segment_id),
            sa.literal(kind.value, sa.Text),
            sa.func.unnest(sa.cast(sa.literal(id_array(ids), sa.Text), sa.ARRAY(sa.BigInteger))),
            sa.literal(now, sa.DateTime(timezone=True)),
            sa.literal(why.value, sa.Text),
        )
        columns = ["portal_id", "segment_id", "kind", "member_id", "entered_at", "entered_by"]
        put = insert(SegmentStay).from_select(columns, listed).on_conflict_do_nothing()
        entered += len(session.execute(put.returning(sa.literal(1))).all())
    return entered


def leave(
    session: Session,
    portal_id: int,
    segment_id: int,
    cards: Collection[Card],
    why: Why,
    now: datetime,
) -> int:
    """Store that cards are out from now on. Returns how many left."""
    left = 0
    for kind, ids in _by_kind(cards):
        out = (
            sa.update(SegmentStay)
            .where(
                SegmentStay.portal_id == portal_id,
                SegmentStay.segment_id == segment_id,
                SegmentStay.kind == kind.value,
                SegmentStay.member_id == any_of(ids),
                SegmentStay.left_at.is_(None),
            )
            .values(left_at=now, left_by=why.value)
            .execution_options(synchronize_session=False)
        )
        left += len(session.execute(out.returning(sa.literal(1))).all())
    return left


def touch(session: Session, portal_id: int, cards: Collection[Card]) -> None:
    """Have these cards looked at again by the segments that may name a list they are in."""
    rows = [
        {"portal_id": portal_id, "kind": kind.value, "card_id": card_id} for kind, card_id in cards
    ]
    if rows:
        session.execute(sa.insert(ChangedCard), rows)


def of_card(session: Session, portal_id: int, kind: Kind, card_id: int) -> list[Stay]:
    """The segments a card is in, as stored; the latest entered first."""
    stay = SegmentStay
    query = (
        sa.select(Segment.id, Segment.name, Segment.how, stay.entered_at, stay.entered_by)
        .join(Segment, (Segment.portal_id == portal_id) & (Segment.id == stay.segment_id))
        .where(
            stay.portal_id == portal_id,
            stay.kind == kind.value,
            stay.member_id == card_id,
            stay.left_at.is_(None),
            Segment.archived_at.is_(None),
        )
        .order_by(stay.entered_at.desc(), Segment.id)
    )
    return [Stay(*row) for row in session.execute(query)]


def history(
    session: Session,
    portal_id: int,
    segment_id: int,
    limit: int = 100,
    before: datetime | None = None,
) -> list[Change]:
    """Who came and went, the newest first; with `before`, those of earlier moments."""
    stay = SegmentStay
    mine = (stay.portal_id == portal_id, stay.segment_id == segment_id)
    came = sa.select(
        stay.entered_at.label("at"), stay.kind, stay.member_id, sa.true(), stay.entered_by
    ).where(*mine)
    went = sa.select(stay.left_at, stay.kind, stay.member_id, sa.false(), stay.left_by).where(
        *mine, stay.left_at.is_not(None)
    )
    if before is not None:
        came, went = came.where(stay.entered_at < before), went.where(stay.left_at < before)
    both = sa.union_all(came, went).subquery()
    at, kind, member_id, entered, why = both.c
    query = sa.select(at, kind, member_id, entered, why).order_by(
        at.desc(), kind, member_id, entered
    )
    return [
        Change(row[0], Kind(row[1]), row[2], row[3], row[4])
        for row in session.execute(query.limit(limit))
    ]


def living(session: Session, portal_id: int, cards: Iterable[Card]) -> list[Card]:
    """Those of the cards that the portal has."""
    found: list[Card] = []
    for kind, ids in _by_kind(cards):
        table: Any = TABLES[kind]
        query = sa.select(table.bitrix_id).where(
            table.portal_id == portal_id, table.bitrix_id == any_of(ids), table.deleted_at.is_(None)
        )
        found += [(kind, card_id) for card_id in session.scalars(query)]
    return found


def _by_kind(cards: Iterable[Card]) -> list[tuple[Kind, list[int]]]:
    found: dict[Kind, list[int]] = {}
    for kind, card_id in sorted(set(cards)):
        found.setdefault(kind, []).append(card_id)
    return list(found.items())


def _changed(
    session: Session,
    segment: Segment,
    cards: Collection[Card],
    moved: int,
    user_id: int | None,
) -> int:
    if moved:
        touch(session, segment.portal_id, cards)
        segment.changed_by, segment.changed_at = user_id, utcnow()
        membership.recount(session, scope_of(session, segment.portal_id), segment)
    return moved
