"""Which leads and deals followed a mailing: found by what they are called and whose they are, sorted, page by page."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from enum import StrEnum
from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm import Session, aliased

from core import keyset
from integration.mirror import Deal, Lead, PortalUser
from mailings.models import Attribution, Delivery, Mailing
from mailings.results import leads
from mailings.results.leads import Card
from mailings.rules.events import REACTIONS
from segments import audience
from segments.conditions.card_fields import TABLES
from segments.members.people import number_of
from segments.rules.tree import Kind

PAGE = 50
COUNTED = 10_000
"""Nobody needs to know by how much more."""
SEARCHED = 5_000
"""What asks for the lead or deal itself, words or how it stands, is asked of so many of the newest."""
EXPORTED_AT_ONCE = 1000
_WORDS = 5


class Outcome(StrEnum):
    """What has become of a lead or deal."""

    OPEN = "open"
    WON = "won"
    LOST = "lost"


@dataclass(frozen=True, slots=True)
class Wanted:
    """Which of them; what is unknown asks for nothing. `typed`: words of its title, client or owner, or its number."""

    entity: str = ""
    outcome: str = ""
    touch: str = ""
    typed: str = ""

    @property
    def searches(self) -> bool:
        """Whether the leads and deals themselves have to be looked at."""
        return bool(self.typed) or self.outcome in set(Outcome)


_row = Attribution
_KEY = (_row.entity.expression, _row.bitrix_id.expression)
_NEVER = sa.literal(date(1, 1, 1), sa.Date)
_BY: dict[str, sa.ColumnElement[Any]] = {
    "appeared": _row.happened_at.expression,
    "amount": sa.func.coalesce(_row.amount, Decimal(0)),
    "margin": sa.func.coalesce(_row.margin, Decimal(0)),
    "sold": sa.func.coalesce(_row.sold_on, _NEVER),
}


def ordered(name: str, *, descending: bool) -> keyset.Order:
    """By when they appeared, or by what they brought and when."""
    return keyset.Order((_BY[name], *_KEY), descending)


NEWEST_FIRST = ordered("appeared", descending=True)


def page(
    session: Session,
    mailing: Mailing,
    wanted: Wanted,
    after: str = "",
    limit: int = PAGE,
    order: keyset.Order = NEWEST_FIRST,
) -> tuple[list[Card], str]:
    """What followed as the mirror knows it, and after what the next page begins."""
    with audience.patient(session):
        found, following = keyset.page(session, _query(mailing, wanted), order, after, limit)
    return leads.cards(session, mailing.portal_id, found), following


def every(session: Session, mailing: Mailing, wanted: Wanted) -> Iterator[list[Card]]:
    """All of it in portions, the newest first."""
    return keyset.portions(
        session, lambda after: page(session, mailing, wanted, after, EXPORTED_AT_ONCE)
    )


def number(
    session: Session, mailing: Mailing, wanted: Wanted, most: int = COUNTED
) -> tuple[int, int]:
    """How many there are, and of how many messages; of very many, one more than `most`."""
    some = _query(mailing, wanted).with_only_columns(_row.delivery_id).limit(most + 1).subquery()
    query = sa.select(sa.func.count(), sa.func.count(some.c.delivery_id.distinct()))
    with audience.patient(session):
        found, messages = session.execute(query).one()
    return found, messages


def people(
    session: Session, mailing: Mailing, wanted: Wanted, limit: int
) -> list[tuple[Kind, int]]:
    """The clients of so many of them."""
    found = _query(mailing, wanted).with_only_columns(_row.delivery_id).distinct().subquery()
    query = (
        sa.select(Delivery.kind, Delivery.client_id)
        .join(found, found.c.delivery_id == Delivery.id)
        .where(Delivery.portal_id == mailing.portal_id)
        .order_by(Delivery.id)
        .limit(limit)
    )
    with audience.patient(session):
        return [(Kind(kind), card_id) for kind, card_id in session.execute(query)]


def _query(mailing: Mailing, wanted: Wanted) -> sa.Select[Any]:
    of_mailing = _row.portal_id == mailing.portal_id, _row.mailing_id == mailing.id
    query = sa.select(_row).where(*of_mailing)
    if wanted.entity in leads.TABLES:
        query = query.where(_row.entity == wanted.entity)
    if wanted.touch in set(REACTIONS):
        query = query.where(_row.touch == wanted.touch)
    if wanted.searches:
        query = _joined(_newest(query, of_mailing), mailing.portal_id)
    if wanted.outcome in set(Outcome):
        query = query.where(_is(Outcome(wanted.outcome)))
    if wanted.typed:
        query = _called(query, mailing.portal_id, wanted.typed)
    return query


def _newest(query: sa.Select[Any], of_mailing: tuple[Any, ...]) -> sa.Select[Any]:
    by = [each.desc() for each in NEWEST_FIRST.by]
    newest = sa.select(*_KEY).where(*of_mailing).order_by(*by).limit(SEARCHED).subquery()
    own = newest.c.entity == _row.entity, newest.c.bitrix_id == _row.bitrix_id
    return query.join(newest, sa.and_(*own))


def _joined(query: sa.Select[Any], portal_id: int) -> sa.Select[Any]:
    """With the lead or deal itself."""
    for entity, table in leads.TABLES.items():
        own = table.portal_id == portal_id, table.bitrix_id == _row.bitrix_id
        query = query.outerjoin(table, sa.and_(_row.entity == entity, *own))
    return query


def _is(outcome: Outcome) -> sa.ColumnElement[bool]:
    semantic = sa.func.coalesce(Lead.stage_semantic, Deal.stage_semantic, "P")
    if outcome is Outcome.OPEN:
        return semantic.not_in(["S", "F"])
    return semantic == {Outcome.WON: "S", Outcome.LOST: "F"}[outcome]


def _called(query: sa.Select[Any], portal_id: int, typed: str) -> sa.Select[Any]:
    """Every word stands in its title, its client's or its owner's name; or it is the number."""
    words: list[Any] = [Lead.title, Deal.title, PortalUser.name]
    query = query.join(
        Delivery, sa.and_(Delivery.portal_id == portal_id, Delivery.id == _row.delivery_id)
    )
    for kind, table in TABLES.items():
        client = aliased(table)
        own = client.portal_id == portal_id, client.bitrix_id == Delivery.client_id
        query = query.outerjoin(client, sa.and_(Delivery.kind == kind.value, *own))
        words.append(audience.name_of(kind, client))
    owner_id = sa.func.coalesce(Lead.assigned_by_id, Deal.assigned_by_id)
    owner = PortalUser.portal_id == portal_id, PortalUser.bitrix_id == owner_id
    query = query.outerjoin(PortalUser, sa.and_(*owner))
    said = sa.func.concat_ws(" ", *words)
    fits = sa.and_(*(said.icontains(word, autoescape=True) for word in typed.split()[:_WORDS]))
    if (number := number_of(typed)) is not None:
        fits = sa.or_(fits, _row.bitrix_id == number)
    return query.where(fits)
