"""What there is to do about mailings of all portals, found by queries: so a queue may forget."""

from __future__ import annotations

import sqlalchemy as sa
from sqlalchemy.orm import Session

from integration import admin_rules
from integration.admin_rules import RuleName
from integration.models import Portal
from mailings.models import Mailing
from mailings.rules.states import MailingState, Mode

_Found = list[tuple[int, int]]


def to_plan(session: Session) -> _Found:
    """Mailings that were started and whose recipients are not written down: (portal, mailing)."""
    return _found(session, Mailing.state == MailingState.PLANNING.value)


def to_begin(session: Session) -> _Found:
    """Scheduled mailings whose time has come."""
    return _found(
        session,
        Mailing.state == MailingState.SCHEDULED.value,
        Mailing.start_at <= sa.func.now(),
    )


def growing(session: Session) -> _Found:
    """Running mailings that wait for newcomers."""
    return _found(
        session,
        Mailing.state == MailingState.RUNNING.value,
        Mailing.mode == Mode.EVERGREEN.value,
        Mailing.planned_at.is_not(None),
    )


def with_consent_field(session: Session) -> list[int]:
    """Portals whose cards say who consents."""
    field = admin_rules.content_of(RuleName.MAILING)["consent_field"]["code"].astext
    return list(session.scalars(sa.select(Portal.id).where(field.is_not(None))))


def portal_of(session: Session, mailing_id: int) -> int | None:
    """Whose mailing it is: for the command line, where mailings are named by their number alone."""
    if not 0 < mailing_id < 2**63:
        return None
    return session.scalar(sa.select(Mailing.portal_id).where(Mailing.id == mailing_id))


def _found(session: Session, *conditions: sa.ColumnElement[bool]) -> _Found:
    query = sa.select(Mailing.portal_id, Mailing.id).where(*conditions)
    ordered = query.order_by(Mailing.portal_id, Mailing.id)
    return [(portal_id, number) for portal_id, number in session.execute(ordered)]
