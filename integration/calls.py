"""The last REST requests to each portal, for its health page: a capped stream in Redis, three days long.

An entry says which method, how long, with what result: no parameters, no values, no addresses. When
Redis is away nothing is logged and nobody waits for it.
"""

from __future__ import annotations

import logging
import re
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any
from weakref import WeakKeyDictionary

from redis import Redis
from redis.exceptions import RedisError

from core.clock import utcnow
from integration.bitrix.client import CallRecord

log = logging.getLogger(__name__)

KEPT = timedelta(days=3)
AT_MOST = 5000
_AWAY_SECONDS = 30.0
_WORD = re.compile(r"[A-Za-z0-9_.:-]{1,60}")
_away_until: WeakKeyDictionary[Redis, float] = WeakKeyDictionary()


@dataclass(frozen=True, slots=True)
class Call:
    """One request. `operating`: the method's accumulated execution time, as its answer said."""

    at: datetime
    method: str
    seconds: float
    status: int
    error: str
    commands: int
    operating: float | None

    @property
    def ok(self) -> bool:
        """Whether the portal did what was asked."""
        return self.status > 0 and not self.error


def recorder(redis: Redis, portal_id: int) -> Callable[[CallRecord], None]:
    """An `on_call` of a client that keeps what it is told."""

    def keep(record: CallRecord) -> None:
        if time.monotonic() < _away_until.get(redis, 0.0):
            return
        try:
            _append(redis, portal_id, record)
        except RedisError as error:
            _away_until[redis] = time.monotonic() + _AWAY_SECONDS
            log.warning("requests are not logged", extra={"reason": type(error).__name__})

    return keep


def recent(redis: Redis, portal_id: int, limit: int = 100) -> list[Call] | None:
    """The newest requests of the portal, newest first; None when Redis does not answer."""
    oldest = _milliseconds(utcnow() - KEPT)
    try:
        entries: Any = redis.xrevrange(_key(portal_id), min=oldest, count=limit)
    except RedisError:
        return None
    return [_call(entry_id, fields) for entry_id, fields in entries]


def _append(redis: Redis, portal_id: int, record: CallRecord) -> None:
    key = _key(portal_id)
    fields: dict[Any, Any] = {
        "method": _word(record.method),
        "seconds": f"{record.seconds:.3f}",
        "status": record.status,
        "error": _word(record.error) if record.error else "",
        "commands": record.commands,
        "operating": "" if record.operating is None else f"{record.operating:.3f}",
    }
    with redis.pipeline(transaction=False) as pipe:
        pipe.xadd(key, fields, maxlen=AT_MOST, approximate=True)
        pipe.xtrim(key, minid=_milliseconds(utcnow() - KEPT))
        pipe.expire(key, KEPT)
        pipe.execute()


def _call(entry_id: bytes | str, fields: dict[bytes, bytes]) -> Call:
    told = {key.decode(): value.decode() for key, value in fields.items()}
    stamp = entry_id.decode() if isinstance(entry_id, bytes) else entry_id
    return Call(
        at=datetime.fromtimestamp(int(stamp.partition("-")[0]) / 1000, UTC),
        method=told["method"],
        seconds=float(told["seconds"]),
        status=int(told["status"]),
        error=told["error"],
        commands=int(told["commands"]),
        operating=float(told["operating"]) if told["operating"] else None,
    )


def _word(text: str) -> str:
    """A method or an error code. Portals put whole sentences into codes: those are left out."""
    return text if _WORD.fullmatch(text) else "-"


def _milliseconds(moment: datetime) -> int:
    return int(moment.timestamp() * 1000)


def _key(portal_id: int) -> str:
    return f"rubilnik:calls:{portal_id}"
