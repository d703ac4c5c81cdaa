"""Where a limiter keeps its counters: in Redis for all processes, or in memory when Redis is away."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Protocol

import redis

_BUCKET_LIFE_MS = 3_600_000
_FACTS_LIFE_S = 86_400

# Redis' own clock, so that processes and machines agree. A request that has to wait takes its place
# in the queue at once: the next one waits behind it.
_TAKE = """
local t = redis.call('TIME')
local now = tonumber(t[1]) + tonumber(t[2]) / 1000000
local capacity, rate, patience = tonumber(ARGV[1]), tonumber(ARGV[2]), tonumber(ARGV[3])
local kept = redis.call('HMGET', KEYS[1], 'level', 'at')
local level, at = tonumber(kept[1] or 0), tonumber(kept[2] or now)
level = math.max(0, level - math.max(0, now - at) * rate) + 1
local wait = math.max(0, (level - capacity) / rate)
if wait > patience then return {0, string.format('%.6f', wait)} end
redis.call('HSET', KEYS[1], 'level', string.format('%.6f', level), 'at', string.format('%.6f', now))
redis.call('PEXPIRE', KEYS[1], ARGV[4])
return {1, string.format('%.6f', wait)}
"""

_FILL = """
local t = redis.call('TIME')
local now = tonumber(t[1]) + tonumber(t[2]) / 1000000
local capacity, rate = tonumber(ARGV[1]), tonumber(ARGV[2])
local kept = redis.call('HMGET', KEYS[1], 'level', 'at')
local level, at = tonumber(kept[1] or 0), tonumber(kept[2] or now)
level = math.max(capacity, level - math.max(0, now - at) * rate)
redis.call('HSET', KEYS[1], 'level', string.format('%.6f', level), 'at', string.format('%.6f', now))
redis.call('PEXPIRE', KEYS[1], ARGV[3])
"""


class Store(Protocol):
    """A leaky bucket and a few facts, of one portal."""

    def take(self, capacity: float, rate: float, patience: float) -> tuple[bool, float]:
        """Whether a place was taken, and how many seconds to wait before (or for) it."""

    def fill(self, capacity: float, rate: float) -> None:
        """Take the bucket for full: the portal says that it is."""

    def read(self, names: Sequence[str]) -> list[str | None]:
        """The facts under the names."""

    def write(self, facts: Mapping[str, str]) -> None:
        """Replace facts."""


class RedisStore:
    """Shared by every process that talks to the portal."""

    def __init__(self, client: redis.Redis, portal: str) -> None:
        self._client = client
        self._bucket = f"rubilnik:limits:{portal}:bucket"
        self._facts = f"rubilnik:limits:{portal}:facts"
        self._take = client.register_script(_TAKE)
        self._fill = client.register_script(_FILL)

    def take(self, capacity: float, rate: float, patience: float) -> tuple[bool, float]:
        """See Store; atomic."""
        taken, wait = self._take(
            keys=[self._bucket], args=[capacity, rate, patience, _BUCKET_LIFE_MS]
        )
        return bool(taken), float(wait)

    def fill(self, capacity: float, rate: float) -> None:
        """See Store."""
        self._fill(keys=[self._bucket], args=[capacity, rate, _BUCKET_LIFE_MS])

    def read(self, names: Sequence[str]) -> list[str | None]:
        """See Store."""
        found = self._client.hmget(self._facts, list(names))
        return [value.decode() if isinstance(value, bytes) else value for value in found]

    def write(self, facts: Mapping[str, str]) -> None:
        """See Store."""
        mapping: dict[Any, Any] = dict(facts)
        with self._client.pipeline(transaction=False) as pipe:
            pipe.hset(self._facts, mapping=mapping)
            pipe.expire(self._facts, _FACTS_LIFE_S)
            pipe.execute()


class LocalStore:
    """Of this process only."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._level = 0.0
        self._at = clock()
        self._kept: dict[str, str] = {}
        self._lock = threading.Lock()

    def take(self, capacity: float, rate: float, patience: float) -> tuple[bool, float]:
        """See Store; atomic among threads."""
        with self._lock:
            now = self._clock()
            level = self._drained(now, rate) + 1
            wait = max(0.0, (level - capacity) / rate)
            if wait > patience:
                return False, wait
            self._level, self._at = level, now
            return True, wait

    def fill(self, capacity: float, rate: float) -> None:
        """See Store."""
        with self._lock:
            now = self._clock()
            self._level, self._at = max(capacity, self._drained(now, rate)), now

    def read(self, names: Sequence[str]) -> list[str | None]:
        """See Store."""
        return [self._kept.get(name) for name in names]

    def write(self, facts: Mapping[str, str]) -> None:
        """See Store."""
        self._kept.update(facts)

    def _drained(self, now: float, rate: float) -> float:
        return max(0.0, self._level - max(0.0, now - self._at) * rate)
