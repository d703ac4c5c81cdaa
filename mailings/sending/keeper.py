"""The thread that keeps the gate: whoever waits at it meanwhile goes through in one transaction.

A commit to disk takes milliseconds whatever is in it, so the longer one takes the more letters the next one lets
through. Outcomes ride along; alone they are committed without waiting for the disk.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager

import psycopg
import sqlalchemy as sa
from psycopg.errors import DeadlockDetected
from sqlalchemy.orm import Session

from core.database import SessionFactory
from mailings.planning import eligibility
from mailings.sending import gating, outcomes
from mailings.sending.claiming import LEASE, Claimed
from mailings.sending.outcomes import Ended
from mailings.sending.prepared import Together, together
from mailings.sending.running import Running

log = logging.getLogger(__name__)

_AT_ONCE = 500
_COMPANY_SECONDS = 0.01  # outcomes wait so long for a gate to ride along with
_LAST_TRIES = 20  # once told to stop
_AWAY_SECONDS = 0.5  # between tries while the database is away
_STALE_SECONDS = 30.0  # a connection nobody used for so long is looked at before it is trusted
_SAFE_SECONDS = LEASE.total_seconds() - 10


def now() -> float:
    """Seconds that go on while the machine sleeps, unlike those of `time.monotonic`."""
    return time.clock_gettime(getattr(time, "CLOCK_BOOTTIME", time.CLOCK_MONOTONIC))


class Request:
    """One delivery at the gate; `told` is called when the gate has answered."""

    __slots__ = ("deadline", "mailing", "passed", "row", "told")

    def __init__(self, row: Claimed, mailing: Running, told: Callable[[], object]) -> None:
        self.row, self.mailing, self.told = row, mailing, told
        self.passed = False
        self.deadline = now() + _SAFE_SECONDS

    @property
    def in_time(self) -> bool:
        """Whether the lease the gate gave certainly lasts: a process that was stopped in between must not go on."""
        return now() < self.deadline


class Keeper:
    """Asked by the threads that send; `written` is told of every outcome that is in the database."""

    def __init__(self, sessions: SessionFactory, written: Callable[[Ended], None]) -> None:
        self._sessions = sessions
        self._written = written
        self._changed = threading.Condition()
        self._asking: list[Request] = []
        self._ended: list[Ended] = []
        self._closing = False
        self._tries_left = _LAST_TRIES
        self._connection: sa.Connection | None = None
        self._used_at = 0.0
        self._thread = threading.Thread(target=self._run, name="gate", daemon=True)

    def start(self) -> None:
        """Begin to let through."""
        self._thread.start()

    def close(self) -> None:
        """Write what is left down, and stop; nobody may ask any more."""
        with self._changed:
            self._closing = True
            self._changed.notify()
        self._thread.join()
        self._hang_up()

    def come(self, row: Claimed, mailing: Running, told: Callable[[], object]) -> Request:
        """Come to the gate; whether it opened is in the request, once `told` was called."""
        request = Request(row, mailing, told)
        with self._changed:
            self._asking.append(request)
            self._changed.notify()
        return request

    def ask(self, row: Claimed, mailing: Running) -> Request:
        """The same for a thread that has nothing else to do."""
        answered = threading.Event()
        request = self.come(row, mailing, answered.set)
        answered.wait()
        return request

    def tell(self, ended: Ended) -> None:
        """Have an outcome written down soon."""
        with self._changed:
            self._ended.append(ended)
            if len(self._ended) == 1:
                self._changed.notify()

    def _run(self) -> None:
        while True:
            with self._changed:
                while not (self._asking or self._ended or self._closing):
                    self._changed.wait()
                if not self._asking and not self._closing:
                    self._changed.wait_for(self._urgent, _COMPANY_SECONDS)
                asking, self._asking = self._asking[:_AT_ONCE], self._asking[_AT_ONCE:]
                ended, self._ended = self._ended[:_AT_ONCE], self._ended[_AT_ONCE:]
                if not asking and not ended and self._closing:
                    return
            self._turn(asking, ended)

    def _urgent(self) -> bool:
        return bool(self._asking) or self._closing

    def _turn(self, asking: Sequence[Request], ended: list[Ended]) -> None:
        try:
            passed = self._commit(asking, ended)
        except sa.exc.OperationalError as error:
            log.warning("the gate stays shut", extra={"reason": type(error.orig).__name__})
            passed = set()
            self._keep(ended)
        except Exception:  # whatever it is: nobody passes, and nobody may wait for ever
            log.exception("the gate stays shut")
            passed = set()
            self._one_by_one(ended)
        else:
            self._tell_written(ended)
        for request in asking:
            request.passed = (request.row.portal_id, request.row.id) in passed
            request.told()

    def _commit(self, asking: Sequence[Request], ended: Sequence[Ended]) -> set[tuple[int, int]]:
        try:
            return self._transaction(asking, ended)
        except sa.exc.OperationalError as error:
            if not isinstance(error.orig, DeadlockDetected):
                raise
        return self._transaction(asking, ended)

    def _transaction(
        self, asking: Sequence[Request], ended: Sequence[Ended]
    ) -> set[tuple[int, int]]:
        """Locks first, so that what is read afterwards is what is true until the commit."""
        by_mailing: dict[tuple[int, int], list[Request]] = {}
        for request in asking:
            by_mailing.setdefault(request.mailing.key, []).append(request)
        with self._session() as session:
            with together(session) as said:
                if not asking:
                    said.say("SET LOCAL synchronous_commit = off")
                _lock(said, by_mailing, ended)
                if well := outcomes.all_well(ended):
                    found = _in_one(said, by_mailing, ended)
            if not well:
                outcomes.write(session, ended)
                with together(session) as said:
                    found = _in_one(said, by_mailing, ())
            passed = {(key[0], row[0]) for key, rows in found.items() for row in rows.fetchall()}
            for requests in by_mailing.values():
                rows = [each.row for each in requests]
                refused = [row for row in rows if (row.portal_id, row.id) not in passed]
                gating.turn_away(session, requests[-1].mailing, refused)
        return passed

    @contextmanager
    def _session(self) -> Iterator[Session]:
        """A transaction on a connection that is kept as long as it works."""
        if self._connection is not None and now() > self._used_at + _STALE_SECONDS:
            self._hang_up()
        if self._connection is None:
            self._connection = _own(self._sessions.kw["bind"])
        try:
            with self._sessions(bind=self._connection) as session, session.begin():
                yield session
        except BaseException:
            self._hang_up()
            raise
        self._used_at = now()

    def _hang_up(self) -> None:
        connection, self._connection = self._connection, None
        if connection is not None:
            connection.close()

    def _keep(self, ended: list[Ended]) -> None:
        """For the next turn. A first commit that got through after all does no harm: its tokens are gone."""
        with self._changed:
            self._tries_left -= self._closing
            if self._tries_left <= 0:
                log.error("outcomes not written: they end as unknown", extra={"number": len(ended)})
                return
            self._ended = ended + self._ended
        time.sleep(_AWAY_SECONDS)

    def _one_by_one(self, ended: Sequence[Ended]) -> None:
        """An outcome that can't be written is left to its lease; the others don't suffer."""
        for each in ended:
            try:
                self._transaction((), [each])
            except Exception:
                log.exception("outcome not written", extra={"delivery": each.row.id})
        self._tell_written(ended)

    def _tell_written(self, ended: Sequence[Ended]) -> None:
        for each in ended:
            self._written(each)


def _lock(
    said: Together, asking: Mapping[tuple[int, int], Sequence[Request]], ended: Sequence[Ended]
) -> None:
    """All that must not change until the end of the transaction."""
    terms = [requests[-1].mailing.terms for requests in asking.values()]
    capped = {each.portal_id for each in terms if eligibility.alone_at_the_gate(each)}
    portals = {portal_id for portal_id, _ in asking}
    gating.wait_for_withdrawals(said, portals, alone=outcomes.dead(ended) | capped)
    gating.hold_still(said, asking)


def _own(engine: sa.Engine) -> sa.Connection:
    """A connection of the keeper's own, that plans each of its few statements once: else planning costs most of a turn."""
    connection = engine.connect()
    connection.detach()
    connection.exec_driver_sql("SET plan_cache_mode = force_generic_plan")
    connection.commit()
    return connection


def _in_one(
    said: Together, by_mailing: Mapping[tuple[int, int], Sequence[Request]], ended: Sequence[Ended]
) -> dict[tuple[int, int], psycopg.Cursor[tuple[int]]]:
    """Write down, let through and commit; where the ids will be of those who passed, by mailing."""
    if ended:
        outcomes.say(said, ended)
    found = {
        key: gating.let_through(said, requests[-1].mailing, [each.row for each in requests])
        for key, requests in by_mailing.items()
    }
    said.commit()
    return found
