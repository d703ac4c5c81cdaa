"""The application installed on a demo portal for real now and then; other tests get that moment back."""

from __future__ import annotations

import time
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import replace
from typing import Any

import sqlalchemy as sa
from redis import Redis
from support import tables
from support.memory import Memory
from support.world import World, world

from core import log, runtime
from core.config import Settings
from demo.portal.process import DemoPortal

FRESH_SECONDS = 300.0
"""Later it is made anew: clocks, leases and tokens must not differ from those of a new one."""


class Installation:
    """Worlds on a portal filled with this data, each as `begin` leaves a registered one."""

    def __init__(
        self,
        settings: Settings,
        engine: sa.Engine,
        demo: DemoPortal,
        data: dict[str, Any],
        begin: Callable[[World], None] = World.install,
    ) -> None:
        self._settings = settings
        self._engine = engine
        self._demo = demo
        self._data = data
        self._begin = begin
        self._opened = ExitStack()
        self._first: World | None = None
        self._made_at = 0.0

    def world(self) -> World:
        """A world in which nothing has happened since the beginning."""
        if self._first is None or time.monotonic() - self._made_at > FRESH_SECONDS:
            self._first = self._made()
        else:
            self._first.memory.put_back(self)
            runtime.install(self._first.runtime)
            log.configure(self._settings.log_level)
        return replace(self._first, keys=dict(self._first.keys))

    def close(self) -> None:
        """Let go of the connections."""
        self._opened.close()

    def _made(self) -> World:
        self.close()
        self._made_at = time.monotonic()
        self._demo.control("reset", self._data)
        with Redis.from_url(self._settings.redis_url) as redis:
            redis.flushall()
        tables.empty(self._engine)
        made = self._opened.enter_context(world(self._settings, self._demo, installed=False))
        self._begin(made)
        made.memory = Memory(made.runtime, self._demo)
        made.memory.keep(self)
        return made
