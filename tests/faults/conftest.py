"""One installation for all of them, put back to its first day before every test; nobody really sleeps."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
import sqlalchemy as sa
from support.trouble import Stage, finish
from support.truths import Outcome, outcome
from support.world import World

from core import log
from core.config import Settings
from core.database import SessionFactory
from demo.portal.process import DemoPortal


@pytest.fixture(scope="session")
def stage(settings: Settings, database: sa.Engine, portal_process: DemoPortal) -> Iterator[Stage]:
    stage = Stage(settings, database, portal_process)
    yield stage
    stage.close()


_fault_free: list[Outcome] = []


@pytest.fixture
def fault_free(stage: Stage, live_sessions: SessionFactory) -> Outcome:
    """What a run without any trouble leaves; the data is the same in every test."""
    if not _fault_free:
        _fault_free.append(outcome(stage.restore().reach(finish)))
    return _fault_free[0]


@pytest.fixture
def world(stage: Stage, fault_free: Outcome) -> Iterator[World]:
    """The installation on its first day."""
    yield stage.restore()
    log.configure("WARNING")
