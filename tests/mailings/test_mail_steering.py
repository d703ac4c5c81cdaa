"""Steering: a mailing starts once whoever presses how often, stops at once, and goes on where it stood."""

from __future__ import annotations

import threading
from datetime import UTC, datetime, timedelta, timezone
from zoneinfo import ZoneInfo

import pytest
import sqlalchemy as sa
from support.mail_people import People

from core.clock import utcnow
from core.database import transaction
from mailings.models import Delivery, Mailing, Offer, PromoCode
from mailings.planning import drafts, outstanding, readiness, series, steering
from mailings.planning.drafts import BadDraft, NoSuchMailing, Overtaken
from mailings.planning.steering import NotReady
from mailings.rules.lifecycle import IllegalTransition
from mailings.rules.plans import Plan
from mailings.rules.turns import turn_after, turn_key
from segments.members.saving import NoSuchSegment


@pytest.fixture(autouse=True)
def nobody_else_is_asked(monkeypatch):
    """An application made by another test has its own checks asked as well."""
    monkeypatch.setattr(readiness, "_others", [])


@pytest.fixture
def people(session):
    return People(session)


def state(people, mailing):
    return people.session.get_one(Mailing, (people.id, mailing.id), populate_existing=True).state


def begin(people, mailing, **how):
    done = steering.start(people.session, people.id, mailing.id, **how)
    people.session.commit()
    return done


def test_two_starts_at_once_start_one_mailing_once(live_sessions):
    with transaction(live_sessions) as session:
        people = People(session)
        for number in range(30):
            people.card(f"p{number}@example.com")
        portal_id, mailing_id = people.id, people.mailing().id
    ready, begun, planned = threading.Barrier(2), [], []

    def press():
        ready.wait()
        with transaction(live_sessions) as session:
            begun.append(steering.start(session, portal_id, mailing_id))
        ready.wait()
        planned.append(steering.plan_now(live_sessions, portal_id, mailing_id))

    hands = [threading.Thread(target=press) for _ in range(2)]
    for hand in hands:
        hand.start()
    for hand in hands:
        hand.join()
    assert sorted(begun) == [False, True]
    assert [each.rows for each in planned if each] == [30]
    with live_sessions() as session:
        assert session.scalar(sa.select(sa.func.count()).select_from(Delivery)) == 30
        assert drafts.find(session, portal_id, mailing_id).state == "running"


def test_one_button_makes_one_mailing(people):
    first = people.mailing(key="button-1")
    assert people.mailing(key="button-1").id == first.id
    assert people.mailing(key="button-2").id != first.id


def test_a_mailing_goes_from_the_switch_to_the_end_and_back_and_forth(people, sessions):
    people.card("anna@example.com")
    mailing = people.mailing()
    assert begin(people, mailing)
    assert state(people, mailing) == "planning"
    assert (people.id, mailing.id) in outstanding.to_plan(people.session)
    assert steering.plan_now(sessions, people.id, mailing.id).rows == 1
    assert steering.plan_now(sessions, people.id, mailing.id) is None
    for act, after in (
        (steering.pause, "paused"),
        (steering.resume, "running"),
        (steering.cancel, "cancelled"),
    ):
        assert act(people.session, people.id, mailing.id)
        assert not act(people.session, people.id, mailing.id)
        assert state(people, mailing) == after
    with pytest.raises(IllegalTransition):
        begin(people, mailing)


def test_cancelling_leaves_alone_what_the_server_may_have_and_frees_promo_codes(people, sessions):
    for number in range(4):
        people.card(f"p{number}@example.com")
    offer = Offer(
        portal_id=people.id, kind="repeat", name="x",
        content={"what": "x", "audience": "x", "reason": "x", "call_to_action": "x", "product": "x"},
    )  # fmt: skip
    people.session.add(offer)
    people.session.flush()
    for number in range(4):
        people.session.add(PromoCode(portal_id=people.id, offer_id=offer.id, code=f"C{number}"))
    mailing = people.mailing(offer_id=offer.id)
    begin(people, mailing)
    steering.plan_now(sessions, people.id, mailing.id)
    for row, told in zip(
        people.deliveries(mailing), ("sending", "sent", "claimed", "pending"), strict=True
    ):
        row.state = told
    people.session.flush()
    steering.cancel(people.session, people.id, mailing.id)
    assert [row.state for row in people.deliveries(mailing)] == [
        "sending",
        "sent",
        "cancelled",
        "cancelled",
    ]
    free = sa.select(PromoCode.code).where(
        PromoCode.portal_id == people.id, PromoCode.delivery_id.is_(None)
    )
    assert sorted(people.session.scalars(free)) == ["C2", "C3"]


