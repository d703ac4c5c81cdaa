"""A segment as it is named from outside: by a preset's key, or by the id of a saved one."""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm import Session

from segments.conditions import definitions
from segments.conditions.catalog import Scope
from segments.conditions.compile import members
from segments.members import membership, saving
from segments.members.saving import NoSuchSegment
from segments.ready import presets
from segments.saved import How


def cards(session: Session, scope: Scope, name: str) -> sa.Select[Any]:
    """Its members now, as rows (kind, member_id); of a list or a snapshot, those it keeps.

    Raises NoSuchSegment, Unready, InvalidCondition.
    """
    if name in presets.PRESETS:
        raw: Any = presets.build(presets.facts_of(session, scope), name)
    else:
        segment = saving.find(session, scope.portal_id, _number(name))
        if segment.how != How.DYNAMIC:
            return membership.living(scope.portal_id, segment.id)
        raw = segment.definition
    return members(scope, definitions.read(raw, scope))


def _number(name: str) -> int:
    if not name.isdecimal() or len(name) > len(str(2**31)) - 1:
        raise NoSuchSegment
    return int(name)
