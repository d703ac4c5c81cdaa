"""Rows that did not fit, read anew: those that fit now leave the quarantine, those that are gone too.

A card that isn't listed may be hidden from us: whether it is gone is for the nightly check to find out.
"""

from __future__ import annotations

import logging
from collections import defaultdict
from collections.abc import Collection, Sequence
from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm import Session

from core.database import transaction
from core.errors import ServiceError
from core.runtime import Runtime
from integration import portals
from integration.bitrix.budgets import Priority
from integration.bitrix.client import Client
from integration.connect import connect
from integration.models import Portal, PortalState, QuarantinedRow
from integration.sync import dictionaries
from integration.sync.entities import BY_NAME, CATALOG
from integration.sync.lines import Rows
from integration.sync.runs import ask_anew
from integration.sync.sources import SOURCES, read_by_ids, store_cards

log = logging.getLogger(__name__)

AT_ONCE = 500
Named = tuple[str, str]
"""A row by its entity and number."""
_SOURCES = {source.name: source for source in SOURCES}
_LINES: dict[str, tuple[str, dict[str, Any]]] = {
    "deal_history": ("crm.stagehistory.list", {"entityTypeId": 2}),
    "lead_history": ("crm.stagehistory.list", {"entityTypeId": 1}),
    "activity": ("crm.activity.list", {"select": ["*"]}),
}


def retry(runtime: Runtime, portal_id: int, rows: Collection[Named] | None = None) -> int:
    """Read the quarantined rows again, or those named; how many of them have left."""
    with runtime.sessions() as session:
        portal = session.get_one(Portal, portal_id)
        asked = _asked(session, portal_id, rows)
    if not asked or portal.state != PortalState.ACTIVE:
        return 0
    client = connect(runtime, portal, priority=Priority.PROMPT)
    try:
        for name, ids in asked.items():
            _retry_entity(runtime, client, portal_id, name, ids)
    except ServiceError as error:
        portals.note(runtime.sessions, portal_id, error)
        log.warning("rows not read again", extra={"portal": portal_id, "reason": error.detail})
    with runtime.sessions() as session:
        left = _asked(session, portal_id, rows)
    return sum(map(len, asked.values())) - sum(map(len, left.values()))


def _asked(
    session: Session, portal_id: int, rows: Collection[Named] | None
) -> dict[str, list[str]]:
    query = sa.select(QuarantinedRow).where(QuarantinedRow.portal_id == portal_id)
    if rows is not None:
        named = sa.tuple_(QuarantinedRow.entity, QuarantinedRow.bitrix_id)
        query = query.where(named.in_(list(rows)))
    found: dict[str, list[str]] = defaultdict(list)
    for row in session.scalars(query.order_by(QuarantinedRow.seen_at).limit(AT_ONCE)):
        found[row.entity].append(row.bitrix_id)
    return found


def _retry_entity(
    runtime: Runtime, client: Client, portal_id: int, name: str, keys: Sequence[str]
) -> None:
    """A row without a readable id can't be asked for: the next reading will name it again."""
    if name in CATALOG:  # no list of ids of all its blocks: it is read whole
        with transaction(runtime.sessions) as session:
            ask_anew(session, portal_id, CATALOG)
        return
    ids = sorted(int(key) for key in keys if key.isdigit())
    rows = _read(runtime, client, portal_id, name, ids) if ids else []
    seen = {str(row.get("id") or row.get("ID")) for row in rows}
    absent = [key for key in keys if key not in seen]
    with transaction(runtime.sessions) as session:
        fields = dictionaries.custom_fields(session, portal_id, name) if name in BY_NAME else {}
        if name in BY_NAME:
            store_cards(session, portal_id, BY_NAME[name], rows, fields, note_clients=True)
        elif rows:
            source = _SOURCES[name]
            source.put(session, portal_id, source.prepare(rows, fields), True)
        session.execute(
            sa.delete(QuarantinedRow).where(
                QuarantinedRow.portal_id == portal_id,
                QuarantinedRow.entity == name,
                QuarantinedRow.bitrix_id.in_(absent),
            )
        )


def _read(runtime: Runtime, client: Client, portal_id: int, name: str, ids: Sequence[int]) -> Rows:
    if name in BY_NAME:
        with runtime.sessions() as session:
            fields = dictionaries.custom_fields(session, portal_id, name)
        return read_by_ids(client, BY_NAME[name], ids, fields)
    method, params = _LINES[name]
    rows = []
    for page in client.list_all(
        method,
        params={**params, "filter": {"@ID": list(ids)}},
        items_path=("items",) if method == "crm.stagehistory.list" else (),
    ):
        rows += page.rows
    return rows
