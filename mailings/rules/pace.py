"""How many messages may go now: buckets that fill with time, a day's quota, warming up, slowing down."""

from __future__ import annotations

from datetime import date, timedelta

BURST_SECONDS = 2.0
"""A bucket holds this much of its pace, and at least one message."""

WARM_FIRST = 500
WARM_GROWTH = 1.5
WARM_DAYS = 21
SLOWED_FOR = timedelta(minutes=10)
"""Each such span after a complaint gives back as much pace as was left by it."""
SLOWEST = 1.0
_TIRED_OF_WAITING = timedelta(hours=6)


def capacity(per_minute: float) -> float:
    """What a bucket of this pace holds when full."""
    return max(1.0, per_minute / 60 * BURST_SECONDS)


def filled(level: float, passed: timedelta, per_minute: float) -> float:
    """The level of a bucket after some time; a clock that went back adds nothing."""
    gained = max(passed.total_seconds(), 0.0) * per_minute / 60
    return min(capacity(per_minute), level + gained)


def until_next(level: float, per_minute: float, number: int = 1) -> timedelta:
    """How long until the bucket will have let so many through."""
    return timedelta(seconds=max(number - level, 0.0) * 60 / per_minute)


def warm_up(began: date | None, today: date) -> int | None:
    """How many messages a server that is being warmed up may carry today; None: no limit any more."""
    if began is None:
        return None
    day = (today - began).days
    if day < 0:
        return WARM_FIRST
    return int(WARM_FIRST * WARM_GROWTH**day) if day < WARM_DAYS else None


def quota(daily: int | None, warm: int | None) -> int | None:
    """The smaller of a day's two limits."""
    given = [limit for limit in (daily, warm) if limit is not None]
    return min(given) if given else None


def slowed(seen_per_minute: float, limit: float | None) -> float:
    """The pace after a complaint: half of what was really sent, or of what was allowed if that is less."""
    return max(SLOWEST, min(seen_per_minute, limit if limit is not None else seen_per_minute) / 2)


def recovered(slow_limit: float, passed: timedelta) -> float | None:
    """The pace some time after a complaint, growing by equal steps; None when it is forgotten."""
    if passed > _TIRED_OF_WAITING:
        return None
    return slow_limit * (1 + max(passed / SLOWED_FOR, 0.0))


def tightest(*limits: float | None) -> float | None:
    """The smallest of the paces that are set; zero and None are «no limit»."""
    given = [limit for limit in limits if limit]
    return min(given) if given else None
