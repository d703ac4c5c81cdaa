"""The thread that keeps the gate: whoever waits at it meanwhile goes through in one transaction.

A commit to disk takes milliseconds whatever is in it, so the longer one takes the more letters the next one lets
through. Outcomes ride along; alone they are committed without waiting for the disk.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Sequence

import sqlalchemy as sa
from psycopg.errors import DeadlockDetected

from core.database import SessionFactory, transaction
from mailings.sending import gating, outcomes
from mailings.sending.claiming import LEASE, Claimed
from mailings.sending.outcomes import Ended
from mailings.sending.running import Running

log = logging.getLogger(__name__)

_AT_ONCE = 500
_COMPANY_SECONDS = 0.01  # outcomes wait so long for a gate to ride along with
_LAST_TRIES = 20  # once told to stop
_AWAY_SECONDS = 0.5  # between tries while the database is away
_SAFE_SECONDS = LEASE.total_seconds() - 10


def now() -> float:
    """Seconds that go on while the machine sleeps, unlike those of `time.monotonic`."""
    return time.clock_gettime(getattr(time, "CLOCK_BOOTTIME", time.CLOCK_MONOTONIC))


class Request:
    """One delivery at the gate."""

    __slots__ = ("answered", "deadline", "mailing", "passed", "row")

    def __init__(self, row: Claimed, mailing: Running) -> None:
        self.row, self.mailing = row, mailing
        self.answered = threading.Event()
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

    def ask(self, row: Claimed, mailing: Running) -> Request:
        """Wait at the gate; whether it opened is in the answer."""
        request = Request(row, mailing)
        with self._changed:
            self._asking.append(request)
            self._changed.notify()
        request.answered.wait()
        return request

    def tell(self, ended: Ended) -> None:
        """Have an outcome written down soon."""
        with self._changed:
            self._ended.append(ended)
            self._changed.notify()

    def _run(self) -> None:
        while True:
            with self._changed:
                while not (self._asking or self._ended or self._closing):
                    self._changed.wait()
                if not self._asking and not self._closing:
                    self._changed.wait(_COMPANY_SECONDS)
                asking, self._asking = self._asking[:_AT_ONCE], self._asking[_AT_ONCE:]
                ended, self._ended = self._ended[:_AT_ONCE], self._ended[_AT_ONCE:]
                if not asking and not ended and self._closing:
                    return
            self._turn(asking, ended)

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
            request.answered.set()

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
        passed: set[tuple[int, int]] = set()
        with transaction(self._sessions) as session:
            if not asking:
                session.execute(sa.text("SET LOCAL synchronous_commit = off"))
            portals = {portal_id for portal_id, _ in by_mailing}
            gating.wait_for_withdrawals(session, portals, alone=outcomes.dead(ended))
            gating.hold_still(session, by_mailing)
            outcomes.write(session, ended)
            for (portal_id, _), requests in by_mailing.items():
                rows = [request.row for request in requests]
                found = gating.let_through(session, requests[-1].mailing, rows)
                passed |= {(portal_id, number) for number in found}
        return passed

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
