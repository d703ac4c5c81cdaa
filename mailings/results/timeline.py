"""Each sent message in its client's timeline, as an activity of ours that is over: in batches, when the portal has time.

Never twice: an activity carries the delivery's number, and before a batch is sent the portal is asked which of
them are there, so a request whose answer was lost costs nothing. Deliveries are taken by the time they were sent,
for one that was put off is sent after others with greater ids.
https://apidocs.bitrix24.com/api-reference/crm/timeline/activities/configurable/crm-activity-configurable-add.html
"""

from __future__ import annotations

import logging
import time
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm import Session

from core.database import transaction
from core.locks import alone
from core.runtime import Runtime
from integration import portals
from integration.bitrix.batch import Command
from integration.bitrix.budgets import Priority
from integration.bitrix.client import Client
from integration.bitrix.errors import BitrixError, OperationTimeLimit
from integration.connect import connect
from integration.models import Portal, PortalState
from mailings.models import Delivery, Mailing, PortalNote
from mailings.results.timeline_entries import Entry, entries
from mailings.rules.calls import OWNER_TYPES
from mailings.rules.states import ChannelKey, MailingState

log = logging.getLogger(__name__)

ORIGINATOR = "RUBILNIK"
PROVIDER = "CONFIGURABLE_REST_APP"
SETTLED = timedelta(seconds=30)
"""Marks of what was sent are committed no later than this after the moment they name."""

AFTERWARDS = timedelta(minutes=15)
"""So long after the end of a mailing late words of servers may still come."""

BATCH = 50
_LOCK = 0x4D54


@dataclass(slots=True)
class Written:
    """What one slice did; `more`: there is something left to be done at once."""

    written: int = 0
    failed: int = 0
    more: bool = False


def due(session: Session) -> list[int]:
    """Portals that can be called and have a mailing whose timeline may not be complete."""
    query = (
        sa.select(Mailing.portal_id)
        .join(Portal, Portal.id == Mailing.portal_id)
        .where(Portal.state == PortalState.ACTIVE.value, *_incomplete())
        .distinct()
    )
    joined = query.outerjoin(
        PortalNote,
        sa.and_(PortalNote.portal_id == Mailing.portal_id, PortalNote.mailing_id == Mailing.id),
    )
    return list(session.scalars(joined))


def write(runtime: Runtime, portal_id: int, *, seconds: float = 20.0) -> Written:
    """Write the portal's timelines for some seconds; nothing while another process does."""
    done = Written()
    with alone(runtime.engine, _LOCK, portal_id) as mine:
        with runtime.sessions() as session:
            portal = session.get_one(Portal, portal_id)
            mailings = _mailings(session, portal_id)
        if not mine or portal.state != PortalState.ACTIVE:
            return done
        client = connect(runtime, portal, priority=Priority.PATIENT)
        deadline = time.monotonic() + seconds
        try:
            for mailing_id in mailings:
                while _batch(runtime, client, (portal_id, mailing_id), done):
                    if time.monotonic() > deadline:
                        done.more = True
                        return done
        except BitrixError as error:
            portals.note(runtime.sessions, portal_id, error)
            log.info("timelines wait", extra={"portal": portal_id, "reason": type(error).__name__})
    return done


def _incomplete() -> tuple[sa.ColumnElement[bool], ...]:
    note = PortalNote
    over_for_long = note.until > Mailing.state_at + AFTERWARDS
    return (
        Mailing.started_at.is_not(None),
        Mailing.channel != ChannelKey.CALL_LIST.value,
        sa.or_(
            note.until.is_(None),
            note.since.is_distinct_from(note.until),
            Mailing.state == MailingState.RUNNING.value,
            sa.not_(over_for_long),
        ),
    )


def _mailings(session: Session, portal_id: int) -> list[int]:
    query = (
        sa.select(Mailing.id)
        .outerjoin(
            PortalNote,
            sa.and_(PortalNote.portal_id == Mailing.portal_id, PortalNote.mailing_id == Mailing.id),
        )
        .where(Mailing.portal_id == portal_id, *_incomplete())
        .order_by(Mailing.started_at)
    )
    return list(session.scalars(query))


