"""Remembered answers: by question and portal, for their time, and no harm where there is no Redis."""

from __future__ import annotations

from datetime import date, timedelta

import pytest
from redis import Redis

from core import queue, remembered

A_WHILE = timedelta(minutes=2)


@pytest.fixture
def redis(redis_url):
    with Redis.from_url(redis_url) as client:
        yield client


def test_an_answer_is_remembered_for_its_time(redis):
    key = remembered.key_of("count", 1, {"day": date(2026, 3, 1)})
    assert remembered.recall(redis, key) is None
    remembered.keep(redis, key, {"n": 0, "on": date(2026, 3, 1)}, A_WHILE)
    assert remembered.recall(redis, key) == {"n": 0, "on": "2026-03-01"}
    assert 0 < redis.ttl(key) <= A_WHILE.total_seconds()


def test_questions_and_portals_are_told_apart():
    asked = {"a": 1, "b": 2}
    assert remembered.key_of("count", 1, asked) == remembered.key_of("count", 1, {"b": 2, "a": 1})
    others = [("count", 2, asked), ("reach", 1, asked), ("count", 1, {"a": 2, "b": 1})]
    assert remembered.key_of("count", 1, asked) not in {remembered.key_of(*each) for each in others}


def test_without_redis_nothing_is_remembered_and_nothing_fails():
    away = queue.connection("redis://127.0.0.1:1/0")
    remembered.keep(away, "k", 1, A_WHILE)
    assert remembered.recall(away, "k") is None
    away.close()
