"""Counters of a question, remembered for a short while: the builder asks the same one again and again."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

import sqlalchemy as sa
from redis import Redis
from sqlalchemy.orm import Session

from core import remembered
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


def known(redis: Redis, scope: Scope, question: Draft) -> Counted | None:
    """The counters of a question asked a moment ago."""
    facts = remembered.recall(redis, _key(scope, question))
    if facts is None:
        return None
    return Counted(Counters(**facts["counters"]), datetime.fromisoformat(facts["at"]))


def count(session: Session, redis: Redis, scope: Scope, question: Draft) -> Counted:
    """The counters, remembered or asked now."""
    if found := known(redis, scope, question):
        return found
    counted = Counted(audience.count(session, scope, drafts.read(question, scope)), scope.now)
    facts = {"counters": counted.counters.as_dict(), "at": counted.counted_at}
    remembered.keep(redis, _key(scope, question), facts, KEPT)
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
        if not audience.gave_up(error):
            raise
        session.rollback()
        return None


def _key(scope: Scope, question: Draft) -> str:
    asked = [scope.today.isoformat(), scope.rule.version, question]
    return remembered.key_of("count", scope.portal_id, asked)
