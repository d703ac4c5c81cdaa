"""Senders, and the database under them, killed at every point of the protocol: nobody gets a letter twice, nobody is lost."""

from __future__ import annotations

import random

import pytest
import sqlalchemy as sa
from support.mail_killing import POINTS, Post, crash_database, revive_database, rounds

from core.database import transaction
from demo.mail.process import MailSink, mail_sink
from mailings.consent.suppressions import suppress

KILLS_A_MAILING = 10


@pytest.fixture(scope="module")
def sink_process():
    with mail_sink() as sink:
        yield sink


@pytest.fixture
def sink(sink_process) -> MailSink:
    sink_process.reset()
    return sink_process


@pytest.fixture
def post(settings, live_sessions, redis_url, sink):
    return lambda number, **more: Post(settings, live_sessions, sink, number, **more)


@pytest.mark.parametrize("point", POINTS)
def test_a_sender_killed_at_this_point_leaves_every_recipient_accounted_for(post, point):
    letters = post(8, connections=1)
    sender = letters.sender(point, after=0 if point.startswith(("F1", "F9")) else 3)
    assert sender.wait(20), "the point was reached"
    letters.kills = 1
    letters.finish()
    letters.check()
    if point[:2] in {"F1", "F2", "F3", "F4", "F9"}:
        unknown = {row.id for row in letters.rows() if row.state == "unknown"}
        assert unknown <= set(letters.accepted()), "what had not passed the gate is not in doubt"


def test_random_kills(post, request):
    """`--scripts 440` kills 220 times; a twentieth of them hit the database."""
    kills, total, unknown = request.config.getoption("--scripts") // 2, 0, 0
    for seed in range(0, kills, KILLS_A_MAILING):
        chance = random.Random(1000 + seed)
        letters = post(30 * KILLS_A_MAILING, connections=chance.choice([1, 4, 10]))
        rounds(letters, min(kills, KILLS_A_MAILING), chance, database=1)
        letters.finish()
        states = letters.check()
        total, unknown = total + letters.kills, unknown + states["unknown"]
        really = set(letters.accepted()) & {r.id for r in letters.rows() if r.state == "unknown"}
        print(
            f"seed {seed}: {letters.kills} kills, {dict(states)}, {len(really)} of the unknown taken"
        )
    letters.run_again()
    print(f"{total} kills, {unknown} unknown")


def test_a_database_killed_at_the_gate_opens_it_to_nobody(post, settings):
    letters = post(60)
    sender = letters.sender("F4 gate not committed", 4, "database")
    letters.until(lambda: not _answers(letters))
    revive_database(settings)
    letters.kills = 1
    letters.leases_end()
    letters.until(lambda: letters.now().state == "finished")
    assert sender.stop() == 0
    letters.check()


def test_a_sender_told_to_stop_leaves_nothing_in_doubt(post):
    letters = post(200)
    sender = letters.sender()
    letters.until(lambda: letters.states()["sent"] > 20)
    assert sender.stop() == 0
    states = letters.check(most_unknown=0)
    assert set(states) == {"sent", "pending"}
    assert len(letters.accepted()) == states["sent"]
    letters.finish()
    assert letters.check(most_unknown=0) == {"sent": 200}


def test_nothing_passes_the_gate_after_a_pause_or_a_withdrawal(post, live_sessions):
    letters = post(200)
    sender = letters.sender()
    letters.until(lambda: letters.states()["sent"] > 10)
    with transaction(live_sessions) as session:
        for row in letters.rows():
            if row.id % 2:
                suppress(
                    session, letters.portal_id, "email", row.address, "unsubscribed", source="test"
                )
    passed = {row.id for row in letters.rows() if row.attempt}
    letters.until(lambda: letters.states()["sent"] > letters.number // 4)
    letters.set(state="paused")
    passed_the_pause = {row.id for row in letters.rows() if row.attempt}
    assert sender.stop() == 0
    taken = set(letters.accepted())
    assert taken <= passed_the_pause
    assert {number for number in taken if number % 2} <= passed
    letters.set(state="running")
    letters.finish()
    states = letters.check(most_unknown=0)
    assert set(states) == {"sent", "skipped"}
    assert {number for number in letters.accepted() if number % 2} <= passed


def _answers(letters: Post) -> bool:
    try:
        letters.states()
    except sa.exc.OperationalError:
        return False
    return True


def test_the_database_may_crash_between_any_two_moments(post, settings):
    letters = post(80)
    sender = letters.sender()
    letters.until(lambda: letters.states()["sent"] > 20)
    crash_database(settings)
    revive_database(settings)
    letters.kills = 1
    letters.leases_end()
    letters.until(lambda: letters.now().state == "finished")
    assert sender.stop() == 0
    letters.check()
