"""The purchases chart: its periods have no holes, its drawing stays in its box."""

from __future__ import annotations

from datetime import date
from decimal import Decimal

import pytest

from insights.rules.chart import FEWEST, Grain, Sum, labels, periods, plot
from insights.rules.rhythm import Rhythm, rhythm

TODAY = date(2026, 11, 21)


def bought(first: str | None, amount: int, sales: int = 1) -> Sum:
    return Sum(date.fromisoformat(first) if first else None, Decimal(amount), sales)


def test_one_purchase_still_makes_a_year():
    grain, shown = periods([bought("2026-11-01", 500)], TODAY)
    assert grain is Grain.MONTH
    assert len(shown) == FEWEST
    assert (shown[0].first, shown[-1].first) == (date(2025, 12, 1), date(2026, 11, 1))
    assert [p.total for p in shown] == [0] * 11 + [500]


def test_months_without_purchases_are_shown_up_to_today():
    _, shown = periods([bought("2025-06-01", 100), bought("2026-01-01", 50)], TODAY)
    assert [p.first.month for p in shown][:3] == [6, 7, 8]
    assert shown[-1].first == date(2026, 11, 1)
    assert shown[-1].total == 150


@pytest.mark.parametrize(
    ("first", "grain"),
    [
        ("2024-12-01", Grain.MONTH),
        ("2024-11-01", Grain.QUARTER),
        ("2019-01-01", Grain.QUARTER),
        ("2015-01-01", Grain.YEAR),
    ],
)
def test_a_long_history_is_coarser(first, grain):
    found, shown = periods([bought(first, 100), bought("2026-02-01", 10, 2)], TODAY)
    assert found is grain
    assert len(shown) <= 32
    assert sum(p.amount for p in shown) == 110
    assert sum(p.sales for p in shown) == 3


def test_sales_without_a_date_lift_the_line_from_the_start():
    _, shown = periods([bought(None, 70), bought("2026-10-01", 30)], TODAY)
    assert (shown[0].total, shown[-1].total) == (70, 100)


def test_only_undated_sales_make_no_chart():
    assert periods([bought(None, 70)], TODAY)[1] == []


def test_a_sale_dated_ahead_of_today_is_shown():
    _, shown = periods([bought("2027-02-01", 70)], TODAY)
    assert shown[-1].first == date(2027, 2, 1)


def test_drawing_stays_in_its_box_and_refunds_hang_below_zero():
    sums = [bought("2026-03-01", 900), bought("2026-05-01", -300, 0), bought("2026-07-01", 12)]
    drawn = plot(periods(sums, TODAY)[1], 200)
    for bar in drawn.bars:
        assert 0 <= bar.y <= bar.y + bar.height <= 200
        assert 0 <= bar.x <= bar.x + bar.width <= 100
    down = next(bar for bar in drawn.bars if bar.refund)
    up = max(drawn.bars, key=lambda bar: bar.period.amount)
    assert down.y == drawn.zero
    assert up.y + up.height == pytest.approx(drawn.zero)
    assert up.height == pytest.approx(down.height * 3, abs=0.05)


def test_both_scales_share_their_zero_and_reach_over_the_values():
    drawn = plot(periods([bought("2026-03-01", 900), bought("2026-04-01", 800)], TODAY)[1], 200)
    zero = next(tick for tick in drawn.ticks if tick.amount == 0)
    assert (zero.total, zero.y) == (0, drawn.zero)
    assert max(tick.amount for tick in drawn.ticks) >= 900
    assert max(tick.total for tick in drawn.ticks) >= 1700
    assert [tick.y for tick in drawn.ticks] == sorted((t.y for t in drawn.ticks), reverse=True)


def test_the_line_ends_at_the_total():
    drawn = plot(periods([bought("2026-03-01", 100)], TODAY)[1], 200)
    top = max(tick.total for tick in drawn.ticks)
    expected = drawn.zero * float(1 - Decimal(100) / top)
    assert drawn.line[-1].y2 == pytest.approx(expected, abs=0.01)
    assert all(a.x2 == b.x1 for a, b in zip(drawn.line, drawn.line[1:], strict=False))


def test_labels_are_few_end_with_today_and_name_each_year_once():
    _, shown = periods([bought("2025-01-01", 100)], TODAY)
    named = labels(shown, 4)
    assert len(named) <= 4
    assert named[-1].first == date(2026, 11, 1)
    years = [label.first.year for label in named if label.with_year]
    assert len(years) == len(set(years))


@pytest.mark.parametrize(
    ("since", "gap", "expected"),
    [
        (None, "30", None),
        (10, None, None),
        (10, "0", None),
        (45, "30", Rhythm.USUAL),
        (46, "30", Rhythm.LATE),
        (90, "30", Rhythm.LATE),
        (91, "30", Rhythm.LOST),
    ],
)
def test_rhythm(since, gap, expected):
    assert rhythm(since, Decimal(gap) if gap else None) is expected
