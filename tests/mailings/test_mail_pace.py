"""Paces: buckets, quotas, warming up, slowing down; alone as numbers, and in the tables as claims use them."""

from __future__ import annotations

from collections import Counter
from datetime import date, timedelta

import pytest
import sqlalchemy as sa
from hypothesis import given
from hypothesis import strategies as st
from support.mail_sending import Outbox

from core.clock import utcnow
from mailings.models import Pace
from mailings.rules import pace
from mailings.sending import claiming, pacing

rates = st.floats(0.1, 100_000)


@given(rate=rates, steps=st.lists(st.tuples(st.floats(0, 30), st.integers(0, 500)), max_size=30))
def test_a_bucket_never_lets_more_through_than_its_pace(rate, steps):
    level, taken, seconds = 1.0, 0, 0.0
    for wait, wanted in steps:
        level = pace.filled(level, timedelta(seconds=wait), rate)
        seconds += wait
        took = min(int(level), wanted)
        level, taken = level - took, taken + took
        assert level >= 0
        assert taken <= rate * seconds / 60 + pace.capacity(rate) + 1e-4 * (1 + rate)


@given(rate=rates, level=st.floats(0, 10), back=st.floats(-1e6, 0))
def test_a_clock_that_goes_back_fills_nothing(rate, level, back):
    assert pace.filled(level, timedelta(seconds=back), rate) <= max(level, 0)


@given(seen=st.floats(1, 1e5), limit=st.one_of(st.none(), st.floats(1, 1e5)))
def test_a_complaint_halves_and_time_gives_back_in_equal_steps(seen, limit):
    slow = pace.slowed(seen, limit)
    assert pace.SLOWEST <= slow <= max(pace.SLOWEST, seen / 2)
    steps = [pace.recovered(slow, pace.SLOWED_FOR * n) for n in range(4)]
    assert steps == pytest.approx([slow * (1 + n) for n in range(4)])
    assert pace.recovered(slow, timedelta(days=1)) is None


def test_warming_up_grows_from_day_to_day_and_ends():
    began = date(2026, 11, 1)
    days = [pace.warm_up(began, began + timedelta(days=n)) for n in range(25)]
    assert days[0] == 500
    numbers = [each for each in days if each is not None]
    assert numbers == sorted(set(numbers))
    assert days[-1] is None
    assert pace.quota(1000, days[0]) == 500
    assert pace.quota(None, None) is None


@pytest.fixture
def outbox(session):
    return Outbox(session, rate_per_minute=None)


def claimed(outbox, mailing, number=1000, server=None):
    return claiming.claim(
        outbox.session, outbox.running(mailing), server or outbox.server, number, utcnow()
    )


def later(outbox, seconds):
    """So much time goes by for the paces."""
    outbox.session.execute(
        sa.update(Pace).values(counted_at=Pace.counted_at - timedelta(seconds=seconds))
    )


def test_a_mailing_keeps_its_pace(outbox):
    mailing = outbox.mailing(100, plan={"rate_per_minute": 6})
    assert len(claimed(outbox, mailing)) == 1, "the first need not wait"
    assert claimed(outbox, mailing) == []
    later(outbox, 10)
    assert len(claimed(outbox, mailing)) == 1
    later(outbox, 60)
    assert len(claimed(outbox, mailing)) == 1, "a bucket holds two seconds, not a minute"


def test_a_servers_pace_is_shared_by_its_mailings(outbox):
    outbox.server.rate_per_minute = 60
    first, second = outbox.mailing(50), outbox.mailing(50)
    claimed(outbox, first)
    later(outbox, 10)
    assert len(claimed(outbox, first, 1)) == 1
    assert len(claimed(outbox, second)) == 1
    assert claimed(outbox, first) == []


def test_the_days_quota_is_the_days(outbox):
    outbox.server.daily_quota = 30
    mailing = outbox.mailing(100)
    assert len(claimed(outbox, mailing, 20)) == 20
    rows = claimed(outbox, mailing, 20)
    assert len(rows) == 10
    assert claimed(outbox, mailing) == []
    today = utcnow().astimezone(claiming.hours.portal_zone(180)).date()
    pacing.give_back(outbox.session, outbox.id, pacing.day_key(outbox.server.id, today), 4)
    assert len(claimed(outbox, mailing)) == 4


def test_warming_up_limits_the_day(outbox):
    outbox.server.warm_up_from = utcnow().astimezone(claiming.hours.portal_zone(180)).date()
    mailing = outbox.mailing(600)
    assert len(claimed(outbox, mailing)) == 500
    assert claimed(outbox, mailing) == []


def test_one_mail_service_is_spared_and_the_others_go_on(outbox):
    outbox.server.group_rate_per_minute = 6
    mailing = outbox.mailing()
    outbox.add(mailing, 30, "googlemail.com")
    outbox.add(mailing, 30, "gmail.com")
    outbox.add(mailing, 5, "example.org")
    rows = claimed(outbox, mailing)
    assert Counter(row.group_key for row in rows) == {"gmail.com": 1, "example.org": 1}
    waiting = [
        row
        for row in outbox.rows(mailing)
        if row.group_key == "gmail.com" and row.state == "pending"
    ]
    assert len({row.next_try_at for row in waiting}) == 59, "each has a moment of its own"


def test_a_complaint_slows_the_server_or_one_service(outbox):
    session, server = outbox.session, outbox.server
    assert pacing.slow_down(session, outbox.id, server.id, "", 1200)
    assert not pacing.slow_down(session, outbox.id, server.id, "", 1200), "one complaint, not two"
    assert pacing.slow_limits(session, outbox.id, server.id) == {"": pytest.approx(600, rel=0.01)}
    mailing = outbox.mailing(100)
    claimed(outbox, mailing)
    later(outbox, 60)
    assert 20 <= len(claimed(outbox, mailing)) <= 24, (
        "two seconds of half the pace, a little recovered"
    )
    pacing.slow_down(session, outbox.id, server.id, "gmail.com", 60)
    assert set(pacing.slow_limits(session, outbox.id, server.id)) == {"", "gmail.com"}


def test_counts_of_another_server_are_not_touched(outbox):
    pacing.slow_down(outbox.session, outbox.id, 1, "", 100)
    assert pacing.slow_limits(outbox.session, outbox.id, 11) == {}
