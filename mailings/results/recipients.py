"""The clients of a mailing one by one: who they are, what became of each, found by state, reason, reaction or name."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum
from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm import Session

from core import keyset
from integration.models import Timestamp
from mailings.models import Attribution, Delivery, DeliveryEvent, Mailing
from mailings.rules.events import EventKind
from mailings.rules.states import DeliveryState
from segments import audience
from segments.audience import Member
from segments.members import people
from segments.rules.tree import Kind

PAGE = 50
EXPORTED_AT_ONCE = 2000
_LONG_AGO = sa.literal(datetime(1970, 1, 1, tzinfo=UTC), Timestamp)


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


NOT_OPENED = sa.and_(
    Delivery.state == DeliveryState.SENT.value,
    Delivery.human_opened_at.is_(None),
    Delivery.unsubscribed_at.is_(None),
)
"""That it was sent, and is not known to have been seen: nobody opened it, nobody left the mailings by it."""

GROUPS: dict[str, tuple[DeliveryState, ...]] = {
    "open": tuple(state for state in DeliveryState if state.open),
    "attempted": tuple(state for state in DeliveryState if state.attempted),
    "errors": tuple(state for state in DeliveryState if state.error),
}
"""Names that stand for several states."""


BY_PLACE = keyset.Order((Delivery.id.expression,))
"""In the order they were written down."""


def ordered(name: str, *, descending: bool) -> keyset.Order:
    """By a moment of their messages; those without one come as if it were long ago."""
    columns = {
        "sent": Delivery.sent_at,
        "opened": Delivery.human_opened_at,
        "clicked": Delivery.human_clicked_at,
    }
    if name not in columns:
        return BY_PLACE
    return keyset.Order(
        (sa.func.coalesce(columns[name], _LONG_AGO), Delivery.id.expression), descending
    )


def page(
    session: Session,
    mailing: Mailing,
    wanted: Wanted,
    after: str = "",
    limit: int = PAGE,
    order: keyset.Order = BY_PLACE,
) -> tuple[list[Recipient], str]:
    """Recipients, and after what the next page begins."""
    shown, following = keyset.page(session, _query(mailing, wanted), order, after, limit)
    return _named(session, mailing.portal_id, shown), following


def cards(session: Session, mailing: Mailing, wanted: Wanted, limit: int) -> list[tuple[Kind, int]]:
    """The clients of so many of them."""
    columns = Delivery.kind, Delivery.client_id
    query = _query(mailing, wanted).with_only_columns(*columns).order_by(Delivery.id).limit(limit)
    return [(Kind(kind), card_id) for kind, card_id in session.execute(query)]


def number(session: Session, mailing: Mailing, wanted: Wanted) -> int:
    """How many there are."""
    query = sa.select(sa.func.count()).select_from(_query(mailing, wanted).subquery())
    return session.scalar(query) or 0


def every(session: Session, mailing: Mailing, wanted: Wanted) -> Iterator[list[Recipient]]:
    """All of them in portions."""
    return keyset.portions(
        session, lambda after: page(session, mailing, wanted, after, EXPORTED_AT_ONCE)
    )


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
            return NOT_OPENED
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
    address = Delivery.address.icontains(typed, autoescape=True)
    return sa.or_(address, *people.called(portal_id, Delivery.kind, Delivery.client_id, typed))


def _named(session: Session, portal_id: int, rows: list[Delivery]) -> list[Recipient]:
    cards = [(Kind(row.kind), row.client_id) for row in rows]
    members = audience.named(session, portal_id, cards)
    return [Recipient(member, row) for member, row in zip(members, rows, strict=True)]
