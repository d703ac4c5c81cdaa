"""Planning: one row per client, with the address he is written to at, or the reason why not."""

from __future__ import annotations

from datetime import timedelta

import pytest
import sqlalchemy as sa
from support.mail_people import LETTER, People

from core.clock import utcnow
from mailings.channels.groups import group_sql
from mailings.consent import suppressions
from mailings.models import Delivery, MailingLink, Offer, PromoCode
from mailings.planning import plan as planning
from mailings.rules.domains import group


@pytest.fixture
def people(session):
    return People(session)


def planned(people, **values):
    mailing = people.mailing(**values)
    planning.plan(people.session, mailing)
    return mailing


def fates(people, **values):
    return people.fates(planned(people, **values))


def test_every_client_has_one_row_with_his_address_or_the_reason(people):
    people.card("anna@example.com")
    people.card()
    people.card(None)
    people.card("anna@example.com")
    people.card("silent@example.com", consent=False)
    people.card("no@example.com")
    people.says("no@example.com", given=False, at=utcnow())
    people.card("stop@example.com")
    suppressions.suppress(
        people.session, people.id, "email", "stop@example.com", "manual", source="test"
    )
    people.card("rest@example.com")
    suppressions.suppress(
        people.session, people.id, "email", "rest@example.com", "paused", source="test",
        until=utcnow() + timedelta(days=30),
    )  # fmt: skip
    mailing = planned(people)
    assert people.fates(mailing) == {
        ("contact", 1): "pending",
        ("contact", 2): "no_address",
        ("contact", 3): "invalid_address",
        ("contact", 4): "duplicate_address",
        ("contact", 5): "no_consent",
        ("contact", 6): "withdrawn",
        ("contact", 7): "suppressed",
        ("contact", 8): "paused",
    }
    assert (mailing.state, mailing.size) == ("running", 8)
    (first, *others) = people.deliveries(mailing)
    assert (first.address, first.group_key) == ("anna@example.com", "example.com")
    assert first.next_try_at is not None
    assert all(row.next_try_at is None for row in others)


def test_the_first_address_that_works_and_said_yes_is_taken(people):
    people.card(None, "dead@example.com", "alive@example.com")
    suppressions.suppress(
        people.session, people.id, "email", "dead@example.com", "bounced", source="test"
    )
    people.card("silent@example.com", "yes@example.com", consent=False)
    people.says("yes@example.com")
    addresses = [row.address for row in people.deliveries(planned(people))]
    assert addresses == ["alive@example.com", "yes@example.com"]


@pytest.mark.parametrize("reason", ["unsubscribed", "complained", "manual"])
def test_a_no_at_one_address_of_a_merged_client_counts_for_all_of_them(people, reason):
    people.card("winner@example.com", "loser@example.com")
    suppressions.suppress(
        people.session, people.id, "email", "loser@example.com", reason, source="test"
    )
    people.card("winner2@example.com", "loser2@example.com")
    people.says("loser2@example.com", given=False, at=utcnow())
    assert fates(people) == {("contact", 1): "suppressed", ("contact", 2): "withdrawn"}


def test_a_pause_that_is_over_holds_nobody_back(people):
    people.card("rested@example.com")
    suppressions.suppress(
        people.session, people.id, "email", "rested@example.com", "paused", source="test",
        until=utcnow() - timedelta(minutes=1),
    )  # fmt: skip
    assert fates(people) == {("contact", 1): "pending"}


def test_a_lead_without_an_address_is_reached_at_its_contact_and_only_once(people):
    people.card("anna@example.com", kind="contact")
    people.card(kind="lead", contact_id=1)
    people.card("own@example.com", kind="lead", contact_id=1)
    assert fates(people) == {
        ("contact", 1): "pending",
        ("lead", 1): "duplicate_address",
        ("lead", 2): "pending",
    }


def test_silence_is_enough_for_clients_where_an_administrator_answers_for_it_but_not_for_leads(
    people,
):
    people.card("client@example.com", consent=False)
    people.card("company@example.com", kind="company", consent=False)
    people.card("stranger@example.com", kind="lead", consent=False)
    people.card("no@example.com", consent=False)
    people.says("no@example.com", given=False)
    people.rules(basis="existing_clients")
    assert fates(people) == {
        ("contact", 1): "pending",
        ("company", 1): "pending",
        ("lead", 1): "no_consent",
        ("contact", 2): "withdrawn",
    }


