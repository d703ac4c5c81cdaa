"""Stored members are those a fresh look at the mirror finds, whatever happened and whoever died on the way."""

from __future__ import annotations

import random
import time
from contextlib import suppress
from datetime import timedelta
from types import SimpleNamespace

import pytest
import sqlalchemy as sa
from support.killing import Victim
from support.known_facts import assert_as_from_scratch
from support.trouble import checked, finish

from core.database import transaction
from demo.soak import Soak
from integration.models import Portal
from segments import audience, pipeline
from segments.conditions import definitions
from segments.conditions.catalog import scope_of
from segments.members import membership, saving, upkeep
from segments.saved import Segment, SegmentStay

ROUNDS = 3
EDITED = {
    "contact": ({"NAME": "Анна"}, {"NAME": ""}, {"BIRTHDATE": "1990-05-04"}, {"SOURCE_ID": "WEB"}),
    "company": ({"TITLE": "Заря"}, {"INDUSTRY": "IT"}),
    "lead": ({"OPPORTUNITY": 90000}, {"NAME": "Анна"}, {"STATUS_ID": "JUNK"}, {"OPPORTUNITY": 1}),
}


def pytest_generate_tests(metafunc):
    if "seed" in metafunc.fixturenames:
        scripts = metafunc.config.getoption("--scripts")
        metafunc.parametrize("seed", range(max(1, scripts // 6)))


def card(field, op, value=None):
    return {"field": field, "op": op} | ({} if value is None else {"value": value})


def of(side, *nodes, **more):
    return {"version": 1, side: {"where": {"all": list(nodes)}}, **more}


def related(kind, measure="any", **more):
    return {"related": kind, "measure": measure, **more}


MONTH = {"n": 30, "unit": "day"}
WON = {"all": [card("state", "any_of", ["S"])]}
LOST = {"all": [card("state", "any_of", ["F"])]}
QUESTIONS = {
    "anna": of("clients", card("full_name", "contains", "Анна")),
    "buyers": of("clients", related("deals", "count", op="ge", value=2, where=WON)),
    "spent": of("clients", card("ltv", "ge", 50000)),
    "idle": of("clients", card("days_since_sale", "ge", 100)),
    "lost": of(
        "clients", related("deals", "last", where=LOST), related("deals", "none", where=WON)
    ),
    "new": of("clients", card("created_at", "in_last", {"n": 3, "unit": "month"})),
    "birthday": of("clients", card("birth_date", "anniversary_within", MONTH)),
    "silent": of("clients", related("activities", "none")),
    "asking": of("clients", related("leads", "any")),
    "leads": of("leads", card("amount", "ge", 50000)),
    "led": of("leads", related("deals", "any")),
    "moved": of("leads", related("stage_moves", "count", op="ge", value=1)),
    "best": of("clients", card("sales", "ge", 1), limit={"count": 5, "by": "ltv"}),
    "top": of("clients", card("ltv", "top", 20)),
    "both": {**of("clients", card("sales", "ge", 1)), **of("leads")},
    "by mail": of("clients", related("addresses", where={"all": [card("domain", "filled")]})),
}


@pytest.fixture
def segmented(world, monkeypatch):
    """Everything read and counted, segments of every sort saved and filled."""
    monkeypatch.setattr(upkeep, "WHOLE_EVERY", timedelta(0))
    finish(world)
    with transaction(world.runtime.sessions) as session:
        made = {
            name: saving.create(session, world.portal_id, name, raw).id
            for name, raw in QUESTIONS.items()
        }
        inner = card("segment", "in", made["buyers"])
        again = saving.create(session, world.portal_id, "in", of("clients", inner)).id
        nested = of(
            "clients", card("segment", "not_in", again), card("segment", "in", made["best"])
        )
        saving.create(session, world.portal_id, "in and out", nested)
        saving.create(
            session,
            world.portal_id,
            "were",
            of("clients", card("segment", "never_in", made["anna"])),
        )
    keep(world)
    assert_true(world)
    assert sum(map(len, stored(world).values())) > 50
    return world


def keep(world):
    """What the queue and the ticker do."""
    with transaction(world.runtime.sessions) as session:
        upkeep.look_for_stale(session, world.portal_id)
    while upkeep.keep_up(world.runtime, world.portal_id):
        pass
    assert world.portal_id not in upkeep.behind(world.runtime)
    with world.runtime.sessions() as session:  # rolled back
        if not pipeline.behind(world.runtime):
            assert_as_from_scratch(session, world.portal_id)


def stored(world):
    with world.runtime.sessions() as session:
        rows = session.execute(
            sa.select(SegmentStay.segment_id, SegmentStay.kind, SegmentStay.member_id).where(
                SegmentStay.portal_id == world.portal_id, SegmentStay.left_at.is_(None)
            )
        )
        found = {}
        for segment_id, *member in rows:
            found.setdefault(segment_id, set()).add(tuple(member))
        return found


def assert_true(world):
    found = stored(world)
    with world.runtime.sessions() as session:
        scope = scope_of(session, world.portal_id)
        for segment in session.scalars(
            sa.select(Segment).where(Segment.portal_id == world.portal_id)
        ):
            definition = definitions.read(segment.definition, scope)
            fresh = set(session.execute(audience.members(scope, definition)).all())
            assert found.get(segment.id, set()) == {tuple(row) for row in fresh}, segment.name
            numbers = segment.counters
            members = numbers["contacts"] + numbers["companies"] + numbers["leads"]
            assert members == len(fresh), segment.name


def edit(world, rng):
    """Somebody changes a card; the portal may tell of it or not."""
    table = rng.choice(list(EDITED))
    row = rng.choice(world.rows(table))
    order = {"table": table, "action": "update", "id": row["ID"]}
    world.demo.control("mutate", {**order, "fields": rng.choice(EDITED[table])})


def a_day_later(world):
    with transaction(world.runtime.sessions) as session:
        portal = session.get_one(Portal, world.portal_id)
        portal.utc_offset_minutes += 24 * 60 * 20


def test_any_script_of_edits_leaves_members_a_fresh_look_finds(segmented, seed, monkeypatch):
    world, rng = segmented, random.Random(seed)
    soak = Soak(SimpleNamespace(portal=world.demo.url), rng)
    calm = [soak._edit, soak._win, soak._move, soak._add, soak._delete, soak._delete, soak._merge]
    for number in range(ROUNDS):
        for _ in range(rng.randint(2, 5)):
            rng.choice(calm)()
            edit(world, rng)
        if number == 1:
            checked(world)
        else:
            assert world.sync(full=rng.random() < 0.2).status == "done"
        if rng.random() < 0.5:
            keep(world)
            assert_true(world)
        if rng.random() < 0.8:
            world.count()
        if rng.random() < 0.4:
            a_day_later(world)
        if rng.random() < 0.5:
            with monkeypatch.context() as patch:
                dying_at(patch, rng.randint(1, 20))
                with suppress(Died):
                    upkeep.keep_up(world.runtime, world.portal_id)
        keep(world)
        assert_true(world)


class Died(Exception):
    """The process is gone."""


def dying_at(patch, step):
    """From this comparison on there is nobody to go on."""
    compare, left = membership._compare, [step]

    def compare_or_die(*arguments):
        left[0] -= 1
        if left[0] < 0:
            raise Died
        return compare(*arguments)

    patch.setattr(membership, "_compare", compare_or_die)


def test_a_killed_process_loses_no_touched_card(segmented):
    world, rng = segmented, random.Random(7)
    for _ in range(12):
        edit(world, rng)
    world.sync()
    world.count()
    victim = Victim("keep_up", world)
    dies_at = time.monotonic() + 0.15
    victim.kill_when(lambda: time.monotonic() >= dies_at)
    keep(world)
    assert_true(world)
