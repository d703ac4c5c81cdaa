"""What is stored of segments' sizes, and what two of them have in common."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass

import sqlalchemy as sa
from sqlalchemy.orm import Session

from segments.members import membership
from segments.rules.tree import Kind
from segments.rules.trend import Point
from segments.saved import SegmentSize, SegmentStay


@dataclass(frozen=True, slots=True)
class Overlap:
    """Cards in both segments, in the first only, in the second only."""

    both: int
    first: int
    second: int


def in_time(
    session: Session, portal_id: int, segment_ids: Collection[int], days: int
) -> dict[int, list[Point]]:
    """The last sizes of each segment, the oldest first."""
    size = SegmentSize
    total = size.contacts + size.companies + size.leads
    place = sa.func.row_number().over(partition_by=size.segment_id, order_by=size.day.desc())
    newest = (
        sa.select(size.segment_id, size.day, total.label("total"), place.label("place"))
        .where(size.portal_id == portal_id, size.segment_id.in_(segment_ids))
        .subquery()
    )
    query = sa.select(newest.c.segment_id, newest.c.day, newest.c.total)
    query = query.where(newest.c.place <= days).order_by(newest.c.segment_id, newest.c.day)
    found: dict[int, list[Point]] = {}
    for segment_id, day, number in session.execute(query):
        found.setdefault(segment_id, []).append(Point(day, number))
    return found


def overlap(session: Session, portal_id: int, first_id: int, second_id: int) -> Overlap:
    """By stored members, which is how conditions on segments see them too."""
    first = membership.present(portal_id, first_id).subquery()
    second = membership.present(portal_id, second_id).subquery()
    same = sa.and_(first.c.kind == second.c.kind, first.c.member_id == second.c.member_id)
    joined = sa.select(
        sa.func.count().filter(first.c.kind.is_not(None), second.c.kind.is_not(None)),
        sa.func.count().filter(second.c.kind.is_(None)),
        sa.func.count().filter(first.c.kind.is_(None)),
    ).select_from(sa.join(first, second, same, full=True))
    row = session.execute(joined).one()
    return Overlap(*row)


def members(
    session: Session, portal_id: int, segment_id: int, limit: int
) -> list[tuple[Kind, int, str]]:
    """Some stored members, the newest first: kind, id and why they are in."""
    stay = SegmentStay
    query = (
        sa.select(stay.kind, stay.member_id, stay.entered_by)
        .where(stay.portal_id == portal_id, stay.segment_id == segment_id, stay.left_at.is_(None))
        .order_by(stay.entered_at.desc(), stay.kind, stay.member_id.desc())
        .limit(limit)
    )
    return [(Kind(kind), number, reason) for kind, number, reason in session.execute(query)]


def is_member(session: Session, portal_id: int, segment_id: int, kind: Kind, card_id: int) -> bool:
    """Whether the card is a stored member."""
    stay = SegmentStay
    query = sa.select(stay.member_id).where(
        stay.portal_id == portal_id,
        stay.segment_id == segment_id,
        stay.kind == kind.value,
        stay.member_id == card_id,
        stay.left_at.is_(None),
    )
    return session.scalar(query) is not None
