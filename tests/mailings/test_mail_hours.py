"""When a message may go: hours, working days, other people's clocks, the last moment."""

from __future__ import annotations

from datetime import UTC, datetime, time, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mailings.rules import hours
from mailings.rules.hours import EVERY_DAY, Window
from mailings.rules.plans import Plan

ZONES = [ZoneInfo(name) for name in ("Europe/Berlin", "Europe/Moscow", "America/New_York", "Asia/Kolkata", "Pacific/Auckland")]  # fmt: skip
moments = st.datetimes(datetime(2026, 1, 1), datetime(2027, 12, 31)).map(
    lambda each: each.replace(tzinfo=UTC)
)
clocks = st.times().map(lambda each: each.replace(second=0, microsecond=0))
windows = st.builds(
    Window, clocks, clocks, st.sets(st.integers(0, 6), min_size=1).map(frozenset)
)  # fmt: skip


def is_open(window, moment, zone):
    """Minute by minute, the way a person would read a clock on the wall."""
    local = moment.astimezone(zone)
    now = local.time().replace(second=0, microsecond=0)
    today, yesterday = local.weekday() in window.days, (local.weekday() - 1) % 7 in window.days
    if window.start < window.end:
        return today and window.start <= now < window.end
    return (today and now >= window.start) or (yesterday and now < window.end)


def clock_is_moved(moment, zone):
    around = [
        (moment + timedelta(hours=h)).astimezone(zone).utcoffset() for h in (-26, -3, 0, 3, 26)
    ]
    return len(set(around)) > 1


@given(window=windows, now=moments, zone=st.sampled_from(ZONES))
def test_an_opening_is_open_and_nothing_before_it_is(window, now, zone):
    opening = window.opening(now, zone)
    assert opening >= now
    assert opening - now <= timedelta(days=9)
    if clock_is_moved(opening, zone) or clock_is_moved(now, zone):
        return  # the hour that is there twice, or not at all
    assert is_open(window, opening, zone)
    step = (opening - now) / 7
    for part in range(1, 7):
        before = now + step * part
        if (
            opening > now
            and before < opening - timedelta(minutes=1)
            and not clock_is_moved(before, zone)
        ):
            assert not is_open(window, before, zone)


@given(now=moments, zone=st.sampled_from(ZONES))
def test_without_hours_it_is_always_open(now, zone):
    assert Window().opening(now, zone) == now


def test_working_days_are_the_portals():
    plan = Plan(hours_from="10:00", hours_to="19:00", working_days=True)
    window = Window.of(plan, (0, 1, 2, 3, 4))
    saturday = datetime(2026, 11, 21, 12, tzinfo=UTC)
    assert window.opening(saturday, hours.portal_zone(180)) == datetime(2026, 11, 23, 7, tzinfo=UTC)
    assert Window.of(plan, ()).days == EVERY_DAY, "a portal without working days works every day"


def test_a_night_window_belongs_to_the_day_it_began_on():
    friday_night = Window(time(22), time(2), frozenset({4}))
    one_at_night = datetime(2026, 11, 21, 1, tzinfo=UTC)  # Saturday
    assert friday_night.opening(one_at_night, UTC) == one_at_night


def test_the_clock_of_the_recipient():
    assert str(hours.zone_of_phone("+73832223344")) == "Asia/Novosibirsk"
    assert str(hours.zone_of_phone("+491711234567")) == "Europe/Berlin"
    assert hours.zone_of_phone("+79161234567") is None, "it may be anywhere in the country"
    assert hours.zone_of_phone("nonsense") is None


@pytest.mark.parametrize(("opening", "late"), [(9, False), (10, False), (11, True)])
def test_after_the_last_moment_it_is_too_late(opening, late):
    plan = Plan(not_after="2026-11-22T10:00+00:00")
    assert hours.too_late(plan, datetime(2026, 11, 22, opening, tzinfo=UTC)) is late
    assert not hours.too_late(Plan(), datetime(2026, 11, 22, opening, tzinfo=UTC))
