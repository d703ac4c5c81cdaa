"""A letter sent to be looked over: it really arrives, and what hinders it is told."""

from __future__ import annotations

from dataclasses import replace
from email import message_from_string, policy
from types import SimpleNamespace

import pytest

from core.crypto import Vault
from demo.mail.process import mail_sink
from integration.mirror import Contact
from integration.models import Portal
from mailings.content.checking import Person
from mailings.models import Mailing
from mailings.sending import trial as letter_trial

ANNA = Person("contact", 1)


@pytest.fixture
def portal_id(session):
    portal = Portal(domain="a.example.com", client_id="local.1.2", member_id="a" * 32)
    session.add(portal)
    session.flush()
    session.add(Contact(portal_id=portal.id, bitrix_id=1, name="Анна"))
    session.commit()
    return portal.id


def runtime(settings, sessions, smtp_url):
    ours = replace(settings, smtp_url=smtp_url, mail_from="Кофе <sales@example.com>")
    return SimpleNamespace(settings=ours, sessions=sessions, vault=Vault(settings.encryption_keys))


def draft(session, portal_id, source="Здравствуйте, {{ client.name }}! {{ sender.name }}"):
    content = {"subject": "Проба для {{ client.name }}", "how": "text", "source": source}
    mailing = Mailing(portal_id=portal_id, name="Осень", channel="email", content=content)
    session.add(mailing)
    session.commit()
    return mailing.id


def test_it_arrives_as_the_person_would_get_it(settings, sessions, session, portal_id):
    mailing_id = draft(session, portal_id)
    with mail_sink() as sink:
        world = runtime(settings, sessions, sink.smtp_url)
        code = letter_trial.send(world, portal_id, mailing_id, ANNA, "boss@example.com")
        assert code == "sent"
        [taken] = sink.messages()
    read = message_from_string(taken["raw"], policy=policy.SMTP)
    assert (read["To"], read["Subject"]) == ("boss@example.com", "Проба для Анна")
    assert "Здравствуйте, Анна! Кофе" in taken["text"]


@pytest.mark.parametrize(
    ("source", "address", "smtp_url", "code"),
    [
        ("x", "boss@example.com", "", "no_server"),
        ("{{ client.nobody }}", "boss@example.com", "smtp://127.0.0.1:1", "broken"),
        ("x", "no address\r\nBcc: x@example.com", "smtp://127.0.0.1:1", "address"),
    ],
)
def test_what_hinders_it_is_told(settings, sessions, session, portal_id, source, address, smtp_url, code):  # fmt: skip
    mailing_id = draft(session, portal_id, source)
    world = runtime(settings, sessions, smtp_url)
    assert letter_trial.send(world, portal_id, mailing_id, ANNA, address) == code


def test_a_server_that_does_not_answer_is_named(settings, sessions, session, portal_id):
    mailing_id = draft(session, portal_id)
    world = runtime(settings, sessions, "smtp://127.0.0.1:1")
    code = letter_trial.send(world, portal_id, mailing_id, ANNA, "boss@example.com")
    assert code not in {"sent", "lost", "?"}
