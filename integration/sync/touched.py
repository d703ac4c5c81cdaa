"""Notes cards to be looked at again, in the transaction that changes what conditions ask of them.

A card is touched when its row changes, when a deal or a lead that names it does, before or after, and when
an activity or a line of stage history is added to it or to a deal of it. Clients of changed deals are
noted as `ChangedClient`, and as cards once they are counted (`segments.pipeline`).
"""

from __future__ import annotations

from collections.abc import Iterable

import sqlalchemy as sa
from sqlalchemy.orm import Session

from core.database import id_array
from integration.mirror import Activity, Deal, DealContact, StageMove
from integration.models import ChangedCard

_CARDS = ("contact", "company", "lead")
_NAMED = {"lead": ("contact", "company"), "deal": ("lead",)}  # cards that a row of the mirror names
_NOTE = f"INSERT INTO {ChangedCard.__tablename__} (portal_id, kind, card_id)"
_THESE = sa.text(f"{_NOTE} SELECT :portal_id, :kind, unnest(CAST(:ids AS bigint[]))")
_OWNERS = {  # owner types as the portal numbers them: 1 lead, 2 deal, 3 contact, 4 company
    Activity: (
        "SELECT owner_type, owner_id FROM put UNION SELECT was.owner_type, was.owner_id"
        f" FROM {Activity.__tablename__} was JOIN put ON was.bitrix_id = put.bitrix_id"
        " WHERE was.portal_id = :portal_id"
    ),
    StageMove: "SELECT DISTINCT CASE entity WHEN 'lead' THEN 1 ELSE 2 END, owner_id FROM put",
}
_OF_DEAL = f"FROM owners JOIN {Deal.__tablename__} d ON d.bitrix_id = owners.id"
_DEALS = "WHERE owners.type = 2 AND d.portal_id = :portal_id"


def note(session: Session, portal_id: int, kind: str, ids: Iterable[int]) -> None:
    """These cards themselves are to be looked at again; nothing for what is no card of a person."""
    if kind in _CARDS and (listed := sorted(ids)):
        session.execute(_THESE, {"portal_id": portal_id, "kind": kind, "ids": id_array(listed)})


def note_named(session: Session, portal_id: int, kind: str, table: str, ids: Iterable[int]) -> None:
    """Cards that these rows of leads or deals name, as the rows are now."""
    for other in _NAMED.get(kind, ()):
        statement = sa.text(  # names are of our own tables
            f"{_NOTE} SELECT DISTINCT :portal_id, '{other}', {other}_id FROM {table}"
            " WHERE portal_id = :portal_id AND bitrix_id = ANY(CAST(:ids AS bigint[]))"
            f" AND {other}_id IS NOT NULL"
        )
        session.execute(statement, {"portal_id": portal_id, "ids": id_array(ids)})


def noting_cards(upsert: str, kind: str, table: str) -> str:
    """The upsert of cards that also notes them, and whom they name now and named before.

    A statement sees tables as they were before it: so the former names are there.
    """
    named = _NAMED.get(kind, ())
    columns = "".join(f", {other}_id" for other in named)
    found = [f"SELECT '{kind}' AS kind, bitrix_id AS id FROM put"] if kind in _CARDS else []
    for other in named:
        found += [
            f"SELECT '{other}' AS kind, {other}_id AS id FROM put",
            f"SELECT '{other}', was.{other}_id FROM {table} was JOIN put"
            " ON was.bitrix_id = put.bitrix_id WHERE was.portal_id = :portal_id",
        ]
    if not found:
        return upsert
    return (
        f"WITH put AS ({upsert}{columns}), noted AS ({_noted(' UNION '.join(found))})"
        " SELECT bitrix_id, fresh FROM put"
    )


def noting_owners(upsert: str, table: type[Activity | StageMove]) -> sa.TextClause:
    """The upsert of activities or stage moves that also notes their owners; returns how many it wrote."""
    direct = " ".join(f"WHEN {number} THEN '{kind}'" for number, kind in _DIRECT.items())
    found = [
        f"SELECT CASE type {direct} END AS kind, id FROM owners WHERE type IN (1, 3, 4)",
        *(f"SELECT '{kind}', d.{kind}_id {_OF_DEAL} {_DEALS}" for kind in _CARDS),
        f"SELECT 'contact', l.contact_id FROM owners JOIN {DealContact.__tablename__} l"
        " ON l.deal_id = owners.id WHERE owners.type = 2 AND l.portal_id = :portal_id",
    ]
    return sa.text(
        f"WITH put AS ({upsert}), owners(type, id) AS ({_OWNERS[table]}),"
        f" noted AS ({_noted(' UNION '.join(found))}) SELECT count(*) FROM put"
    )


_DIRECT = {1: "lead", 3: "contact", 4: "company"}


def _noted(found: str) -> str:
    return f"{_NOTE} SELECT :portal_id, kind, id FROM ({found}) touched WHERE id IS NOT NULL"
