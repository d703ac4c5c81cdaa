"""Many people left out of mailings at once by somebody's word, as on each one's card, where it is taken back."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass

from sqlalchemy.orm import Session

from integration.mirror import AddressKind
from mailings.consent import suppressions
from mailings.rules.states import ChannelKey
from segments.members import exporting
from segments.members.lists import Card

SOURCE = "client_card"
"""What the card's own tab says too: who may stop there may allow again."""


@dataclass(frozen=True, slots=True)
class Stopped:
    """How many people no mailing goes to any more; to whom none went already; who has no address."""

    people: int
    already: int
    unreachable: int


def stop(session: Session, portal_id: int, cards: Collection[Card], user_id: int) -> Stopped:
    """Have no mailing go to the e-mail addresses of these cards of the portal."""
    known = exporting.addresses(session, portal_id, list(cards))
    own = {
        card: set(known.get((card[0].value, card[1]), {}).get(AddressKind.EMAIL, ()))
        for card in cards
    }
    every = {address for addresses in own.values() for address in addresses}
    before = suppressions.stopped(session, portal_id, ChannelKey.EMAIL, every)
    suppressions.stop(
        *(session, portal_id, ChannelKey.EMAIL, every - before),
        source=SOURCE, actor=f"user:{user_id}",
    )  # fmt: skip
    unreachable = sum(not addresses for addresses in own.values())
    people = sum(bool(addresses - before) for addresses in own.values())
    return Stopped(people, len(own) - people - unreachable, unreachable)
