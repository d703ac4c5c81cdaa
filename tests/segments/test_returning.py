"""What silent clients are likely to bring: the formula of docs/metrics.md against examples counted by hand."""

from __future__ import annotations

from datetime import date, timedelta
from decimal import Decimal

import pytest
from support.card_data import ANNA, BORIS, CardPortal

from segments.models import BaseDay, ClientKind
from segments.rules.lifecycle import Gaps
from segments.rules.returning import Pauses, habit
from segments.scoring import outlook, scores
from segments.scoring.everybody import Alike
from segments.scoring.scored import GroupOutlook
from segments.worth import activity
from segments.worth.sales import rule_of

# 200 pauses of those who have bought once: 80 ended after 10 days, 40 after 30, 80 still last, for 50 days by now.
ONCE = [Gaps(10, 80), Gaps(30, 40), Gaps(50, 0, 80)]
# 300 later pauses: 240 ended after 20 days, 60 still last, for 60 days.
AGAIN = [Gaps(20, 240), Gaps(60, 0, 60)]


def test_the_chance_is_the_share_of_those_as_long_silent_who_came_back_in_time():
    learnt = habit(ONCE)
    assert learnt.chance(0, within=10) == pytest.approx(80 / 200)
    assert learnt.chance(10, within=30) == pytest.approx(40 / 120)
    assert learnt.chance(15, within=10) == 0, "nobody came back between the 16th and the 25th day"
    assert learnt.chance(30, within=30) == 0, "of those silent for 30 days nobody came back"


def test_nothing_is_said_of_a_silence_hardly_anybody_was_watched_in():
    learnt = habit([*ONCE, Gaps(90, 0, 29)])
    assert learnt.chance(50) is not None
    assert learnt.chance(51) is None, "fewer than 30 have been silent for so long"
    assert habit([Gaps(10, 99), Gaps(50, 0, 900)]) is None, "fewer than 100 pauses have ended"


def test_both_histories_together_are_the_curve_of_the_stages():
    assert Pauses(ONCE, AGAIN).all == [
        Gaps(10, 80, 0), Gaps(20, 240, 0), Gaps(30, 40, 0), Gaps(50, 0, 80), Gaps(60, 0, 60),
    ]  # fmt: skip


def alike(group, once, silent, *, clients, ltv, checks):
    return Alike(3, 1, group, "active", once, silent, clients, Decimal(ltv), Decimal(checks))


def test_a_group_brings_the_chance_of_each_times_his_own_average_check():
    found = [
        alike("fading", True, 10, clients=3, ltv=900, checks=900),
        alike("fading", False, 0, clients=2, ltv=5000, checks=1000),
        alike("fading", False, 61, clients=1, ltv=700, checks=350),
        alike("growing", True, None, clients=4, ltv=80, checks=80),
    ]
    fading, growing = outlook.outlooks(found, Pauses(ONCE, AGAIN))
    # Silent for 10 days, bought once: 40 of 120. Bought more often and today: 240 of 300. 61 days: nobody knows.
    assert fading["expected"] == round(Decimal(900) * 40 / 120 + Decimal(1000) * 240 / 300, 2)
    assert fading["likely"] == pytest.approx(3 * 40 / 120 + 2 * 240 / 300)
    assert (fading["clients"], fading["judged"], fading["ltv"]) == (6, 5, Decimal(6600))
    assert (growing["judged"], growing["expected"]) == (0, 0)
    assert outlook.is_known(GroupOutlook(**fading))
    assert not outlook.is_known(GroupOutlook(**growing)), "no number is better than a made-up one"


@pytest.fixture
def crm(session):
    return CardPortal(session, domain="returning.example.com")


def test_the_scores_of_a_day_leave_its_totals_and_the_outlook_of_every_group(crm):
    today = activity.today(rule_of(crm.session, crm.id))
    for days in (200, 190):
        crm.deal(1000, (today - timedelta(days=days)).isoformat(), contacts=(ANNA,))
    crm.deal(300, (today - timedelta(days=3)).isoformat(), contacts=(BORIS,))
    crm.compute()
    scores.compute_all(crm.session, crm.id)
    kept = crm.session.get(BaseDay, (crm.id, ClientKind.CONTACT, today))
    assert (kept.clients, kept.buyers, kept.revenue) == (2, 2, Decimal(2300))
    assert (kept.silent, kept.silent_ltv, kept.silent_days) == (1, Decimal(2000), 180)
    groups = outlook.of_kind(crm.session, crm.id, ClientKind.CONTACT)
    assert sum(each.clients for each in groups) == 2
    assert sum(each.ltv for each in groups) == Decimal(2300)
    assert {each.judged for each in groups} == {0}, "two clients teach nothing"
    crm.deal(50, today.isoformat(), contacts=(BORIS,))
    crm.compute()
    scores.compute_all(crm.session, crm.id)
    crm.session.expire_all()
    days = crm.session.query(BaseDay).filter_by(portal_id=crm.id, kind=ClientKind.CONTACT).all()
    assert [(each.day, each.revenue) for each in days] == [(today, Decimal(2350))]


def test_old_days_go(crm):
    today = activity.today(rule_of(crm.session, crm.id))
    crm.deal(100, today.isoformat())
    crm.compute()
    scores.compute_all(crm.session, crm.id)
    kept = crm.session.get(BaseDay, (crm.id, ClientKind.CONTACT, today))
    put_day(crm.session, kept, date(2020, 1, 1))
    scores.compute_all(crm.session, crm.id)
    crm.session.expire_all()
    assert crm.session.get(BaseDay, (crm.id, ClientKind.CONTACT, date(2020, 1, 1))) is None


def put_day(session, like, day, **changed):
    """The totals of another day, like these but for what is changed."""
    names = [column.name for column in BaseDay.__table__.columns]
    facts = {name: getattr(like, name) for name in names} | {"day": day} | changed
    session.add(BaseDay(**facts))
    session.flush()
