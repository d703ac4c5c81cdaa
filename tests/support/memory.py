"""Moments of everything an installation consists of: the tables, Redis, the demo portal."""

from __future__ import annotations

from collections.abc import Hashable
from dataclasses import dataclass
from itertools import count

from support import tables

from core.runtime import Runtime
from demo.portal.process import DemoPortal

_numbers = count(1)


@dataclass(frozen=True)
class _Moment:
    name: str
    rows: str
    redis: dict[bytes, tuple[int, bytes]]  # key: milliseconds to live or -1, contents


class Memory:
    """Remembers moments and goes back to them."""

    def __init__(self, runtime: Runtime, demo: DemoPortal) -> None:
        self._runtime = runtime
        self._demo = demo
        self._moments: dict[Hashable, _Moment] = {}

    def __contains__(self, what: Hashable) -> bool:
        return what in self._moments

    def keep(self, what: Hashable) -> None:
        """Remember everything as it is."""
        redis, name = self._runtime.redis, f"moment_{next(_numbers)}"
        rows = tables.keep(self._runtime.engine, name)
        self._demo.control("save", {"name": name})
        kept = {key: (redis.pttl(key), redis.dump(key)) for key in redis.scan_iter()}
        self._moments[what] = _Moment(name, rows, kept)

    def put_back(self, what: Hashable) -> None:
        """Everything as it was then."""
        moment = self._moments[what]
        tables.put_back(self._runtime.engine, moment.rows)
        self._demo.control("restore", {"name": moment.name})
        with self._runtime.redis.pipeline(transaction=False) as redis:
            redis.flushall()
            for key, (left, contents) in moment.redis.items():
                redis.restore(key, max(left, 0), contents)
            redis.execute()
