"""Calls for managers: a to-do for each client, so many a day, never twice, and read back when they are made."""

from __future__ import annotations

import threading
import time
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta

import pytest
import requests
import sqlalchemy as sa

from core.clock import utcnow
from core.database import transaction
from core.queue import Queue
from integration.rules.hours import Hours
from mailings.channels import call_list
from mailings.channels.base import Outcome
from mailings.content import scripts
from mailings.content.scripts import Script
from mailings.jobs import portal as portal_jobs
from mailings.models import Delivery, DeliveryAttempt, DeliveryEvent, Mailing, Pace
from mailings.models import Offer as OfferRow
from mailings.planning import readiness
from mailings.results import call_outcomes
from mailings.rules import calls
from mailings.rules.letters import BadLetter
from mailings.rules.plans import Plan
from mailings.sending import managers, process

FRIDAY_NOON = datetime(2026, 3, 6, 9, 0, tzinfo=UTC)  # 12:00 in Moscow
CONTENT = {
    "how": "text",
    "subject": "Позвонить: {{ offer.what }}",
    "source": "Здравствуйте, {{ client.name | default: 'коллега' }}!\nПредложите: {{ offer.what }}.",
}


@dataclass
class Calls:
    """A mailing of calls on a world, and its portal."""

    world: object
    mailing_id: int
    client: dict

    def deliver(self, client_id=None, **more):
        """A delivery that is about to be sent."""
        with transaction(self.world.runtime.sessions) as session:
            row = Delivery(
                portal_id=self.world.portal_id, mailing_id=self.mailing_id, channel="call_list",
                kind="contact", client_id=client_id or self.client["ID"],
                address=f"+7999{client_id or 0:07d}",
                **{"state": "sending", **more},
            )  # fmt: skip
            session.add(row)
            session.flush()
            return row

    def message(self, row):
        """The to-do for it."""
        with self.world.runtime.sessions() as session:
            mailing = session.get(Mailing, (row.portal_id, row.mailing_id))
            script = Script(self.world.runtime.settings, mailing)
            return script.message(row, script.facts(session, [row])[row.id])

    def send(self, row, gate=lambda: True):
        """One try over a link of its own."""
        link = call_list.opened(self.world.runtime, self.world.portal_id)
        try:
            return link.send(self.message(row), gate)
        finally:
            self.usable = link.usable
            link.close()

    def todos(self):
        """To-dos of ours on the portal."""
        rows = self.world.rows("activity")
        return [row for row in rows if calls.RESULT_LINES["ru"] in (row["DESCRIPTION"] or "")]

    def finish(self, todo, words, user=1):
        """What a manager does on the client's card."""
        path = f"/web/api/crm/contact/{todo['OWNER_ID']}/todo/{todo['ID']}?user={user}"
        answer = requests.post(self.world.demo.url + path, json={"result": words}, timeout=10)
        assert answer.ok, answer.text

    def fresh(self, row):
        """The delivery as it is stored."""
        with self.world.runtime.sessions() as session:
            return session.get(Delivery, (row.portal_id, row.id))

    def read(self):
        """Outcomes read back."""
        return call_outcomes.read(self.world.runtime, self.world.portal_id)

    def events(self):
        """What was recorded."""
        with self.world.runtime.sessions() as session:
            return session.scalars(sa.select(DeliveryEvent).order_by(DeliveryEvent.id)).all()


def read_clients(world):
    """The clients mirrored."""
    world.work()


@pytest.fixture
def made(world):
    world.reach(read_clients)
    with transaction(world.runtime.sessions) as session:
        offer = OfferRow(
            portal_id=world.portal_id, kind="repeat", name="Весна", content={"what": "скидка 10 %"}
        )
        session.add(offer)
        session.flush()
        mailing = Mailing(
            portal_id=world.portal_id, channel="call_list", name="Обзвон", state="running",
            content=CONTENT, offer_id=offer.id, started_at=utcnow(),
        )  # fmt: skip
        session.add(mailing)
        session.flush()
        number = mailing.id
    named = (row for row in world.rows("contact") if row["NAME"] and row["ID"] > 9)
    client = next(row for row in named if row["ASSIGNED_BY_ID"] > 1)
    return Calls(world, number, client)


def test_a_call_is_a_todo_of_the_responsible_employee(made):
    row = made.deliver()
    result = made.send(row)
    (todo,) = made.todos()
    assert (result.outcome, result.provider_id) == (Outcome.SENT, str(todo["ID"]))
    assert (todo["OWNER_TYPE_ID"], todo["OWNER_ID"]) == (3, made.client["ID"])
    assert todo["RESPONSIBLE_ID"] == made.client["ASSIGNED_BY_ID"]
    assert todo["SUBJECT"] == "Позвонить: скидка 10 %"
    assert todo["PROVIDER_ID"] == "CRM_TODO"
    text = todo["DESCRIPTION"]
    assert text.startswith(f"+79990000000\n\nЗдравствуйте, {made.client['NAME']}!\nПредложите")
    assert datetime.fromisoformat(todo["DEADLINE"]) > utcnow()


