"""The tab on a lead: its client's value where it has one, and what is known of the lead itself."""

from __future__ import annotations

from datetime import timedelta

import pytest
from support.mail_people import People
from support.settings_page import plain
from support.world import counted, read

from core.clock import utcnow
from core.database import transaction
from insights.rules.advice import Act, LeadStanding, for_lead
from insights.subject import LeadCard
from insights.tab import lead, profile
from integration.mirror import Lead
from mailings.models import Delivery

TAB = "CRM_LEAD_DETAIL_TAB"
ADMIN, BLIND = 1, 10


@pytest.mark.parametrize(
    ("standing", "act"),
    [
        (LeadStanding("P"), Act.QUALIFY),
        (LeadStanding(None), Act.QUALIFY),
        (LeadStanding("P", answered=True), Act.ANSWER),
        (LeadStanding("F"), Act.REVIVE),
        (LeadStanding("F", answered=True), Act.ANSWER),
        (LeadStanding("S"), None),
        (LeadStanding("S", answered=True), None),
    ],
)
def test_what_to_do_about_a_lead(standing, act):
    assert for_lead(standing) is act


@pytest.fixture
def people(session):
    return People(session, last_sync_at=utcnow(), utc_offset_minutes=0)


def known(people, number=1):
    facts = lead.read(people.session, people.id, LeadCard(number))
    return facts, profile.read_lead(people.session, people.id, facts)


def test_a_lead_is_known_by_its_segments_addresses_and_answers(people, session):
    now = utcnow()
    people.card(
        "anna@example.com", kind="lead", phone="+79990000001", consent=False, name="Анна",
        stage_semantic="P", created_at=now - timedelta(days=9),
    )  # fmt: skip
    facts, found = known(people)
    assert (facts.name, facts.days) == ("Анна", 9)
    assert [stay.name for stay in found.lists] == ["Все"]
    assert found.phones == ["+79990000001"]
    assert [(each.address, each.allowed) for each in found.reach] == [("anna@example.com", False)]
    assert found.proposal.act is Act.QUALIFY
    people.says("anna@example.com")
    people.sent(1, timedelta(days=3), kind="lead")
    session.query(Delivery).update({"human_clicked_at": now - timedelta(days=2)})
    facts, found = known(people)
    assert found.reachable
    assert (found.proposal.act, facts.interest.replied) == (Act.ANSWER, False)
    session.query(Delivery).update({"human_clicked_at": now - timedelta(days=40)})
    assert known(people)[1].proposal.act is Act.QUALIFY, "an answer of long ago is none"


def test_a_lead_nobody_has_read_or_that_is_gone_is_unknown(people):
    assert lead.read(people.session, people.id, LeadCard(1)) is None
    people.card(kind="lead", deleted_at=utcnow())
    assert lead.read(people.session, people.id, LeadCard(1)) is None


def opened(world, number, user_id=ADMIN):
    answer = world.open(user_id, placement=TAB, options={"ID": str(number)})
    return answer, {"Authorization": f"Bearer {answer.headers.get('X-Session')}"}


def some_lead(world, *, linked):
    return next(
        row["ID"]
        for row in world.rows("lead")
        if bool(row.get("CONTACT_ID") or row.get("COMPANY_ID")) is linked
        and row.get("STATUS_SEMANTIC_ID") != "S"
    )


def linked_lead(world):
    """A lead of a contact, whether the data has one or not."""
    number = some_lead(world, linked=False)
    world.call("crm.lead.update", id=number, fields={"CONTACT_ID": 1})
    return number


def test_a_lead_shows_its_clients_value_and_switches_to_itself(world):
    world.reach(counted)
    number = linked_lead(world)
    answer, headers = opened(world, number)
    page = plain(answer.get_data(as_text=True))
    assert answer.status_code == 200
    assert "Ценность клиента этого лида" in page
    assert f'hx-get="/card?client=lead:{number}"' in answer.get_data(as_text=True)
    itself = world.browser.get(f"/card?client=lead:{number}", headers=headers)
    assert "Что известно об этом лиде" in plain(itself.get_data(as_text=True))
    back = world.browser.get("/card?client=contact:1", headers=headers)
    assert "Ценность клиента этого лида" in plain(back.get_data(as_text=True))
    for path in ("/card?client=", "/card/profile?client=", "/card/mailings?client="):
        for other in ("lead:999", "contact:2", "lead:x", "lead:"):
            assert world.browser.get(path + other, headers=headers).status_code == 403
    assert (
        world.browser.get(f"/card/deals?client=lead:{number}", headers=headers).status_code == 403
    )


def test_a_lead_without_a_client_stands_for_itself(world):
    world.reach(read)
    number = some_lead(world, linked=False)
    answer, headers = opened(world, number)
    page = plain(answer.get_data(as_text=True))
    assert "Что известно об этом лиде" in page
    assert "к лиду никто не привязан" in page
    block = world.browser.get(f"/card/profile?client=lead:{number}", headers=headers)
    assert block.status_code == 200
    assert "Стадия жизни" not in plain(block.get_data(as_text=True))

    done = world.browser.post(f"/card/todo?client=lead:{number}&about=call", headers=headers)
    assert done.status_code == 200
    assert done.headers["HX-Trigger"] == "card-changed"
    (todo,) = (
        row for row in world.rows("activity")
        if row["PROVIDER_ID"] == "CRM_TODO" and (row["OWNER_TYPE_ID"], row["OWNER_ID"]) == (1, number)
    )  # fmt: skip
    assert todo["SUBJECT"].startswith("Позвонить")


def test_the_session_of_a_lead_is_proved_anew(world):
    world.reach(read)
    number = some_lead(world, linked=False)
    door = {"handler": f"{world.runtime.settings.public_url}/session"}
    renewed = world.open(placement=TAB, options={"ID": str(number)}, **door)
    assert renewed.status_code == 204
    headers = {"Authorization": f"Bearer {renewed.headers['X-Session']}"}
    assert world.browser.get(f"/card?client=lead:{number}", headers=headers).status_code == 200
    assert world.open(BLIND, placement=TAB, options={"ID": str(number)}, **door).status_code == 403


def test_of_an_unreadable_lead_nothing_is_shown(world):
    world.reach(read)
    answer, _headers = opened(world, some_lead(world, linked=False), BLIND)
    assert answer.status_code == 403
    assert "X-Session" not in answer.headers
    assert "не позволяют читать этот лид" in plain(answer.get_data(as_text=True))


def test_of_a_lead_only_readable_clients_are_shown(world):
    world.reach(counted)
    number = linked_lead(world)
    world.demo.fault(
        "subcommand_error", "crm.contact.get", status=400, code="", description="Access denied."
    )
    answer, headers = opened(world, number)
    assert "Что известно об этом лиде" in plain(answer.get_data(as_text=True))
    assert world.browser.get("/card?client=contact:1", headers=headers).status_code == 403


def test_a_lead_that_has_not_been_read_fills_by_itself(world):
    world.reach(read)
    number = some_lead(world, linked=False)
    with transaction(world.runtime.sessions) as session:
        session.delete(session.get_one(Lead, (world.portal_id, number)))
    answer, headers = opened(world, number)
    page = answer.get_data(as_text=True)
    assert answer.status_code == 200
    assert "Этот лид ещё не прочитан" in plain(page)
    assert 'hx-trigger="every' in page
    missing = world.browser.get(f"/card/profile?client=lead:{number}", headers=headers)
    assert missing.status_code == 404
