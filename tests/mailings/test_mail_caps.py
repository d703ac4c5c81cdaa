"""Caps: nobody gets more than so many messages in a rolling window, and nought means no limit."""

from __future__ import annotations

from datetime import timedelta

import pytest
import sqlalchemy as sa
from hypothesis import given, settings
from hypothesis import strategies as st
from support.mail_people import LONG_AGO, People

from core.clock import utcnow
from mailings.models import Delivery
from mailings.planning import eligibility, waterfall
from mailings.planning import plan as planning
from mailings.planning.capping import Limits
from mailings.rules.caps import BadCap, Cap, counting, read
from segments.saved import How, Segment, SegmentStay, Why

HOUR = timedelta(hours=1)
_caps = st.lists(
    st.builds(
        Cap, st.integers(1, 4), st.integers(1, 3), st.sampled_from([None, "email", "call_list"])
    ),
    max_size=3,
)
_sent = st.lists(
    st.tuples(st.integers(0, 110), st.sampled_from(["email", "call_list"])), max_size=8
)


def free_at(caps, sent, channel, now):
    """The moment by going through all messages: the first at which every cap has room; None: now."""
    waits = [
        when
        for cap in caps
        if cap.channel in (None, channel)
        for when in [_room(cap, sent, now)]
        if when > now
    ]
    return max(waits, default=None)


def _room(cap, sent, now):
    inside = sorted(
        now - hours * HOUR for hours, by in sent
        if cap.channel in (None, by) and hours * HOUR < cap.window
    )  # fmt: skip
    while len(inside) >= cap.number:
        now = inside.pop(0) + cap.window
    return now


@settings(max_examples=40, deadline=None)
@given(caps=_caps, sent=_sent, channel=st.sampled_from(["email", "call_list"]))
def test_a_window_frees_exactly_when_going_through_all_messages_says_so(
    database, caps, sent, channel
):
    with sa.orm.Session(database) as session:
        people = People(session)
        now = session.scalar(sa.select(sa.func.now()))
        for hours, by in sent:
            session.add(
                Delivery(
                    portal_id=people.id, mailing_id=10**9 + hours, channel=by, kind="contact", client_id=1,
                    state="sent", sent_at=now - hours * HOUR,
                )
            )  # fmt: skip
            session.flush()
            session.execute(
                sa.update(Delivery).values(mailing_id=Delivery.mailing_id * 3 + Delivery.id)
            )
        limits = Limits(people.id, counting(caps, channel))
        card = (sa.literal("contact"), sa.literal(1))
        found, reached = session.execute(
            sa.select(limits.free_at(*card), limits.reached(*card))
        ).one()
        expected = free_at(caps, sent, channel, now)
        assert (found, reached) == (expected, expected is not None)
        session.rollback()


@pytest.mark.parametrize(
    "raw",
    [
        [],
        [{"channel": "email", "days": 0, "number": 3}],
        [{"days": 7, "number": 0}],
        [{"days": 7}],
        [{"number": 1}],
    ],
)
def test_nought_or_nothing_is_no_limit(session, raw):
    people = People(session)
    people.card("anna@example.com")
    for hours in range(1, 9):
        people.sent(1, hours * HOUR)
    people.rules(caps=raw)
    assert read(raw) == ()
    mailing = people.mailing()
    planning.plan(session, mailing)
    assert people.fates(mailing) == {("contact", 1): "pending"}


@pytest.mark.parametrize(
    "raw", [[{"days": "7", "number": 1}], [{"days": True, "number": 1}], [{"dayz": 1}]]
)
def test_what_is_no_limit_is_refused_rather_than_taken_for_none(raw):
    with pytest.raises(BadCap):
        read(raw)


@pytest.fixture
def often(session):
    """Three people: written to twice this week, once by phone, never. Two e-mails a week are allowed."""
    people = People(session)
    for name in ("a", "b", "c"):
        people.card(f"{name}@example.com")
    people.sent(1, 24 * HOUR)
    people.sent(1, 48 * HOUR)
    people.sent(2, 24 * HOUR)
    people.sent(2, 24 * HOUR, channel="call_list")
    people.rules(caps=[{"channel": "email", "days": 7, "number": 2}])
    return people


def test_who_was_written_to_often_enough_is_left_out(often):
    mailing = often.mailing()
    planning.plan(often.session, mailing)
    assert often.fates(mailing) == {
        ("contact", 1): "capped", ("contact", 2): "pending", ("contact", 3): "pending",
    }  # fmt: skip


def test_a_cap_over_all_channels_counts_all_of_them(often):
    often.rules(caps=[{"channel": None, "days": 7, "number": 2}])
    mailing = often.mailing()
    planning.plan(often.session, mailing)
    assert often.fates(mailing)["contact", 2] == "capped"


def test_or_waits_until_the_window_frees(often):
    mailing = often.mailing(plan={"queue_when_capped": True})
    falls = waterfall.preview(often.session, often.id, mailing)
    assert (falls.gets, falls.waiting) == (3, 1)
    planning.plan(often.session, mailing)
    first, second, _ = often.deliveries(mailing)
    assert first.state == "pending"
    assert abs(first.next_try_at - (utcnow() + timedelta(days=5))) < HOUR
    assert second.next_try_at <= utcnow()


@pytest.mark.parametrize("how", ["plan", "segment"])
def test_some_mailings_and_some_people_are_exempt(often, how):
    if how == "segment":
        staff = Segment(portal_id=often.id, name="Свои", how=How.STATIC)
        often.session.add(staff)
        often.session.flush()
        often.session.add(
            SegmentStay(
                portal_id=often.id, segment_id=staff.id, kind="contact", member_id=1,
                entered_at=LONG_AGO, entered_by=Why.HAND,
            )
        )  # fmt: skip
        often.rules(exempt_segments=[staff.id])
    mailing = often.mailing(plan={"exempt_from_caps": True} if how == "plan" else {})
    planning.plan(often.session, mailing)
    assert often.fates(mailing)["contact", 1] == "pending"


def test_what_another_mailing_has_promised_counts_unless_this_one_goes_first(often):
    waiting = often.mailing(plan={"priority": 1})
    planning.plan(often.session, waiting)
    for priority, fate in ((0, "capped"), (1, "capped"), (2, "pending")):
        mailing = often.mailing(plan={"priority": priority})
        planning.plan(often.session, mailing)
        assert often.fates(mailing)["contact", 2] == fate, priority
        mailing.state = "cancelled"
        often.session.flush()


def test_the_gate_asks_again(often):
    mailing = often.mailing()
    planning.plan(often.session, mailing)
    terms = eligibility.terms_of(often.session, mailing)
    query = sa.select(Delivery.client_id).where(
        Delivery.portal_id == often.id,
        Delivery.mailing_id == mailing.id,
        Delivery.state == "pending",
        eligibility.still_allowed(terms),
    )
    assert set(often.session.scalars(query)) == {2, 3}
    often.sent(2, HOUR)
    assert set(often.session.scalars(query)) == {3}
    often.says("c@example.com", given=False, at=utcnow())
    assert set(often.session.scalars(query)) == set()
    reasons = sa.select(Delivery.client_id, eligibility.refusal(terms)).where(
        Delivery.mailing_id == mailing.id, Delivery.portal_id == often.id
    )
    assert dict(often.session.execute(reasons).all()) == {1: "capped", 2: "capped", 3: "withdrawn"}
