"""Rows 1 to 3: too many requests, execution time used up, a portal that blocks REST."""

from __future__ import annotations

from datetime import timedelta

import pytest
import sqlalchemy as sa
from support.settings_page import plain
from support.trouble import (
    Hourglass,
    assert_as_without_faults,
    finish,
    hits,
    newest,
    requests,
    write_all,
)
from support.truths import metrics_of, written_fields

from core.database import transaction
from core.queue import Queue
from integration import jobs
from integration.bitrix.limiter import Limiter, Limits
from integration.bitrix.limiter_stores import LocalStore
from integration.models import Portal, PortalEvent, PortalState
from integration.sync import engine, runs
from segments import jobs as segment_jobs
from segments import pipeline


@pytest.fixture
def hourglass(stage, world, monkeypatch):
    """The plan of two requests a second, on time that passes by sleeping."""
    glass = Hourglass(world)
    shared = Limiter(
        "portal", limits=Limits(), sleep=glass.sleep, now=glass.time, local=LocalStore(glass.time)
    )
    monkeypatch.setattr("integration.connect.limiter", lambda _runtime, _portal: shared)
    stage.use(glass.sleep)
    world.demo.control("limits", {"enabled": True, "bucket_size": 50, "drain_per_second": 2})
    return glass


def start_run(world):
    with transaction(world.runtime.sessions) as session:
        return runs.start(session, world.portal_id, full=True).id


def assert_two_a_second(moments, since, before=0):
    """From `since`, when the bucket was full: never more than it lets through."""
    for number, moment in enumerate(moments, start=1 + before):
        assert number <= 2 * (moment - since) + 2, (number, moment - since)


def test_ten_refusals_slow_down_and_change_nothing(world, fault_free, hourglass):
    mark = newest(world)
    world.demo.fault("error", "crm.contact.list", status=503, code="QUERY_LIMIT_EXCEEDED", times=10)
    assert world.sync().status == "done"
    assert world.progress().reason is None
    assert hits(world) == 10
    served = requests(world, since=mark)
    refused_at = next(i for i, entry in enumerate(served) if entry["method"] == "crm.contact.list")
    assert len(served) > refused_at + 8
    full_at = served[refused_at - 1]["at"]
    assert_two_a_second([entry["at"] for entry in served[refused_at:]], full_at, before=10)
    assert "error:QUERY_LIMIT_EXCEEDED" not in world.demo.counters(), "the portal had to refuse"
    finish(world)
    assert_as_without_faults(world, fault_free)


def test_somebody_else_filling_the_bucket_only_costs_time(world, fault_free, hourglass):
    webhook = world.demo.webhook()
    for _ in range(50):
        world.runtime.http.post(f"{webhook}server.time", b"{}", headers={})
    mark = newest(world)
    assert world.sync().status == "done"
    assert world.progress().reason is None
    asked = requests(world, since=mark)
    refused = [entry for entry in asked if entry["error"] == "QUERY_LIMIT_EXCEEDED"]
    assert 1 <= len(refused) <= 3
    answered = [entry["at"] for entry in asked if entry["status"] == 200]
    assert_two_a_second(answered, asked[0]["at"])
    finish(world)
    assert_as_without_faults(world, fault_free)


def test_only_the_method_without_time_pauses_until_its_reset(world, fault_free, hourglass):
    world.demo.fault("error", "crm.company.list", status=429, code="OPERATION_TIME_LIMIT", times=1)
    run_id = start_run(world)
    left = engine.run_slice(world.runtime, world.portal_id, run_id)
    assert left.more
    assert 500 < left.wait <= 600, "the pause lasts until the time is given back"
    assert "OperationTimeLimit" in (world.progress().reason or "")
    done = {entity.entity for entity in world.progress().entities if entity.finished}
    everything = {source.name for source in engine.SOURCES}
    assert done == everything - {"company"}, "other methods went on"

    mark = len(requests(world))
    for _ in range(5):
        assert engine.run_slice(world.runtime, world.portal_id, run_id).more
    assert len(requests(world)) == mark, "nothing is asked of a method that is closed"

    hourglass.sleep(left.wait)
    finish(world)
    assert_as_without_faults(world, fault_free)


