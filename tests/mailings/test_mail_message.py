"""A letter's bytes: parsed back they have exactly the expected headers, whatever names and subjects hold."""

from __future__ import annotations

import re
from email import message_from_bytes, policy
from email.header import decode_header, make_header
from types import SimpleNamespace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from core.config import Settings
from mailings.content import compiling, names
from mailings.content.message import BadAddress, Envelope, ascii_address, encoded
from mailings.content.rendering import Facts
from mailings.models import Mailing, MailServer
from mailings.rules import tokens
from mailings.rules.letters import Content
from mailings.rules.offers import Offer
from mailings.rules.tokens import Purpose

KEY = "a secret for tests only, long enough to sign with"
OURS = Settings(public_url="https://app.example.com", secret_key=KEY)
HEADERS = [
    "Date", "To", "Subject", "Message-ID", "List-Unsubscribe", "List-Unsubscribe-Post", "List-Id",
    "Feedback-ID", "X-Mailru-Msgtype", "Precedence", "From", "Reply-To", "MIME-Version", "Content-Type",
]  # fmt: skip
NASTY = st.text(
    st.one_of(
        st.characters(exclude_categories=("Cs",)),
        st.sampled_from('\r\n\0\x0b\x85\u2028\u202e\u200f\u05d0\u0645🎁👩‍💻=?<>"\\,;:@()'),
    ),
    max_size=200,
)


def envelope(subject="{{ client.name }}", **server):
    content = Content.read({
        "subject": subject, "how": "blocks",
        "blocks": [
            {"type": "text", "text": "Здравствуйте, {{ client.name }}!"},
            {"type": "button", "text": "В магазин", "href": "https://shop.example.com/"},
        ],
    })  # fmt: skip
    compiled = compiling.make(content, Offer(), 7, names.known_with(set()))
    facts = {
        "from_email": "sales@example.com", "from_name": "Кофе, и точка", "reply_to": "reply@example.com",
        "bounce_domain": "b.example.com", **server,
    }  # fmt: skip
    mailing = Mailing(portal_id=1, id=7, topic="offers")
    return Envelope(OURS, mailing, MailServer(portal_id=1, **facts), compiled)


def delivery(address="anna@example.com", number=55):
    return SimpleNamespace(id=number, kind="contact", client_id=1, address=address, code=None)


def named(name):
    return Facts({"client": {"name": name}})


def parsed(message):
    return message_from_bytes(message.raw, policy=policy.SMTP)


def word(header):
    return str(make_header(decode_header(header)))


USUAL = envelope()


def test_the_message_has_exactly_the_expected_headers():
    message = USUAL.message(delivery(), named("Анна"))
    read = parsed(message)
    assert read.keys() == HEADERS
    label = tokens.label(KEY, Purpose.MESSAGE, 1, 55)
    assert read["Message-ID"] == f"<m7.{label}@example.com>"
    assert read["Subject"] == "Анна"
    assert read["To"] == "anna@example.com"
    assert read["From"] == '"Кофе, и точка" <sales@example.com>'
    assert read["Reply-To"] == "reply@example.com"
    assert read["List-Unsubscribe-Post"] == "List-Unsubscribe=One-Click"
    assert read["Feedback-ID"] == "m7:p1:offers:rubilnik"
    assert read["X-Mailru-Msgtype"] == "m7.p1"
    assert (message.delivery_id, message.address, message.subject) == (
        55,
        "anna@example.com",
        "Анна",
    )


def test_returned_letters_and_unsubscribing_by_mail_lead_back_to_the_delivery():
    message = USUAL.message(delivery(), named("Анна"))
    local, _, domain = message.sender.partition("@")
    assert domain == "b.example.com"
    assert len(local) <= 64
    assert tokens.read_label(KEY, Purpose.RETURN, local.removeprefix("b+")) == (1, 55)
    https, mail = re.findall(r"<([^>]*)>", parsed(message)["List-Unsubscribe"])
    token = https.removeprefix("https://app.example.com/u/")
    assert tokens.read(KEY, Purpose.UNSUBSCRIBE, token) == (1, 55, 0)
    label = mail.removeprefix("mailto:u+").removesuffix("@b.example.com")
    assert tokens.read_label(KEY, Purpose.UNSUBSCRIBE, label) == (1, 55)


def test_without_a_domain_for_returns_they_come_to_the_sender():
    message = envelope(bounce_domain=None, reply_to=None).message(delivery(), named("Анна"))
    assert message.sender == "sales@example.com"
    assert "mailto" not in parsed(message)["List-Unsubscribe"]
    assert "Reply-To" not in parsed(message)


