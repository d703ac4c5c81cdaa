"""Work that one process at a time may do."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import sqlalchemy as sa
from sqlalchemy.orm import Session


@contextmanager
def alone(engine: sa.Engine, kind: int, number: int) -> Iterator[bool]:
    """Whether nobody else is at this kind of work on this number; the lock dies with the process.

    It is held without a transaction, so slow services may be called meanwhile.
    """
    with engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        key = sa.literal(kind, sa.Integer), sa.literal(number, sa.Integer)
        taken = connection.scalar(sa.select(sa.func.pg_try_advisory_lock(*key)))
        try:
            yield bool(taken)
        finally:
            if taken:
                connection.execute(sa.select(sa.func.pg_advisory_unlock(*key)))


def one_at_a_time(session: Session, kind: int, number: int) -> None:
    """Wait until nobody else is at this kind of work on this number, and keep it until the end of the transaction."""
    key = sa.literal(kind, sa.Integer), sa.literal(number, sa.Integer)
    session.execute(sa.select(sa.func.pg_advisory_xact_lock(*key)))
