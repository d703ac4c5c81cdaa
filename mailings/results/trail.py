"""Everything that happened to one message: planned, tried, sent, opened, followed, returned; in the order of time."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm import Session

from mailings.models import Attribution, Delivery, DeliveryAttempt, DeliveryEvent, MailingLink

MOST = 200


@dataclass(frozen=True, slots=True)
class Happening:
    """One line. `what`: planned, sent, try, credited, or the kind of an event; `ruling`: a program did it."""

    at: datetime
    what: str
    ruling: str | None = None
    facts: dict[str, Any] = field(default_factory=dict)


def of(session: Session, delivery: Delivery) -> list[Happening]:
    """The trail of a delivery, the oldest first."""
    found = [Happening(delivery.planned_at, "planned")]
    if delivery.sent_at is not None:
        found.append(Happening(delivery.sent_at, "sent", facts={"code": delivery.reply_code}))
    found += _tries(session, delivery)
    found += _events(session, delivery)
    found += _credits(session, delivery)
    return sorted(found, key=lambda each: each.at)


def _tries(session: Session, delivery: Delivery) -> list[Happening]:
    query = (
        sa.select(DeliveryAttempt)
        .where(
            DeliveryAttempt.portal_id == delivery.portal_id,
            DeliveryAttempt.delivery_id == delivery.id,
        )
        .order_by(DeliveryAttempt.id)
        .limit(MOST)
    )
    return [
        Happening(
            row.at, "try",
            facts={"outcome": row.outcome, "code": row.reply_code, "status": row.reply_status, "text": row.text},
        )
        for row in session.scalars(query)
    ]  # fmt: skip


def _events(session: Session, delivery: Delivery) -> list[Happening]:
    event, link = DeliveryEvent, MailingLink
    query = (
        sa.select(event, link.url, link.text)
        .outerjoin(
            link,
            sa.and_(
                link.portal_id == delivery.portal_id,
                link.mailing_id == delivery.mailing_id,
                link.number == event.link,
            ),
        )
        .where(event.portal_id == delivery.portal_id, event.delivery_id == delivery.id)
        .order_by(event.id)
        .limit(MOST)
    )
    return [
        Happening(row.at, row.kind, row.ruling, {**(row.detail or {}), "url": url, "link": text})
        for row, url, text in session.execute(query)
    ]


def _credits(session: Session, delivery: Delivery) -> list[Happening]:
    query = sa.select(Attribution).where(
        Attribution.portal_id == delivery.portal_id,
        Attribution.mailing_id == delivery.mailing_id,
        Attribution.delivery_id == delivery.id,
    )
    return [
        Happening(
            row.happened_at,
            "credited",
            facts={"entity": row.entity, "id": row.bitrix_id, "amount": row.amount},
        )
        for row in session.scalars(query)
    ]
