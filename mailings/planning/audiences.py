"""The clients a mailing is for: those its segment selects, by the conditions kept at its launch."""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm import Session

from mailings.models import Mailing
from segments.conditions import definitions
from segments.conditions.catalog import Scope, scope_of
from segments.conditions.compile import members
from segments.members import lookup, saving
from segments.members.saving import NoSuchSegment
from segments.ready import presets
from segments.saved import How


class NoAudience(Exception):
    """The mailing has no segment."""


def cards(session: Session, mailing: Mailing) -> sa.Select[Any]:
    """Rows (kind, member_id) of the audience now: of a launched mailing by the conditions it was launched with.

    Raises NoAudience, NoSuchSegment, Unready, InvalidCondition.
    """
    scope = scope_of(session, mailing.portal_id)
    kept = (mailing.audience or {}).get("definition")
    if kept is not None:
        return members(scope, definitions.read(kept, scope))
    return lookup.cards(session, scope, _name(mailing))


def frozen(session: Session, mailing: Mailing) -> dict[str, Any]:
    """What is kept of the segment at launch: its name, version and conditions; of a list, that it is one.

    Raises NoAudience, NoSuchSegment, Unready.
    """
    if mailing.audience is not None:
        return mailing.audience
    scope = scope_of(session, mailing.portal_id)
    if mailing.segment_id is None:
        key = _name(mailing)
        return {"preset": key, "definition": _of_preset(session, scope, key)}
    segment = saving.find(session, mailing.portal_id, mailing.segment_id)
    found = {
        "segment_id": segment.id,
        "name": segment.name,
        "version": segment.version,
        "how": segment.how,
    }
    return {**found, "definition": segment.definition} if segment.how == How.DYNAMIC else found


def named(session: Session, portal_id: int, name: str) -> dict[str, Any]:
    """Columns of a mailing for a segment named by key or id. Raises NoSuchSegment."""
    if name in presets.PRESETS:
        return {"preset": name, "segment_id": None}
    if not name.isdecimal() or len(name) > len(str(2**31)) - 1:
        raise NoSuchSegment
    return {"preset": None, "segment_id": saving.find(session, portal_id, int(name)).id}


def _of_preset(session: Session, scope: Scope, key: str) -> dict[str, Any]:
    found: dict[str, Any] = presets.build(presets.facts_of(session, scope), key)
    return found


def _name(mailing: Mailing) -> str:
    if mailing.segment_id is not None:
        return str(mailing.segment_id)
    if mailing.preset is None:
        raise NoAudience
    return mailing.preset
