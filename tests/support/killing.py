"""Processes of the application that tests kill: real ones, forked from a warm server to start quickly."""

from __future__ import annotations

import multiprocessing
import os
import signal
import time
from collections.abc import Callable
from typing import Any

from core.config import Settings

_context = multiprocessing.get_context("forkserver")
_context.set_forkserver_preload(["app", "requests", "psycopg", "redis"])
WAIT_SECONDS = 60.0


class Victim:
    """One process doing one of TASKS on a world's portal; it has the world's settings, no more."""

    def __init__(self, task: str, world: Any, *arguments: Any) -> None:
        settings = world.runtime.settings
        self._process = _context.Process(
            target=_run, args=(task, settings, world.portal_id, *arguments), daemon=True
        )
        self._process.start()

    @property
    def alive(self) -> bool:
        """Whether it still works."""
        return self._process.is_alive()

    @property
    def pid(self) -> int:
        """Of the process."""
        assert self._process.pid is not None
        return self._process.pid

    def kill(self) -> None:
        """kill -9, and wait until it is gone."""
        self._process.kill()
        self._process.join(WAIT_SECONDS)

    def kill_when(self, ready: Callable[[], bool], after: float = 0.0) -> bool:
        """Kill it once `ready()` and some more seconds; False when it had ended before."""
        deadline = time.monotonic() + WAIT_SECONDS
        while self.alive and not ready():
            assert time.monotonic() < deadline, "the moment to kill never came"
            time.sleep(0.01)
        if self.alive:
            self._process.join(after)
        killed = self.alive
        self.kill()
        return killed

    def wait(self) -> int | None:
        """Its exit status; the negative signal if it was killed."""
        self._process.join(WAIT_SECONDS)
        return self._process.exitcode


def _run(task: str, settings: Settings, portal_id: int, *arguments: Any) -> None:
    from app import create_app

    create_app(settings)
    TASKS[task](portal_id, *arguments)


def profile(portal_id: int) -> None:
    """One call of the portal."""
    from core.runtime import current
    from integration.connect import connect
    from integration.models import Portal

    runtime = current()
    with runtime.sessions() as session:
        portal = session.get_one(Portal, portal_id)
    connect(runtime, portal).call("profile", {})


def die_after_refresh(portal_id: int) -> None:
    """Get new tokens from the OAuth server and die before they are stored."""
    from integration import tokens

    tokens.store = lambda *_: os.kill(os.getpid(), signal.SIGKILL)
    profile(portal_id)


def sync(portal_id: int, run_id: int) -> None:
    """Work on a run until it ends."""
    from core.runtime import current
    from integration.sync import engine

    while engine.run_slice(current(), portal_id, run_id).more:
        pass


def check(portal_id: int) -> None:
    """Work on the portal's checks until they end."""
    from core.runtime import current
    from integration.sync import reconcile

    while reconcile.run_slice(current(), portal_id):
        pass


def recompute(portal_id: int) -> None:
    """All metrics."""
    from core.runtime import current
    from segments import pipeline

    pipeline.recompute(current(), portal_id, everyone=True)


def write_back(portal_id: int) -> None:
    """Everything that differs."""
    from core.runtime import current
    from segments import pipeline

    pipeline.write_back(current(), portal_id)


def keep_up(portal_id: int) -> None:
    """Segments brought up to the mirror."""
    from core.runtime import current
    from segments.members import upkeep

    while upkeep.keep_up(current(), portal_id):
        pass


TASKS: dict[str, Callable[..., None]] = {
    "profile": profile,
    "die_after_refresh": die_after_refresh,
    "sync": sync,
    "check": check,
    "recompute": recompute,
    "write_back": write_back,
    "keep_up": keep_up,
}
