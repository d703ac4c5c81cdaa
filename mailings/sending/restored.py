"""Mailings of a database that may be a copy of an earlier day: all are held until a person has said how they go on.

What left between that day and now is not known here, and would leave again. So nobody who may have got it gets
anything before an administrator has chosen: they count as «not known whether it arrived», or they get it, perhaps
twice. Ids go on far ahead, or letters written from now on would answer to the tokens of letters that are lost here.
"""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta
from enum import StrEnum

import sqlalchemy as sa
from sqlalchemy.orm import Session

from core import witness
from core.clock import utcnow
from core.witness import Cause, Gap
from mailings.models import Delivery, Mailing
from mailings.planning import plan, steering
from mailings.planning.drafts import locked
from mailings.planning.readiness import Problem
from mailings.rules import lifecycle
from mailings.rules.lifecycle import Action, IllegalTransition
from mailings.rules.states import DeliveryState, MailingState, Mode
from mailings.sending.finishing import has_due
from mailings.sending.reasons import Pause

POSSIBLY_SENT = "restored"
"""`Delivery.reason` of an unknown one: it was due while nobody was writing it down here."""

_UNDER_WAY = (MailingState.SCHEDULED, MailingState.PLANNING, MailingState.RUNNING)
_CLOCKS_APART = timedelta(minutes=1)
_DELIVERIES_AHEAD, _MAILINGS_AHEAD = 1_000_000_000, 1_000
_DUE = (DeliveryState.PENDING.value, DeliveryState.DEFERRED.value)
_TAKEN = (DeliveryState.CLAIMED.value, DeliveryState.SENDING.value)


class Choice(StrEnum):
    """What becomes of those who may have got the message already."""

    SKIP = "skip"
    SEND = "send"


def hold(session: Session, gap: Gap) -> int:
    """Stop everything that could send by itself, in all portals; how many mailings."""
    which: sa.ColumnElement[bool]
    if gap.cause is Cause.SILENT:
        which = (Mailing.state == MailingState.RUNNING.value) & has_due()
    else:
        which = Mailing.state.in_([state.value for state in (*_UNDER_WAY, MailingState.PAUSED)])
    about = f"{gap.cause.value} {gap.since.isoformat()} {gap.until.isoformat()}"
    reason = f"{Pause.RESTORED.value}:{about}"
    held = (
        sa.update(Mailing)
        .where(which, sa.not_(_is_held()))
        .values(state=MailingState.PAUSED.value, state_reason=reason, state_at=sa.func.now())
        .returning(Mailing.id)
        .execution_options(synchronize_session=False)
    )
    number = len(session.execute(held).all())
    if number or gap.cause is not Cause.SILENT:
        witness.note(session, gap)
        _go_on_ahead(session)
    return number


def gap_of(mailing: Mailing) -> Gap | None:
    """What a held mailing waits for somebody to look at; None: it is not held."""
    if mailing.state != MailingState.PAUSED or not lifecycle.waits_for_a_look(mailing.state_reason):
        return None
    cause, since, until = (mailing.state_reason or "").partition(":")[2].split()
    return Gap(Cause(cause), datetime.fromisoformat(since), datetime.fromisoformat(until))


def choices(mailing: Mailing, gap: Gap) -> tuple[Choice, ...]:
    """What there is to choose; SEND alone: nothing of it can have left meanwhile, or a series just takes its next turn."""
    if mailing.planned_at is None:
        later = mailing.start_at is not None and mailing.start_at > gap.until
        if later or mailing.mode == Mode.REPEATING:
            return (Choice.SEND,)
    return (Choice.SKIP, Choice.SEND)


def doubtful(session: Session, mailing: Mailing, gap: Gap) -> int:
    """How many recipients may have got it without this database knowing."""
    query = sa.select(sa.func.count()).where(*_open_in(mailing, gap), ~_arrived())
    return session.scalar(query) or 0


