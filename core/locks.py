"""Work that one process at a time may do."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager

import sqlalchemy as sa
from psycopg.errors import LockNotAvailable
from sqlalchemy.orm import Session


@contextmanager
def alone(engine: sa.Engine, kind: int, number: int, *, wait: float = 0) -> Iterator[bool]:
    """Whether nobody else is at this kind of work on this number; the lock dies with the process.

    It is held without a transaction, so slow services may be called meanwhile. Who comes while it is
    held gets its turn within `wait` seconds, first come, first served.
    """
    with engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        key = sa.literal(kind, sa.Integer), sa.literal(number, sa.Integer)
        taken = connection.scalar(sa.select(sa.func.pg_try_advisory_lock(*key)))
        if not taken and wait > 0:
            taken = _in_turn(connection, key, wait)
        try:
            yield bool(taken)
        finally:
            if taken:
                connection.execute(sa.select(sa.func.pg_advisory_unlock(*key)))


def _in_turn(connection: sa.Connection, key: Sequence[sa.BindParameter[int]], wait: float) -> bool:
    connection.execute(sa.text(f"SET lock_timeout = {round(wait * 1000)}"))
    try:
        connection.execute(sa.select(sa.func.pg_advisory_lock(*key)))
    except sa.exc.OperationalError as error:
        if not isinstance(error.orig, LockNotAvailable):
            raise
        return False
    finally:
        connection.execute(sa.text("RESET lock_timeout"))
    return True


def nobody_else(session: Session, kind: int, number: int) -> bool:
    """Whether nobody else is at this kind of work on this number now; if so, nobody will be until the transaction ends."""
    key = sa.literal(kind, sa.Integer), sa.literal(number, sa.Integer)
    return bool(session.scalar(sa.select(sa.func.pg_try_advisory_xact_lock(*key))))


def one_at_a_time(session: Session, kind: int, number: int) -> None:
    """Wait until nobody else is at this kind of work on this number, and keep it until the end of the transaction."""
    key = sa.literal(kind, sa.Integer), sa.literal(number, sa.Integer)
    session.execute(sa.select(sa.func.pg_advisory_xact_lock(*key)))
