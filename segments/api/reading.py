"""What programs ask of segments, page by page: the saved ones, their members, the ready ones, a count.

A page tells after what the next one begins; a mark that no page gave is refused, lest a program begin anew for ever.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import sqlalchemy as sa
from redis import Redis
from sqlalchemy.orm import Session

from core import keyset
from segments import segment_pages
from segments.api import shapes
from segments.api.shapes import Json
from segments.building import counting
from segments.conditions import definitions, sentences
from segments.conditions.card_fields import CARD
from segments.conditions.catalog import Scope
from segments.members import roster, saving
from segments.ready import presets
from segments.ready.presets import Unready
from segments.rules.tree import Kind
from segments.saved import Segment

USUAL, MOST = 100, 1000


class NotUnderstood(ValueError):
    """An argument of the address that means nothing: `name`, and what is allowed."""

    def __init__(self, name: str, allowed: str) -> None:
        super().__init__(f"{name}: {allowed}")
        self.name = name


class TooLong(Exception):
    """A question that was not answered in the time a program may take."""


def segments(session: Session, portal_id: int, arguments: Mapping[str, str]) -> Json:
    """The saved segments in the order they were made, so that each is met once."""
    order = keyset.Order((Segment.id.expression,))
    query = sa.select(Segment).where(Segment.portal_id == portal_id, Segment.archived_at.is_(None))
    after, size = _after(arguments, order), _size(arguments)
    found, following = keyset.page(session, query, order, after, size)
    return {"segments": [shapes.segment(each) for each in found], "next": following or None}


def segment(session: Session, scope: Scope, segment_id: int) -> Json:
    """One segment with its conditions, as JSON and in words. Raises NoSuchSegment."""
    found = saving.find(session, scope.portal_id, segment_id)
    read = segment_pages.readable(found, scope)
    sentence = None if read is None else sentences.sentence(session, scope, read)
    return {**shapes.segment(found), "definition": found.definition, "sentence": sentence}


def members(
    session: Session, portal_id: int, segment_id: int, arguments: Mapping[str, str]
) -> Json:
    """Members as they were last found, with how fresh they are. Raises NoSuchSegment, NotUnderstood."""
    found = saving.find(session, portal_id, segment_id)
    after, size = _after(arguments, roster.STORED), _size(arguments)
    said = {name: arguments[name] for name in ("kind", "has") if name in arguments}
    for name, allowed in (("kind", list(Kind)), ("has", list(roster.HAS))):
        if name in said and said[name] not in allowed:
            raise NotUnderstood(name, f"must be one of {', '.join(allowed)}")
    asked = roster.LISTING.asked({**said, "sort": roster.LISTING.sort, "after": after})
    people, following = roster.page(session, portal_id, segment_id, asked, size)
    return {
        "segment": shapes.segment(found),
        "members": [shapes.member(each) for each in people],
        "next": following or None,
    }


def ready(session: Session, scope: Scope) -> Json:
    """The ready segments with the numbers they start with."""
    facts = presets.facts_of(session, scope)
    found = []
    for key, preset in presets.PRESETS.items():
        try:
            found.append(shapes.preset(preset, presets.build(facts, key), ()))
        except Unready as error:
            found.append(shapes.preset(preset, None, error.missing))
    return {"presets": found}


def fields(scope: Scope) -> Json:
    """What conditions can be about."""
    return shapes.fields(scope, CARD.listed(scope))


def count(session: Session, redis: Redis, scope: Scope, raw: Any) -> Json:
    """The counters of a definition that nobody has saved. Raises InvalidCondition, TooLong."""
    definition = definitions.written(definitions.read(raw, scope))
    counted = counting.tried(session, redis, scope, definition)
    if counted is None:
        raise TooLong
    at = counted.counted_at.isoformat()
    return {"counters": counted.counters.as_dict(), "counted_at": at}


def _after(arguments: Mapping[str, str], order: keyset.Order) -> str:
    after = arguments.get("after", "")
    if not keyset.continues(order, after):
        raise NotUnderstood("after", "must be «next» of the page before, as it was")
    return after


def _size(arguments: Mapping[str, str]) -> int:
    typed = arguments.get("limit", str(USUAL))
    if not (
        typed.isascii()
        and typed.isdigit()
        and len(typed) <= len(str(MOST))
        and 1 <= int(typed) <= MOST
    ):
        raise NotUnderstood("limit", f"must be a number from 1 to {MOST}")
    return int(typed)
