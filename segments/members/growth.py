"""Which segments have grown most in a week, by the sizes stored of each day."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import distinct_on
from sqlalchemy.orm import Session

from segments.members import saving
from segments.saved import How, Segment, SegmentSize

DAYS = 7
SHOWN = 3


@dataclass(frozen=True, slots=True)
class Grown:
    """A segment with more cards than a week ago."""

    segment_id: int
    name: str
    size: int
    more: int

    @property
    def share(self) -> float | None:
        """By how much of what it was; None: it was empty."""
        before = self.size - self.more
        return self.more / before if before else None


@dataclass(frozen=True, slots=True)
class Growth:
    """What has grown, most first. `segments`: how many there are; `compared`: of how many the size a week ago is known."""

    lines: Sequence[Grown]
    segments: int
    compared: int


def of_week(session: Session, portal_id: int, today: date) -> Growth:
    """Segments that have grown by themselves: not those whose conditions somebody changed meanwhile."""
    since = today - timedelta(days=DAYS)
    segments = saving.listed(session, portal_id)
    now, then = _sizes(session, portal_id, today), _sizes(session, portal_id, since)
    both = [each for each in segments if each.id in then and not _asked_anew(each, since)]
    lines = [
        Grown(each.id, each.name, now[each.id], now[each.id] - then[each.id])
        for each in both
        if now[each.id] > then[each.id]
    ]
    lines.sort(key=lambda line: (-line.more, line.segment_id))
    return Growth(lines[:SHOWN], len(segments), len(both))


def _asked_anew(segment: Segment, since: date) -> bool:
    """Whether another question is asked than a week ago; a list made by hand changes whenever a card is put in."""
    return segment.how == How.DYNAMIC and segment.changed_at >= datetime.combine(since, time(), UTC)


def _sizes(session: Session, portal_id: int, day: date) -> dict[int, int]:
    """Each segment's size at the end of a day: that of its last count till then."""
    size = SegmentSize
    query = (
        sa.select(size.segment_id, size.contacts + size.companies + size.leads)
        .where(size.portal_id == portal_id, size.day <= day)
        .ext(distinct_on(size.segment_id))
        .order_by(size.segment_id, size.day.desc())
    )
    return {row[0]: row[1] for row in session.execute(query)}
