"""Groups of clients worth a mailing today: those a letter can still move, where the most money stands first."""

from __future__ import annotations

from dataclasses import dataclass

from sqlalchemy.orm import Session

from segments import score_map
from segments.models import ClientKind
from segments.score_map import Sum
from segments.scoring import score_words, scores

SHOWN = 3


@dataclass(frozen=True, slots=True)
class Chance:
    """A group by its name, what to do about it, and its clients."""

    name: str
    advice: str
    tone: str
    clients: Sum


def found(session: Session, portal_id: int) -> list[Chance] | None:
    """The groups of people with the highest LTV in all; None while nobody is scored."""
    if score_map.basis(session, portal_id, ClientKind.CONTACT) is None:
        return None
    groups = score_map.drawn(session, portal_id, ClientKind.CONTACT).groups
    names = score_words.groups(scores.choices_of(session, portal_id)[1].names)
    advice = score_words.advice()
    open_to = [(key, groups[key]) for key in advice if key in groups and groups[key].number]
    open_to.sort(key=lambda pair: pair[1].ltv, reverse=True)
    return [
        Chance(names[key], advice[key], score_words.MEANINGS[key].tone, clients)
        for key, clients in open_to[:SHOWN]
    ]
