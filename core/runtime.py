"""What one process holds for its life: settings, database sessions, vault, HTTP, Redis.

Built once by the composition root and handed to views and jobs through `current()`; use cases take
what they need as arguments instead.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

import sqlalchemy as sa

from core.config import Settings
from core.crypto import Vault
from core.database import SessionFactory, make_engine, make_sessions
from core.http import Http
from core.queue import connection

if TYPE_CHECKING:
    from redis import Redis


@dataclass(frozen=True)
class Runtime:
    """The process's connections to the outside. `sleep` is how it waits for a portal's limits."""

    settings: Settings
    engine: sa.Engine
    sessions: SessionFactory
    vault: Vault
    http: Http
    redis: Redis
    sleep: Callable[[float], None] = time.sleep

    @classmethod
    def build(cls, settings: Settings) -> Runtime:
        """Connections for settings whose database_url and redis_url are known."""
        engine = make_engine(settings.database_url)
        return cls(
            settings=settings,
            engine=engine,
            sessions=make_sessions(engine),
            vault=Vault(settings.encryption_keys),
            http=Http(
                allow_private=settings.allow_private_portals, trusted=settings.b24_oauth_urls
            ),
            redis=connection(settings.redis_url),
        )


_installed: list[Runtime] = []


def install(runtime: Runtime) -> None:
    """Make it the process's runtime; the last one installed wins."""
    _installed[:] = [runtime]


def current() -> Runtime:
    """The process's runtime; the composition root must have installed it."""
    if not _installed:
        raise RuntimeError("no runtime: create the app first")
    return _installed[0]
