"""Puts a page of mapped rows into the mirror: only what changed, with its addresses and links.

The rows travel as one JSON document into one upsert; a row whose hash is the stored one is not
touched. All of it runs in the caller's transaction, together with the cursor.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cache

import orjson
import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session

from core.database import any_of, recordset
from integration.mirror import Deal, DealContact
from integration.models import ChangedClient, QuarantinedRow
from integration.rules.mapping import MirrorRow
from integration.sync import prices
from integration.sync.entities import DEALS, EntitySpec

_COMPUTED = {"base_amount": prices.amount_sql("incoming")}  # columns the database fills itself


@dataclass(frozen=True, slots=True)
class Page:
    """Mapped rows as the documents they travel as: made ahead, without the database.

    `parts` holds what a card has many of: addresses, or the contacts of a deal.
    """

    size: int
    document: str
    parts: str

    @classmethod
    def of(cls, rows: Iterable[MirrorRow]) -> Page:
        """The last row of each id counts."""
        latest = {row.bitrix_id: row for row in rows}
        lines: list[str] = []
        parts: list[str] = []
        for row in latest.values():
            found = row.addresses or row.contact_ids
            part = orjson.dumps(found).decode() if found else ""
            if part:
                parts.append(f'{{"id":{row.bitrix_id},"parts":{part}}}')
            lines.append(_line(row, part))
        return cls(len(latest), f"[{','.join(lines)}]", f"[{','.join(parts)}]")


def store_page(
    session: Session, portal_id: int, spec: EntitySpec, page: Page, *, note_clients: bool
) -> int:
    """Upsert the rows; returns how many were new or different.

    `note_clients`: remember whose deals changed, for a recompute of those clients only. A full run
    is followed by a full recompute and needs no such list.
    """
    if not page.size:
        return 0
    parameters = {"portal_id": portal_id, "rows": page.document}
    if note_clients and spec.table is Deal:
        session.execute(_touched_clients(), parameters)
    put = session.execute(_upsert(spec), parameters).all()
    if put:
        changed = [bitrix_id for bitrix_id, _ in put]
        known = [bitrix_id for bitrix_id, fresh in put if not fresh]
        _replace_parts(session, portal_id, spec, page, changed, known)
        if note_clients and spec.links_contacts:
            _note_contacts(session, portal_id, changed)
    return len(put)


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


def _line(row: MirrorRow, parts: str) -> str:
    """The row as JSON, with a 64-bit hash of all it brings: it tells a re-read row from a changed one."""
    content = orjson.dumps(row.values, option=orjson.OPT_SORT_KEYS)
    digest = hashlib.blake2b(content, digest_size=8)
    digest.update(parts.encode())
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


def _replace_parts(
    session: Session,
    portal_id: int,
    spec: EntitySpec,
    page: Page,
    changed: list[int],
    known: list[int],
) -> None:
    """Addresses or contacts of the changed rows; `known` are those of them that may have some already."""
    parameters = {"portal_id": portal_id, "entity": spec.name, "ids": known}
    gone, put = _CONTACTS if spec.links_contacts else _ADDRESSES
    if known:
        session.execute(gone, parameters)
    session.execute(put, {**parameters, "ids": changed, "rows": page.parts})


def _parts(table: str, key: str, columns: str, selected: str, items: str) -> sa.TextClause:
    return sa.text(  # names are of our own tables
        f"INSERT INTO {table} (portal_id, {key}, {columns}) SELECT :portal_id, {selected} "
        "FROM json_to_recordset(CAST(:rows AS json)) AS card(id bigint, parts json) "
        f"CROSS JOIN LATERAL {items} WHERE card.id = ANY(:ids)"
    )


_LISTED = "kind, position, value_type, value, normalised, problem"
_ADDRESSES = (
    sa.text(
        "DELETE FROM addresses WHERE portal_id = :portal_id AND entity = :entity"
        " AND entity_id = ANY(:ids)"
    ),
    _parts(
        *("addresses", "entity, entity_id", _LISTED, f":entity, card.id, {_LISTED}"),
        "json_to_recordset(card.parts) AS item(kind text, position smallint, value_type text,"
        " value text, normalised text, problem text)",
    ),
)
_CONTACTS = (
    sa.text("DELETE FROM deal_contacts WHERE portal_id = :portal_id AND deal_id = ANY(:ids)"),
    _parts(
        *("deal_contacts", "deal_id", "contact_id, position"),
        "card.id, CAST(item.value AS bigint), item.ordinality - 1",
        "json_array_elements_text(card.parts) WITH ORDINALITY AS item",
    ),
)


def _note_contacts(session: Session, portal_id: int, deal_ids: list[int]) -> None:
    contacts = sa.select(
        sa.literal(portal_id), sa.literal("contact"), DealContact.contact_id
    ).where(DealContact.portal_id == portal_id, DealContact.deal_id == any_of(deal_ids))
    put = insert(ChangedClient).from_select(["portal_id", "kind", "client_id"], contacts.distinct())
    session.execute(put.on_conflict_do_nothing())
