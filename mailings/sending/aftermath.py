"""What follows from the outcome of a try, beside its being written down: for the server, the pace, the mailing."""

from __future__ import annotations

import logging
import random
import threading
import time
from collections import Counter, defaultdict
from datetime import timedelta

from core.database import SessionFactory, transaction
from mailings.channels.base import Outcome, SendResult
from mailings.rules import domains, replies
from mailings.sending import pacing, troubles
from mailings.sending.crew import UNWRITABLE, Done
from mailings.sending.outcomes import Ended

log = logging.getLogger(__name__)

_LETTER_FAILURES = 20
_AGAIN_SOON = timedelta(seconds=5)
_METER_SECONDS = 60

ServerKey = tuple[int, int]


class Aftermath:
    """Shared by the threads of all crews."""

    def __init__(self, sessions: SessionFactory) -> None:
        self._sessions = sessions
        self._lock = threading.Lock()
        self._blame: dict[tuple[int, int], troubles.Blame] = defaultdict(troubles.Blame)
        self._unwritable: Counter[tuple[int, int]] = Counter()
        self._failing: set[ServerKey] = set()
        self._meters: dict[tuple[int, int, str], Meter] = defaultdict(Meter)

    def known_failing(self, server: ServerKey) -> None:
        """The database says so."""
        self._failing.add(server)

    def none(self, done: Done) -> bool:
        """Whether it only has to be counted, which is done then: a letter was taken, as so many before it."""
        task, result = done.task, done.result
        server = (task.row.portal_id, task.server_id)
        key = task.mailing.key
        if result.outcome is not Outcome.SENT or server in self._failing or key in self._unwritable:
            return False
        self._count(server, task.row.group_key or "")
        with self._lock:
            self._blame[key].add(False)
        return True

    def of(self, done: Done) -> bool:
        """Draw the conclusions; False: the server should be left alone for a while."""
        task, result = done.task, done.result
        if done.broken or result.status == UNWRITABLE:
            self._letter(done)
            return True
        self._unwritable.pop(task.mailing.key, None)
        if not task.server_id or result.outcome is Outcome.REFUSED_AT_GATE:
            return True
        server = (task.row.portal_id, task.server_id)
        if result.outcome is Outcome.NOT_TRIED:
            self._failed(server, result)
            return False
        self._pace(server, task.row.group_key or "", result)
        if result.outcome in {Outcome.SENT, Outcome.FAILED}:
            self._blamed(task.mailing.key, result)
        return True

    def _letter(self, done: Done) -> None:
        """A letter nobody can be sent is its author's trouble, not the recipients'."""
        key = done.task.mailing.key
        with self._lock:
            self._unwritable[key] += 1
            often = self._unwritable[key] >= _LETTER_FAILURES
        if done.broken or often:
            self._unwritable.pop(key, None)
            with transaction(self._sessions) as session:
                troubles.broken_letter(session, *key)

    def _failed(self, server: ServerKey, result: SendResult) -> None:
        self._failing.add(server)
        with transaction(self._sessions) as session:
            paused = troubles.failed(session, *server, result.text)
        facts = {"portal": server[0], "server": server[1], "paused": paused}
        log.warning("mail server failed", extra=facts)

    def _pace(self, server: ServerKey, group: str, result: SendResult) -> None:
        """Count, slow down when asked to, and forget failures when the server is itself again."""
        self._count(server, group)
        if result.slow_down:
            about = group if group and domains.named(group, result.text) else ""
            seen = self._meters[(*server, about)].per_minute()
            with transaction(self._sessions) as session:
                pacing.slow_down(session, *server, about, seen)
        elif server in self._failing:
            self._failing.discard(server)
            with transaction(self._sessions) as session:
                troubles.answered(session, *server)

    def _count(self, server: ServerKey, group: str) -> None:
        with self._lock:
            self._meters[(*server, "")].count()
            self._meters[(*server, group)].count()

    def _blamed(self, mailing: tuple[int, int], result: SendResult) -> None:
        with self._lock:
            enough = self._blame[mailing].add(result.ours)
        if enough:
            with transaction(self._sessions) as session:
                troubles.distrusted(session, *mailing, replies.blamed(result.text))


def ended(done: Done) -> Ended:
    """The outcome as it is written down, with the wait until the next try."""
    result, row = done.result, done.task.row
    wait = timedelta(0)
    if result.outcome is Outcome.DEFERRED:
        wait = result.wait or (
            replies.RATE_WAIT
            if result.slow_down
            else replies.next_wait(row.attempt + 1, random.random())  # noqa: S311 - spreads a crowd
        )
    elif result.outcome is Outcome.NOT_TRIED:
        wait = result.wait or _AGAIN_SOON
    return Ended(row, result, done.passed, wait, counted=not result.slow_down)


class Meter:
    """How many there were in the last minute."""

    def __init__(self) -> None:
        self._counts: Counter[int] = Counter()

    def count(self) -> None:
        """One more, now."""
        second = int(time.monotonic())
        self._counts[second] += 1
        if len(self._counts) > 2 * _METER_SECONDS:
            for old in [each for each in self._counts if each < second - _METER_SECONDS]:
                del self._counts[old]

    def per_minute(self) -> float:
        """The pace of the last minute."""
        since = int(time.monotonic()) - _METER_SECONDS
        return float(sum(n for second, n in list(self._counts.items()) if second > since))
