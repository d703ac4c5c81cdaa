"""Segments frozen: their members at one moment, with a hash that tells whether anything of it was changed."""

from __future__ import annotations

import hashlib

import orjson
import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import aggregate_order_by
from sqlalchemy.orm import Session

from segments import audience
from segments.conditions import definitions
from segments.conditions.catalog import Scope
from segments.conditions.compile import members
from segments.members import membership
from segments.saved import How, Segment, SegmentStay, Why

_COLUMNS = ("portal_id", "segment_id", "kind", "member_id", "entered_at", "entered_by")


def freeze(session: Session, scope: Scope, segment: Segment) -> Segment:
    """A new segment with the members this one selects now; a list made by hand is copied.

    Raises InvalidCondition when the portal lacks something the conditions name.
    """
    frozen = Segment(
        portal_id=scope.portal_id,
        name=segment.name,
        how=How.SNAPSHOT,
        preset=segment.preset,
        definition=segment.definition,
        changed_by=segment.changed_by,
        changed_at=scope.now,
        refreshed_at=scope.now,
    )
    session.add(frozen)
    session.flush()
    if segment.how == How.DYNAMIC:
        rows = members(scope, definitions.read(segment.definition, scope)).subquery()
    else:
        rows = membership.living(scope.portal_id, segment.id).subquery()
    values = sa.select(
        sa.literal(scope.portal_id),
        sa.literal(frozen.id),
        rows.c.kind,
        rows.c.member_id,
        sa.literal(scope.now, sa.DateTime(timezone=True)),
        sa.literal(Why.SNAPSHOT.value, sa.Text),
    )
    with audience.patient(session, membership.PATIENCE_MS):
        session.execute(sa.insert(SegmentStay).from_select(_COLUMNS, values))
        frozen.fingerprint = _fingerprint(session, frozen)
    membership.recount(session, scope, frozen)
    session.flush()
    return frozen


def verified(session: Session, frozen: Segment) -> bool:
    """Whether the members and the definition are those that were frozen."""
    return frozen.fingerprint == _fingerprint(session, frozen)


def _fingerprint(session: Session, frozen: Segment) -> str:
    """Over the definition and the sorted members, as text."""
    members_now = membership.present(frozen.portal_id, frozen.id).subquery()
    line = sa.func.concat(members_now.c.kind, ":", members_now.c.member_id)
    listed = sa.select(line.label("line")).subquery()
    order = aggregate_order_by(sa.literal("\n"), sa.collate(listed.c.line, "C"))
    joined = sa.func.coalesce(sa.func.string_agg(listed.c.line, order), "")
    digest = sa.func.encode(sa.func.sha256(sa.func.convert_to(joined, "UTF8")), "hex")
    hashed = session.scalar(sa.select(digest)) or ""
    asked = orjson.dumps(frozen.definition, option=orjson.OPT_SORT_KEYS)
    return hashlib.sha256(asked + b"\n" + hashed.encode()).hexdigest()
