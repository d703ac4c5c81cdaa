"""Unsubscriptions → the portal's field an administrator chose, so that managers see them on the cards.

What is to be written is found by comparing: cards with an address that unsubscribed or complained whose field
does not say so. So nothing is forgotten, whoever took the wish, and a second run sends nothing.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import Session

from core.database import any_of, transaction
from core.runtime import Runtime
from integration import echoes, portals
from integration.bitrix.errors import BitrixError
from integration.connect import connect
from integration.mirror import Address, AddressKind, Company, Contact, CustomField, Lead
from integration.models import Portal, PortalState
from mailings.consent import settings
from mailings.consent.settings import UnsubscribeField
from mailings.permissions import Suppression
from mailings.rules.consents import Reason
from mailings.rules.states import ChannelKey
from segments import asked_fields

BATCH = 50
SECONDS = 15.0
_TABLES: dict[str, Any] = {"contact": Contact, "company": Company, "lead": Lead}
_SILENT = {"REGISTER_HISTORY_EVENT": "N", "REGISTER_SONET_EVENT": "N"}
_YES = {"1", "y", "yes", "true", "да"}


@dataclass(slots=True)
class Mirrored:
    """What a run wrote; `more`: it stopped because its time was over."""

    written: int = 0
    failed: int = 0
    more: bool = False


@dataclass(frozen=True, slots=True)
class _Target:
    """A field of one kind of card, and what is written to it: on the wire, and as the mirror keeps it."""

    entity: str
    code: str
    sent: str
    kept: Any


def mirror(runtime: Runtime, portal_id: int, seconds: float = SECONDS) -> Mirrored:
    """Write for some seconds. No transaction is open while the portal is called."""
    started, done = time.monotonic(), Mirrored()
    with runtime.sessions() as session:
        portal = session.get_one(Portal, portal_id)
        targets = list(_targets(session, portal_id))
    if not targets or portal.state != PortalState.ACTIVE:
        return done
    client = connect(runtime, portal)
    try:
        for target in targets:
            after = 0
            while ids := _next(runtime, portal_id, target, after):
                _write(runtime, client, portal_id, target, ids, done)
                after = ids[-1]
                if time.monotonic() - started > seconds:
                    done.more = True
                    return done
    except BitrixError as error:
        portals.note(runtime.sessions, portal_id, error)
    return done


def waiting(session: Session) -> list[int]:
    """Portals that have chosen a field, and have somebody to be marked."""
    active = sa.select(Portal.id).where(Portal.state == PortalState.ACTIVE)
    return [
        portal_id
        for portal_id in session.scalars(active)
        if any(_pending(session, portal_id, each, 0, 1) for each in _targets(session, portal_id))
    ]


def _targets(session: Session, portal_id: int) -> Iterator[_Target]:
    field = settings.rules_of(session, portal_id).unsubscribe_field
    for entity in field.entities if field else ():
        row = session.get(CustomField, (portal_id, entity, field.code)) if field else None
        if field is not None and row is not None and not row.multiple:
            yield _target(entity, field, row)


def _target(entity: str, field: UnsubscribeField, row: CustomField) -> _Target:
    said = field.value.strip()
    if row.type_id == "boolean":
        yes = said.lower() in _YES
        return _Target(entity, field.code, "1" if yes else "0", yes)
    if row.type_id == "enumeration":
        named = [i["id"] for i in row.items or () if i["value"].strip().lower() == said.lower()]
        chosen = named[0] if named else int(said) if said.isdecimal() else said
        return _Target(entity, field.code, str(chosen), chosen)
    if row.type_id == "integer" and said.lstrip("-").isdecimal():
        return _Target(entity, field.code, said, int(said))
    return _Target(entity, field.code, said, said)


def _next(runtime: Runtime, portal_id: int, target: _Target, after: int) -> list[int]:
    with runtime.sessions() as session:
        return _pending(session, portal_id, target, after, BATCH)


def _pending(
    session: Session, portal_id: int, target: _Target, after: int, limit: int
) -> list[int]:
    """The next cards, by id, whose field does not say what their address did."""
    table = _TABLES[target.entity]
    gone = sa.select(Suppression.address).where(
        Suppression.portal_id == portal_id,
        Suppression.channel == ChannelKey.EMAIL.value,
        Suppression.reason.in_([Reason.UNSUBSCRIBED.value, Reason.COMPLAINED.value]),
        Suppression.address.is_not(None),
    )
    owners = sa.select(Address.entity_id).where(
        Address.portal_id == portal_id,
        Address.entity == target.entity,
        Address.kind == AddressKind.EMAIL.value,
        Address.normalised.in_(gone),
    )
    says = table.custom[target.code].is_distinct_from(sa.literal(target.kept, JSONB))
    query = (
        sa.select(table.bitrix_id)
        .where(
            table.portal_id == portal_id,
            table.deleted_at.is_(None),
            table.bitrix_id > after,
            table.bitrix_id.in_(owners),
            says,
        )
        .order_by(table.bitrix_id)
        .limit(limit)
    )
    return list(session.scalars(query))


def _write(
    runtime: Runtime, client: Any, portal_id: int, target: _Target, ids: list[int], done: Mirrored
) -> None:
    with transaction(runtime.sessions) as session:
        echoes.expect(session, portal_id, target.entity, ids)
    fields = {target.code: target.sent}
    command = f"crm.{target.entity}.update"
    answer = client.batch(
        {f"u{i}": (command, {"id": i, "fields": fields, "params": _SILENT}) for i in ids},
        idempotent=True,
    )
    for error in answer.errors.values():
        if portals.state_after(error) is not None:  # it concerns the whole portal
            raise error
    written = [i for i in ids if answer.results.get(f"u{i}") is True]
    table = _TABLES[target.entity]
    with transaction(runtime.sessions) as session:
        session.execute(
            sa.update(table)
            .where(table.portal_id == portal_id, table.bitrix_id == any_of(written))
            .values(custom=table.custom.op("||")(sa.literal({target.code: target.kept}, JSONB)))
            .execution_options(synchronize_session=False)
        )
        asked_fields.written(session, portal_id, target.entity, {target.code}, written)
    done.written += len(written)
    done.failed += len(ids) - len(written)
