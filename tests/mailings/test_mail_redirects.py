"""Links of letters lead where the letter led, and nowhere else, whatever is asked."""

from __future__ import annotations

import pytest
from support.mail_results import MailPortal, click_of, web

import mailings.web.public.tracking_views
from mailings.rules import tokens
from mailings.rules.tokens import Purpose

AGENT = {
    "User-Agent": "Mozilla/5.0 (Windows NT 10.0; Win64; x64; rv:140.0) Gecko/20100101 Firefox/140.0"
}
EVIL = "evil.example"
PAYLOADS = (
    "//evil.example", "///evil.example", "////evil.example", "/\\evil.example", "\\\\evil.example",
    "https://evil.example", "http://evil.example", "https:evil.example", "https:/evil.example",
    "https:///evil.example", "hTTps://evil.example", "//evil%2eexample", "//evil%E3%80%82example",
    "https://shop.example.com@evil.example", "https://shop.example.com:x@evil.example",
    "https://evil.example#shop.example.com", "https://evil.example?shop.example.com",
    "https://evil.example\\@shop.example.com", "https://shop.example.com.evil.example",
    "javascript:alert(1)", "JaVaScRiPt:alert(1)", "java%0ascript:alert(1)", "data:text/html,evil",
    "vbscript:msgbox(1)", "file:///etc/passwd", "ftp://evil.example", "%2f%2fevil.example",
    "%5c%5cevil.example", "/%09/evil.example", "/%2f%2fevil.example", "/%5cevil.example",
    "//%00evil.example", "https://%65vil.example", "https://evil.example%00.shop.example.com",
    "https://[::ffff:127.0.0.1]", "https://127.0.0.1", "https://2130706433", "//0x7f000001",
    "https://evil.example/%2e%2e", "..//evil.example", "/..//evil.example", "./\\evil.example",
    "%0d%0aLocation:%20https://evil.example", "%E5%98%8D%E5%98%8ALocation:https://evil.example",
    "?url=https://evil.example", "?next=//evil.example", "?redirect=https://evil.example",
    "#https://evil.example", "https://еvil.example", "@evil.example", ";@evil.example",
)  # fmt: skip


@pytest.fixture
def crm(session):
    return MailPortal(session)


@pytest.fixture
def client(settings, sessions, redis_url):
    with web(settings, sessions, mailings.web.public.tracking_views.blueprint) as client:
        yield client


def test_there_are_fifty_attempts():
    assert len(set(PAYLOADS)) >= 50


@pytest.mark.parametrize("payload", PAYLOADS)
def test_nobody_is_led_out_of_the_list(client, settings, crm, payload):
    """In place of the token, after it, as every parameter a redirect was ever asked by, as headers."""
    delivery = crm.delivery(crm.mailing())
    genuine = click_of(settings, delivery)
    stored = "https://shop.example.com/sale?utm_source=mail"
    for path in (f"/c/{payload}", f"{genuine}{payload}", f"{genuine}/{payload}"):
        answer = client.get(path, headers=AGENT)
        assert answer.status_code in {302, 308, 404}, path
        assert answer.headers.get("Location", stored) == stored or answer.status_code == 308
        assert not answer.headers.get("Location", "").startswith(
            ("//", "\\", "javascript", f"https://{EVIL}")
        )
    asked = dict.fromkeys(("url", "next", "u", "redirect", "r", "to", "link"), payload)
    answer = client.get(genuine, query_string=asked, headers=AGENT | {"X-Forwarded-Host": EVIL})
    assert answer.status_code == 302
    assert answer.headers["Location"] == stored


def test_a_link_that_is_not_a_web_address_leads_nowhere(client, settings, crm):
    odd = ("javascript:alert(1)", "data:text/html,x", "//evil.example", "https://a@evil.example",
           "https:///nowhere", "https://shop.example.com/\r\nSet-Cookie: a=b", "mailto:a@example.com")  # fmt: skip
    delivery = crm.delivery(crm.mailing(links=odd))
    for number in range(1, len(odd) + 1):
        assert client.get(click_of(settings, delivery, number), headers=AGENT).status_code == 404
    assert crm.events(delivery) == []


def test_addresses_in_other_letters_and_ports_are_led_to(client, settings, crm):
    """As browsers understand them: hosts in IDNA, paths in per cent."""
    written = {
        "https://пример.рф/акция?имя=Анна": "https://xn--e1afmkfd.xn--p1ai/%D0%B0%D0%BA%D1%86%D0%B8%D1%8F"
        "?%D0%B8%D0%BC%D1%8F=%D0%90%D0%BD%D0%BD%D0%B0",
        "https://shop.example.com:8443/a%20b?c=1&d=2#e": "https://shop.example.com:8443/a%20b?c=1&d=2#e",
    }
    delivery = crm.delivery(crm.mailing(links=tuple(written)))
    for number, location in enumerate(written.values(), 1):
        answer = client.get(click_of(settings, delivery, number), headers=AGENT)
        assert (answer.status_code, answer.headers["Location"]) == (302, location)


def test_a_token_of_another_purpose_portal_or_link_opens_nothing(client, settings, crm, session):
    delivery, key = crm.delivery(crm.mailing()), settings.secret_key
    other = MailPortal(session)
    wrong = [
        tokens.make(key, Purpose.OPEN, crm.id, delivery.id, 1),
        tokens.make(key, Purpose.UNSUBSCRIBE, crm.id, delivery.id, 1),
        tokens.make("another key", Purpose.CLICK, crm.id, delivery.id, 1),
        tokens.make(key, Purpose.CLICK, other.id, delivery.id, 1),
        tokens.make(key, Purpose.CLICK, crm.id, delivery.id, 9),
        tokens.make(key, Purpose.CLICK, crm.id, 2**63 - 1, 1),
        tokens.make(key, Purpose.CLICK, crm.id, 2**64 - 1, 1),
        tokens.make(key, Purpose.CLICK, 2**32 - 1, delivery.id, 1),
        "", "a", "a" * 5000, "%00", "..%2f..", "ключ",
    ]  # fmt: skip
    for token in wrong:
        assert client.get(f"/c/{token}", headers=AGENT).status_code == 404, token
    assert crm.events(delivery) == []
