"""Puts a page of mapped rows into the mirror: only what changed, with its addresses and links.

The rows travel as one JSON document into one upsert; a row whose hash is the stored one is not
touched. All of it runs in the caller's transaction, together with the cursor.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any

import orjson
import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session

from core.database import copy_rows, recordset
from integration.models import Address, ChangedClient, Deal, DealContact, QuarantinedRow
from integration.rules.mapping import MirrorRow
from integration.sync import prices
from integration.sync.entities import DEALS, EntitySpec

_COMPUTED = {"base_amount": prices.amount_sql("incoming")}  # columns the database fills itself


@dataclass(frozen=True, slots=True)
class Page:
    """Mapped rows by id, and the document they travel as: made ahead, without the database."""

    rows: Mapping[int, MirrorRow]
    document: str

    @classmethod
    def of(cls, rows: Iterable[MirrorRow]) -> Page:
        """The last row of each id counts."""
        latest = {row.bitrix_id: row for row in rows}
        return cls(latest, "[" + ",".join(map(_line, latest.values())) + "]")


def store_page(
    session: Session, portal_id: int, spec: EntitySpec, page: Page, *, note_clients: bool
) -> int:
    """Upsert the rows; returns how many were new or different.

    `note_clients`: remember whose deals changed, for a recompute of those clients only. A full run
    is followed by a full recompute and needs no such list.
    """
    if not page.rows:
        return 0
    parameters = {"portal_id": portal_id, "rows": page.document}
    if note_clients and spec.table is Deal:
        session.execute(_touched_clients(), parameters)
    put = session.execute(_upsert(spec), parameters).all()
    changed = [page.rows[bitrix_id] for bitrix_id, _ in put]
    if changed:
        known = [bitrix_id for bitrix_id, fresh in put if not fresh]
        _replace_addresses(session, portal_id, spec, changed, known)
        if spec.links_contacts:
            _replace_contacts(session, portal_id, changed, known)
            if note_clients:
                _note_contacts(session, portal_id, changed)
    return len(changed)


def quarantine(
    session: Session,
    portal_id: int,
    entity: str,
    seen: Sequence[str],
    problems: Iterable[tuple[str, str]],
) -> int:
    """Remember (bitrix_id, reason) of rows or values that did not fit; returns their number.

    Rows of `seen` that fit now are forgotten.
    """
    reasons = dict(problems)
    table = QuarantinedRow
    fitting = sa.literal([i for i in seen if i not in reasons], sa.ARRAY(sa.Text))
    session.execute(
        sa.delete(table).where(
            table.portal_id == portal_id,
            table.entity == entity,
            table.bitrix_id == sa.any_(fitting),
        )
    )
    rows = [
        {"portal_id": portal_id, "entity": entity, "bitrix_id": bitrix_id, "reason": reason[:500]}
        for bitrix_id, reason in reasons.items()
    ]
    if rows:
        put = insert(table).values(rows)
        session.execute(
            put.on_conflict_do_update(
                index_elements=["portal_id", "entity", "bitrix_id"],
                set_={"reason": put.excluded.reason, "seen_at": sa.func.now()},
            )
        )
    return len(rows)


@cache
def _columns(spec: EntitySpec) -> tuple[str, ...]:
    outside = {"portal_id", "bitrix_id", "row_hash", "synced_at", "deleted_at", *_COMPUTED}
    return tuple(c.name for c in spec.columns if c.name not in outside)


def _line(row: MirrorRow) -> str:
    """The row as JSON, with a 64-bit hash of all it brings: it tells a re-read row from a changed one."""
    content = orjson.dumps(row.values, option=orjson.OPT_SORT_KEYS)
    digest = hashlib.blake2b(content, digest_size=8)
    if row.addresses or row.contact_ids:
        digest.update(orjson.dumps([row.addresses, row.contact_ids]))
    row_hash = int.from_bytes(digest.digest(), "big", signed=True)
    return f'{content[:-1].decode()},"bitrix_id":{row.bitrix_id},"row_hash":{row_hash}}}'


@cache
def _upsert(spec: EntitySpec) -> sa.TextClause:
    """Returns (bitrix_id, whether the row is new) of every row it wrote."""
    table, columns = spec.table_name, ("bitrix_id", "row_hash", *_columns(spec))
    computed = {c.name: _COMPUTED[c.name] for c in spec.columns if c.name in _COMPUTED}
    listed, selected = ", ".join([*columns, *computed]), ", ".join([*columns, *computed.values()])
    assigned = ", ".join(f"{name} = excluded.{name}" for name in [*columns[1:], *computed])
    return sa.text(  # names are of our own tables
        f"INSERT INTO {table} (portal_id, {listed}) "
        f"SELECT :portal_id, {selected} FROM {recordset(spec.columns, columns)} "
        f"ON CONFLICT (portal_id, bitrix_id) DO UPDATE SET {assigned}, "
        "synced_at = now(), deleted_at = NULL "
        f"WHERE ({table}.row_hash <> excluded.row_hash OR {table}.deleted_at IS NOT NULL) "
        f"AND ({table}.updated_at IS NULL OR excluded.updated_at >= {table}.updated_at) "
        "RETURNING bitrix_id, xmax = 0"
    )


@cache
def _touched_clients() -> sa.TextClause:
    """Clients of deals that differ: those they had, and those they have now."""
    named = ("bitrix_id", "row_hash", "contact_id", "company_id")
    return sa.text(
        "WITH differing AS ("
        "  SELECT incoming.bitrix_id, incoming.contact_id, incoming.company_id,"
        "         d.contact_id AS old_contact_id, d.company_id AS old_company_id"
        f"  FROM {recordset(DEALS.columns, named)} LEFT JOIN {Deal.__tablename__} d"
        "    ON d.portal_id = :portal_id AND d.bitrix_id = incoming.bitrix_id"
        "  WHERE d.row_hash IS DISTINCT FROM incoming.row_hash OR d.deleted_at IS NOT NULL"
        "), clients AS ("
        "  SELECT 'contact' AS kind, contact_id AS id FROM differing"
        "  UNION SELECT 'contact', old_contact_id FROM differing"
        "  UNION SELECT 'company', company_id FROM differing"
        "  UNION SELECT 'company', old_company_id FROM differing"
        "  UNION SELECT 'contact', l.contact_id FROM differing"
        f"   JOIN {DealContact.__tablename__} l"
        "     ON l.portal_id = :portal_id AND l.deal_id = differing.bitrix_id"
        f") INSERT INTO {ChangedClient.__tablename__} (portal_id, kind, client_id) "
        "SELECT :portal_id, kind, id FROM clients WHERE id IS NOT NULL "
        "ON CONFLICT DO NOTHING"
    )


def _replace_addresses(
    session: Session,
    portal_id: int,
    spec: EntitySpec,
    rows: Sequence[MirrorRow],
    known: list[int],
) -> None:
    """The addresses of these rows; `known` are those of them that may have some already."""
    if known:
        session.execute(
            sa.delete(Address).where(
                Address.portal_id == portal_id,
                Address.entity == spec.name,
                Address.entity_id == _any(known),
            )
        )
    columns = ("portal_id", "entity", "entity_id", "kind", "position", "value_type")
    copy_rows(
        session,
        Address.__tablename__,
        (*columns, "value", "normalised", "problem"),
        (
            (
                *(portal_id, spec.name, row.bitrix_id, a.kind, a.position, a.value_type),
                *(a.value, a.normalised, a.problem),
            )
            for row in rows
            for a in row.addresses
        ),
    )


def _replace_contacts(
    session: Session, portal_id: int, rows: Sequence[MirrorRow], known: list[int]
) -> None:
    if known:
        session.execute(
            sa.delete(DealContact).where(
                DealContact.portal_id == portal_id, DealContact.deal_id == _any(known)
            )
        )
    copy_rows(
        session,
        DealContact.__tablename__,
        ("portal_id", "deal_id", "contact_id", "position"),
        (
            (portal_id, row.bitrix_id, contact_id, position)
            for row in rows
            for position, contact_id in enumerate(row.contact_ids)
        ),
    )


def _note_contacts(session: Session, portal_id: int, rows: Sequence[MirrorRow]) -> None:
    values = [
        {"portal_id": portal_id, "kind": "contact", "client_id": contact_id}
        for contact_id in {i for row in rows for i in row.contact_ids[1:]}
    ]
    if values:
        session.execute(insert(ChangedClient).values(values).on_conflict_do_nothing())


def _any(ids: list[int]) -> Any:
    return sa.any_(sa.literal(ids, sa.ARRAY(sa.BigInteger)))
