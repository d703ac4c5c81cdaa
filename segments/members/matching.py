"""Rows of a list matched to cards of the mirror, or refused with the reason.

An id is taken as it is, an address by its normal form, a name by all its words. Where several cards have an
address, the row's other columns decide; what still fits several cards, or none, is refused.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum

from sqlalchemy.orm import Session

from integration.rules import addresses
from segments.members.card_lookup import Found, by_address, by_id, by_name
from segments.members.lists import Card
from segments.rules.headers import Meaning
from segments.rules.tree import Kind


class Refusal(StrEnum):
    """Why a row was left out."""

    NOTHING = "nothing"  # no id, address or name in it
    INVALID = "invalid"  # what stands there is none
    UNKNOWN = "unknown"  # the portal has no such card
    SEVERAL = "several"  # more than one card fits
    TWICE = "twice"  # the same card as an earlier row


@dataclass(frozen=True, slots=True)
class Refused:
    """A row that did not fit; `row` as the spreadsheet numbers it."""

    row: int
    reason: Refusal
    cells: tuple[str, ...]


@dataclass(slots=True)
class Row:
    """A row of the list, and what it names a card by."""

    number: int
    cells: list[str]
    id: int | None = None
    addresses: list[tuple[str, str]] = field(default_factory=list)
    name: str = ""
    wrong: bool = False


def understand(row: Row, mapping: Mapping[Meaning, int]) -> None:
    """Read the id, the addresses and the name of a row."""
    cell = {
        meaning: row.cells[column] if column < len(row.cells) else ""
        for meaning, column in mapping.items()
    }
    if typed := cell.get(Meaning.ID, "").removeprefix("#"):
        fits = typed.isascii() and typed.isdigit() and 0 < len(typed) < 19
        row.id, row.wrong = (int(typed) or None, False) if fits else (None, True)
    for meaning, normalised in (
        (Meaning.EMAIL, addresses.emails),
        (Meaning.PHONE, addresses.phones),
    ):
        if typed := cell.get(meaning, ""):
            found = [each.value for each in normalised(typed) if each.value]
            row.addresses += [(meaning.value, value) for value in found]
            row.wrong |= not found
    row.name = " ".join(cell.get(Meaning.NAME, "").casefold().split())


def match(
    session: Session, portal_id: int, rows: Sequence[Row], kind: Kind
) -> tuple[list[Card], list[Refused]]:
    """The cards of the rows, each once, and the rows that name none."""
    kinds = [kind, *(each for each in Kind if each is not kind)]
    known = by_id(session, portal_id, kind, {row.id for row in rows if row.id is not None})
    reached = by_address(session, portal_id, {pair for row in rows for pair in row.addresses})
    named = by_name(session, portal_id, kind, {row.name for row in rows if row.name})
    cards: dict[Card, None] = {}
    refused: list[Refused] = []
    for row in rows:
        found = _card(row, kinds, known, reached, named)
        if isinstance(found, Refusal) or found in cards:
            why = found if isinstance(found, Refusal) else Refusal.TWICE
            refused.append(Refused(row.number, why, tuple(row.cells)))
        else:
            cards[found] = None
    return list(cards), refused


def _card(
    row: Row,
    kinds: Sequence[Kind],
    known: Iterable[int],
    reached: Found,
    named: Mapping[str, Sequence[int]],
) -> Card | Refusal:
    """The one card a row names; of several kinds that share an address the first counts."""
    if row.id is not None:
        return (kinds[0], row.id) if row.id in known else Refusal.UNKNOWN
    if not row.addresses:
        if row.name:
            return _only([(kinds[0], card_id) for card_id in named.get(row.name, ())])
        return Refusal.INVALID if row.wrong else Refusal.NOTHING
    votes: dict[Card, int] = defaultdict(int)
    for pair in row.addresses:
        for card in set(reached.get(pair, ())):
            votes[card] += 1
    for kind in kinds:
        fitting = {card: number for card, number in votes.items() if card[0] is kind}
        if not fitting:
            continue
        most = max(fitting.values())
        best = [card for card, number in fitting.items() if number == most]
        by_that_name = [
            card for card in best if kind is kinds[0] and card[1] in named.get(row.name, ())
        ]
        return _only(by_that_name or best)
    return Refusal.UNKNOWN


def _only(cards: Sequence[Card]) -> Card | Refusal:
    if not cards:
        return Refusal.UNKNOWN
    return cards[0] if len(cards) == 1 else Refusal.SEVERAL
