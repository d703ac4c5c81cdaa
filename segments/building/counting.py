"""Counters of a question, remembered for a short while: the builder asks the same one again and again.

The memory is Redis; without it, or without an entry, the question is simply asked.
"""

from __future__ import annotations

import hashlib
import json
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime, timedelta

import sqlalchemy as sa
from psycopg.errors import QueryCanceled
from redis import Redis
from redis.exceptions import RedisError
from sqlalchemy.orm import Session

from segments import asked_fields, audience
from segments.audience import Counters
from segments.building import drafts
from segments.building.builder import Draft
from segments.conditions.catalog import Scope

KEPT = timedelta(minutes=2)


@dataclass(frozen=True, slots=True)
class Counted:
    """Counters, and when they were true."""

    counters: Counters
    counted_at: datetime


def remembered(redis: Redis, scope: Scope, question: Draft) -> Counted | None:
    """The counters of a question asked a moment ago."""
    try:
        kept = redis.get(_key(scope, question))
    except RedisError:
        return None
    if not isinstance(kept, bytes):
        return None
    facts = json.loads(kept)
    return Counted(Counters(**facts["counters"]), datetime.fromisoformat(facts["at"]))


def count(session: Session, redis: Redis, scope: Scope, question: Draft) -> Counted:
    """The counters, remembered or asked now."""
    if found := remembered(redis, scope, question):
        return found
    counted = Counted(audience.count(session, scope, drafts.read(question, scope)), scope.now)
    facts = {"counters": counted.counters.as_dict(), "at": counted.counted_at.isoformat()}
    with suppress(RedisError):
        redis.set(_key(scope, question), json.dumps(facts), ex=KEPT)
    return counted


def tried(session: Session, redis: Redis, scope: Scope, question: Draft) -> Counted | None:
    """The counters; None when the question takes too long to ask while somebody waits.

    Ends the transaction: what was asked for is noted, so that the next question about it is quick.
    """
    if asked_fields.unknown(question, scope.custom, scope.known_fields):
        asked_fields.note(session, scope.portal_id, [question])
        session.commit()
    try:
        return count(session, redis, scope, question)
    except sa.exc.OperationalError as error:
        if not isinstance(error.orig, QueryCanceled):
            raise
        session.rollback()
        return None


def _key(scope: Scope, question: Draft) -> str:
    asked = [scope.portal_id, scope.today.isoformat(), scope.rule.version, question]
    digest = hashlib.sha256(json.dumps(asked, sort_keys=True).encode()).hexdigest()
    return f"rubilnik:count:{scope.portal_id}:{digest}"
