"""Opens and clicks: what is recorded, of whom it is said that he is a person, and that the reader never waits."""

from __future__ import annotations

from datetime import timedelta

import pytest
import sqlalchemy as sa
from sqlalchemy.exc import OperationalError
from support.mail_results import MailPortal, click_of, pixel_of, web

import mailings.web.public.tracking_views
from core.clock import utcnow
from mailings.models import DeliveryEvent
from mailings.receipts import following
from mailings.rules import links, tokens
from mailings.rules.events import EventKind
from mailings.rules.robots import Ruling, Seen, ruling
from mailings.rules.tokens import Purpose

FIREFOX = "Mozilla/5.0 (Windows NT 10.0; Win64; x64; rv:140.0) Gecko/20100101 Firefox/140.0"
GMAIL = "Mozilla/5.0 (Windows NT 5.1; rv:11.0) Gecko Firefox/11.0 (via ggpht.com GoogleImageProxy)"
HOUR = timedelta(hours=1)


@pytest.fixture
def crm(session):
    return MailPortal(session)


@pytest.fixture
def client(settings, sessions, redis_url):
    with web(settings, sessions, mailings.web.public.tracking_views.blueprint) as client:
        yield client


@pytest.fixture
def ask(client):
    """Ask for a path as a person with a browser, or as another agent."""
    return lambda path, agent=FIREFOX, method="GET": client.open(
        path, method=method, headers={"User-Agent": agent}
    )


def test_a_click_leads_on_and_is_remembered(crm, ask, settings):
    delivery = crm.delivery(crm.mailing())
    answer = ask(click_of(settings, delivery, 2))
    assert (answer.status_code, answer.headers["Location"]) == (
        302,
        "https://shop.example.com/catalogue",
    )
    assert answer.headers["Referrer-Policy"] == "no-referrer"
    assert answer.headers["Cache-Control"] == "no-store"
    [event] = crm.events(delivery)
    assert (event.kind, event.link, event.human, event.ruling) == ("clicked", 2, True, None)
    stored = crm.fresh(delivery)
    assert stored.clicked_at == stored.human_clicked_at == event.at
    assert stored.human_opened_at == event.at, "who clicks has opened"


def test_the_picture_is_shown_to_everybody_and_kept_by_nobody(crm, ask, settings):
    delivery = crm.delivery(crm.mailing())
    answer = ask(pixel_of(settings, delivery), GMAIL)
    assert answer.status_code == 200
    assert answer.content_type == "image/gif"
    assert "no-store" in answer.headers["Cache-Control"]
    assert answer.data.startswith(b"GIF89a")
    assert crm.fresh(delivery).human_opened_at is not None
    assert crm.fresh(delivery).clicked_at is None
    for token in ("", "x", "a" * 40, "%00", "..."):
        other = ask(f"/o/{token}")
        assert (other.status_code, other.data) == (
            (200, answer.data) if token else (404, other.data)
        )


def test_only_the_first_of_a_kind_moves_the_delivery(crm, ask, settings, session):
    delivery = crm.delivery(crm.mailing())
    ask(pixel_of(settings, delivery))
    first = crm.fresh(delivery).opened_at
    session.execute(sa.update(DeliveryEvent).values(at=DeliveryEvent.at - timedelta(seconds=30)))
    ask(pixel_of(settings, delivery))
    assert len(crm.events(delivery)) == 2
    assert crm.fresh(delivery).opened_at == first
    ask(pixel_of(settings, delivery))
    assert len(crm.events(delivery)) == 2, "asked twice within a second"


@pytest.mark.parametrize("path_of", [click_of, pixel_of])
def test_looking_without_asking_changes_nothing(crm, ask, settings, path_of):
    delivery = crm.delivery(crm.mailing())
    for method in ("HEAD", "OPTIONS"):
        assert ask(path_of(settings, delivery), method=method).status_code in {200, 302}
    assert crm.events(delivery) == []
    assert crm.fresh(delivery).opened_at is None


def test_programs_are_counted_apart(crm, ask, settings):
    delivery = crm.delivery(crm.mailing())
    ask(pixel_of(settings, delivery), "Mozilla/5.0")
    ask(click_of(settings, delivery), "Mozilla/5.0 (compatible; BarracudaCentral scanner)")
    assert [each.ruling for each in crm.events(delivery)] == ["apple", "program"]
    stored = crm.fresh(delivery)
    assert stored.opened_at is not None
    assert stored.clicked_at is not None
    assert stored.human_opened_at is None
    assert stored.human_clicked_at is None
    ask(click_of(settings, delivery))
    assert crm.fresh(delivery).human_clicked_at is not None


def test_a_click_right_after_sending_is_a_gateways(crm, ask, settings):
    mailing = crm.mailing()
    early = crm.delivery(mailing, 1, sent_at=utcnow())
    flying = crm.delivery(mailing, 2, state="sending", sent_at=None)
    for delivery in (early, flying):
        ask(click_of(settings, delivery))
        assert [each.ruling for each in crm.events(delivery)] == ["at_once"]


def test_who_follows_every_link_at_once_is_a_program_from_the_first_on(crm, ask, settings):
    delivery = crm.delivery(
        crm.mailing(links=tuple(f"https://shop.example.com/{n}" for n in range(3)))
    )
    ask(pixel_of(settings, delivery))
    opened = crm.fresh(delivery).human_opened_at
    for number in (1, 2):
        ask(click_of(settings, delivery, number))
    assert crm.fresh(delivery).human_clicked_at is not None
    ask(click_of(settings, delivery, 3))
    clicks = [each for each in crm.events(delivery) if each.kind == "clicked"]
    assert {each.ruling for each in clicks} == {"all_links"}
    assert crm.fresh(delivery).human_clicked_at is None
    assert crm.fresh(delivery).human_opened_at == opened, "the open before it was a person's"


