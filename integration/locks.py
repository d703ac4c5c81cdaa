"""Work on a portal that one process at a time may do."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import sqlalchemy as sa


@contextmanager
def alone(engine: sa.Engine, kind: int, portal_id: int) -> Iterator[bool]:
    """Whether nobody else is at this kind of work on the portal; the lock dies with the process.

    It is held without a transaction, so the portal may be called meanwhile.
    """
    with engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        key = sa.literal(kind, sa.Integer), sa.literal(portal_id, sa.Integer)
        taken = connection.scalar(sa.select(sa.func.pg_try_advisory_lock(*key)))
        try:
            yield bool(taken)
        finally:
            if taken:
                connection.execute(sa.select(sa.func.pg_advisory_unlock(*key)))
