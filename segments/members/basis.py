"""By which select a segment's members were found: whether they have to be found anew, and why.

Not only changed cards move members: the segment's conditions, the day, a rate, the sale rule or the type of
a field does as well. All of them show in the select of the members, so it is compared itself, as of the
beginning of the day.
"""

from __future__ import annotations

import hashlib
from dataclasses import replace
from datetime import UTC, date, datetime, time, timedelta

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql

from segments.conditions.catalog import Scope
from segments.conditions.compile import members
from segments.rules.tree import Definition
from segments.saved import Segment, Why

_DIALECT: sa.Dialect = postgresql.dialect()  # type: ignore[no-untyped-call]


def of(scope: Scope, definition: Definition) -> str:
    """By what members are found today: the day, and a hash of the select at the day's beginning."""
    return f"{scope.today} {_digest(scope, definition, scope.today)}"


def is_current(scope: Scope, segment: Segment, definition: Definition) -> bool:
    """Whether today's select is the one the stored members were found by."""
    return _hash_of(segment) == _digest(scope, definition, scope.today)


def why(scope: Scope, segment: Segment, definition: Definition) -> Why:
    """Why all members are looked at: what differs in the select they were found by."""
    if segment.basis is None or segment.refreshed_at is None:
        return Why.RULE
    then = date.fromisoformat(segment.basis.partition(" ")[0])
    if _digest(scope, definition, then) != _hash_of(segment):
        return Why.RULE if segment.changed_at > segment.refreshed_at else Why.SETTINGS
    return Why.CHANGED if is_current(scope, segment, definition) else Why.DAY


def _hash_of(segment: Segment) -> str:
    return (segment.basis or "").rpartition(" ")[2]


def _digest(scope: Scope, definition: Definition, day: date) -> str:
    midnight = datetime.combine(day, time(), UTC)
    midnight -= timedelta(minutes=scope.rule.utc_offset_minutes)
    asked = replace(scope, now=midnight, ids=None, known=False)
    query = members(asked, definition).compile(dialect=_DIALECT)
    content = f"{query} {sorted(query.params.items())}"
    return hashlib.blake2b(content.encode(), digest_size=16).hexdigest()
