"""Row 27 for mailings: the database is put back to an older state, and nothing leaves before somebody has chosen."""

from __future__ import annotations

import pytest
import sqlalchemy as sa
from redis import Redis
from support import tables
from support.mail_killing import Post, sending

from core.database import transaction
from core.witness import Witness
from demo.mail.process import mail_sink
from mailings.sending import restored
from mailings.sending.restored import Choice

BACKUP = "kept_mail"


@pytest.fixture(scope="module")
def sink_process():
    with mail_sink() as sink:
        yield sink


@pytest.fixture
def letters(settings, live_sessions, redis_url, sink_process):
    sink_process.reset()
    return Post(settings, live_sessions, sink_process, 40, connections=2)


@pytest.fixture
def backup(database, letters):
    """Makes a copy of all rows; what `tables.put_back` puts them back by."""
    yield lambda: tables.keep(database, BACKUP)
    with database.begin() as connection:
        connection.execute(sa.text(f"DROP SCHEMA {BACKUP} CASCADE"))


def choose(letters, choice):
    with transaction(letters.sessions) as session:
        restored.go_on(session, letters.portal_id, letters.mailing.id, choice)


def test_after_a_restore_nothing_leaves_until_chosen_and_nobody_gets_it_twice(
    letters, backup, database, redis_url
):
    letters.sink.fault("dot", do="late", seconds=0.02)
    sender = letters.sender()
    letters.until(lambda: letters.states()["sent"] > 5)
    kept = backup()
    letters.until(lambda: letters.now().state == "finished")
    assert sender.stop() == 0
    assert len(letters.accepted()) == 40
    tables.put_back(database, kept)
    known = letters.states()["sent"]
    with Redis.from_url(redis_url) as redis:
        redis.flushall()

    with sending(letters.settings):
        letters.until(lambda: letters.now().state == "paused")
        assert letters.now().state_reason.startswith("restored:older ")
        more = Post(letters.settings, letters.sessions, letters.sink, 5)
        more.until(lambda: more.now().state == "finished")
        assert len(letters.accepted()) == 40, "what is new leaves, what is held does not"
        choose(letters, Choice.SKIP)
        letters.until(lambda: letters.now().state == "finished")
    states = letters.check(most_unknown=40)
    assert states["sent"] >= known
    assert states["sent"] + states["unknown"] == 40
    more.check(most_unknown=0)


def test_a_restore_under_a_running_sender_stops_it_before_the_next_letter(
    letters, backup, database, redis_url
):
    with Redis.from_url(redis_url) as redis:  # the senders of days before
        Witness(letters.sessions, redis, letters.settings.data_dir).beat(restored.hold)
    kept = backup()
    with sending(letters.settings):
        letters.until(lambda: letters.now().state == "finished")
        tables.put_back(database, kept)
        letters.until(lambda: letters.now().state == "paused")
        assert len(letters.accepted()) == 40
        choose(letters, Choice.SEND)
        letters.until(lambda: letters.now().state == "finished")
        assert len(letters.accepted()) == 80, "an administrator wanted it so"
