"""Which message a lead, deal or sale is credited to: the rule against brute force, and the SQL against the rule."""

from __future__ import annotations

import random
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from urllib.parse import parse_qs, urlsplit

import pytest
import sqlalchemy as sa
from hypothesis import given
from hypothesis import strategies as st
from support.mail_results import MailPortal

from core.clock import utcnow
from integration.mirror import Address, Company, Contact, Deal, DealContact, Lead
from integration.models import MergedClient
from mailings.consent import settings as mail_settings
from mailings.consent.settings import Rules
from mailings.models import Attribution, AttributionRun
from mailings.results.attributing import attribute, touched
from mailings.rules import links, tokens
from mailings.rules.attribution import STRENGTH, Touch, last_touch
from mailings.rules.events import EventKind
from mailings.rules.tokens import Purpose
from segments.worth import sale_rules

DAY = timedelta(days=1)
NOON = datetime(2026, 11, 1, 12, tzinfo=UTC)
CLICKED, OPENED, REPLIED = EventKind.CLICKED, EventKind.OPENED, EventKind.REPLIED

moments = st.integers(-6, 6).map(lambda hours: NOON + timedelta(hours=hours))
some_touches = st.lists(
    st.builds(Touch, st.integers(1, 4), st.sampled_from(STRENGTH), moments), max_size=8
)


def by_brute_force(touches, happened_at, window):
    """Try each: nothing inside the window may beat it."""
    for each in touches:
        if not happened_at - window <= each.at <= happened_at:
            continue
        for other in touches:
            if not happened_at - window <= other.at <= happened_at:
                continue
            weak, others_weak = each.kind is OPENED, other.kind is OPENED
            if weak != others_weak:
                beaten = weak
            elif each.at != other.at:
                beaten = other.at > each.at
            elif each.kind is not other.kind:
                beaten = STRENGTH.index(other.kind) < STRENGTH.index(each.kind)
            else:
                beaten = other.delivery_id > each.delivery_id
            if beaten:
                break
        else:
            return each
    return None


@given(some_touches, moments, st.integers(0, 8).map(lambda hours: timedelta(hours=hours)))
def test_the_rule_is_what_trying_everything_finds(touches, happened_at, window):
    assert last_touch(touches, happened_at, window) == by_brute_force(touches, happened_at, window)


@given(some_touches, moments)
def test_a_wider_window_never_loses_a_credit(touches, happened_at):
    found = [last_touch(touches, happened_at, timedelta(hours=n)) for n in range(9)]
    known = [each is not None for each in found]
    assert known == sorted(known)


class Sales(MailPortal):
    """A portal where things are sold after mailings."""

    def __init__(self, session):
        super().__init__(session)
        self.letter = self.mailing()

    def at(self, days):
        return utcnow() - timedelta(days=days)

    def put(self, table, bitrix_id, **facts):
        self.session.add(table(portal_id=self.id, bitrix_id=bitrix_id, **facts))
        self.session.flush()

    def lead(self, bitrix_id, days, **facts):
        self.put(Lead, bitrix_id, created_at=self.at(days), **facts)

    def deal(self, bitrix_id, days, amount=None, **facts):
        won = (
            {"stage_semantic": "S", "closed_on": self.at(days).date(), "base_amount": amount}
            if amount
            else {}
        )
        self.put(Deal, bitrix_id, created_at=self.at(days), **won, **facts)

    def reaction(self, client_id, touch, days, **facts):
        """A message to a client, to which he reacted so many days ago."""
        found = self.delivery(self.letter, client_id, sent_at=self.at(days + 1), **facts)
        self.event(found, touch, self.at(days))
        return found

    def run(self, **how):
        changed = attribute(self.session, self.id, **how)
        self.session.expire_all()
        return changed

    @property
    def credited(self):
        rows = self.session.scalars(sa.select(Attribution).where(Attribution.portal_id == self.id))
        return {(row.entity, row.bitrix_id): row for row in rows}

    @property
    def names(self):
        return {key: row.delivery_id for key, row in self.credited.items()}


@pytest.fixture
def shop(session):
    return Sales(session)


def test_a_deal_born_after_a_click_is_the_mailings_and_so_is_its_money(shop):
    clicked = shop.reaction(1, CLICKED, 5)
    shop.deal(10, 4, Decimal("15000.00"), contact_id=1)
    shop.deal(11, 6, Decimal("700.00"), contact_id=1)
    shop.deal(12, 4, contact_id=2)
    shop.deal(13, 4, contact_id=1)
    assert shop.run() == 2
    assert shop.names == {("deal", 10): clicked.id, ("deal", 13): clicked.id}
    won, going = shop.credited["deal", 10], shop.credited["deal", 13]
    assert (won.amount, won.touch, won.mailing_id) == (
        Decimal("15000.00"),
        "clicked",
        shop.letter.id,
    )
    assert won.sold_on == shop.at(4).date()
    assert (going.amount, going.sold_on) == (None, None)


