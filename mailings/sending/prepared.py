"""Statements that are built once and said many times: putting one together takes longer than its work in the database."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from typing import Any

import psycopg
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

    def say(self, together: Together, **values: Any) -> psycopg.Cursor[Any]:
        """The same among others; where its rows will be."""
        return together.say(self._text, {**self._given, **values})


class Together:
    """Statements of one transaction that are said one after the other, and answered all at once.

    Each sees what those before it did. The answers are there when the block ends, see `together` and `at_once`.
    """

    def __init__(self, driver: psycopg.Connection[Any]) -> None:
        self._driver = driver

    def say(self, text: str, values: Mapping[str, Any] | None = None) -> psycopg.Cursor[Any]:
        """Where its rows will be."""
        return self._driver.cursor().execute(text, values)


def together(session: Session) -> AbstractContextManager[Together]:
    """One round trip for all that is said in this block, in the session's transaction."""
    driver: Any = session.connection().connection.dbapi_connection
    return at_once(driver)


@contextmanager
def at_once(driver: psycopg.Connection[Any]) -> Iterator[Together]:
    """One round trip for all that is said in this block; on an autocommit connection it is a transaction by itself."""
    try:
        with driver.pipeline():
            yield Together(driver)
    except psycopg.OperationalError as error:
        raise sa.exc.OperationalError(None, None, error) from error


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
