"""A portal's whole `client_metrics` or `client_scores` built aside and swapped in: its own partition of the table.

Filling an empty table and indexing it afterwards takes half the time of inserting into an indexed one,
leaves no dead rows behind, and readers see the old rows until the commit.
"""

from __future__ import annotations

import secrets
from collections.abc import Sequence
from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm import Session

_WAIT_FOR_READERS = "10s"


def replace(
    session: Session, table: sa.Table, portal_id: int, selects: Sequence[sa.Select[Any]]
) -> int:
    """The rows of these selects, of all columns in their order, are the portal's rows of the table from
    the commit on; returns their number.
    """
    fresh = f"{table.name}_{int(portal_id)}_{secrets.token_hex(4)}"
    rows = _build(session, table, portal_id, fresh, selects)
    # A reader that never ends would otherwise make everyone behind us wait as well.
    session.execute(sa.text(f"SET LOCAL lock_timeout = '{_WAIT_FOR_READERS}'"))
    old = _partition(session, table, portal_id)
    if old is not None:
        session.execute(sa.text(f"ALTER TABLE {table.name} DETACH PARTITION {old}"))
        session.execute(sa.text(f"DROP TABLE {old}"))
    session.execute(sa.delete(table).where(table.c.portal_id == portal_id))
    session.execute(
        sa.text(
            f"ALTER TABLE {table.name} ATTACH PARTITION {fresh} FOR VALUES IN ({int(portal_id)})"
        )
    )
    return rows


def _build(
    session: Session, table: sa.Table, portal_id: int, name: str, selects: Sequence[sa.Select[Any]]
) -> int:
    rows = sa.union_all(*(_typed(table, select) for select in selects))
    made = session.execute(sa.CreateTableAs(rows, name))
    required = [c.name for c in table.columns if not c.nullable and not c.primary_key]
    keys = ", ".join(c.name for c in table.primary_key)
    changes = [
        *(f"ALTER {column} SET NOT NULL" for column in required),
        f"ADD PRIMARY KEY ({keys})",
        f"ADD CHECK (portal_id = {int(portal_id)})",  # spares the check of every row at the swap
    ]
    session.execute(sa.text(f"ALTER TABLE {name} {', '.join(changes)}"))
    session.execute(sa.text(f"ANALYZE {name}"))
    number: int = made.rowcount  # type: ignore[attr-defined]
    return number


def _typed(table: sa.Table, select: sa.Select[Any]) -> sa.Select[Any]:
    """A partition's columns must be of the table's types exactly."""
    rows = select.subquery()
    return sa.select(
        *(sa.cast(rows.c[column.name], column.type).label(column.name) for column in table.columns)
    )


def _partition(session: Session, table: sa.Table, portal_id: int) -> str | None:
    """Name of the portal's partition, when it has one."""
    found = sa.text(
        "SELECT child.relname FROM pg_inherits JOIN pg_class child ON child.oid = inhrelid "
        "WHERE inhparent = CAST(:parent AS regclass) AND child.relname ~ :name"
    )
    name: str | None = session.scalar(
        found, {"parent": table.name, "name": f"^{table.name}_{int(portal_id)}_"}
    )
    return name
