"""The list of leads and deals that followed a mailing: found, sorted, as a file, and what is done with their clients."""

from __future__ import annotations

import re
from datetime import timedelta
from decimal import Decimal

import pytest
from support.mail_results import MailPortal, signed_in, web
from support.settings_page import plain

from core.clock import utcnow
from integration.mirror import PortalUser
from mailings.models import Attribution
from mailings.results import followed, leads
from mailings.web.people import views as people_views
from mailings.web.results import followed_pages
from mailings.web.results import views as result_views
from segments import member_views

BLUEPRINTS = [each.blueprint for each in (result_views, people_views, member_views)]


class Followed(MailPortal):
    """A portal with a mailing, and leads and deals that followed it."""

    def __init__(self, session):
        super().__init__(session)
        self.sent = self.mailing()
        for number, name in ((7, "Вера Облонкова"), (8, "Пётр Ильин")):
            session.add(PortalUser(portal_id=self.id, bitrix_id=number, name=name, active=True))
        for number, name in ((1, "Анна"), (2, "Борис")):
            self.contact(number, name, "Ветрова" if number == 1 else "Снегирёв")
        self.to = {number: self.delivery(self.sent, number) for number in (1, 2)}

    def follows(self, entity, number, client, *, hours, title="", owner=7, semantic="P", **facts):
        """A lead or deal that appeared so many hours ago."""
        table = leads.TABLES[entity]
        self.session.add(
            table(
                portal_id=self.id, bitrix_id=number, title=title, assigned_by_id=owner,
                stage_semantic=semantic, stage_id="NEW",
            )
        )  # fmt: skip
        at = utcnow() - timedelta(hours=hours)
        self.session.add(
            Attribution(
                **{"portal_id": self.id, "entity": entity, "bitrix_id": number, "mailing_id": self.sent.id,
                   "delivery_id": self.to[client].id, "touch": "clicked", "touched_at": at,
                   "happened_at": at, **facts}
            )
        )  # fmt: skip
        self.session.flush()


@pytest.fixture
def crm(session):
    made = Followed(session)
    sold = {"semantic": "S", "sold_on": utcnow().date()}
    made.follows("deal", 1, 1, hours=1, title="Окна", **sold, amount=Decimal(100))
    made.follows("deal", 2, 1, hours=2, title="Двери", owner=8, **sold, amount=Decimal(900))
    made.follows("lead", 1, 2, hours=3, title="=Звонок", semantic="F", touch="replied")
    made.follows("lead", 5, 2, hours=3, title="Заявка с сайта")
    return made


@pytest.fixture
def ask(settings, sessions, redis_url, crm, monkeypatch):
    """The words of a part of the pages; the portal itself is not asked."""
    monkeypatch.setattr(leads, "live", lambda _runtime, _portal, shown: shown)
    headers = signed_in(settings, crm.id) | {"HX-Request": "true"}
    with web(settings, sessions, *BLUEPRINTS) as client:

        def asking(path="", method="GET", status=200, at=f"/mailings/{crm.sent.id}/leads", **form):
            crm.session.commit()
            answer = client.open(at + path, method=method, headers=headers, data=form or None)
            assert answer.status_code == status, answer.get_data(as_text=True)[:2000]
            asking.html = answer.get_data(as_text=True)
            return plain(asking.html)

        yield asking


def titles(ask):
    return re.findall(r"data-open-path=[^>]+>([^<]+)</a>", ask.html)


def test_they_are_found_and_sorted_page_by_page(ask, monkeypatch):
    monkeypatch.setattr(followed, "PAGE", 2)
    ask()
    assert titles(ask) == ["Окна", "Двери"], "the newest first"
    assert "Найдено: 4" in plain(ask.html)
    assert re.search(r'hx-get="/mailings/\d+/leads\?[^"]*live=1" hx-trigger="load"', ask.html)
    more = re.search(r'hx-get="([^"]+after=[^"]+)"', ask.html)[1].replace("&amp;", "&")
    ask("?" + more.partition("?")[2])
    assert titles(ask) == ["Заявка с сайта", "=Звонок"]
    assert 'hx-trigger="load"' not in ask.html, "what the portal was asked about is not asked again"
    ask("?sort=-amount")
    assert titles(ask) == ["Двери", "Окна"]


@pytest.mark.parametrize(
    ("query", "found"),
    [
        ("entity=lead", ["Заявка с сайта", "=Звонок"]),
        ("outcome=won&sort=amount", ["Окна", "Двери"]),
        ("outcome=open", ["Заявка с сайта"]),
        ("outcome=lost&entity=deal", []),
        ("touch=replied", ["=Звонок"]),
        ("search=окн", ["Окна"]),
        ("search=ветрова+двер", ["Двери"]),
        ("search=ильин", ["Двери"]),
        ("search=№5", ["Заявка с сайта"]),
        ("search=100%25", []),
    ],
)
def test_filters_stay_in_the_address(ask, query, found):
    ask(f"?{query}")
    assert titles(ask) == found
    kept = re.search(r'data-list-query="([^"]+)"', ask.html)[1].replace("&amp;", "&")
    ask(f"?{kept}")
    assert titles(ask) == found


def test_of_very_many_only_the_newest_come_first(ask, monkeypatch):
    monkeypatch.setattr(followed_pages, "SORTED", 3)
    ask("?sort=-amount")
    assert titles(ask)[:2] == ["Окна", "Двери"]


def test_words_are_looked_for_among_the_newest_of_very_many_and_it_is_said(ask, monkeypatch):
    assert "среди последних" not in ask("?search=заявка")
    monkeypatch.setattr(followed, "SEARCHED", 3)
    said = ask("?search=о")
    assert titles(ask) == ["Окна", "Двери", "Заявка с сайта"], "the fourth is not looked at"
    assert "Найдено: 3 среди последних 3" in said
    ask()
    assert len(titles(ask)) == 4


def test_their_clients_are_put_into_a_list_each_once(ask, crm):
    ask()
    said = ask("", "POST", at="/people/put", name="Откликнулись", of=f"followed:{crm.sent.id}",
               every="1", query="outcome=won")  # fmt: skip
    assert "1 карточка добавлена в список «Откликнулись»" in said


def test_the_file_holds_what_is_found_and_no_formula(ask, monkeypatch):
    monkeypatch.setattr(followed, "EXPORTED_AT_ONCE", 1)
    ask("/export?columns=owner,client,amount")
    head, *lines = ask.html.split("\r\n")
    assert head == "\ufeffВид;Номер;Лид или сделка;Ответственный;Клиент;Сумма"
    assert lines[0] == "deal;1;Окна;Вера Облонкова;Анна Ветрова;100.00"
    assert lines[3] == "lead;1;'=Звонок;Вера Облонкова;Борис Снегирёв;"
    assert len(lines) == 5


def test_another_portals_are_neither_shown_nor_used(ask, crm, session):
    theirs = Followed(session)
    theirs.follows("deal", 1, 1, hours=1, title="Чужая")
    at = f"/mailings/{theirs.sent.id}/leads"
    ask("", status=404, at=at)
    ask("/export", status=404, at=at)
    ask("", "POST", 404, at="/people/file", of=f"followed:{theirs.sent.id}", every="1")
    assert "Чужая" not in ask("?search=Чужая") + ask("?live=1") + ask("/export")
    ask("", "POST", 404, at="/people/put", name="x", of="followed:999999999", every="1")
