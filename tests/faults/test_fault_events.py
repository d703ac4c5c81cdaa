"""Row 18: events lost, doubled, out of order, by the thousand, forged, late: the state is the same."""

from __future__ import annotations

import random
import time
from concurrent.futures import ThreadPoolExecutor

import pytest
import sqlalchemy as sa
from redis.exceptions import ConnectionError as RedisGone
from support.trouble import finish, newest, requests, write_all
from support.truths import assert_truth, metrics_of, mirror_of, wanted

from core.clock import utcnow
from core.database import transaction
from core.locks import alone
from core.queue import Jobs, Queue
from integration import hints, jobs
from integration.connect import connect
from integration.mirror import Contact, CustomField, Deal, Lead
from integration.models import PortalEvent
from integration.sync import checks, reconcile

TABLES = {"contact": Contact, "deal": Deal, "lead": Lead}
THREADS = 8


@pytest.fixture
def settled(world):
    """Everything read, counted and written; the echoes of that are long over."""
    return world.reach(quiet)


def quiet(world):
    finish(world)
    assert world.sync().status == "done"
    with world.runtime.engine.begin() as connection:
        connection.execute(
            sa.text("UPDATE expected_echoes SET written_at = written_at - interval '1 hour'")
        )
    posts = -1
    while posts != (posts := last_post(world)):
        time.sleep(0.1)


@pytest.fixture
def read_objects(settled):
    """How many objects and commands were read since the test began: ids by entity."""
    mark = newest(settled)

    def count():
        entries = settled.demo.control(f"log?since={mark}&limit=100000")
        lists = [e for e in entries if e["parent"] is not None and e["method"].endswith(".list")]
        return len(lists), len(requests(settled, since=mark))

    return count


def mutate(world, table, action, row_id=None, **fields):
    order = {"table": table, "action": action, "fields": fields}
    return world.demo.control("mutate", order | ({"id": row_id} if row_id else {}))["id"]


def posted(world, since, count):
    """The bodies the portal posted, once there are `count` of them."""
    deadline = time.monotonic() + 10
    while True:
        sent = world.demo.control(f"events?since={since}")
        if len(sent) >= count:
            return [delivery["body"] for delivery in sent]
        assert time.monotonic() < deadline, sent
        time.sleep(0.02)


def last_post(world):
    sent = world.demo.control("events")
    return sent[-1]["n"] if sent else 0


def deliver(world, bodies):
    for body in bodies:
        assert world.browser.post("/events", data=body).status_code == 200


def event(world, name, object_id, **changed):
    """A genuine event, as the portal posts it."""
    return {
        "event": name,
        "data[FIELDS][ID]": str(object_id),
        "auth[member_id]": world.member_id,
        "auth[application_token]": world.keys["application_token"],
    } | changed


def name_events(world, name, ids):
    """Events stored long before anybody acts on them."""
    with transaction(world.runtime.sessions) as session:
        listed = sa.cast(sa.literal("{" + ",".join(map(str, ids)) + "}"), sa.ARRAY(sa.BigInteger))
        rows = sa.select(sa.literal(world.portal_id), sa.literal(name), sa.func.unnest(listed))
        names = ["portal_id", "event", "object_id"]
        session.execute(sa.insert(PortalEvent).from_select(names, rows))


def unhandled(world):
    with world.runtime.sessions() as session:
        query = sa.select(sa.func.count()).where(PortalEvent.handled_at.is_(None))
        return session.scalar(query)


def row(world, table, bitrix_id):
    with world.runtime.sessions() as session:
        return session.get(table, (world.portal_id, bitrix_id))


def won(world, **differently):
    stage = {"CATEGORY_ID": 0, "STAGE_ID": "WON", "CLOSEDATE": "2026-05-01", "CURRENCY_ID": "RUB"}
    return {**stage, "CONTACT_ID": world.rows("contact")[0]["ID"], **differently}


def a_day_of_work(world):
    """Every kind of change there is; the bodies of the posts about it, oldest first."""
    since = last_post(world)
    deals = [deal["ID"] for deal in world.rows("deal")]
    contacts = [contact["ID"] for contact in world.rows("contact")]
    pipelines = [category["ID"] for category in world.rows("category")]
    fresh = mutate(world, "deal", "insert", TITLE="Новая", OPPORTUNITY=70_000, **won(world))
    mutate(world, "deal", "update", fresh, OPPORTUNITY=71_000)
    mutate(world, "deal", "update", deals[0], OPPORTUNITY=123_456)
    mutate(world, "deal", "update", deals[1], **won(world, OPPORTUNITY=9_000))
    for amount in (1, 2, 3):
        mutate(world, "deal", "update", deals[2], OPPORTUNITY=amount * 1000)
    moved = next(deal for deal in world.rows("deal")[5:] if deal["CATEGORY_ID"] != pipelines[-1])
    mutate(world, "deal", "update", moved["ID"], CATEGORY_ID=pipelines[-1])
    mutate(world, "deal", "delete", deals[3])
    mutate(world, "deal", "update", deals[4], CONTACT_ID=contacts[5], CONTACT_IDS=[contacts[5]])
    mutate(world, "deal", "delete", deals[4])
    mutate(world, "contact", "update", contacts[1], NAME="Переименована")
    person = mutate(world, "contact", "insert", NAME="Новый")
    mutate(world, "contact", "delete", person)
    mutate(world, "lead", "insert", TITLE="Заявка")
    return posted(world, since, 15)


