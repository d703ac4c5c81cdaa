"""Where a limiter keeps its counters: in Redis for all processes, or in memory when Redis is away."""

from __future__ import annotations

import math
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Protocol

import redis

_BUCKET_LIFE_MS = 3_600_000
_FACTS_LIFE_S = 86_400

_PEOPLE_SECONDS = 600.0  # an interactive call says that people are about for so long
_QUIET_SHARE = 0.2  # of a reserve that is kept when nobody is about
_ROUNDING = 1e-6

# Redis' own clock, so that processes and machines agree. An interactive request that has to wait takes
# its place in the queue at once: the next one waits behind it. One with a reserve takes none and asks
# again, so that an interactive one never has to wait behind it. The same in Python: LocalStore.take.
_TAKE = """
local t = redis.call('TIME')
local now = tonumber(t[1]) + tonumber(t[2]) / 1000000
local capacity, rate, patience = tonumber(ARGV[1]), tonumber(ARGV[2]), tonumber(ARGV[3])
local reserve, people, quiet = tonumber(ARGV[4]), tonumber(ARGV[5]), tonumber(ARGV[6])
local kept = redis.call('HMGET', KEYS[1], 'level', 'at', 'people')
local level, at = tonumber(kept[1] or 0), tonumber(kept[2] or now)
level = math.max(0, level - math.max(0, now - at) * rate) + 1
if reserve > 0 then
    if not kept[3] or now - tonumber(kept[3]) > people then reserve = reserve * quiet end
    capacity = math.max(1, capacity - reserve)
    patience = 0
else
    redis.call('HSET', KEYS[1], 'people', string.format('%.6f', now))
    redis.call('PEXPIRE', KEYS[1], ARGV[8])
end
local wait = math.max(0, (level - capacity) / rate)
if wait > patience + tonumber(ARGV[7]) then return {0, string.format('%.6f', wait)} end
redis.call('HSET', KEYS[1], 'level', string.format('%.6f', level), 'at', string.format('%.6f', now))
redis.call('PEXPIRE', KEYS[1], ARGV[8])
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

    def take(
        self, capacity: float, rate: float, patience: float, reserve: float = 0.0
    ) -> tuple[bool, float]:
        """Whether a place was taken, and how many seconds to wait before (or for) it.

        With a `reserve` a place is taken only if so many are left, and never in advance.
        """

    def fill(self, capacity: float, rate: float) -> None:
        """Take the bucket for full: the portal says that it is."""

    def level(self, rate: float) -> float:
        """How full the bucket is now; takes nothing."""

    def names(self) -> list[str]:
        """Of every fact there is."""

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

    def take(
        self, capacity: float, rate: float, patience: float, reserve: float = 0.0
    ) -> tuple[bool, float]:
        """See Store; atomic."""
        rules = [reserve, _PEOPLE_SECONDS, _QUIET_SHARE, _ROUNDING, _BUCKET_LIFE_MS]
        taken, wait = self._take(keys=[self._bucket], args=[capacity, rate, patience, *rules])
        return bool(taken), float(wait)

    def fill(self, capacity: float, rate: float) -> None:
        """See Store."""
        self._fill(keys=[self._bucket], args=[capacity, rate, _BUCKET_LIFE_MS])

    def level(self, rate: float) -> float:
        """See Store."""
        level, at = self._client.hmget(self._bucket, ["level", "at"])
        if level is None or at is None:
            return 0.0
        seconds, micros = self._client.time()
        passed = max(0.0, seconds + micros / 1_000_000 - float(at))
        return max(0.0, float(level) - passed * rate)

    def names(self) -> list[str]:
        """See Store."""
        found = self._client.hkeys(self._facts)
        return [name.decode() if isinstance(name, bytes) else name for name in found]

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
        self._people_at = -math.inf
        self._kept: dict[str, str] = {}
        self._lock = threading.Lock()

    def take(
        self, capacity: float, rate: float, patience: float, reserve: float = 0.0
    ) -> tuple[bool, float]:
        """See Store; atomic among threads."""
        with self._lock:
            now = self._clock()
            level = self._drained(now, rate) + 1
            if reserve > 0:
                if now - self._people_at > _PEOPLE_SECONDS:
                    reserve *= _QUIET_SHARE
                capacity, patience = max(1.0, capacity - reserve), 0.0
            else:
                self._people_at = now
            wait = max(0.0, (level - capacity) / rate)
            if wait > patience + _ROUNDING:
                return False, wait
            self._level, self._at = level, now
            return True, wait

    def fill(self, capacity: float, rate: float) -> None:
        """See Store."""
        with self._lock:
            now = self._clock()
            self._level, self._at = max(capacity, self._drained(now, rate)), now

    def level(self, rate: float) -> float:
        """See Store."""
        with self._lock:
            return self._drained(self._clock(), rate)

    def names(self) -> list[str]:
        """See Store."""
        return list(self._kept)

    def read(self, names: Sequence[str]) -> list[str | None]:
        """See Store."""
        return [self._kept.get(name) for name in names]

    def write(self, facts: Mapping[str, str]) -> None:
        """See Store."""
        self._kept.update(facts)

    def _drained(self, now: float, rate: float) -> float:
        return max(0.0, self._level - max(0.0, now - self._at) * rate)
