"""A message that came back, taken: what it changes of the delivery whose signed label it carries.

Only a label with a genuine signature leads to a delivery, and what is suppressed is the address of that delivery, never
one named in the message. Taking the same message twice changes nothing the second time.
"""

from __future__ import annotations

import email
import logging
from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from email.message import Message
from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm import Session

from mailings.consent import suppressions, unsubscribing
from mailings.consent.unsubscribing import Trace
from mailings.models import Delivery, DeliveryEvent
from mailings.receipts import events
from mailings.receipts.events import Event
from mailings.rules import bounces, tokens
from mailings.rules.bounces import Incoming, Sort
from mailings.rules.consents import Reason
from mailings.rules.events import EventKind
from mailings.rules.states import DeliveryState
from mailings.rules.tokens import BadToken

log = logging.getLogger(__name__)

SOFT_LIMIT = 3
SOFT_WITHIN = timedelta(days=30)

_KINDS = {
    Sort.HARD: EventKind.BOUNCED,
    Sort.SOFT: EventKind.BOUNCED,
    Sort.BLOCKED: EventKind.BOUNCED,
    Sort.DELAYED: EventKind.DELAYED,
    Sort.COMPLAINT: EventKind.COMPLAINED,
    Sort.UNSUBSCRIBE: EventKind.UNSUBSCRIBED,
    Sort.REPLY: EventKind.REPLIED,
    Sort.UNREADABLE: EventKind.UNREADABLE,
}


@dataclass(frozen=True, slots=True)
class Taken:
    """What a message was taken for; without a delivery nothing of ours was proved."""

    sort: Sort
    portal_id: int | None = None
    delivery_id: int | None = None
    new: bool = False


def take(
    session: Session,
    secret_key: str,
    raw: bytes,
    *,
    recipient: str = "",
    portal_id: int | None = None,
) -> Taken:
    """Take a message in. `portal_id`: only this portal's deliveries may be meant."""
    try:
        message = email.message_from_bytes(raw)
        incoming = bounces.read(message, recipient)
    except (RecursionError, ValueError, LookupError, TypeError, AttributeError) as error:
        log.warning("message not understood: %s", type(error).__name__, exc_info=True)
        return Taken(Sort.FOREIGN)
    delivery = _meant(session, secret_key, incoming, portal_id)
    if delivery is None:
        return Taken(incoming.sort)
    kind = _KINDS.get(incoming.sort)
    if kind is None:  # a machine's courtesy
        return Taken(incoming.sort, delivery.portal_id, delivery.id)
    detail = _detail(message, incoming)
    new = not _known(session, delivery, kind, detail) and events.record(
        session, delivery.portal_id, delivery.id, Event(kind, detail=detail)
    )
    if new and (act := _ACTS.get(incoming.sort)):
        act(session, delivery, incoming)
    return Taken(incoming.sort, delivery.portal_id, delivery.id, new)


def _meant(
    session: Session, secret_key: str, incoming: Incoming, portal_id: int | None
) -> Delivery | None:
    """The delivery of the first label that is genuine."""
    for each in incoming.labels:
        try:
            owner, delivery_id = tokens.read_label(secret_key, each.purpose, each.text)
        except BadToken:
            continue
        if portal_id in {None, owner} and events.storable(owner, delivery_id):
            found = session.get(Delivery, (owner, delivery_id), populate_existing=True)
            if found is not None:
                return found
    return None


def _detail(message: Message, incoming: Incoming) -> dict[str, Any]:
    facts = {
        "sort": incoming.sort.value,
        "status": incoming.status,
        "text": incoming.text,
        "message_id": " ".join(str(message.get("Message-ID", "")).split())[:300],
    }
    return {name: value.replace("\0", "") for name, value in facts.items() if value}


def _known(session: Session, delivery: Delivery, kind: EventKind, detail: dict[str, Any]) -> bool:
    """Whether this very message was taken before; one without an id counts once of its kind."""
    past = DeliveryEvent
    query = sa.select(past.id).where(
        past.portal_id == delivery.portal_id,
        past.delivery_id == delivery.id,
        past.kind == kind.value,
    )
    if "message_id" in detail:
        query = query.where(past.detail["message_id"].astext == detail["message_id"])
    return session.scalar(query.limit(1)) is not None


def _bounce(session: Session, delivery: Delivery, incoming: Incoming) -> None:
    """It was taken, and returned later."""
    session.execute(
        sa.update(Delivery)
        .where(
            Delivery.portal_id == delivery.portal_id,
            Delivery.id == delivery.id,
            Delivery.state.in_([DeliveryState.SENT.value, DeliveryState.UNKNOWN.value]),
        )
        .values(
            state=DeliveryState.BOUNCED.value,
            reason=incoming.sort.value,
            reply_status=incoming.status,
        )
        .execution_options(synchronize_session=False)
    )
    dead = incoming.sort is Sort.HARD
    if dead or (incoming.sort is Sort.SOFT and _often(session, delivery)):
        _suppress(session, delivery, Reason.BOUNCED, incoming)


def _often(session: Session, delivery: Delivery) -> bool:
    """Whether letters to this address came back softly too often lately."""
    event = DeliveryEvent
    query = (
        sa.select(sa.func.count(event.delivery_id.distinct()))
        .join(
            Delivery,
            (Delivery.portal_id == delivery.portal_id) & (Delivery.id == event.delivery_id),
        )
        .where(
            event.portal_id == delivery.portal_id,
            Delivery.kind == delivery.kind,
            Delivery.client_id == delivery.client_id,
            Delivery.address == delivery.address,
            Delivery.sent_at.is_not(None),
            event.kind == EventKind.BOUNCED.value,
            event.detail["sort"].astext == Sort.SOFT.value,
            event.at > sa.func.now() - SOFT_WITHIN,
        )
    )
    return (session.scalar(query) or 0) >= SOFT_LIMIT


def _complain(session: Session, delivery: Delivery, incoming: Incoming) -> None:
    _suppress(session, delivery, Reason.COMPLAINED, incoming)


def _unsubscribe(session: Session, delivery: Delivery, _incoming: Incoming) -> None:
    """A letter to the address of List-Unsubscribe: no more of anything, on this channel."""
    letter = unsubscribing.letter_of(session, delivery.portal_id, delivery.id)
    if letter is not None:
        unsubscribing.stop(session, letter, Trace("a letter to the unsubscribing address"))


def _suppress(session: Session, delivery: Delivery, reason: Reason, incoming: Incoming) -> None:
    if delivery.address is not None:
        suppressions.suppress(
            *(session, delivery.portal_id, delivery.channel, delivery.address, reason),
            source=f"{incoming.sort} {incoming.status or ''}".strip(),
            mailing_id=delivery.mailing_id,
        )


_ACTS: dict[Sort, Callable[[Session, Delivery, Incoming], None]] = {
    Sort.HARD: _bounce,
    Sort.SOFT: _bounce,
    Sort.BLOCKED: _bounce,
    Sort.COMPLAINT: _complain,
    Sort.UNSUBSCRIBE: _unsubscribe,
}