def test_a_method_that_really_runs_out_of_time_is_paused_and_finished_later(
    world, fault_free, hourglass
):
    world.demo.control("limits", {"operating_limit": 3, "page_seconds": 1.0})
    run_id = start_run(world)
    left = engine.run_slice(world.runtime, world.portal_id, run_id)
    rounds = 0
    while left.more:
        rounds += 1
        assert rounds < 12, world.progress()
        hourglass.sleep(left.wait)
        left = engine.run_slice(world.runtime, world.portal_id, run_id)
    assert world.progress().status == "done"
    refusals = world.demo.counters()["error:OPERATION_TIME_LIMIT"]
    assert refusals <= 2 * len(engine.SOURCES), "a learned limit is not run into again and again"
    world.demo.control("limits", {"operating_limit": 480, "page_seconds": None})
    hourglass.sleep(600)
    finish(world)
    assert_as_without_faults(world, fault_free)


def test_cards_whose_method_has_no_time_hold_up_no_others_and_buyers_get_theirs_first(
    world, fault_free, hourglass
):
    assert world.sync().status == "done"
    world.count()
    world.demo.control("limits", {"operating_limit": 10, "write_seconds": 1.0})
    report = pipeline.write_back(world.runtime, world.portal_id)
    assert report.wait > 0
    assert "OperationTimeLimit" in report.reason
    written = {
        kind: {
            number for number, fields in written_fields(world, kind).items() if any(fields.values())
        }
        for kind in ("contact", "company")
    }
    assert written["contact"]
    assert written["contact"] <= set(metrics_of(world, "contact")), "who has bought, first"
    assert written["company"], "a method of its own, with time of its own"
    told = plain(world.open().get_data(as_text=True))
    assert "Запись в карточки ждёт портал" in told
    assert "OperationTimeLimit" not in told

    world.demo.control("limits", {"operating_limit": 480, "write_seconds": None})
    hourglass.sleep(report.wait)
    write_all(world)
    assert_as_without_faults(world, fault_free)


@pytest.mark.parametrize(
    ("status", "code", "description", "reason"),
    [
        (503, "OVERLOAD_LIMIT", "REST API is blocked due to overload.", "Overloaded"),
        (403, "ACCESS_DENIED", "REST is available only on commercial plans", "PlanWithoutRest"),
    ],
)
def test_a_blocked_portal_is_left_alone(world, fault_free, status, code, description, reason):
    finish(world)
    deal = world.rows("deal")[0]["ID"]
    world.demo.fault("error", "*", status=status, code=code, description=description, times=-1)
    assert world.sync().status == "failed"
    assert world.portal.state == PortalState.BLOCKED
    assert world.portal.state_reason == reason
    asked = hits(world)
    assert asked == 1

    with transaction(world.runtime.sessions) as session:
        session.add(PortalEvent(portal_id=world.portal_id, event="ONCRMDEALUPDATE", object_id=deal))
        age_runs(session)
    for _ in range(10):
        jobs.sweep()
        segment_jobs.follow()
        world.work(Queue.INTERACTIVE, Queue.SYNC, Queue.COMPUTE, Queue.SYNC)
    assert hits(world) == asked, "no hammering within the hour"

    world.demo.clear_faults()
    assert world.open().status_code == 200, "an administrator opens the application"
    world.work()
    assert world.portal.state == PortalState.ACTIVE
    finish(world)
    assert_as_without_faults(world, fault_free, reread=True)


def test_a_block_that_is_over_is_noticed_within_the_hour(world, fault_free):
    finish(world)
    world.demo.fault("error", "*", status=503, code="OVERLOAD_LIMIT", times=1)
    assert world.sync().status == "failed"
    assert world.portal.state == PortalState.BLOCKED
    with transaction(world.runtime.sessions) as session:
        age_runs(session)
        age_runs(session)
        session.get_one(Portal, world.portal_id).state_since -= timedelta(hours=1)
    jobs.sweep()
    world.work()
    assert world.portal.state == PortalState.ACTIVE
    finish(world)
    assert_as_without_faults(world, fault_free, reread=True)


def age_runs(session):
    """Half an hour goes by."""
    session.execute(sa.text("UPDATE sync_runs SET created_at = created_at - interval '30 minutes'"))


def test_a_portal_that_blocks_during_the_writing_is_left_alone(world, fault_free):
    assert world.sync().status == "done"
    world.count()
    world.demo.fault("error", "*", status=503, code="OVERLOAD_LIMIT", skip=1, times=-1)
    report = world.write()
    assert "Overloaded" in (report.reason or "")
    assert world.portal.state == PortalState.BLOCKED
    asked = hits(world)
    with transaction(world.runtime.sessions) as session:
        age_runs(session)
    segment_jobs.enqueue_writeback(world.portal_id)
    for _ in range(5):
        jobs.sweep()
        segment_jobs.follow()
        world.work()
    assert hits(world) == asked == 1
    world.demo.clear_faults()
    assert world.open().status_code == 200
    world.work()
    write_all(world)
    assert_as_without_faults(world, fault_free, reread=True)
