"""Behind the figures of a mailing: which links were followed, what errors there were."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm import Session

from mailings.models import Delivery, DeliveryEvent, Mailing, MailingLink
from mailings.rules.events import EventKind
from mailings.rules.states import DeliveryState

ERRORS_SHOWN = 20
_ERRORS = [state.value for state in DeliveryState if state.error]


@dataclass(frozen=True, slots=True)
class Heat:
    """A link of the letter: how often it was followed, by how many people, by how many with programs."""

    number: int
    url: str
    text: str | None
    clicks: int
    people: int
    everybody: int


@dataclass(frozen=True, slots=True)
class Fault:
    """Errors of one kind: why, what servers said."""

    state: DeliveryState
    reason: str | None
    code: int | None
    status: str | None
    number: int


def heat(session: Session, mailing: Mailing) -> list[Heat]:
    """The links of the letter in their order, with who followed them."""
    event, link = DeliveryEvent, MailingLink
    clicks = (
        sa.select(
            event.link,
            sa.func.count().filter(event.human).label("clicks"),
            sa.func.count(event.delivery_id.distinct()).filter(event.human).label("people"),
            sa.func.count(event.delivery_id.distinct()).label("everybody"),
        )
        .where(
            event.portal_id == mailing.portal_id,
            event.mailing_id == mailing.id,
            event.kind == EventKind.CLICKED.value,
        )
        .group_by(event.link)
        .subquery("clicks")
    )
    counted = (sa.func.coalesce(clicks.c[name], 0) for name in ("clicks", "people", "everybody"))
    query = (
        sa.select(link.number, link.url, link.text, *counted)
        .outerjoin(clicks, clicks.c.link == link.number)
        .where(link.portal_id == mailing.portal_id, link.mailing_id == mailing.id)
        .order_by(link.number)
    )
    return [Heat(*row) for row in session.execute(query)]


def faults(session: Session, mailing: Mailing) -> list[Fault]:
    """Errors by reason and by what servers said, the most frequent first."""
    row, number = Delivery, sa.func.count()
    what: list[Any] = [row.state, row.reason, row.reply_code, row.reply_status]
    query = (
        sa.select(*what, number)
        .where(
            row.portal_id == mailing.portal_id,
            row.mailing_id == mailing.id,
            row.state.in_(_ERRORS),
        )
        .group_by(*what)
        .order_by(number.desc(), *what)
        .limit(ERRORS_SHOWN)
    )
    rows = session.execute(query).all()
    return [Fault(DeliveryState(row[0]), row[1], row[2], row[3], row[4]) for row in rows]
