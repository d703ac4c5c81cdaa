"""Clients that a merge took away, found and followed at once instead of at night.

A merge deletes the loser and moves its deals to the winner without moving their stamps, so no incremental
run sees them, and the loser's deletion may not be told either. Two things give it away: the winner was
changed, and it has all addresses of the loser. So clients that share all theirs with one just changed are
asked for by id; what was linked here to one that is gone is read again with it.
"""

from __future__ import annotations

import logging
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime

import sqlalchemy as sa
from sqlalchemy.orm import Session

from core.database import SessionFactory, any_of, transaction
from core.runtime import Runtime
from integration import keeping, portals
from integration.bitrix.budgets import Priority
from integration.bitrix.client import Client
from integration.bitrix.errors import BitrixError
from integration.connect import connect
from integration.mirror import Address, Deal, DealContact
from integration.models import Portal
from integration.rules.custom import FieldType
from integration.sync import dictionaries, vanished
from integration.sync.burying import CLIENTS, bury
from integration.sync.entities import CARDS, EntitySpec
from integration.sync.lines import Rows
from integration.sync.sources import read_by_ids, store_cards

log = logging.getLogger(__name__)

ASKED_AT_ONCE = 500
FOLLOWED_AT_ONCE = 5000


@dataclass(frozen=True, slots=True)
class Followed:
    """Cards of one entity as they are now that their client is gone."""

    spec: EntitySpec
    rows: Rows
    fields: dict[str, FieldType]


def look(runtime: Runtime, portal_id: int, since: datetime) -> int:
    """Bury clients merged into those that changed since then, and follow their cards; how many.

    What it can't find out is left to the nightly check.
    """
    sessions, buried = runtime.sessions, 0
    with sessions() as session:
        portal = session.get_one(Portal, portal_id)
    client = connect(runtime, portal, priority=Priority.PROMPT)
    try:
        for spec in CLIENTS:
            with sessions() as session:
                changed = _changed(session, portal_id, spec, since)
            gone = taken_away(sessions, client, portal_id, spec, changed)
            followed = follow(sessions, client, portal_id, spec, gone)
            if gone:
                with transaction(sessions) as session:
                    buried += len(bury(session, portal_id, spec, gone))
                    store(session, portal_id, followed)
    except BitrixError as error:
        portals.note(sessions, portal_id, error)
        reason = type(error).__name__
        log.warning("merges not looked for", extra={"portal": portal_id, "reason": reason})
    return buried


def taken_away(
    sessions: SessionFactory,
    client: Client,
    portal_id: int,
    spec: EntitySpec,
    changed: Sequence[int],
) -> list[int]:
    """Clients whose addresses all belong to one of the changed, and that the portal has no more."""
    if spec not in CLIENTS or not changed:
        return []
    with sessions() as session:
        suspects = _suspects(session, portal_id, spec, changed)
    if not suspects:
        return []
    listed = {int(row[spec.id_field]) for row in read_by_ids(client, spec, suspects, {})}
    unlisted = [each for each in suspects if each not in listed]
    return vanished.not_found(client, spec, unlisted) if unlisted else []


def follow(
    sessions: SessionFactory,
    client: Client,
    portal_id: int,
    spec: EntitySpec,
    gone: Iterable[int],
) -> list[Followed]:
    """What was linked here to clients that are gone, read again; nothing for what is no client."""
    ids = sorted(gone)
    if spec not in CLIENTS or not ids:
        return []
    with sessions() as session:
        kept = keeping.rule_of(session, portal_id)
        linked = {
            each: _linked(session, portal_id, each, spec, ids)
            for each in CARDS
            if kept.reads(each.name)
        }
        fields = {
            each: dictionaries.custom_fields(session, portal_id, each.name)
            for each, found in linked.items()
            if found
        }
    return [
        Followed(each, read_by_ids(client, each, linked[each], fields[each]), fields[each])
        for each in fields
    ]


def store(session: Session, portal_id: int, followed: Sequence[Followed]) -> None:
    """Put what was read into the mirror; the clients of its deals are recomputed."""
    for each in followed:
        store_cards(session, portal_id, each.spec, each.rows, each.fields, note_clients=True)


def _changed(session: Session, portal_id: int, spec: EntitySpec, since: datetime) -> list[int]:
    table = spec.table
    query = sa.select(table.bitrix_id).where(
        table.portal_id == portal_id, table.synced_at >= since, table.deleted_at.is_(None)
    )
    return list(session.scalars(query))


def _suspects(
    session: Session, portal_id: int, spec: EntitySpec, changed: Sequence[int]
) -> list[int]:
    """Living clients all of whose phones and e-mails one changed client has too."""
    lost, won, own = (sa.orm.aliased(Address) for _ in range(3))
    table = spec.table
    reachable = ("phone", "email")
    number = sa.select(sa.func.count(sa.distinct(own.normalised))).where(
        own.portal_id == portal_id,
        own.entity == spec.name,
        own.entity_id == lost.entity_id,
        own.kind.in_(reachable),
    )
    same = (lost.portal_id == portal_id) & (lost.entity == won.entity)
    same &= (lost.kind == won.kind) & (lost.normalised == won.normalised)
    alive = (table.portal_id == portal_id) & (table.bitrix_id == lost.entity_id)
    query = (
        sa.select(lost.entity_id)
        .select_from(won)
        .join(lost, same & (lost.entity_id != won.entity_id))
        .join(table, alive & table.deleted_at.is_(None))
        .where(
            won.portal_id == portal_id,
            won.entity == spec.name,
            won.entity_id == any_of(changed),
            won.kind.in_(reachable),
        )
        .group_by(lost.entity_id, won.entity_id)
        .having(sa.func.count(sa.distinct(lost.normalised)) == number.scalar_subquery())
        .limit(ASKED_AT_ONCE)
    )
    return sorted(set(session.scalars(query)))


def _linked(
    session: Session, portal_id: int, linking: EntitySpec, spec: EntitySpec, ids: Sequence[int]
) -> list[int]:
    """Living cards of one entity that name one of these clients."""
    table = linking.table
    column = getattr(table, f"{spec.name}_id", None)
    if column is None:
        return []
    names = column == any_of(ids)
    if table is Deal and spec.name == "contact":
        named = sa.select(DealContact.deal_id).where(
            DealContact.portal_id == portal_id, DealContact.contact_id == any_of(ids)
        )
        names |= table.bitrix_id.in_(named)
    query = sa.select(table.bitrix_id).where(
        table.portal_id == portal_id, table.deleted_at.is_(None), names
    )
    return sorted(session.scalars(query.limit(FOLLOWED_AT_ONCE)))
