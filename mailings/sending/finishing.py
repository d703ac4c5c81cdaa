"""The end of a mailing: only when nothing is open any more; and what a cancelled one leaves behind."""

from __future__ import annotations

import sqlalchemy as sa
from sqlalchemy.orm import Session

from core.clock import utcnow
from integration.models import Portal, PortalState
from mailings.models import Delivery, Mailing
from mailings.rules.plans import Plan, moment
from mailings.rules.states import DeliveryState, MailingState, Mode
from mailings.sending.reasons import Pause

_DUE = (DeliveryState.PENDING.value, DeliveryState.DEFERRED.value)
_LEASED = (DeliveryState.CLAIMED.value, DeliveryState.SENDING.value)


def finish(session: Session) -> list[Mailing]:
    """Running mailings without an open delivery are finished; one that takes in new members, after its date."""
    query = sa.select(Mailing).where(
        Mailing.state == MailingState.RUNNING.value,
        Mailing.planned_at.is_not(None),
        ~has_due(),
        ~_has(_LEASED),
    )
    finished = []
    for mailing in session.scalars(query.with_for_update(skip_locked=True)):
        if _still_takes_in(mailing):
            continue
        mailing.state = MailingState.FINISHED.value
        mailing.state_reason = None
        mailing.state_at = mailing.finished_at = utcnow()
        finished.append(mailing)
    session.flush()
    return finished


def sweep(session: Session) -> int:
    """What a cancelled mailing still had in hand when it was cancelled is cancelled too."""
    cancelled = sa.select(Mailing.portal_id, Mailing.id).where(
        Mailing.state == MailingState.CANCELLED.value,
        Mailing.state_at > sa.func.now() - sa.text("interval '1 day'"),
    )
    swept = (
        sa.update(Delivery)
        .where(
            sa.tuple_(Delivery.portal_id, Delivery.mailing_id).in_(cancelled),
            Delivery.state.in_(_DUE),
        )
        .values(state=DeliveryState.CANCELLED.value, next_try_at=None)
        .returning(Delivery.id)
        .execution_options(synchronize_session=False)
    )
    return len(session.execute(swept).all())


def pause_of_the_cut_off(session: Session) -> int:
    """Mailings of portals that shut us out wait for a person to resume them."""
    gone = [PortalState.BLOCKED.value, PortalState.UNINSTALLED.value]
    portals = sa.select(Portal.id).where(Portal.state.in_(gone))
    return pause(session, Mailing.portal_id.in_(portals), Pause.PORTAL)


def pause(session: Session, which: sa.ColumnElement[bool], reason: Pause, detail: str = "") -> int:
    """Stop running mailings before their next message; how many there were."""
    paused = (
        sa.update(Mailing)
        .where(which, Mailing.state == MailingState.RUNNING.value)
        .values(
            state=MailingState.PAUSED.value,
            state_reason=f"{reason.value}:{detail}" if detail else reason.value,
            state_at=sa.func.now(),
        )
        .returning(Mailing.id)
        .execution_options(synchronize_session=False)
    )
    return len(session.execute(paused).all())


def pause_one(
    session: Session, portal_id: int, mailing_id: int, reason: Pause, detail: str = ""
) -> int:
    """The same for one mailing."""
    which = (Mailing.portal_id == portal_id) & (Mailing.id == mailing_id)
    return pause(session, which, reason, detail)


def has_due() -> sa.ColumnElement[bool]:
    """Whether a mailing has messages that wait for their turn."""
    return _has(_DUE)


def _has(states: tuple[str, ...]) -> sa.ColumnElement[bool]:
    """Asked for two groups of states apart, as each has an index of its own."""
    return sa.exists().where(
        Delivery.portal_id == Mailing.portal_id,
        Delivery.mailing_id == Mailing.id,
        Delivery.state.in_(states),
    )


def _still_takes_in(mailing: Mailing) -> bool:
    if mailing.mode != Mode.EVERGREEN:
        return False
    until = Plan.read(mailing.plan).until
    return until is None or utcnow() < moment("until", until)
