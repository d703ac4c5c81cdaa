"""Settings of mailings: the ground people are written to on, fields, limits, topics, servers, addresses, consents from a file."""

from __future__ import annotations

import html
import io
import json
import re

import pytest
import sqlalchemy as sa
from support.mail_pages import MailPages

from core.clock import utcnow
from mailings.consent import ledger, settings, suppressions
from mailings.models import MailServer
from mailings.permissions import Consent
from mailings.rules.consents import Basis
from mailings.sending import dns

CONSENT, LIMITS = "/settings/mailings/consent", "/settings/mailings/limits"
SERVER = {
    "name": "Отдел продаж", "host": "smtp.example.com", "port": "465", "security": "tls",
    "username": "sales", "password": "secret-word", "from_email": "sales@example.com",
    "daily_quota": "2000", "mailbox_host": "imap.example.com", "mailbox_username": "bounces",
    "mailbox_password": "other-secret",
}  # fmt: skip


def read(world):
    world.work()


@pytest.fixture
def pages(world):
    return MailPages(world.reach(read))


def version(pages, path=CONSENT):
    pages.get(path)
    return re.search(r'name="version" value="(\d+)"', pages.page)[1]


def rules(pages):
    with pages.world.runtime.sessions() as session:
        return settings.rules_of(session, pages.world.portal_id)


def test_writing_to_existing_clients_is_confirmed_in_writing_and_kept_in_the_history(pages):
    basis = f"{CONSENT}/basis"
    refused = pages.post(basis, version=version(pages), basis="existing_clients", confirmation="да")
    assert pages.status == 422
    assert "Подтвердите письменно" in refused
    assert rules(pages).basis is Basis.CONSENT
    words = "Они покупали у нас, договор разрешает рассылки"
    old = version(pages)
    said = pages.post(basis, version=old, basis="existing_clients", confirmation=words)
    assert pages.status == 200
    assert f"«{words}»" in said
    assert "Подтвердил(а) Вера Облонкова" in said
    assert "Только с согласия → Ещё и действующим клиентам" in said
    overtaken = pages.post(basis, version=old, basis="consent")
    assert pages.status == 422
    assert "кто-то уже сохранил" in overtaken or "тем временем" in overtaken
    pages.post(basis, version=version(pages), basis="consent")
    assert rules(pages).basis is Basis.CONSENT


def test_the_fields_of_consent_and_of_unsubscribing_are_chosen_among_the_portals(pages):
    pages.get(CONSENT)
    code = re.search(r'<option value="(UF_CRM_\w+)"', pages.page)[1]
    fields = {"consent_code": code, "consent_yes": "да, согласен", "consent_no": "нет"}
    said = pages.post(f"{CONSENT}/fields", version=version(pages), **fields)
    assert pages.status == 200, said
    assert rules(pages).consent_field.code == code
    assert rules(pages).consent_field.yes == ("да", "согласен")
    pages.post(
        f"{CONSENT}/fields", version=version(pages), consent_code="UF_CRM_NOBODYS", consent_yes="да"
    )
    assert pages.status == 422
    pages.post(
        f"{CONSENT}/fields", version=version(pages), unsubscribe_code=code, unsubscribe_value=""
    )
    assert pages.status == 422
    assert "Укажите, что записывать" in pages.page


