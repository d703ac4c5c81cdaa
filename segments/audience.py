"""Who a segment selects: how many, by what address, who for example, and why this one or not that one.

What other packages may import of segments, besides stored rows.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass, replace
from typing import Any

import sqlalchemy as sa
from psycopg.errors import QueryCanceled
from sqlalchemy.orm import Session

from integration.mirror import Address, AddressKind
from segments.card_facts import SharedAddress
from segments.conditions.card_fields import TABLES
from segments.conditions.catalog import Scope
from segments.conditions.compile import card_select, members, weighed
from segments.rules.tree import Condition, Definition, Group, Kind, Node, Related

PATIENCE_MS = 30_000
_MEMORY = "256MB"
_ADDRESSED = {
    AddressKind.EMAIL: "emails",
    AddressKind.PHONE: "phones",
    AddressKind.MESSENGER: "messengers",
}
_SUMMED = tuple(_ADDRESSED.values())


@dataclass(frozen=True, slots=True)
class Counters:
    """Bitrix24's five numbers, and leads: distinct normalised addresses, and cards.

    E-mails can outnumber contacts: a card may have several.
    """

    emails: int = 0
    phones: int = 0
    messengers: int = 0
    companies: int = 0
    contacts: int = 0
    leads: int = 0

    @property
    def members(self) -> int:
        """All cards."""
        return self.companies + self.contacts + self.leads

    def as_dict(self) -> dict[str, int]:
        """The numbers by name."""
        return asdict(self)


@dataclass(frozen=True, slots=True)
class Member:
    """A selected card."""

    kind: Kind
    id: int
    name: str

    @property
    def path(self) -> str:
        """The card on the portal."""
        return f"/crm/{self.kind}/details/{self.id}/"


@dataclass(frozen=True, slots=True)
class Reason:
    """Whether a part of the tree holds for a card; the parts of a group below it."""

    node: Node
    holds: bool
    parts: tuple[Reason, ...] = ()


@contextmanager
def patient(session: Session, milliseconds: int = PATIENCE_MS) -> Iterator[None]:
    """For one transaction: memory for hashes of the whole base, and an end to a question that takes too long."""
    for name, value in (("work_mem", _MEMORY), ("statement_timeout", str(milliseconds))):
        session.execute(sa.select(sa.func.set_config(name, value, True)))
    yield


def gave_up(error: sa.exc.OperationalError) -> bool:
    """Whether the question took longer than its patience; else it is the database's own trouble."""
    return isinstance(error.orig, QueryCanceled)


def count(session: Session, scope: Scope, definition: Definition) -> Counters:
    """The five counters and leads, now."""
    with patient(session):
        if scope.known:
            return added_up(session, scope.portal_id, weighed(scope, definition))
        return counted(session, scope.portal_id, members(scope, definition))


def counted(session: Session, portal_id: int, cards: sa.Select[Any]) -> Counters:
    """The same of these cards: rows (kind, member_id)."""
    found = cards.cte("found").prefix_with("MATERIALIZED")
    kinds = sa.select(found.c.kind, sa.func.count().label("number")).group_by(found.c.kind)
    distinct = (
        sa.select(Address.kind, Address.normalised)
        .join(
            found,
            sa.and_(Address.entity == found.c.kind, Address.entity_id == found.c.member_id),
        )
        .where(
            Address.portal_id == portal_id,
            Address.kind.in_(list(_ADDRESSED)),
            Address.normalised.is_not(None),
        )
        .distinct()
        .subquery()
    )
    addresses = sa.select(distinct.c.kind, sa.func.count()).group_by(distinct.c.kind)
    return _counters(dict(session.execute(sa.union_all(kinds, addresses)).all()))


def added_up(session: Session, portal_id: int, cards: sa.Select[Any]) -> Counters:
    """The same of cards with their weights, of which no client shares an address with a lead.

    Addresses a card has alone are added up; only those of several cards, and of unsure ones, are told apart.
    """
    found = cards.subquery("found").c
    sharing, unsure = found.shared > 0, found.shared.is_(None)
    sums = (
        sa.select(
            found.kind,
            sa.func.count().label("number"),
            *(sa.func.coalesce(sa.func.sum(found[name]), 0).label(name) for name in _SUMMED),
            sa.func.array_agg(found.member_id).filter(sharing).label("sharing"),
            sa.func.array_agg(found.member_id).filter(unsure).label("unsure"),
        )
        .group_by(found.kind)
        .cte("sums")
        .prefix_with("MATERIALIZED")
    )
    parts = [part for kind in Kind for part in _told_apart(portal_id, kind, sums)]
    apart = sa.union(*parts).subquery("apart")
    numbers = sa.select(sums.c.kind, sums.c.number, *(sums.c[name] for name in _SUMMED))
    none = [sa.cast(sa.literal_column("0"), sa.BigInteger) for _ in _SUMMED]
    distinct = sa.select(apart.c.kind, sa.func.count(), *none).group_by(apart.c.kind)
    rows = session.execute(sa.union_all(numbers, distinct)).all()
    totals: dict[str, int] = {row[0]: row[1] for row in rows}
    for kind, name in _ADDRESSED.items():
        alone = sum(getattr(row, name) for row in rows)
        totals[kind.value] = totals.get(kind.value, 0) + int(alone)
    return _counters(totals)


