"""Keeps the segments of a portal true to its mirror: touched cards within seconds, all of it in the background.

    cards that changed ─▶ their facts ─▶ dynamic segments, in order of what they name ─▶ one transaction with the taking
    stale segments     ─▶ found anew as a whole, one a transaction

A segment is stale after a change of everybody's figures, when too many cards were touched at once, when
its members depend on others' (a limit, the highest per cent, leads without selected clients), and when
its select is no more the one its members were found by (`segments.members.basis`).
"""

from __future__ import annotations

import logging
import time
from collections.abc import Collection, Mapping, Sequence
from datetime import datetime, timedelta

import sqlalchemy as sa
from sqlalchemy.orm import Session

from core.clock import utcnow
from core.database import any_of, transaction
from core.locks import alone
from core.runtime import Runtime
from integration.models import ChangedCard, MergedClient, Portal
from segments import audience
from segments.conditions.catalog import Scope, scope_of
from segments.facts import keeping as facts
from segments.members import basis, lists, membership
from segments.rules import names
from segments.rules.tree import Kind
from segments.saved import How, Segment, SegmentStay, Why

log = logging.getLogger(__name__)

AT_ONCE = 20_000
"""So many touched cards are compared by themselves; more than that are faster compared as a whole."""
WHOLE_EVERY = timedelta(minutes=2)
RECOUNT_EVERY = timedelta(minutes=5)
TOO_SLOW = "takes too long"
_LOCK = 0x5355
_SECONDS = 20.0


def behind(runtime: Runtime) -> list[int]:
    """Portals with touched cards, or with segments to be found anew or recounted now.

    Before the end of the first run the cards of a portal are not all here, so nobody is looked for.
    """
    touched = sa.exists().where(ChangedCard.portal_id == Portal.id)
    due = sa.exists().where(Segment.portal_id == Portal.id, _is_due(utcnow()))
    work = touched | due | facts.is_due()
    query = sa.select(Portal.id).where(Portal.last_sync_at.is_not(None), work)
    with runtime.sessions() as session:
        return list(session.scalars(query))


def with_segments(runtime: Runtime) -> list[int]:
    """Portals that have dynamic segments: a day may have passed for them."""
    query = sa.select(Segment.portal_id).where(_is_kept()).distinct()
    with runtime.sessions() as session:
        return list(session.scalars(query))


def keep_up(runtime: Runtime, portal_id: int, seconds: float = _SECONDS) -> bool:
    """Bring the segments up to the mirror for some seconds; whether there is more to do at once."""
    deadline = time.monotonic() + seconds
    with alone(runtime.engine, _LOCK, portal_id) as mine:
        if not mine or not _is_read(runtime, portal_id):
            return False
        _learn(runtime, portal_id)
        while time.monotonic() < deadline:
            with transaction(runtime.sessions) as session:
                followed = follow_touched(session, portal_id)
            segment_id = _next(runtime, portal_id)
            if segment_id is not None:
                _renew(runtime, portal_id, segment_id)
            elif not followed:
                return False
    return True


def _learn(runtime: Runtime, portal_id: int) -> None:
    """Have the facts of all cards found, or fields they lack, when that is due: what is asked from then on is quick."""
    with transaction(runtime.sessions) as session:
        if facts.due(session, portal_id):
            cards = facts.find_all(session, portal_id)
            log.info("facts found", extra={"portal": portal_id, "changed": cards})
        elif facts.lacks_fields(session, portal_id):
            cards = facts.repeat_fields(session, portal_id)
            log.info(
                "custom fields joined the facts", extra={"portal": portal_id, "changed": cards}
            )


def look_for_stale(session: Session, portal_id: int, now: datetime | None = None) -> int:
    """Mark segments whose members were found by another select than today's; how many."""
    scope = scope_of(session, portal_id, now)
    stale = []
    for segment in _dynamic(session, portal_id):
        definition = membership.read(segment, scope)
        if definition is None:
            continue
        healed = segment.problem not in {None, TOO_SLOW}
        if healed or not basis.is_current(scope, segment, definition):
            stale.append(segment.id)
    session.flush()
    if stale:
        membership.mark_stale(session, portal_id, *stale)
    return len(stale)


def follow_touched(session: Session, portal_id: int, now: datetime | None = None) -> int:
    """Take the touched cards and compare them with every dynamic segment; how many cards.

    The taking is undone with the rest: whoever dies in the middle loses nothing.
    """
    mine = ChangedCard.portal_id == portal_id
    some = sa.select(sa.literal(1)).where(mine).limit(AT_ONCE + 1).subquery()
    if (session.scalar(sa.select(sa.func.count()).select_from(some)) or 0) > AT_ONCE:
        session.execute(sa.delete(ChangedCard).where(mine))
        facts.put_off(session, portal_id)
        _follow_merges(session, portal_id, None)
        membership.mark_stale(session, portal_id)
        return AT_ONCE
    taken = sa.delete(ChangedCard).where(mine).returning(ChangedCard.kind, ChangedCard.card_id)
    cards = {(kind, card_id) for kind, card_id in session.execute(taken)}
    if not cards:
        return 0
    touched = {kind: sorted(i for each, i in cards if each == kind) for kind in Kind}
    facts.follow(session, portal_id, touched)
    _follow_merges(session, portal_id, touched)
    scope = scope_of(session, portal_id, now)
    with session.no_autoflush:
        for segment in in_order(_dynamic(session, portal_id)):
            if segment.stale_at is None:
                _follow(session, scope, segment, touched)
    return len(cards)


