"""Rows 7 to 9: tokens that run out, refreshes that race or are lost, and access that has ended."""

from __future__ import annotations

import threading

import pytest
from support.killing import Victim
from support.trouble import assert_as_without_faults, finish, hits, newest, requests, write_all

from core.database import transaction
from integration import jobs
from integration.connect import connect
from integration.mirror import Contact
from integration.models import PortalEvent, PortalState
from segments import jobs as segment_jobs


def refreshes(world):
    return world.demo.counters().get("oauth.token", 0)


def test_tokens_running_out_in_the_middle_are_renewed_once(world, fault_free):
    world.demo.fault("error", "batch", status=401, code="expired_token", skip=2, times=1)
    world.demo.control("tokens/expire", {})
    assert world.sync().status == "done"
    assert refreshes(world) == 2, "one for the stale token, one for the refusal in the middle"
    finish(world)
    assert_as_without_faults(world, fault_free)


def test_a_batch_refused_inside_is_repeated_as_it_was_and_no_row_comes_twice(world, fault_free):
    before = refreshes(world)
    world.demo.fault(
        "subcommand_error",
        "crm.contact.update",
        status=401,
        code="expired_token",
        skip=2,
        times=8,
    )
    assert world.sync().status == "done"
    world.count()
    mark = newest(world)
    report = world.write()
    assert (report.failed, report.reason) == (0, None)
    assert refreshes(world) - before == 1
    written = [
        int(entry["params"]["id"])
        for entry in world.demo.control(f"log?since={mark}&method=crm.contact.update")
        if entry["error"] is None
    ]
    assert len(written) == len(set(written)), "a card was written twice"
    assert_as_without_faults(world, fault_free)


def test_many_threads_share_one_refresh(world):
    before = refreshes(world)
    world.demo.control("tokens/expire", {})
    names, ready = [], threading.Barrier(8)

    def ask():
        client = connect(world.runtime, world.portal)
        ready.wait()
        names.append(client.call("profile", {}).result["ID"])

    threads = [threading.Thread(target=ask) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert names == ["1"] * 8
    assert refreshes(world) - before == 1


def test_several_processes_share_one_refresh(world):
    before = refreshes(world)
    world.demo.control("tokens/expire", {})
    world.demo.fault("delay", "oauth.token", seconds=0.3)
    victims = [Victim("profile", world) for _ in range(4)]
    assert [victim.wait() for victim in victims] == [0] * 4
    assert refreshes(world) - before == 1


def test_a_crash_between_refresh_and_save_asks_for_the_app_and_opening_it_heals(world, fault_free):
    assert world.sync().status == "done"
    with world.runtime.sessions() as session:
        contacts = session.query(Contact).count()
    world.demo.control("tokens/expire", {})
    victim = Victim("die_after_refresh", world)
    assert victim.wait() == -9

    assert world.sync().status == "failed"
    assert world.portal.state == PortalState.REOPEN
    with world.runtime.sessions() as session:
        assert session.query(Contact).count() == contacts, "data is kept"
    employee = next(
        row["ID"]
        for row in world.rows("user")
        if "Y" not in (row.get("IS_ADMIN"), row.get("ADMIN"))
    )
    assert world.open(user_id=employee).status_code == 200
    world.work()
    assert world.portal.state == PortalState.REOPEN

    assert world.open(user_id=1).status_code == 200
    world.work()
    assert world.portal.state == PortalState.ACTIVE
    finish(world)
    assert_as_without_faults(world, fault_free)


def expire_for_good(world):
    world.demo.control("tokens/kill", {})


def stop_paying(world):
    world.demo.control("options", {"payment_required": True})


def remove_the_app(world):
    world.demo.control(f"apps/{world.keys['client_id']}/uninstall", {})


@pytest.mark.parametrize(
    ("end", "states"),
    [
        (expire_for_good, {PortalState.REOPEN}),
        (stop_paying, {PortalState.BLOCKED}),
        (remove_the_app, {PortalState.REOPEN, PortalState.UNINSTALLED}),
    ],
)
def test_access_that_has_ended_is_not_asked_for_again(world, end, states):
    finish(world)
    deal = world.rows("deal")[0]["ID"]
    end(world)
    mark, before = newest(world), refreshes(world)
    assert world.sync().status == "failed"
    assert world.portal.state in states
    assert world.portal.state_reason
    asked = (len(requests(world, since=mark)), refreshes(world))
    assert asked[0] <= 1
    assert asked[1] - before <= 1

    with transaction(world.runtime.sessions) as session:
        session.add(PortalEvent(portal_id=world.portal_id, event="ONCRMDEALUPDATE", object_id=deal))
    segment_jobs.enqueue_writeback(world.portal_id)
    for _ in range(5):
        jobs.sweep()
        segment_jobs.follow()
        world.work()
    assert (len(requests(world, since=mark)), refreshes(world)) == asked, "no retries"
    with world.runtime.sessions() as session:
        assert session.query(Contact).count() == len(world.rows("contact")), "data is kept"


def test_an_oauth_server_that_stumbles_costs_nothing_but_time(world, fault_free):
    world.demo.control("tokens/expire", {})
    world.demo.fault("html", "oauth.token", status=502, times=1)
    finish(world)
    assert hits(world) == 1
    assert world.portal.state == PortalState.ACTIVE
    write_all(world)
    assert_as_without_faults(world, fault_free)
