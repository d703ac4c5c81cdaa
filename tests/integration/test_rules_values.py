"""Single values of the portal's replies: what each spelling means, and what can't be what it says."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta, timezone
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from integration.rules import values
from integration.rules.values import Misfit


@pytest.mark.parametrize("empty", [None, "", False, [], {}, "\x00"])
def test_empty_text_is_none(empty):
    assert values.text(empty) is None


def test_text_loses_the_nul_bytes_that_postgresql_refuses():
    assert values.text("О\x00О\x00О") == "ООО"
    assert values.text(12) == "12"


@pytest.mark.parametrize("nothing", [None, "", 0, "0", False, [], {}])
def test_every_spelling_of_no_link(nothing):
    assert values.link(nothing, "COMPANY_ID") is None


@pytest.mark.parametrize(("given_as", "read_as"), [("7", 7), (7, 7), ("0007", 7), (2**63 - 1,) * 2])
def test_a_link(given_as, read_as):
    assert values.link(given_as, "COMPANY_ID") == read_as


@pytest.mark.parametrize("wrong", ["-1", -1, "x", "1.5", "1 OR 1=1", 2**63, [1], {"a": 1}])
def test_what_is_no_id(wrong):
    with pytest.raises(Misfit, match="COMPANY_ID"):
        values.link(wrong, "COMPANY_ID")


@pytest.mark.parametrize("missing", [None, "", 0, "0"])
def test_a_row_needs_an_id(missing):
    with pytest.raises(Misfit):
        values.required_id(missing, "ID")


@pytest.mark.parametrize("yes", ["Y", "y", 1, "1", True, "true", "YES"])
def test_yes(yes):
    assert values.flag(yes) is True


@pytest.mark.parametrize("no", ["N", "n", 0, "0", False, "", None, "false", [], {}])
def test_no(no):
    assert values.flag(no) is False


@pytest.mark.parametrize(
    ("given_as", "read_as"),
    [
        (None, "0.00"), ("", "0.00"), (0, "0.00"), ("0", "0.00"), ("1500", "1500.00"),
        ("-12.5", "-12.50"), (1500.1, "1500.10"), (0.1 + 0.2, "0.30"), ("12.9999", "13.00"),
        (-0.5, "-0.50"), (1e15, "1000000000000000.00"), ("9999999999999999", "9999999999999999.00"),
    ],
)  # fmt: skip
def test_money(given_as, read_as):
    assert values.money(given_as, "OPPORTUNITY") == read_as


@pytest.mark.parametrize(
    "wrong",
    ["x", "1 500", "1,5", "12|RUB", "1e3", "NaN", float("nan"), float("inf"), "10000000000000000",
     "9999999999999999.999", "'; DROP", [1]],
)  # fmt: skip
def test_what_is_no_amount(wrong):
    with pytest.raises(Misfit, match="OPPORTUNITY") as misfit:
        values.money(wrong, "OPPORTUNITY")
    assert str(wrong) not in str(misfit.value), "the message may be logged, the value may not"


@given(st.decimals(min_value=-(10**15), max_value=10**15, places=2))
def test_two_digit_amounts_stay_exact(amount):
    assert Decimal(values.money(str(amount), "OPPORTUNITY")) == amount


@pytest.mark.parametrize("empty", [None, "", {}, [], False])
def test_empty_dates(empty):
    assert values.moment(empty, "DATE_CREATE") is None
    assert values.day(empty, "CLOSEDATE") is None


def test_a_moment_keeps_the_offset_it_came_with():
    found = values.moment("2026-03-01T12:30:15+05:00", "DATE_CREATE")
    assert found == datetime(2026, 3, 1, 7, 30, 15, tzinfo=UTC)
    assert found.utcoffset() == timedelta(hours=5)


@pytest.mark.parametrize(
    "wrong",
    ["2026-03-01T12:30:15", "01.03.2026 12:30:15", "0000-00-00T00:00:00+03:00", "yesterday", 5,
     "2026-02-30T00:00:00+03:00", "0001-01-01T00:00:00+03:00", "9999-12-31T23:00:00-05:00", ["x"]],
)  # fmt: skip
def test_what_is_no_moment(wrong):
    with pytest.raises(Misfit, match="DATE_CREATE"):
        values.moment(wrong, "DATE_CREATE")


@pytest.mark.parametrize(
    ("shown", "meant"),
    [
        ("2026-03-01T03:00:00+03:00", date(2026, 3, 1)),
        ("2026-03-01T00:00:00+00:00", date(2026, 3, 1)),
        ("2026-02-28T19:00:00-05:00", date(2026, 3, 1)),
        ("2026-02-28T14:00:00-10:00", date(2026, 3, 1)),
        ("2026-03-01T14:00:00+14:00", date(2026, 3, 1)),
        ("2024-02-29", date(2024, 2, 29)),
    ],
)
def test_a_day_is_midnight_in_utc_whatever_the_servers_offset(shown, meant):
    assert values.day(shown, "CLOSEDATE") == meant


@given(st.dates(date(1900, 1, 1), date(2200, 1, 1)), st.integers(-12 * 4, 14 * 4))
def test_a_day_survives_every_offset(meant, quarters):
    offset = timezone(timedelta(minutes=15 * quarters))
    shown = datetime(meant.year, meant.month, meant.day, tzinfo=UTC).astimezone(offset)
    assert values.day(shown.isoformat(), "CLOSEDATE") == meant


@pytest.mark.parametrize(
    "wrong", ["2026-13-01", "0000-00-00", "01.03.2026", "2026-3-1", "soon", 20]
)
def test_what_is_no_day(wrong):
    with pytest.raises(Misfit, match="CLOSEDATE"):
        values.day(wrong, "CLOSEDATE")
