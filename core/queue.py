"""The job queue: waking workers up by name and ids. What there is to do is written in SQL.

Jobs are JSON only, so nobody who reaches Redis can make a worker run code of theirs. Nothing is
kept in Redis about a job that ended: failures are in the log, and outstanding work in the tables.
"""

from __future__ import annotations

import re
import secrets
from collections.abc import Callable
from datetime import UTC, datetime
from enum import StrEnum
from typing import Any

import rq
from redis import Redis
from redis.backoff import ExponentialBackoff
from redis.exceptions import ConnectionError as RedisConnectionError
from redis.retry import Retry
from rq.exceptions import NoSuchJobError
from rq.job import Job, JobStatus
from rq.serializers import JSONSerializer

from core.clock import utcnow

JOB_SECONDS = 120
"""The longest a job may take. It is meant to be a slice of 20 seconds or less."""

_BEAT_SECONDS = 90
_WAITING_SECONDS = 3600
_ID = re.compile(r"[A-Za-z0-9_-]{1,100}")


class Queue(StrEnum):
    """What workers listen to, one queue each; the Procfile runs at least one worker for each."""

    INTERACTIVE = "interactive"  # somebody watches: installation, a button, an event
    SYNC = "sync"  # reading and writing portals
    COMPUTE = "compute"  # long statements in the database


def connection(redis_url: str) -> Redis:
    """A connection pool for commands and for a worker; a broken connection is tried again once."""
    return Redis.from_url(
        redis_url,
        socket_connect_timeout=5,
        socket_timeout=10,
        health_check_interval=30,
        retry=Retry(ExponentialBackoff(cap=1, base=0.05), 1),
        retry_on_error=[RedisConnectionError],
    )


class Jobs:
    """Enqueues jobs over one Redis connection."""

    def __init__(self, redis: Redis) -> None:
        self.redis = redis

    def enqueue(
        self,
        queue: Queue,
        function: str | Callable[..., object],
        *args: int | str,
        job_id: str | None = None,
    ) -> bool:
        """Have a worker of `queue` call `function` with ids.

        With a `job_id` no second job of that id is queued behind a waiting one; then the answer is
        False. A running job doesn't count, so a job may enqueue itself again, and news that comes
        during a run gets a run of its own. Enqueue after the commit: workers are quick.
        """
        if job_id is not None and not _ID.fullmatch(job_id):
            raise ValueError(f"a job id has only letters, digits, _ and -: {job_id!r}")
        unique_id = f"{job_id or 'job'}-{secrets.token_hex(6)}"
        if job_id is not None and not self._claim(job_id, unique_id):
            return False
        rq.Queue(queue, connection=self.redis, serializer=JSONSerializer).enqueue_call(
            _dotted(function),
            args=args,
            job_id=unique_id,
            meta={"waiting": job_id} if job_id else {},
            timeout=JOB_SECONDS,
            result_ttl=0,
            failure_ttl=0,
        )
        return True

    def _claim(self, job_id: str, unique_id: str) -> bool:
        """Become the waiting job of this id, unless there is one that really waits."""
        key = _waiting_key(job_id)
        if self.redis.set(key, unique_id, nx=True, ex=_WAITING_SECONDS):
            return True
        holder = self.redis.get(key)
        if holder is not None and self._waits(_text(holder)):
            return False
        self.redis.set(key, unique_id, ex=_WAITING_SECONDS)
        return True

    def _waits(self, unique_id: str) -> bool:
        try:
            job = Job.fetch(unique_id, connection=self.redis, serializer=JSONSerializer)
        except NoSuchJobError:
            return False
        return job.get_status(refresh=False) in {JobStatus.CREATED, JobStatus.QUEUED}


def started(job: Job) -> None:
    """The worker took the job: another one of its id may be queued now."""
    if job_id := job.meta.get("waiting"):
        key = _waiting_key(job_id)
        holder = job.connection.get(key)
        if holder is not None and _text(holder) == job.id:
            job.connection.delete(key)


def length(redis: Redis, queue: Queue) -> int:
    """How many jobs wait."""
    return rq.Queue(queue, connection=redis, serializer=JSONSerializer).count


def beat(redis: Redis, name: str) -> None:
    """Say that the process `name` works; forgotten after a minute and a half of silence."""
    redis.set(f"rubilnik:beat:{name}", utcnow().isoformat(), ex=_BEAT_SECONDS)


def beats(redis: Redis) -> dict[str, datetime]:
    """When each living process was heard last, by name: "ticker", "worker-sync", …"""
    prefix = "rubilnik:beat:"
    keys = [_text(key) for key in redis.scan_iter(f"{prefix}*", count=1000)]
    values = redis.mget(keys) if keys else []
    return {
        key.removeprefix(prefix): datetime.fromisoformat(_text(value)).astimezone(UTC)
        for key, value in zip(keys, values, strict=True)
        if value is not None
    }


def _waiting_key(job_id: str) -> str:
    return f"rubilnik:waiting:{job_id}"


def _dotted(function: str | Callable[..., object]) -> str:
    if isinstance(function, str):
        return function
    if "<" in function.__qualname__:
        raise ValueError(f"workers can't import {function.__qualname__}")
    return f"{function.__module__}.{function.__qualname__}"


def _text(value: Any) -> str:
    return value.decode() if isinstance(value, bytes) else str(value)
