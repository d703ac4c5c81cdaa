"""The gap curve against tables worked out by hand, the edges of the stages, and the pauses SQL counts."""

from __future__ import annotations

from datetime import timedelta

import pytest
from support.card_data import ANNA, BORIS, CardPortal

from core.clock import utcnow
from segments.models import ClientKind
from segments.rules import gap_chart, lifecycle
from segments.rules.lifecycle import Edges, Gaps
from segments.rules.score_choices import OfKind, ScoreChoices
from segments.scoring import score_facts, scores
from segments.scoring.scored import ScoreBasis
from segments.worth.sales import rule_of

TODAY = (utcnow() + timedelta(minutes=180)).date()

# The textbook's table of remission: weeks, ended and censored («6+» is one of six weeks that still lasts).
REMISSION = [
    Gaps(6, 3, 1), Gaps(7, 1), Gaps(9, 0, 1), Gaps(10, 1, 1), Gaps(11, 0, 1), Gaps(13, 1), Gaps(16, 1),
    Gaps(17, 0, 1), Gaps(19, 0, 1), Gaps(20, 0, 1), Gaps(22, 1), Gaps(23, 1), Gaps(25, 0, 1),
    Gaps(32, 0, 2), Gaps(34, 0, 1), Gaps(35, 0, 1),
]  # fmt: skip


def shares(gaps, **how):
    return {step.days: round(step.share, 4) for step in lifecycle.curve(gaps, **how)}


def test_the_curve_is_the_one_in_the_textbook():
    assert shares(REMISSION, least_watched=1) == {
        6: 0.8571, 7: 0.8067, 10: 0.7529, 13: 0.6902, 16: 0.6275, 22: 0.5378, 23: 0.4482,
    }  # fmt: skip
    watched = [step.watched for step in lifecycle.curve(REMISSION, 1)]
    assert watched == [21, 17, 15, 12, 11, 7, 6]


def test_without_pauses_that_last_the_curve_is_plain_counting_and_order_does_not_matter():
    gaps = [Gaps(30, 20), Gaps(10, 50), Gaps(20, 30)]
    assert shares(gaps, least_watched=1) == {10: 0.5, 20: 0.2, 30: 0.0}


def test_the_curve_ends_where_too_few_are_watched():
    gaps = [Gaps(10, 60, 0), Gaps(20, 20, 0), Gaps(30, 1, 9)]
    assert shares(gaps, least_watched=30) == {10: 0.3333, 20: 0.1111}
    assert list(shares(gaps, least_watched=10)) == [10, 20, 30]


def test_edges_are_the_ages_after_which_half_and_nine_of_ten_never_come_back():
    # Of 1000: 400 return after 10 days, 300 after 50, 80 after 100, 10 after 200; 210 are watched to the end.
    gaps = [Gaps(10, 400), Gaps(50, 300), Gaps(100, 80), Gaps(200, 10), Gaps(900, 0, 210)]
    steps = lifecycle.curve(gaps)
    assert [round(step.share, 2) for step in steps] == [0.6, 0.3, 0.22, 0.21]
    # After 10 days .21 of .6 never return: a third; after 50, .21 of .3; after 100, .21 of .22.
    assert lifecycle.no_return_age(steps, 0.5) == 50
    assert lifecycle.no_return_age(steps, 0.9) == 100
    assert lifecycle.edges(steps, 790) == Edges(50, 100, 365)
    assert not lifecycle.by_rhythm(steps)


def test_where_most_buy_once_the_usual_rhythm_decides():
    gaps = [Gaps(20, 100), Gaps(40, 60), Gaps(80, 40), Gaps(900, 0, 800)]
    steps = lifecycle.curve(gaps)
    assert lifecycle.no_return_age(steps, 0.5) == 0, "most never return from the first day on"
    assert lifecycle.return_age(steps, 0.5) == 20
    assert lifecycle.edges(steps, 200) == Edges(20, 80, 365)
    assert lifecycle.by_rhythm(steps)


def test_too_few_pauses_give_no_edges_and_long_ones_put_off_the_loss():
    steps = lifecycle.curve([Gaps(10, 99), Gaps(900, 0, 50)])
    assert lifecycle.edges(steps, 99) is None
    assert lifecycle.edges([], 500) is None
    slow = lifecycle.curve([Gaps(300, 150), Gaps(500, 50), Gaps(2000, 0, 60)])
    found = lifecycle.edges(slow, 200)
    assert found.sleeping == found.lost == 500


def test_the_drawing_tells_what_share_still_comes_back():
    steps = lifecycle.curve([Gaps(10, 400), Gaps(50, 390), Gaps(900, 0, 210)])
    assert gap_chart.returning(steps, 0) == pytest.approx(0.79)
    assert gap_chart.returning(steps, 10) == pytest.approx(1 - 0.21 / 0.6)
    assert gap_chart.returning(steps, 50) == 0
    plot = gap_chart.plot(steps, Edges(50, 60, 365), 100)
    assert (plot.points[0].y, plot.points[-1].y) == (pytest.approx(21), 100)
    assert [mark.value for mark in plot.edges] == [50, 60]
    assert plot.points[-1].x == plot.days[-1].at == 100


@pytest.fixture
def crm(session):
    return CardPortal(session, domain="life.example.com")


def buy(crm, client, *days, **facts):
    for each in days:
        crm.deal(100, (TODAY - timedelta(days=each)).isoformat(), contacts=(client,), **facts)


def pauses(crm):
    rule = rule_of(crm.session, crm.id)
    with score_facts.gathered(crm.session, rule, ClientKind.CONTACT, TODAY, 365) as facts:
        return score_facts.pauses(crm.session, rule, ClientKind.CONTACT, facts, TODAY)


def test_pauses_lie_between_days_of_purchase_and_the_last_one_still_lasts(crm):
    buy(crm, ANNA, 100, 100, 90, 40)
    buy(crm, BORIS, 40)
    crm.deal(-50, (TODAY - timedelta(days=95)).isoformat())
    crm.deal(100, (TODAY - timedelta(days=60)).isoformat(), stage="NEW")
    found = pauses(crm)
    assert found.all == [Gaps(10, 1, 0), Gaps(40, 0, 2), Gaps(50, 1, 0)]
    assert found.once == [Gaps(10, 1, 0), Gaps(40, 0, 1)], "after the first day of purchase"
    assert found.again == [Gaps(40, 0, 1), Gaps(50, 1, 0)]


def test_a_purchase_dated_ahead_is_no_pause(crm):
    buy(crm, ANNA, 10, -5)
    assert pauses(crm).all == []


def test_the_edges_in_force_are_the_usual_ones_until_there_is_history_or_an_administrator_sets_them(
    crm,
):
    buy(crm, ANNA, 100, 40)
    crm.compute()
    scores.compute_all(crm.session, crm.id)
    basis = crm.session.get(ScoreBasis, (crm.id, "contact"))
    assert basis.stages == [90, 180, 365]
    own = ScoreChoices(kinds={"contact": OfKind(stages=Edges(7, 14, 28))})
    scores.choose(crm.session, crm.id, own)
    scores.compute_all(crm.session, crm.id)
    crm.session.expire_all()
    kept = [crm.session.get(ScoreBasis, (crm.id, kind)).stages for kind in ClientKind]
    assert kept == [[7, 14, 28], [90, 180, 365]]
