"""The clients of a mailing one by one: who they are, what became of each, found by state, reason, reaction or name."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm import Session

from integration.mirror import Company, Contact, Lead
from mailings.models import Attribution, Delivery, DeliveryEvent, Mailing
from mailings.rules.events import EventKind
from mailings.rules.states import DeliveryState
from segments import audience
from segments.audience import Member
from segments.rules.tree import Kind

PAGE = 50
EXPORTED_AT_ONCE = 2000
_CARDS: dict[Kind, Any] = {Kind.CONTACT: Contact, Kind.COMPANY: Company, Kind.LEAD: Lead}


class Did(StrEnum):
    """What a recipient did, or did not."""

    OPENED = "opened"
    NOT_OPENED = "not_opened"
    CLICKED = "clicked"
    CLICKED_ONLY = "clicked_only"  # and nothing followed
    REPLIED = "replied"
    CALLED = "called"
    UNSUBSCRIBED = "unsubscribed"
    COMPLAINED = "complained"
    CONVERTED = "converted"


@dataclass(frozen=True, slots=True)
class Wanted:
    """Which recipients. `state` and `reason` as stored; several states may be asked for by a group's name."""

    state: str = ""
    reason: str = ""
    did: str = ""
    typed: str = ""


@dataclass(frozen=True, slots=True)
class Recipient:
    """A client and the message to him."""

    member: Member
    delivery: Delivery


GROUPS: dict[str, tuple[DeliveryState, ...]] = {
    "open": tuple(state for state in DeliveryState if state.open),
    "attempted": tuple(state for state in DeliveryState if state.attempted),
    "errors": tuple(state for state in DeliveryState if state.error),
}
"""Names that stand for several states."""


def page(
    session: Session, mailing: Mailing, wanted: Wanted, after: int = 0, limit: int = PAGE
) -> tuple[list[Recipient], int | None]:
    """Recipients in the order they were written down, and after which one the next page begins."""
    query = _query(mailing, wanted).where(Delivery.id > after).order_by(Delivery.id)
    found = list(session.scalars(query.limit(limit + 1)))
    shown = found[:limit]
    return _named(session, mailing.portal_id, shown), shown[-1].id if len(found) > limit else None


def number(session: Session, mailing: Mailing, wanted: Wanted) -> int:
    """How many there are."""
    query = sa.select(sa.func.count()).select_from(_query(mailing, wanted).subquery())
    return session.scalar(query) or 0


def every(session: Session, mailing: Mailing, wanted: Wanted) -> Iterator[list[Recipient]]:
    """All of them in portions."""
    after: int | None = 0
    while after is not None:
        found, after = page(session, mailing, wanted, after, EXPORTED_AT_ONCE)
        session.expunge_all()
        yield found


def find(session: Session, mailing: Mailing, delivery_id: int) -> Recipient | None:
    """One recipient of this mailing."""
    if not 0 < delivery_id < 2**63:
        return None
    row = session.get(Delivery, (mailing.portal_id, delivery_id))
    if row is None or row.mailing_id != mailing.id:
        return None
    return _named(session, mailing.portal_id, [row])[0]


def chosen(mailing: Mailing, did: Did) -> sa.Select[Any]:
    """Rows (kind, client_id) of those the message was sent to and who did so."""
    columns: list[Any] = [Delivery.kind, Delivery.client_id]
    return (
        sa.select(*columns)
        .where(
            Delivery.portal_id == mailing.portal_id,
            Delivery.mailing_id == mailing.id,
            Delivery.state == DeliveryState.SENT.value,
            _did(mailing, did),
        )
        .order_by(Delivery.id)
    )


def _query(mailing: Mailing, wanted: Wanted) -> sa.Select[Delivery]:
    query = sa.select(Delivery).where(
        Delivery.portal_id == mailing.portal_id, Delivery.mailing_id == mailing.id
    )
    if wanted.state:
        states = GROUPS.get(wanted.state) or (wanted.state,)
        query = query.where(Delivery.state.in_([str(state) for state in states]))
    if wanted.reason:
        query = query.where(Delivery.reason == wanted.reason)
    if wanted.did in set(Did):
        query = query.where(_did(mailing, Did(wanted.did)))
    if typed := " ".join(wanted.typed.replace("\0", "").split()):
        query = query.where(_typed(mailing.portal_id, typed))
    return query


def _did(mailing: Mailing, did: Did) -> sa.ColumnElement[bool]:
    row = Delivery
    credited = sa.exists().where(
        Attribution.portal_id == mailing.portal_id,
        Attribution.mailing_id == mailing.id,
        Attribution.delivery_id == row.id,
    )
    match did:
        case Did.NOT_OPENED:
            sent = row.state == DeliveryState.SENT.value
            return sa.and_(sent, row.human_opened_at.is_(None), row.unsubscribed_at.is_(None))
        case Did.CLICKED_ONLY:
            return sa.and_(
                row.human_clicked_at.is_not(None), row.unsubscribed_at.is_(None), ~credited
            )
        case Did.CONVERTED:
            return credited
        case Did.OPENED:
            return row.human_opened_at.is_not(None)
        case Did.CLICKED:
            return row.human_clicked_at.is_not(None)
        case Did.CALLED:
            event = DeliveryEvent
            return sa.exists().where(
                event.portal_id == mailing.portal_id,
                event.delivery_id == row.id,
                event.kind == EventKind.CALLED.value,
            )
        case Did.REPLIED:
            return row.replied_at.is_not(None)
        case Did.UNSUBSCRIBED:
            return row.unsubscribed_at.is_not(None)
        case Did.COMPLAINED:
            return row.complained_at.is_not(None)


def _typed(portal_id: int, typed: str) -> sa.ColumnElement[bool]:
    """By a part of the name or address, or by the card's number."""
    words = [_escaped(word) for word in typed.split()]
    fits: list[sa.ColumnElement[bool]] = [
        Delivery.address.ilike(f"%{_escaped(typed)}%", escape="\\")
    ]
    bare = typed.lstrip("#№")
    if bare.isascii() and bare.isdigit() and len(bare) < len(str(2**63)):
        fits.append(Delivery.client_id == int(bare))
    for kind, table in _CARDS.items():
        name = audience.name_of(kind, table)
        ids = sa.select(table.bitrix_id).where(
            table.portal_id == portal_id,
            *(name.ilike(f"%{word}%", escape="\\") for word in words),
        )
        fits.append(sa.and_(Delivery.kind == kind.value, Delivery.client_id.in_(ids)))
    return sa.or_(*fits)


def _escaped(text: str) -> str:
    return text.replace("\\", "\\\\").replace("%", "\\%").replace("_", "\\_")


def _named(session: Session, portal_id: int, rows: list[Delivery]) -> list[Recipient]:
    cards = [(Kind(row.kind), row.client_id) for row in rows]
    members = audience.named(session, portal_id, cards)
    return [Recipient(member, row) for member, row in zip(members, rows, strict=True)]
