"""Several portals in one application, and ways to see what a request did, and to whom."""

from __future__ import annotations

import io
import logging
import re
import socket
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import cache
from typing import Any
from unittest import mock

import sqlalchemy as sa
from support.world import World, joined, world

from core.config import Settings
from core.database import Base
from core.log import LineFormatter
from demo.portal.process import DemoPortal


@contextmanager
def side_by_side(
    settings: Settings, demo: DemoPortal, *others: DemoPortal
) -> Iterator[list[World]]:
    """The application registered on each of the portals; they share process, database and Redis."""
    with world(settings, demo, beside=others, installed=False) as first:
        yield [first, *(joined(first.app, first.runtime, each) for each in others)]


def fingerprints(engine: sa.Engine, portal_id: int | None = None) -> dict[str, tuple[int, int]]:
    """By table: rows of one portal or all, and the transactions that wrote them: what differs was written to.

    A later transaction has a higher number, so no rows can be put in the place of others unnoticed.
    """
    with engine.connect() as connection:
        rows = connection.exec_driver_sql(_fingerprints(portal_id))
        return {name: (count, writers) for name, count, writers in rows}


@cache
def _fingerprints(portal_id: int | None) -> str:
    parts = []
    for table in Base.metadata.sorted_tables:
        of = "id" if table.name == "portals" else "portal_id"
        where = (
            "" if portal_id is None or of not in table.columns else f"WHERE {of} = {portal_id:d}"
        )
        writers = "coalesce(sum(xmin::text::bigint), 0)::bigint"
        parts.append(f"SELECT '{table.name}', count(*), {writers} FROM \"{table.name}\" {where}")
    return " UNION ALL ".join(parts)


def everything(engine: sa.Engine) -> str:
    """All rows of all tables as text: what a stolen dump would hold."""
    with engine.connect() as connection:
        return "\n".join(
            str(row[0])
            for table in Base.metadata.sorted_tables
            for row in connection.execute(sa.text(f'SELECT t::text FROM "{table.name}" t'))
        )


@contextmanager
def recorded_statements(engine: sa.Engine) -> Iterator[list[str]]:
    """SQL sent through the engine meanwhile."""
    found: list[str] = []

    def note(_connection: Any, _cursor: Any, statement: str, *_rest: Any) -> None:
        found.append(re.sub(r"\s+", " ", statement))

    sa.event.listen(engine, "before_cursor_execute", note)
    try:
        yield found
    finally:
        sa.event.remove(engine, "before_cursor_execute", note)


@contextmanager
def recorded_lines() -> Iterator[io.StringIO]:
    """The log as it is written meanwhile, with everything that debugging adds."""
    stream, root = io.StringIO(), logging.getLogger()
    handler, level = logging.StreamHandler(stream), root.level
    handler.setFormatter(LineFormatter())
    root.addHandler(handler)
    root.setLevel(logging.DEBUG)
    try:
        yield stream
    finally:
        root.setLevel(level)
        root.removeHandler(handler)


@contextmanager
def recorded_connections() -> Iterator[list[Any]]:
    """Addresses this process opens sockets to meanwhile."""
    made: list[Any] = []
    real: Callable[..., None] = socket.socket.connect

    def connect(self: socket.socket, address: Any) -> None:
        made.append(address)
        real(self, address)

    with mock.patch.object(socket.socket, "connect", connect):
        yield made


@contextmanager
def listener() -> Iterator[tuple[int, Callable[[], bool]]]:
    """A port nobody should connect to; the function says whether somebody did."""
    with socket.socket() as server:
        server.bind(("127.0.0.1", 0))
        server.listen()
        server.setblocking(False)

        def visited() -> bool:
            try:
                server.accept()[0].close()
            except BlockingIOError:
                return False
            return True

        yield server.getsockname()[1], visited