def test_every_way_a_card_can_be_the_clients(shop):
    own = {number: shop.reaction(number, CLICKED, 9) for number in (1, 2, 3)}
    firm = shop.reaction(4, CLICKED, 9, kind="company", address="firm@example.com")
    asked = shop.reaction(5, CLICKED, 9, kind="lead", address="lead@example.com")
    shop.contact(60, "Из лида", lead_id=5)
    shop.deal(1, 5, contact_id=1)
    shop.deal(2, 5, contact_id=99)
    shop.session.add(DealContact(portal_id=shop.id, deal_id=2, contact_id=2, position=1))
    shop.deal(3, 5, company_id=4)
    shop.deal(4, 5, lead_id=5)
    shop.deal(5, 5, contact_id=60)
    shop.lead(1, 5, contact_id=3)
    shop.lead(2, 5, company_id=4)
    shop.lead(3, 5)
    shop.session.add(
        Address(portal_id=shop.id, entity="lead", entity_id=3, kind="email", position=0,
                value="Client1@Example.com", normalised="client1@example.com")
    )  # fmt: skip
    shop.deal(6, 4, lead_id=3)
    shop.deal(7, 5, contact_id=77)
    shop.run()
    assert shop.names == {
        ("deal", 1): own[1].id, ("deal", 2): own[2].id, ("deal", 3): firm.id, ("deal", 4): asked.id,
        ("deal", 5): asked.id, ("deal", 6): own[1].id, ("lead", 1): own[3].id, ("lead", 2): firm.id,
        ("lead", 3): own[1].id,
    }  # fmt: skip


def test_a_merged_client_is_who_took_him_over(shop):
    loser = shop.reaction(1, CLICKED, 9)
    shop.session.add(MergedClient(portal_id=shop.id, kind="contact", loser_id=1, winner_id=2))
    shop.deal(1, 5, contact_id=2)
    shop.run()
    assert shop.names == {("deal", 1): loser.id}


def test_programs_and_other_portals_earn_nothing(shop, session):
    scanned = shop.delivery(shop.letter, 1)
    shop.event(scanned, CLICKED, shop.at(5), human=False, ruling="program")
    stranger = Sales(session)
    stranger.reaction(1, CLICKED, 5)
    shop.deal(1, 4, contact_id=1)
    assert (shop.run(), shop.credited) == (0, {})
    assert touched(session) == [stranger.id]


def test_the_portals_window_decides_and_another_one_decides_again(shop):
    clicked = shop.reaction(1, CLICKED, 50)
    shop.deal(1, 40, contact_id=1)
    shop.deal(2, 15, contact_id=1)
    shop.run()
    assert shop.names == {("deal", 1): clicked.id}
    mail_settings.change(shop.session, shop.id, Rules(attribution_days=40), 1)
    assert shop.run() == 1
    assert set(shop.names) == {("deal", 1), ("deal", 2)}
    mail_settings.change(shop.session, shop.id, Rules(attribution_days=5), 1)
    assert shop.run() == 2
    assert shop.names == {}


def test_another_sale_rule_is_other_money(shop):
    shop.reaction(1, CLICKED, 5)
    shop.deal(1, 4, Decimal(100), contact_id=1, pipeline_id=3)
    shop.run()
    assert shop.credited["deal", 1].amount == 100
    shop.session.execute(
        sa.insert(sale_rules.SaleRule), {"portal_id": shop.id, "pipelines": [0], "version": 2}
    )
    assert shop.run() == 1
    assert shop.credited["deal", 1].amount is None
    assert shop.credited["deal", 1].sold_on is None


def test_only_what_changed_is_looked_at_and_what_changed_is_put_right(shop):
    shop.reaction(1, CLICKED, 5)
    shop.deal(1, 4, contact_id=1)
    shop.deal(2, 4, contact_id=1)
    shop.lead(1, 4, contact_id=1)
    shop.run()
    assert len(shop.credited) == 3
    assert shop.run() == 0, "the same again changes nothing"
    run = shop.session.get(AttributionRun, shop.id)
    run.read_to = utcnow() + DAY  # all rows are older than that
    shop.session.execute(sa.update(Deal).where(Deal.bitrix_id == 1).values(contact_id=9))
    assert shop.run() == 0
    run = shop.session.get(AttributionRun, shop.id)
    run.read_to = utcnow() + DAY
    shop.session.execute(
        sa.update(Deal).where(Deal.bitrix_id == 1).values(synced_at=utcnow() + 2 * DAY)
    )
    shop.session.execute(
        sa.update(Deal).where(Deal.bitrix_id == 2)
        .values(synced_at=utcnow() + 2 * DAY, stage_semantic="S", base_amount=500, closed_on=utcnow().date())
    )  # fmt: skip
    shop.session.execute(sa.update(Lead).values(deleted_at=utcnow() + 2 * DAY))
    assert shop.run() == 3
    assert set(shop.names) == {("deal", 2)}
    assert shop.credited["deal", 2].amount == 500


