"""Geometry of the curve of returns: what share of clients who have been silent so long still come back.

Across, shares of the width in percent; down, pixels. The drawing stretches and its letters do not.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from math import ceil

from segments.rules.lifecycle import Edges, Step

_POINTS = 120
_INTERVALS = 6
_NICE = (5, 10, 15, 30, 60, 90, 180, 365)
_SHARES = (0.0, 0.25, 0.5, 0.75, 1.0)


@dataclass(frozen=True, slots=True)
class Point:
    """After so many days of silence this share still comes back."""

    days: int
    share: float
    x: float
    y: float


@dataclass(frozen=True, slots=True)
class Piece:
    """A piece of the curve."""

    x1: float
    y1: float
    x2: float
    y2: float


@dataclass(frozen=True, slots=True)
class Mark:
    """A line across the drawing, up or over, with the number it stands for."""

    at: float
    value: float


@dataclass(frozen=True, slots=True)
class Plot:
    """All that is drawn. `edges`: where cooling down and sleeping begin, `days`, `shares`: the grid."""

    height: float
    points: list[Point]
    pieces: list[Piece]
    edges: list[Mark]
    days: list[Mark]
    shares: list[Mark]


def plot(steps: Sequence[Step], edges: Edges, height: float) -> Plot:
    """Lay the curve out in a box of this height."""
    last = max(min(steps[-1].days, 3 * edges.sleeping), edges.sleeping)
    every = next((nice for nice in _NICE if nice * _INTERVALS >= last), ceil(last / _INTERVALS))
    across = ceil(last / every) * every

    def point(days: int) -> Point:
        share = returning(steps, days)
        return Point(days, share, round(100 * days / across, 3), round(height * (1 - share), 2))

    apart = max(1, across // _POINTS)
    points = [point(days) for days in range(0, across + 1, apart)]
    return Plot(
        height=height,
        points=points,
        pieces=[Piece(one.x, one.y, two.x, two.y) for one, two in pairwise(points)],
        edges=[Mark(round(100 * d / across, 3), d) for d in (edges.cooling, edges.sleeping)],
        days=[Mark(round(100 * d / across, 3), d) for d in range(0, across + 1, every)],
        shares=[Mark(round(height * (1 - share), 2), share) for share in _SHARES],
    )


def returning(steps: Sequence[Step], days: int) -> float:
    """Of those silent for more than so many days, the share that comes back."""
    lasting = 1.0
    for step in steps:
        if step.days > days:
            break
        lasting = step.share
    return 1 - steps[-1].share / lasting if lasting else 0.0