def test_a_mailing_that_cannot_be_planned_goes_back_to_its_author_with_the_reason(people, sessions):
    people.card("anna@example.com")
    mailing = people.mailing()
    begin(people, mailing)
    people.session.execute(sa.update(Mailing).where(Mailing.id == mailing.id).values(content={}))
    people.session.commit()
    assert steering.plan_now(sessions, people.id, mailing.id) is None
    people.session.expire_all()
    found = drafts.find(people.session, people.id, mailing.id)
    assert (found.state, found.state_reason) == ("draft", "letter_broken")


@pytest.mark.parametrize(
    ("values", "code"),
    [
        ({"segment_id": None}, "no_segment"),
        ({"content": {"subject": "", "how": "text", "source": ""}}, "letter_broken"),
        ({"plan": {"not_after": "2020-01-01T00:00+03:00"}}, "too_late"),
        ({"mode": "evergreen"}, "no_end"),
        ({"mode": "repeating"}, "no_turns"),
        ({"plan": {"until": "2020-01-01T00:00+03:00"}, "mode": "evergreen"}, "over"),
    ],
)
def test_what_stands_in_the_way_is_told_and_holds_the_switch(people, values, code):
    people.card("anna@example.com")
    mailing = people.mailing(**values)
    assert code in [
        each.code for each in readiness.problems(people.session, mailing) if each.blocks
    ]
    with pytest.raises(NotReady):
        steering.start(people.session, people.id, mailing.id)
    assert state(people, mailing) == "draft"


def test_nobody_to_write_to_is_told_but_holds_nothing(people):
    mailing = people.mailing()
    assert [(each.code, each.blocks) for each in readiness.problems(people.session, mailing)] == [
        ("empty_audience", False)
    ]
    people.card("anna@example.com", consent=False)
    assert [each.code for each in readiness.problems(people.session, mailing)] == ["no_consents"]
    assert begin(people, mailing)


def test_an_offer_that_is_not_finished_holds_the_switch(people):
    people.card("anna@example.com")
    offer = Offer(portal_id=people.id, kind="new", name="x", content={"what": "x"})
    people.session.add(offer)
    people.session.flush()
    (problem,) = readiness.problems(people.session, people.mailing(offer_id=offer.id))
    assert (problem.code, problem.blocks) == ("offer_unfinished", True)
    assert "url" in problem.facts["fields"]


def test_other_parts_add_what_only_they_know(people):
    readiness.also(lambda _session, _mailing: [readiness.Problem("no_server")])
    people.card("anna@example.com")
    mailing = people.mailing()
    with pytest.raises(NotReady):
        steering.start(people.session, people.id, mailing.id)
    assert begin(people, mailing, passing=frozenset({"no_server"}))


def test_a_scheduled_mailing_begins_in_time_but_not_long_after(people):
    people.card("anna@example.com")
    later = utcnow() + timedelta(hours=1)
    mailing, late = people.mailing(), people.mailing()
    begin(people, mailing, start_at=later)
    begin(people, late, start_at=later)
    assert state(people, mailing) == "scheduled"
    assert steering.begin_due(people.session, people.id, mailing.id) is None
    mailing.start_at, late.start_at = utcnow() - timedelta(minutes=5), utcnow() - timedelta(days=2)
    people.session.flush()
    assert {found for _, found in outstanding.to_begin(people.session)} >= {mailing.id, late.id}
    assert steering.begin_due(people.session, people.id, mailing.id) == mailing.id
    assert steering.begin_due(people.session, people.id, late.id) is None
    assert (state(people, mailing), state(people, late)) == ("planning", "paused")
    assert drafts.find(people.session, people.id, late.id).state_reason == "overdue"


def test_a_series_takes_every_turn_once_as_a_mailing_of_its_own(people, sessions):
    people.card("anna@example.com")
    mailing = people.mailing(
        mode="repeating", plan={"every": "day", "at": "09:00", "control_percent": 10}
    )
    begin(people, mailing)
    assert (
        state(people, mailing),
        mailing.start_at.astimezone(timezone(timedelta(hours=3))).hour,
    ) == ("scheduled", 9)
    first = mailing.start_at
    mailing.start_at = first - timedelta(days=1)
    people.session.flush()
    turn = steering.begin_due(people.session, people.id, mailing.id)
    assert mailing.start_at > utcnow()
    assert steering.begin_due(people.session, people.id, mailing.id) is None
    mailing.start_at = first - timedelta(days=1)
    people.session.flush()
    assert steering.begin_due(people.session, people.id, mailing.id) is None, (
        "this day had its turn"
    )
    people.session.commit()
    assert steering.plan_now(sessions, people.id, turn).rows == 1
    made = drafts.find(people.session, people.id, turn)
    assert (made.turn, made.parent_id, made.mode, made.plan) == (
        1,
        mailing.id,
        "once",
        {"control_percent": 10},
    )
    assert [each.id for each in series.turns(people.session, mailing)] == [turn]
    steering.pause(people.session, people.id, mailing.id)
    steering.resume(people.session, people.id, mailing.id)
    assert (state(people, mailing), mailing.start_at > utcnow()) == ("scheduled", True)