def test_a_call_list_takes_phones_and_heeds_only_a_no(people):
    people.card("anna@example.com", phone="+79000000001", consent=False)
    people.card("b@example.com")
    people.card(phone="+79000000003")
    people.says("+79000000003", given=False, channel="call_list")
    assert fates(people, channel="call_list") == {
        ("contact", 1): "pending",
        ("contact", 2): "no_address",
        ("contact", 3): "withdrawn",
    }


def test_the_control_group_is_held_back_and_is_the_same_however_often_one_looks(people):
    for number in range(200):
        people.card(f"p{number}@example.com")
    mailing = people.mailing(plan={"control_percent": 30})
    planning.plan(people.session, mailing)
    held = {row.client_id for row in people.deliveries(mailing) if row.state == "held"}
    assert 35 <= len(held) <= 85
    people.session.execute(sa.delete(Delivery).where(Delivery.portal_id == people.id))
    mailing.planned_at = None
    planning.plan(people.session, mailing)
    assert {row.client_id for row in people.deliveries(mailing) if row.state == "held"} == held


def test_promo_codes_are_given_to_those_who_get_the_letter_until_there_are_none(people):
    for number in range(4):
        people.card(f"p{number}@example.com")
    people.card("silent@example.com", consent=False)
    offer = Offer(portal_id=people.id, kind="new", name="Скидка")
    people.session.add(offer)
    people.session.flush()
    for code in ("A", "B", "C"):
        people.session.add(PromoCode(portal_id=people.id, offer_id=offer.id, code=code))
    mailing = planned(people, offer_id=offer.id)
    assert [(row.client_id, row.code) for row in people.deliveries(mailing) if row.code] == [
        (1, "A"), (2, "B"), (3, "C"),
    ]  # fmt: skip
    assert people.fates(mailing)["contact", 4] == "no_code"
    given = sa.select(PromoCode.delivery_id).where(PromoCode.portal_id == people.id)
    assert set(people.session.scalars(given)) == {
        row.id for row in people.deliveries(mailing) if row.code
    }


def test_planning_again_adds_newcomers_and_leaves_the_others_alone(people):
    people.card("anna@example.com")
    mailing = planned(people, mode="evergreen", plan={"until": "2090-01-01T00:00+03:00"})
    (first,) = people.deliveries(mailing)
    first.state = "sent"
    before = mailing.fingerprint
    people.card("boris@example.com")
    people.card("anna@example.com")
    assert planning.plan(people.session, mailing).rows == 2
    assert people.fates(mailing) == {
        ("contact", 1): "sent",
        ("contact", 2): "pending",
        ("contact", 3): "duplicate_address",
    }
    assert mailing.fingerprint != before
    assert planning.plan(people.session, mailing).rows == 0


def test_the_recipients_are_those_that_were_written_down(people):
    people.card("anna@example.com")
    mailing = planned(people)
    assert planning.verified(people.session, mailing)
    people.session.execute(sa.delete(Delivery).where(Delivery.portal_id == people.id))
    assert not planning.verified(people.session, mailing)


def test_what_is_edited_after_the_launch_changes_nothing_that_is_under_way(people):
    people.card("anna@example.com")
    letter = {**LETTER, "source": "Смотрите: https://shop.example.com/new"}
    mailing = planned(
        people,
        content={
            **letter,
            "how": "html",
            "source": '<a href="https://shop.example.com/new">here</a>',
        },
    )
    mailing.content = LETTER
    assert mailing.compiled["subject"] == "Новинка"
    links = sa.select(MailingLink.url).where(MailingLink.mailing_id == mailing.id)
    assert [url.partition("?")[0] for url in people.session.scalars(links)] == [
        "https://shop.example.com/new"
    ]


def test_another_portals_consents_and_suppressions_are_not_ours(people, session):
    other = People(session)
    people.card("anna@example.com")
    suppressions.suppress(session, other.id, "email", "anna@example.com", "manual", source="test")
    other.card("boris@example.com")
    people.card("boris@example.com", consent=False)
    assert fates(people) == {("contact", 1): "pending", ("contact", 2): "no_consent"}


@pytest.mark.parametrize(
    "address",
    ["a@gmail.com", "a@googlemail.com", "a@bk.ru", "a@yandex.kz", "a@ya.ru", "a@example.com"],
)
def test_the_mail_service_is_told_the_same_in_python_and_in_sql(session, address):
    assert session.scalar(sa.select(group_sql(sa.literal(address)))) == group(address)
