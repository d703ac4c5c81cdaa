"""Choosing a list to put cards into: the lists by name, and which of the cards are in one already."""

from __future__ import annotations

from collections.abc import Collection

import sqlalchemy as sa
from sqlalchemy.orm import Session

from core.database import any_of
from segments.members.lists import Card
from segments.rules.tree import Kind
from segments.saved import How, Segment, SegmentStay

FOUND = 8


def found(
    session: Session,
    portal_id: int,
    typed: str = "",
    without: Collection[int] = (),
    limit: int = FOUND,
) -> list[Segment]:
    """The lists changed last, of those whose names hold every word that was typed; but these."""
    query = (
        sa.select(Segment)
        .where(
            Segment.portal_id == portal_id,
            Segment.how == How.STATIC,
            Segment.archived_at.is_(None),
            Segment.id.not_in(without),
            *(Segment.name.icontains(word, autoescape=True) for word in typed.split()[:5]),
        )
        .order_by(Segment.changed_at.desc(), Segment.id.desc())
        .limit(limit)
    )
    return list(session.scalars(query))


def inside(session: Session, portal_id: int, segment_id: int, cards: Collection[Card]) -> set[Card]:
    """Those of the cards that are in the list now."""
    stay = SegmentStay
    query = sa.select(stay.kind, stay.member_id).where(
        stay.portal_id == portal_id,
        stay.segment_id == segment_id,
        stay.left_at.is_(None),
        stay.member_id == any_of([card_id for _, card_id in cards]),
    )
    return {(Kind(kind), card_id) for kind, card_id in session.execute(query)} & set(cards)
