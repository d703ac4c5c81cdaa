"""A database that is older than what was seen, or a copy from elsewhere, is noticed; a sound one never is."""

from __future__ import annotations

import socket
from datetime import timedelta

import pytest
import sqlalchemy as sa
from redis import Redis

from core.database import transaction
from core.models import Lineage
from core.witness import Cause, Witness, last_gap, note


@pytest.fixture
def redis(redis_url):
    with Redis.from_url(redis_url) as client:
        yield client


@pytest.fixture
def witness(live_sessions, redis, tmp_path):
    return lambda **other: Witness(
        live_sessions, other.get("redis", redis), other.get("folder", tmp_path)
    )


def beaten(witness, times=1):
    """Gaps that were noticed."""
    found = []
    for _ in range(times):
        witness.beat(lambda session, gap: (found.append(gap), note(session, gap)))
    return found


def row(sessions):
    with sessions() as session:
        return session.get_one(Lineage, 1)


def put_back(sessions, then):
    with transaction(sessions) as session:
        session.execute(sa.update(Lineage).values(beat=then.beat, beat_at=then.beat_at))


def test_a_sound_database_is_never_doubted(witness, live_sessions, redis, tmp_path):
    first = witness()
    assert not first.trusted
    assert beaten(first, 3) == []
    assert first.trusted
    assert beaten(witness(), 2) == [], "another process, or the next one"
    assert beaten(first) == [], "they take turns"
    redis.flushall()
    assert beaten(witness()) == [], "the file still knows"
    next(tmp_path.glob("witness-*")).write_text("")
    assert beaten(witness()) == [], "a file that a power cut has emptied says nothing; Redis does"
    nowhere = next(tmp_path.glob("witness-*")) / "gone"
    assert beaten(witness(folder=nowhere)) == [], "nowhere to write"
    with live_sessions() as session:
        assert last_gap(session) is None


def test_an_older_state_is_noticed_once_with_its_moments(witness, live_sessions, redis):
    process = witness()
    beaten(process)
    then = row(live_sessions)
    beaten(process, 2)
    last = row(live_sessions)
    redis.flushall()
    put_back(live_sessions, then)
    (gap,) = beaten(witness(), 2)
    assert (gap.cause, gap.since) == (Cause.OLDER, then.beat_at)
    assert last.beat_at <= gap.until <= last.beat_at + timedelta(minutes=2)
    with live_sessions() as session:
        assert last_gap(session) == gap
    assert row(live_sessions).beat > last.beat


def test_a_process_under_which_the_database_is_put_back_vouches_for_it_no_more(
    witness, live_sessions
):
    process = witness()
    beaten(process)
    then = row(live_sessions)
    beaten(process)
    put_back(live_sessions, then)
    with live_sessions() as session:
        assert not process.vouches(session)
    assert [gap.cause for gap in beaten(process, 2)] == [Cause.OLDER]
    with live_sessions() as session:
        assert process.vouches(session)


def test_a_copy_on_another_machine_is_noticed_and_another_database_there_is_none(
    witness, live_sessions, redis, tmp_path
):
    beaten(witness(), 2)
    redis.flushall()
    elsewhere = witness(folder=tmp_path.parent)
    assert beaten(elsewhere) == [], "another process may just have begun"
    assert not elsewhere.trusted
    with transaction(live_sessions) as session:
        session.execute(sa.update(Lineage).values(beat_at=sa.func.now() - timedelta(minutes=1)))
    (gap,) = beaten(elsewhere, 2)
    assert gap.cause is Cause.COPY
    assert elsewhere.trusted
    running = witness()
    beaten(running)
    with transaction(live_sessions) as session:
        session.execute(sa.delete(Lineage))
    assert beaten(witness(), 2) == [], "a new one, beside the witnesses of the old"
    assert [gap.cause for gap in beaten(running, 2)] == [Cause.COPY], "put in another's place"


def test_a_long_silence_is_noticed(witness, live_sessions):
    beaten(witness())
    with transaction(live_sessions) as session:
        session.execute(sa.update(Lineage).values(beat_at=sa.func.now() - timedelta(hours=13)))
    assert [gap.cause for gap in beaten(witness(), 2)] == [Cause.SILENT]


def test_nobody_is_trusted_while_nobody_can_be_asked(witness, live_sessions, tmp_path):
    beaten(witness())
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))
        away = Redis(port=closed.getsockname()[1], retry=None)
        elsewhere = witness(redis=away, folder=tmp_path / "new")
        assert beaten(elsewhere, 2) == []
        assert not elsewhere.trusted
        assert beaten(witness(redis=away)) == [], "the file is enough"
