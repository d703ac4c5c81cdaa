"""What a source of a run is: where rows come from, how they are mapped, where they go.

Plain rows, which have neither parts nor a history of their own, share one way into their table.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm import Session

from core.database import Base, document, recordset
from integration.bitrix.client import Client
from integration.mirror import Activity, StageMove
from integration.rules.custom import FieldType
from integration.rules.values import Misfit
from integration.sync import store, touched

Row = Mapping[str, Any]
Rows = Sequence[Row]
Line = Callable[[Row], dict[str, Any]]
_OWNED = {
    Activity: ("bitrix_id", "owner_type", "owner_id"),
    StageMove: ("bitrix_id", "entity", "owner_id"),
}
MISSHAPEN = (ValueError, TypeError, AttributeError, KeyError, ArithmeticError)


@dataclass(frozen=True, slots=True)
class Start:
    """From where a reading goes on: ids above `after_id`; changed since `since`, or all."""

    after_id: int
    since: datetime | None
    expected: int | None
    fields: Mapping[str, FieldType]


@dataclass(frozen=True, slots=True)
class Ready:
    """Rows mapped for their table, with what did not fit: made ahead, without the database."""

    count: int
    last_id: int
    ids: list[str]
    content: Any
    problems: list[tuple[str, str]]


@dataclass(frozen=True, slots=True)
class Stored:
    """What a page changed."""

    changed: int
    quarantined: int


@dataclass(frozen=True)
class Source:
    """One entity of a run.

    `pages` yields non-empty pages by ascending id, `prepare` maps one, `put` stores it in the
    caller's transaction.
    `grows_only`: rows never change, so an incremental run goes on from the last id. `optional`: what
    else is read does without it when the portal won't let us.
    """

    name: str
    id_field: str
    pages: Callable[[Client, Start], Iterator[Rows]]
    prepare: Callable[[Rows, Mapping[str, FieldType]], Ready]
    put: Callable[[Session, int, Ready, bool], Stored]
    grows_only: bool = False
    optional: bool = False


def line_source(
    name: str,
    table: type[Base],
    pages: Callable[[Client, Start], Iterator[Rows]],
    line: Line,
    *,
    id_field: str = "ID",
    grows_only: bool = False,
    optional: bool = False,
) -> Source:
    """A source of plain rows: insert, or replace what differs."""
    statement, noting = upsert(table), None
    if issubclass(table, Activity | StageMove):
        returned = ", ".join(f"{table.__tablename__}.{column}" for column in _OWNED[table])
        noting = touched.noting_owners(upsert(table, returning=returned).text, table)

    def put(session: Session, portal_id: int, ready: Ready, note_clients: bool) -> Stored:
        parameters = {"portal_id": portal_id, "rows": ready.content}
        if noting is not None and note_clients:
            changed = session.scalar(noting, parameters) or 0
        else:
            changed = session.execute(statement, parameters).rowcount  # type: ignore[attr-defined]
        return Stored(
            changed, store.quarantine(session, portal_id, name, ready.ids, ready.problems)
        )

    return Source(name, id_field, pages, preparing(line, id_field), put, grows_only, optional)


def preparing(line: Line, id_field: str) -> Callable[[Rows, Mapping[str, FieldType]], Ready]:
    """What maps the rows of a page by `line`."""

    def prepare(rows: Rows, _fields: Mapping[str, FieldType]) -> Ready:
        lines: dict[int, dict[str, Any]] = {}
        problems: list[tuple[str, str]] = []
        for row in rows:
            try:
                made = line(row)
            except MISSHAPEN as error:
                problems.append((str(row.get(id_field)), reason(error)))
                continue
            lines[made["bitrix_id"]] = made
        ids = [str(row.get(id_field)) for row in rows]
        return Ready(len(rows), last_id(rows, id_field), ids, document(lines.values()), problems)

    return prepare


def reason(error: Exception) -> str:
    """Why a row did not fit."""
    return str(error) if isinstance(error, Misfit) else "the row has another shape"


def last_id(rows: Rows, id_field: str) -> int:
    """The highest id of these rows."""
    return max((int(row[id_field]) for row in rows), default=0)


def upsert(
    table: type[Base],
    selected: Mapping[str, str] | None = None,
    where: str = "true",
    returning: str = "",
) -> sa.TextClause:
    """Insert `incoming` rows of a document, or replace what differs.

    `selected`: SQL in the place of a column as it came; `where`: which of the rows; `returning`: what of
    those written.
    """
    columns = list(table.__table__.columns)
    names = [column.name for column in columns if column.name != "portal_id"]
    keys = {column.name for column in table.__table__.primary_key}
    others = [name for name in names if name not in keys]
    chosen = [(selected or {}).get(name, f"incoming.{name}") for name in names]
    listed, name = ", ".join(names), table.__tablename__
    return sa.text(  # names are of our own tables
        f"INSERT INTO {name} (portal_id, {listed}) "  # noqa: S608
        f"SELECT :portal_id, {', '.join(chosen)} FROM {recordset(columns, names)} WHERE {where} "
        f"ON CONFLICT ({', '.join(keys)}) "
        f"DO UPDATE SET {', '.join(f'{other} = excluded.{other}' for other in others)} "
        f"WHERE ({', '.join(f'{name}.{other}' for other in others)}) "
        f"IS DISTINCT FROM ({', '.join(f'excluded.{other}' for other in others)})"
        + (f" RETURNING {returning}" if returning else "")
    )
