"""The ticker process: starts every periodic job once per turn, however many tickers run.

A turn is the number of whole intervals since 1970, so it needs no state, and a ticker started
later takes the turn that nobody has. The unique row (name, slot) decides between two tickers.
"""

from __future__ import annotations

import logging
import signal
import threading
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

import sqlalchemy as sa
from redis.exceptions import RedisError
from sqlalchemy.dialects.postgresql import insert

from core import embedded, queue
from core.clock import utcnow
from core.config import Settings
from core.database import SessionFactory, make_engine, make_sessions, transaction
from core.models import TickerSlot
from core.queue import Jobs, Queue

log = logging.getLogger(__name__)

_POLL_SECONDS = 1.0
_BEAT_EVERY_SECONDS = 15
_SLOTS_KEPT = 100
_CLOCKS_DIFFER = timedelta(minutes=1)  # a turn taken later than now: the clock went back since


@dataclass(frozen=True)
class Periodic:
    """A job without arguments that runs every so often."""

    name: str
    every_seconds: int
    function: str
    queue: Queue

    def slot(self, now: datetime) -> int:
        """The number of the turn `now` falls into."""
        return int(now.timestamp()) // self.every_seconds


class Ticker:
    """Fires what is due; remembers turns already seen, to ask the database only about new ones."""

    def __init__(self, sessions: SessionFactory, jobs: Jobs, schedule: Iterable[Periodic]) -> None:
        self._sessions = sessions
        self._jobs = jobs
        self._schedule = tuple(schedule)
        self._seen: dict[str, int] = {}

    def tick(self, now: datetime) -> list[str]:
        """Enqueue the periodic jobs whose turn nobody has taken; their names."""
        fired = []
        for periodic in self._schedule:
            slot = periodic.slot(now)
            if self._seen.get(periodic.name) == slot:
                continue
            try:
                if self._fire(periodic, slot, now):
                    fired.append(periodic.name)
            except (sa.exc.SQLAlchemyError, RedisError) as error:
                log.warning(
                    "turn not taken", extra={"periodic": periodic.name, "reason": str(error)}
                )
                continue
            self._seen[periodic.name] = slot
        return fired

    def _fire(self, periodic: Periodic, slot: int, now: datetime) -> bool:
        """Enqueue inside the transaction: without Redis the turn stays free and is tried again."""
        with transaction(self._sessions) as session:
            row = insert(TickerSlot).values(name=periodic.name, slot=slot, fired_at=now)
            row = row.on_conflict_do_update(
                index_elements=["name", "slot"],
                set_={"fired_at": now},
                where=TickerSlot.fired_at > now + _CLOCKS_DIFFER,
            )
            taken = session.execute(row.returning(TickerSlot.slot))
            if taken.scalar() is None:
                return False
            old = (TickerSlot.name == periodic.name) & (TickerSlot.slot < slot - _SLOTS_KEPT)
            session.execute(sa.delete(TickerSlot).where(old))
            self._jobs.enqueue(periodic.queue, periodic.function, job_id=f"tick-{periodic.name}")
        return True


def run(
    settings: Settings, schedule: Sequence[Periodic], *, stop: threading.Event | None = None
) -> None:
    """Tick until SIGTERM or Ctrl-C, or until `stop` is set."""
    settings = embedded.resolve(settings)
    engine = make_engine(settings.database_url)
    jobs = Jobs(queue.connection(settings.redis_url))
    ticker = Ticker(make_sessions(engine), jobs, schedule)
    stop = stop or _stop_on_signals()
    log.info("ticker started", extra={"jobs": len(schedule)})
    beat_at = 0.0
    while not stop.is_set():
        now = utcnow()
        ticker.tick(now)
        if now.timestamp() >= beat_at:
            beat_at = now.timestamp() + _BEAT_EVERY_SECONDS
            _beat(jobs)
        stop.wait(_POLL_SECONDS)
    engine.dispose()
    log.info("ticker stopped")


def _beat(jobs: Jobs) -> None:
    try:
        queue.beat(jobs.redis, "ticker")
    except RedisError as error:
        log.warning("heartbeat not written", extra={"reason": str(error)})


def _stop_on_signals() -> threading.Event:
    stop = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stop.set())
    return stop
