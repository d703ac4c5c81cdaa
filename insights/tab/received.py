"""What a client or lead was sent by mailings, and what he made of it: for the tab, the newest first."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

import sqlalchemy as sa
from sqlalchemy.orm import Session

from core.database import any_of
from insights.subject import Subject
from integration.models import MergedClient
from mailings.models import Attribution, Delivery, Mailing

PAGE = 5
MORE = 20


@dataclass(frozen=True, slots=True)
class Received:
    """One message. `followed`: how many leads and deals are credited to it."""

    delivery: Delivery
    name: str
    followed: int


def page(
    session: Session, portal_id: int, client: Subject, after: str = ""
) -> tuple[list[Received], str | None]:
    """Messages to the client, and to those who were merged into him; where the next page begins."""
    row, at_most = Delivery, MORE if after else PAGE
    followed = (
        sa.select(sa.func.count())
        .where(
            Attribution.portal_id == portal_id,
            Attribution.mailing_id == row.mailing_id,
            Attribution.delivery_id == row.id,
        )
        .scalar_subquery()
    )
    query = (
        sa.select(row, Mailing.name, followed)
        .join(Mailing, (Mailing.portal_id == portal_id) & (Mailing.id == row.mailing_id))
        .where(
            row.portal_id == portal_id,
            row.kind == client.kind.value,
            row.client_id == any_of(_same(session, portal_id, client)),
            row.sent_at.is_not(None),
        )
        .order_by(row.sent_at.desc(), row.id.desc())
    )
    if (place := _place(after)) is not None:
        query = query.where(sa.tuple_(row.sent_at, row.id) < sa.tuple_(*map(sa.literal, place)))
    found = [Received(*each) for each in session.execute(query.limit(at_most + 1))]
    shown = found[:at_most]
    if len(found) <= at_most:
        return shown, None
    last = shown[-1].delivery
    return shown, f"{last.sent_at.isoformat()},{last.id}" if last.sent_at else None


@dataclass(frozen=True, slots=True)
class Interest:
    """The latest sign that somebody wants to talk: a reply to a letter, or else a link that was followed."""

    replied: bool
    at: datetime


def interest(
    session: Session, portal_id: int, subject: Subject, since: datetime
) -> Interest | None:
    """The latest one after this moment."""
    row = Delivery
    query = sa.select(sa.func.max(row.replied_at), sa.func.max(row.human_clicked_at)).where(
        row.portal_id == portal_id,
        row.kind == subject.kind.value,
        row.client_id == subject.id,
        row.sent_at.is_not(None),
    )
    replied, clicked = session.execute(query).one()
    if replied is not None and replied >= since:
        return Interest(True, replied)
    return Interest(False, clicked) if clicked is not None and clicked >= since else None


def _same(session: Session, portal_id: int, client: Subject) -> list[int]:
    """The client's number, and those of the cards that were merged into his."""
    losers = sa.select(MergedClient.loser_id).where(
        MergedClient.portal_id == portal_id,
        MergedClient.kind == client.kind.value,
        MergedClient.winner_id == client.id,
    )
    return [client.id, *session.scalars(losers)]


def _place(text: str) -> tuple[datetime, int] | None:
    try:
        at, number = text.split(",")
        found = datetime.fromisoformat(at)
        return (found, int(number)) if found.tzinfo and 0 <= int(number) < 2**63 else None
    except ValueError:
        return None
