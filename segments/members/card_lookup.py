"""Living cards by what a list names them by: ids, normal forms of addresses, names. Many at once."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection
from typing import Any

import orjson
import sqlalchemy as sa
from sqlalchemy.orm import Session

from core.database import any_of
from integration.mirror import Address
from segments.conditions.card_fields import TABLES
from segments.members.lists import Card
from segments.rules.tree import Kind

Found = dict[tuple[str, str], list[Card]]


def by_id(session: Session, portal_id: int, kind: Kind, ids: Collection[int]) -> set[int]:
    """Those of the ids that are living cards."""
    if not ids:
        return set()
    table = TABLES[kind]
    return set(session.scalars(_alive(portal_id, table).where(table.bitrix_id == any_of(ids))))


def by_address(session: Session, portal_id: int, wanted: Collection[tuple[str, str]]) -> Found:
    """Cards with these (kind, normal form), by each."""
    found: Found = defaultdict(list)
    if not wanted:
        return found
    document = orjson.dumps([{"kind": kind, "value": value} for kind, value in wanted]).decode()
    asked = sa.text(
        "SELECT kind, value FROM json_to_recordset(CAST(:wanted AS json)) AS asked(kind text, value text)"
    ).columns(sa.column("kind", sa.Text), sa.column("value", sa.Text))
    rows = asked.bindparams(wanted=document).subquery("asked")
    same = (Address.kind == rows.c.kind) & (Address.normalised == rows.c.value)
    for kind in Kind:
        query = (
            sa.select(Address.kind, Address.normalised, Address.entity_id)
            .join(rows, same)
            .where(
                Address.portal_id == portal_id,
                Address.entity == kind.value,
                Address.entity_id.in_(_alive(portal_id, TABLES[kind])),
            )
            .order_by(Address.entity_id)
        )
        for address_kind, value, card_id in session.execute(query):
            found[address_kind, str(value)].append((kind, card_id))
    return found


def by_name(
    session: Session, portal_id: int, kind: Kind, wanted: Collection[str]
) -> dict[str, list[int]]:
    """Cards by their names in lower case, of persons in either order of the words."""
    found: dict[str, list[int]] = defaultdict(list)
    if not wanted:
        return found
    table = TABLES[kind]
    document = orjson.dumps(list(wanted)).decode()
    asked = sa.select(
        sa.func.json_array_elements_text(sa.cast(sa.literal(document, sa.Text), sa.JSON))
    )
    for name in _names(kind, table):
        query = _alive(portal_id, table).add_columns(name).where(name.in_(asked))
        for card_id, value in session.execute(query.order_by(table.bitrix_id)):
            if card_id not in found[value]:
                found[value].append(card_id)
    return found


def _alive(portal_id: int, table: Any) -> sa.Select[Any]:
    return sa.select(*(table.bitrix_id,)).where(
        table.portal_id == portal_id, table.deleted_at.is_(None)
    )


def _names(kind: Kind, table: Any) -> list[Any]:
    if kind is Kind.COMPANY:
        return [_plain(table.title)]
    first, second, last = table.name, table.second_name, table.last_name
    orders = [(first, last), (last, first), (last, first, second), (first, second, last)]
    return [_plain(sa.func.concat_ws(" ", *order)) for order in orders]


def _plain(name: Any) -> Any:
    return sa.func.lower(sa.func.trim(sa.func.regexp_replace(name, r"\s+", " ", "g")))