def test_a_series_ends(people):
    people.card("anna@example.com")
    soon = (utcnow() + timedelta(days=1, hours=1)).isoformat()
    mailing = people.mailing(mode="repeating", plan={"every": "day", "until": soon})
    begin(people, mailing)
    mailing.start_at = utcnow() - timedelta(minutes=1)
    mailing.plan = {**mailing.plan, "until": (utcnow() + timedelta(seconds=1)).isoformat()}
    people.session.flush()
    assert steering.begin_due(people.session, people.id, mailing.id) is not None
    assert (state(people, mailing), mailing.start_at) == ("finished", None)


def test_an_evergreen_mailing_takes_in_newcomers_until_its_date(people, sessions):
    people.card("anna@example.com")
    mailing = people.mailing(mode="evergreen", plan={"until": "2090-01-01T00:00+03:00"})
    begin(people, mailing)
    steering.plan_now(sessions, people.id, mailing.id)
    people.card("boris@example.com")
    people.session.commit()
    assert (people.id, mailing.id) in outstanding.growing(people.session)
    assert steering.extend(sessions, people.id, mailing.id).rows == 1
    people.session.execute(
        sa.update(Mailing)
        .where(Mailing.id == mailing.id)
        .values(plan={"until": "2020-01-01T00:00+03:00"})
    )
    people.card("viktor@example.com")
    people.session.commit()
    assert steering.extend(sessions, people.id, mailing.id) is None


BERLIN = ZoneInfo("Europe/Berlin")


@pytest.mark.parametrize("at", ["02:30", "10:00"])
@pytest.mark.parametrize(
    "from_day", [datetime(2026, 3, 26, tzinfo=UTC), datetime(2026, 10, 22, tzinfo=UTC)]
)
def test_a_day_has_one_turn_also_when_clocks_are_changed(at, from_day):
    plan, moment, days = Plan(every="day", at=at), from_day, []
    for _ in range(8):
        moment = turn_after(plan, moment, BERLIN)
        days.append(turn_key(moment, BERLIN))
    assert len(set(days)) == 8
    assert days == sorted(days)
    assert (datetime.fromisoformat(days[-1]) - datetime.fromisoformat(days[0])).days == 7


def test_weeks_and_months_take_their_turns_by_the_wall_clock():
    moscow = timezone(timedelta(hours=3))
    monday = Plan(every="week", day=0, at="09:00")
    assert turn_after(monday, datetime(2026, 11, 22, 12, tzinfo=UTC), moscow) == datetime(
        2026, 11, 23, 6, tzinfo=UTC
    )
    assert turn_after(monday, datetime(2026, 11, 23, 6, tzinfo=UTC), moscow) == datetime(
        2026, 11, 30, 6, tzinfo=UTC
    )
    last = Plan(every="month", day=31)
    turns = [datetime(2026, 1, 1, tzinfo=UTC)]
    for _ in range(4):
        turns.append(turn_after(last, turns[-1], moscow))
    assert [turn.day for turn in turns[1:]] == [31, 28, 31, 30]


def test_drafts_are_changed_by_one_at_a_time_and_only_before_the_start(people):
    people.card("anna@example.com")
    mailing = people.mailing()
    change = (people.session, people.id, mailing.id)
    assert drafts.change(*change, made_from=1, name="Иначе")
    assert not drafts.change(*change, made_from=1, name="Иначе")
    with pytest.raises(Overtaken):
        drafts.change(*change, made_from=1, name="Ещё иначе")
    begin(people, mailing)
    with pytest.raises(IllegalTransition):
        drafts.change(*change, made_from=2, name="Поздно")
    with pytest.raises(IllegalTransition):
        drafts.delete(*change)
    copied = drafts.copy(people.session, people.id, mailing.id, name="Копия")
    assert (copied.state, copied.segment_id, copied.content) == (
        "draft",
        mailing.segment_id,
        mailing.content,
    )
    drafts.delete(people.session, people.id, copied.id)
    with pytest.raises(NoSuchMailing):
        drafts.find(people.session, people.id, copied.id)


@pytest.mark.parametrize(
    ("values", "error"),
    [({"name": " "}, BadDraft), ({"channel": "fax"}, BadDraft), ({"topic": "secret"}, BadDraft),
     ({"offer_id": 10**9}, BadDraft), ({"segment_id": 10**6}, NoSuchSegment), ({"mode": "never"}, BadDraft),
     ({"state": "running"}, BadDraft), ({"preset": "none"}, NoSuchSegment)],
)  # fmt: skip
def test_a_draft_names_only_what_the_portal_has(people, values, error):
    with pytest.raises(error):
        people.mailing(**values)


def test_another_portals_mailing_cannot_be_touched(people, session):
    other = People(session)
    mailing = people.mailing()
    for act in (
        steering.start,
        steering.pause,
        steering.resume,
        steering.cancel,
        drafts.delete,
        drafts.change,
    ):
        with pytest.raises(NoSuchMailing):
            act(session, other.id, mailing.id)
