"""One installation per module, put back to its first day before every test; nobody really sleeps."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
import sqlalchemy as sa
from redis import Redis
from support.trouble import DATA, Stage, finish
from support.truths import Outcome, outcome
from support.world import World
from support.world import world as made

from core.config import Settings
from core.database import Base


@pytest.fixture(scope="module")
def stage(settings: Settings, database: sa.Engine, portal_process) -> Iterator[Stage]:
    portal_process.control("reset", DATA)
    with Redis.from_url(settings.redis_url) as redis:
        redis.flushall()
    with made(settings, portal_process) as world:
        yield Stage(world)
    names = ", ".join(f'"{table.name}"' for table in Base.metadata.sorted_tables)
    with database.begin() as connection:
        connection.execute(sa.text(f"TRUNCATE {names} RESTART IDENTITY CASCADE"))


_fault_free: list[Outcome] = []


@pytest.fixture
def fault_free(stage: Stage) -> Outcome:
    """What a run without any trouble leaves; the data is the same in every test."""
    if not _fault_free:
        stage.restore()
        finish(stage.world)
        _fault_free.append(outcome(stage.world))
    return _fault_free[0]


@pytest.fixture
def world(stage: Stage, fault_free: Outcome) -> World:
    """The installation on its first day."""
    stage.restore()
    return stage.world
