"""Row 24: our clock or the portal's jumps. What was changed is read all the same, turns come once."""

from __future__ import annotations

import sys
from datetime import UTC, datetime, timedelta

import pytest
import sqlalchemy as sa
from support.trouble import settle
from support.truths import assert_truth

from core import clock
from core.clock import utcnow
from core.database import transaction
from core.queue import Jobs
from core.ticker import Ticker
from integration.models import Check, CheckStatus, Portal
from integration.sync import checks
from schedule import SCHEDULE

HOUR = 3600


@pytest.fixture
def settled(world):
    return world.reach(settle)


def edited(world, amount):
    """The first deals that count, as a person changes them: the portal stamps them with its clock."""
    deals = [row for row in world.rows("deal") if row.get("STAGE_SEMANTIC_ID") == "S"][:5]
    for deal in deals:
        order = {"table": "deal", "action": "update", "id": deal["ID"]}
        world.demo.control("mutate", {**order, "fields": {"OPPORTUNITY": amount}})


def followed(world):
    assert world.sync().status == "done"
    world.count()
    world.write()


@pytest.mark.parametrize("offset", [HOUR, -HOUR])
def test_the_portals_clock_jumps_and_changes_after_it_are_found(settled, offset):
    settled.demo.control("clock", {"offset_seconds": offset})
    edited(settled, 4321)
    followed(settled)
    edited(settled, 1234)
    followed(settled)
    settled.demo.control("clock", {"offset_seconds": 0})
    edited(settled, 2345)
    followed(settled)
    assert_truth(settled)


def test_our_clock_decides_nothing_about_what_is_read(settled, monkeypatch):
    real = clock.utcnow
    readers = [
        module
        for name, module in sys.modules.items()
        if name.split(".")[0] in ("integration", "segments") and hasattr(module, "utcnow")
    ]
    for amount, hours in ((4321, 1), (1234, -1)):
        for module in readers:
            monkeypatch.setattr(module, "utcnow", lambda: real() + timedelta(hours=hours))  # noqa: B023
        edited(settled, amount)
        followed(settled)
        assert_truth(settled)


def test_a_clock_set_back_neither_stops_the_schedule_nor_repeats_a_turn(settled):
    world = settled
    jobs = Jobs(world.runtime.redis)
    now = utcnow()
    assert set(Ticker(world.runtime.sessions, jobs, SCHEDULE).tick(now)) == {
        periodic.name for periodic in SCHEDULE
    }
    back = now - timedelta(minutes=10)
    fired = Ticker(world.runtime.sessions, jobs, SCHEDULE).tick(back)
    assert {"sweep", "follow"} <= set(fired), "nobody waits until it is as late again"
    assert Ticker(world.runtime.sessions, jobs, SCHEDULE).tick(back) == [], "once all the same"
    world.runtime.redis.flushall()


@pytest.mark.parametrize("minutes", [-720, 330])
def test_the_nightly_check_is_asked_for_once_a_night_wherever_the_portal_is(world, minutes):
    """Through a day from its noon on, whose clock is set back by an hour half way."""
    began = datetime(2026, 5, 4, 12, tzinfo=UTC) - timedelta(minutes=minutes)
    with transaction(world.runtime.sessions) as session:
        portal = session.get_one(Portal, world.portal_id)
        portal.utc_offset_minutes, portal.last_sync_at = minutes, began
    asked = 0
    for step in (*range(0, 720, 20), *range(660, 1440, 20)):
        now = began + timedelta(minutes=step)
        with transaction(world.runtime.sessions) as session:
            if world.portal_id in checks.due(session, now):
                asked += 1
                checks.request(session, world.portal_id)
                done_at(session, now)
    assert asked == 1


def done_at(session, now):
    """The checks that are open were over at once."""
    session.execute(
        sa.update(Check)
        .where(Check.finished_at.is_(None))
        .values(status=CheckStatus.DONE, finished_at=now)
    )
