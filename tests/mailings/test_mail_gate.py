"""Claims, the gate, outcomes, leases, the end: each step of a delivery in the tables, and who may take it."""

from __future__ import annotations

import threading
from dataclasses import replace
from datetime import timedelta

import pytest
import sqlalchemy as sa
from support.mail_sending import Outbox, due_now, leases_end

from core.clock import utcnow
from core.database import transaction
from integration.models import PortalState
from mailings.channels.base import Outcome, SendResult
from mailings.consent import suppressions
from mailings.models import Delivery, DeliveryAttempt, Mailing
from mailings.sending import claiming, finishing, gating, leases, outcomes, running, troubles
from mailings.sending.keeper import Keeper
from mailings.sending.outcomes import Ended
from mailings.sending.prepared import together

TAKEN = SendResult(Outcome.SENT, 250, "2.0.0", "Ok", provider_id="Q1")


@pytest.fixture
def outbox(session):
    return Outbox(session)


def claimed(outbox, mailing, number=10):
    return claiming.claim(outbox.session, outbox.running(mailing), outbox.server, number, utcnow())


def passed(outbox, mailing, rows):
    ready = outbox.running(mailing)
    with together(outbox.session) as said:
        found = gating.let_through(said, ready, rows)
    ids = {row[0] for row in found.fetchall()}
    gating.turn_away(outbox.session, ready, [row for row in rows if row.id not in ids])
    return ids


def ended(outbox, rows, result, *, through=True, **more):
    outcomes.write(outbox.session, [Ended(row, result, through, **more) for row in rows])


def test_a_delivery_goes_from_the_queue_to_its_end(outbox):
    mailing = outbox.mailing(3)
    rows = claimed(outbox, mailing)
    assert outbox.states(mailing) == {"claimed": 3}
    assert passed(outbox, mailing, rows) == {row.id for row in rows}
    assert outbox.states(mailing) == {"sending": 3}
    ended(outbox, rows, TAKEN)
    done = outbox.rows(mailing)
    assert {(d.state, d.attempt, d.provider_id, d.owner) for d in done} == {("sent", 1, "Q1", None)}
    assert all(d.sent_at for d in done)
    assert [m.id for m in finishing.finish(outbox.session)] == [mailing.id]
    assert mailing.finished_at is not None


def test_what_one_sender_has_another_can_not_take(outbox):
    mailing = outbox.mailing(5)
    first, second = claimed(outbox, mailing, 3), claimed(outbox, mailing, 9)
    assert (len(first), len(second)) == (3, 2)
    stranger = replace(first[0], owner=second[0].owner)
    assert passed(outbox, mailing, [stranger]) == set()
    assert passed(outbox, mailing, first) == {row.id for row in first}
    assert passed(outbox, mailing, first) == set(), "the gate opens once"


def test_a_sleeper_whose_lease_is_over_does_not_pass_nor_speak(outbox):
    mailing = outbox.mailing(2)
    slow = claimed(outbox, mailing)
    leases_end(outbox.session)
    assert passed(outbox, mailing, slow[:1]) == set(), "even before anybody noticed"
    assert outbox.states(mailing) == {"pending": 1, "claimed": 1}
    assert leases.reap(outbox.session).returned == 1
    quick = claimed(outbox, mailing)
    assert passed(outbox, mailing, slow) == set()
    assert passed(outbox, mailing, quick) == {row.id for row in quick}
    ended(outbox, slow, SendResult(Outcome.NOT_TRIED), through=False)
    assert outbox.states(mailing) == {"sending": 2}, "his words are not about these any more"


def test_the_dead_leave_doubt_only_past_the_gate(outbox):
    mailing = outbox.mailing(4)
    rows = claimed(outbox, mailing)
    passed(outbox, mailing, rows[:1])
    leases_end(outbox.session)
    assert leases.reap(outbox.session) == leases.Reaped(returned=3, unknown=1)
    assert leases.reap(outbox.session) == leases.Reaped()
    assert outbox.states(mailing) == {"pending": 3, "unknown": 1}
    assert finishing.finish(outbox.session) == []
    ended(outbox, rows[:1], TAKEN)
    assert outbox.states(mailing) == {"pending": 3, "sent": 1}, "a late answer still counts"
    ended(outbox, claimed(outbox, mailing), TAKEN, through=False)
    assert len(finishing.finish(outbox.session)) == 1


