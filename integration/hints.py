"""Events of the portal: stored at once as hints, then each named object is read by its id.

An event carries ids, not data, may be lost, doubled or forged, and is never trusted for more than
"look at this object". Ten events on one object cost one read.
"""

from __future__ import annotations

import hmac
import logging
import re
from collections import defaultdict
from collections.abc import Sequence

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session

from core.clock import utcnow
from core.crypto import SealBroken, Vault
from core.database import transaction
from core.runtime import Runtime
from integration import echoes, portals
from integration.bitrix.client import Client
from integration.bitrix.errors import BitrixError
from integration.bitrix.payloads import EventPost
from integration.connect import connect
from integration.models import ChangedClient, Deal, Portal, PortalEvent, PortalState
from integration.rules.custom import FieldType
from integration.sync import dictionaries
from integration.sync.entities import BY_NAME, EntitySpec
from integration.sync.sources import read_by_ids, store_cards

log = logging.getLogger(__name__)

_CARD_EVENT = re.compile(r"ONCRM(CONTACT|COMPANY|LEAD|DEAL)(ADD|UPDATE|DELETE|MOVETOCATEGORY)")
_TAKE = 2500


def genuine(vault: Vault, portal: Portal, event: EventPost) -> bool:
    """Whether the event knows the secret Bitrix24 gave us for this portal."""
    if portal.application_token_sealed is None or not event.application_token:
        return False
    try:
        known = vault.open(portal.id, portal.application_token_sealed)
    except SealBroken:
        return False
    return hmac.compare_digest(known.encode(), event.application_token.encode())


def receive(session: Session, portal: Portal, event: EventPost) -> bool:
    """Store a hint to act on; False for events nobody acts on and for echoes of our writes."""
    match = _CARD_EVENT.fullmatch(event.event)
    if match is None or event.object_id is None:
        return False
    if match[2] == "UPDATE" and echoes.consume(
        session, portal.id, match[1].lower(), event.object_id
    ):
        return False
    session.add(PortalEvent(portal_id=portal.id, event=event.event, object_id=event.object_id))
    return True


def apply(runtime: Runtime, portal_id: int) -> int:
    """Read what unhandled events name and bring the mirror up to it; the number of objects read."""
    with transaction(runtime.sessions) as session:
        portal = session.get_one(Portal, portal_id)
        events = _unhandled(session, portal_id)
        named: dict[str, set[int]] = defaultdict(set)
        for event in events:
            match = _CARD_EVENT.fullmatch(event.event)
            if match and event.object_id is not None:
                named[match[1].lower()].add(event.object_id)
        fields = {name: dictionaries.custom_fields(session, portal_id, name) for name in named}
    if not events or portal.state != PortalState.ACTIVE:
        return 0
    client = connect(runtime, portal)
    try:
        for name, ids in named.items():
            _reread(runtime, client, portal_id, BY_NAME[name], sorted(ids), fields[name])
    except BitrixError as error:
        portals.note(runtime.sessions, portal_id, error)
        log.warning("events not read", extra={"portal": portal_id, "reason": error.detail})
        return 0
    with transaction(runtime.sessions) as session:
        session.execute(
            sa.update(PortalEvent)
            .where(
                PortalEvent.portal_id == portal_id,
                PortalEvent.id.in_([event.id for event in events]),
            )
            .values(handled_at=utcnow())
        )
    return sum(map(len, named.values()))


def with_events(session: Session) -> list[int]:
    """Active portals that have unhandled events: what a lost queue must be told again."""
    query = (
        sa.select(PortalEvent.portal_id)
        .join(Portal, Portal.id == PortalEvent.portal_id)
        .where(PortalEvent.handled_at.is_(None), Portal.state == PortalState.ACTIVE)
    )
    return list(session.scalars(query.distinct()))


def _reread(
    runtime: Runtime,
    client: Client,
    portal_id: int,
    spec: EntitySpec,
    ids: Sequence[int],
    fields: dict[str, FieldType],
) -> None:
    rows = read_by_ids(client, spec, ids, fields)
    found = {int(row[spec.id_field]) for row in rows}
    with transaction(runtime.sessions) as session:
        store_cards(session, portal_id, spec, rows, fields, note_clients=True)
        bury(session, portal_id, spec, [i for i in ids if i not in found])


def bury(session: Session, portal_id: int, spec: EntitySpec, ids: Sequence[int]) -> int:
    """Mark rows the portal no longer has; a buried deal's clients are recomputed."""
    table = spec.table
    gone = sa.update(table).where(
        table.portal_id == portal_id, table.bitrix_id.in_(ids), table.deleted_at.is_(None)
    )
    buried = session.scalars(gone.values(deleted_at=sa.func.now()).returning(table.bitrix_id)).all()
    if table is Deal and buried:
        for kind, column in (("contact", Deal.contact_id), ("company", Deal.company_id)):
            clients = sa.select(sa.literal(portal_id), sa.literal(kind), column).where(
                Deal.portal_id == portal_id, Deal.bitrix_id.in_(buried), column.is_not(None)
            )
            put = insert(ChangedClient).from_select(
                ["portal_id", "kind", "client_id"], clients.distinct()
            )
            session.execute(put.on_conflict_do_nothing())
    return len(buried)


def _unhandled(session: Session, portal_id: int) -> list[PortalEvent]:
    return list(
        session.scalars(
            sa.select(PortalEvent)
            .where(PortalEvent.portal_id == portal_id, PortalEvent.handled_at.is_(None))
            .order_by(PortalEvent.id)
            .limit(_TAKE)
        )
    )
