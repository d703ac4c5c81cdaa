"""What became of calls: finished to-dos are read back with their results, lost ones are looked for.

Asked of the portal by number, so it works whether or not its activities are mirrored.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm import Session

from core.clock import utcnow
from core.database import transaction
from core.locks import alone
from core.runtime import Runtime
from integration import portals
from integration.bitrix.budgets import Priority
from integration.bitrix.client import Client
from integration.bitrix.errors import BitrixError
from integration.connect import connect
from integration.models import Portal, PortalState
from mailings.channels import call_list
from mailings.models import Delivery, DeliveryAttempt, DeliveryEvent, Mailing
from mailings.receipts import events
from mailings.receipts.events import Event
from mailings.rules import calls, tokens
from mailings.rules.events import EventKind
from mailings.rules.states import ChannelKey, DeliveryState, MailingState
from mailings.rules.tokens import Purpose

log = logging.getLogger(__name__)

WAITED_FOR = timedelta(days=60)
"""A to-do nobody has finished for so long is not asked for any more."""

SURE_AFTER = timedelta(minutes=5)
"""The portal breaks requests off after a minute: what is not there by then will not come."""

LOST = "lost"
"""Reason of a failed delivery: the portal never got it, and its mailing is over."""

PAGE, AT_ONCE, LOOKED_FOR = 50, 2500, 50
_LOCK = 0x4D43


@dataclass(slots=True)
class Read:
    """What one reading found."""

    called: int = 0
    found: int = 0
    returned: int = 0


def due(session: Session) -> list[int]:
    """Portals that can be called and have calls nobody knows the outcome of."""
    query = (
        sa.select(Mailing.portal_id)
        .join(Portal, Portal.id == Mailing.portal_id)
        .where(
            Portal.state == PortalState.ACTIVE.value,
            Mailing.channel == ChannelKey.CALL_LIST.value,
            sa.or_(
                sa.exists().where(*_open(Mailing.portal_id, Mailing.id)),
                sa.exists().where(*_lost(Mailing.portal_id, Mailing.id)),
            ),
        )
    )
    return list(session.scalars(query.distinct()))


def read(runtime: Runtime, portal_id: int) -> Read:
    """Ask the portal; nothing while another process does."""
    done = Read()
    with alone(runtime.engine, _LOCK, portal_id) as mine:
        with runtime.sessions() as session:
            portal = session.get_one(Portal, portal_id)
        if not mine or portal.state != PortalState.ACTIVE:
            return done
        client = connect(runtime, portal, priority=Priority.BACKGROUND)
        try:
            _finished(runtime, client, portal_id, done)
            _lost_ones(runtime, client, portal_id, done)
        except BitrixError as error:
            portals.note(runtime.sessions, portal_id, error)
            log.info("calls wait", extra={"portal": portal_id, "reason": type(error).__name__})
    return done


def _finished(runtime: Runtime, client: Client, portal_id: int, done: Read) -> None:
    with runtime.sessions() as session:
        query = (
            sa.select(Delivery.provider_id, Delivery.id)
            .join(
                Mailing,
                sa.and_(Mailing.portal_id == Delivery.portal_id, Mailing.id == Delivery.mailing_id),
            )
            .where(Mailing.channel == ChannelKey.CALL_LIST.value, *_open(portal_id, Mailing.id))
        )
        waiting = {int(todo or 0): number for todo, number in session.execute(query)}
    ids = sorted(waiting)
    for start in range(0, len(ids), AT_ONCE):
        rows = list(_read(client, ids[start : start + AT_ONCE]))
        with transaction(runtime.sessions) as session:
            for row in rows:
                event = _called(row)
                done.called += events.record(session, portal_id, waiting[int(row["ID"])], event)


def _read(client: Client, ids: Sequence[int]) -> Iterator[dict[str, Any]]:
    """Those of the to-dos that are finished."""
    pages = [ids[start : start + PAGE] for start in range(0, len(ids), PAGE)]
    answer = client.batch(
        {
            f"p{number}": (
                "crm.activity.list",
                {
                    "filter": {"@ID": list(page), "COMPLETED": "Y"},
                    "select": ["ID", "DESCRIPTION", "LAST_UPDATED", "RESPONSIBLE_ID"],
                    "order": {"ID": "ASC"},
                },
            )
            for number, page in enumerate(pages)
        }
    )
    for error in answer.errors.values():
        raise error
    for rows in answer.results.values():
        yield from rows


def _called(row: dict[str, Any]) -> Event:
    told = {"result": calls.result(row.get("DESCRIPTION")), "employee": row.get("RESPONSIBLE_ID")}
    try:
        at = min(datetime.fromisoformat(str(row.get("LAST_UPDATED"))), utcnow())
    except ValueError:
        at = utcnow()
    return Event(EventKind.CALLED, at=at, detail={k: v for k, v in told.items() if v})


def _lost_ones(runtime: Runtime, client: Client, portal_id: int, done: Read) -> None:
    """What the portal has was sent; what it has not got by now goes out again while its mailing lives."""
    with runtime.sessions() as session:
        query = sa.select(Delivery).where(
            *_lost(portal_id, Delivery.mailing_id),
            Delivery.channel == ChannelKey.CALL_LIST.value,
        )
        rows = session.scalars(query.order_by(Delivery.id).limit(LOOKED_FOR)).all()
    key = runtime.settings.secret_key
    for row in rows:
        mark = tokens.label(key, Purpose.MESSAGE, portal_id, row.id)
        todo = call_list.look_up(client, calls.OWNER_TYPES[row.kind], row.client_id, mark)
        with transaction(runtime.sessions) as session:
            session.execute(_resolved(row, todo))
        done.found += bool(todo)
        done.returned += not todo


def _resolved(row: Delivery, todo: int | None) -> sa.Update:
    lives = sa.exists().where(
        Mailing.portal_id == row.portal_id,
        Mailing.id == row.mailing_id,
        Mailing.state.in_([MailingState.RUNNING.value, MailingState.PAUSED.value]),
    )
    values: dict[str, Any] = {
        "state": sa.case((lives, DeliveryState.PENDING.value), else_=DeliveryState.FAILED.value),
        "reason": sa.case((lives, None), else_=LOST),
        "next_try_at": sa.case((lives, sa.func.now())),
    }
    if todo:
        values = {
            "state": DeliveryState.SENT.value,
            "provider_id": str(todo),
            "sent_at": sa.func.coalesce(Delivery.sent_at, sa.func.now()),
        }
    return (
        sa.update(Delivery)
        .where(
            Delivery.portal_id == row.portal_id,
            Delivery.id == row.id,
            Delivery.state == DeliveryState.UNKNOWN.value,
        )
        .values(owner=None, lease_until=None, **values)
        .execution_options(synchronize_session=False)
    )


def _open(portal_id: Any, mailing_id: Any) -> tuple[sa.ColumnElement[bool], ...]:
    """To-dos that were made and of which no result is known."""
    known = sa.exists().where(
        DeliveryEvent.portal_id == Delivery.portal_id,
        DeliveryEvent.delivery_id == Delivery.id,
        DeliveryEvent.kind == EventKind.CALLED.value,
    )
    return (
        Delivery.portal_id == portal_id,
        Delivery.mailing_id == mailing_id,
        Delivery.state == DeliveryState.SENT.value,
        Delivery.provider_id.regexp_match("^[0-9]+$"),
        Delivery.sent_at > sa.func.now() - WAITED_FOR,
        ~known,
    )


def _lost(portal_id: Any, mailing_id: Any) -> tuple[sa.ColumnElement[bool], ...]:
    """Calls nobody knows about, tried long enough ago."""
    just_tried = sa.exists().where(
        DeliveryAttempt.portal_id == Delivery.portal_id,
        DeliveryAttempt.delivery_id == Delivery.id,
        DeliveryAttempt.at > sa.func.now() - SURE_AFTER,
    )
    return (
        Delivery.portal_id == portal_id,
        Delivery.mailing_id == mailing_id,
        Delivery.state == DeliveryState.UNKNOWN.value,
        ~just_tried,
    )
