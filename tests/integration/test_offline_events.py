"""Offline events: chosen by the plan, the same hints as online ones, nothing lost, no echoes of ours."""

from __future__ import annotations

import pytest
import sqlalchemy as sa
from support.truths import assert_truth, mirror_of
from support.world import written

from core.queue import Queue
from integration import jobs, offline
from integration.connect import connect
from integration.installs import CARD_EVENTS, EVENTS, FIELD_EVENTS
from integration.mirror import Contact, CustomField, Deal
from integration.models import PortalEvent

BOTH = ("online", "offline")


@pytest.fixture
def mirrored(world):
    """Installed and read, with nothing in the queue. Online posts of this portal reach nobody."""
    return world.reach(drained)


def drained(world):
    written(world)
    assert world.sync().status == "done"
    queue(world, "clear")


def queue(world, what="list"):
    """What the portal keeps for us."""
    client = connect(world.runtime, world.portal)
    if what == "clear":
        client.call("event.offline.get", {"auth_connector": "rubilnik", "limit": 100_000})
    return client.call("event.offline.list", {"auth_connector": "rubilnik"}).result


def subscriptions(world):
    rows = connect(world.runtime, world.portal).call("event.get", {}).result
    return [(row["event"], row["connector_id"]) for row in rows if row["offline"]]


def mutate(world, table, action, row_id=None, **fields):
    order = {"table": table, "action": action, "fields": fields}
    return world.demo.control("mutate", order | ({"id": row_id} if row_id else {}))["id"]


def row(world, table, bitrix_id):
    with world.runtime.sessions() as session:
        return session.get(table, (world.portal_id, bitrix_id))


def pull(world):
    """One turn of the ticker, and the workers after it."""
    jobs.pull()
    world.work(Queue.INTERACTIVE)


def test_the_plan_decides_and_is_asked_again(world):
    assert offline.sources(world.portal) == BOTH
    wanted = [(event, "rubilnik") for event in (*CARD_EVENTS, *FIELD_EVENTS)]
    assert sorted(subscriptions(world)) == sorted(wanted)
    jobs.bind()
    world.work(Queue.SYNC)
    assert sorted(subscriptions(world)) == sorted(wanted), "nothing is bound twice"

    world.demo.control("options", {"auth_connector": False})
    jobs.bind()
    world.work(Queue.SYNC)
    assert {connector for _, connector in subscriptions(world)} == {""}
    assert offline.sources(world.portal) == BOTH

    world.demo.control("options", {"offline_extended": False})
    jobs.bind()
    world.work(Queue.SYNC)
    assert subscriptions(world) == []
    assert offline.sources(world.portal) == ("online",)
    pull(world)
    online = connect(world.runtime, world.portal).call("event.get", {}).result
    assert sorted(row["event"] for row in online) == sorted(EVENTS)


def test_changes_no_post_told_of_come_by_the_queue(mirrored):
    deals = [deal["ID"] for deal in mirrored.rows("deal")]
    contact = mirrored.rows("contact")[0]["ID"]
    for amount in range(1, 31):
        mutate(mirrored, "deal", "update", deals[0], OPPORTUNITY=amount)
    mutate(mirrored, "deal", "delete", deals[1])
    mutate(mirrored, "contact", "update", contact, NAME="Из очереди")
    field = {"FIELD_NAME": "Q", "USER_TYPE_ID": "string"}
    mirrored.call("crm.deal.userfield.add", fields=field)
    pull(mirrored)
    assert queue(mirrored) == []
    assert row(mirrored, Deal, deals[0]).opportunity == 30
    assert row(mirrored, Deal, deals[1]).deleted_at is not None
    assert row(mirrored, Contact, contact).name == "Из очереди"
    with mirrored.runtime.sessions() as session:
        named = sa.select(PortalEvent).where(
            PortalEvent.object_id == deals[0], PortalEvent.event.like("ONCRMDEAL%")
        )
        assert len(session.scalars(named).all()) == 1, "thirty edits are one row of the queue"
        assert session.get(CustomField, (mirrored.portal_id, "deal", "UF_CRM_Q")) is not None
    mirrored.count()
    mirrored.write()
    assert_truth(mirrored)


def test_our_own_writes_do_not_come_back(mirrored):
    contact = mirrored.rows("contact")[0]["ID"]
    won = {"CATEGORY_ID": 0, "STAGE_ID": "WON", "CLOSEDATE": "2026-05-01", "CURRENCY_ID": "RUB"}
    mutate(mirrored, "deal", "insert", OPPORTUNITY=90_000, CONTACT_ID=contact, **won)
    pull(mirrored)
    mirrored.count()
    assert mirrored.write().written > 0
    assert queue(mirrored) == []


@pytest.mark.parametrize("when", ["before it is kept", "before it is confirmed"])
def test_a_packet_that_was_cut_short_costs_nothing_in_the_end(mirrored, when):
    deal = mirrored.rows("deal")[0]["ID"]
    mutate(mirrored, "deal", "update", deal, OPPORTUNITY=555)
    method = "event.offline.get" if when == "before it is kept" else "event.offline.clear"
    mirrored.demo.fault("drop_after_commit", method, times=-1)
    pull(mirrored)
    mirrored.demo.clear_faults()
    assert mirrored.portal.state == "active"
    if when == "before it is kept":
        assert mirrored.sync().status == "done"
    assert row(mirrored, Deal, deal).opportunity == 555
    mutate(mirrored, "deal", "update", deal, OPPORTUNITY=556)
    pull(mirrored)
    assert row(mirrored, Deal, deal).opportunity == 556


def test_rows_without_data_are_left_to_the_next_run(mirrored):
    mirrored.demo.control("options", {"offline_data": False})
    deal = mirrored.rows("deal")[0]["ID"]
    mutate(mirrored, "deal", "update", deal, OPPORTUNITY=777)
    pull(mirrored)
    assert queue(mirrored) == []
    assert mirrored.sync().status == "done"
    assert row(mirrored, Deal, deal).opportunity == 777


def test_with_all_events_off_the_end_is_the_same(mirrored):
    contacts = [contact["ID"] for contact in mirrored.rows("contact")]
    for number, deal in enumerate(mirrored.rows("deal")[:10]):
        mutate(mirrored, "deal", "update", deal["ID"], OPPORTUNITY=100 + number)
        mutate(mirrored, "contact", "update", contacts[number], NAME=f"Клиент {number}")
    assert mirrored.sync().status == "done"
    without = mirror_of(mirrored)
    pull(mirrored)
    assert mirror_of(mirrored) == without, "events tell nothing a run has not found"
    mirrored.count()
    mirrored.write()
    assert_truth(mirrored)
