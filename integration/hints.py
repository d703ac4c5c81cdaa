"""Events of the portal: stored at once as hints, then each named object is read by its id.

An event carries ids, not data, may be lost, doubled, late or forged, and is never trusted for more than
"look at this object". However many events name an object, it is read once for all of them.
"""

from __future__ import annotations

import hmac
import logging
import re
import time
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import timedelta

import sqlalchemy as sa
from sqlalchemy.orm import Session

from core.clock import utcnow
from core.crypto import SealBroken, Vault
from core.database import transaction
from core.locks import alone
from core.runtime import Runtime
from integration import echoes, keeping, portals
from integration.bitrix.budgets import Priority
from integration.bitrix.client import Client
from integration.bitrix.errors import BitrixError
from integration.bitrix.payloads import EventPost
from integration.connect import connect
from integration.models import Portal, PortalEvent, PortalState
from integration.rules.custom import FieldType
from integration.sync import dictionaries, merges
from integration.sync.burying import bury
from integration.sync.entities import BY_NAME, EntitySpec
from integration.sync.sources import read_by_ids, store_cards

log = logging.getLogger(__name__)

SLICE_SECONDS = 20.0
KEPT = timedelta(days=3)
_CARD_EVENT = re.compile(r"ONCRM(CONTACT|COMPANY|LEAD|DEAL)(ADD|UPDATE|DELETE|MOVETOCATEGORY)")
_FIELD_EVENT = re.compile(
    r"ONCRM(CONTACT|COMPANY|LEAD|DEAL)USERFIELD(ADD|UPDATE|DELETE|SETENUMVALUES)"
)
_OBJECTS = 2500  # what one request brings: 50 commands of 50 ids
_APPLYING = 0x4556


@dataclass(slots=True)
class _Named:
    """What events up to `newest` name: objects by entity, and whether custom fields changed.

    `deleted`: those of the objects whose deletion was told. An object that is merely not found may be
    hidden from us: that is for the reconciliation, which asks again before it buries anything.
    """

    newest: int
    ids: dict[str, list[int]] = field(default_factory=lambda: defaultdict(list))
    deleted: dict[str, set[int]] = field(default_factory=lambda: defaultdict(set))
    fields: bool = False


def genuine(vault: Vault, portal: Portal, event: EventPost) -> bool:
    """Whether the event knows the secret Bitrix24 gave us for this portal."""
    if portal.application_token_sealed is None or not event.application_token:
        return False
    try:
        known = vault.open(portal.id, portal.application_token_sealed)
    except SealBroken:
        return False
    return hmac.compare_digest(known.encode(), event.application_token.encode())


def acted_on(name: str) -> bool:
    """Whether an event of this name tells of anything we keep."""
    return bool(_CARD_EVENT.fullmatch(name) or _FIELD_EVENT.fullmatch(name))


def receive(session: Session, portal: Portal, event: EventPost) -> bool:
    """Store a hint to act on; False for events nobody acts on and for echoes of our writes."""
    if _FIELD_EVENT.fullmatch(event.event):
        session.add(PortalEvent(portal_id=portal.id, event=event.event, object_id=event.object_id))
        return True
    match = _CARD_EVENT.fullmatch(event.event)
    if match is None or not event.object_id:
        return False
    if match[2] == "UPDATE" and echoes.consume(
        session, portal.id, match[1].lower(), event.object_id
    ):
        return False
    session.add(PortalEvent(portal_id=portal.id, event=event.event, object_id=event.object_id))
    return True


def apply(runtime: Runtime, portal_id: int, *, seconds: float = SLICE_SECONDS) -> int:
    """Bring the mirror up to what unhandled events name, for some seconds; the objects read.

    One process at a time: of two readings of an object at once the older one could be stored last.
    """
    deadline = time.monotonic() + seconds
    read, named = 0, None
    try:
        while time.monotonic() < deadline:
            with alone(runtime.engine, _APPLYING, portal_id) as mine:
                named = _named(runtime, portal_id) if mine else None
                if named is not None:
                    read += _apply(runtime, portal_id, named)
            # Who came while we were at it has left again: what it came for must be looked for.
            if not mine or (named is None and not waits(runtime, portal_id)):
                break
    except BitrixError as error:
        portals.note(runtime.sessions, portal_id, error)
        log.warning("events not read", extra={"portal": portal_id, "reason": error.detail})
        return 0
    except sa.exc.DataError as error:
        # A defect of ours, which a repetition won't mend: the next run meets the row and says so.
        reason = type(error.orig).__name__
        log.exception("events not stored", extra={"portal": portal_id, "reason": reason})
        with transaction(runtime.sessions) as session:
            _mark(session, portal_id, named or _Named(newest=0), sa.true())
    return read


def waits(runtime: Runtime, portal_id: int) -> bool:
    """Whether the portal is active and has unhandled events."""
    with runtime.sessions() as session:
        return portal_id in with_events(session, portal_id)


