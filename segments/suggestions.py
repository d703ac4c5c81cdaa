"""What to do next, ranked, each with its reason and one button.

What only packages above know, such as mailings that wait for somebody, they add themselves (`also`).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from enum import IntEnum

from sqlalchemy.orm import Session

from core.web.words import gettext as _
from segments import chances, score_map
from segments.chances import Chance
from segments.members import saving
from segments.models import ClientKind

SHOWN = 5
_BROKEN = 2


class Rank(IntEnum):
    """What goes first: what stands still, then what is nearly done, then what would be new."""

    STOPPED = 1
    BROKEN = 2
    UNFINISHED = 3
    CHANCE = 4


@dataclass(frozen=True, slots=True)
class Suggestion:
    """A thing to do. `chip`: what it is about, in the colour `tone`; `chance`: the group, with its numbers."""

    rank: Rank
    chip: str
    tone: str
    title: str
    reason: str
    action: str
    href: str
    chance: Chance | None = None


Source = Callable[[Session, int], Iterable[Suggestion]]
_others: list[Source] = []


def also(source: Source) -> None:
    """Have this asked too; told by the composition root."""
    if source not in _others:
        _others.append(source)


def ranked(session: Session, portal_id: int) -> list[Suggestion]:
    """What matters most first."""
    found = [*_segments(session, portal_id), *_chances(session, portal_id)]
    for source in _others:
        found += source(session, portal_id)
    return sorted(found, key=lambda each: each.rank)[:SHOWN]


def is_early(session: Session, portal_id: int) -> bool:
    """Whether the figures that groups are told by are not there yet."""
    return score_map.basis(session, portal_id, ClientKind.CONTACT) is None


def _segments(session: Session, portal_id: int) -> Iterator[Suggestion]:
    broken = [each for each in saving.listed(session, portal_id) if each.problem]
    for segment in broken[:_BROKEN]:
        yield Suggestion(
            Rank.BROKEN,
            _("Segment"),
            "orange",
            segment.name,
            _("It needs attention: its people are not found anew until it is put right."),
            _("Open the segment"),
            f"/segments/{segment.id}",
        )


def _chances(session: Session, portal_id: int) -> Iterator[Suggestion]:
    for each in chances.found(session, portal_id) or ():
        yield Suggestion(
            Rank.CHANCE,
            each.name,
            each.tone,
            "",
            each.advice,
            _("Make a segment"),
            each.href,
            each,
        )
