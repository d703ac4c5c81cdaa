"""Erasing: a person's data leaves every mailing table, and he does not come back with a sync."""

from __future__ import annotations

import json

import pytest
import sqlalchemy as sa
from support.mail_people import People

from core.clock import utcnow
from core.database import Base
from integration.mirror import Address, Contact
from mailings.consent import erasing, persons, suppressions
from mailings.models import Delivery, DeliveryAttempt, DeliveryEvent
from mailings.planning import plan as planning

WHO, ALSO, OTHER = "anna@example.com", "anna2@example.com", "boris@example.com"
MAILING_TABLES = [
    name for name in Base.metadata.tables
    if name.startswith(("deliver", "consent", "suppress", "erased", "mailing", "attribution", "promo", "portal_notes"))
]  # fmt: skip


@pytest.fixture
def people(session):
    """Anna with two addresses and Boris, both written to; Anna's letter came back with her address in the words."""
    people = People(session)
    people.card(WHO, ALSO, name="Анна")
    people.card(OTHER)
    mailing = people.mailing()
    planning.plan(session, mailing)
    for row in people.deliveries(mailing):
        facts = {"portal_id": people.id, "delivery_id": row.id}
        session.add(
            DeliveryAttempt(**facts, attempt=1, outcome="deferred", text=f"<{row.address}> later")
        )
        session.add(
            DeliveryEvent(
                **facts, mailing_id=mailing.id, kind="replied", detail={"from": row.address}
            )
        )
    people.says(WHO, source="a form", ip="203.0.113.5", proof=f"written by {WHO}")
    suppressions.suppress(session, people.id, "call_list", WHO, "manual", source="x")
    session.flush()
    people.sent_mailing = mailing
    return people


def everything(people):
    """Every value of the portal in the mailing tables, as one text."""
    found = []
    for name in MAILING_TABLES:
        table = Base.metadata.tables[name]
        rows = people.session.execute(sa.select(table).where(table.c.portal_id == people.id))
        found += sorted(str(dict(row)) for row in rows.mappings())
    return "\n".join(found)


def test_nothing_of_the_person_is_left_and_nothing_of_others_is_gone(people):
    assert WHO in everything(people)
    done = erasing.erase(people.session, people.id, "contact", 1, actor="user:1")
    left = everything(people)
    for trace in (WHO, ALSO, "203.0.113.5"):
        assert trace not in left
    assert left.count(OTHER) >= 4
    assert done.as_dict() == {
        "addresses": 2,
        "deliveries": 1,
        "attempts": 1,
        "events": 1,
        "consents": 3,
    }
    assert people.fates(people.sent_mailing) == {("contact", 1): "gone", ("contact", 2): "pending"}


def test_he_does_not_come_back_with_a_sync_by_card_or_by_address(people):
    erasing.erase(people.session, people.id, "contact", 1, actor="user:1")
    people.card(ALSO, kind="lead")
    people.session.execute(
        sa.update(Address)
        .where(Address.portal_id == people.id, Address.normalised == WHO)
        .values(normalised="new@example.com")
    )
    people.says("new@example.com", at=utcnow())
    people.says(ALSO, at=utcnow())
    mailing = people.mailing()
    planning.plan(people.session, mailing)
    assert people.fates(mailing) == {
        ("contact", 1): "gone",
        ("contact", 2): "pending",
        ("lead", 1): "suppressed",
    }


def test_doing_it_again_changes_nothing_also_after_the_card_is_gone(people):
    erasing.erase(people.session, people.id, "contact", 1, actor="user:1")
    people.session.execute(
        sa.delete(Contact).where(Contact.portal_id == people.id, Contact.bitrix_id == 1)
    )
    before = everything(people)
    erasing.erase(people.session, people.id, "contact", 1, actor="user:1")
    assert everything(people) == before


@pytest.mark.parametrize("state", ["sent", "sending", "unknown", "bounced"])
def test_what_was_sent_stays_counted_without_saying_to_whom(people, state):
    query = sa.update(Delivery).where(Delivery.portal_id == people.id, Delivery.client_id == 1)
    people.session.execute(query.values(state=state))
    erasing.erase(people.session, people.id, "contact", 1, actor="user:1")
    (row, _) = people.deliveries(people.sent_mailing)
    assert (row.state, row.address) == (state, None)


def test_everything_that_is_known_of_a_person_is_told_and_nothing_of_others(people):
    person = persons.find(people.session, people.id, "contact", 1)
    rows = list(persons.known(people.session, person))
    assert {table for table, _ in rows} >= {
        "contacts", "addresses", "deliveries", "delivery_attempts", "delivery_events",
        "consent_records", "consents", "suppressions", "segment_stays",
    }  # fmt: skip
    told = json.dumps([row for _, row in rows], default=str, ensure_ascii=False)
    assert WHO in told
    assert "Анна" in told
    assert OTHER not in told


def test_another_portals_person_of_the_same_number_is_left_alone(people, session):
    other = People(session)
    other.card(WHO)
    mailing = other.mailing()
    planning.plan(session, mailing)
    erasing.erase(session, people.id, "contact", 1, actor="user:1")
    assert other.fates(mailing) == {("contact", 1): "pending"}
    assert suppressions.of(session, other.id, "email", WHO) is None
