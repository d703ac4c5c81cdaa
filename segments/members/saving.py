"""Segments made, changed, returned to an older version, put away: every version is kept with who and when.

Who made his change from an older version than the present one is told so (`Overtaken`).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm import Session

from core.clock import utcnow
from core.locks import one_at_a_time
from segments import asked_fields
from segments.conditions import definitions
from segments.conditions.catalog import scope_of
from segments.conditions.definitions import InvalidCondition
from segments.rules import names
from segments.saved import How, Segment, SegmentVersion

_LOCK = 0x5347
NAME_LENGTH = 200
_NO_NUMBER = 2**31


class Overtaken(Exception):
    """Somebody has saved another version since the one this change was made from."""


class InUse(Exception):
    """Other segments name this one: `names`."""

    def __init__(self, names: list[str]) -> None:
        super().__init__(", ".join(names))
        self.names = names


class NoSuchSegment(LookupError):
    """This portal has no such segment."""


def create(
    session: Session,
    portal_id: int,
    name: str,
    raw: dict[str, Any] | None,
    *,
    how: How = How.DYNAMIC,
    preset: str | None = None,
    user_id: int | None = None,
) -> Segment:
    """Save a new segment. Raises InvalidCondition; `raw` None is for a static one."""
    definition = None if raw is None else checked(session, portal_id, raw)
    if definition is None and how is not How.STATIC:
        raise InvalidCondition("segment", "must have clients, leads or both")
    segment = Segment(
        portal_id=portal_id,
        name=_named(name),
        how=how,
        preset=preset,
        definition=definition,
        changed_by=user_id,
        changed_at=utcnow(),
        stale_at=None if definition is None else utcnow(),
    )
    session.add(segment)
    session.flush()
    _keep(session, segment)
    return segment


def change(
    session: Session,
    portal_id: int,
    segment_id: int,
    *,
    made_from: int,
    name: str | None = None,
    raw: dict[str, Any] | None = None,
    user_id: int | None = None,
) -> bool:
    """Save a new version; False when it is the same. Raises InvalidCondition, Overtaken, NoSuchSegment."""
    segment = _mine(session, portal_id, segment_id)
    wished = segment.definition
    if raw is not None and raw != wished:
        if segment.how != How.DYNAMIC:
            raise InvalidCondition("segment", "only a dynamic one has conditions to change")
        wished = checked(session, portal_id, raw, segment_id)
    called = segment.name if name is None else _named(name)
    if (called, wished) == (segment.name, segment.definition):
        return False
    if made_from != segment.version:
        raise Overtaken
    _save(session, segment, called, wished, user_id)
    return True


def restore(
    session: Session,
    portal_id: int,
    segment_id: int,
    number: int,
    *,
    made_from: int,
    user_id: int | None = None,
) -> bool:
    """Put an older version in force again, as a new one."""
    older = session.get(SegmentVersion, (portal_id, segment_id, number))
    if older is None:
        raise NoSuchSegment
    return change(
        session,
        portal_id,
        segment_id,
        made_from=made_from,
        name=older.name,
        raw=older.definition,
        user_id=user_id,
    )


def archive(session: Session, portal_id: int, segment_id: int, user_id: int | None) -> None:
    """Put a segment away: kept with its history, no longer counted. Raises InUse, NoSuchSegment."""
    segment = _mine(session, portal_id, segment_id)
    if names := [each.name for each in dependants(session, portal_id, segment_id)]:
        raise InUse(names)
    segment.archived_at, segment.changed_by = utcnow(), user_id


def bring_back(session: Session, portal_id: int, segment_id: int, user_id: int | None) -> None:
    """Have a segment that was put away among the others again. Raises NoSuchSegment, InvalidCondition."""
    one_at_a_time(session, _LOCK, portal_id)
    segment = session.get(Segment, (portal_id, segment_id), populate_existing=True)
    if segment is None or segment.archived_at is None:
        raise NoSuchSegment
    if segment.how == How.DYNAMIC and segment.definition is not None:
        checked(session, portal_id, segment.definition, segment_id)
        segment.stale_at = utcnow()
    segment.archived_at, segment.changed_by, segment.changed_at = None, user_id, utcnow()


def find(session: Session, portal_id: int, segment_id: int) -> Segment:
    """The segment. Raises NoSuchSegment."""
    found = session.get(Segment, (portal_id, segment_id)) if segment_id < _NO_NUMBER else None
    if found is None or found.archived_at is not None:
        raise NoSuchSegment
    return found


def listed(session: Session, portal_id: int) -> list[Segment]:
    """The portal's segments, the newest change first."""
    query = sa.select(Segment).where(Segment.portal_id == portal_id, Segment.archived_at.is_(None))
    return list(session.scalars(query.order_by(Segment.changed_at.desc(), Segment.id.desc())))


