"""Cards chosen in the portal's lists and cards, put into a list of ours, or written to by a mailing to them."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import dataclass

from sqlalchemy.orm import Session

from mailings.planning import drafts
from segments import audience
from segments.audience import Member
from segments.members import choosing, lists, saving
from segments.members.lists import Card
from segments.rules.tree import Kind
from segments.saved import How

MOST = 1_000


class BadChoice(ValueError):
    """What was chosen names no cards, or too many."""


@dataclass(frozen=True, slots=True)
class Put:
    """What became of cards that were put into a list: `entered` were not in it before."""

    segment_id: int
    name: str
    entered: list[str]
    already: int


def read(names: Iterable[str]) -> list[Card]:
    """Cards as pages name them, contact:7; each once. Raises BadChoice."""
    found: dict[Card, None] = {}
    for name in names:
        kind, _, number = name.partition(":")
        if (
            kind not in list(Kind)
            or not (number.isascii() and number.isdigit())
            or len(number) > 18
        ):
            raise BadChoice(name)
        found[Kind(kind), int(number)] = None
    if len(found) > MOST:
        raise BadChoice("too many")
    return list(found)


def written(card: Card) -> str:
    """The other way round."""
    return f"{card[0].value}:{card[1]}"


def people(session: Session, portal_id: int, cards: Collection[Card]) -> list[Member]:
    """Those of the cards that the portal has, with names, in the order given."""
    alive = set(lists.living(session, portal_id, cards))
    return audience.named(session, portal_id, [card for card in cards if card in alive])


def put(
    session: Session, portal_id: int, segment_id: int, cards: Collection[Card], user_id: int
) -> Put:
    """Put cards into a list. Raises NoSuchSegment, NotStatic, TooMany."""
    segment = lists.static(session, portal_id, segment_id, len(cards))
    alive = lists.living(session, portal_id, cards)
    before = choosing.inside(session, portal_id, segment_id, alive)
    lists.put_in(session, portal_id, segment_id, alive, user_id)
    entered = [written(card) for card in alive if card not in before]
    return Put(segment_id, segment.name, entered, len(before))


def new_list(session: Session, portal_id: int, name: str, user_id: int) -> int:
    """An empty list. Raises InvalidCondition."""
    return saving.create(session, portal_id, name, None, how=How.STATIC, user_id=user_id).id


def mailing(
    session: Session, portal_id: int, cards: Collection[Card], name: str, user_id: int, key: str
) -> int:
    """The draft of a mailing to a new list of these cards; a second press of the same button finds the first's."""
    with session.begin_nested() as tried:
        segment_id = new_list(session, portal_id, name, user_id)
        put(session, portal_id, segment_id, cards, user_id)
        made = drafts.create(
            *(session, portal_id), name=name, author_id=user_id, key=key, segment_id=segment_id
        )
        mailing_id = made.id
        if made.segment_id != segment_id:
            tried.rollback()
    return mailing_id
