"""Row 21: kill -9 at random requests, at chosen commits, in the metrics, in the writing."""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
import time
from contextlib import contextmanager

import pytest
import sqlalchemy as sa
from support.killing import Victim
from support.trouble import assert_as_without_faults, finish, newest, requests, write_all
from support.truths import metrics_of, outcome

from core.database import transaction
from integration.models import RunStatus, SyncCursor, SyncRun
from integration.sync import runs

LISTS = {
    "crm.contact.list": "contact",
    "crm.company.list": "company",
    "crm.lead.list": "lead",
    "crm.activity.list": "activity",
    "crm.item.list": "deal",
}
IN_HAND = 3  # requests read and not yet stored: one being stored, one ready, one under way


def start_run(world):
    with transaction(world.runtime.sessions) as session:
        return runs.start(session, world.portal_id, full=True).id


def lease_ends(world):
    """The time a dead process's lease lasts goes by."""
    with world.runtime.engine.begin() as connection:
        connection.execute(sa.update(SyncRun).values(lease_until=sa.func.now()))


def cursors(world):
    with world.runtime.sessions() as session:
        rows = session.scalars(sa.select(SyncCursor)).all()
    finished = {row.entity for row in rows if row.finished}
    return {row.entity: row.last_id for row in rows}, finished


def pages(world, since=0):
    """(entity, id after which, number of the request) of every page the portal has served."""
    entries = world.demo.control(f"log?since={since}&limit=10000")
    return [
        (LISTS[entry["method"]], after_id(entry["params"]), entry["parent"] or entry["n"])
        for entry in entries
        if entry["method"] in LISTS and after_id(entry["params"]) is not None
    ]


def after_id(params):
    bounds = [value for key, value in params.get("filter", {}).items() if key.upper() == ">ID"]
    return int(bounds[0]) if bounds and str(bounds[0]).isdigit() else None


@pytest.mark.parametrize("seed", range(4))
def test_a_killed_sync_goes_on_from_its_last_commit(world, fault_free, seed):
    rng = random.Random(seed)
    world.demo.fault("delay", "*", seconds=0.03, times=-1)
    mark, run_id = newest(world), start_run(world)
    wanted = rng.randint(2, 9)
    victim = Victim("sync", world, run_id)
    assert victim.kill_when(
        lambda: len(requests(world, since=mark)) >= wanted, after=rng.uniform(0, 0.03)
    ), "it ended too early to be killed"
    world.demo.clear_faults()
    (committed, finished), again = cursors(world), newest(world)
    assert world.sync().status == RunStatus.RUNNING, "the dead process still holds its lease"

    lease_ends(world)
    finish(world)
    assert world.progress().run_id == run_id, "the same run was finished"
    reread = [page for page in pages(world, again) if page[1] < committed.get(page[0], 0)]
    assert reread == [], "nothing committed is read again"
    lost = {
        request
        for entity, after, request in pages(world, mark)
        if request < again and entity not in finished and after >= committed.get(entity, 0)
    }
    assert len(lost) <= IN_HAND
    assert_as_without_faults(world, fault_free)


@contextmanager
def held(world, table):
    """Nobody can change the table meanwhile; yields a question: does somebody wait for it?"""
    with world.runtime.engine.connect() as connection, connection.begin():
        connection.execute(sa.text(f"LOCK TABLE {table} IN EXCLUSIVE MODE"))

        def awaited():
            with world.runtime.engine.connect() as other:
                return bool(
                    other.scalar(
                        sa.text(
                            "SELECT count(*) FROM pg_locks WHERE NOT granted"
                            " AND relation = CAST(:name AS regclass)"
                        ),
                        {"name": table},
                    )
                )

        yield awaited


@pytest.mark.parametrize("table", ["addresses", "deal_contacts", "stage_moves", "sync_cursors"])
def test_a_sync_killed_inside_a_page_leaves_no_half_page(world, fault_free, table):
    run_id = start_run(world)
    with held(world, table) as awaited:
        assert Victim("sync", world, run_id).kill_when(awaited)
    lease_ends(world)
    finish(world)
    assert world.progress().run_id == run_id
    assert_as_without_faults(world, fault_free)


@pytest.mark.parametrize("table", ["client_metrics", "metrics_runs"])
def test_metrics_killed_half_way_are_all_old_and_then_all_new(world, fault_free, table):
    assert world.sync().status == "done"
    with held(world, table) as awaited:
        assert Victim("recompute", world).kill_when(awaited)
    assert metrics_of(world, "contact") == metrics_of(world, "company") == {}
    finish(world)
    assert_as_without_faults(world, fault_free)


@pytest.mark.parametrize("seed", range(3))
def test_a_killed_write_back_is_finished_by_the_next(world, fault_free, seed):
    rng = random.Random(seed)
    assert world.sync().status == "done"
    world.count()
    world.demo.fault("delay", "*", seconds=0.05, times=-1)
    mark = newest(world)
    wanted = rng.randint(1, 4)
    victim = Victim("write_back", world)
    assert victim.kill_when(
        lambda: len(requests(world, since=mark)) >= wanted, after=rng.uniform(0, 0.05)
    )
    world.demo.clear_faults()
    write_all(world)
    assert_as_without_faults(world, fault_free)


def test_a_write_back_killed_between_the_portal_and_the_mirror_writes_the_same_again(
    world, fault_free
):
    assert world.sync().status == "done"
    world.count()
    with held(world, "contacts") as awaited:
        assert Victim("write_back", world).kill_when(awaited)
    write_all(world)
    assert_as_without_faults(world, fault_free)


def environment(world):
    settings = world.runtime.settings
    return {
        **os.environ,
        "DATABASE_URL": settings.database_url,
        "REDIS_URL": settings.redis_url,
        "PUBLIC_URL": "https://app.example.com",
        "SECRET_KEY": settings.secret_key,
        "ENCRYPTION_KEYS": ",".join(settings.encryption_keys),
        "B24_OAUTH_URLS": ",".join(settings.b24_oauth_urls),
        "ALLOW_PRIVATE_PORTALS": "1",
        "LOG_LEVEL": "WARNING",
    }


def test_the_command_line_killed_and_started_again_ends_equal(world, fault_free, root):
    command = [
        *(sys.executable, "-m", "flask", "--app", "wsgi"),
        *("sync", "--portal", world.member_id, "--full", "--json"),
    ]
    how = {"cwd": root, "env": environment(world), "stdout": subprocess.PIPE}
    world.demo.fault("delay", "*", seconds=0.1, times=-1)
    mark = newest(world)
    with subprocess.Popen(command, **how) as process:
        while len(requests(world, since=mark)) < 5:
            assert process.poll() is None
            time.sleep(0.01)
        process.send_signal(signal.SIGKILL)
    world.demo.clear_faults()
    lease_ends(world)
    done = subprocess.run(command, **how, timeout=60, check=False)
    assert done.returncode == 0
    assert b'"status":"done"' in done.stdout
    found = outcome(world)
    assert found.metrics == fault_free.metrics
    assert found.cards == fault_free.cards
    assert_as_without_faults(world, fault_free)
