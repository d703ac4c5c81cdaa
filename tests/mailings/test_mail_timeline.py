"""Sent letters in clients' timelines: each once, whatever happens on the way, and only what was sent."""

from __future__ import annotations

from datetime import timedelta

import pytest

from core.clock import utcnow
from core.database import transaction
from core.queue import Queue
from integration.models import Portal, PortalState
from mailings.jobs import portal as portal_jobs
from mailings.models import Delivery, Mailing, PortalNote
from mailings.results import timeline

PAST = timedelta(minutes=2)


@pytest.fixture
def clients(world):
    return [row["ID"] for row in world.rows("contact")]


def mailing(world, **more):
    given = {
        "channel": "email", "name": "Весна", "state": "running", "started_at": utcnow(),
        "compiled": {"subject": "Скидка для {{ client.name | default: 'вас' }}", "language": "ru"},
    }  # fmt: skip
    with transaction(world.runtime.sessions) as session:
        made = Mailing(portal_id=world.portal_id, **{**given, **more})
        session.add(made)
        session.flush()
        return made.id


def deliver(world, mailing_id, clients, *, state="sent", ago=PAST):
    with transaction(world.runtime.sessions) as session:
        session.add_all(
            Delivery(
                portal_id=world.portal_id, mailing_id=mailing_id, channel="email", kind="contact",
                client_id=client, address=f"a{client}@example.com", state=state,
                sent_at=None if state == "pending" else utcnow() - ago,
            )
            for client in clients
        )  # fmt: skip


def change(world, mailing_id, client, **values):
    with transaction(world.runtime.sessions) as session:
        query = session.query(Delivery).filter_by(mailing_id=mailing_id, client_id=client)
        query.update(values)


def shown(world):
    """Clients and origins of our activities on the portal, as they were added."""
    rows = [row for row in world.rows("activity") if row.get("ORIGINATOR_ID") == "RUBILNIK"]
    return [row["OWNER_ID"] for row in rows]


def write(world):
    return timeline.write(world.runtime, world.portal_id)


def note(world, mailing_id):
    with world.runtime.sessions() as session:
        return session.get(PortalNote, (world.portal_id, mailing_id))


def test_what_was_sent_is_shown_once_with_its_subject(world, clients):
    made = mailing(world)
    deliver(world, made, clients[:3])
    deliver(world, made, clients[3:4], state="bounced")
    deliver(world, made, clients[4:6], state="pending")
    deliver(world, made, clients[6:7], ago=timedelta(0))
    assert write(world).written == 4
    assert shown(world) == clients[:4]
    rows = [row for row in world.rows("activity") if row.get("ORIGINATOR_ID")]
    layouts = [row["LAYOUT"] for row in rows]
    subjects = [each["body"]["blocks"]["subject"]["properties"]["value"] for each in layouts]
    assert subjects == ["Скидка для вас"] * 4
    tags = [each["header"]["tags"]["state"]["type"] for each in layouts]
    assert tags == ["success"] * 3 + ["failure"]
    assert {(row["COMPLETED"], row["PROVIDER_ID"]) for row in rows} == {
        ("Y", "CONFIGURABLE_REST_APP")
    }
    assert layouts[0]["header"]["title"]["ru"] == "Письмо рассылки"
    assert write(world).written == 0


def test_one_that_was_put_off_is_shown_when_it_was_sent_after_others(world, clients):
    made = mailing(world)
    deliver(world, made, clients[:3], state="pending")
    change(world, made, clients[2], state="sent", sent_at=utcnow() - PAST)
    write(world)
    with transaction(world.runtime.sessions) as session:  # as if that had been a while ago
        row = session.get(PortalNote, (world.portal_id, made))
        row.since = row.until = utcnow() - timedelta(minutes=1)
    change(world, made, clients[0], state="sent", sent_at=utcnow() - timedelta(seconds=40))
    assert write(world).written == 1
    assert shown(world) == [clients[2], clients[0]]


@pytest.mark.parametrize("fault", ["drop_after_commit", "drop", "truncate"])
def test_a_lost_answer_makes_nothing_twice(world, clients, fault):
    made = mailing(world)
    deliver(world, made, clients[:5])
    world.demo.fault(fault, match="batch", times=1, skip=1)
    assert write(world).written == 0
    world.demo.clear_faults()
    write(world)
    assert sorted(shown(world)) == clients[:5]
    assert note(world, made).written == 5


def test_what_the_portal_has_no_time_for_comes_later(world, clients):
    made = mailing(world)
    deliver(world, made, clients[:3])
    world.demo.fault(
        "subcommand_error", match="crm.activity.configurable.add", skip=1, status=429,
        code="OPERATION_TIME_LIMIT", description="Method is blocked due to operation time limit.",
    )  # fmt: skip
    write(world)
    world.demo.clear_faults()
    world.runtime.redis.flushall()
    write(world)
    assert sorted(shown(world)) == clients[:3]


def test_a_card_that_is_gone_costs_only_its_own_entry(world, clients):
    made = mailing(world)
    deliver(world, made, [clients[0], 999_999_999, clients[1]])
    done = write(world)
    assert (done.written, done.failed, shown(world)) == (2, 1, clients[:2])
    assert write(world).failed == 0


def test_many_are_written_in_slices_that_go_on(world, clients):
    made = mailing(world, state_at=utcnow())
    deliver(world, made, [*clients, *range(10**9, 10**9 + 60 - len(clients))])
    with world.runtime.sessions() as session:
        assert timeline.due(session) == [world.portal_id]
    assert timeline.write(world.runtime, world.portal_id, seconds=-1).more
    assert note(world, made).last_id > 0
    while write(world).more:
        pass
    assert sorted(shown(world)) == clients[:60]


def test_finished_mailings_are_left_alone_and_calls_are_never_shown(world, clients):
    old = utcnow() - timedelta(hours=1)
    made = mailing(world)
    deliver(world, made, clients[:1])
    write(world)
    with transaction(world.runtime.sessions) as session:
        row = session.get(Mailing, (world.portal_id, made))
        row.state, row.state_at = "finished", old
    mailing(world, channel="call_list")
    with world.runtime.sessions() as session:
        assert timeline.due(session) == []


def test_a_portal_that_shut_us_out_is_not_called(world, clients):
    made = mailing(world)
    deliver(world, made, clients[:1])
    with transaction(world.runtime.sessions) as session:
        session.get(Portal, world.portal_id).state = PortalState.BLOCKED
        assert timeline.due(session) == []
    write(world)
    assert shown(world) == []


def test_the_jobs_do_it_by_themselves(world, clients):
    made = mailing(world)
    deliver(world, made, clients[:2])
    portal_jobs.tell()
    world.work(Queue.SYNC)
    assert shown(world) == clients[:2]
    portal_jobs.tell()
    assert world.work(Queue.SYNC) == 1, "a running mailing is looked at again"
