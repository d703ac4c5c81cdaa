"""What takes long to find, remembered in Redis for a short while; without Redis it is found each time."""

from __future__ import annotations

import hashlib
from contextlib import suppress
from datetime import timedelta
from typing import Any

import orjson
from redis import Redis
from redis.exceptions import RedisError


def key_of(what: str, portal_id: int, asked: Any) -> str:
    """The key of an answer: to what question of a portal, as JSON."""
    digest = hashlib.sha256(orjson.dumps(asked, option=orjson.OPT_SORT_KEYS)).hexdigest()
    return f"rubilnik:{what}:{portal_id}:{digest}"


def recall(redis: Redis, key: str) -> Any:
    """What was kept under the key, as JSON has it; None of nothing."""
    try:
        kept = redis.get(key)
    except RedisError:
        return None
    return orjson.loads(kept) if isinstance(kept, bytes) else None


def keep(redis: Redis, key: str, facts: Any, kept: timedelta) -> None:
    """Remember for so long what JSON can say; moments become texts."""
    with suppress(RedisError):
        redis.set(key, orjson.dumps(facts), ex=kept)
