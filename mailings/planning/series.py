"""Mailings that go on: a series, whose every turn is a mailing of its own, and one that waits for newcomers.

A series stands scheduled at its next turn. A turn that was missed is made up for once, not as often as it was missed.
"""

from __future__ import annotations

from datetime import datetime, timedelta, timezone, tzinfo

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session

from core.clock import utcnow
from integration.models import Portal
from mailings.models import Mailing
from mailings.rules.plans import Plan, moment
from mailings.rules.states import MailingState, Mode
from mailings.rules.turns import turn_after, turn_key

_OF_TURN = ("channel", "topic", "segment_id", "preset", "offer_id", "server_id", "content")
_OF_SERIES = ("every", "at", "day", "until")


def first_turn(session: Session, mailing: Mailing) -> datetime | None:
    """When a series begins."""
    now = utcnow()
    from_then = max(mailing.start_at or now, now)
    return next_turn(session, mailing, from_then - timedelta(seconds=1))


def next_turn(session: Session, mailing: Mailing, after: datetime) -> datetime | None:
    """The next turn of a series; None: there is none any more."""
    return turn_after(Plan.read(mailing.plan or {}), after, zone_of(session, mailing.portal_id))


def take_turn(session: Session, series: Mailing, now: datetime) -> int | None:
    """The mailing of the turn that is due, planning; the series moves on to its next. The caller holds its row."""
    due = series.start_at or now
    zone = zone_of(session, series.portal_id)
    made = _turn(session, series, turn_key(due, zone))
    following = next_turn(session, series, max(due, now))
    series.start_at = following
    if following is None:
        series.state, series.state_reason = MailingState.FINISHED.value, None
        series.state_at = series.finished_at = utcnow()
    session.flush()
    return made


def turns(session: Session, series: Mailing) -> list[Mailing]:
    """The mailings a series has sent, the newest first."""
    query = sa.select(Mailing).where(
        Mailing.portal_id == series.portal_id,
        Mailing.parent_id == series.id,
        Mailing.turn.is_not(None),
    )
    return list(session.scalars(query.order_by(Mailing.turn.desc())))


def grows(mailing: Mailing, now: datetime) -> bool:
    """Whether newcomers of the segment still get it."""
    until = Plan.read(mailing.plan or {}).until
    return mailing.mode == Mode.EVERGREEN and (until is None or now <= moment("until", until))


def zone_of(session: Session, portal_id: int) -> tzinfo:
    """The portal's clock."""
    portal = session.get_one(Portal, portal_id)
    return timezone(timedelta(minutes=portal.utc_offset_minutes))


def _turn(session: Session, series: Mailing, day: str) -> int | None:
    """One mailing a day of the wall clock at most: its key is the series and the day."""
    before = sa.select(sa.func.count()).where(
        Mailing.portal_id == series.portal_id,
        Mailing.parent_id == series.id,
        Mailing.turn.is_not(None),
    )
    plan = {name: value for name, value in series.plan.items() if name not in _OF_SERIES}
    row = {
        **{name: getattr(series, name) for name in _OF_TURN},
        "portal_id": series.portal_id,
        "name": f"{series.name} · {day}",
        "plan": plan,
        "mode": Mode.ONCE.value,
        "state": MailingState.PLANNING.value,
        "key": f"turn:{series.id}:{day}",
        "parent_id": series.id,
        "turn": (session.scalar(before) or 0) + 1,
        "author_id": series.author_id,
        "start_at": series.start_at,
    }
    put = insert(Mailing).values(row).on_conflict_do_nothing().returning(Mailing.id)
    return session.execute(put).scalar()
