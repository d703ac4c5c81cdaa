"""The database: declarative base, engine, sessions, and a way for many rows at once."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

import orjson
import sqlalchemy as sa
from sqlalchemy.dialects import postgresql
from sqlalchemy.orm import DeclarativeBase, Session, sessionmaker
from sqlalchemy.sql.elements import KeyedColumnElement

NAMING = {
    "ix": "ix_%(table_name)s_%(column_0_N_name)s",
    "uq": "uq_%(table_name)s_%(column_0_N_name)s",
    "ck": "ck_%(table_name)s_%(constraint_name)s",
    "fk": "fk_%(table_name)s_%(column_0_name)s_%(referred_table_name)s",
    "pk": "pk_%(table_name)s",
}


class Base(DeclarativeBase):
    """Parent of every table."""

    metadata = sa.MetaData(naming_convention=NAMING)


SessionFactory = sessionmaker[Session]
_DIALECT: sa.Dialect = postgresql.dialect()  # type: ignore[no-untyped-call]


def make_engine(database_url: str) -> sa.Engine:
    """An engine on psycopg 3 whatever spelling the URL has (postgres://, postgresql://)."""
    url = sa.make_url(database_url.replace("postgres://", "postgresql://", 1))
    return sa.create_engine(
        url.set(drivername="postgresql+psycopg"),
        pool_pre_ping=True,
        pool_size=5,
        max_overflow=10,
        hide_parameters=True,  # values of rows are personal data: not for errors, so not for logs
    )


def make_sessions(engine: sa.Engine) -> SessionFactory:
    """The factory every process keeps for its life."""
    return sessionmaker(engine, expire_on_commit=False)


@contextmanager
def transaction(sessions: SessionFactory) -> Iterator[Session]:
    """One session, committed at the end, rolled back on any error."""
    with sessions() as session, session.begin():
        yield session


def recordset(columns: Iterable[KeyedColumnElement[Any]], names: Sequence[str]) -> str:
    """A FROM item: the rows of the statement's parameter `rows`, typed as these columns are.

    One `document` instead of thousands of parameters: the server does the typing, and a page of rows
    costs one round trip.
    """
    types = {column.key: column.type.compile(_DIALECT) for column in columns}
    listed = ", ".join(f'"{name}" {types[name]}' for name in names)
    return f"json_to_recordset(CAST(:rows AS json)) AS incoming({listed})"


def any_of(ids: Iterable[int]) -> sa.CollectionAggregate[Any]:
    """For `column == any_of(ids)`: the ids travel as one text, as an array of parameters costs twenty times more."""
    listed = "{" + ",".join(map(str, ids)) + "}"
    return sa.any_(sa.cast(sa.literal(listed, sa.Text), sa.ARRAY(sa.BigInteger)))


def document(rows: Iterable[Mapping[str, Any]]) -> str:
    """Rows for `recordset`; texts hold no NUL, which PostgreSQL refuses."""
    return orjson.dumps(list(rows)).decode()
