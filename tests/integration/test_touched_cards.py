"""Which cards are to be looked at again after a change of the mirror: the card's own, and whom it names or named."""

from __future__ import annotations

import pytest
import sqlalchemy as sa

from integration.mirror import Contact
from integration.models import ChangedCard, Portal
from integration.sync.burying import bury
from integration.sync.entities import COMPANIES, CONTACTS, DEALS, LEADS
from integration.sync.sources import SOURCES, store_cards

AT = "2026-05-0{}T10:00:00+03:00"


@pytest.fixture
def portal(session):
    portal = Portal(domain="t.example.com", client_id="local.t", base_currency="RUB")
    session.add(portal)
    session.flush()
    return portal


@pytest.fixture
def store(session, portal):
    """Store one row; whom it touched."""

    def stored(spec, row, **how):
        store_cards(session, portal.id, spec, [row], {}, note_clients=how.get("note", True))
        return taken(session)

    return stored


def taken(session):
    gone = sa.delete(ChangedCard).returning(ChangedCard.kind, ChangedCard.card_id)
    return {tuple(row) for row in session.execute(gone)}


def contact(day=1, **fields):
    return {"ID": "1", "NAME": "Анна", "DATE_MODIFY": AT.format(day), **fields}


def lead(day=1, **fields):
    return {"ID": "5", "TITLE": "Лид", "DATE_MODIFY": AT.format(day), **fields}


def deal(day=1, **fields):
    return {
        "id": 7, "title": "Сделка", "categoryId": 0, "opportunity": 10, "currencyId": "RUB",
        "updatedTime": AT.format(day), "contactIds": [], **fields,
    }  # fmt: skip


def line(session, portal, name, **row):
    source = next(source for source in SOURCES if source.name == name)
    source.put(session, portal.id, source.prepare([row], {}), True)
    return taken(session)


def activity(session, portal, **fields):
    row = {"ID": "9", "TYPE_ID": "2", "COMPLETED": "N", "LAST_UPDATED": AT.format(1), **fields}
    return line(session, portal, "activity", **row)


def test_a_card_is_touched_when_its_row_differs_and_not_otherwise(session, store):
    assert store(CONTACTS, contact()) == {("contact", 1)}
    assert store(CONTACTS, contact()) == set()
    assert store(CONTACTS, contact(2, NAME="Яна")) == {("contact", 1)}
    phone = [{"VALUE": "+79161234567", "VALUE_TYPE": "WORK", "ID": "1"}]
    assert store(CONTACTS, contact(3, NAME="Яна", PHONE=phone)) == {("contact", 1)}
    assert store(COMPANIES, {"ID": "2", "TITLE": "A", "DATE_MODIFY": AT.format(1)}) == {
        ("company", 2)
    }
    assert store(CONTACTS, contact(4, NAME="Ада"), note=False) == set()


def test_a_lead_touches_the_clients_it_names_and_named(store):
    assert store(LEADS, lead(CONTACT_ID="1")) == {("lead", 5), ("contact", 1)}
    moved = store(LEADS, lead(2, CONTACT_ID="3", COMPANY_ID="2"))
    assert moved == {("lead", 5), ("contact", 1), ("contact", 3), ("company", 2)}


def test_a_deal_touches_the_lead_it_names_and_named(session, portal, store):
    assert store(DEALS, deal(leadId=5)) == {("lead", 5)}
    assert store(DEALS, deal(2, leadId=6)) == {("lead", 5), ("lead", 6)}
    assert store(DEALS, deal(2, leadId=6)) == set()
    bury(session, portal.id, DEALS, [7])
    assert taken(session) == {("lead", 6)}


def test_activities_and_moves_touch_their_owners_and_those_of_their_deal(session, portal, store):
    store(DEALS, deal(contactId=1, contactIds=[1, 3], companyId=2, leadId=5))
    whose = {("contact", 1), ("contact", 3), ("company", 2), ("lead", 5)}
    assert activity(session, portal, OWNER_TYPE_ID="3", OWNER_ID="8") == {("contact", 8)}
    assert activity(session, portal, OWNER_TYPE_ID="3", OWNER_ID="8") == set()
    assert activity(session, portal, OWNER_TYPE_ID="2", OWNER_ID="7") == {("contact", 8), *whose}
    assert activity(session, portal, OWNER_TYPE_ID="31", OWNER_ID="7") == whose
    move = {"ID": "1", "TYPE_ID": "2", "CREATED_TIME": AT.format(1)}
    assert line(session, portal, "deal_history", OWNER_ID="7", **move) == whose
    assert line(session, portal, "deal_history", OWNER_ID="7", **move) == set()
    assert line(session, portal, "lead_history", OWNER_ID="5", **move) == {("lead", 5)}


def test_cards_that_go_and_come_back_are_touched(session, portal, store):
    store(CONTACTS, contact())
    store(LEADS, lead(CONTACT_ID="1"))
    bury(session, portal.id, LEADS, [5])
    assert taken(session) == {("lead", 5), ("contact", 1)}
    bury(session, portal.id, CONTACTS, [1])
    assert taken(session) == {("contact", 1)}
    assert session.get_one(Contact, (portal.id, 1)).deleted_at is not None
    assert store(CONTACTS, contact()) == {("contact", 1)}
