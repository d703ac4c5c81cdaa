"""Our own writes come back as events: told apart from people's changes by counting.

Every update we send brings one update event for its object. It is expected before the request
leaves, because the event may arrive before the answer, and consumed when it comes. A person's change of
the same object brings one more event than expected, and that one is acted on.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session

from integration.models import ExpectedEcho

PATIENCE = timedelta(minutes=10)


def expect(session: Session, portal_id: int, entity: str, bitrix_ids: Sequence[int]) -> None:
    """One update of each object is about to be sent."""
    put = insert(ExpectedEcho).values(
        [{"portal_id": portal_id, "entity": entity, "bitrix_id": i} for i in bitrix_ids]
    )
    stale = ExpectedEcho.written_at < sa.func.now() - PATIENCE
    session.execute(
        put.on_conflict_do_update(
            index_elements=["portal_id", "entity", "bitrix_id"],
            set_={
                "number": sa.case((stale, 1), else_=ExpectedEcho.number + 1),
                "written_at": sa.func.now(),
            },
        )
    )


def consume(session: Session, portal_id: int, entity: str, bitrix_id: int) -> bool:
    """Whether an update event of this object is the echo of a write of ours."""
    taken = session.execute(
        sa.update(ExpectedEcho)
        .where(
            ExpectedEcho.portal_id == portal_id,
            ExpectedEcho.entity == entity,
            ExpectedEcho.bitrix_id == bitrix_id,
            ExpectedEcho.number > 0,
            ExpectedEcho.written_at > sa.func.now() - PATIENCE,
        )
        .values(number=ExpectedEcho.number - 1)
        .returning(ExpectedEcho.bitrix_id)
    )
    return taken.first() is not None


def forget(session: Session) -> None:
    """Drop what has come, or will not come any more."""
    over = sa.or_(ExpectedEcho.number == 0, ExpectedEcho.written_at < sa.func.now() - PATIENCE)
    session.execute(sa.delete(ExpectedEcho).where(over))