def test_leases_of_the_living_are_kept_up(outbox):
    mailing = outbox.mailing(2)
    rows = claimed(outbox, mailing)
    leases_end(outbox.session)
    assert leases.extend(outbox.session, [rows[0].owner]) == 2
    assert leases.extend(outbox.session, []) == 0
    assert leases.reap(outbox.session) == leases.Reaped()


@pytest.mark.parametrize("state", ["paused", "cancelled", "finished"])
def test_nobody_passes_once_the_mailing_does_not_run(outbox, state):
    mailing = outbox.mailing(3)
    rows = claimed(outbox, mailing)
    mailing.state = state
    mailing.state_at = utcnow()
    outbox.session.flush()
    assert passed(outbox, mailing, rows) == set()
    assert outbox.states(mailing) == {"pending": 3}
    if state == "cancelled":
        assert finishing.sweep(outbox.session) == 3
        assert outbox.states(mailing) == {"cancelled": 3}
    assert running.keys(outbox.session) == []


@pytest.mark.parametrize("state", [s for s in PortalState if s is not PortalState.ACTIVE])
def test_nobody_passes_once_the_portal_is_not_with_us(outbox, state):
    mailing = outbox.mailing(2)
    rows = claimed(outbox, mailing)
    outbox.portal.state = state
    outbox.session.flush()
    assert passed(outbox, mailing, rows) == set()
    assert running.keys(outbox.session) == []
    finishing.pause_of_the_cut_off(outbox.session)
    outbox.session.refresh(mailing)
    gone = state in {PortalState.BLOCKED, PortalState.UNINSTALLED}
    assert (mailing.state, mailing.state_reason) == (("paused", "portal_cut_off") if gone else ("running", None))  # fmt: skip


def test_whoever_unsubscribes_between_claim_and_gate_is_skipped(outbox):
    mailing = outbox.mailing(3)
    rows = claimed(outbox, mailing)
    suppressions.suppress(outbox.session, outbox.id, "email", rows[1].address, "unsubscribed", source="test")  # fmt: skip
    assert passed(outbox, mailing, rows) == {rows[0].id, rows[2].id}
    by_id = {row.id: row for row in outbox.rows(mailing)}
    assert (by_id[rows[1].id].state, by_id[rows[1].id].reason) == ("skipped", "suppressed")


def test_whoever_unsubscribed_before_the_claim_costs_no_connection(outbox):
    mailing = outbox.mailing(3)
    suppressions.suppress(outbox.session, outbox.id, "email", "client2@example.org", "complained", source="test")  # fmt: skip
    assert [row.address for row in claimed(outbox, mailing)] == ["client1@example.org", "client3@example.org"]  # fmt: skip
    assert outbox.states(mailing) == {"claimed": 2, "skipped": 1}


def test_a_refusal_for_now_waits_and_shows_each_try(outbox):
    mailing = outbox.mailing(1)
    later = SendResult(Outcome.DEFERRED, 451, "4.7.1", "Greylisted")
    for attempt in (1, 2):
        rows = claimed(outbox, mailing)
        ended(outbox, rows, later, through=False, wait=timedelta(minutes=5))
        (row,) = outbox.rows(mailing)
        assert (row.state, row.attempt, row.reply_code) == ("deferred", attempt, 451)
        assert claimed(outbox, mailing) == [], "not before its time"
        due_now(outbox.session)
    tries = outbox.session.scalars(sa.select(DeliveryAttempt).order_by(DeliveryAttempt.id)).all()
    assert [(t.attempt, t.outcome, t.text) for t in tries] == [(1, "deferred", "Greylisted"), (2, "deferred", "Greylisted")]  # fmt: skip
    outbox.session.execute(
        sa.update(DeliveryAttempt).values(at=DeliveryAttempt.at - timedelta(hours=49))
    )
    ended(outbox, claimed(outbox, mailing), later, through=False)
    (row,) = outbox.rows(mailing)
    assert (row.state, row.reason) == ("failed", "expired"), "two days are enough"


def test_a_complaint_of_the_pace_is_not_the_recipients_try(outbox):
    mailing = outbox.mailing(1)
    rows = claimed(outbox, mailing)
    passed(outbox, mailing, rows)
    slow = SendResult(Outcome.DEFERRED, 454, "4.7.0", "rate", slow_down=True)
    ended(outbox, rows, slow, wait=timedelta(minutes=1), counted=False)
    assert [(r.state, r.attempt) for r in outbox.rows(mailing)] == [("deferred", 0)]


