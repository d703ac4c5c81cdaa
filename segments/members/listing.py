"""The list of saved segments: found by name and kind, sorted, page by page; and many of them put away at once."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm import Session

from core import keyset
from core.web.lists import Asked, Column, Listing, ListKey, Picked
from core.web.words import N_
from integration.mirror import PortalUser
from segments.conditions.definitions import InvalidCondition
from segments.members import saving, sizes
from segments.members.saving import InUse, NoSuchSegment
from segments.rules.trend import Trend, trend
from segments.saved import How, Segment

PAGE = 50
AT_ONCE = 500
SPARK_DAYS = 30
SHELVES = ("", "problem", "archived")
_COUNTED = ("emails", "phones", "messengers", "companies", "contacts", "leads")

LISTING = Listing(
    ListKey.SEGMENTS,
    columns=(
        Column("name", N_("Title"), first="asc"),
        Column("cards", N_("Cards"), "num", "desc"),
        Column("spark", N_("In time")),
        Column("emails", N_("E-mail"), "num", "desc"),
        Column("phones", N_("Phone"), "num", "desc"),
        Column("messengers", N_("Messenger"), "num", "desc"),
        Column("companies", N_("Company"), "num", "desc"),
        Column("contacts", N_("Contact"), "num", "desc"),
        Column("leads", N_("Lead"), "num", "desc"),
        Column("changed", N_("Changed"), first="desc", shown=False),
        Column("author", N_("Who changed it"), shown=False),
    ),
    filters=("search", "how", "shelf"),
    sort="-changed",
)


@dataclass(frozen=True, slots=True)
class Line:
    """A segment of the list."""

    segment: Segment
    spark: Trend | None
    author: str | None


@dataclass(frozen=True, slots=True)
class Left:
    """A segment nothing was done to: `why` is in_use or unfit; `names` of those that stand on it."""

    name: str
    why: str
    names: tuple[str, ...] = ()


def page(session: Session, portal_id: int, asked: Asked) -> tuple[list[Line], str]:
    """Segments, and after what the next page begins."""
    name, descending = asked.by
    order = keyset.Order((_by(name), Segment.id.expression), descending)
    found, after = keyset.page(session, _query(portal_id, asked), order, asked.after, PAGE)
    return _lines(session, portal_id, found), after


def every(session: Session, portal_id: int, asked: Asked) -> list[Line]:
    """All that are found, for a file."""
    rows = session.scalars(_query(portal_id, asked).order_by(_by("name"), Segment.id))
    return _lines(session, portal_id, rows.all())


def number(session: Session, portal_id: int, asked: Asked) -> int:
    """How many there are."""
    query = sa.select(sa.func.count()).select_from(_query(portal_id, asked).subquery())
    return session.scalar(query) or 0


def anything(session: Session, portal_id: int) -> bool:
    """Whether the portal has ever saved one."""
    return bool(session.scalar(sa.select(sa.exists().where(Segment.portal_id == portal_id))))


def picked(session: Session, portal_id: int, chosen: Picked) -> list[int]:
    """The segments that were ticked or found, some hundreds at most."""
    if not chosen.every:
        return chosen.numbers()[:AT_ONCE]
    query = _query(portal_id, LISTING.asked(chosen.query)).with_only_columns(Segment.id)
    return list(session.scalars(query.order_by(Segment.id).limit(AT_ONCE)))


def put_away(
    session: Session, portal_id: int, segment_ids: Sequence[int], user_id: int
) -> tuple[int, list[Left]]:
    """Put segments away, those that stand on others first: how many were, and which could not be."""
    return _one_by_one(
        session,
        portal_id,
        segment_ids,
        lambda each: saving.archive(session, portal_id, each, user_id),
    )


def bring_back(
    session: Session, portal_id: int, segment_ids: Sequence[int], user_id: int
) -> tuple[int, list[Left]]:
    """Have segments that were put away among the others again, those that others stand on first."""
    return _one_by_one(
        *(session, portal_id, segment_ids),
        lambda each: saving.bring_back(session, portal_id, each, user_id),
    )


def _one_by_one(
    session: Session, portal_id: int, segment_ids: Sequence[int], act: Callable[[int], None]
) -> tuple[int, list[Left]]:
    """Those refused are tried again while any other is done: segments stand on one another."""
    done, waiting = 0, list(dict.fromkeys(segment_ids))
    while True:
        left: dict[int, Left] = {}
        for segment_id in waiting:
            try:
                act(segment_id)
                session.flush()
                done += 1
            except NoSuchSegment:
                continue
            except (InUse, InvalidCondition) as error:
                left[segment_id] = _left(session, portal_id, segment_id, error)
        if len(left) in {0, len(waiting)}:
            return done, list(left.values())
        waiting = list(left)


def _left(
    session: Session, portal_id: int, segment_id: int, error: InUse | InvalidCondition
) -> Left:
    name = session.get_one(Segment, (portal_id, segment_id)).name
    return (
        Left(name, "in_use", tuple(error.names))
        if isinstance(error, InUse)
        else Left(name, "unfit")
    )


def _query(portal_id: int, asked: Asked) -> sa.Select[Any]:
    query = sa.select(Segment).where(Segment.portal_id == portal_id)
    away = asked["shelf"] == "archived"
    query = query.where(Segment.archived_at.is_not(None) if away else Segment.archived_at.is_(None))
    if asked["shelf"] == "problem":
        query = query.where(Segment.problem.is_not(None))
    if asked["how"] in set(How):
        query = query.where(Segment.how == asked["how"])
    words = asked["search"].split()[:5]
    return query.where(*(Segment.name.icontains(word, autoescape=True) for word in words))


def _by(name: str) -> sa.ColumnElement[Any]:
    if name == "name":
        return sa.func.lower(Segment.name, type_=sa.Text)
    if name == "changed":
        return Segment.changed_at.expression
    counted = ("contacts", "companies", "leads") if name == "cards" else (name,)
    numbers = [sa.func.coalesce(Segment.counters[each].as_integer(), 0) for each in counted]
    total = sum(numbers[1:], start=numbers[0])
    return sa.case((Segment.counters.is_(None), -1), else_=total)


def _lines(session: Session, portal_id: int, found: Sequence[Segment]) -> list[Line]:
    sized = sizes.in_time(session, portal_id, [each.id for each in found], SPARK_DAYS)
    wanted = {each.changed_by for each in found if each.changed_by is not None}
    query = sa.select(PortalUser.bitrix_id, PortalUser.name).where(
        PortalUser.portal_id == portal_id, PortalUser.bitrix_id.in_(wanted)
    )
    authors: dict[int, str | None] = dict(session.execute(query).all())
    return [
        Line(each, trend(sized.get(each.id, [])), authors.get(each.changed_by or 0))
        for each in found
    ]


def cell(line: Line, key: str) -> str:
    """What a file says of a segment in a column that is a number or a name."""
    counters = line.segment.counters or {}
    if key in _COUNTED:
        return str(counters.get(key, ""))
    if key == "cards":
        parts = [counters[each] for each in ("contacts", "companies", "leads") if each in counters]
        return str(sum(parts)) if parts else ""
    return line.segment.name if key == "name" else line.author or ""