def test_both_parts_say_the_same_with_the_recipients_own_links():
    read = parsed(USUAL.message(delivery(), named("Анна")))
    text = read.get_body(("plain",)).get_content()
    html = read.get_body(("html",)).get_content()
    assert "Здравствуйте, Анна!" in text
    assert "Здравствуйте, Анна!" in html
    [click] = set(re.findall(r"https://app\.example\.com/c/([\w-]+)", html))
    assert click in text
    assert tokens.read(KEY, Purpose.CLICK, click) == (1, 55, 1)
    [opened] = re.findall(r'<img src="https://app\.example\.com/o/([\w-]+)"', html)
    assert tokens.read(KEY, Purpose.OPEN, opened) == (1, 55, 0)
    assert "/o/" not in text
    [out] = set(re.findall(r"https://app\.example\.com/u/([\w-]+)", html))
    assert tokens.read(KEY, Purpose.UNSUBSCRIBE, out) == (1, 55, 0)
    assert "rubilnik-link" not in html + text
    assert "shop.example.com" not in html + text


def test_lines_are_short_and_end_as_smtp_wants():
    raw = USUAL.message(delivery(), named("Анна " * 60)).raw
    assert raw.endswith(b"\r\n")
    assert b"\n" not in raw.replace(b"\r\n", b"")
    assert b"\r" not in raw.replace(b"\r\n", b"")
    lines = raw.split(b"\r\n")
    assert max(map(len, lines)) < 250, "only List-Unsubscribe is long: folding it breaks signatures"
    assert not [line for line in lines if len(line) > 78 and not line.startswith(b"List-Unsub")]
    assert raw.isascii()


def test_the_same_letter_for_who_looks_it_over_counts_nothing():
    message = USUAL.test("boss@example.com", named("Анна"))
    read = parsed(message)
    html = read.get_body(("html",)).get_content()
    assert "https://shop.example.com/" in html
    assert not re.search(r"/c/|/o/|/u/", html)
    assert not {"List-Unsubscribe", "Precedence", "Feedback-ID"} & set(read.keys())
    assert message.sender == "sales@example.com"


@settings(max_examples=80, deadline=None)
@given(name=NASTY)
def test_no_name_breaks_out_of_its_header_or_its_element(name):
    read = parsed(USUAL.message(delivery(), named(name)))
    assert read.keys() == HEADERS
    cleaned = " ".join(re.sub(r"[\x00-\x1f\x7f-\x9f\u2028\u2029]", " ", name).split())
    assert word(read["Subject"]) == cleaned
    html = read.get_body(("html",)).get_content()
    assert html.count("<p") == 2
    assert html.count("<a ") == 2


@settings(max_examples=50, deadline=None)
@given(subject=NASTY.filter(lambda text: not re.search(r"\{\{|\{%", text)), sender=NASTY)
def test_no_subject_and_no_sender_adds_a_header(subject, sender):
    subject = re.sub(r"[\x00-\x1f\x7f\x85\u2028\u2029]", "", subject).strip() or "Тема"
    read = parsed(envelope(subject, from_name=sender).message(delivery(), named("Анна")))
    assert read.keys() == HEADERS
    assert read["From"].addresses[0].addr_spec == "sales@example.com"
    assert len(read["From"].addresses) == 1


@settings(max_examples=200, deadline=None)
@given(text=NASTY)
def test_a_headers_text_comes_back_as_it_was(text):
    line = encoded(text)
    assert re.fullmatch(r"[\x20-\x7e]*(?:\r\n [\x20-\x7e]+)*", line)
    assert all(len(part) <= 75 for part in line.split("\r\n "))
    cleaned = " ".join(re.sub(r"[\x00-\x1f\x7f-\x9f\u2028\u2029]", " ", text).split())
    assert word(line.replace("\r\n", "")) == cleaned


@pytest.mark.parametrize(
    "address",
    [
        "", "anna", "@example.com", "anna@", "a b@example.com", "anna@example.com\r\nBcc: x@example.com",
        "anna@exa mple.com", "анна@example.com", "a@b@example.com", "<anna@example.com>", "anna@example.com>",
        "anna,boss@example.com", "anna@-example.com", ".anna@example.com", "an..na@example.com", "a\0@example.com",
        "x" * 65 + "@example.com", "anna@" + "x" * 300 + ".com", '"an na"@example.com', "anna@[127.0.0.1]",
    ],
)  # fmt: skip
def test_an_address_that_could_break_something_is_refused(address):
    with pytest.raises(BadAddress):
        USUAL.message(delivery(address), named("Анна"))


def test_a_domain_of_other_letters_is_written_in_ascii():
    assert ascii_address("ivan@почта.рф") == "ivan@xn--80a1acny.xn--p1ai"
    assert USUAL.message(delivery("ivan@почта.рф"), named("Иван")).address.isascii()
    assert ascii_address("O'Neil+tag@Example.COM") == "O'Neil+tag@example.com"
