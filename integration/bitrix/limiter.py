"""How fast a portal may be called, and who goes first.

Requests a second and execution time of each method are counted for the whole portal. What is left of
both is divided by priority (`budgets.Priority`): less urgent work stops earlier and takes no place in
the queue ahead of its turn, so that whoever opens a card never waits behind a sync.
"""

from __future__ import annotations

import copy
import logging
import math
import time
from collections.abc import Callable, Collection, Mapping
from typing import TypeVar

import orjson
import redis

from integration.bitrix.answers import Time
from integration.bitrix.budgets import Budget, Limits, Priority
from integration.bitrix.errors import OperationTimeLimit, RateLimited
from integration.bitrix.limiter_stores import LocalStore, RedisStore, Store

log = logging.getLogger(__name__)

T = TypeVar("T")

_REDIS_RETRY_SECONDS = 5.0
_AWAY_SHARE = 0.25  # without Redis other processes are invisible: leave them room
_COST_WEIGHT = 0.3
_LEARNED_FOR_SECONDS = 3600.0  # then the limit is tried anew: it may have been learned wrongly
_LEARN_WITHIN_SECONDS = 60.0
_SHORTEST_WAIT = 0.001


class Limiter:
    """One per portal and process; all of a portal share their counters through Redis.

    A request that may go now or soon is delayed here; one that would have to wait longer than the
    caller's patience is refused with the time after which it makes sense again.
    """

    def __init__(
        self,
        portal: str,
        client: redis.Redis | None = None,
        *,
        limits: Limits | None = None,
        sleep: Callable[[float], None] = time.sleep,
        now: Callable[[], float] = time.time,
        local: LocalStore | None = None,
    ) -> None:
        self.limits = limits or Limits()
        self.priority = Priority.INTERACTIVE
        self._shared = RedisStore(client, portal) if client is not None else None
        self._local = local or LocalStore()
        self._sleep = sleep
        self._now = now
        self._away_until = -math.inf
        self._skew = 0.0  # the portal's clock minus ours

    def at(self, priority: Priority) -> Limiter:
        """The same limiter for calls of this priority."""
        other = copy.copy(self)
        other.priority = priority
        return other

    def acquire(self, methods: Collection[str], patience: float) -> None:
        """Wait until one request with these methods may be sent.

        Raises OperationTimeLimit or RateLimited, with `retry_after`, if that is not soon.
        """
        closed = max((self.budget(method).closed_for for method in methods), default=0.0)
        if closed > patience:
            raise OperationTimeLimit(
                "the execution time is used up", retry_after=closed, reset_at=self._now() + closed
            )
        if closed > 0:
            self._sleep(closed)
        if math.isinf(self.limits.per_second):
            return
        waited = 0.0
        while True:
            taken, wait = self._take(patience - waited)
            if taken:
                if wait > 0:
                    self._sleep(wait)
                return
            if waited + wait > patience:
                raise RateLimited("the queue of requests is too long", retry_after=wait)
            wait = max(wait, _SHORTEST_WAIT)
            self._sleep(wait)
            waited += wait

    def refused(self) -> None:
        """The portal says the bucket is full: others share it, so let it drain for everybody."""
        if not math.isinf(self.limits.per_second):
            capacity, rate = self.limits.burst - self.limits.headroom, self.limits.per_second
            self._on_store(lambda store: store.fill(capacity, rate))

    def record(self, seen: Mapping[str, Time]) -> None:
        """Learn from the `time` of answers: the last one of each method."""
        facts: dict[str, str] = {}
        for method, spent in seen.items():
            known = self._known(method)
            facts[f"{method}:cost"] = str(_smoothed(known.get("cost"), spent.duration))
            if spent.operating is None:
                continue
            if spent.finish:
                self._skew = spent.finish - self._now()
            facts[f"{method}:seen"] = orjson.dumps(
                [spent.operating, self._ours(spent.operating_reset_at), self._now()]
            ).decode()
            accepted_at = spent.operating - spent.duration
            if accepted_at > known.get("limit", self.limits.operating_seconds):
                facts |= self._limit_fact(method, accepted_at)
        if facts:
            self._write(facts)

    def close(self, method: str, reset_at: float | None = None) -> float:
        """The portal refused the method: nobody calls it until the reset, which is returned."""
        known, now = self._known(method), self._now()
        until = self._ours(reset_at) or known.get("reset_at") or 0.0
        if until <= now:
            until = now + self.limits.operating_window
        facts = {f"{method}:closed": str(until)}
        used = known.get("used", 0.0)
        recent = now - known.get("seen_at", -math.inf) < _LEARN_WITHIN_SECONDS
        if recent and 0 < used < known.get("limit", self.limits.operating_seconds):
            facts |= self._limit_fact(method, used)
        self._write(facts)
        return until

    def time(self) -> float:
        """Unix time, by the clock the budgets are counted with."""
        return self._now()

    def budget(self, method: str) -> Budget:
        """How the method stands, for planning how much to ask at once."""
        known, now = self._known(method), self._now()
        limit = known.get("limit", self.limits.operating_seconds)
        stop_at = limit * self.limits.operating_share * self.priority.operating
        fresh = now - known.get("seen_at", -math.inf) < self.limits.operating_window
        used = known.get("used", 0.0) if fresh else 0.0
        closed_until = known.get("closed", 0.0)
        if used >= stop_at:
            closed_until = max(closed_until, known.get("reset_at", 0.0))
        return Budget(limit, used, stop_at, max(0.0, closed_until - now), known.get("cost"))

    def free(self) -> float | None:
        """Requests that may be sent at once now; None where nothing limits them."""
        if math.isinf(self.limits.per_second):
            return None
        capacity = self.limits.burst - self.limits.headroom
        level = self._on_store(lambda store: store.level(self.limits.per_second))
        return max(0.0, capacity - level)

    def methods(self) -> list[str]:
        """Methods whose execution time something is known of, by name."""
        names = self._on_store(lambda store: store.names())
        return sorted({name.rpartition(":")[0] for name in names})

    def _known(self, method: str) -> dict[str, float]:
        names = [f"{method}:{name}" for name in ("closed", "cost", "limit", "seen")]
        closed, cost, limit, seen = self._on_store(lambda store: store.read(names))
        known: dict[str, float] = {}
        if closed is not None:
            known["closed"] = float(closed)
        if cost is not None:
            known["cost"] = float(cost)
        if limit is not None:
            learned, learned_at = orjson.loads(limit)
            if self._now() - learned_at < _LEARNED_FOR_SECONDS:
                known["limit"] = learned
        if seen is not None:
            used, reset_at, seen_at = orjson.loads(seen)
            known |= {"used": used, "reset_at": reset_at or 0.0, "seen_at": seen_at}
        return known

    def _limit_fact(self, method: str, seconds: float) -> dict[str, str]:
        return {f"{method}:limit": orjson.dumps([seconds, self._now()]).decode()}

    def _ours(self, portal_time: float | None) -> float | None:
        return None if portal_time is None else portal_time - self._skew

    def _take(self, patience: float) -> tuple[bool, float]:
        capacity, rate = float(self.limits.burst - self.limits.headroom), self.limits.per_second

        def take(store: Store) -> tuple[bool, float]:
            share = 1.0 if store is self._shared or self._shared is None else _AWAY_SHARE
            reserve = self.priority.reserve
            return store.take(max(1.0, capacity * share), rate * share, patience, reserve)

        return self._on_store(take)

    def _write(self, facts: Mapping[str, str]) -> None:
        self._local.write(facts)  # so that nothing is forgotten if Redis goes away
        if self._shared is not None:
            self._on_store(lambda store: store.write(facts))

    def _on_store(self, action: Callable[[Store], T]) -> T:
        if self._shared is None or time.monotonic() < self._away_until:
            return action(self._local)
        try:
            return action(self._shared)
        except redis.RedisError:
            self._away_until = time.monotonic() + _REDIS_RETRY_SECONDS
            log.warning("limiter counts in this process only: Redis does not answer")
            return action(self._local)


def _smoothed(former: float | None, latest: float) -> float:
    return latest if former is None else former + _COST_WEIGHT * (latest - former)
