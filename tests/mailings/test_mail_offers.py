"""Offers: what must be filled in, versions that don't overwrite each other, promo codes counted."""

from __future__ import annotations

import pytest

from integration.models import Portal
from mailings.content import offers
from mailings.content.offers import InUse, NoSuchOffer, Overtaken, Stock, Wish
from mailings.models import Mailing, PromoCode
from mailings.rules import offers as rules
from mailings.rules.offers import BadOffer, Offer, OfferKind

FULL = {
    "what": "Кофе по подписке", "terms": "Минус 15 %", "audience": "Кофейни", "reason": "Свежая обжарка",
    "call_to_action": "Выбрать кофе", "valid_till": "2027-01-31",
}  # fmt: skip


@pytest.fixture
def portal_id(session):
    portal = Portal(domain="a.example.com", client_id="local.1.2", member_id="a" * 32)
    session.add(portal)
    session.flush()
    return portal.id


def made(session, portal_id, **content):
    return offers.create(session, portal_id, Wish(OfferKind.WIN_BACK, " Кофе  зовёт ", content))


def test_each_type_asks_for_what_makes_it_strong():
    for kind in OfferKind:
        asked = rules.needed(kind)
        assert {"what", "audience", "reason", "call_to_action"} <= set(asked)
        assert rules.missing(kind, Offer()) == asked
    assert rules.missing(OfferKind.WIN_BACK, Offer.read(FULL)) == ()
    assert rules.missing(OfferKind.EVENT, Offer.read(FULL)) == ("url",)


@pytest.mark.parametrize(
    ("raw", "problems"),
    [
        ({"url": "javascript:alert(1)"}, {"url": "address"}),
        ({"url": "mailto:a@example.com"}, {"url": "address"}),
        ({"valid_till": "31.01.2027"}, {"valid_till": "date"}),
        ({"price": "1\n2"}, {"price": "line_break"}),
        ({"what": "x" * 4_001, "product": "x" * 301}, {"what": "too_long", "product": "too_long"}),
        ({"what": "a\0b"}, {"what": "control"}),
        ({"what": ["a"]}, {"what": "not_text"}),
    ],
)
def test_what_can_not_be_kept_is_named_by_its_field(raw, problems):
    with pytest.raises(BadOffer) as refused:
        Offer.read(raw)
    assert refused.value.problems == problems


def test_an_offer_is_over_after_its_last_day():
    offer = Offer.read(FULL)
    assert not offer.over(offer.last_day)
    assert offer.over(offer.last_day.replace(month=2, day=1))
    assert not Offer().over(offer.last_day)


def test_the_second_of_two_who_changed_the_same_version_is_told(session, portal_id):
    row = made(session, portal_id)
    assert (row.name, row.version) == ("Кофе зовёт", 1)
    wish = Wish(OfferKind.WIN_BACK, "Кофе зовёт", FULL)
    changed = offers.change(session, portal_id, row.id, wish, made_from=1, user_id=7)
    assert (changed.version, changed.changed_by, changed.content) == (2, 7, FULL)
    offers.change(session, portal_id, row.id, wish, made_from=1)  # the same again harms nobody
    with pytest.raises(Overtaken):
        offers.change(session, portal_id, row.id, Wish(OfferKind.NEW, "x", {}), made_from=1)
    with pytest.raises(BadOffer):
        offers.change(session, portal_id, row.id, Wish(OfferKind.NEW, " ", {}), made_from=2)


def test_an_offer_that_is_being_sent_is_not_put_away(session, portal_id):
    row = made(session, portal_id)
    mailing = Mailing(
        portal_id=portal_id, name="Осень", channel="email", offer_id=row.id, state="running"
    )
    session.add(mailing)
    session.flush()
    with pytest.raises(InUse) as refused:
        offers.archive(session, portal_id, row.id)
    assert refused.value.names == ["Осень"]
    mailing.state = "finished"
    session.flush()
    offers.archive(session, portal_id, row.id)
    with pytest.raises(NoSuchOffer):
        offers.find(session, portal_id, row.id)


def test_another_portal_does_not_see_it(session, portal_id):
    row = made(session, portal_id)
    for step in (offers.find, offers.archive, offers.remove_free_codes):
        with pytest.raises(NoSuchOffer):
            step(session, portal_id + 1, row.id)


def test_codes_are_added_once_counted_and_taken_back_while_free(session, portal_id):
    row = made(session, portal_id)
    text = "\ufeffAAA-1, AAA-2;AAA-1\r\nСКИДКА_3 \n<b>\n" + "x" * 65
    added = offers.add_codes(session, portal_id, row.id, text)
    assert (added.added, added.known) == (3, 0)
    assert added.refused == ("<b>", "x" * 65)
    assert offers.add_codes(session, portal_id, row.id, "AAA-1 NEW").known == 1
    session.get_one(PromoCode, (portal_id, row.id, "AAA-1")).delivery_id = 5
    session.flush()
    assert offers.stock(session, portal_id, [row.id, 99]) == {row.id: Stock(4, 3), 99: Stock()}
    assert offers.remove_free_codes(session, portal_id, row.id) == 3
    assert offers.stock(session, portal_id, [row.id])[row.id] == Stock(1, 0)


def test_a_stock_has_an_end(session, portal_id, monkeypatch):
    monkeypatch.setattr(offers, "MOST_CODES", 2)
    row = made(session, portal_id)
    added = offers.add_codes(session, portal_id, row.id, "a b c")
    assert (added.added, added.refused) == (2, ("c",))