def test_the_gate_is_the_last_word(made):
    row = made.deliver()
    assert made.send(row, gate=lambda: False).outcome is Outcome.REFUSED_AT_GATE
    assert made.todos() == []


@pytest.mark.parametrize("fault", ["drop_after_commit", "truncate", "cut"])
def test_a_todo_whose_answer_was_lost_is_found_by_its_mark(made, fault):
    made.world.demo.fault(fault, match="crm.activity.todo.add")
    result = made.send(made.deliver())
    (todo,) = made.todos()
    assert (result.outcome, result.provider_id) == (Outcome.SENT, str(todo["ID"]))


def test_what_nobody_knows_is_unknown_and_what_was_refused_was_not_tried(made):
    demo = made.world.demo
    demo.fault("drop", match="crm.activity.todo.add")
    assert made.send(made.deliver()).outcome is Outcome.UNKNOWN
    demo.fault(
        "error", match="crm.activity.todo.add", times=-1, status=429, code="OPERATION_TIME_LIMIT"
    )
    later = made.send(made.deliver(client_id=1))
    assert (later.outcome, later.ours, made.usable) == (Outcome.NOT_TRIED, True, True)
    assert later.wait > timedelta(0)
    demo.clear_faults()
    made.world.runtime.redis.flushall()
    demo.fault("error", match="crm.activity.todo.add", status=402, code="PAYMENT_REQUIRED")
    shut = made.send(made.deliver(client_id=2))
    assert (shut.outcome, made.usable) == (Outcome.NOT_TRIED, False)
    assert made.world.portal.state == "blocked"


def test_a_card_that_is_gone_fails_for_good(made):
    result = made.send(made.deliver(client_id=999_999_999))
    assert (result.outcome, result.status) == (Outcome.FAILED, "NOT_FOUND")


def test_the_result_of_a_call_is_read_back_once(made):
    row = made.deliver(state="sent", sent_at=utcnow())
    other = made.deliver(client_id=1, state="sent", sent_at=utcnow())
    for each in (row, other):
        provider = made.send(each).provider_id
        with transaction(made.world.runtime.sessions) as session:
            session.get(Delivery, (each.portal_id, each.id)).provider_id = provider
    assert made.read().called == 0
    mine = next(each for each in made.todos() if each["OWNER_ID"] == made.client["ID"])
    made.finish(mine, "Ждёт счёт до среды")
    with made.world.runtime.sessions() as session:
        assert call_outcomes.due(session) == [made.world.portal_id]
    portal_jobs.ask()
    made.world.work(Queue.SYNC)
    assert made.read().called == 0
    (event,) = made.events()
    assert (event.kind, event.delivery_id, event.human) == ("called", row.id, True)
    assert event.detail["result"] == "Ждёт счёт до среды"


def test_a_lost_call_is_looked_for_and_goes_out_again_only_when_it_is_not_there(made):
    there, gone, fresh = (made.deliver(client_id=n or None) for n in (0, 1, 2))
    made.send(there)
    with transaction(made.world.runtime.sessions) as session:
        for row in (there, gone, fresh):
            session.get(Delivery, (row.portal_id, row.id)).state = "unknown"
        session.add(
            DeliveryAttempt(
                portal_id=made.world.portal_id, delivery_id=fresh.id, attempt=1, outcome="unknown"
            )
        )
    done = made.read()
    assert (done.found, done.returned) == (1, 1)
    assert made.fresh(there).state == "sent"
    assert made.fresh(there).provider_id == str(made.todos()[0]["ID"])
    assert made.fresh(gone).state == "pending"
    assert made.fresh(fresh).state == "unknown"


def test_a_lost_call_of_a_mailing_that_is_over_has_failed(made):
    row = made.deliver(state="unknown")
    with transaction(made.world.runtime.sessions) as session:
        session.get(Mailing, (row.portal_id, made.mailing_id)).state = "finished"
    made.read()
    assert (made.fresh(row).state, made.fresh(row).reason) == ("failed", call_outcomes.LOST)


@dataclass
class Pacing:
    """What `within_day` needs of a running mailing."""

    portal_id: int
    plan: Plan
    utc_offset_minutes: int = 180


