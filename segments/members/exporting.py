"""Members of a segment as rows of a file: who, with the addresses to reach them by."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import sqlalchemy as sa
from sqlalchemy.orm import Session

from core.database import any_of
from integration.mirror import Address, AddressKind
from segments import audience
from segments.audience import Member
from segments.rules.tree import Kind

BATCH = 5000
ADDRESSED = (AddressKind.EMAIL, AddressKind.PHONE, AddressKind.MESSENGER)


def rows(
    session: Session, portal_id: int, members: sa.Select[str, int], headers: Sequence[str]
) -> Iterator[Sequence[str]]:
    """The headers, and a row for each of the members (kind, member_id)."""
    yield headers
    query = members.execution_options(yield_per=BATCH)
    for batch in session.execute(query).partitions(BATCH):
        cards = [(Kind(kind), number) for kind, number in batch]
        yield from _batch(session, portal_id, cards)


def of_cards(
    session: Session, portal_id: int, cards: Sequence[tuple[Kind, int]], headers: Sequence[str]
) -> Iterator[Sequence[str]]:
    """The same of these cards."""
    yield headers
    for start in range(0, len(cards), BATCH):
        yield from _batch(session, portal_id, cards[start : start + BATCH])


def _batch(
    session: Session, portal_id: int, cards: Sequence[tuple[Kind, int]]
) -> Iterator[Sequence[str]]:
    known_of = addresses(session, portal_id, cards)
    for member in audience.named(session, portal_id, cards):
        known = known_of.get((member.kind.value, member.id), {})
        yield [*_card(member), *(", ".join(known.get(kind, ())) for kind in ADDRESSED)]


def _card(member: Member) -> list[str]:
    return [member.kind.value, str(member.id), member.name]


def addresses(
    session: Session, portal_id: int, cards: Sequence[tuple[Kind, int]]
) -> dict[tuple[str, int], dict[str, list[str]]]:
    """E-mails, phones and messengers of cards, by kind of address."""
    found: dict[tuple[str, int], dict[str, list[str]]] = {}
    for kind in {kind for kind, _ in cards}:
        ids = [number for each, number in cards if each is kind]
        query = (
            sa.select(Address.entity, Address.entity_id, Address.kind, Address.normalised)
            .where(
                Address.portal_id == portal_id,
                Address.entity == kind.value,
                Address.entity_id == any_of(ids),
                Address.kind.in_([each.value for each in ADDRESSED]),
                Address.normalised.is_not(None),
            )
            .order_by(Address.entity_id, Address.kind, Address.position)
        )
        for entity, number, address_kind, value in session.execute(query):
            found.setdefault((entity, number), {}).setdefault(address_kind, []).append(str(value))
    return found
