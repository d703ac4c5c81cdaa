"""The ticker: every turn once, whoever ticks and whatever fails."""

import threading
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
import sqlalchemy as sa
from redis.exceptions import RedisError

from core import queue, ticker
from core.models import TickerSlot
from core.queue import Jobs, Queue
from core.ticker import Periodic, Ticker

NOW = datetime(2026, 3, 1, 12, 0, 30, tzinfo=UTC)
MINUTELY = Periodic("sweep", 60, "support.jobs.trace", Queue.SYNC)
NIGHTLY = Periodic("count", 86400, "support.jobs.trace", Queue.COMPUTE)


class Recorder(Jobs):
    """Remembers what was enqueued instead of telling Redis; can be out of order."""

    def __init__(self) -> None:
        self.calls = []
        self.broken = False

    def enqueue(self, queue_name, function, *args, job_id=None):
        if self.broken:
            raise RedisError("no connection")
        self.calls.append((queue_name, function, job_id))
        return True


@pytest.fixture
def jobs():
    return Recorder()


def test_a_turn_fires_once(sessions, jobs):
    own = Ticker(sessions, jobs, [MINUTELY, NIGHTLY])
    assert own.tick(NOW) == ["sweep", "count"]
    assert own.tick(NOW + timedelta(seconds=29)) == []
    assert own.tick(NOW + timedelta(seconds=30)) == ["sweep"]
    assert own.tick(datetime(2026, 3, 2, tzinfo=UTC)) == ["sweep", "count"]
    assert jobs.calls[1] == (Queue.COMPUTE, "support.jobs.trace", "tick-count")


def test_a_restarted_ticker_does_not_repeat_a_turn(sessions, jobs):
    Ticker(sessions, jobs, [MINUTELY]).tick(NOW)
    assert Ticker(sessions, jobs, [MINUTELY]).tick(NOW) == []


def test_a_clock_set_back_repeats_nothing(sessions, jobs):
    own = Ticker(sessions, jobs, [MINUTELY])
    assert own.tick(NOW) == ["sweep"]
    assert own.tick(NOW - timedelta(minutes=1)) == ["sweep"]  # a turn nobody had
    assert own.tick(NOW) == []


def test_without_redis_the_turn_is_kept(sessions, jobs):
    own = Ticker(sessions, jobs, [MINUTELY])
    jobs.broken = True
    assert own.tick(NOW) == []
    jobs.broken = False
    assert own.tick(NOW) == ["sweep"]


def test_old_turns_are_forgotten(sessions, session, jobs):
    own = Ticker(sessions, jobs, [MINUTELY, NIGHTLY])
    for minute in range(150):
        own.tick(NOW + timedelta(minutes=minute))
    count = sa.select(TickerSlot.name, sa.func.count()).group_by(TickerSlot.name)
    assert dict(session.execute(count).all()) == {"sweep": 101, "count": 1}


def test_many_tickers_share_the_turns(live_sessions, jobs):
    turns = [NOW + timedelta(minutes=minute) for minute in range(20)]
    together = threading.Barrier(4)

    def tick(own: Ticker) -> list[int]:
        fired = []
        for number, turn in enumerate(turns):
            together.wait()
            fired += [number for _ in own.tick(turn)]
        return fired

    tickers = [Ticker(live_sessions, jobs, [MINUTELY]) for _ in range(4)]
    with ThreadPoolExecutor(4) as pool:
        fired = [number for own in pool.map(tick, tickers) for number in own]
    assert sorted(fired) == list(range(20))
    assert len(jobs.calls) == 20


def test_the_process_ticks_and_is_heard(settings, live_sessions, redis_url):
    stop = threading.Event()
    every_second = replace(MINUTELY, every_seconds=1)
    running = threading.Thread(
        target=ticker.run, args=(settings, [every_second]), kwargs={"stop": stop}
    )
    running.start()
    connection = queue.connection(redis_url)
    try:
        while not (queue.length(connection, Queue.SYNC) and "ticker" in queue.beats(connection)):
            assert running.is_alive()
    finally:
        stop.set()
        running.join(30)
        connection.close()
    with live_sessions() as session:
        assert session.scalar(sa.select(sa.func.count()).select_from(TickerSlot)) >= 1
