"""The list of an employee's own clients: found, sorted, and nobody in it whom he may not see."""

from __future__ import annotations

import re
from datetime import timedelta
from decimal import Decimal

import pytest
from support.mail_results import MailPortal, signed_in, web
from support.settings_page import plain

from core.clock import utcnow
from insights.mine import list_views, roster
from integration.mirror import Address, Company, Deal
from mailings.web.people import views as people_views
from segments import member_views
from segments.models import ClientMetrics, MetricsRun

ME, COLLEAGUE = 6, 8
BLUEPRINTS = [each.blueprint for each in (list_views, people_views, member_views)]


class Clients(MailPortal):
    """A portal with clients of somebody, counted."""

    def __init__(self, session):
        super().__init__(session, utc_offset_minutes=0)
        run = MetricsRun(
            portal_id=self.id, computed_at=utcnow(), rule_version=1, clients=0, changed=0, seconds=0
        )
        session.add(run)

    def client(
        self, number, name, ltv=None, *, ago=400, sales=2, owner=ME, kind="contact", **facts
    ):
        if kind == "contact":
            self.contact(number, name, None, assigned_by_id=owner, **facts)
        else:
            own = {"portal_id": self.id, "bitrix_id": number, "assigned_by_id": owner}
            self.session.add(Company(title=name, **own, **facts))
        if ltv is not None:
            last = utcnow().date() - timedelta(days=ago)
            self.session.add(
                ClientMetrics(portal_id=self.id, kind=kind, client_id=number, ltv=Decimal(ltv), sales=sales,
                              first_sale_on=last, last_sale_on=last, mean_gap_days=Decimal(30))
            )  # fmt: skip
        self.session.flush()


@pytest.fixture
def crm(session):
    made = Clients(session)
    made.client(1, "Анна", 500, ago=40)
    made.client(2, "=Борис", 900, sales=1)
    made.client(3, "Вера")
    made.client(2, "Маяк", 700, ago=3, kind="company")
    made.client(9, "Чужой", 9000, owner=COLLEAGUE)
    made.client(8, "Ушедший", 8000, deleted_at=utcnow())
    return made


@pytest.fixture
def ask(settings, sessions, redis_url, crm):
    """The words of the list, asked for by an employee the portal lets read these clients."""
    with web(settings, sessions, *BLUEPRINTS) as client:

        def asking(path="", *proven, method="GET", status=200, at="/clients", form=None, **viewer):
            crm.session.commit()
            how = {"is_admin": False, "user_id": ME, "clients": proven, **viewer}
            headers = signed_in(settings, crm.id, **how) | {"HX-Request": "true"}
            answer = client.open(at + path, method=method, headers=headers, data=form)
            assert answer.status_code == status, answer.get_data(as_text=True)[:2000]
            asking.html = answer.get_data(as_text=True)
            return plain(asking.html)

        def of_base(path="", **how):
            return asking(path, rights=("write",), **how)

        asking.of_base = of_base
        yield asking


def names(ask):
    return re.findall(r"data-open-path=[^>]+>([^<]+)</a>", ask.html)


def test_all_of_his_own_are_sorted_page_by_page_contacts_and_companies_alike(ask, monkeypatch):
    monkeypatch.setattr(roster, "PAGE", 2)
    said = ask.of_base()
    assert names(ask) == ["=Борис", "Маяк"], "the dearest first"
    assert "4 клиента" in said
    more = re.search(r'hx-get="([^"]+after=[^"]+)"', ask.html)[1].replace("&amp;", "&")
    ask.of_base(more.removeprefix("/clients"))
    assert names(ask) == ["Анна", "Вера"]
    ask.of_base("?sort=last_sale")
    assert names(ask) == ["Вера", "=Борис"], "who never bought comes before everybody"


