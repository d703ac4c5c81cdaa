"""The sender and mail servers that fail, slow down, or believe us no more; letters nobody can write; who goes first."""

from __future__ import annotations

import time

import pytest
import sqlalchemy as sa
from redis import Redis
from support.mail_killing import Post, sending
from support.mail_sending import due_now

from core import queue
from core.database import transaction
from demo.mail.process import mail_sink
from mailings.models import MailServer, Pace


@pytest.fixture(scope="module")
def sink_process():
    with mail_sink() as sink:
        yield sink


@pytest.fixture
def sink(sink_process):
    sink_process.reset()
    return sink_process


@pytest.fixture
def post(settings, live_sessions, redis_url, sink):
    return lambda number, **more: Post(settings, live_sessions, sink, number, **more)


def server_of(letters):
    with letters.sessions() as session:
        return session.get_one(MailServer, (letters.portal_id, letters.server_id))


def rested(letters):
    """The server's rest goes by, and so do the waits of its letters."""
    with transaction(letters.sessions) as session:
        session.execute(sa.update(MailServer).values(rest_until=sa.func.now()))
        due_now(session)


def test_the_first_letter_leaves_soon_and_the_process_is_heard(post, settings):
    letters = post(0, state="planning", connections=2)
    with sending(settings), Redis.from_url(settings.redis_url) as redis:
        letters.until(lambda: "sender" in queue.beats(redis))
        more = post(50)
        began = time.monotonic()
        letters.until(letters.sink.taken)
        assert time.monotonic() - began < 3
        more.until(lambda: more.now().state == "finished")
    more.check(most_unknown=0)


def test_a_server_that_is_down_rests_and_at_the_third_time_a_person_is_asked(post, settings, sink):
    letters = post(10)
    sink.fault("connect", do="drop")
    with sending(settings):
        for failures in (1, 2, 3):
            letters.until(lambda n=failures: server_of(letters).failures == n)
            if failures < 3:
                assert letters.now().state == "running"
                rested(letters)
        letters.until(lambda: letters.now().state == "paused")
        assert letters.now().state_reason == "server_unreachable"
        assert server_of(letters).problem
        letters.until(lambda: letters.states() == {"pending": 10})
        assert {row.attempt for row in letters.rows()} == {0}, "it was nobody's try"
        sink.clear_faults()
        time.sleep(1)  # connections that failed with the third one are noted by now
        rested(letters)
        letters.set(state="running", state_reason=None)
        letters.until(lambda: letters.now().state == "finished")
    assert server_of(letters).failures == 0
    letters.check(most_unknown=0)


def test_too_much_distrust_pauses_and_names_the_record(post, settings, sink):
    sink.fault("dot", reply="550 5.7.26 unauthenticated, SPF did not pass")
    letters = post(40, connections=2)
    with sending(settings):
        letters.until(lambda: letters.now().state == "paused")
        letters.until(lambda: letters.states().keys() == {"failed", "pending"})
    assert letters.now().state_reason == "sender_refused:spf"
    failed = [row for row in letters.rows() if row.state == "failed"]
    assert 5 <= len(failed) <= 8
    assert {row.reason for row in failed} == {"sender_refused"}


def test_a_complaint_of_the_pace_slows_it_and_loses_nobody(post, settings, sink):
    sink.fault("rcpt", reply="454 4.7.0 Throttling failure: maximum sending rate exceeded", times=2)
    letters = post(30, connections=2)
    with sending(settings):
        letters.until(lambda: letters.states()["deferred"] + letters.states()["sent"] > 2)
        with letters.sessions() as session:
            slow = session.scalars(sa.select(Pace.key).where(Pace.key.startswith("slow:"))).all()
        assert slow == [f"slow:{letters.server_id}:"]
        with transaction(letters.sessions) as session:
            session.execute(sa.delete(Pace))
            due_now(session)
        letters.until(lambda: letters.now().state == "finished")
    assert {row.attempt for row in letters.rows()} == {1}
    letters.check(most_unknown=0)


def test_a_letter_nobody_can_write_is_its_authors_trouble(post, settings):
    broken = post(10, compiled={"subject": "nothing else"})
    sound = post(10)
    with sending(settings):
        sound.until(lambda: sound.now().state == "finished")
        broken.until(lambda: broken.now().state == "paused")
        broken.until(lambda: broken.states() == {"pending": 10})
    assert broken.now().state_reason == "letter_broken"
    sound.check(most_unknown=0)


def test_whims_of_a_server_lose_nobody_and_repeat_nothing(post, settings, sink):
    letters = post(80)
    sink.fault("mail", do="drop", share=0.05)
    sink.fault("rcpt", reply="451 4.3.0 later", share=0.1)
    sink.fault("data", do="reset", share=0.05)
    sink.fault("body", do="drop", share=0.05)
    sink.fault("dot", do="lose", share=0.05)
    sink.fault("dot", do="drop", share=0.05)
    sink.fault("dot", reply="452 4.3.1 no room", share=0.05)
    with sending(settings):

        def ended():
            rested(letters)
            if letters.now().state == "paused":
                letters.set(state="running")
            return letters.now().state == "finished"

        letters.until(ended)
    letters.check(most_unknown=30)


def test_a_sender_that_was_stopped_for_long_does_not_go_on_with_the_dot(post, sink):
    letters = post(20, connections=2)
    sink.fault("data", do="late", seconds=3, times=2)
    sender = letters.sender()
    letters.until(lambda: sink.control()["faults"][0]["hits"] == 2)
    sender.freeze()
    letters.leases_end()
    letters.transactions_end()
    letters.finish()
    sender.thaw()
    assert sender.stop() == 0
    assert letters.check(most_unknown=2)["sent"] >= 18


def test_two_senders_share_a_servers_connections(post, sink):
    """The sink lets no more in than the server allows; both of them get their part."""
    letters = post(80, connections=4)
    sink.fault("dot", do="late", seconds=0.5)
    senders = [letters.sender() for _ in range(2)]
    seats = sa.select(Pace.level).where(Pace.key.startswith("seats:"))

    def shared():
        with letters.sessions() as session:
            held = session.scalars(seats).all()
        assert sum(held) <= 4
        return sorted(held) == [2, 2]

    letters.until(shared)
    sink.clear_faults()
    letters.until(lambda: letters.now().state == "finished")
    assert [sender.stop() for sender in senders] == [0, 0]
    letters.check(most_unknown=0)
    assert sink.control()["counted"]["peak"] == 4
