"""The thread that keeps the gate: whoever waits at it meanwhile goes through in one transaction.

A commit to disk takes milliseconds whatever is in it, so the longer one takes the more letters the next one lets
through. Outcomes ride along; alone they are committed without waiting for the disk.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager

import psycopg
import sqlalchemy as sa
from psycopg.errors import DeadlockDetected

from core.database import SessionFactory
from mailings.planning import eligibility
from mailings.sending import gating, outcomes
from mailings.sending.claiming import LEASE, Claimed
from mailings.sending.outcomes import Ended
from mailings.sending.own_connections import OwnConnections, now
from mailings.sending.prepared import Together, together
from mailings.sending.running import Running

log = logging.getLogger(__name__)

_AT_ONCE = 500
_COMPANY_SECONDS = 0.01  # outcomes wait so long for a gate to ride along with
_LAST_TRIES = 20  # once told to stop
_AWAY_SECONDS = 0.5  # between tries while the database is away
_SAFE_SECONDS = LEASE.total_seconds() - 10


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
        self._own = OwnConnections(sessions)
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
        self._own.hang_up()

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
        if outcomes.all_well(ended):
            with self._own.quickly() as said, _durably(said, bool(asking)):
                _lock(said, by_mailing, ended)
                if ended:
                    outcomes.say(said, ended)
                found = _let_through(said, by_mailing)
        else:
            with self._own.session() as session:
                with together(session) as said:
                    _lock(said, by_mailing, ended)
                outcomes.write(session, ended)
                with together(session) as said:
                    found = _let_through(said, by_mailing)
        passed = {(key[0], row[0]) for key, rows in found.items() for row in rows.fetchall()}
        if len(passed) < len(asking):
            self._turn_away(by_mailing.values(), passed)
        return passed

    def _turn_away(
        self, asking: Iterable[Sequence[Request]], passed: Collection[tuple[int, int]]
    ) -> None:
        """What goes wrong here must not stop those that have passed."""
        try:
            with self._own.session() as session:
                for requests in asking:
                    rows = [each.row for each in requests]
                    refused = [row for row in rows if (row.portal_id, row.id) not in passed]
                    gating.turn_away(session, requests[-1].mailing, refused)
        except Exception:
            log.exception("not turned away: their leases will run out")

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
    gating.hold_still(said, asking, alone=outcomes.dead(ended) | capped)


@contextmanager
def _durably(said: Together, durably: bool) -> Iterator[None]:
    """What is said in this block waits for the disk, or does not."""
    if not durably:
        said.say("BEGIN")
        said.say("SET LOCAL synchronous_commit = off")
    yield
    if not durably:
        said.say("COMMIT")


def _let_through(
    said: Together, by_mailing: Mapping[tuple[int, int], Sequence[Request]]
) -> dict[tuple[int, int], psycopg.Cursor[tuple[int]]]:
    """Where the ids will be of those who passed, by mailing."""
    return {
        key: gating.let_through(said, requests[-1].mailing, [each.row for each in requests])
        for key, requests in by_mailing.items()
    }