def _told_apart(portal_id: int, kind: Kind, sums: sa.CTE) -> list[sa.SelectBase]:
    """Shared addresses of sharing cards, all addresses of unsure ones."""
    shared, own = SharedAddress, Address
    cards = sa.select(sa.func.unnest(sums.c.sharing)).where(sums.c.kind == kind.value)
    # IS TRUE keeps it a hash of ids: the planner takes every array for a handful, and would look each up.
    is_sharing = shared.entity_id.in_(cards).is_(True)
    doubtful = sa.select(sums.c.unsure).where(sums.c.kind == kind.value).scalar_subquery()
    return [
        sa.select(shared.kind, shared.normalised).where(
            shared.portal_id == portal_id, shared.entity == kind.value, is_sharing
        ),
        sa.select(own.kind, own.normalised).where(
            own.portal_id == portal_id,
            own.entity == kind.value,
            own.entity_id == sa.any_(sa.cast(doubtful, sa.ARRAY(sa.BigInteger))),
            own.kind.in_(list(_ADDRESSED)),
            own.normalised.is_not(None),
        ),
    ]


def _counters(numbers: Mapping[str, int]) -> Counters:
    return Counters(
        **{name: numbers.get(kind.value, 0) for kind, name in _ADDRESSED.items()},
        companies=numbers.get(Kind.COMPANY.value, 0),
        contacts=numbers.get(Kind.CONTACT.value, 0),
        leads=numbers.get(Kind.LEAD.value, 0),
    )


def size(session: Session, scope: Scope, definition: Definition) -> int:
    """The number of members alone: what a builder shows while one types."""
    with patient(session):
        found = members(scope, definition).subquery()
        return session.scalar(sa.select(sa.func.count()).select_from(found)) or 0


def listed(
    session: Session, scope: Scope, definition: Definition, batch: int = 5000
) -> Iterator[tuple[Kind, int]]:
    """Every member, in portions from the database: memory does not grow with the audience."""
    query = members(scope, definition).execution_options(yield_per=batch)
    with session.execute(query) as rows:
        for kind, member_id in rows:
            yield Kind(kind), member_id


def sample(session: Session, scope: Scope, definition: Definition, size: int = 10) -> list[Member]:
    """Some members, whichever the database comes to first."""
    with patient(session):
        found = members(scope, definition).limit(size)
        rows = session.execute(found).all()
    return named(session, scope.portal_id, [(Kind(kind), member_id) for kind, member_id in rows])


def named(session: Session, portal_id: int, found: Iterable[tuple[Kind, int]]) -> list[Member]:
    """The cards with their names, in the same order."""
    wanted = list(found)
    names: dict[tuple[Kind, int], str] = {}
    for kind, table in TABLES.items():
        ids = [card_id for each, card_id in wanted if each is kind]
        if not ids:
            continue
        query = sa.select(table.bitrix_id, name_of(kind, table)).where(
            table.portal_id == portal_id, table.bitrix_id.in_(ids)
        )
        names |= {(kind, row[0]): row[1] for row in session.execute(query)}
    return [
        Member(kind, card_id, names.get((kind, card_id)) or f"#{card_id}")
        for kind, card_id in wanted
    ]


def name_of(kind: Kind, table: Any) -> Any:
    """The SQL of a card's name."""
    if kind is Kind.COMPANY:
        return sa.func.coalesce(table.title, "")
    person = sa.func.nullif(sa.func.concat_ws(" ", table.name, table.last_name), "")
    return person if kind is Kind.CONTACT else sa.func.coalesce(person, table.title, "")


def contains(
    session: Session, scope: Scope, definition: Definition, kind: Kind, ids: Iterable[int]
) -> set[int]:
    """Those of the cards that the segment selects: the same select, narrowed."""
    wanted = tuple(ids)
    tree = dict(definition.asked()).get(kind)
    if tree is None or not wanted:
        return set()
    if not definition.stands_alone:
        chosen = members(scope, definition).subquery()
        query = sa.select(chosen.c.member_id).where(
            chosen.c.kind == kind.value, chosen.c.member_id.in_(wanted)
        )
        return set(session.scalars(query))
    query = members(replace(scope, ids=wanted), definition.only(kind))
    return {member_id for _, member_id in session.execute(query)}


def why(
    session: Session, scope: Scope, definition: Definition, kind: Kind, card_id: int
) -> Reason | None:
    """What each part of the tree says of one card; None when there is no such card, or it isn't asked for."""
    tree = dict(definition.asked()).get(kind)
    if tree is None:
        return None
    nodes = list(_outer(tree))
    card, answers, source = card_select(replace(scope, ids=(card_id,)), kind, *nodes)
    row = session.execute(sa.select(*answers).select_from(source).where(*card.alive())).first()
    if row is None:
        return None
    answered = iter(row)
    return _reason(tree, answered)


def _outer(node: Node) -> Iterator[Node]:
    yield node
    if isinstance(node, Group):
        for part in node.parts:
            yield from _outer(part)


def _reason(node: Node, answered: Iterator[bool]) -> Reason:
    holds = next(answered)
    match node:
        case Group():
            return Reason(node, holds, tuple(_reason(part, answered) for part in node.parts))
        case Condition() | Related():
            return Reason(node, holds)
