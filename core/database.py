"""The database: declarative base, engine, sessions, and a way for many rows at once."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import cache
from typing import Any, TypeVar

import orjson
import sqlalchemy as sa
from sqlalchemy.dialects import postgresql
from sqlalchemy.orm import DeclarativeBase, Session, sessionmaker
from sqlalchemy.sql.elements import KeyedColumnElement

log = logging.getLogger(__name__)

T = TypeVar("T")

_PAUSES = (0.1, 0.5, 2.0)
_IDLE_SECONDS = 60  # a stopped process in the middle of a transaction keeps rows from all others
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


@cache
def called(model: type[Base], name: str) -> Any:
    """The table of `model` under a name of its own in a select; its columns are `.c`.

    Put together once for the process: an alias of a mapped class with forty columns takes a millisecond
    each time, which was most of what compiling a condition took.
    """
    return model.__table__.alias(name)


SessionFactory = sessionmaker[Session]
THESE = sa.bindparam("these", type_=sa.Text)  # ids a kept statement is given when it is executed
Ids = Iterable[int] | sa.BindParameter[str]
_DIALECT: sa.Dialect = postgresql.dialect()  # type: ignore[no-untyped-call]


def make_engine(database_url: str) -> sa.Engine:
    """An engine on psycopg 3 whatever spelling the URL has (postgres://, postgresql://)."""
    url = sa.make_url(database_url.replace("postgres://", "postgresql://", 1))
    return sa.create_engine(
        url.set(drivername="postgresql+psycopg"),
        pool_pre_ping=True,
        pool_size=5,
        max_overflow=10,
        connect_args={"options": f"-c idle_in_transaction_session_timeout={_IDLE_SECONDS}s"},
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


def repeated(
    sessions: SessionFactory,
    work: Callable[[Session], T],
    *,
    sleep: Callable[[float], None] = time.sleep,
) -> T:
    """What `work` returns, from a transaction of its own.

    It is begun anew a few times when the database gave up: a deadlock, a restart, no connection left.
    `work` must not mind that its first commit may have got through after all.
    """
    for pause in _PAUSES:
        try:
            with transaction(sessions) as session:
                return work(session)
        except sa.exc.OperationalError as error:
            log.warning("transaction repeated", extra={"reason": type(error.orig).__name__})
            sleep(pause)
    with transaction(sessions) as session:
        return work(session)


def recordset(columns: Iterable[KeyedColumnElement[Any]], names: Sequence[str]) -> str:
    """A FROM item: the rows of the statement's parameter `rows`, typed as these columns are.

    One `document` instead of thousands of parameters: the server does the typing, and a page of rows
    costs one round trip.
    """
    types = {column.key: column.type.compile(_DIALECT) for column in columns}
    listed = ", ".join(f'"{name}" {types[name]}' for name in names)
    return f"json_to_recordset(CAST(:rows AS json)) AS incoming({listed})"


def any_of(ids: Ids) -> sa.CollectionAggregate[Any]:
    """For `column == any_of(ids)`."""
    return sa.any_(id_list(ids))


def id_list(ids: Ids) -> sa.Cast[Any]:
    """Ids as a value of type `bigint[]`."""
    given = ids if isinstance(ids, sa.BindParameter) else sa.literal(id_array(ids), sa.Text)
    return sa.cast(given, sa.ARRAY(sa.BigInteger))


def id_array(ids: Iterable[int]) -> str:
    """Ids as the text of a `bigint[]`: a parameter that is an array itself costs twenty times more."""
    return "{" + ",".join(map(str, ids)) + "}"


def document(rows: Iterable[Mapping[str, Any]]) -> str:
    """Rows for `recordset`; texts hold no NUL, which PostgreSQL refuses."""
    return orjson.dumps(list(rows)).decode()
