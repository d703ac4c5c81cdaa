"""Starting, pausing, resuming, cancelling. Every step holds the mailing's row, so two hands never do it twice.

Asking again for what is done already changes nothing and is no error: two clicks on «start», or two
administrators, start one mailing once.
"""

from __future__ import annotations

from datetime import datetime, timedelta

import sqlalchemy as sa
from sqlalchemy.orm import Session

from core.clock import utcnow
from core.database import SessionFactory, transaction
from mailings.content.compiling import BadLetter
from mailings.models import Delivery, Mailing
from mailings.planning import codes, readiness, series
from mailings.planning.audiences import NoAudience
from mailings.planning.drafts import NoSuchMailing, locked
from mailings.planning.plan import Planned, plan
from mailings.planning.readiness import Problem
from mailings.rules import lifecycle
from mailings.rules.lifecycle import Action, LookFirst
from mailings.rules.offers import BadOffer
from mailings.rules.plans import BadPlan
from mailings.rules.states import DeliveryState, MailingState, Mode
from segments import audience
from segments.conditions.definitions import InvalidCondition
from segments.members.saving import NoSuchSegment
from segments.ready.presets import Unready

OVERDUE = timedelta(hours=12)
"""So late a scheduled mailing is not started by itself any more: a person looks first."""

_STARTED = {MailingState.SCHEDULED, MailingState.PLANNING, MailingState.RUNNING}
_NOT_TOLD = (DeliveryState.PENDING, DeliveryState.CLAIMED, DeliveryState.DEFERRED)


class NotReady(Exception):
    """What has to be done before the mailing can start: `problems`."""

    def __init__(self, problems: list[Problem]) -> None:
        super().__init__(", ".join(problem.code for problem in problems))
        self.problems = problems


def start(
    session: Session,
    portal_id: int,
    mailing_id: int,
    *,
    start_at: datetime | None = None,
    passing: frozenset[str] = frozenset(),
) -> bool:
    """Throw the switch: now, at `start_at`, or turn by turn; False when it was thrown already.

    What is started now waits for `plan_now`. `passing`: codes of problems that may stand. Raises NotReady,
    IllegalTransition, NoSuchMailing.
    """
    mailing = locked(session, portal_id, mailing_id)
    state = MailingState(mailing.state)
    if state in _STARTED:
        return False
    lifecycle.check(Action.START, state)
    found = readiness.blocking(session, mailing)
    problems = [each for each in found if each.code not in passing]
    if problems:
        raise NotReady(problems)
    if mailing.mode == Mode.REPEATING:
        start_at = series.first_turn(session, mailing)
    mailing.start_at = start_at or mailing.start_at
    later = mailing.start_at is not None and mailing.start_at > utcnow()
    _set(mailing, MailingState.SCHEDULED if later else MailingState.PLANNING)
    session.flush()
    return True


def pause(session: Session, portal_id: int, mailing_id: int, *, reason: str | None = None) -> bool:
    """Nothing more leaves, until resumed; False when it stands already. Raises IllegalTransition, NoSuchMailing."""
    mailing = locked(session, portal_id, mailing_id)
    if mailing.state == MailingState.PAUSED:
        return False
    lifecycle.check(Action.PAUSE, MailingState(mailing.state))
    _set(mailing, MailingState.PAUSED, reason)
    session.flush()
    return True


def resume(session: Session, portal_id: int, mailing_id: int, *, looked: bool = False) -> bool:
    """Go on; False when it goes on already. Raises IllegalTransition, NoSuchMailing.

    `looked`: somebody has chosen what becomes of those who may have got it (`sending.restored`).
    """
    mailing = locked(session, portal_id, mailing_id)
    state = MailingState(mailing.state)
    if state in _STARTED:
        return False
    lifecycle.check(Action.RESUME, state)
    if not looked and lifecycle.waits_for_a_look(mailing.state_reason):
        raise LookFirst
    _set(mailing, _resumed(session, mailing))
    session.flush()
    return True