def with_events(session: Session, portal_id: int | None = None) -> list[int]:
    """Active portals that have unhandled events: what a lost queue must be told again."""
    query = (
        sa.select(PortalEvent.portal_id)
        .join(Portal, Portal.id == PortalEvent.portal_id)
        .where(PortalEvent.handled_at.is_(None), Portal.state == PortalState.ACTIVE)
    )
    if portal_id is not None:
        query = query.where(PortalEvent.portal_id == portal_id)
    return list(session.scalars(query.distinct()))


def forget(session: Session) -> int:
    """Drop events that were handled days ago; how many."""
    gone = sa.delete(PortalEvent).where(PortalEvent.handled_at < utcnow() - KEPT)
    return int(session.execute(gone).rowcount)  # type: ignore[attr-defined]


def _named(runtime: Runtime, portal_id: int) -> _Named | None:
    """Unhandled events, folded: the objects named first, as many as one request brings."""
    unhandled = (PortalEvent.portal_id == portal_id, PortalEvent.handled_at.is_(None))
    entity = _entity().label("entity")
    with runtime.sessions() as session:
        if session.get_one(Portal, portal_id).state != PortalState.ACTIVE:
            return None
        newest = session.scalar(sa.select(sa.func.max(PortalEvent.id)).where(*unhandled))
        if newest is None:
            return None
        up_to = (*unhandled, PortalEvent.id <= newest)
        objects = session.execute(
            sa.select(
                entity,
                PortalEvent.object_id,
                sa.func.bool_or(PortalEvent.event.like("%DELETE")),
            )
            .where(*up_to, entity.is_not(None), PortalEvent.object_id.is_not(None))
            .group_by(entity, PortalEvent.object_id)
            .order_by(sa.func.min(PortalEvent.id))
            .limit(_OBJECTS)
        ).all()
        fields = sa.select(
            sa.exists().where(*up_to, PortalEvent.event.regexp_match(_whole(_FIELD_EVENT)))
        )
        named = _Named(newest, fields=bool(session.scalar(fields)))
    for kind, object_id, deleted in objects:
        named.ids[kind.lower()].append(object_id)
        if deleted:
            named.deleted[kind.lower()].add(object_id)
    return named


def _apply(runtime: Runtime, portal_id: int, named: _Named) -> int:
    with runtime.sessions() as session:
        portal = session.get_one(Portal, portal_id)
    client = connect(runtime, portal, priority=Priority.PROMPT)
    read = None
    if named.fields:
        read = dictionaries.read(client, language=portal.language, count=False)
    with transaction(runtime.sessions) as session:
        if read is not None:
            dictionaries.store(session, portal_id, read)
        kept = keeping.rule_of(session, portal_id)
        skipped = [name for name in named.ids if not kept.reads(name)]
        unread = _entity().in_([name.upper() for name in skipped])
        nameless = _entity().is_(None) | PortalEvent.object_id.is_(None)
        _mark(session, portal_id, named, nameless | unread)
    for name in skipped:
        del named.ids[name]
    for name, ids in named.ids.items():
        with runtime.sessions() as session:
            fields = dictionaries.custom_fields(session, portal_id, name)
        _reread(runtime, client, portal_id, BY_NAME[name], sorted(ids), fields, named)
    return sum(map(len, named.ids.values()))


def _reread(
    runtime: Runtime,
    client: Client,
    portal_id: int,
    spec: EntitySpec,
    ids: Sequence[int],
    fields: dict[str, FieldType],
    named: _Named,
) -> None:
    """Bring the mirror up to these objects; of clients that are gone, their cards as well."""
    rows = read_by_ids(client, spec, ids, fields)
    there = [int(row[spec.id_field]) for row in rows]
    with transaction(runtime.sessions) as session:
        store_cards(session, portal_id, spec, rows, fields, note_clients=True)
    of = (runtime.sessions, client, portal_id, spec)
    gone = (named.deleted[spec.name] - set(there)).union(merges.taken_away(*of, there))
    followed = merges.follow(*of, gone)
    with transaction(runtime.sessions) as session:
        bury(session, portal_id, spec, sorted(gone))
        merges.store(session, portal_id, followed)
        these = PortalEvent.object_id == sa.any_(sa.literal(ids, sa.ARRAY(sa.BigInteger)))
        _mark(session, portal_id, named, (_entity() == spec.name.upper()) & these)


def _mark(session: Session, portal_id: int, named: _Named, which: sa.ColumnElement[bool]) -> None:
    """Say that events are handled. One that comes later is of a later change: it stays."""
    session.execute(
        sa.update(PortalEvent)
        .where(
            PortalEvent.portal_id == portal_id,
            PortalEvent.handled_at.is_(None),
            PortalEvent.id <= named.newest,
            which,
        )
        .values(handled_at=utcnow())
    )


def _entity() -> sa.ColumnElement[str | None]:
    """CONTACT, COMPANY, LEAD or DEAL for an event about a card, NULL for others."""
    return sa.func.substring(PortalEvent.event, _whole(_CARD_EVENT))


def _whole(pattern: re.Pattern[str]) -> str:
    return f"^{pattern.pattern}$"
