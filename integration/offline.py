"""Offline events: a queue of changed objects the portal keeps for us, a second source of hints.

They reach us where the portal can't (behind a firewall, while we are down), and are used where the plan
lets us confirm what we took: without that a packet is gone the moment it is read. The queue holds one row
per object, not a history. Correctness rests on none of it: runs and checks find what no event told.

https://apidocs.bitrix24.com/api-reference/events/offline-events.html
"""

from __future__ import annotations

import logging
import time
from collections.abc import Mapping, Sequence
from typing import Any

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session

from core.clock import utcnow
from core.database import transaction
from core.runtime import Runtime
from integration import hints, portals
from integration.bitrix.budgets import Priority
from integration.bitrix.client import Client
from integration.bitrix.errors import BitrixError
from integration.connect import CONNECTOR, OFFLINE, connect
from integration.installs import CARD_EVENTS, FIELD_EVENTS
from integration.models import Portal, PortalEvent, PortalState

log = logging.getLogger(__name__)

SLICE_SECONDS = 20.0
_PACKET = 500
_FEATURES = {"confirm": "rest_offline_extended", "connector": "rest_auth_connector"}


def sources(portal: Portal) -> tuple[str, ...]:
    """Which events are in use: always the online ones, and the offline ones where the plan has them."""
    return ("online", "offline") if OFFLINE in portal.install_steps else ("online",)


def settle(runtime: Runtime, portal_id: int) -> None:
    """Use offline events if the plan has them, and stop if it has them no more."""
    with runtime.sessions() as session:
        portal = session.get_one(Portal, portal_id)
    if portal.state != PortalState.ACTIVE:
        return
    try:
        client = connect(runtime, portal)
        client.connector = ""  # or it would be taken for the subscriptions' own
        choice = _bind(client)
    except BitrixError as error:
        portals.note(runtime.sessions, portal_id, error)
        log.warning(
            "offline events not settled", extra={"portal": portal_id, "reason": error.detail}
        )
        return
    with transaction(runtime.sessions) as session:
        portal = session.get_one(Portal, portal_id)
        others = {key: step for key, step in portal.install_steps.items() if key != OFFLINE}
        portal.install_steps = others | ({OFFLINE: choice} if choice else {})


def pull(runtime: Runtime, portal_id: int, *, seconds: float = SLICE_SECONDS) -> int:
    """Keep what the queue holds as hints, then take it off the queue; the number of hints."""
    with runtime.sessions() as session:
        portal = session.get_one(Portal, portal_id)
    if portal.state != PortalState.ACTIVE or OFFLINE not in portal.install_steps:
        return 0
    client = connect(runtime, portal, priority=Priority.PROMPT)
    key = portal.install_steps[OFFLINE]["connector"]
    deadline, kept = time.monotonic() + seconds, 0
    try:
        while time.monotonic() < deadline:
            asked = {"clear": 0, "limit": _PACKET} | ({"auth_connector": key} if key else {})
            packet = client.call("event.offline.get", asked).result or {}
            if not packet.get("events"):
                break
            with transaction(runtime.sessions) as session:
                kept += _keep(session, portal_id, packet["events"])
            confirmed = {"process_id": packet["process_id"]}
            client.call("event.offline.clear", confirmed, idempotent=True)
    except BitrixError as error:
        portals.note(runtime.sessions, portal_id, error)
        log.warning("offline events not read", extra={"portal": portal_id, "reason": error.detail})
    return kept


def with_queue(session: Session) -> list[int]:
    """Active portals that keep a queue for us."""
    query = sa.select(Portal.id).where(
        Portal.state == PortalState.ACTIVE, Portal.install_steps[OFFLINE].is_not(None)
    )
    return list(session.scalars(query))


def _bind(client: Client) -> dict[str, Any] | None:
    """Subscribe to what lacks, or drop everything; how the queue is used, or None."""
    asked = {key: ("feature.get", {"CODE": code}) for key, code in _FEATURES.items()}
    answer = client.batch({**asked, "bound": ("event.get", {})})
    for error in answer.errors.values():
        raise error
    has = {key: answer.results[key]["value"] == "Y" for key in _FEATURES}
    key = CONNECTOR if has["connector"] else ""
    ours = [row for row in answer.results["bound"] or [] if int(row.get("offline") or 0)]
    fitting = [row for row in ours if has["confirm"] and str(row.get("connector_id") or "") == key]
    present = {str(row["event"]).upper() for row in fitting}
    foreign = {str(row["event"]).upper() for row in ours if row not in fitting}
    wanted = (*CARD_EVENTS, *FIELD_EVENTS) if has["confirm"] else ()
    with_key = {"auth_connector": key} if key else {}
    commands: dict[str, tuple[str, dict[str, Any]]] = {
        f"drop_{event}": ("event.unbind", {"event": event, "event_type": "offline"})
        for event in sorted(foreign)
    }
    for event in wanted:
        if event not in present or event in foreign:
            subscription = {"event": event, "event_type": "offline", **with_key}
            commands[f"bind_{event}"] = ("event.bind", subscription)
    _run(client, commands)
    at = utcnow().isoformat()
    return {"status": "done", "reason": "", "at": at, "connector": key} if wanted else None


def _run(client: Client, commands: Mapping[str, tuple[str, dict[str, Any]]]) -> None:
    errors = client.batch(commands).errors if commands else {}
    for command, error in errors.items():
        event = command.partition("_")[2]
        if not (event in FIELD_EVENTS and error.code == "ERROR_EVENT_NOT_FOUND"):
            raise error


def _keep(session: Session, portal_id: int, events: Sequence[Mapping[str, Any]]) -> int:
    """A row without data names nothing: what it was about is left to the next run."""
    rows = []
    for event in events:
        data = event.get("EVENT_DATA")
        fields = data.get("FIELDS") if isinstance(data, dict) else None
        number = str(fields.get("ID") or "") if isinstance(fields, dict) else ""
        name = str(event.get("EVENT_NAME") or "").upper()
        if number.isascii() and number.isdigit() and hints.acted_on(name):
            rows.append({"portal_id": portal_id, "event": name, "object_id": int(number)})
    if rows:
        session.execute(insert(PortalEvent), rows)
    return len(rows)
