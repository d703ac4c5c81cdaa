"""Geometry of a size in time: a line in a box of 100 by 100, stretched by whoever draws it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date

BOX = 100


@dataclass(frozen=True, slots=True)
class Point:
    """How many there were on a day."""

    day: date
    total: int


@dataclass(frozen=True, slots=True)
class Trend:
    """A line with its ends. `line` and `area` are the `points` of SVG shapes."""

    points: tuple[Point, ...]
    lowest: int
    highest: int
    line: str
    area: str


def trend(points: Sequence[Point], *, from_zero: bool = False) -> Trend | None:
    """The line of these days; None when there are none."""
    if not points:
        return None
    totals = [point.total for point in points]
    lowest, highest = (0 if from_zero else min(totals)), max(totals)
    days = (points[-1].day - points[0].day).days
    places = [
        (
            round(BOX * (point.day - points[0].day).days / days, 2) if days else 0.0,
            round(BOX - BOX * (point.total - lowest) / (highest - lowest), 2)
            if highest > lowest
            else BOX / 2,
        )
        for point in points
    ]
    if not days:
        places.append((float(BOX), places[0][1]))
    line = " ".join(f"{x:g},{y:g}" for x, y in places)
    return Trend(tuple(points), lowest, highest, line, f"0,{BOX} {line} {BOX},{BOX}")
