"""Putting Rubilnik on a portal: keep the tokens, bind placements and events, create the fields.

Every step can be repeated: it asks what is there and adds what is missing. The wizard shows the steps;
`installFinish` is called by the browser when all are done, and by nobody in the API-only scenario.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm import Session

from core.clock import utcnow
from core.crypto import Vault
from core.database import transaction
from core.runtime import Runtime
from integration import portals, tokens
from integration.binding import bind_placements
from integration.bitrix.budgets import Priority
from integration.bitrix.client import Client
from integration.bitrix.errors import (
    BitrixError,
    InvalidValue,
    PortalFailure,
    Refused,
    UnexpectedAnswer,
    Unreachable,
)
from integration.bitrix.oauth import AppInfo
from integration.bitrix.payloads import EventPost, FramePost
from integration.connect import connect
from integration.fields import DEFAULT_FIELDS, FIELD_ENTITIES, METRIC_FIELDS, PortalField
from integration.frames import Confirmed, FrameRefused, confirm
from integration.models import Portal, PortalState

log = logging.getLogger(__name__)

_ENTITIES = ("CONTACT", "COMPANY", "LEAD", "DEAL")
CARD_EVENTS = (
    *(f"ONCRM{entity}{action}" for entity in _ENTITIES for action in ("ADD", "UPDATE", "DELETE")),
    "ONCRMDEALMOVETOCATEGORY",  # such a move brings no ONCRMDEALUPDATE
)
FIELD_EVENTS = tuple(
    f"ONCRM{entity}USERFIELD{action}"
    for entity in _ENTITIES
    for action in ("ADD", "UPDATE", "DELETE", "SETENUMVALUES")
)
EVENTS = ("ONAPPUNINSTALL", "ONAPPUPDATE", *CARD_EVENTS, *FIELD_EVENTS)


@dataclass(frozen=True, slots=True)
class Step:
    """One thing the wizard shows: a key for its words, and what it does."""

    key: str
    run: Callable[[Runtime, Client, Portal], None]


def adopt(session: Session, runtime: Runtime, confirmed: Confirmed) -> Portal:
    """Keep a portal whose admin installs the application: its facts, its tokens. Admin only."""
    if not confirmed.is_admin:
        raise FrameRefused("only an administrator can install")
    portal = _row(session, runtime.vault, confirmed.info)
    _keep_facts(portal, confirmed)
    session.flush()
    if confirmed.post.application_token:
        portal.application_token_sealed = runtime.vault.seal(
            portal.id, confirmed.post.application_token
        )
    if confirmed.post.refresh_id:
        tokens.store(
            session, runtime.vault, portal.id,
            confirmed.post.auth_id, confirmed.post.refresh_id, confirmed.info.expires_at or utcnow(),
        )  # fmt: skip
    return portal


def adopt_event(runtime: Runtime, event: EventPost) -> Portal:
    """Keep a portal from its ONAPPINSTALL, proved by the token in it as a frame is by its own.

    Every employee's browser sees tokens of the application, so here too only an admin's will do.
    """
    if not event.auth.access_token or not event.auth.refresh_token:
        raise FrameRefused("the install event has no tokens")
    confirmed = confirm(runtime, FramePost.of_event(event))
    with transaction(runtime.sessions) as session:
        portal = adopt(session, runtime, confirmed)
        if event.event == "ONAPPINSTALL":  # posted for applications that use the API only
            portal.has_menu_item = False
        return portal


def prepare(runtime: Runtime, portal_id: int) -> bool:
    """Run every step that isn't done; whether all are. Repeating it is safe."""
    with runtime.sessions() as session:
        portal = session.get_one(Portal, portal_id)
    client = connect(runtime, portal, priority=Priority.INTERACTIVE)
    done = True
    for step in STEPS:
        try:
            step.run(runtime, client, portal)
            note_step(runtime, portal_id, step.key, "done")
        except BitrixError as error:
            log.warning("install step failed", extra={"portal": portal_id, "step": step.key})
            note_step(runtime, portal_id, step.key, "failed", error.detail)
            done = False
            if portals.note(runtime.sessions, portal_id, error):
                break  # it concerns the whole portal: the other steps would be refused as well
    with transaction(runtime.sessions) as session:
        fresh = session.get_one(Portal, portal_id)
        if done and fresh.state == PortalState.INSTALLING:
            portals.enter(fresh, PortalState.ACTIVE)
            fresh.installed_at = fresh.installed_at or utcnow()
    return done


def rebind(runtime: Runtime, portal_id: int) -> None:
    """Bind the events and places a portal in use lacks: a request each when it lacks none."""
    with runtime.sessions() as session:
        portal = session.get_one(Portal, portal_id)
    if portal.state != PortalState.ACTIVE:
        return
    try:
        client = connect(runtime, portal)
        _bind_events(runtime, client, portal)
        bind_placements(runtime, client, portal)
    except BitrixError as error:
        portals.note(runtime.sessions, portal_id, error)
        log.warning("not all bound", extra={"portal": portal_id, "reason": error.detail})


