"""The people of a segment one by one: found by name, address or number, sorted by what they are worth, page by page."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm import Session

from core import keyset
from core.web.lists import Asked, Column, Listing, ListKey
from core.web.words import N_
from integration.mirror import Address, AddressKind
from segments import audience
from segments.audience import Member
from segments.members import exporting, membership, people
from segments.members.lists import Card
from segments.models import ClientMetrics
from segments.rules.tree import Kind
from segments.saved import SegmentStay

PAGE = 50
COUNTED = 10_000
"""Nobody needs to know by how much more: that many are counted, and no more are ticked at once."""
SORTED = 50_000
"""A segment of more people is shown in the order it is stored in."""

LISTING = Listing(
    ListKey.MEMBERS,
    columns=(
        Column("client", N_("Client")),
        Column("email", N_("E-mail")),
        Column("phone", N_("Phone")),
        Column("ltv", N_("LTV"), "num", "desc"),
        Column("sales", N_("Sales"), "num", "desc"),
        Column("last_sale", N_("Last sale"), first="desc"),
        Column("entered", N_("Came in"), first="desc", shown=False),
        Column("why", N_("Why"), shown=False),
    ),
    filters=("search", "kind", "has"),
    sort="place",
)
HAS = {"email": AddressKind.EMAIL, "phone": AddressKind.PHONE}

_stay, _metrics = SegmentStay, ClientMetrics
_BY: dict[str, sa.ColumnElement[Any]] = {
    "ltv": sa.func.coalesce(_metrics.ltv, 0),
    "sales": sa.func.coalesce(_metrics.sales, 0),
    "last_sale": sa.func.coalesce(_metrics.last_sale_on, sa.literal(date(1, 1, 1), sa.Date)),
    "entered": _stay.entered_at.expression,
}
_PLACE = (_stay.kind.expression, _stay.member_id.expression)
STORED = keyset.Order(_PLACE)
"""The order a segment is stored in."""


@dataclass(frozen=True, slots=True)
class Person:
    """A member: since when and why he is in, how he is reached, what he is worth; no figures of who never bought."""

    member: Member
    stay: SegmentStay
    emails: Sequence[str]
    phones: Sequence[str]
    messengers: Sequence[str]
    metrics: ClientMetrics | None


def page(
    session: Session, portal_id: int, segment_id: int, asked: Asked, size: int = PAGE
) -> tuple[list[Person], str]:
    """Members, and after what the next page begins."""
    name, descending = asked.by
    by = _BY.get(name)
    order = STORED if by is None else keyset.Order((by, *_PLACE), descending)
    query = _query(portal_id, segment_id, asked, few=True)
    if name in {"ltv", "sales", "last_sale"}:
        query = query.outerjoin(
            _metrics,
            sa.and_(
                _metrics.portal_id == portal_id,
                _metrics.kind == _stay.kind,
                _metrics.client_id == _stay.member_id,
            ),
        )
    with audience.patient(session):
        found, after = keyset.page(session, query, order, asked.after, size)
    return _people(session, portal_id, found), after


def number(session: Session, portal_id: int, segment_id: int, asked: Asked) -> int:
    """How many are found; of very many, one more than are counted."""
    some = _query(portal_id, segment_id, asked, few=True).with_only_columns(sa.literal(1))
    query = sa.select(sa.func.count()).select_from(some.limit(COUNTED + 1).subquery())
    return session.scalar(query) or 0


def cards(
    session: Session, portal_id: int, segment_id: int, asked: Asked, limit: int
) -> list[Card]:
    """So many of those that are found."""
    query = found(portal_id, segment_id, asked).limit(limit)
    return [(Kind(kind), card_id) for kind, card_id in session.execute(query)]


def found(portal_id: int, segment_id: int, asked: Asked) -> sa.Select[str, int]:
    """Rows (kind, member_id) of all that are found."""
    return _query(portal_id, segment_id, asked).with_only_columns(*_PLACE).order_by(*_PLACE)


def _query(portal_id: int, segment_id: int, asked: Asked, *, few: bool = False) -> sa.Select[Any]:
    query = membership.living(portal_id, segment_id, few=few).with_only_columns(_stay)
    if asked["kind"] in set(Kind):
        query = query.where(_stay.kind == asked["kind"])
    if asked["has"] in HAS:
        own = Address.kind == HAS[asked["has"]].value, Address.normalised.is_not(None)
        mine = Address.entity == _stay.kind, Address.entity_id == _stay.member_id
        query = query.where(sa.exists().where(Address.portal_id == portal_id, *mine, *own))
    if typed := asked["search"]:
        fits = people.called(portal_id, _stay.kind, _stay.member_id, typed)
        query = query.where(sa.or_(_reached(portal_id, typed), *fits))
    return query


def _reached(portal_id: int, typed: str) -> sa.ColumnElement[bool]:
    """By a part of an address: all that fit are found once, not those of each member."""
    owners = sa.select(Address.entity, Address.entity_id).where(
        Address.portal_id == portal_id, Address.normalised.icontains(typed, autoescape=True)
    )
    return sa.tuple_(*_PLACE).in_(owners)


def _people(session: Session, portal_id: int, stays: Sequence[SegmentStay]) -> list[Person]:
    found = [(Kind(stay.kind), stay.member_id) for stay in stays]
    known = exporting.addresses(session, portal_id, found)
    metrics = _worth(session, portal_id, found)
    listed = []
    for stay, member in zip(stays, audience.named(session, portal_id, found), strict=True):
        key = stay.kind, stay.member_id
        own = known.get(key, {})
        emails, phones, messengers = (own.get(each, ()) for each in exporting.ADDRESSED)
        listed.append(Person(member, stay, emails, phones, messengers, metrics.get(key)))
    return listed


def _worth(
    session: Session, portal_id: int, found: Sequence[Card]
) -> dict[tuple[str, int], ClientMetrics]:
    kinds = {kind for kind, _ in found}
    rows: list[ClientMetrics] = []
    for kind in kinds:
        query = sa.select(_metrics).where(
            _metrics.portal_id == portal_id,
            _metrics.kind == kind.value,
            _metrics.client_id.in_([card_id for each, card_id in found if each is kind]),
        )
        rows += session.scalars(query)
    return {(row.kind, row.client_id): row for row in rows}
