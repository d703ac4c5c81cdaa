"""All clients an employee is responsible for: found by name, address or number, by occasion, sorted, page by page.

Whoever may see no others is shown those of them only that the portal lets him read: the clients of `Reader.among`.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import date
from decimal import Decimal
from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm import Session

from core import keyset
from core.database import any_of
from core.web.lists import Asked, Column, Listing, ListKey
from core.web.words import N_
from insights.mine import clients, rows
from insights.mine.clients import Line
from insights.mine.rows import Occasion, Reader
from integration.mirror import Address
from integration.rules import addresses
from segments import audience
from segments.audience import Member
from segments.members import people
from segments.models import ClientKind, ClientMetrics
from segments.rules.tree import Kind

PAGE = 50
COUNTED = 10_000
"""Nobody needs to know by how much more."""
SORTED = 50_000
"""More clients of one employee are shown in the order of their numbers."""
_WORDS = 5

LISTING = Listing(
    ListKey.MINE,
    columns=(
        Column("client", N_("Client")),
        Column("why", N_("Why now"), "wide"),
        Column("ltv", N_("LTV"), "num", "desc"),
        Column("sales", N_("Sales"), "num", "desc"),
        Column("average", N_("Average check"), "num", shown=False),
        Column("last_sale", N_("Last sale"), first="desc"),
        Column("gap", N_("Usual pause"), shown=False),
    ),
    filters=("search", "occasion", "kind"),
    sort="-ltv",
)
_LONG = replace(LISTING.unsorted(), sort="number")
_worth = ClientMetrics
_BY: dict[str, sa.ColumnElement[Any]] = {
    "ltv": sa.func.coalesce(_worth.ltv, Decimal(0)),
    "sales": sa.func.coalesce(_worth.sales, 0),
    "last_sale": sa.func.coalesce(_worth.last_sale_on, sa.literal(date(1, 1, 1), sa.Date)),
}


@dataclass(frozen=True, slots=True)
class Own:
    """A client: his figures, if he ever bought, and why it is time to speak to him."""

    member: Member
    worth: ClientMetrics | None
    occasions: tuple[tuple[Occasion, Line], ...] = ()


def listing(session: Session, reader: Reader) -> Listing:
    """The list as long as it is for this reader."""
    some = [
        _cards(reader, kind).with_only_columns(sa.literal(1)).limit(SORTED + 1)
        for kind in filter(reader.may_see_any, ClientKind)
    ]
    return _LONG if _count(session, some, SORTED) > SORTED else LISTING


def page(session: Session, reader: Reader, asked: Asked) -> tuple[list[Own], str]:
    """Clients, and after what the next page begins."""
    return _page(session, reader, asked, asked.after)


def every(session: Session, reader: Reader, asked: Asked) -> Iterator[list[Own]]:
    """All that are found, in portions."""
    return keyset.portions(session, lambda after: _page(session, reader, asked, after))


def number(session: Session, reader: Reader, asked: Asked) -> int:
    """How many are found; of very many, one more than are counted."""
    some = [
        query.with_only_columns(sa.literal(1)).limit(COUNTED + 1)
        for _, query in _queries(session, reader, asked)
    ]
    return _count(session, some, COUNTED)


def _page(session: Session, reader: Reader, asked: Asked, after: str) -> tuple[list[Own], str]:
    parts = [(query, _order(kind, asked)) for kind, query in _queries(session, reader, asked)]
    if not parts:
        return [], ""
    with audience.patient(session):
        names, following = keyset.merged(session, parts, after, PAGE)
    return _owned(session, reader, names), following


def _queries(
    session: Session, reader: Reader, asked: Asked
) -> list[tuple[ClientKind, sa.Select[Any]]]:
    wanted = {asked["kind"]} & set(ClientKind) or set(ClientKind)
    return [
        (kind, _found(session, reader, kind, asked))
        for kind in ClientKind
        if kind in wanted and reader.may_see_any(kind)
    ]


def _found(session: Session, reader: Reader, kind: ClientKind, asked: Asked) -> sa.Select[Any]:
    card, occasion = rows.TABLES[kind], asked["occasion"]
    bought = (
        _worth.portal_id == reader.portal_id,
        _worth.kind == kind.value,
        _worth.client_id == card.bitrix_id,
    )
    query = _cards(reader, kind).outerjoin(_worth, sa.and_(*bought))
    if occasion == Occasion.ANSWERED:
        query = query.where(card.bitrix_id.in_(rows.answered(reader, kind)))
    elif occasion in set(Occasion):
        pauses = rows.conditions(session, reader, kind, _worth)
        busy = rows.in_progress(reader, kind, card.bitrix_id)
        query = query.where(pauses[Occasion(occasion)], ~busy)
    if asked["search"]:
        query = query.where(_called(reader, kind, asked["search"]))
    return query


def _cards(reader: Reader, kind: ClientKind) -> sa.Select[Any]:
    number = rows.TABLES[kind].bitrix_id
    return sa.select(sa.func.concat(f"{kind}:", number)).where(*reader.own(kind))


def _called(reader: Reader, kind: ClientKind, typed: str) -> sa.ColumnElement[bool]:
    """Every word stands in the name; or it is the number, or an e-mail or phone in full."""
    card = rows.TABLES[kind]
    name = audience.name_of(Kind(kind.value), card)
    words = typed.split()[:_WORDS]
    fits = [sa.and_(*(name.icontains(word, autoescape=True) for word in words))]
    if (number := people.number_of(typed)) is not None:
        fits.append(card.bitrix_id == number)
    if (value := addresses.whole(typed)) is not None:
        reached = sa.select(Address.entity_id).where(
            Address.portal_id == reader.portal_id,
            Address.entity == kind.value,
            Address.normalised == value,
        )
        fits.append(card.bitrix_id.in_(reached))
    return sa.or_(*fits)


def _order(kind: ClientKind, asked: Asked) -> keyset.Order:
    name, descending = asked.by
    place = rows.TABLES[kind].bitrix_id, sa.literal(kind.value, sa.Text)
    by = _BY.get(name)
    return keyset.Order(place if by is None else (by, *place), descending)


def _count(session: Session, some: Sequence[sa.Select[Any]], most: int) -> int:
    if not some:
        return 0
    found = sa.union_all(*(sa.select(each.subquery()) for each in some)).subquery()
    return min(session.scalar(sa.select(sa.func.count()).select_from(found)) or 0, most + 1)


def _owned(session: Session, reader: Reader, names: Sequence[str]) -> list[Own]:
    """The clients of these names, with all that is known of each."""
    parted = [name.partition(":") for name in names]
    cards = [(Kind(kind), int(number)) for kind, _, number in parted]
    ids = {
        kind: [number for each, number in cards if each.value == kind.value] for kind in ClientKind
    }
    worth: dict[tuple[str, int], ClientMetrics] = {}
    for kind, numbers in ids.items():
        own = _worth.portal_id == reader.portal_id, _worth.kind == kind.value
        query = sa.select(_worth).where(*own, _worth.client_id == any_of(numbers))
        worth |= {(row.kind, row.client_id): row for row in session.scalars(query)}
    why: dict[str, list[tuple[Occasion, Line]]] = {}
    for occasion, lines in clients.listed(
        session, replace(reader, among=ids), list(Occasion)
    ).items():
        for line in lines:
            why.setdefault(line.client, []).append((occasion, line))
    return [
        Own(member, worth.get((member.kind.value, member.id)), tuple(why.get(name, ())))
        for name, member in zip(
            names, audience.named(session, reader.portal_id, cards), strict=True
        )
    ]