def uninstall(session: Session, portal: Portal) -> None:
    """The application was removed: access is gone already; data stays until it is asked to go."""
    portals.set_state(session, portal.id, PortalState.UNINSTALLED, "removed on the portal")
    tokens.forget(session, portal.id)


def ensure_fields(
    client: Client, codes: tuple[str, ...], entities: tuple[str, ...] = FIELD_ENTITIES
) -> list[str]:
    """Create those of our fields that are missing; returns what was created."""
    return create_fields(client, [METRIC_FIELDS[code] for code in codes], entities)


def create_fields(
    client: Client, fields: Iterable[PortalField], entities: tuple[str, ...]
) -> list[str]:
    """Create the fields where they are missing; returns what was created.

    Creating a field on a large base may answer 500 and still succeed, so a failure is believed only
    when the field isn't there afterwards.
    """
    created = []
    wanted = list(fields)
    for entity in entities:
        present = _field_codes(client, entity)
        for field in wanted:
            if field.code not in present:
                _create_field(client, entity, field)
                created.append(f"{entity}.{field.code}")
    return created


def _row(session: Session, vault: Vault, info: AppInfo) -> Portal:
    """The portal's row, by member_id: a new one, the registered one, or the one it had before.

    An application that was deleted on the portal and made anew has another client_id, and maybe a
    registration of its own: its secret moves to the portal's old row, which has the data.
    """
    query = sa.select(Portal).where(
        sa.or_(Portal.member_id == info.member_id, Portal.client_id == info.client_id)
    )
    found = session.scalars(query.with_for_update().order_by(Portal.member_id.nulls_last())).all()
    if not found:
        session.add(portal := Portal(domain=info.domain, client_id=info.client_id))
        return portal
    portal, *registered = found
    if portal.client_id != info.client_id:
        portal.client_secret_sealed = None
        for row in registered:
            if row.client_secret_sealed is not None:
                secret = vault.open(row.id, row.client_secret_sealed)
                portal.client_secret_sealed = vault.seal(portal.id, secret)
            session.delete(row)
        session.flush()
        portal.client_id = info.client_id
    return portal


def _keep_facts(portal: Portal, confirmed: Confirmed) -> None:
    info = confirmed.info
    portal.member_id, portal.domain, portal.scheme = info.member_id, info.domain, confirmed.scheme
    portal.endpoint, portal.oauth_url = info.client_endpoint, confirmed.oauth_url
    portal.language = confirmed.post.language or portal.language
    portal.installer_id = confirmed.user_id
    portal.uninstalled_at = None
    active = portal.state == PortalState.ACTIVE
    portals.enter(portal, PortalState.ACTIVE if active else PortalState.INSTALLING)


def note_step(runtime: Runtime, portal_id: int, key: str, status: str, reason: str = "") -> None:
    """Keep how a step went."""
    with transaction(runtime.sessions) as session:
        portal = session.get_one(Portal, portal_id)
        portal.install_steps = {
            **portal.install_steps,
            key: {"status": status, "reason": reason, "at": utcnow().isoformat()},
        }


def _bind_events(runtime: Runtime, client: Client, _portal: Portal) -> None:
    handler = f"{runtime.settings.public_url}/events"
    bound = client.call("event.get", {}).result or []
    present = {str(row["event"]).upper() for row in bound if row.get("handler") == handler}
    missing = [event for event in EVENTS if event not in present]
    if not missing:
        return
    answer = client.batch(
        {event: ("event.bind", {"event": event, "handler": handler}) for event in missing}
    )
    for event, error in answer.errors.items():
        if event in FIELD_EVENTS and error.code == "ERROR_EVENT_NOT_FOUND":
            log.info("an older portal has no such event", extra={"event": event})
            continue
        raise error


def _create_fields(_runtime: Runtime, client: Client, _portal: Portal) -> None:
    ensure_fields(client, DEFAULT_FIELDS)


def _field_codes(client: Client, entity: str) -> set[str]:
    rows = client.call(f"crm.{entity}.userfield.list", {}).result or []
    return {str(row["FIELD_NAME"]) for row in rows}


def _create_field(client: Client, entity: str, field: PortalField) -> None:
    definition: dict[str, Any] = field.definition()
    try:
        client.call(f"crm.{entity}.userfield.add", {"fields": definition})
    except (PortalFailure, Unreachable, UnexpectedAnswer, InvalidValue, Refused):
        if field.code not in _field_codes(client, entity):
            raise


def _read_facts(runtime: Runtime, client: Client, portal: Portal) -> None:
    facts = client.call("app.info", {}).result
    with transaction(runtime.sessions) as session:
        session.get_one(Portal, portal.id).license = str(facts.get("LICENSE") or "") or None


STEPS = (
    Step("facts", _read_facts),
    Step("placements", bind_placements),
    Step("events", _bind_events),
    Step("fields", _create_fields),
)
