"""How many of an audience can be written to now, by each channel: what the counters of a segment don't tell."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from datetime import timedelta
from typing import Any

import sqlalchemy as sa
from redis import Redis
from sqlalchemy.orm import Session

from core import remembered
from mailings.conditions.reach import Ground, ground_of, judged
from mailings.rules.states import ChannelKey
from segments import audience

KEPT = timedelta(minutes=2)
PATIENCE_MS = 20_000


@dataclass(frozen=True, slots=True)
class Reachable:
    """Addresses a message would go to now, about one topic at least, each once."""

    by_email: int
    by_call: int


def count(
    session: Session, redis: Redis, portal_id: int, cards: sa.Select[Any], asked: Any
) -> Reachable | None:
    """Of these cards, rows (kind, member_id): by consents, unsubscriptions and dead addresses. `asked`: their name.

    Remembered for a short while. What a single mailing adds, as caps, is left out. None when it takes too long while
    somebody waits; the transaction has ended then.
    """
    ground = ground_of(session, portal_id)
    key = remembered.key_of("reachable", portal_id, [asked, ground])
    if kept := remembered.recall(redis, key):
        return Reachable(**kept)
    once = cards.cte().prefix_with("MATERIALIZED")
    numbers = [
        _number(ground, channel, portal_id, sa.select(once.c.kind, once.c.member_id))
        for channel in (ChannelKey.EMAIL, ChannelKey.CALL_LIST)
    ]
    try:
        with audience.patient(session, PATIENCE_MS):
            by_email, by_call = session.execute(sa.select(*numbers)).one()
    except sa.exc.OperationalError as error:
        if not audience.gave_up(error):
            raise
        session.rollback()
        return None
    found = Reachable(by_email, by_call)
    remembered.keep(redis, key, asdict(found), KEPT)
    return found


def _number(ground: Ground, channel: ChannelKey, portal_id: int, cards: sa.Select[Any]) -> Any:
    by_topic = [
        judged(ground, channel.value, topic, portal_id, cards).subquery().c
        for topic in ground.topics
    ]
    free = sa.union_all(*(sa.select(row.address).where(row.reason.is_(None)) for row in by_topic))
    return sa.select(sa.func.count(free.subquery().c.address.distinct())).scalar_subquery()
