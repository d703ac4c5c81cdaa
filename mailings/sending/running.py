"""What there is to send now: running mailings of living portals that have something due, the most urgent first."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm import Session

from integration import working_hours
from integration.models import Portal, PortalState
from mailings.models import Delivery, Mailing
from mailings.planning import eligibility
from mailings.planning.eligibility import Terms
from mailings.rules.plans import Plan
from mailings.rules.states import DeliveryState, MailingState

DUE = (DeliveryState.PENDING.value, DeliveryState.DEFERRED.value)


@dataclass(frozen=True, slots=True)
class Running:
    """A mailing as its sender needs it. `days`: the portal's working days."""

    portal_id: int
    id: int
    channel: str
    server_id: int | None
    plan: Plan
    terms: Terms
    utc_offset_minutes: int
    days: tuple[int, ...]

    @property
    def key(self) -> tuple[int, int]:
        """Its primary key."""
        return self.portal_id, self.id


def due(portal_id: Any, mailing_id: Any) -> tuple[sa.ColumnElement[bool], ...]:
    """Conditions of a mailing's deliveries that may be tried now: exactly as their index has them."""
    return (
        Delivery.portal_id == portal_id,
        Delivery.mailing_id == mailing_id,
        Delivery.state.in_(DUE),
        Delivery.next_try_at <= sa.func.now(),
    )


def keys(session: Session) -> list[tuple[int, int]]:
    """Primary keys of the mailings that have something to send now."""
    waiting = sa.exists().where(*due(Mailing.portal_id, Mailing.id))
    query = (
        sa.select(Mailing.portal_id, Mailing.id)
        .join(Portal, Portal.id == Mailing.portal_id)
        .where(
            Mailing.state == MailingState.RUNNING.value,
            Portal.state == PortalState.ACTIVE.value,
            waiting,
        )
    )
    return [
        (row[0], row[1]) for row in session.execute(query.order_by(Mailing.portal_id, Mailing.id))
    ]


def still(session: Session, portal_id: int, mailing_id: int) -> bool:
    """Whether the mailing has not been stopped."""
    running = Mailing.state == MailingState.RUNNING.value
    of_mailing = Mailing.portal_id == portal_id, Mailing.id == mailing_id
    return bool(session.scalar(sa.select(running).where(*of_mailing)))


def load(session: Session, wanted: Iterable[tuple[int, int]]) -> list[Running]:
    """These mailings, the ones of higher priority first."""
    found = []
    for portal_id, mailing_id in wanted:
        mailing = session.get_one(Mailing, (portal_id, mailing_id))
        portal = session.get_one(Portal, portal_id)
        found.append(
            Running(
                *(portal_id, mailing_id, mailing.channel, mailing.server_id),
                plan=Plan.read(mailing.plan),
                terms=eligibility.terms_of(session, mailing),
                utc_offset_minutes=portal.utc_offset_minutes,
                days=working_hours.hours_of(session, portal_id).days,
            )
        )
    return sorted(found, key=lambda each: -each.plan.priority)
