"""Puts a page of mapped rows into the mirror: only what changed, with its addresses and links.

The rows travel as one JSON document into one upsert; a row whose hash is the stored one is not
touched. All of it runs in the caller's transaction, together with the cursor.
"""

from __future__ import annotations

import hashlib
import struct
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cache

import orjson
import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session

from core.database import id_array, recordset
from integration.mirror import Address, Deal, DealContact
from integration.models import ChangedClient, QuarantinedRow
from integration.rules.mapping import MirrorRow
from integration.sync import prices, product_prices, touched
from integration.sync.entities import DEALS, EntitySpec

_HASH = struct.Struct(">q")
_COMPUTED = {  # columns the database fills itself
    "base_amount": prices.amount_sql("incoming"),
    "cost": prices.cost_sql("incoming"),
}


@dataclass(frozen=True, slots=True)
class Page:
    """Mapped rows as the documents they travel as: made ahead, without the database.

    `parts` holds the rows of what a card has many of: addresses, or the contacts of a deal; `products`
    the product rows of deals.
    """

    size: int
    document: str
    parts: str
    products: str

    @classmethod
    def of(cls, rows: Iterable[MirrorRow]) -> Page:
        """The last row of each id counts. Each is written down at once, while it is in the processor's cache."""
        written: dict[int, tuple[bytes, bytes, bytes]] = {}
        for row in rows:
            parts = orjson.dumps(row.addresses or _links(row))[1:-1]
            written[row.bitrix_id] = _line(row, parts), parts, _products(row)
        documents = (_array(each[place] for each in written.values()) for place in range(3))
        return cls(len(written), *documents)


def store_page(
    session: Session, portal_id: int, spec: EntitySpec, page: Page, *, note_clients: bool
) -> int:
    """Upsert the rows; returns how many were new or different.

    `note_clients`: remember which cards changed and whose deals did, to look at those again only. The
    first run is followed by a full recompute and needs no such list.
    """
    if not page.size:
        return 0
    parameters = {"portal_id": portal_id, "rows": page.document}
    if note_clients and spec.table is Deal:
        session.execute(_touched_clients(), parameters)
    if spec.table is Deal:
        product_prices.store_rows(session, portal_id, page.products)
    put = session.execute(_upsert(spec, noting=note_clients), parameters).all()
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
    session.execute(
        _FITTING,
        {
            "portal_id": portal_id,
            "entity": entity,
            "ids": orjson.dumps([i for i in seen if i not in reasons]).decode(),
        },
    )
    rows = [
        {"portal_id": portal_id, "entity": entity, "bitrix_id": bitrix_id, "reason": reason[:500]}
        for bitrix_id, reason in reasons.items()
    ]
    if rows:
        put = insert(QuarantinedRow).values(rows)
        session.execute(
            put.on_conflict_do_update(
                index_elements=["portal_id", "entity", "bitrix_id"],
                set_={"reason": put.excluded.reason, "seen_at": sa.func.now()},
            )
        )
    return len(rows)


_FITTING = sa.text(
    f"DELETE FROM {QuarantinedRow.__tablename__} WHERE portal_id = :portal_id AND entity = :entity "
    "AND bitrix_id IN (SELECT json_array_elements_text(CAST(:ids AS json)))"
)


@cache
def _columns(spec: EntitySpec) -> tuple[str, ...]:
    outside = {"portal_id", "bitrix_id", "row_hash", "synced_at", "deleted_at", *_COMPUTED}
    return tuple(c.name for c in spec.columns if c.name not in outside)


def _links(row: MirrorRow) -> list[dict[str, int]]:
    return [
        {"deal_id": row.bitrix_id, "contact_id": contact_id, "position": position}
        for position, contact_id in enumerate(row.contact_ids)
    ]


def _line(row: MirrorRow, parts: bytes) -> bytes:
    """The row as JSON, with a 64-bit hash of all it brings: it tells a re-read row from a changed one."""
    content = orjson.dumps(row.values, option=orjson.OPT_SORT_KEYS)
    (row_hash,) = _HASH.unpack(hashlib.blake2b(content + parts, digest_size=_HASH.size).digest())
    return b'%b,"bitrix_id":%d,"row_hash":%d}' % (content[:-1], row.bitrix_id, row_hash)


