"""Leaving: one click of the mail program, the page of a letter, and that looking at it changes nothing."""

from __future__ import annotations

from datetime import timedelta

import pytest
import sqlalchemy as sa
from support.mail_people import People
from support.mail_results import web

import mailings.web.public.unsubscribe_views
from core.clock import utcnow
from integration.mirror import Address, Contact
from mailings.consent import erasing, ledger, suppressions, topics
from mailings.models import Delivery, DeliveryEvent
from mailings.planning import plan as planning
from mailings.receipts import events
from mailings.rules import tokens
from mailings.rules.tokens import Purpose

ONE_CLICK = {"List-Unsubscribe": "One-Click"}
WHO = "anna@example.com"


class Letter:
    """A letter Anna was sent, and the door out of it."""

    def __init__(self, session, client, key):
        self.people, self.client = People(session), client
        self.people.card(WHO)
        topics.save(session, self.people.id, "offers", "Предложения", 1)
        topics.save(session, self.people.id, "events", "События", 2)
        self.mailing = self.people.mailing()
        planning.plan(session, self.mailing)
        (self.row,) = self.people.deliveries(self.mailing)
        self.row.state, self.row.sent_at = "sent", utcnow()
        session.commit()
        self.path = f"/u/{tokens.make(key, Purpose.UNSUBSCRIBE, self.people.id, self.row.id)}"

    def post(self, **form):
        return self.client.post(self.path, data=form)

    def look(self):
        return self.client.get(self.path)

    @property
    def reason(self):
        found = suppressions.of(self.people.session, self.people.id, "email", WHO)
        return found and found.reason

    def said(self, topic="offers"):
        found = ledger.stands(self.people.session, self.people.id, "email", topic, WHO)
        return found and found.given

    def events(self):
        query = sa.select(DeliveryEvent.kind).where(DeliveryEvent.portal_id == self.people.id)
        return list(self.people.session.scalars(query))

    def left_at(self):
        query = sa.select(Delivery.unsubscribed_at).where(
            Delivery.portal_id == self.people.id, Delivery.id == self.row.id
        )
        return self.people.session.scalar(query)


@pytest.fixture
def letter(settings, sessions, session, redis_url):
    with web(settings, sessions, mailings.web.public.unsubscribe_views.blueprint) as client:
        yield Letter(session, client, settings.secret_key)


def test_looking_changes_nothing_however_often_scanners_look(letter):
    for method in ("get", "head", "options", "get"):
        assert getattr(letter.client, method)(letter.path).status_code == 200
    assert (
        letter.client.get(f"{letter.path}?List-Unsubscribe=One-Click&ask=stop").status_code == 200
    )
    assert (letter.reason, letter.said(), letter.events(), letter.left_at()) == (
        None,
        True,
        [],
        None,
    )
    page = letter.look().text
    assert 'method="post"' in page
    assert "События" in page
    assert 'media="(prefers-color-scheme: dark)"' in page, "as the reader's device"


def test_one_click_is_done_at_once_without_page_cookie_or_redirect_and_only_once(
    letter, monkeypatch
):
    monkeypatch.setattr(events, "SAME_WITHIN", timedelta(0))
    for _ in range(3):
        answer = letter.client.post(letter.path, data=ONE_CLICK)
        assert (answer.status_code, answer.data) == (200, b"")
        assert "Set-Cookie" not in answer.headers
        assert "Location" not in answer.headers
    assert (letter.reason, letter.said(), letter.said("events")) == ("unsubscribed", False, False)
    assert letter.events() == ["unsubscribed"]
    assert letter.left_at() is not None
    lines = ledger.lines_of(letter.people.session, letter.people.id, [WHO])
    assert [line.given for line in lines] == [True, False, False]
    assert {line.source for line in lines[1:]} == {"one click in the mail program"}


def test_a_mail_programs_multipart_form_is_understood_too(letter):
    answer = letter.client.post(letter.path, data=ONE_CLICK, content_type="multipart/form-data")
    assert (answer.status_code, letter.reason) == (200, "unsubscribed")


def test_the_button_of_the_page_does_the_same_and_says_so(letter):
    page = letter.post(ask="stop")
    assert page.status_code == 200
    assert "Писем от нас больше не будет" in page.text
    assert "<form" not in page.text
    assert (letter.reason, letter.events()) == ("unsubscribed", ["unsubscribed"])