def versions(session: Session, portal_id: int, segment_id: int) -> list[SegmentVersion]:
    """What was saved when and by whom, newest first."""
    query = sa.select(SegmentVersion).where(
        SegmentVersion.portal_id == portal_id, SegmentVersion.segment_id == segment_id
    )
    return list(session.scalars(query.order_by(SegmentVersion.version.desc())))


def dependants(session: Session, portal_id: int, segment_id: int) -> list[Segment]:
    """Segments whose conditions name this one."""
    return [
        each
        for each in listed(session, portal_id)
        if each.how == How.DYNAMIC and segment_id in names.segments(each.definition)
    ]


def checked(
    session: Session, portal_id: int, raw: dict[str, Any], segment_id: int | None = None
) -> dict[str, Any]:
    """The definition as it is stored. Raises InvalidCondition, also when segments would name each other in a ring."""
    written = definitions.written(definitions.read(raw, scope_of(session, portal_id)))
    named = names.segments(written)
    if not named:
        return written
    query = sa.select(Segment.id, Segment.definition).where(
        Segment.portal_id == portal_id, Segment.archived_at.is_(None)
    )
    known: dict[int, Any] = {number: raw for number, raw in session.execute(query)}  # noqa: C416
    for each in sorted(named):
        if each not in known:
            raise InvalidCondition("segment", f"there is no segment {each}")
        if segment_id in _reachable(known, each):
            raise InvalidCondition("segment", f"segment {each} depends on this one")
    return written


def _reachable(definitions_by_id: Mapping[int, Any], segment_id: int) -> set[int]:
    """The segment itself, and those it depends on at any distance."""
    found = {segment_id}
    waiting = [segment_id]
    while waiting:
        named = names.segments(definitions_by_id.get(waiting.pop())) - found
        found |= named
        waiting += named
    return found


def _mine(session: Session, portal_id: int, segment_id: int) -> Segment:
    one_at_a_time(session, _LOCK, portal_id)
    find(session, portal_id, segment_id)
    return session.get_one(Segment, (portal_id, segment_id), populate_existing=True)


def _named(name: str) -> str:
    cleaned = " ".join(name.replace("\0", "").split())[:NAME_LENGTH]
    if not cleaned:
        raise InvalidCondition("name", "must not be empty")
    return cleaned


def _save(
    session: Session, segment: Segment, name: str, raw: dict[str, Any] | None, user_id: int | None
) -> None:
    if raw != segment.definition:
        segment.stale_at, segment.problem = utcnow(), None
    segment.name, segment.definition = name, raw
    segment.version += 1
    segment.changed_by, segment.changed_at = user_id, utcnow()
    session.flush()
    _keep(session, segment)


def _keep(session: Session, segment: Segment) -> None:
    asked_fields.note(session, segment.portal_id, [segment.definition])
    session.add(
        SegmentVersion(
            portal_id=segment.portal_id,
            segment_id=segment.id,
            version=segment.version,
            name=segment.name,
            definition=segment.definition,
            changed_by=segment.changed_by,
            changed_at=segment.changed_at,
        )
    )
    session.flush()
