"""Connections of one thread's own, kept as long as they work: its few statements are planned once, and said at once.

Planning would cost most of a turn of the gate, and beginning and ending a session a third of it.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import psycopg
import sqlalchemy as sa
from sqlalchemy.orm import Session

from core.database import SessionFactory
from mailings.sending.prepared import Together, at_once

_STALE_SECONDS = 30.0  # a connection nobody used for so long is looked at before it is trusted


def now() -> float:
    """Seconds that go on while the machine sleeps, unlike those of `time.monotonic`."""
    return time.clock_gettime(getattr(time, "CLOCK_BOOTTIME", time.CLOCK_MONOTONIC))


class OwnConnections:
    """One for transactions in many steps, one for those that are said at once; each is opened when needed."""

    def __init__(self, sessions: SessionFactory) -> None:
        self._sessions = sessions
        self._stepwise: sa.Connection | None = None
        self._quick: sa.Connection | None = None
        self._used_at = 0.0

    @contextmanager
    def session(self) -> Iterator[Session]:
        """A transaction in steps."""
        with self._trusted():
            if self._stepwise is None:
                self._stepwise = _opened(self._sessions)
            with self._sessions(bind=self._stepwise) as session, session.begin():
                yield session

    @contextmanager
    def quickly(self) -> Iterator[Together]:
        """A transaction of all that is said in this block: committed when the block has ended well."""
        with self._trusted():
            if self._quick is None:
                self._quick = _opened(self._sessions, isolation_level="AUTOCOMMIT")
            driver: psycopg.Connection[Any] = self._quick.connection.dbapi_connection  # type: ignore[assignment]
            with at_once(driver) as said:
                try:
                    yield said
                except BaseException:
                    driver.close()  # else the end of the pipeline would commit what was said so far
                    raise

    def hang_up(self) -> None:
        """Open new ones the next time."""
        for connection in (self._stepwise, self._quick):
            if connection is not None:
                connection.close()
        self._stepwise = self._quick = None

    @contextmanager
    def _trusted(self) -> Iterator[None]:
        if now() > self._used_at + _STALE_SECONDS:
            self.hang_up()
        try:
            yield
        except BaseException:
            self.hang_up()
            raise
        self._used_at = now()


def _opened(sessions: SessionFactory, **options: Any) -> sa.Connection:
    engine: sa.Engine = sessions.kw["bind"]
    connection = engine.connect().execution_options(**options)
    connection.detach()
    connection.exec_driver_sql("SET plan_cache_mode = force_generic_plan")
    connection.commit()
    return connection
