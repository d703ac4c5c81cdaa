"""Jobs the queue tests enqueue: each leaves a trace in the Redis it is told."""

from __future__ import annotations

import time

from redis import Redis

from core.queue import Jobs, Queue, connection


def trace(url: str, word: str) -> None:
    """Remember the word."""
    with Redis.from_url(url) as redis:
        redis.rpush("trace", word)


def fetch(portal_id: int, url: str) -> None:
    """A job of one portal."""
    trace(url, f"portal {portal_id}")


def slow(url: str) -> None:
    """Takes two seconds."""
    trace(url, "began")
    time.sleep(2)
    trace(url, "ended")


def again(url: str, left: int) -> None:
    """A long piece of work, slice by slice, always under the same id."""
    trace(url, f"left {left}")
    if left:
        Jobs(connection(url)).enqueue(Queue.SYNC, again, url, left - 1, job_id="slices")


def fail(url: str) -> None:
    """Raises, with a secret in the message."""
    trace(url, "failing")
    raise ValueError("refused with access_token=abcdef0123456789")