def test_a_rest_of_thirty_days_is_no_farewell(letter):
    page = letter.post(ask="rest").text
    assert "30" in page
    found = suppressions.of(letter.people.session, letter.people.id, "email", WHO)
    assert found.reason == "paused"
    assert abs(found.until - utcnow() - timedelta(days=30)) < timedelta(minutes=1)
    assert (letter.said(), letter.left_at(), letter.events()) == (True, None, [])
    letter.post(ask="stop")
    assert letter.reason == "unsubscribed"
    letter.post(ask="rest")
    assert letter.reason == "unsubscribed", "a rest makes nothing of a farewell"


def test_single_topics_can_be_left_and_none_is_joined_by_a_forwarded_letter(letter):
    letter.post(ask="topics", topic=["offers"])
    assert (letter.said(), letter.said("events"), letter.reason) == (True, False, None)
    letter.post(ask="topics", topic=["offers", "events"])
    assert letter.said("events") is False
    assert "disabled" in letter.look().text
    assert letter.events() == ["unsubscribed"]
    mailing = letter.people.mailing(topic="events")
    planning.plan(letter.people.session, mailing)
    assert letter.people.fates(mailing) == {("contact", 1): "withdrawn"}


def test_it_works_after_the_card_is_gone_and_stays_when_it_comes_back(letter):
    session, people = letter.people.session, letter.people
    session.execute(sa.delete(Contact).where(Contact.portal_id == people.id))
    session.execute(sa.delete(Address).where(Address.portal_id == people.id))
    session.commit()
    assert letter.client.post(letter.path, data=ONE_CLICK).status_code == 200
    people.card(WHO, number=99, consent=False)
    people.says(WHO, at=utcnow())
    mailing = people.mailing()
    planning.plan(session, mailing)
    assert people.fates(mailing)["contact", 99] == "suppressed"


def test_it_works_after_the_person_was_erased(letter):
    erasing.erase(letter.people.session, letter.people.id, "contact", 1, actor="user:1")
    letter.people.session.commit()
    assert letter.look().status_code == 200
    assert letter.client.post(letter.path, data=ONE_CLICK).status_code == 200
    assert letter.reason == "erased"


@pytest.mark.parametrize("purpose", [Purpose.CLICK, Purpose.OPEN])
def test_a_link_of_another_purpose_or_a_guess_opens_nothing(letter, settings, purpose):
    other = tokens.make(settings.secret_key, purpose, letter.people.id, letter.row.id)
    gone = tokens.make(
        settings.secret_key, Purpose.UNSUBSCRIBE, letter.people.id, letter.row.id + 10**6
    )
    mistyped = letter.path[3:-1] + ("B" if letter.path.endswith("A") else "A")
    for token in (other, gone, mistyped, "x", "ы", "a" * 4000):
        assert letter.client.get(f"/u/{token}").status_code == 404, token
        assert letter.client.post(f"/u/{token}", data=ONE_CLICK).status_code == 404
    assert letter.reason is None


def test_the_page_is_kept_nowhere_framed_nowhere_and_tells_nobody_where_it_was_read(letter):
    headers = letter.look().headers
    assert headers["Cache-Control"] == "no-store"
    assert headers["Referrer-Policy"] == "no-referrer"
    assert "frame-ancestors 'none'" in headers["Content-Security-Policy"]
    assert WHO not in letter.look().text


def test_it_speaks_the_portals_language_whatever_the_reader_asks_for(letter):
    assert 'lang="ru"' in letter.look().text
    letter.people.portal.language = "en"
    letter.people.session.commit()
    page = letter.client.get(f"{letter.path}?LANG=ru").text
    assert 'lang="en"' in page
    assert "Unsubscribe" in page


def test_what_makes_no_sense_is_refused_and_changes_nothing(letter):
    for form in ({}, {"ask": "everything"}, {"List-Unsubscribe": "Maybe"}):
        assert letter.client.post(letter.path, data=form).status_code == 400
    assert (letter.reason, letter.events()) == (None, [])


def test_guessers_are_held_up(letter, monkeypatch):
    monkeypatch.setattr(mailings.web.public.unsubscribe_views, "WRONG_OF_ADDRESS", 2)
    codes = [
        letter.client.get("/u/guess", environ_base={"REMOTE_ADDR": "100.64.0.9"}).status_code
        for _ in range(3)
    ]
    assert codes == [404, 404, 429]