def cancel(session: Session, portal_id: int, mailing_id: int) -> bool:
    """Nothing more leaves, ever; False when it was cancelled already. Raises IllegalTransition, NoSuchMailing.

    What the provider may have got already keeps its course: such rows find their own end.
    """
    mailing = locked(session, portal_id, mailing_id)
    if mailing.state == MailingState.CANCELLED:
        return False
    lifecycle.check(Action.CANCEL, MailingState(mailing.state))
    session.execute(
        sa.update(Delivery)
        .where(
            Delivery.portal_id == portal_id,
            Delivery.mailing_id == mailing_id,
            Delivery.state.in_([state.value for state in _NOT_TOLD]),
        )
        .values(state=DeliveryState.CANCELLED.value, owner=None, lease_until=None, next_try_at=None)
        .execution_options(synchronize_session=False)
    )
    codes.take_back(session, mailing)
    _set(mailing, MailingState.CANCELLED)
    mailing.finished_at = utcnow()
    session.flush()
    return True


def plan_now(sessions: SessionFactory, portal_id: int, mailing_id: int) -> Planned | None:
    """Write down the recipients of a mailing that was started; None when somebody has, or nobody needs to.

    A mailing that can't be planned goes back to its author, with the reason.
    """
    try:
        with transaction(sessions) as session:
            mailing = locked(session, portal_id, mailing_id)
            if mailing.state != MailingState.PLANNING:
                return None
            return plan(session, mailing)
    except NoSuchMailing:
        return None
    except tuple(UNPLANNABLE) as error:
        reason = reason_of(error)
        if isinstance(error, sa.exc.OperationalError) and not audience.gave_up(error):
            raise  # the database gave up: the next attempt may do
        with transaction(sessions) as session:
            _give_back(session, portal_id, mailing_id, reason)
        return None


def extend(sessions: SessionFactory, portal_id: int, mailing_id: int) -> Planned | None:
    """Write down who has entered an evergreen mailing's segment since; None when it does not run."""
    with transaction(sessions) as session:
        mailing = locked(session, portal_id, mailing_id)
        if mailing.state != MailingState.RUNNING or not series.grows(mailing, utcnow()):
            return None
        return plan(session, mailing)


def begin_due(session: Session, portal_id: int, mailing_id: int) -> int | None:
    """A scheduled mailing whose time has come is started; of a series, its turn. The mailing to be planned."""
    mailing = locked(session, portal_id, mailing_id)
    now = utcnow()
    if mailing.state != MailingState.SCHEDULED or mailing.start_at is None:
        return None
    if mailing.start_at > now:
        return None
    if mailing.mode == Mode.REPEATING:
        return series.take_turn(session, mailing, now)
    if now - mailing.start_at > OVERDUE:
        _set(mailing, MailingState.PAUSED, "overdue")
        return None
    _set(mailing, MailingState.PLANNING)
    return mailing.id


UNPLANNABLE: dict[type[Exception], str] = {
    NoAudience: "no_segment",
    NoSuchSegment: "segment_gone",
    Unready: "segment_unready",
    InvalidCondition: "segment_broken",
    BadLetter: "letter_broken",
    BadOffer: "offer_unfinished",
    BadPlan: "bad_plan",
    sa.exc.OperationalError: "too_long",
}


def reason_of(error: Exception) -> str:
    """Why a mailing can't be planned: its code."""
    return next(code for kind, code in UNPLANNABLE.items() if isinstance(error, kind))


def _give_back(session: Session, portal_id: int, mailing_id: int, reason: str) -> None:
    mailing = locked(session, portal_id, mailing_id)
    if mailing.state == MailingState.PLANNING:
        mailing.start_at = None
        mailing.audience = None
        _set(mailing, MailingState.DRAFT, reason)


def _resumed(session: Session, mailing: Mailing) -> MailingState:
    if mailing.mode == Mode.REPEATING and mailing.planned_at is None:
        mailing.start_at = series.next_turn(session, mailing, utcnow())
        return MailingState.SCHEDULED
    if mailing.planned_at is not None:
        return MailingState.RUNNING
    if mailing.start_at is not None and mailing.start_at > utcnow():
        return MailingState.SCHEDULED
    return MailingState.PLANNING


def _set(mailing: Mailing, state: MailingState, reason: str | None = None) -> None:
    mailing.state, mailing.state_reason = state.value, reason
    mailing.state_at = utcnow()