def test_the_sql_says_of_all_what_the_rule_says_of_one(shop):
    chance, window = random.Random(7), timedelta(days=30)
    letters = [shop.mailing() for _ in range(4)]
    reactions, born = {}, {}
    for client in range(1, 41):
        reactions[client] = []
        for letter in letters:
            found = shop.delivery(letter, client, sent_at=shop.at(90))
            for _ in range(chance.choice((0, 0, 1, 2))):
                kind, at = chance.choice(STRENGTH), shop.at(chance.choice((5, 10, 20, 20, 45)))
                shop.event(found, kind, at, human=True)
                reactions[client].append(Touch(found.id, kind, at))
        born[client] = shop.at(chance.choice((1, 10, 19, 30)))
        shop.put(Deal, client, created_at=born[client], contact_id=client)
    shop.run()
    expected = {
        ("deal", client): found.delivery_id
        for client, touches in reactions.items()
        if (found := last_touch(touches, born[client], window))
    }
    assert len(expected) > 15
    assert shop.names == expected


def test_a_company_of_the_portals_own_and_cards_of_nobody_are_no_trouble(shop):
    shop.put(Company, 1, title="Наша", is_my_company=True)
    shop.put(Contact, 1, name="Анна")
    shop.deal(1, 1)
    shop.lead(1, 1)
    assert shop.run() == 0


KEY = "a key that marks are signed with"


def marked(shop, delivery, key=KEY):
    label = tokens.label(key, Purpose.MARK, shop.id, delivery.id)
    url = links.with_mark("https://shop.test/?utm_source=x&utm_term=autumn#top", label)
    return {"source": "x", "term": parse_qs(urlsplit(url).query)["utm_term"][0]}


def test_what_carries_the_mark_of_a_message_is_that_messages(shop):
    shop.letter.plan = {"mark_recipients": True}
    other = shop.mailing(name="Другая")
    first = shop.reaction(1, CLICKED, 9)
    later = shop.delivery(other, 1, sent_at=shop.at(8))
    shop.event(later, CLICKED, shop.at(6))
    shop.lead(1, 5, contact_id=1, utm=marked(shop, first))
    shop.lead(2, 5, contact_id=1)
    shop.lead(3, 5, utm=marked(shop, first))
    shop.lead(4, 5, utm=marked(shop, first, "another key"))
    shop.deal(1, 4, lead_id=3)
    shop.deal(2, 4, contact_id=1, utm=marked(shop, first))
    shop.lead(5, 60, utm=marked(shop, first))
    shop.run(key=KEY)
    assert shop.names == {
        ("lead", 1): first.id, ("lead", 2): later.id, ("lead", 3): first.id,
        ("deal", 1): first.id, ("deal", 2): first.id,
    }  # fmt: skip
    unseen = shop.delivery(shop.letter, 2, sent_at=shop.at(3))
    shop.lead(6, 2, utm=marked(shop, unseen))
    shop.run(key=KEY)
    assert shop.credited["lead", 6].delivery_id == unseen.id
    shop.run(key=KEY, whole=True)
    assert len(shop.names) == 6


def test_a_marked_touch_goes_before_a_later_one():
    touches = [Touch(1, CLICKED, NOON - DAY, marked=True), Touch(2, CLICKED, NOON)]
    assert last_touch(touches, NOON, 2 * DAY) == touches[0]
    assert last_touch(touches, NOON, DAY / 2) == touches[1]


@pytest.mark.parametrize(
    ("url", "there"),
    [
        ("https://a.test", "https://a.test?utm_term=rb.1.2.0"),
        ("https://a.test/x?y=1#z", "https://a.test/x?y=1&utm_term=rb.1.2.0#z"),
        ("https://a.test/?utm_term=t&y=1", "https://a.test/?utm_term=t.rb.1.2.0&y=1"),
        ("https://a.test/?utm_term=", "https://a.test/?utm_term=rb.1.2.0"),
    ],
)
def test_the_mark_stands_in_the_query_alone(url, there):
    assert links.with_mark(url, "1.2.0") == there
