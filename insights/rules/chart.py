"""Geometry of the purchases chart: bars by period, a line of what they add up to.

Across, everything is a share of the width in percent, so the drawing stretches and its letters do not;
down, everything is in pixels. Both scales share their zero and their grid lines.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from enum import Enum
from itertools import pairwise
from math import ceil

FEWEST = 12
_INTERVALS = 4
_BAR_SHARE = 0.55
_NICE = (Decimal(1), Decimal(2), Decimal("2.5"), Decimal(5), Decimal(10))


class Grain(Enum):
    """The length of a period in months."""

    MONTH = 1
    QUARTER = 3
    YEAR = 12


@dataclass(frozen=True, slots=True)
class Sum:
    """Purchases of a month, or of no known date."""

    first: date | None
    amount: Decimal
    sales: int


@dataclass(frozen=True, slots=True)
class Period:
    """A bar: what was bought in it, and everything bought up to its end."""

    first: date
    amount: Decimal
    sales: int
    total: Decimal


@dataclass(frozen=True, slots=True)
class Bar:
    """A rectangle, and the whole stripe that answers to the pointer."""

    x: float
    width: float
    y: float
    height: float
    stripe_x: float
    stripe_width: float
    refund: bool
    period: Period


@dataclass(frozen=True, slots=True)
class Segment:
    """A piece of the line of totals."""

    x1: float
    y1: float
    x2: float
    y2: float


@dataclass(frozen=True, slots=True)
class Tick:
    """A grid line with its value on the scale of periods and on that of totals."""

    y: float
    amount: Decimal
    total: Decimal


@dataclass(frozen=True, slots=True)
class Label:
    """A period named under the chart; `with_year` when the reader needs it."""

    x: float
    first: date
    with_year: bool


@dataclass(frozen=True, slots=True)
class Plot:
    """All that is drawn."""

    height: float
    zero: float
    bars: list[Bar]
    line: list[Segment]
    ticks: list[Tick]


def periods(sums: Iterable[Sum], today: date) -> tuple[Grain, list[Period]]:
    """From the first purchase to today without holes, at least FEWEST, in a grain that stays readable."""
    known = list(sums)
    dated = {item.first: item for item in known if item.first is not None}
    total = sum((item.amount for item in known if item.first is None), Decimal(0))
    if not dated:
        return Grain.MONTH, []
    last = max(_index(today), _index(max(dated)))
    grain = _grain(last - _index(min(dated)) + 1)
    size = grain.value
    end = last // size
    start = min(_index(min(dated)) // size, end - FEWEST + 1)
    result = []
    for number in range(start, end + 1):
        inside = [
            item
            for month in range(number * size, (number + 1) * size)
            if (item := dated.get(_month(month)))
        ]
        amount = sum((item.amount for item in inside), Decimal(0))
        total += amount
        sales = sum(item.sales for item in inside)
        result.append(Period(_month(number * size), amount, sales, total))
    return grain, result


def plot(shown: Sequence[Period], height: float) -> Plot:
    """Lay periods out in a box of this height."""
    amounts, totals = [p.amount for p in shown], [p.total for p in shown]
    amount_step, total_step = _step(amounts), _step(totals)
    below = max(_steps_below(amounts, amount_step), _steps_below(totals, total_step))
    above = max(_steps_above(amounts, amount_step), _steps_above(totals, total_step), 1)
    unit = height / (above + below)
    zero = round(height - below * unit, 2)

    def level(value: Decimal, step: Decimal) -> float:
        return max(0.0, round(zero - float(value / step) * unit, 2))

    slot = 100 / len(shown) if shown else 100.0
    bars = [
        Bar(
            x=round(slot * (i + (1 - _BAR_SHARE) / 2), 3),
            width=round(slot * _BAR_SHARE, 3),
            y=min(level(p.amount, amount_step), zero),
            height=abs(round(level(p.amount, amount_step) - zero, 2)),
            stripe_x=round(slot * i, 3),
            stripe_width=round(slot, 3),
            refund=p.amount < 0,
            period=p,
        )
        for i, p in enumerate(shown)
    ]
    points = [(round(slot * (i + 0.5), 3), level(p.total, total_step)) for i, p in enumerate(shown)]
    return Plot(
        height=height,
        zero=zero,
        bars=bars,
        line=[Segment(*a, *b) for a, b in pairwise(points)],
        ticks=[
            Tick(max(0.0, round(zero - n * unit, 2)), n * amount_step, n * total_step)
            for n in range(-below, above + 1)
        ],
    )


def labels(shown: Sequence[Period], at_most: int) -> list[Label]:
    """At most so many names, evenly apart, the last period always among them."""
    slot = 100 / len(shown) if shown else 100.0
    apart = ceil(len(shown) / at_most)
    named: list[Label] = []
    for i, period in enumerate(shown):
        if (len(shown) - 1 - i) % apart == 0:
            new_year = not named or named[-1].first.year != period.first.year
            named.append(Label(round(slot * (i + 0.5), 3), period.first, new_year))
    return named


def _grain(months: int) -> Grain:
    if months <= 24:
        return Grain.MONTH
    return Grain.QUARTER if months <= 96 else Grain.YEAR


def _index(day: date) -> int:
    return day.year * 12 + day.month - 1


def _month(index: int) -> date:
    return date(index // 12, index % 12 + 1, 1)


def _step(values: Iterable[Decimal]) -> Decimal:
    """A round number so that about _INTERVALS of it reach over the largest value."""
    largest = max((abs(value) for value in values), default=Decimal(0))
    if not largest:
        return Decimal(1)
    raw = largest / _INTERVALS
    power = Decimal(10) ** raw.adjusted()
    return next(nice * power for nice in _NICE if nice * power >= raw)


def _steps_above(values: Iterable[Decimal], step: Decimal) -> int:
    return max(0, ceil(max(values, default=Decimal(0)) / step))


def _steps_below(values: Iterable[Decimal], step: Decimal) -> int:
    return max(0, ceil(-min(values, default=Decimal(0)) / step))
