"""The list of rows set aside: found, sorted, as a file, and many of them read again at once."""

from __future__ import annotations

import re
from datetime import timedelta

import pytest
from support.mail_results import MailPortal, signed_in, web
from support.settings_page import plain

from core.clock import utcnow
from integration import aside_views, jobs, set_aside
from integration.mirror import CustomField
from integration.models import QuarantinedRow

AT = "/health/aside"
ROWS = (
    ("contact", "1", "BIRTHDATE: not a date"),
    ("contact", "10", "left out: UF_CRM_SIZE: not a number"),
    ("deal", "7", "left out: UF_CRM_SIZE: not a number; UF_CRM_DAY: not a date with time"),
    ("activity", "None", "the row has another shape"),
)


@pytest.fixture
def crm(session):
    made = MailPortal(session)
    session.add(
        CustomField(
            portal_id=made.id, entity="deal", code="UF_CRM_SIZE", type_id="double", label="Размер партии",
            multiple=False,
        )
    )  # fmt: skip
    put(made, ROWS)
    return made


def put(portal, rows):
    for number, (entity, bitrix_id, reason) in enumerate(rows):
        portal.session.add(
            QuarantinedRow(
                portal_id=portal.id, entity=entity, bitrix_id=bitrix_id, reason=reason,
                seen_at=utcnow() - timedelta(hours=number),
            )
        )  # fmt: skip
    portal.session.flush()


@pytest.fixture
def asked_again(monkeypatch):
    named = []
    monkeypatch.setattr(
        jobs, "enqueue_retry", lambda portal_id, *rows: named.append((portal_id, rows))
    )
    return named


@pytest.fixture
def ask(settings, sessions, redis_url, crm):
    """The words of a page an administrator of the portal asks for."""
    headers = signed_in(settings, crm.id) | {"HX-Request": "true"}
    with web(settings, sessions, aside_views.blueprint) as client:

        def asking(path="", method="GET", status=200, **form):
            crm.session.commit()
            answer = client.open(AT + path, method=method, headers=headers, data=form or None)
            assert answer.status_code == status, answer.get_data(as_text=True)[:2000]
            asking.html = answer.get_data(as_text=True)
            return plain(asking.html)

        yield asking


def names(ask):
    return re.findall(r'aria-label="Выбрать «([^»]+)»"', ask.html)


def test_rows_are_shown_the_newest_first_page_by_page(ask, monkeypatch):
    monkeypatch.setattr(set_aside, "PAGE", 2)
    said = ask()
    assert names(ask) == ["Контакт 1", "Контакт 10"]
    assert "Дата рождения (BIRTHDATE): не дата" in said
    assert 'data-open-path="/crm/contact/details/1/"' in ask.html
    assert "4 строки отложены" in said
    more = re.search(r'hx-get="([^"]+after=[^"]+)"', ask.html)[1].replace("&amp;", "&")
    said = ask(more.removeprefix(AT))
    assert names(ask) == ["Сделка 7", "Дело None"]
    assert "Размер партии (UF_CRM_SIZE): не число" in said
    assert "Портал вернул строку в неожиданном виде" in said


@pytest.mark.parametrize(
    ("query", "found"),
    [
        ("entity=deal", ["Сделка 7"]),
        ("what=not+a+date", ["Контакт 1"]),
        ("what=not+a+number&sort=row", ["Контакт 10", "Сделка 7"]),
        ("part=row", ["Контакт 1", "Дело None"]),
        ("part=value&entity=contact", ["Контакт 10"]),
        ("search=партии", ["Контакт 10", "Сделка 7"]),
        ("search=uf_crm_day", ["Сделка 7"]),
        ("search=1", ["Контакт 1"]),
        ("search=№10", ["Контакт 10"]),
        ("search=нет такого", []),
        ("what=nothing+known", []),
    ],
)
def test_filters_stay_in_the_address(ask, query, found):
    ask(f"?{query}")
    assert names(ask) == found
    kept = re.search(r'data-list-query="([^"]+)"', ask.html)[1].replace("&amp;", "&")
    ask(f"?{kept}")
    assert names(ask) == found


def test_only_what_there_is_can_be_chosen(ask):
    ask()
    assert set(re.findall(r'<option value="(\w+)"', ask.html)) >= {"activity", "contact", "deal"}
    assert 'value="company"' not in ask.html
    assert 'value="not an amount"' not in ask.html


def test_ticked_rows_are_read_again(ask, crm, asked_again):
    said = ask("/retry", "POST", pick=["contact:1", "deal:7"], query="part=value")
    assert "Перечитываем строки" in said
    assert names(ask) == ["Контакт 10", "Сделка 7"], "the list stays as it was asked"
    ask("/retry", "POST", every="1", query="what=not+a+number")
    ask("/retry", "POST", query="search=нет такого", every="1")
    assert asked_again == [
        (crm.id, ("contact:1", "deal:7")), (crm.id, ("contact:10", "deal:7")),
    ], "nothing is asked of nobody"  # fmt: skip


def test_another_portals_rows_are_neither_shown_nor_read(ask, crm, asked_again, session):
    theirs = MailPortal(session)
    put(theirs, [("lead", "77", "=SUM(1): not a date")])
    assert "77" not in ask("?search=77") + ask("/file?search=77")
    assert "Лиды" not in ask()
    ask("/retry", "POST", every="1", query="entity=lead")
    assert asked_again == []


def test_the_file_holds_what_is_found_and_no_formula(ask, crm):
    put(crm, [("lead", "5", "=UF_CRM_X: not an id")])
    ask("/file?sort=row&part=row")
    head, *lines = ask.html.split("\r\n")
    assert head == "\ufeffВид;Номер;Что не подошло;Чего не хватает;Замечено"
    assert lines[2].startswith("Лид;5;'=UF_CRM_X: не номер объекта;вся строка;")
    assert len(lines) == 4