def test_a_click_tells_that_an_uncertain_letter_has_arrived(crm, ask, settings):
    delivery = crm.delivery(crm.mailing(), state="unknown", sent_at=None)
    ask(pixel_of(settings, delivery))
    stored = crm.fresh(delivery)
    assert (stored.state, stored.sent_at) == ("sent", stored.opened_at)


def test_the_reader_gets_there_when_nothing_can_be_recorded(crm, ask, settings, monkeypatch):
    delivery = crm.delivery(crm.mailing())

    def fail(*_):
        raise OperationalError("INSERT", {}, Exception("the disk is full"))

    monkeypatch.setattr(following.events, "observe", fail)
    assert ask(click_of(settings, delivery)).status_code == 302
    assert ask(pixel_of(settings, delivery)).status_code == 200
    assert crm.events(delivery) == []


def test_a_mill_is_led_on_but_no_longer_counted_and_guessers_are_stopped(
    crm, ask, settings, monkeypatch
):
    monkeypatch.setattr(mailings.web.public.tracking_views, "COUNTED_OF_ADDRESS", 2)
    monkeypatch.setattr(mailings.web.public.tracking_views, "WRONG_OF_ADDRESS", 2)
    monkeypatch.setattr(
        mailings.web.public.tracking_views.throttle, "caller", lambda: "203.0.113.9"
    )
    mailing = crm.mailing()
    deliveries = [crm.delivery(mailing, number) for number in range(1, 5)]
    assert [ask(click_of(settings, each)).status_code for each in deliveries] == [302] * 4
    assert [len(crm.events(each)) for each in deliveries] == [1, 1, 0, 0]
    assert [ask("/c/guess").status_code for _ in range(4)] == [404, 404, 429, 429]


def test_nobody_fills_the_disk_by_one_letter(crm, ask, settings, monkeypatch):
    monkeypatch.setattr(following.events, "MOST", 2)
    delivery = crm.delivery(crm.mailing())
    for number in (1, 2, 1, 2):
        assert ask(click_of(settings, delivery, number)).status_code == 302
        ask(pixel_of(settings, delivery))
    assert len(crm.events(delivery)) == 2


OPENED, CLICKED = EventKind.OPENED, EventKind.CLICKED
PEOPLE = (
    Seen(OPENED, FIREFOX, HOUR),
    Seen(OPENED, GMAIL, HOUR),
    Seen(OPENED, "YahooMailProxy; https://help.yahoo.com/kb/yahoo-mail-proxy-SLN28749.html", HOUR),
    Seen(OPENED, "Mozilla/5.0 (compatible; YandexImageResizer/2.0; +http://yandex.com/bots)", HOUR),
    Seen(
        OPENED, "Microsoft Office/16.0 (Windows NT 10.0; Microsoft Outlook 16.0.17328; Pro)", HOUR
    ),
    Seen(
        CLICKED,
        "Mozilla/5.0 (Linux; Android 9; CUBOT X18) AppleWebKit/537.36 Chrome/120",
        HOUR,
        1,
        1,
    ),
    Seen(CLICKED, FIREFOX, None, 1, 5),
    Seen(CLICKED, FIREFOX, HOUR, 1, 1),
    Seen(CLICKED, FIREFOX, timedelta(seconds=2), 3, 9),
)
PROGRAMS = {
    Seen(OPENED, "Mozilla/5.0", HOUR): Ruling.APPLE,
    Seen(CLICKED, "Mozilla/5.0", HOUR): Ruling.NAMELESS,
    Seen(OPENED, "", HOUR): Ruling.NAMELESS,
    Seen(CLICKED, "python-requests/2.32", HOUR): Ruling.PROGRAM,
    Seen(CLICKED, "Microsoft Office Existence Discovery", HOUR): Ruling.PROGRAM,
    Seen(OPENED, "Mozilla/5.0 (compatible; Googlebot/2.1)", HOUR): Ruling.PROGRAM,
    Seen(CLICKED, "TelegramBot (like TwitterBot)", HOUR): Ruling.PROGRAM,
    Seen(OPENED, GMAIL, timedelta(seconds=1.9)): Ruling.AT_ONCE,
    Seen(CLICKED, FIREFOX, HOUR, 2, 2): Ruling.ALL_LINKS,
    Seen(CLICKED, FIREFOX, HOUR, 4, 30): Ruling.ALL_LINKS,
}


@pytest.mark.parametrize("seen", PEOPLE)
def test_people(seen):
    assert ruling(seen) is None


@pytest.mark.parametrize("seen", PROGRAMS)
def test_programs_and_the_rule_that_says_so(seen):
    assert ruling(seen) is PROGRAMS[seen]


def test_a_link_carries_the_mark_of_its_recipient_where_the_mailing_wants_it(
    crm, ask, settings, session
):
    mailing = crm.mailing()
    delivery = crm.delivery(mailing)
    assert links.marks_in(ask(click_of(settings, delivery, 2)).headers["Location"]) == []
    mailing.plan = {"mark_recipients": True}
    session.flush()
    (label,) = links.marks_in(ask(click_of(settings, delivery, 2)).headers["Location"])
    assert tokens.read_label(settings.secret_key, Purpose.MARK, label) == (crm.id, delivery.id)
