"""Statements that are built once and said many times: putting one together takes longer than its work in the database."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql
from sqlalchemy.orm import Session

from core.database import document

_DIALECT = postgresql.psycopg.dialect()  # type: ignore[no-untyped-call]


class Prepared:
    """A statement as the driver takes it; what differs from time to time are its named parameters."""

    def __init__(self, statement: sa.Executable) -> None:
        compiled = statement.compile(  # type: ignore[attr-defined]
            dialect=_DIALECT, compile_kwargs={"render_postcompile": True}
        )
        self._text = str(compiled)
        self._given: dict[str, Any] = dict(compiled.params)

    def run(self, session: Session, **values: Any) -> list[Any]:
        """Its rows with these values; none if it returns none."""
        found = session.connection().exec_driver_sql(self._text, {**self._given, **values})
        return list(found) if found.returns_rows else []


def given(name: str, kind: Any) -> sa.BindParameter[Any]:
    """A parameter that is named in `run`."""
    return sa.bindparam(name, None, type_=kind)


def rows_of(name: str, **types: Any) -> Any:
    """A FROM item of the rows given as the parameter `rows`, see `as_rows`: one however many there are."""
    text = sa.cast(given("rows", sa.Text()), sa.JSON)
    columns = [sa.column(column, kind) for column, kind in types.items()]
    found = sa.func.json_to_recordset(text).table_valued(*columns)
    return found.render_derived(name=name, with_types=True)


def as_rows(rows: Iterable[Mapping[str, Any]]) -> str:
    """The value of `rows`."""
    return document(rows)
