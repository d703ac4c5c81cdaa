"""Killed while recipients are written down: all or nothing, a second start finishes, nobody is written down twice."""

from __future__ import annotations

import random

import pytest
from support.mail_killing import revive_database, sending
from support.mail_planning import (
    PLANNING,
    Planned,
    Planner,
    Worker,
    havoc,
    rows_and_state,
    tick,
)

from demo.mail.process import mail_sink
from mailings.planning import steering

PEOPLE = 12
KILLS_A_ROUND = 10


@pytest.fixture(scope="module")
def sink_process():
    with mail_sink() as sink:
        yield sink


@pytest.fixture
def started(settings, live_sessions, redis_url, sink_process):
    sink_process.reset()
    return lambda: Planned(settings, live_sessions, sink_process, PEOPLE)


@pytest.mark.parametrize("strike", ["itself", "database"])
def test_a_planning_that_is_killed_has_written_all_or_nothing(started, settings, strike):
    for point in PLANNING:
        if strike == "database" and point != "F10 written":
            continue
        mailing = started()
        Planner(mailing, point, strike).wait()
        revive_database(settings)
        whole = (PEOPLE, "running")
        assert rows_and_state(mailing) in {(0, "planning"), whole}
        if point != "F10 being written":
            assert (rows_and_state(mailing) == whole) is (point == "F10 committed")
        again = (mailing.sessions, mailing.portal_id, mailing.mailing.id)
        steering.plan_now(*again)
        assert rows_and_state(mailing) == whole
        assert steering.plan_now(*again) is None, "a third start finds nothing to do"
        assert rows_and_state(mailing) == whole


def test_random_kills_of_workers_senders_and_redis(started, settings, request):
    """`--scripts 120` kills 60 times, while mailings are planned and sent."""
    kills, unknown = max(1, request.config.getoption("--scripts") // 2), 0
    for seed in range(0, kills, KILLS_A_ROUND):
        chance = random.Random(2000 + seed)
        posts = havoc(settings, started, min(kills - seed, KILLS_A_ROUND), chance)
        posts[0].leases_end()
        worker = Worker(settings)
        try:
            with sending(settings):
                for post in posts:
                    post.until(lambda post=post: _ended(post, settings), 90)
        finally:
            worker.kill()
        for post in posts:
            unknown += post.check()["unknown"]
        print(f"seed {seed}: {len(posts)} mailings, {unknown} unknown so far")


def _ended(post, settings):
    if post.now().state == "planning":
        tick(settings)
    return post.now().state == "finished"