def test_limits_and_topics(pages):
    form = {
        "cap_number.0": "2",
        "cap_days.0": "7",
        "cap_channel.1": "email",
        "cap_number.1": "1",
        "cap_days.1": "1",
    }
    said = pages.post(LIMITS, version=version(pages, LIMITS), attribution_days="14", **form)
    assert pages.status == 200, said
    assert [(cap.channel, cap.number, cap.days) for cap in rules(pages).caps] == [
        (None, 2, 7),
        ("email", 1, 1),
    ]
    assert rules(pages).attribution_days == 14
    pages.post(
        LIMITS, version=version(pages, LIMITS), attribution_days="14", **form | {"cap_days.0": ""}
    )
    assert pages.status == 422
    assert "нужны оба числа" in pages.page
    pages.post(LIMITS, version=version(pages, LIMITS), attribution_days="0")
    assert pages.status == 422

    assert (
        "Новости завода" in pages.post("/settings/mailings/topics", name="Новости завода")
        or "Новости завода" in pages.page
    )
    key = re.search(r'name="key" value="(t\w+)"', pages.page)[1]
    assert "Новости завода" in pages.page
    pages.post("/settings/mailings/topics/archive", key=key)
    assert "Новости завода" not in pages.page
    pages.post("/settings/mailings/topics/archive", key="offers")
    assert pages.status == 422


def test_a_server_is_entered_changed_and_its_passwords_are_never_shown(pages):
    assert "Почтового сервера пока нет" in pages.get("/settings/mailings")
    refused = pages.post(
        "/settings/mailings/servers", **SERVER | {"from_email": "sales", "port": "x"}
    )
    assert pages.status == 422
    assert "Здесь ошибка" in refused
    assert 'value="smtp.example.com"' in pages.page, "what was typed stays"
    assert "secret-word" not in pages.page
    pages.post("/settings/mailings/servers", **SERVER)
    assert pages.status == 200
    path = re.search(r'hx-post="(/settings/mailings/servers/\d+)"', pages.page)[1]
    for seen in (
        pages.page,
        pages.get(path) and pages.page,
        pages.get("/settings/mailings") and pages.page,
    ):
        assert "secret" not in seen
    with pages.world.runtime.sessions() as session:
        server = session.scalars(sa.select(MailServer)).one()
        vault, portal_id = pages.world.runtime.vault, pages.world.portal_id
        assert vault.open(portal_id, server.password_sealed) == "secret-word"
        assert vault.open(portal_id, server.mailbox_password_sealed) == "other-secret"
        assert server.mailbox == {
            "host": "imap.example.com",
            "security": "tls",
            "username": "bounces",
            "folder": "INBOX",
        }
        assert server.daily_quota == 2000
    changed = SERVER | {"password": "", "mailbox_password": "", "rate_per_minute": "30"}
    pages.post(path, **changed)
    with pages.world.runtime.sessions() as session:
        server = session.scalars(sa.select(MailServer)).one()
        assert server.rate_per_minute == 30
        assert vault.open(portal_id, server.password_sealed) == "secret-word"
        assert vault.open(portal_id, server.mailbox_password_sealed) == "other-secret"
    pages.post(path, **changed | {"mailbox_username": "somebody"})
    with pages.world.runtime.sessions() as session:
        assert session.scalars(sa.select(MailServer)).one().mailbox_password_sealed is None
    pages.post(f"{path}/archive")
    assert "Почтового сервера пока нет" in pages.get("/settings/mailings")


def test_a_check_says_when_a_server_does_not_answer_and_which_record_to_add(pages, monkeypatch):
    monkeypatch.setattr(dns, "asked", lambda name: ["v=DMARC1; p=none"] if "_dmarc" in name else [])
    pages.post(
        "/settings/mailings/servers",
        **SERVER | {"host": "127.0.0.1", "port": "1", "security": "none"},
    )
    path = re.search(r'hx-post="(/settings/mailings/servers/\d+)"', pages.page)[1]
    checked = pages.post(f"{path}/check")
    assert "Сервер нас не пускает" in checked
    assert "По этому адресу и порту никто не отвечает" in checked
    assert "Нет записи SPF" in checked
    assert "v=spf1" in checked
    assert "DMARC в порядке" in checked
    assert "DKIM не проверен" in checked
    assert "не отвечает" in pages.get("/settings/mailings")


