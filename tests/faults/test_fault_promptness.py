"""What a person changed goes ahead of bulk work, and looking in vain costs next to nothing."""

from __future__ import annotations

import threading
import time
from decimal import Decimal

import pytest
import sqlalchemy as sa
from support.trouble import finish, newest, requests, settle
from support.truths import assert_truth

from core.database import transaction
from core.locks import alone
from core.queue import Queue
from integration import jobs as mirror_jobs
from integration.connect import limiter
from integration.models import ChangedClient, PortalEvent, SyncRun
from integration.sync import engine, runs
from segments import jobs, pipeline

LTV = "UF_CRM_RUBILNIK_LTV"
FEW_REQUESTS = 6
PATIENCE = 20.0  # seconds until a test gives up; what is promised is measured by the soak


@pytest.fixture
def settled(world):
    """Everything read, counted and written; the run after that has seen its own writes."""
    return world.reach(settle)


def sold(world):
    """A deal that counts for a contact."""
    return next(
        row
        for row in world.rows("deal")
        if row.get("STAGE_SEMANTIC_ID") == "S" and row.get("CONTACT_ID") and not row["CATEGORY_ID"]
    )


def raised(world, deal):
    """The deal is worth more now, and the portal says so."""
    amount = float(deal["OPPORTUNITY"]) + 1000
    order = {"table": "deal", "action": "update", "id": deal["ID"]}
    world.demo.control("mutate", {**order, "fields": {"OPPORTUNITY": amount}})
    told(world, deal)


def told(world, deal):
    with transaction(world.runtime.sessions) as session:
        event = {"event": "ONCRMDEALUPDATE", "object_id": deal["ID"]}
        session.add(PortalEvent(portal_id=world.portal_id, **event))
    mirror_jobs.enqueue_events(world.portal_id)


def card(world, deal):
    (row,) = world.demo.control(f"rows/contact?ids={deal['CONTACT_ID']}")
    return Decimal(row[LTV].partition("|")[0])


def worked_off(world):
    """What the workers of the interactive and the compute queue do; nobody works on sync."""
    world.work(Queue.INTERACTIVE)
    jobs.follow()
    world.work(Queue.COMPUTE, Queue.INTERACTIVE)


def test_an_edit_during_a_full_run_reaches_its_card_past_the_sync_queue(settled):
    world, deal = settled, sold(settled)
    before = card(world, deal)
    with transaction(world.runtime.sessions) as session:
        run_id = runs.start(session, world.portal_id, full=True).id
    assert engine.run_slice(world.runtime, world.portal_id, run_id, seconds=0).more
    mark = newest(world)
    raised(world, deal)
    worked_off(world)
    assert card(world, deal) == before + 1000
    assert len(requests(world, since=mark)) <= 4, "it, its products; its contact, its company"
    with world.runtime.sessions() as session:
        assert session.get_one(SyncRun, (world.portal_id, run_id)).status == "running"
    while engine.run_slice(world.runtime, world.portal_id, run_id).more:
        pass
    finish(world)
    assert_truth(world)


def test_an_edit_the_full_run_read_first_is_not_kept_until_its_end(settled):
    world, deal = settled, sold(settled)
    before = card(world, deal)
    amount = float(deal["OPPORTUNITY"]) + 1000
    order = {"table": "deal", "action": "update", "id": deal["ID"]}
    world.demo.control("mutate", {**order, "fields": {"OPPORTUNITY": amount}})
    assert world.sync(full=True).status == "done"
    with world.runtime.sessions() as session:
        assert session.scalar(sa.select(sa.func.count()).select_from(ChangedClient)) >= 1
    world.count()
    world.write()
    assert card(world, deal) == before + 1000


def test_an_edit_the_last_page_of_a_full_run_was_just_ahead_of_goes_first_all_the_same(settled):
    """The run's end has everybody counted anew; who was edited meanwhile is still written first."""
    world, deal = settled, sold(settled)
    before = card(world, deal)
    raised(world, deal)
    world.work(Queue.INTERACTIVE)
    assert world.sync(full=True).status == "done"
    worked_off(world)
    assert card(world, deal) == before + 1000, (
        "not left to the bulk writer, who is not at work here"
    )


def test_before_the_end_of_the_first_run_nobody_is_counted(world):
    with transaction(world.runtime.sessions) as session:
        run_id = runs.start(session, world.portal_id, full=True).id
    assert engine.run_slice(world.runtime, world.portal_id, run_id, seconds=0).more
    told(world, sold(world))
    world.work(Queue.INTERACTIVE)
    assert pipeline.behind(world.runtime) == []
    while engine.run_slice(world.runtime, world.portal_id, run_id).more:
        pass
    assert pipeline.behind(world.runtime) == [world.portal_id]
    finish(world)
    assert_truth(world)


def test_with_the_limits_used_up_by_a_full_run_an_edit_still_goes_first(settled, stage):
    world, deal = settled, sold(settled)
    before = card(world, deal)
    stage.use(time.sleep)
    world.demo.control("limits", {"enabled": True, "bucket_size": 50, "drain_per_second": 2})
    limiter(world.runtime, world.portal).refused()
    stopped = threading.Event()

    def read_all():
        while not stopped.is_set():
            world.sync(full=True)

    reading = threading.Thread(target=read_all)
    reading.start()
    try:
        time.sleep(1)
        began = time.monotonic()
        raised(world, deal)
        while card(world, deal) == before:
            assert time.monotonic() - began < PATIENCE
            worked_off(world)
            time.sleep(0.1)
        assert reading.is_alive()
    finally:
        world.demo.control("limits", {"enabled": False})
        limiter(world.runtime, world.portal)._shared._client.flushall()
        stopped.set()
        reading.join()
    assert card(world, deal) == before + 1000


def test_an_edit_is_written_between_two_batches_of_whoever_writes_the_rest(settled):
    world, deal = settled, sold(settled)
    before = card(world, deal)
    raised(world, deal)
    with alone(world.runtime.engine, pipeline._WRITING_LOCK, world.portal_id) as bulk:
        assert bulk
        assert pipeline.write_back(world.runtime, world.portal_id) is None
        worked_off(world)
    assert card(world, deal) == before + 1000


def test_two_writers_never_have_a_batch_of_one_portal_at_a_time(settled):
    engine_, portal_id = settled.runtime.engine, settled.portal_id
    order = []

    def other():
        with alone(engine_, pipeline._BATCH_LOCK, portal_id, wait=10) as mine:
            order.append(("other", mine))

    with alone(engine_, pipeline._BATCH_LOCK, portal_id) as mine:
        assert mine
        waiting = threading.Thread(target=other)
        waiting.start()
        time.sleep(0.2)
        order.append(("first", True))
    waiting.join()
    assert order == [("first", True), ("other", True)]
    with (
        alone(engine_, pipeline._BATCH_LOCK, portal_id),
        alone(engine_, pipeline._BATCH_LOCK, portal_id, wait=0.05) as mine,
    ):
        assert not mine, "whoever waits gives up in time"


def test_a_run_that_finds_nothing_changed_takes_six_requests_at_most(settled):
    world = settled
    assert world.sync().status == "done"  # has read again what we wrote
    mark = newest(world)
    assert world.sync().status == "done"
    asked = requests(world, since=mark)
    assert len(asked) <= FEW_REQUESTS, [entry["method"] for entry in asked]
    mark = newest(world)
    world.count()
    world.write()
    assert requests(world, since=mark) == []