def _batch(runtime: Runtime, client: Client, key: tuple[int, int], done: Written) -> bool:
    """The next 50 of a mailing; whether there may be more."""
    with transaction(runtime.sessions) as session:
        note = _note(session, key)
        rows = _rows(session, key, note)
        if not rows:
            note.since = note.until
            return False
        made = entries(session, session.get_one(Mailing, key), rows)
    there = _there(client, made)
    failed = _send(client, [each for each in made if each.origin not in there])
    with transaction(runtime.sessions) as session:
        note = session.get_one(PortalNote, key)
        note.last_id = rows[-1].id
        note.written += len(made) - failed
        note.failed += failed
        note.changed_at = sa.func.now()
    done.written += len(made) - failed
    done.failed += failed
    return True


def _note(session: Session, key: tuple[int, int]) -> PortalNote:
    """The mailing's note, looking at what was sent up to now once all before is written."""
    portal_id, mailing_id = key
    note = session.get(PortalNote, key)
    if note is None:
        first = sa.select(sa.func.min(Delivery.id)).where(
            Delivery.portal_id == portal_id, Delivery.mailing_id == mailing_id
        )
        before = (session.scalar(first) or 1) - 1
        note = PortalNote(portal_id=portal_id, mailing_id=mailing_id, before_first_id=before)
        session.add(note)
    if note.until is None or note.since == note.until:
        note.until = session.scalar(sa.select(sa.func.now() - SETTLED))
        note.last_id = note.before_first_id
    session.flush()
    return note


def _rows(session: Session, key: tuple[int, int], note: PortalNote) -> Sequence[Delivery]:
    window = [Delivery.sent_at <= note.until]
    if note.since is not None:
        window.append(Delivery.sent_at > note.since)
    query = sa.select(Delivery).where(
        Delivery.portal_id == key[0],
        Delivery.mailing_id == key[1],
        Delivery.id > note.last_id,
        *window,
    )
    return session.scalars(query.order_by(Delivery.id).limit(BATCH)).all()


def _there(client: Client, made: Sequence[Entry]) -> set[str]:
    """Which of them the portal has already."""
    by_kind: dict[str, list[Entry]] = {}
    for each in made:
        by_kind.setdefault(each.kind, []).append(each)
    asked: dict[str, Command] = {
        kind: (
            "crm.activity.list",
            {
                "filter": {
                    "OWNER_TYPE_ID": OWNER_TYPES[kind],
                    "@OWNER_ID": sorted({each.client_id for each in some}),
                    "PROVIDER_ID": PROVIDER,
                    "ORIGINATOR_ID": ORIGINATOR,
                    "@ORIGIN_ID": [each.origin for each in some],
                },
                "select": ["ID", "ORIGIN_ID"],
                "order": {"ID": "ASC"},
            },
        )
        for kind, some in by_kind.items()
    }
    answer = client.batch(asked)
    for error in answer.errors.values():
        raise error
    return {str(row["ORIGIN_ID"]) for rows in answer.results.values() for row in rows}


def _send(client: Client, made: Sequence[Entry]) -> int:
    """Add them; how many the portal refused for good. What passes by itself is raised: it is tried again."""
    if not made:
        return 0
    commands = {f"d{number}": _command(each) for number, each in enumerate(made)}
    answer = client.batch(commands)
    for error in answer.errors.values():
        passing = error.retryable or isinstance(error, OperationTimeLimit)
        if passing or error.executed is None or portals.state_after(error) is not None:
            raise error
    return len(answer.errors)


def _command(entry: Entry) -> Command:
    fields: dict[str, Any] = {
        "completed": "Y",
        "originatorId": ORIGINATOR,
        "originId": entry.origin,
    }
    if entry.responsible_id:
        fields["responsibleId"] = entry.responsible_id
    return (
        "crm.activity.configurable.add",
        {
            "ownerTypeId": OWNER_TYPES[entry.kind],
            "ownerId": entry.client_id,
            "fields": fields,
            "layout": entry.layout,
        },
    )