def tell_dependants(session: Session, scope: Scope, segment_id: int, moved: int) -> None:
    """Who has just moved in this segment is touched for those that name it; they are, when it is many."""
    naming = [
        each.id
        for each in _dynamic(session, scope.portal_id)
        if segment_id in names.segments(each.definition)
    ]
    if not naming or not moved:
        return
    if moved > AT_ONCE:
        membership.mark_stale(session, scope.portal_id, *naming)
        return
    stay = SegmentStay
    cards = sa.select(sa.literal(scope.portal_id), stay.kind, stay.member_id).where(
        stay.portal_id == scope.portal_id,
        stay.segment_id == segment_id,
        (stay.entered_at == scope.now) | (stay.left_at == scope.now),
    )
    put = sa.insert(ChangedCard).from_select(["portal_id", "kind", "card_id"], cards)
    session.execute(put)


def in_order(segments: Sequence[Segment]) -> list[Segment]:
    """Each after those its conditions name."""
    waiting = {segment.id: segment for segment in segments}
    found: list[Segment] = []

    def take(segment: Segment) -> None:
        if waiting.pop(segment.id, None) is None:
            return
        for named in sorted(names.segments(segment.definition) & waiting.keys()):
            take(waiting[named])
        found.append(segment)

    for segment in segments:
        take(segment)
    return found


def _follow(
    session: Session, scope: Scope, segment: Segment, touched: Mapping[Kind, Collection[int]]
) -> None:
    definition = membership.read(segment, scope)
    if definition is None or not any(touched[kind] for kind, _ in definition.asked()):
        return
    if segment.problem is not None:  # it is found anew as a whole, as soon as it can be
        return
    if not membership.stands_alone(definition):
        segment.stale_at = scope.now
        return
    membership.refresh_touched(session, scope, segment, definition, touched)


def _follow_merges(
    session: Session, portal_id: int, touched: Mapping[Kind, Collection[int]] | None
) -> None:
    """In lists made by hand the winner takes the place of a client that was merged into it."""
    lost = sa.orm.aliased(SegmentStay)
    query = (
        sa.select(lost.segment_id, lost.kind, lost.member_id, MergedClient.winner_id)
        .join(
            MergedClient,
            (MergedClient.portal_id == portal_id)
            & (MergedClient.kind == lost.kind)
            & (MergedClient.loser_id == lost.member_id),
        )
        .join(Segment, (Segment.portal_id == portal_id) & (Segment.id == lost.segment_id))
        .where(lost.portal_id == portal_id, lost.left_at.is_(None), Segment.how == How.STATIC)
    )
    if touched is not None:
        ids = [card_id for listed in touched.values() for card_id in listed]
        query = query.where(MergedClient.loser_id == any_of(ids))
    now = utcnow()
    for segment_id, kind, loser_id, winner_id in session.execute(query).all():
        where = (session, portal_id, segment_id)
        lists.leave(*where, [(Kind(kind), loser_id)], Why.MERGED, now)
        lists.enter(*where, [(Kind(kind), winner_id)], Why.MERGED, now)


def _is_read(runtime: Runtime, portal_id: int) -> bool:
    with runtime.sessions() as session:
        return session.get_one(Portal, portal_id).last_sync_at is not None


def _is_kept() -> sa.ColumnElement[bool]:
    return (Segment.how == How.DYNAMIC) & Segment.archived_at.is_(None)


def _is_due(now: datetime) -> sa.ColumnElement[bool]:
    """To be found anew: at once after a change of its conditions, else now and then; or recounted."""
    rested = Segment.refreshed_at < now - WHOLE_EVERY
    renewed = Segment.refreshed_at.is_(None) | (Segment.changed_at > Segment.refreshed_at) | rested
    recounted = Segment.counted_at.is_(None) | (Segment.counted_at < now - RECOUNT_EVERY)
    return (_is_kept() & Segment.stale_at.is_not(None) & renewed) | (
        Segment.recount_at.is_not(None) & recounted
    )


def _dynamic(session: Session, portal_id: int) -> list[Segment]:
    query = sa.select(Segment).where(Segment.portal_id == portal_id, _is_kept())
    return list(session.scalars(query.order_by(Segment.id)))


def _next(runtime: Runtime, portal_id: int) -> int | None:
    """The next due one, those that others name first."""
    due = sa.select(Segment.id).where(Segment.portal_id == portal_id, _is_due(utcnow()))
    with runtime.sessions() as session:
        ids = set(session.scalars(due.where(Segment.archived_at.is_(None))))
        if not ids:
            return None
        query = sa.select(Segment).where(Segment.portal_id == portal_id, Segment.id.in_(ids))
        return in_order(session.scalars(query.order_by(Segment.id)).all())[0].id


def _renew(runtime: Runtime, portal_id: int, segment_id: int) -> None:
    """Find the segment's members anew, or only count them; one that takes too long waits for a change."""
    try:
        with transaction(runtime.sessions) as session:
            segment = session.get_one(Segment, (portal_id, segment_id))
            scope = scope_of(session, portal_id)
            if segment.how != How.DYNAMIC or segment.stale_at is None:
                membership.recount(session, scope, segment)
                return
            moved = membership.refresh(session, scope, segment)
            tell_dependants(session, scope, segment_id, moved.entered + moved.left)
    except sa.exc.OperationalError as error:
        if not audience.gave_up(error):
            raise
        with transaction(runtime.sessions) as session:
            segment = session.get_one(Segment, (portal_id, segment_id))
            scope = scope_of(session, portal_id)
            if (definition := membership.read(segment, scope)) is not None:
                segment.problem, segment.basis = TOO_SLOW, basis.of(scope, definition)
            segment.stale_at = segment.recount_at = None
        log.warning("segment takes too long", extra={"portal": portal_id, "segment": segment_id})
    else:
        extra = {"portal": portal_id, "segment": segment_id}
        log.info("segment renewed", extra={**extra, "in": moved.entered, "out": moved.left})