def test_an_address_is_added_by_hand_found_and_lifted_but_not_after_a_complaint(pages):
    path = "/settings/mailings/suppressed"
    pages.post(path, address="не адрес", note="x")
    assert pages.status == 422
    pages.post(path, address="No@Example.com")
    assert pages.status == 422
    pages.post(path, address="No@Example.com", note="попросил по телефону")
    found = pages.get(path, search="NO@example.com")
    assert "попросил по телефону" in found
    sent = html.unescape(re.search(r'hx-vals="([^"]+)"', pages.page)[1])
    assert json.loads(sent) == {
        "channel": "email",
        "address": "no@example.com",
        "query": "view=&sort=-since&search=NO%40example.com",
    }
    assert "В списке нет" in pages.get(path, search="yes@example.com")
    pages.post(f"{path}/lift", channel="email", address="no@example.com")
    assert pages.status == 200
    assert "Список пуст" in pages.get(path)
    with pages.world.runtime.sessions.begin() as session:
        own = (session, pages.world.portal_id, "email", "angry@example.com", "complained")
        suppressions.suppress(*own, source="arf")
    assert "навсегда" in pages.get(path)
    pages.post(f"{path}/lift", channel="email", address="angry@example.com")
    assert pages.status == 422
    assert "пожаловался на спам" in pages.get(path, search="angry@example.com")


def test_consents_come_from_a_file_with_their_source_and_refused_rows_come_back(pages):
    path = "/settings/mailings/import"

    def sent():
        rows = "E-mail;Дата\nanna@example.com;01.02.2026\n=SUM(A1);01.02.2026\nanna@example.com;01.02.2026\n"
        return io.BytesIO(rows.encode()), "consents.csv"

    pages.post(path, source="", file=sent())
    assert pages.status == 422
    assert "Укажите, где эти люди дали согласие" in pages.page
    pages.post(path, source="форма на сайте")
    assert pages.status == 422
    pages.post(path, source="форма", file=(io.BytesIO(b"name\nanna\n"), "x.csv"))
    assert pages.status == 422
    said = pages.post(path, source="форма на сайте", file=sent())
    assert pages.status == 200
    assert re.search(r"Принято 1 Не принято 2", said)
    assert "это не адрес" in said
    assert "уже был в файле" in said
    assert "3;&#39;=SUM(A1);это не адрес" in pages.page
    with pages.world.runtime.sessions() as session:
        assert session.scalar(sa.select(sa.func.count()).select_from(Consent)) == 1
    assert "Согласны на письма 1" in pages.get(CONSENT)


def test_the_proof_of_one_address_is_shown_and_downloaded(pages):
    path, address = "/settings/mailings/suppressed", "anna@example.com"
    with pages.world.runtime.sessions.begin() as session:
        for given, source in ((True, "=форма"), (False, "page")):
            facts = {"channel": "email", "topic": "offers", "address": address, "source": source}
            proof = {"text_version": "2026-03", "ip": "192.0.2.7"}
            ledger.record(
                session, pages.world.portal_id, given=given, happened_at=utcnow(), **facts, **proof
            )
    assert "Согласий и отказов не записано" in pages.get(path, search="nobody@example.com")
    said = pages.get(path, search="Anna@Example.com")
    assert re.search(r"отказ .*на странице отписки.*согласие .*=форма", said)
    pages.get("/settings/mailings/proof", address="Anna@Example.com")
    head, *lines = pages.page.splitlines()
    assert "happened_at;recorded_at;channel;topic;address;given;source;text_version" in head
    assert [line.split(";")[4:8] for line in lines] == [
        [address, "True", "'=форма", "2026-03"], [address, "False", "page", "2026-03"],
    ]  # fmt: skip
    pages.get("/settings/mailings/proof", address=address, **{"as": "json"})
    assert [line["ip"] for line in json.loads(pages.page)] == ["192.0.2.7", "192.0.2.7"]
    pages.get("/settings/mailings/proof", address="")
    assert pages.status == 400
