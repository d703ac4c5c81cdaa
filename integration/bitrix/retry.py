"""Which requests may be repeated, how often, and how long to wait in between."""

from __future__ import annotations

import random
import time
from collections.abc import Callable
from dataclasses import dataclass

from integration.bitrix.errors import BitrixError, RateLimited

_READ_ENDINGS = (".list", ".get", ".fields", ".current")
_READS = frozenset(
    {
        "profile",
        "scope",
        "methods",
        "events",
        "server.time",
        "app.info",
        "user.admin",
        "user.access",
    }
)
_TAKING_READS = frozenset({"event.offline.get"})  # a "get" that empties the queue


def is_read(method: str) -> bool:
    """Whether the method changes nothing, so that repeating it is harmless."""
    name = method.lower()
    return name not in _TAKING_READS and (name in _READS or name.endswith(_READ_ENDINGS))


@dataclass(frozen=True)
class Patience:
    """How hard a client tries. `longest_wait`: seconds it may sleep at a time for the limits."""

    longest_wait: float = 20.0
    rate_limit_attempts: int = 12
    failure_attempts: int = 3
    first_pause: float = 0.5
    longest_pause: float = 15.0
    sleep: Callable[[float], None] = time.sleep
    random: Callable[[], float] = random.random

    def pause(self, attempt: int) -> float:
        """Exponential backoff with full jitter, so that processes do not return in step."""
        return self.random() * min(self.longest_pause, self.first_pause * 2.0**attempt)


class Attempts:
    """Counts the failures of one request and says whether to go on."""

    def __init__(self, patience: Patience, *, repeatable: bool) -> None:
        self._patience = patience
        self._repeatable = repeatable
        self._rate_limited = 0
        self._failed = 0

    def wait_after(self, error: BitrixError) -> None:
        """Sleep before the next attempt, or raise the error: it is final, or was once too many."""
        if isinstance(error, RateLimited):
            self._rate_limited += 1
            enough = self._rate_limited >= self._patience.rate_limit_attempts
        else:
            self._failed += 1
            harmless = self._repeatable or error.executed is False
            enough = not harmless or self._failed >= self._patience.failure_attempts
        if not error.retryable or enough:
            raise error
        self._patience.sleep(self._patience.pause(self._rate_limited + self._failed - 1))
