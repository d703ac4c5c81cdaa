"""PostgreSQL and Redis of our own, for a machine that has none: started on need, shared, stopped.

Every process that uses them holds a shared lock on `<data_dir>/servers.lock` for as long as it
lives; the kernel drops the lock however the process ends. Whoever leaves in order and finds nobody
else holding it stops the servers. After a kill -9 they stay up, and the next process adopts them.
"""

from __future__ import annotations

import atexit
import fcntl
import logging
import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

from core.config import Settings
from core.embedded import process
from core.embedded.errors import EmbeddedError
from core.embedded.place import settle
from core.embedded.postgres import Postgres
from core.embedded.redis import RedisServer

__all__ = ["EmbeddedError", "Servers", "addresses", "ensure", "release", "resolve", "stop"]

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Servers:
    """Addresses of the running pair."""

    database_url: str
    redis_url: str


@dataclass(frozen=True)
class _Hold:
    lock: int
    pid: int


_holds: dict[Path, _Hold] = {}


def resolve(settings: Settings) -> Settings:
    """The settings with both addresses filled: the configured ones, else our own servers'."""
    if settings.database_url and settings.redis_url:
        return settings
    own = ensure(settings.data_dir)
    return replace(
        settings,
        database_url=settings.database_url or own.database_url,
        redis_url=settings.redis_url or own.redis_url,
    )


def ensure(data_dir: Path) -> Servers:
    """Both servers answer when this returns, and stay up for as long as this process lives.

    Asked again, it revives a server that has died since.
    """
    data_dir = data_dir.resolve()
    data_dir.mkdir(parents=True, exist_ok=True)
    if data_dir not in _holds:
        _holds[data_dir] = _Hold(_lock(data_dir / "servers.lock", fcntl.LOCK_SH), os.getpid())
        atexit.register(release, data_dir)
    with _starting(data_dir):
        postgres, redis = _servers(data_dir)
        redis.ensure()
        postgres.ensure()
    return Servers(postgres.url, redis.url)


def release(data_dir: Path) -> None:
    """Stop holding the servers, and stop them when nobody else does.

    Only for the process that called `ensure`: a forked child just exits.
    """
    data_dir = data_dir.resolve()
    hold = _holds.get(data_dir)
    if hold is None or hold.pid != os.getpid():
        return
    del _holds[data_dir]
    os.close(hold.lock)
    # A fresh descriptor: a child still sharing the old one keeps it locked, and so is counted.
    try:
        lock = _lock(data_dir / "servers.lock", fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return
    try:
        _stop(data_dir)
    finally:
        os.close(lock)


def stop(data_dir: Path) -> None:
    """Stop both servers now, whoever uses them."""
    with _starting(data_dir.resolve()):
        _stop(data_dir.resolve())


def addresses(data_dir: Path) -> Servers:
    """Where the servers are when they run; starts nothing."""
    postgres, redis = _servers(data_dir.resolve())
    return Servers(postgres.url, redis.url)


def _servers(data_dir: Path) -> tuple[Postgres, RedisServer]:
    place = settle(data_dir)
    return Postgres(place), RedisServer(place)


def _stop(data_dir: Path) -> None:
    postgres, redis = _servers(data_dir)
    postgres.stop()
    redis.stop()
    process.reap()
    log.info("embedded servers stopped")


@contextmanager
def _starting(data_dir: Path) -> Iterator[None]:
    """One process at a time looks whether the servers run and starts them."""
    data_dir.mkdir(parents=True, exist_ok=True)
    lock = _lock(data_dir / "servers.start.lock", fcntl.LOCK_EX)
    try:
        yield
    finally:
        os.close(lock)


def _lock(path: Path, kind: int) -> int:
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(descriptor, kind)
    except BaseException:
        os.close(descriptor)
        raise
    return descriptor
