"""Rows 20 and 23: the database restarts, deadlocks, has no connection or no disk left."""

from __future__ import annotations

import threading
import time
from contextlib import ExitStack, contextmanager, suppress

import psycopg
import pytest
import sqlalchemy as sa
from support.trouble import assert_as_without_faults, finish
from support.truths import mirror_of

from core.database import transaction
from integration import hints
from integration.mirror import Deal
from integration.models import PortalEvent, RunStatus, SyncRun
from integration.sync import engine, runs
from segments import pipeline


def connected(world):
    """A connection of somebody else."""
    url = world.runtime.engine.url.set(drivername="postgresql")
    return psycopg.connect(url.render_as_string(hide_password=False), autocommit=True)


@contextmanager
def cut(world, statement, times=1):
    """The session that is about to say this is ended by the server, as by a restart."""
    left = [times]

    def kill(connection, _cursor, text, *_):
        if left[0] and text.lstrip().startswith(statement):
            left[0] -= 1
            pid = connection.connection.driver_connection.info.backend_pid
            with connected(world) as other:
                other.execute("SELECT pg_terminate_backend(%s, 1000)", [pid])

    sa.event.listen(world.runtime.engine, "before_cursor_execute", kill)
    try:
        yield left
    finally:
        sa.event.remove(world.runtime.engine, "before_cursor_execute", kill)


def start_run(world):
    with transaction(world.runtime.sessions) as session:
        return runs.start(session, world.portal_id, full=True).id


def wait_is_over(world):
    with world.runtime.engine.begin() as connection:
        connection.execute(sa.update(SyncRun).values(lease_until=sa.func.now()))


@pytest.mark.parametrize("statement", ["INSERT INTO contacts", "INSERT INTO deal_contacts"])
def test_a_session_cut_in_the_middle_of_a_page_costs_a_repetition(world, fault_free, statement):
    with cut(world, statement, times=2) as left:
        assert world.sync().status == "done"
    assert left == [0]
    assert world.progress().reason is None
    finish(world)
    assert_as_without_faults(world, fault_free)


def test_a_database_that_stays_away_leaves_the_run_to_be_taken_up_again(world, fault_free):
    run_id = start_run(world)
    with cut(world, "INSERT INTO leads", times=4):
        left = engine.run_slice(world.runtime, world.portal_id, run_id)
    assert left.more
    assert left.wait > 0
    assert "AdminShutdown" in world.progress().reason
    wait_is_over(world)
    while engine.run_slice(world.runtime, world.portal_id, run_id).more:
        pass
    finish(world)
    assert_as_without_faults(world, fault_free)


def test_metrics_and_writing_cut_off_are_done_again_by_the_schedule(world, fault_free):
    assert world.sync().status == "done"
    with cut(world, "DELETE FROM changed_clients"), pytest.raises(sa.exc.OperationalError):
        world.count()
    assert pipeline.behind(world.runtime) == [world.portal_id]
    world.count()
    with cut(world, "UPDATE contacts t"), pytest.raises(sa.exc.OperationalError):
        world.write()
    assert pipeline.unwritten(world.runtime) == [world.portal_id]
    finish(world)
    assert_as_without_faults(world, fault_free, reread=True)


def test_a_deadlock_is_survived(world, fault_free):
    """Somebody holds the second contact and wants the first; a page holds the first and wants the second."""
    finish(world)
    first, second = sorted(row["ID"] for row in world.rows("contact"))[:2]
    lock = "SELECT 1 FROM contacts WHERE bitrix_id = %s FOR UPDATE"
    results = []

    def somebody(other):
        try:
            other.execute(lock, [first])
            results.append("got it")
        except psycopg.errors.DeadlockDetected:
            results.append("deadlock")
        other.rollback()

    with connected(world) as other, connected(world) as watcher:
        other.autocommit = False
        other.execute(lock, [second])
        reading = threading.Thread(target=lambda: world.sync(full=True))
        reading.start()
        waits = "SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock'"
        ends = time.monotonic() + 20
        while not watcher.execute(waits).fetchone()[0]:
            assert time.monotonic() < ends
            time.sleep(0.02)
        somebody(other)
        reading.join()
    assert results
    assert world.progress().status == "done"
    finish(world)
    assert_as_without_faults(world, fault_free, reread=True)


def test_without_a_free_connection_pages_say_so_and_work_goes_on_afterwards(world, fault_free):
    run_id = start_run(world)
    world.runtime.engine.dispose()
    with ExitStack() as taken:
        with suppress(psycopg.OperationalError):
            while True:
                taken.enter_context(connected(world))
        assert world.browser.get("/healthz").status_code == 200
        answer = world.browser.get("/readyz")
        assert answer.status_code == 503
        assert "database" in answer.json["failing"]
        with pytest.raises(sa.exc.OperationalError):
            engine.run_slice(world.runtime, world.portal_id, run_id)
    with world.runtime.sessions() as session:
        assert (world.portal_id, run_id) in runs.waiting(session)
    finish(world)
    assert_as_without_faults(world, fault_free)


@contextmanager
def full_disk(world, table):
    """Writing this table fails as it does on a full disk, half way through a page."""
    with connected(world) as other:
        other.execute(
            "CREATE FUNCTION no_space() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN"
            " IF NEW.bitrix_id % 7 = 0 THEN"
            " RAISE EXCEPTION 'No space left on device' USING ERRCODE = 'disk_full'; END IF;"
            " RETURN NEW; END $$"
        )
        other.execute(
            f"CREATE TRIGGER no_space BEFORE INSERT ON {table}"
            " FOR EACH ROW EXECUTE FUNCTION no_space()"
        )
        try:
            yield
        finally:
            other.execute("DROP FUNCTION no_space CASCADE")


def test_a_full_disk_leaves_no_half_page_and_is_recovered_from(world, fault_free):
    run_id = start_run(world)
    with full_disk(world, "deals"):
        left = engine.run_slice(world.runtime, world.portal_id, run_id)
        assert left.more
        assert left.wait > 0
        assert world.progress().status == RunStatus.RUNNING
        assert "DiskFull" in world.progress().reason
        assert mirror_of(world)["deals"] == {}
        assert mirror_of(world)["deal_contacts"] == []
        assert pipeline.behind(world.runtime) == [], "half a mirror is not counted"
    wait_is_over(world)
    while engine.run_slice(world.runtime, world.portal_id, run_id).more:
        pass
    finish(world)
    assert_as_without_faults(world, fault_free)


def test_an_event_that_finds_the_disk_full_is_not_forgotten(world):
    finish(world)
    deal = world.rows("deal")[0]
    order = {"table": "deal", "action": "update", "id": deal["ID"], "fields": {"TITLE": "Новое"}}
    world.demo.control("mutate", order)
    with transaction(world.runtime.sessions) as session:
        session.add(
            PortalEvent(portal_id=world.portal_id, event="ONCRMDEALUPDATE", object_id=deal["ID"])
        )
    with full_disk(world, "deals"):
        with world.runtime.engine.begin() as connection:
            connection.execute(sa.delete(Deal).where(Deal.bitrix_id == deal["ID"] // 7 * 7))
            connection.execute(sa.update(PortalEvent).values(object_id=max(7, deal["ID"] // 7 * 7)))
        with pytest.raises(sa.exc.OperationalError):
            hints.apply(world.runtime, world.portal_id)
    assert hints.waits(world.runtime, world.portal_id)
    assert hints.apply(world.runtime, world.portal_id) == 1
    assert not hints.waits(world.runtime, world.portal_id)
