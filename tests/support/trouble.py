"""A stage for trouble: an installation on its first day, and what is done on it."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from typing import Any

import sqlalchemy as sa
from support.installation import Installation
from support.truths import Outcome, assert_same, assert_truth, outcome
from support.world import World

from core import runtime
from core.clock import utcnow
from core.config import Settings
from core.database import Base, transaction
from demo.portal.process import DemoPortal
from integration import installs, tokens
from integration.connect import connect
from integration.fields import DEFAULT_FIELDS
from integration.models import Check, Portal, RunStatus, SyncRun
from integration.sync import checks, reconcile
from segments.models import WritebackSettings

DATA = {"seed": 1, "contacts": 56, "deals": 120, "dirty": True, "now": "2026-05-04T09:00:00+00:00"}
KEPT = {"portals", "portal_tokens", "sale_rules", "writeback_settings"}


class Stage:
    """An installation on its first day: nothing read yet, the rule chosen, writing switched on."""

    def __init__(self, settings: Settings, engine: sa.Engine, demo: DemoPortal) -> None:
        self._installation = Installation(settings, engine, demo, DATA, begin=_first_day)
        self.world: World | None = None
        self.slept: list[float] = []

    def restore(self) -> World:
        """The first day again."""
        self.slept.clear()
        self.world = self._installation.world()
        self.use(self.slept.append)
        return self.world

    def use(self, sleep: Callable[[float], None]) -> None:
        """Wait by this function."""
        self.world.runtime = replace(self.world.runtime, sleep=sleep)
        runtime.install(self.world.runtime)

    def register_again(self) -> None:
        """The application a test had removed, with the keys it had."""
        kept = ("client_id", "client_secret", "application_token")
        self.world.demo.register(
            title="Рубильник",
            handler_url="http://127.0.0.1:1/",
            install_url="http://127.0.0.1:1/install",
            scopes=["crm", "placement", "user_basic"],
            **{name: self.world.keys[name] for name in kept},
        )

    def close(self) -> None:
        """Let go of the connections."""
        self._installation.close()


def _first_day(world: World) -> None:
    """An empty mirror, the portal's first rows and fields, fresh tokens; the choices are made."""
    world.install()
    world.work()
    world.set_rule(pipelines=(0, 1))
    world.switch_writing()
    world.demo.control("reset", {**DATA, "keep_apps": True})
    world.runtime.redis.flushall()
    with world.runtime.engine.begin() as connection:
        for table in reversed(Base.metadata.sorted_tables):
            if table.name not in KEPT:
                connection.execute(sa.delete(table))
        connection.execute(sa.update(Portal).values(last_sync_at=None))
        connection.execute(sa.update(WritebackSettings).values(proven=[]))
    frame = world.frame()["body"]
    with transaction(world.runtime.sessions) as session:
        tokens.store(
            session, world.runtime.vault, world.portal_id,
            frame["AUTH_ID"], frame["REFRESH_ID"], utcnow() + timedelta(hours=1),
        )  # fmt: skip
    installs.ensure_fields(connect(world.runtime, world.portal), DEFAULT_FIELDS)
    world.lead(on=False)


def finish(world: World, *, attempts: int = 12) -> None:
    """Sync until a run is done that was not followed yet, count, write until nothing differs.

    A failed run is followed by another one, as the schedule would do minutes later.
    """
    for _ in range(attempts):
        if _done(world) or world.sync().status == "done":
            break
    else:
        raise AssertionError(world.progress())
    world.count()
    write_all(world)


def settle(world: World) -> None:
    """Everything read, counted and written; the run after that has seen its own writes."""
    finish(world)
    assert world.sync().status == "done"
    world.count()
    world.write()


def _done(world: World) -> bool:
    with world.runtime.sessions() as session:
        unfollowed = sa.exists().where(
            SyncRun.portal_id == world.portal_id,
            SyncRun.status == RunStatus.DONE,
            SyncRun.followed_at.is_(None),
        )
        return bool(session.scalar(sa.select(unfollowed)))


def write_all(world: World, *, attempts: int = 12) -> None:
    """Write back until a look at everything finds nothing to write."""
    for _ in range(attempts):
        report = world.write()
        if report.changed == 0:
            return
    raise AssertionError(report)


def assert_as_without_faults(world: World, fault_free: Outcome, *, reread: bool = False) -> None:
    """The oracle of every retryable fault.

    `reread`: cards were read again after we had written to them, so that their time of change and
    with it their hashes differ; everything they mean must not.
    """
    found = outcome(world)
    if reread:
        found = replace(found, mirror=fault_free.mirror)
        assert_truth(world)
    assert_same(found, fault_free)


def requests(world: World, method: str | None = None, since: int = 0) -> list[dict[str, Any]]:
    """What the portal answered itself, oldest first: whole requests, not commands of a batch."""
    named = f"&method={method}" if method else ""
    entries = world.demo.control(f"log?since={since}&limit=10000{named}")
    return [entry for entry in entries if entry["parent"] is None]


def hits(world: World) -> int:
    """How many requests the fault script has spoilt."""
    return sum(rule["hits"] for rule in world.demo.control("faults"))


def newest(world: World) -> int:
    """The number of the newest entry of the portal's log; a batch stands after its commands."""
    entries = world.demo.control("log?since=0&limit=100000")
    return max((entry["n"] for entry in entries), default=0)


def checked(world: World) -> None:
    """Every check done, with an administrator's consent where it is asked for it."""
    with transaction(world.runtime.sessions) as session:
        checks.request(session, world.portal_id)
    for _ in range(30):
        reconcile.run_slice(world.runtime, world.portal_id)
        with transaction(world.runtime.sessions) as session:
            confirmed = checks.confirm(session, world.portal_id)
            if not confirmed and not checks.is_open(session, world.portal_id):
                return
            session.execute(sa.update(Check).values(resume_at=None))
    raise AssertionError("the check does not end")


class Hourglass:
    """Time for the limiter and the portal alike: it passes by itself, and at once by sleeping."""

    def __init__(self, world: World) -> None:
        self._world = world
        self.offset = 0.0
        self.slept: list[float] = []

    def time(self) -> float:
        """Unix time."""
        return time.time() + self.offset

    def sleep(self, seconds: float) -> None:
        """Let the time pass here and on the portal."""
        self.slept.append(seconds)
        self.offset += seconds
        self._world.demo.control("clock", {"offset_seconds": self.offset})