def catch_up(world):
    """The two layers below the events: changes since the last run, then the nightly check."""
    assert world.sync().status == "done"
    with transaction(world.runtime.sessions) as session:
        checks.request(session, world.portal_id)
    while reconcile.run_slice(world.runtime, world.portal_id, 10.0):
        pass


def some(bodies):
    return random.Random(3).sample(bodies, len(bodies) // 2)


def shuffled(bodies):
    return random.Random(7).sample(bodies, len(bodies))


@pytest.mark.parametrize(
    "delivery",
    [
        pytest.param(lambda bodies: bodies, id="as they were sent"),
        pytest.param(lambda bodies: shuffled(bodies) + bodies, id="doubled"),
        pytest.param(lambda bodies: bodies[::-1], id="backwards"),
        pytest.param(shuffled, id="out of order"),
    ],
)
def test_events_alone_bring_the_mirror_up_to_the_portal(settled, delivery):
    deliver(settled, delivery(a_day_of_work(settled)))
    settled.work(Queue.INTERACTIVE)
    assert unhandled(settled) == 0
    by_events = mirror_of(settled)
    catch_up(settled)
    caught_up = mirror_of(settled)
    for name in ("contacts", "companies", "leads", "deals", "deal_contacts", "addresses"):
        assert caught_up[name] == by_events[name], name
    assert_same_as_portal(settled)


@pytest.mark.parametrize(
    "delivery", [some, lambda bodies: []], ids=["half are lost", "all are lost"]
)
def test_what_events_did_not_tell_is_found_without_them(settled, delivery):
    deliver(settled, delivery(a_day_of_work(settled)))
    settled.work(Queue.INTERACTIVE)
    catch_up(settled)
    assert_same_as_portal(settled)


def test_events_of_yesterday_say_nothing_new(settled):
    bodies = a_day_of_work(settled)
    deliver(settled, bodies)
    settled.work(Queue.INTERACTIVE)
    deals = [deal["ID"] for deal in settled.rows("deal")]
    since = last_post(settled)
    mutate(settled, "deal", "update", deals[0], OPPORTUNITY=1)
    mutate(settled, "contact", "update", settled.rows("contact")[1]["ID"], NAME="Снова")
    deliver(settled, posted(settled, since, 2))
    settled.work(Queue.INTERACTIVE)
    before = mirror_of(settled)
    deliver(settled, shuffled(bodies))
    settled.work(Queue.INTERACTIVE)
    assert mirror_of(settled) == before
    assert_same_as_portal(settled)


def assert_same_as_portal(world):
    world.count()
    write_all(world)
    assert_truth(world)
    truth = world.truth()
    assert metrics_of(world, "contact") == wanted(truth["contacts"])
    for deal in world.rows("deal"):
        assert row(world, Deal, deal["ID"]).stage_id == deal["STAGE_ID"]
    for contact in world.rows("contact"):
        assert (row(world, Contact, contact["ID"]).name or "") == (contact["NAME"] or "").replace(
            "\x00", ""
        )


def test_a_thousand_events_at_once_cost_one_reading_of_each_object(settled, read_objects):
    deals = [deal["ID"] for deal in settled.rows("deal")[:40]]
    mutate(settled, "deal", "update", deals[7], OPPORTUNITY=77_777)
    bodies = [event(settled, "ONCRMDEALUPDATE", deals[n % 40]) for n in range(1000)]
    with ThreadPoolExecutor(THREADS) as pool:
        answers = list(
            pool.map(lambda b: settled.browser.post("/events", data=b).status_code, bodies)
        )
    assert set(answers) == {200}
    assert settled.work(Queue.INTERACTIVE) <= THREADS, "one job, or one of each that came first"
    assert unhandled(settled) == 0
    assert read_objects() == (2, 2), "forty ids are one command, their product rows another"
    assert row(settled, Deal, deals[7]).opportunity == 77_777


def test_ten_thousand_edits_of_a_few_objects_are_folded(settled, read_objects):
    contacts = [contact["ID"] for contact in settled.rows("contact")[:50]]
    name_events(settled, "ONCRMCONTACTUPDATE", [contacts[n % 50] for n in range(10_000)])
    assert hints.apply(settled.runtime, settled.portal_id) == 50
    assert unhandled(settled) == 0
    assert read_objects() == (2, 2), "the contacts, and those merged into one of them"


def test_ten_thousand_objects_are_read_fifty_a_command_and_fifty_commands_a_request(
    settled, read_objects
):
    """The objects are gone by now, which costs the portal least and us the same."""
    name_events(settled, "ONCRMCONTACTDELETE", range(900_000, 910_000))
    jobs.apply_events(settled.portal_id)
    settled.work(Queue.INTERACTIVE)
    assert unhandled(settled) == 0
    commands, sent = read_objects()
    assert commands == 200
    assert sent <= 6


def test_a_change_during_the_reading_is_read_again(settled, monkeypatch):
    deal = settled.rows("deal")[0]["ID"]
    mutate(settled, "deal", "update", deal, OPPORTUNITY=1)
    name_events(settled, "ONCRMDEALUPDATE", [deal])
    real, times = hints.read_by_ids, []

    def read_by_ids(*arguments):
        rows = real(*arguments)
        if not times:
            mutate(settled, "deal", "update", deal, OPPORTUNITY=2)
            name_events(settled, "ONCRMDEALUPDATE", [deal])
        times.append(1)
        return rows

    monkeypatch.setattr(hints, "read_by_ids", read_by_ids)
    hints.apply(settled.runtime, settled.portal_id)
    assert len(times) == 2
    assert row(settled, Deal, deal).opportunity == 2


def test_two_workers_do_not_read_the_same_object_at_once(settled, read_objects):
    deal = settled.rows("deal")[0]["ID"]
    name_events(settled, "ONCRMDEALUPDATE", [deal])
    with alone(settled.runtime.engine, hints._APPLYING, settled.portal_id) as mine:
        assert mine
        jobs.apply_events(settled.portal_id)
        assert read_objects() == (0, 0)
    jobs.sweep()
    settled.work(Queue.INTERACTIVE)
    assert read_objects() == (2, 2), "the deal, and its product rows"
    assert unhandled(settled) == 0


def test_an_object_that_is_only_hidden_from_us_is_not_taken_for_deleted(settled):
    contact = settled.rows("contact")[0]["ID"]
    settled.demo.fault("hide_rows", "crm.contact.list", every=1, times=-1)
    name_events(settled, "ONCRMCONTACTUPDATE", [contact])
    hints.apply(settled.runtime, settled.portal_id)
    assert row(settled, Contact, contact).deleted_at is None


def test_a_deletion_that_did_not_happen_changes_nothing(settled):
    """Forged by somebody who knows the token, or of an object that was restored."""
    before = mirror_of(settled)
    deals = [deal["ID"] for deal in settled.rows("deal")[:5]]
    deliver(settled, [event(settled, "ONCRMDEALDELETE", deal) for deal in deals])
    settled.work(Queue.INTERACTIVE)
    assert mirror_of(settled) == before
    mutate(settled, "deal", "delete", deals[0])
    deliver(settled, [event(settled, "ONCRMDEALDELETE", deals[0])])
    settled.work(Queue.INTERACTIVE)
    assert row(settled, Deal, deals[0]).deleted_at is not None


def test_forged_events_are_neither_kept_nor_acted_on(settled, read_objects):
    deal = settled.rows("deal")[0]["ID"]
    for changed in (
        {"auth[application_token]": "0" * 32},
        {"auth[application_token]": ""},
        {"auth[member_id]": "f" * 32},
    ):
        body = event(settled, "ONCRMDEALDELETE", deal, **changed)
        assert settled.browser.post("/events", data=body).status_code == 403
    strange = [
        event(settled, "ONCRMDEALUPDATE", "0"),
        event(settled, "ONCRMDEALUPDATE", "-5"),
        event(settled, "ONCRMDEALUPDATE", "5 OR 1=1"),
        event(settled, "ONCRMDEALRECURRINGADD", deal),
        event(settled, "ONCRMQUOTEUPDATE", deal),
    ]
    deliver(settled, strange)
    settled.work(Queue.INTERACTIVE)
    assert unhandled(settled) == 0
    assert read_objects() == (0, 0)


def test_a_persons_change_is_found_though_the_echo_of_ours_was_lost(settled):
    """The person's event is taken for the echo; the next run reads the change all the same."""
    contact = settled.rows("contact")[0]["ID"]
    mutate(settled, "deal", "insert", OPPORTUNITY=50_000, **won(settled, CONTACT_ID=contact))
    settled.sync()
    settled.count()
    write_all(settled)  # its event never comes: nobody listens where the portal posts to
    mutate(settled, "contact", "update", contact, NAME="Человек")
    deliver(settled, [event(settled, "ONCRMCONTACTUPDATE", contact)])
    settled.work(Queue.INTERACTIVE)
    settled.sync()
    assert row(settled, Contact, contact).name == "Человек"


def test_a_new_custom_field_is_known_as_soon_as_its_event_is(settled):
    client = connect(settled.runtime, settled.portal)
    since = last_post(settled)
    field = {"FIELD_NAME": "COLOUR", "USER_TYPE_ID": "string", "EDIT_FORM_LABEL": "Цвет"}
    number = client.call("crm.contact.userfield.add", {"fields": field}).result
    contact = settled.rows("contact")[0]["ID"]
    mutate(settled, "contact", "update", contact, UF_CRM_COLOUR="синий")
    deliver(settled, shuffled(posted(settled, since, 2)))
    settled.work(Queue.INTERACTIVE)
    assert row(settled, Contact, contact).custom["UF_CRM_COLOUR"] == "синий"

    since = last_post(settled)
    renamed = {"fields": {"EDIT_FORM_LABEL": {"ru": "Краска"}}}
    client.call("crm.contact.userfield.update", {"id": number, **renamed})
    deliver(settled, posted(settled, since, 1))
    settled.work(Queue.INTERACTIVE)
    assert field_of(settled, "UF_CRM_COLOUR").label == "Краска"

    since = last_post(settled)
    client.call("crm.contact.userfield.delete", {"id": number})
    deliver(settled, posted(settled, since, 1))
    settled.work(Queue.INTERACTIVE)
    assert field_of(settled, "UF_CRM_COLOUR") is None


def field_of(world, code, entity="contact"):
    with world.runtime.sessions() as session:
        return session.get(CustomField, (world.portal_id, entity, code))


def test_many_field_events_cost_one_reading_of_the_dictionaries(settled):
    mark = newest(settled)
    names = [
        f"ONCRM{kind}USERFIELD{what}" for kind in ("DEAL", "LEAD") for what in ("ADD", "UPDATE")
    ]
    deliver(settled, [event(settled, name, n + 1) for name in names for n in range(5)])
    settled.work(Queue.INTERACTIVE)
    assert unhandled(settled) == 0
    assert [entry["method"] for entry in requests(settled, since=mark)] == ["batch", "user.get"]


def test_without_a_queue_events_are_kept_and_read_later(settled, monkeypatch):
    deal = settled.rows("deal")[0]["ID"]
    mutate(settled, "deal", "update", deal, OPPORTUNITY=4_242)
    with monkeypatch.context() as away:

        def gone(*_arguments, **_options):
            raise RedisGone("away")

        away.setattr(Jobs, "enqueue", gone)
        deliver(settled, [event(settled, "ONCRMDEALUPDATE", deal)])
    assert settled.work(Queue.INTERACTIVE) == 0
    jobs.sweep()
    settled.work(Queue.INTERACTIVE)
    assert row(settled, Deal, deal).opportunity == 4_242


def test_an_object_that_cannot_be_stored_does_not_block_the_others_for_ever(settled, monkeypatch):
    deals = [deal["ID"] for deal in settled.rows("deal")[:2]]
    name_events(settled, "ONCRMDEALUPDATE", deals[:1])

    def refuse(*_arguments, **_options):
        raise sa.exc.DataError("INSERT", {}, ValueError("out of range"))

    with monkeypatch.context() as broken:
        broken.setattr(hints, "store_cards", refuse)
        hints.apply(settled.runtime, settled.portal_id)
    assert unhandled(settled) == 0
    mutate(settled, "deal", "update", deals[1], OPPORTUNITY=5)
    name_events(settled, "ONCRMDEALUPDATE", deals[1:])
    hints.apply(settled.runtime, settled.portal_id)
    assert row(settled, Deal, deals[1]).opportunity == 5


def test_old_events_are_dropped_and_waiting_ones_never(settled):
    name_events(settled, "ONCRMDEALUPDATE", [1, 2, 3])
    with transaction(settled.runtime.sessions) as session:
        session.execute(sa.delete(PortalEvent).where(PortalEvent.handled_at.is_not(None)))
        old = utcnow() - 2 * hints.KEPT
        session.execute(sa.update(PortalEvent).values(received_at=old))
        session.execute(
            sa.update(PortalEvent).where(PortalEvent.object_id < 3).values(handled_at=old)
        )
    jobs.forget()
    assert unhandled(settled) == 1
    with settled.runtime.sessions() as session:
        assert session.scalar(sa.select(sa.func.count()).select_from(PortalEvent)) == 1
