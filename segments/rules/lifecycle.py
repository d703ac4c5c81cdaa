"""Where a client stands between the first purchase and being lost, by the rhythm of the portal's own clients.

The curve of gaps tells, for every age, what share of the pauses between purchases lasted longer (the
Kaplan–Meier estimate: a pause that still lasts is counted as long as it has been watched). The edges of
the stages are the ages after which half, and nine of ten, never came back.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

LEAST_GAPS = 100
"""With fewer ended pauses the curve is no ground to judge by."""
LEAST_WATCHED = 30
"""The curve ends where fewer pauses than this are still watched: each return would be a leap."""
FALLBACK_DAYS = (90, 180)
LOST_DAYS = 365
HALF, MOST = 0.5, 0.9
_ROUNDING = 1e-9

PROSPECT, NEVER_BOUGHT = "prospect", "never_bought"
NEW, AWAITED = "new", "awaited"
ACTIVE, RETURNED = "active", "returned"
COOLING, SLEEPING, LOST = "cooling", "sleeping", "lost"
STAGES = (*(PROSPECT, NEVER_BOUGHT, NEW, AWAITED, ACTIVE, RETURNED, COOLING, SLEEPING, LOST),)


@dataclass(frozen=True, slots=True)
class Gaps:
    """Pauses of one length: those that ended with a purchase, and those that still last."""

    days: int
    ended: int = 0
    open: int = 0


@dataclass(frozen=True, slots=True)
class Step:
    """From this age on, the share of pauses that lasted longer; `watched`: pauses at least so long."""

    days: int
    share: float
    watched: int


@dataclass(frozen=True, slots=True)
class Edges:
    """The last day of being regular, of cooling down, and of sleeping; after that a client is lost."""

    cooling: int
    sleeping: int
    lost: int

    @property
    def ascend(self) -> bool:
        """Whether they can be used."""
        return 0 < self.cooling < self.sleeping <= self.lost


def edges_from(cooling: int, sleeping: int) -> Edges:
    """With the usual end: a year, or when nine of ten don't come back if that is later."""
    return Edges(cooling, sleeping, max(sleeping, LOST_DAYS))


FALLBACK = edges_from(*FALLBACK_DAYS)


def curve(gaps: Iterable[Gaps], least_watched: int = LEAST_WATCHED) -> list[Step]:
    """The Kaplan–Meier curve, a step for every age at which somebody came back."""
    ordered = sorted(gaps, key=lambda each: each.days)
    watched = sum(each.ended + each.open for each in ordered)
    share = 1.0
    steps: list[Step] = []
    for each in ordered:
        if watched < least_watched:
            break
        if each.ended:
            share *= 1 - each.ended / watched
            steps.append(Step(each.days, share, watched))
        watched -= each.ended + each.open
    return steps


def no_return_age(steps: Sequence[Step], share: float) -> int:
    """The age after which this share of clients never came back: 0 when it is so from the purchase on.

    Of those who stay away longer than an age, the share that never returns is the curve's end over its value
    at that age.
    """
    never = steps[-1].share
    if never >= share - _ROUNDING:
        return 0
    return next(step.days for step in steps if step.share * share <= never + _ROUNDING)


def return_age(steps: Sequence[Step], share: float) -> int:
    """The age by which this share of those who do come back have come."""
    returning = 1 - steps[-1].share
    return next(step.days for step in steps if 1 - step.share >= share * returning - _ROUNDING)


def edges(steps: Sequence[Step], ended: int) -> Edges | None:
    """The edges this curve gives, None when too few pauses have `ended`.

    Not before half (nine tenths) of the returns have happened: where most clients buy once, the age
    after which half never return would be the day of the purchase.
    """
    if ended < LEAST_GAPS or not steps:
        return None
    cooling = max(no_return_age(steps, HALF), return_age(steps, HALF))
    sleeping = max(no_return_age(steps, MOST), return_age(steps, MOST), cooling + 1)
    return edges_from(cooling, sleeping)


def by_rhythm(steps: Sequence[Step]) -> bool:
    """Whether the usual rhythm, not the share of the lost, decides about the first edge."""
    return no_return_age(steps, HALF) < return_age(steps, HALF)