def go_on(session: Session, portal_id: int, mailing_id: int, choice: Choice) -> bool:
    """Let a held mailing go; False when somebody has already. Raises IllegalTransition, NoSuchMailing, NotReady."""
    mailing = locked(session, portal_id, mailing_id)
    gap = gap_of(mailing)
    if gap is None:
        if MailingState(mailing.state) in _UNDER_WAY:
            return False
        raise IllegalTransition(Action.RESUME, MailingState(mailing.state))
    if choice not in choices(mailing, gap):
        choice = Choice.SEND
    if mailing.planned_at is not None:
        _settle(session, mailing, gap, choice)
    elif choice is Choice.SKIP:
        return steering.cancel(session, portal_id, mailing_id)
    return steering.resume(session, portal_id, mailing_id, looked=True)


def held(session: Session, portal_id: int) -> int:
    """How many mailings of a portal wait for somebody to look."""
    query = sa.select(sa.func.count()).select_from(Mailing)
    waiting = Mailing.state == MailingState.PAUSED.value
    return session.scalar(query.where(Mailing.portal_id == portal_id, waiting, _is_held())) or 0


def problems(session: Session, mailing: Mailing) -> list[Problem]:
    """A draft of before may have been started meanwhile: whoever starts it again should know."""
    gap = witness.last_gap(session)
    if gap is None or gap.cause is Cause.SILENT or mailing.created_at > gap.since:
        return []
    return [Problem("restored", {"since": gap.since, "until": gap.until}, blocks=False)]


def _settle(session: Session, mailing: Mailing, gap: Gap, choice: Choice) -> None:
    """Whoever has shown that it arrived has got it; the others as chosen."""
    if choice is Choice.SKIP and mailing.mode == Mode.EVERGREEN:
        try:  # whoever was new then is new once more
            plan.plan(session, mailing)
        except tuple(steering.UNPLANNABLE) as error:
            raise steering.NotReady([Problem(steering.reason_of(error))]) from error
        gap = replace(gap, until=utcnow() + _CLOCKS_APART)
    arrived = _arrived()
    decided = arrived if choice is Choice.SEND else sa.true()
    seen = sa.func.least(Delivery.opened_at, Delivery.clicked_at, Delivery.replied_at)
    session.execute(
        sa.update(Delivery)
        .where(*_open_in(mailing, gap), decided)
        .values(
            state=sa.case((arrived, DeliveryState.SENT.value), else_=DeliveryState.UNKNOWN.value),
            sent_at=sa.case((arrived, seen)),
            reason=sa.case((arrived, sa.null()), else_=POSSIBLY_SENT),
            owner=None,
            lease_until=None,
        )
        .execution_options(synchronize_session=False)
    )


def _open_in(mailing: Mailing, gap: Gap) -> list[sa.ColumnElement[bool]]:
    """Deliveries whose turn may have come in the gap: what waits for a later moment has certainly not left."""
    due = Delivery.state.in_(_DUE) & (Delivery.next_try_at <= gap.until)
    return [
        Delivery.portal_id == mailing.portal_id,
        Delivery.mailing_id == mailing.id,
        sa.or_(due, Delivery.state.in_(_TAKEN)),
    ]


def _arrived() -> sa.ColumnElement[bool]:
    seen = (Delivery.opened_at, Delivery.clicked_at, Delivery.replied_at)
    return sa.func.coalesce(*seen).is_not(None)


def _is_held() -> sa.ColumnElement[bool]:
    return sa.func.coalesce(Mailing.state_reason, "").startswith(Pause.RESTORED.value)


def _go_on_ahead(session: Session) -> None:
    for table, ahead in ((Delivery, _DELIVERIES_AHEAD), (Mailing, _MAILINGS_AHEAD)):
        sequence = sa.func.pg_get_serial_sequence(table.__tablename__, "id")
        session.execute(sa.select(sa.func.setval(sequence, sa.func.nextval(sequence) + ahead)))