def _array(items: Iterable[bytes]) -> str:
    return f"[{b','.join(filter(None, items)).decode()}]"


def _products(row: MirrorRow) -> bytes:
    if row.products is None:
        return b""
    known = {"id": row.bitrix_id, "hash": row.values["products_hash"], "rows": row.products}
    return orjson.dumps({**known, "at": row.values["updated_at"]})


@cache
def _upsert(spec: EntitySpec, *, noting: bool) -> sa.TextClause:
    """Returns (bitrix_id, whether the row is new) of every row it wrote."""
    table, columns = spec.table_name, ("bitrix_id", "row_hash", *_columns(spec))
    computed = {c.name: _COMPUTED[c.name] for c in spec.columns if c.name in _COMPUTED}
    listed, selected = ", ".join([*columns, *computed]), ", ".join([*columns, *computed.values()])
    assigned = ", ".join(f"{name} = excluded.{name}" for name in [*columns[1:], *computed])
    upsert = (  # names are of our own tables
        f"INSERT INTO {table} (portal_id, {listed}) "
        f"SELECT :portal_id, {selected} FROM {recordset(spec.columns, columns)} "
        f"ON CONFLICT (portal_id, bitrix_id) DO UPDATE SET {assigned}, "
        "synced_at = now(), deleted_at = NULL "
        f"WHERE ({table}.row_hash <> excluded.row_hash OR {table}.deleted_at IS NOT NULL) "
        f"AND ({table}.updated_at IS NULL OR excluded.updated_at >= {table}.updated_at"
        f" OR {table}.updated_at > now() + interval '10 minutes') "  # by a clock since set back
        f"RETURNING {table}.bitrix_id, {table}.xmax = 0 AS fresh"
    )
    return sa.text(touched.noting_cards(upsert, spec.name, table) if noting else upsert)


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
        "SELECT :portal_id, kind, id FROM clients WHERE id IS NOT NULL"
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
    parameters = {"portal_id": portal_id, "entity": spec.name}
    gone, put = _CONTACTS if spec.links_contacts else _ADDRESSES
    if known:
        session.execute(gone, {**parameters, "ids": id_array(known)})
    session.execute(put, {**parameters, "ids": id_array(changed), "rows": page.parts})


def _parts(table: type[Address | DealContact], card: str, *fixed: str) -> tuple[sa.TextClause, ...]:
    """How to delete the parts of some cards, and how to put those of a page; `fixed` are parameters."""
    columns = list(table.__table__.columns)
    names = [column.name for column in columns if column.name not in fixed]
    given = [f":{name}" for name in fixed]
    ids = "ANY(CAST(:ids AS bigint[]))"
    return (  # names are of our own tables
        sa.text(
            f"DELETE FROM {table.__tablename__} WHERE {card} = {ids}"
            + "".join(f" AND {name} = :{name}" for name in fixed)
        ),
        sa.text(
            f"INSERT INTO {table.__tablename__} ({', '.join([*fixed, *names])}) "
            f"SELECT {', '.join([*given, *names])} FROM {recordset(columns, names)} "
            f"WHERE incoming.{card} = {ids}"
        ),
    )


_ADDRESSES = _parts(Address, "entity_id", "portal_id", "entity")
_CONTACTS = _parts(DealContact, "deal_id", "portal_id")


_NOTE_CONTACTS = (
    sa.text(  # a join: before the table's first ANALYZE, `= ANY` would compare row by id
        f"INSERT INTO {ChangedClient.__tablename__} (portal_id, kind, client_id) "
        "SELECT DISTINCT l.portal_id, 'contact', l.contact_id "
        "FROM unnest(CAST(:ids AS bigint[])) AS deal(id) "
        f"JOIN {DealContact.__tablename__} l ON l.portal_id = :portal_id AND l.deal_id = deal.id"
    )
)


def _note_contacts(session: Session, portal_id: int, deal_ids: list[int]) -> None:
    session.execute(_NOTE_CONTACTS, {"portal_id": portal_id, "ids": id_array(deal_ids)})
