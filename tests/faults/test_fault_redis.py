"""Row 19: Redis is away, full, or emptied. Pages answer; what is to be done is found again in SQL."""

from __future__ import annotations

from dataclasses import replace

import pytest
import sqlalchemy as sa
from support.trouble import settle
from support.truths import assert_truth

from core import queue, runtime
from core.database import transaction
from core.queue import Jobs, Queue, length
from integration import hints
from integration import jobs as mirror_jobs
from integration.models import PortalEvent
from integration.sync import engine, runs
from schedule import SCHEDULE
from segments import pipeline

NOBODY = "redis://127.0.0.1:1/0"


@pytest.fixture
def settled(world):
    return world.reach(settle)


def changed(world):
    """A deal is worth more, as the portal posts it: the status our endpoint answered."""
    deal = next(
        row
        for row in world.rows("deal")
        if row.get("STAGE_SEMANTIC_ID") == "S" and row.get("CONTACT_ID") and not row["CATEGORY_ID"]
    )
    fields = {"OPPORTUNITY": float(deal["OPPORTUNITY"]) + 1000}
    order = {"table": "deal", "action": "update", "id": deal["ID"], "fields": fields}
    world.demo.control("mutate", order)
    body = {
        "event": "ONCRMDEALUPDATE",
        "data[FIELDS][ID]": str(deal["ID"]),
        "auth[member_id]": world.member_id,
        "auth[application_token]": world.keys["application_token"],
    }
    return world.browser.post("/events", data=body).status_code


def tick(world):
    """What the ticker starts once it can, the periodic jobs themselves included."""
    for periodic in SCHEDULE:
        Jobs(world.runtime.redis).enqueue(
            periodic.queue, periodic.function, job_id=f"tick-{periodic.name}"
        )


def waiting_events(world):
    with world.runtime.sessions() as session:
        return session.scalar(sa.select(sa.func.count()).where(PortalEvent.handled_at.is_(None)))


def test_while_redis_is_away_events_are_kept_pages_open_and_a_run_ends(settled):
    world, alive = settled, settled.runtime
    world.runtime = replace(alive, redis=queue.connection(NOBODY))
    runtime.install(world.runtime)
    try:
        assert changed(world) == 200
        assert waiting_events(world) == 1
        assert world.browser.get("/healthz").status_code == 200
        ready = world.browser.get("/readyz")
        assert (ready.status_code, "queue" in ready.json["failing"]) == (503, True)
        assert world.open().status_code == 200
        assert world.sync().status == "done", "the limiter counts by itself"
    finally:
        world.runtime = alive
        runtime.install(alive)
    tick(world)
    world.work()
    world.work()
    assert waiting_events(world) == 0
    assert_truth(world)


def test_a_redis_without_room_refuses_only_the_queue(settled):
    world = settled
    world.runtime.redis.config_set("maxmemory", 1)
    try:
        assert changed(world) == 200
        assert waiting_events(world) == 1
        assert world.sync().status == "done"
    finally:
        world.runtime.redis.config_set("maxmemory", 0)
    tick(world)
    world.work()
    world.work()
    assert waiting_events(world) == 0
    assert_truth(world)


def test_an_emptied_redis_is_filled_again_from_sql_and_nothing_is_done_twice(settled):
    world = settled
    with transaction(world.runtime.sessions) as session:
        run_id = runs.start(session, world.portal_id, full=True).id
    assert engine.run_slice(world.runtime, world.portal_id, run_id, seconds=0).more
    assert changed(world) == 200
    world.runtime.redis.flushall()
    for _ in range(2):
        mirror_jobs.sweep()
    assert length(world.runtime.redis, Queue.SYNC) == 1, "the run"
    assert length(world.runtime.redis, Queue.INTERACTIVE) == 1, "the event"
    world.work()
    assert world.progress().status == "done"
    assert not hints.waits(world.runtime, world.portal_id)
    world.runtime.redis.flushall()
    assert pipeline.behind(world.runtime) == [world.portal_id]
    tick(world)
    world.work()
    world.work()
    assert pipeline.behind(world.runtime) == pipeline.unwritten(world.runtime) == []
    assert_truth(world)