@pytest.mark.parametrize(
    ("query", "found"),
    [
        ("search=бор", ["=Борис"]),
        ("search=№2", ["=Борис", "Маяк"]),
        ("search=2&kind=company", ["Маяк"]),
        ("search=8 (999) 000-00-03", ["Вера"]),
        ("search=VERA@example.com", ["Вера"]),
        ("search=vera@example", []),
        ("occasion=due", ["Анна"]),
        ("occasion=silent", ["=Борис"]),
        ("occasion=answered", ["Вера"]),
    ],
)
def test_filters_stay_in_the_address(ask, crm, query, found):
    for kind, value in (("phone", "+79990000003"), ("email", "vera@example.com")):
        own = {"portal_id": crm.id, "entity": "contact", "entity_id": 3}
        crm.session.add(Address(kind=kind, position=0, value=value, normalised=value, **own))
    crm.delivery(crm.mailing(), 3, replied_at=utcnow() - timedelta(hours=1))
    ask.of_base(f"?{query}")
    assert names(ask) == found
    kept = re.search(r'data-list-query="([^"]+)"', ask.html)[1].replace("&amp;", "&")
    ask.of_base(f"?{kept}")
    assert names(ask) == found


def test_each_is_told_apart_by_why_it_is_time(ask, crm):
    said = ask.of_base()
    assert "Обычно покупает раз в 30 дней, прошло 40 дней." in said
    assert "Покупка была одна, 400 дней назад" in said or "400 дней" in said
    crm.session.add(Deal(portal_id=crm.id, bitrix_id=1, contact_id=1, stage_semantic="P"))
    assert "прошло 40 дней" not in ask.of_base(), "he is being spoken to already"
    assert "Анна" in names(ask)
    ask.of_base("?occasion=due")
    assert names(ask) == []


def test_whom_the_portal_does_not_let_him_read_he_finds_in_no_way(ask, crm):
    crm.delivery(crm.mailing(), 1, human_clicked_at=utcnow())
    said = ask("", "contact:2", "contact:9")
    assert names(ask) == ["=Борис"], "the colleague's client was given away meanwhile"
    assert "1 клиент" in said
    for query in (
        "?search=Анна",
        "?search=1",
        "?occasion=due",
        "?occasion=answered",
        "?kind=company",
    ):
        ask(query, "contact:2")
        assert names(ask) == []
    ask("?sort=-sales")
    assert names(ask) == []
    assert "data-pick" not in ask.html
    assert "/clients/file" not in ask.html
    ask("/file", "contact:2", status=403)
    ask("", "contact:2", at="/people/put", method="POST", status=403, form={"pick": "contact:1"})


def test_nobody_elses_and_no_other_portals_clients_are_listed(ask, crm, session):
    Clients(session).client(77, "Соседский", 99_000)
    for query in ("", "?search=Соседский", "?search=77", "?search=Чужой", "?search=Ушедший"):
        ask.of_base(query)
        assert not {"Соседский", "Чужой", "Ушедший"} & set(names(ask))


def test_ticked_ones_are_put_into_a_list_but_never_all_at_once(ask):
    ask.of_base()
    form = {"pick": ["contact:1", "company:2"], "name": "Обзвон", "of": ""}
    said = ask.of_base("", at="/people/put", method="POST", form=form)
    assert "2 карточки добавлены в список «Обзвон»" in said
    form = {"every": "1", "name": "Все", "of": ""}
    ask.of_base("", at="/people/put", method="POST", status=400, form=form)


def test_a_very_long_list_is_shown_by_number(ask, monkeypatch):
    monkeypatch.setattr(roster, "SORTED", 3)
    monkeypatch.setattr(roster, "PAGE", 3)
    ask.of_base("?sort=-ltv")
    assert names(ask) == ["Анна", "Маяк", "=Борис"]
    more = re.search(r'hx-get="([^"]+after=[^"]+)"', ask.html)[1].replace("&amp;", "&")
    ask.of_base(more.removeprefix("/clients"))
    assert names(ask) == ["Вера"]


def test_the_file_holds_what_is_found_and_no_formula(ask):
    ask.of_base("/file?columns=why,sales,last_sale&kind=contact&sort=-sales")
    head, *lines = ask.html.split("\r\n")
    assert head == "\ufeffВид;Номер;Клиент;Почему сейчас;Продажи;Последняя продажа"
    assert lines[0].startswith("Контакт;1;Анна;Обычно покупает раз в")
    assert lines[1].startswith("Контакт;2;'=Борис;")
    assert lines[2] == "Контакт;3;Вера;;;"


def test_before_the_base_is_counted_the_page_says_so(ask, session):
    session.query(MetricsRun).delete()
    assert "Идёт первая загрузка" in ask.of_base()
