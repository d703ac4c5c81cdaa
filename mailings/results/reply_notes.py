"""A client replied to a letter: his responsible employee is told by the portal's notice, once, many in one request.

A notice has a tag of its own, so one that is sent again takes the place of the first. Where the right `im` is missing
nothing is told: the reply is on the result's page and in the mailbox all the same.
https://apidocs.bitrix24.com/api-reference/chats/notifications/im-notify-system-add.html
"""

from __future__ import annotations

import logging
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm import Session

from core.database import any_of, transaction
from core.errors import ServiceError
from core.runtime import Runtime
from core.web import words
from core.web.words import gettext as _
from integration import portals
from integration.bitrix.batch import Command
from integration.bitrix.budgets import Priority
from integration.connect import connect
from integration.mirror import Company, Contact, Lead
from integration.models import Portal, PortalState
from mailings.models import Delivery, DeliveryEvent, Mailing
from mailings.rules.events import EventKind
from segments import audience
from segments.audience import Member
from segments.rules.tree import Kind

log = logging.getLogger(__name__)

AT_ONCE = 50
LATE = timedelta(days=2)
"""Later than that the news is old."""

_TOLD = "told"
_CARDS: dict[Kind, Any] = {Kind.CONTACT: Contact, Kind.COMPANY: Company, Kind.LEAD: Lead}


@dataclass(frozen=True, slots=True)
class Note:
    """A reply to be told of: whose, to which mailing, to whom."""

    event_id: int
    client: Member
    mailing: str
    user_id: int | None


def due(session: Session) -> list[int]:
    """Portals that can be called and have replies nobody was told of."""
    query = (
        sa.select(DeliveryEvent.portal_id)
        .join(Portal, Portal.id == DeliveryEvent.portal_id)
        .where(Portal.state == PortalState.ACTIVE.value, *_untold())
        .distinct()
    )
    return list(session.scalars(query))


def tell(runtime: Runtime, portal_id: int) -> int:
    """Tell of the portal's latest replies; how many were told."""
    with runtime.sessions() as session:
        portal = session.get_one(Portal, portal_id)
        notes = _notes(session, portal_id) if portal.state == PortalState.ACTIVE else []
    wanted = {f"reply{note.event_id}": note for note in notes if note.user_id}
    told: set[int] = {note.event_id for note in notes if not note.user_id}
    if wanted:
        try:
            client = connect(runtime, portal, priority=Priority.PROMPT)
            with words.speaking(portal.language):
                asked = {key: _notice(note) for key, note in wanted.items()}
            made = client.batch(asked, idempotent=True)
        except ServiceError as error:
            portals.note(runtime.sessions, portal_id, error)
            log.warning("replies not told", extra={"reason": type(error).__name__})
            return 0
        waits = {key for key, error in made.errors.items() if error.retryable}
        told |= {note.event_id for key, note in wanted.items() if key not in waits}
    with transaction(runtime.sessions) as session:
        _mark(session, portal_id, told)
    return len(told)


def _untold() -> tuple[sa.ColumnElement[bool], ...]:
    event = DeliveryEvent
    return (
        event.kind == EventKind.REPLIED.value,
        event.at > sa.func.now() - LATE,
        event.detail.is_not(None),  # of who was erased nothing is told
        ~event.detail.has_key(_TOLD),
    )


def _notes(session: Session, portal_id: int) -> list[Note]:
    event = DeliveryEvent
    what: list[Any] = [event.id, Delivery.kind, Delivery.client_id, Mailing.name]
    query = (
        sa.select(*what)
        .join(Delivery, (Delivery.portal_id == portal_id) & (Delivery.id == event.delivery_id))
        .join(Mailing, (Mailing.portal_id == portal_id) & (Mailing.id == event.mailing_id))
        .where(event.portal_id == portal_id, *_untold())
        .order_by(event.at, event.id)
        .limit(AT_ONCE)
    )
    rows = session.execute(query).all()
    cards = [(Kind(row[1]), row[2]) for row in rows]
    owners = _owners(session, portal_id, cards)
    members = audience.named(session, portal_id, cards)
    return [
        Note(row[0], member, row[3], owners.get((member.kind, member.id)))
        for row, member in zip(rows, members, strict=True)
    ]


def _owners(
    session: Session, portal_id: int, cards: list[tuple[Kind, int]]
) -> dict[tuple[Kind, int], int]:
    found: dict[tuple[Kind, int], int] = {}
    for kind, table in _CARDS.items():
        ids = [number for each, number in cards if each is kind]
        query = sa.select(table.bitrix_id, table.assigned_by_id).where(
            table.portal_id == portal_id,
            table.bitrix_id == any_of(ids),
            table.assigned_by_id.is_not(None),
        )
        found |= {(kind, row[0]): row[1] for row in session.execute(query)}
    return found


def _notice(note: Note) -> Command:
    client = f"[URL={note.client.path}]{_plain(note.client.name)}[/URL]"
    text = _("%(client)s replied to the mailing “%(mailing)s”. The letter is in the mailbox.")
    return "im.notify.system.add", {
        "USER_ID": note.user_id,
        "MESSAGE": text % {"client": client, "mailing": _plain(note.mailing)},
        "TAG": f"RUBILNIK|reply|{note.event_id}",
    }


def _plain(text: str) -> str:
    """Without the brackets the portal reads as marks."""
    return text.replace("[", "(").replace("]", ")")


def _mark(session: Session, portal_id: int, ids: set[int]) -> None:
    event = DeliveryEvent
    session.execute(
        sa.update(event)
        .where(event.portal_id == portal_id, event.id == any_of(sorted(ids)))
        .values(detail=event.detail.op("||")(sa.literal({_TOLD: True}, event.detail.type)))
        .execution_options(synchronize_session=False)
    )
