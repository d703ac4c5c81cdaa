"""The metamorphic test: any script of people's edits and the world's faults ends in the portal's truth.

A few scripts belong to every run of the suite; `--scripts 200` runs all of them.
"""

from __future__ import annotations

import random
import time
from types import SimpleNamespace

import sqlalchemy as sa
from support.killing import Victim
from support.trouble import finish
from support.truths import assert_truth

from core.database import transaction
from demo.soak import Soak
from integration.models import Check, SyncRun
from integration.sync import checks, reconcile, runs

ROUNDS = 3
SILENT = ("update", "delete")


def pytest_generate_tests(metafunc):
    if "seed" in metafunc.fixturenames:
        metafunc.parametrize("seed", range(metafunc.config.getoption("--scripts")))


def behind_its_back(world, rng):
    """What no stamp and no event tells: found by a full check alone."""
    deals = world.rows("deal")
    for deal in rng.sample(deals, min(3, len(deals))):
        action = rng.choice(SILENT)
        fields = {"OPPORTUNITY": round(rng.uniform(1, 9e4), 2)} if action == "update" else {}
        order = {"table": "deal", "action": action, "id": deal["ID"], "fields": fields}
        world.demo.control("mutate", {**order, "silent": True})


def killed_sync(world, rng):
    """A run whose process dies at some moment."""
    with transaction(world.runtime.sessions) as session:
        run_id = runs.start(session, world.portal_id, full=rng.random() < 0.3).id
    victim = Victim("sync", world, run_id)
    dies_at = time.monotonic() + rng.uniform(0.3, 1.0)
    victim.kill_when(lambda: time.monotonic() >= dies_at)
    with world.runtime.engine.begin() as connection:
        connection.execute(sa.update(SyncRun).values(lease_until=sa.func.now()))


def read(world):
    """The next runs get through: a check compares with what was read once."""
    for _ in range(30):
        if world.sync().status == "done":
            return
    raise AssertionError(world.progress())


def checked(world):
    """Every check done, with an administrator's consent where it is asked."""
    with transaction(world.runtime.sessions) as session:
        checks.request(session, world.portal_id)
    for _ in range(30):
        reconcile.run_slice(world.runtime, world.portal_id)
        with transaction(world.runtime.sessions) as session:
            confirmed = checks.confirm(session, world.portal_id)
            if not confirmed and not checks.is_open(session, world.portal_id):
                return
            session.execute(sa.update(Check).values(resume_at=None))  # the wait goes by
    with world.runtime.sessions() as session:
        raise AssertionError(checks.results(session, world.portal_id))


def test_a_script_of_edits_and_faults_ends_in_the_portals_truth(world, seed):
    rng = random.Random(seed)
    soak = Soak(SimpleNamespace(portal=world.demo.url), rng)
    for _ in range(ROUNDS):
        for _ in range(rng.randint(3, 8)):
            soak.something()
        if rng.random() < 0.2:
            killed_sync(world, rng)
        elif rng.random() < 0.8:
            world.sync(full=rng.random() < 0.2)
        if rng.random() < 0.5:
            world.count()
    behind_its_back(world, rng)
    world.demo.control("faults", method="DELETE")
    read(world)
    checked(world)
    finish(world, attempts=30)
    assert_truth(world)
