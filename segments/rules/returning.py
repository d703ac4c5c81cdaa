"""How likely silent clients are to buy within a month, by what clients who had been silent as long have done.

Those who have bought on one day only are told apart from those who came back before: they return far less often.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from segments.rules import lifecycle
from segments.rules.lifecycle import LEAST_GAPS, LEAST_WATCHED, Gaps, Step

WITHIN_DAYS = 30


@dataclass(frozen=True, slots=True)
class Pauses:
    """The history of pauses between days of purchase: those after the first one, and all later ones."""

    once: Sequence[Gaps]
    again: Sequence[Gaps]

    @property
    def all(self) -> list[Gaps]:
        """Both together, by length."""
        ended: dict[int, int] = {}
        still: dict[int, int] = {}
        for each in (*self.once, *self.again):
            ended[each.days] = ended.get(each.days, 0) + each.ended
            still[each.days] = still.get(each.days, 0) + each.open
        return [Gaps(days, ended[days], still[days]) for days in sorted(ended)]


@dataclass(frozen=True, slots=True)
class Habit:
    """What became of pauses of one kind. `known_to`: the longest pause that enough clients have been watched in."""

    steps: tuple[Step, ...]
    known_to: int

    def chance(self, silent: int, within: int = WITHIN_DAYS) -> float | None:
        """The share of clients silent for so many days who buy within the next ones; None: too few have been."""
        if silent > self.known_to:
            return None
        left = self._lasting(max(silent, 0))
        return 1 - self._lasting(max(silent, 0) + within) / left if left else None

    def _lasting(self, days: int) -> float:
        """The share of pauses longer than this."""
        place = bisect_right(self.steps, days, key=lambda step: step.days)
        return self.steps[place - 1].share if place else 1.0


def habit(gaps: Iterable[Gaps]) -> Habit | None:
    """What these pauses teach; None where too few of them have ended."""
    ordered = sorted(gaps, key=lambda each: each.days)
    if sum(each.ended for each in ordered) < LEAST_GAPS:
        return None
    watched, known_to = sum(each.ended + each.open for each in ordered), 0
    for each in ordered:
        if watched < LEAST_WATCHED:
            break
        known_to = each.days
        watched -= each.ended + each.open
    return Habit(tuple(lifecycle.curve(ordered)), known_to)
