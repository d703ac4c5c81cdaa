"""Row 22: a worker is gone or asleep and its horse works on: what it brings late is not let in."""

from __future__ import annotations

import os
import signal
import time

import sqlalchemy as sa
from support.killing import Victim
from support.trouble import finish, newest, requests
from support.truths import assert_truth

from core.database import transaction
from integration.models import Check, SyncRun
from integration.sync import checks, engine, reconcile, runs


def given_away(world, table):
    """The time a silent process's lease lasts goes by."""
    with world.runtime.engine.begin() as connection:
        connection.execute(sa.update(table).values(lease_until=sa.func.now()))


def stopped_in(world, task, *arguments, requests_made):
    """A process asleep while the portal answers it, and inside no transaction."""
    world.demo.fault("delay", "*", seconds=0.4, times=-1)
    mark = newest(world)
    victim = Victim(task, world, *arguments)
    ends = time.monotonic() + 60
    while len(requests(world, since=mark)) < requests_made:
        assert victim.alive
        assert time.monotonic() < ends
        time.sleep(0.01)
    os.kill(victim.pid, signal.SIGSTOP)
    while transactions(world):
        assert time.monotonic() < ends
        os.kill(victim.pid, signal.SIGCONT)
        time.sleep(0.01)
        os.kill(victim.pid, signal.SIGSTOP)
        time.sleep(0.05)  # what it had asked of the database is answered
    world.demo.clear_faults()
    return victim


def transactions(world):
    """How many are open but for the one that asks."""
    others = sa.text(
        "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND backend_type = 'client backend'"
        " AND pid <> pg_backend_pid() AND xact_start IS NOT NULL"
    )
    with world.runtime.engine.connect() as connection:
        return connection.scalar(others)


def edited(world):
    """Every deal that counts is worth more than the sleeper has read."""
    orders = [
        {
            "table": "deal", "action": "update", "id": deal["ID"],
            "fields": {"OPPORTUNITY": float(deal["OPPORTUNITY"]) + 7},
        }
        for deal in world.rows("deal")
        if deal.get("STAGE_SEMANTIC_ID") == "S"
    ]  # fmt: skip
    world.demo.control("mutate", {"orders": orders})


def woken(victim):
    os.kill(victim.pid, signal.SIGCONT)
    return victim.wait()


def test_a_run_given_away_takes_nothing_more_from_who_had_it(world):
    with transaction(world.runtime.sessions) as session:
        run_id = runs.start(session, world.portal_id, full=True).id
    victim = stopped_in(world, "sync", run_id, requests_made=5)
    given_away(world, SyncRun)
    while engine.run_slice(world.runtime, world.portal_id, run_id).more:
        pass
    assert world.progress().status == "done"
    edited(world)
    finish(world)
    assert world.sync().status == "done"
    world.count()
    world.write()
    assert woken(victim) == 0
    assert_truth(world)


def test_a_check_given_away_repairs_nothing_behind_the_back_of_who_has_it(world):
    finish(world)
    with transaction(world.runtime.sessions) as session:
        checks.request(session, world.portal_id)
    victim = stopped_in(world, "check", requests_made=2)
    given_away(world, Check)
    for _ in range(30):
        if not reconcile.run_slice(world.runtime, world.portal_id):
            break
    edited(world)
    finish(world)
    assert woken(victim) == 0
    finish(world)
    assert_truth(world)


def test_a_process_asleep_inside_a_transaction_frees_its_rows_in_time(world):
    with world.runtime.engine.connect() as connection:
        allowed = connection.scalar(sa.text("SHOW idle_in_transaction_session_timeout"))
    assert allowed == "1min"