def test_each_manager_has_so_many_calls_a_day(made):
    contacts = made.world.rows("contact")
    mine = [row["ID"] for row in contacts if row["ASSIGNED_BY_ID"] == made.client["ASSIGNED_BY_ID"]]
    other = next(
        row["ID"] for row in contacts if row["ASSIGNED_BY_ID"] != made.client["ASSIGNED_BY_ID"]
    )
    rows = [made.deliver(client_id=n, state="claimed") for n in (*mine[:3], other)]
    mailing = Pacing(made.world.portal_id, Plan(per_manager_a_day=2))

    def ask(rows, now=FRIDAY_NOON):
        with transaction(made.world.runtime.sessions) as session:
            kept, later = managers.within_day(session, mailing, rows, now)
            return [row.id for row in kept], later

    kept, later = ask(rows)
    assert kept == [rows[0].id, rows[1].id, rows[3].id]
    assert later == {rows[2].id: datetime(2026, 3, 9, 5, 0, tzinfo=UTC)}, "Monday at eight"
    assert ask(rows[2:3])[0] == []
    with transaction(made.world.runtime.sessions) as session:
        managers.give_back(session, mailing, rows[:1], FRIDAY_NOON)
    assert ask(rows[2:3])[0] == [rows[2].id]
    assert ask(rows[:1], FRIDAY_NOON + timedelta(days=3))[0] == [rows[0].id]
    with made.world.runtime.sessions() as session:
        key = managers.day_key(made.client["ASSIGNED_BY_ID"], date(2026, 3, 6))
        assert session.get(Pace, (made.world.portal_id, key)).level == 2


def test_the_sender_plans_calls_and_keeps_to_each_managers_day(made):
    contacts = made.world.rows("contact")
    mine = [row["ID"] for row in contacts if row["ASSIGNED_BY_ID"] == made.client["ASSIGNED_BY_ID"]]
    due = utcnow() - timedelta(minutes=1)
    with transaction(made.world.runtime.sessions) as session:
        mailing = session.get(Mailing, (made.world.portal_id, made.mailing_id))
        mailing.plan, mailing.planned_at = {"per_manager_a_day": 2}, utcnow()
    rows = [made.deliver(client_id=n, state="pending", next_try_at=due) for n in mine[:3]]
    stop = threading.Event()
    sender = threading.Thread(
        target=process.run, args=(made.world.runtime.settings,), kwargs={"stop": stop}
    )
    sender.start()
    try:
        deadline = time.monotonic() + 15
        while len(made.todos()) < 2 and time.monotonic() < deadline:
            time.sleep(0.05)
    finally:
        stop.set()
        sender.join()
    states = [made.fresh(row) for row in rows]
    assert sorted(row.state for row in states) == ["pending", "sent", "sent"]
    (later,) = [row for row in states if row.state == "pending"]
    assert later.next_try_at > utcnow()
    assert {row.provider_id for row in states if row.state == "sent"} == {
        str(todo["ID"]) for todo in made.todos()
    }
    with made.world.runtime.sessions() as session:
        assert session.get(Mailing, (made.world.portal_id, made.mailing_id)).state == "running"


def test_clients_of_nobody_fall_to_the_one_who_installed_the_application(made):
    row = made.deliver(client_id=999_999_999)
    assert made.message(row).facts["responsible_id"] == made.world.portal.installer_id == 1


def test_a_mailing_without_a_script_is_not_ready(made):
    def broken():
        with made.world.runtime.sessions() as session:
            mailing = session.get(Mailing, (made.world.portal_id, made.mailing_id))
            return [p for p in readiness.problems(session, mailing) if p.code == "letter_broken"]

    assert broken() == []
    with transaction(made.world.runtime.sessions) as session:
        session.get(Mailing, (made.world.portal_id, made.mailing_id)).content = {}
    assert len(broken()) == 1


def test_a_script_without_words_or_with_unknown_names_is_refused():
    with pytest.raises(BadLetter, match="source: empty"):
        scripts.check({"how": "text", "subject": "Звонок"}, lambda path: True)
    with pytest.raises(BadLetter, match="unknown_name"):
        scripts.check({"how": "text", "source": "{{ client.secret }}"}, lambda path: False)
    scripts.check(CONTENT, lambda path: True)


def test_results_are_what_the_manager_wrote_after_the_words_that_ask_for_it():
    text = calls.description("Скажите [b]вот[/b] что", "+7", "1.2.ab", "ru")
    assert "(b)вот(/b)" in text
    assert calls.marked(text, "1.2.ab")
    assert not calls.marked(text, "1.2.a")
    assert calls.result(text) is None
    filled = text.replace("Итог разговора:", "[b]Итог разговора:[/b] да,\nв среду")
    assert calls.result(filled) == "да,\nв среду"
    assert calls.result("о чём-то своём") is None
    assert calls.result(None) is None


@pytest.mark.parametrize(
    ("now", "due"),
    [
        (FRIDAY_NOON, datetime(2026, 3, 6, 17, 0, tzinfo=UTC)),
        (FRIDAY_NOON + timedelta(hours=7), datetime(2026, 3, 9, 17, 0, tzinfo=UTC)),
        (FRIDAY_NOON + timedelta(days=1), datetime(2026, 3, 9, 17, 0, tzinfo=UTC)),
    ],
)
def test_a_call_is_due_by_the_end_of_a_working_day(now, due):
    assert calls.deadline(now, Hours(), 180) == due