def test_dead_addresses_are_written_to_no_more_full_ones_after_three_times(outbox):
    session = outbox.session
    dead, full = SendResult(Outcome.FAILED, 550, "5.1.1", "no", suppress=True), SendResult(Outcome.FAILED, 552, "5.2.2", "full", soft=True)  # fmt: skip
    mailing = outbox.mailing(1)
    ended(outbox, claimed(outbox, mailing), dead, through=False)
    assert suppressions.of(session, outbox.id, "email", "client1@example.org").reason == "bounced"
    for number in range(3):
        assert suppressions.of(session, outbox.id, "email", "client2@example.org") is None, number
        outbox.numbers = 1
        mailing = outbox.mailing(1)
        ended(outbox, claimed(outbox, mailing), full, through=False)
    assert suppressions.of(session, outbox.id, "email", "client2@example.org").reason == "bounced"


def test_an_evergreen_mailing_ends_with_its_date(outbox):
    until = (utcnow() + timedelta(days=1)).isoformat()
    mailing = outbox.mailing(mode="evergreen", plan={"until": until})
    assert finishing.finish(outbox.session) == []
    mailing.plan = {"until": (utcnow() - timedelta(seconds=1)).isoformat()}
    outbox.session.flush()
    assert len(finishing.finish(outbox.session)) == 1


def test_outside_its_hours_nothing_is_taken_and_after_the_last_moment_it_is_too_late(outbox):
    now = utcnow()
    local = now + timedelta(minutes=180)
    hours = {"hours_from": f"{(local + timedelta(hours=2)):%H:%M}", "hours_to": f"{(local + timedelta(hours=3)):%H:%M}"}  # fmt: skip
    mailing = outbox.mailing(2, plan=hours)
    assert claimed(outbox, mailing) == []
    assert outbox.states(mailing) == {"pending": 2}
    late = outbox.mailing(2, plan={**hours, "not_after": (now + timedelta(hours=1)).isoformat()})
    assert claimed(outbox, late) == []
    assert {(r.state, r.reason) for r in outbox.rows(late)} == {("skipped", "too_late")}


def test_three_failures_of_a_server_in_a_row_pause_its_mailings(outbox):
    session, server = outbox.session, outbox.server
    mailing, other = outbox.mailing(1), outbox.mailing(1, server_id=999)

    def fails():
        return troubles.failed(session, outbox.id, server.id, "connection refused")

    assert not fails()
    assert not fails(), "while it rests, failures are the same one"
    rested = sa.update(type(server)).values(rest_until=sa.func.now())
    session.execute(rested)
    assert not fails()
    troubles.answered(session, outbox.id, server.id)
    for _ in range(2):
        session.execute(rested)
        assert not fails(), "the row was broken"
    session.execute(rested)
    assert fails()
    for each in (mailing, other, server):
        session.refresh(each)
    assert (mailing.state, mailing.state_reason) == ("paused", "server_unreachable")
    assert other.state == "running"
    assert server.problem == "connection refused"


def test_a_database_that_gives_up_opens_the_gate_to_nobody(live_sessions, settings):
    with transaction(live_sessions) as session:
        outbox = Outbox(session)
        mailing = outbox.mailing(2)
        ready = outbox.running(mailing)
        rows = claiming.claim(session, ready, outbox.server, 2, utcnow())
    written = []
    keeper = Keeper(live_sessions, written.append)
    keeper.start()
    with live_sessions() as session, session.begin():
        session.execute(sa.text("SET LOCAL lock_timeout = 0"))
        session.execute(sa.select(Mailing).with_for_update())
        answers = []
        thread = threading.Thread(target=lambda: answers.append(keeper.ask(rows[0], ready).passed))
        thread.start()
        thread.join(0.3)
        assert answers == [], "a change of the mailing under way is waited for"
        session.execute(sa.update(Mailing).values(state="paused"))
    thread.join(10)
    assert answers == [False]
    with transaction(live_sessions) as session:
        session.execute(sa.update(Mailing).values(state="running"))
    assert keeper.ask(rows[1], ready).passed
    keeper.tell(Ended(rows[1], TAKEN, passed=True))
    keeper.close()
    assert len(written) == 1
    with live_sessions() as session:
        states = dict(tuple(r) for r in session.execute(sa.select(Delivery.id, Delivery.state)))
    assert states == {rows[0].id: "pending", rows[1].id: "sent"}
