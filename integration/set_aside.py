"""The list of rows set aside: found by number, by field and by what does not fit, sorted, page by page.

There may be a million of them, for one field does not fit on every card; the reasons are few, so words are
looked for among these.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm import Session

from core import keyset
from core.web.lists import Asked, Column, Listing, ListKey, Picked
from core.web.words import N_
from integration import health_rows, misfit_words
from integration.health_rows import SetAside
from integration.models import QuarantinedRow
from integration.quarantine import AT_ONCE, Named

PAGE = 50
COUNTED = 10_000
"""Nobody needs to know by how much more."""
REASONS = 500
EXPORTED_AT_ONCE = 2000
WHOLE, VALUE = "row", "value"
"""What is missing here: the whole row, or a value of it."""

LISTING = Listing(
    ListKey.SET_ASIDE,
    columns=(
        Column("row", N_("Row"), first="asc"),
        Column("why", N_("What does not fit"), "wide"),
        Column("part", N_("What is missing")),
        Column("seen", N_("Seen"), first="desc"),
    ),
    filters=("search", "entity", "what", "part"),
    sort="-seen",
)
_row = QuarantinedRow
_KEY = (_row.entity.expression, _row.bitrix_id.expression)
_BY: dict[str, tuple[sa.ColumnElement[Any], ...]] = {
    "row": _KEY,
    "seen": (_row.seen_at.expression, *_KEY),
}


@dataclass(frozen=True, slots=True)
class Reasons:
    """The reasons there are, as stored; `labels` of the fields they name."""

    stored: Sequence[str]
    labels: Mapping[str, str]

    def asked(self, asked: Asked) -> list[str] | None:
        """Those that fit what is asked of them; None where nothing is."""
        words = asked["search"].lower().split()
        if not (asked["what"] or asked["part"] or words):
            return None
        return [each for each in self.stored if self._fits(each, asked, words)]

    def kinds(self) -> dict[str, str]:
        """What is wrong somewhere, in words."""
        there = {kind for each in self.stored for kind in misfit_words.kinds(each)}
        return {kind: said for kind, said in misfit_words.misfits().items() if kind in there}

    def _fits(self, reason: str, asked: Asked, words: Sequence[str]) -> bool:
        if asked["what"] and asked["what"] not in misfit_words.kinds(reason):
            return False
        if asked["part"] and (asked["part"] == VALUE) != reason.startswith(misfit_words.LEFT_OUT):
            return False
        said = f"{reason} {misfit_words.misfit(reason, self.labels)}".lower()
        return all(word in said for word in words)


def reasons(session: Session, portal_id: int) -> Reasons:
    """The different reasons, some hundreds at most: each is looked up after the one before it."""
    own = _row.portal_id == portal_id
    first = sa.select(sa.func.min(_row.reason).label("reason")).where(own)
    found = first.cte("found", recursive=True)
    following = sa.select(sa.func.min(_row.reason)).where(own, _row.reason > found.c.reason)
    found = found.union_all(
        sa.select(following.scalar_subquery()).where(found.c.reason.is_not(None))
    )
    query = sa.select(found.c.reason).where(found.c.reason.is_not(None)).limit(REASONS)
    return Reasons(session.scalars(query).all(), health_rows.field_labels(session, portal_id))


def entities(session: Session, portal_id: int, known: Sequence[str]) -> list[str]:
    """Those of the entities that have rows set aside."""
    named = sa.func.unnest(sa.cast(list(known), sa.ARRAY(sa.Text))).column_valued("named")
    there = sa.exists().where(_row.portal_id == portal_id, _row.entity == named)
    return list(session.scalars(sa.select(named).where(there)))


def page(
    session: Session, portal_id: int, asked: Asked, among: Reasons
) -> tuple[list[SetAside], str]:
    """Rows, and after what the next page begins."""
    return _page(session, portal_id, asked, among, (asked.after, PAGE))


def every(
    session: Session, portal_id: int, asked: Asked, among: Reasons
) -> Iterator[list[SetAside]]:
    """All that are found, in portions."""
    size = EXPORTED_AT_ONCE
    return keyset.portions(
        session, lambda after: _page(session, portal_id, asked, among, (after, size))
    )


def number(session: Session, portal_id: int, asked: Asked, among: Reasons) -> int:
    """How many are found; of very many, one more than are counted."""
    some = _query(portal_id, asked, among).with_only_columns(sa.literal(1)).limit(COUNTED + 1)
    return session.scalar(sa.select(sa.func.count()).select_from(some.subquery())) or 0


def picked(session: Session, portal_id: int, chosen: Picked, among: Reasons) -> list[Named]:
    """The rows that were ticked or found, some hundreds at most."""
    if not chosen.every:
        named = (each.partition(":") for each in chosen.values[:AT_ONCE])
        return [(entity, number) for entity, _, number in named]
    query = _query(portal_id, LISTING.asked(chosen.query), among).with_only_columns(*_KEY)
    return [(row[0], row[1]) for row in session.execute(query.order_by(*_KEY).limit(AT_ONCE))]


def _page(
    session: Session, portal_id: int, asked: Asked, among: Reasons, part: tuple[str, int]
) -> tuple[list[SetAside], str]:
    name, descending = asked.by
    order = keyset.Order(_BY[name], descending)
    found, after = keyset.page(session, _query(portal_id, asked, among), order, *part)
    return [SetAside(row.entity, row.bitrix_id, row.reason, row.seen_at) for row in found], after


def _query(portal_id: int, asked: Asked, among: Reasons) -> sa.Select[Any]:
    query = sa.select(_row).where(_row.portal_id == portal_id)
    if asked["entity"]:
        query = query.where(_row.entity == asked["entity"])
    fitting = among.asked(asked)
    if fitting is None:
        return query
    fits: sa.ColumnElement[bool] = _row.reason.in_(fitting)
    if typed := asked["search"].lstrip("#№"):
        fits = sa.or_(fits, _row.bitrix_id == typed)
    return query.where(fits)
