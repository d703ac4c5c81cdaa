"""The first page of whoever has no rights over the base: his own clients whom it is time to speak to, nobody else's."""

from __future__ import annotations

import re
from datetime import timedelta
from decimal import Decimal

import pytest
from support.mail_results import MailPortal, signed_in, web
from support.settings_page import plain
from support.world import counted

import insights.mine.views
from core.clock import utcnow
from core.web import session as web_session
from insights.mine import clients
from insights.mine.rows import Occasion
from integration.mirror import Company, Deal
from segments.models import ClientMetrics, MetricsRun

ME, COLLEAGUE = 6, 8
TODAY = utcnow().date()


class Clients(MailPortal):
    """A portal with clients of somebody."""

    def client(
        self, number, ltv=1000, *, ago=None, gap=None, sales=2, owner=ME, kind="contact", **facts
    ):
        if kind == "contact":
            self.contact(number, f"Клиент {number}", assigned_by_id=owner, **facts)
        else:
            self.session.add(
                Company(portal_id=self.id, bitrix_id=number, title=f"Фирма {number}",
                        assigned_by_id=owner, **facts)
            )  # fmt: skip
        if ago is not None:
            last = TODAY - timedelta(days=ago)
            self.session.add(
                ClientMetrics(portal_id=self.id, kind=kind, client_id=number, ltv=Decimal(ltv), sales=sales,
                              first_sale_on=last, last_sale_on=last, mean_gap_days=gap)
            )  # fmt: skip
        self.session.flush()
        return f"{kind}:{number}"

    def listed(self, occasion, among=None, after=""):
        return clients.page(self.session, (self.id, ME), occasion, among, after)

    def names(self, occasion, among=None):
        return [line.client for line in self.listed(occasion, among).lines]


@pytest.fixture
def crm(session):
    found = Clients(session, utc_offset_minutes=0)
    session.add(
        MetricsRun(portal_id=found.id, computed_at=utcnow(), rule_version=1, clients=0, changed=0, seconds=0)
    )  # fmt: skip
    return found


@pytest.fixture
def page(settings, sessions, redis_url, crm):
    """Ask for the lists as an employee the portal lets read these clients."""
    with web(settings, sessions, insights.mine.views.blueprint) as client:

        def ask(*clients, path="/home/mine", status=200, **viewer):
            crm.session.commit()
            how = {"is_admin": False, "user_id": ME, "clients": clients, **viewer}
            headers = signed_in(settings, crm.id, **how) | {"HX-Request": "true"}
            answer = client.get(path, headers=headers)
            assert answer.status_code == status
            ask.html = answer.get_data(as_text=True)
            return plain(ask.html)

        yield ask


def test_a_client_is_due_by_his_own_rhythm_and_the_dearest_comes_first(crm):
    crm.client(1, 500, ago=28, gap=Decimal(30))
    crm.client(2, 900, ago=60, gap=Decimal(30), kind="company")
    crm.client(3, 9000, ago=20, gap=Decimal(30))  # it is too early
    crm.client(4, 8000, ago=5, gap=Decimal(2))  # buys all the time
    crm.client(5, 300, ago=20, gap=Decimal(2))  # used to
    crm.client(6, 700, ago=100, sales=1)  # the second purchase is overdue
    crm.client(7, 700, ago=40, sales=1)
    assert crm.names(Occasion.DUE) == ["company:2", "contact:6", "contact:1", "contact:5"]


def test_sleeping_and_lost_buyers_have_fallen_silent_the_dearest_first(crm):
    crm.client(1, 500, ago=200, gap=Decimal(30))
    crm.client(2, 900, ago=1000, sales=1)
    crm.client(3, 9000, ago=170)
    crm.client(4)  # never bought
    assert crm.names(Occasion.SILENT) == ["contact:2", "contact:1"]
    assert crm.names(Occasion.DUE) == []


def test_whoever_answered_last_comes_first_and_each_once(crm):
    now = utcnow()
    mailing = crm.mailing()
    for number, facts in (
        (1, {"human_clicked_at": now - timedelta(days=2)}),
        (2, {"replied_at": now - timedelta(hours=1)}),
        (3, {"human_clicked_at": now - timedelta(days=15)}),  # long ago
        (4, {"clicked_at": now}),  # a program
        (5, {"human_opened_at": now}),  # only looked
    ):
        crm.client(number, ago=10, gap=Decimal(30))
        crm.delivery(mailing, number, **facts)
    crm.delivery(crm.mailing(name="Вебинар"), 1, human_clicked_at=now - timedelta(days=1))
    found = crm.listed(Occasion.ANSWERED).lines
    assert [(line.client, line.replied, line.mailing) for line in found] == [
        ("contact:2", True, "Осенняя скидка"), ("contact:1", False, "Вебинар"),
    ]  # fmt: skip


def test_nobody_elses_clients_are_listed(crm, session):
    neighbour = Clients(session)
    for portal, number, owner in ((crm, 1, ME), (crm, 2, COLLEAGUE), (neighbour, 3, ME)):
        portal.client(number, ago=400, owner=owner)
        portal.delivery(portal.mailing(), number, human_clicked_at=utcnow())
    crm.client(4, ago=400, deleted_at=utcnow())
    crm.client(5, ago=400, kind="company", is_my_company=True)
    for occasion in (Occasion.SILENT, Occasion.ANSWERED):
        assert crm.names(occasion) == ["contact:1"]
    assert clients.candidates(session, crm.id, ME) == ["contact:1"]
    assert clients.candidates(session, 0, ME) == []


def test_whoever_is_being_spoken_to_is_neither_due_nor_silent(crm, session):
    for number, ago in ((1, 60), (2, 60), (3, 400), (4, 400)):
        crm.client(number, ago=ago, gap=Decimal(30))
    for number, contact, facts in ((1, 1, {}), (2, 2, {"stage_semantic": "F"}), (3, 3, {})):
        session.add(
            Deal(portal_id=crm.id, bitrix_id=number, contact_id=contact, **{"stage_semantic": "P", **facts})
        )  # fmt: skip
    session.flush()
    assert crm.names(Occasion.DUE) == ["contact:2"]
    assert crm.names(Occasion.SILENT) == ["contact:4"]


def test_a_client_the_portal_does_not_let_him_read_is_shown_nowhere(crm, page):
    names = [crm.client(number, 777_000 + number, ago=400) for number in (1, 2)]
    crm.delivery(crm.mailing(), 2, human_clicked_at=utcnow())
    assert "Клиент 1" in page(names[0])
    assert "Клиент 2" not in page.html
    assert "Клиент 2" not in page(names[0], path="/home/more?list=silent")
    for nobody in ((), ("lead:2",), ("company:2",)):
        assert re.search(r"Клиент \d", page(*nobody)) is None
    assert "Клиент 2" in page(rights=("write",)), "whoever may see the base sees all of his own"
    assert 'hx-get="/home"' in page.html, "and came from the first page of the base"


def test_the_page_tells_why_and_leads_to_the_card(crm, page):
    due = crm.client(1, 1_500_000, ago=40, gap=Decimal(30))
    silent = crm.client(2, ago=400, gap=Decimal(30), kind="company")
    answered = crm.client(3)
    crm.delivery(crm.mailing(), 3, replied_at=utcnow() - timedelta(hours=3))
    text = page(due, silent, answered)
    for words in (
        "Обычно покупает раз в 30 дней, прошло 40 дней.", "1,5 млн ₽",
        "Молчит 400 дней, раньше покупки были раз в 30 дней.", "Фирма 2",
        "Ответ на «Осенняя скидка» 3 часа назад.", "Покупок ещё не было",
    ):  # fmt: skip
        assert words in text
    assert 'data-open-path="/crm/company/details/2/"' in page.html
    assert "None" not in text


def test_a_long_list_is_shown_in_parts(crm, page):
    names = [crm.client(number, 1000 + number // 2, ago=400) for number in range(1, 13)]
    assert "12" in page(*names)
    more = re.search(r'hx-get="(/home/more[^"]*)"', page.html)[1].replace("&amp;", "&")
    first = re.findall(r"Клиент \d+", plain(page.html))
    rest = re.findall(r"Клиент \d+", page(*names, path=more))
    assert (len(first), rest) == (10, ["Клиент 3", "Клиент 1"])
    assert "hx-get" not in page.html
    assert len(set(first) | set(rest)) == 12
    page(path="/home/more?list=everybody", status=404)


def test_more_than_anybody_calls_is_not_listed(crm):
    for number in range(1, 53):
        crm.client(number, number, ago=400)
    found = crm.listed(Occasion.SILENT)
    assert (found.number, found.cut, found.lines[0].client) == (50, True, "contact:52")


def test_empty_lists_say_what_would_be_in_them(crm, page, session):
    text = page()
    for words in ("Сейчас никому не пора", "Никто не замолчал", "Пока никто не откликнулся"):
        assert words in text
    session.query(MetricsRun).delete()
    assert "Идёт первая загрузка" in page()


def opened(world, user, path="/"):
    """The clients that the session of whoever opens the application, or renews a session, names."""
    settings = world.runtime.settings
    answer = world.post(world.frame(user, handler=f"{settings.public_url}{path}"))
    token = answer.headers["X-Session"]
    return list(web_session.read(settings.secret_key, token, utcnow()).clients)


def change(world, table, row_id, **fields):
    world.demo.control(
        "mutate", {"table": table, "action": "update", "id": row_id, "fields": fields}
    )


def test_a_session_names_those_of_his_clients_the_portal_lets_the_manager_read(world):
    world.reach(counted)
    with world.runtime.sessions() as database:
        wanted = clients.candidates(database, world.portal_id, ME)
    assert len(wanted) > 3, "the data has clients to speak of"
    assert opened(world, ME) == wanted

    kind, _, number = wanted[0].partition(":")
    change(world, kind, int(number), ASSIGNED_BY_ID=COLLEAGUE, OPENED="N")
    assert opened(world, ME) == wanted[1:], "the mirror does not know yet, the portal does"
    assert opened(world, ME, "/session") == wanted[1:]

    change(world, "user", ME, CRM_RIGHTS={"contact": "", "company": ""})
    assert opened(world, ME) == []
    assert opened(world, 1, "/session") == [], "administrators see everybody"


def test_the_first_page_asks_for_the_lists(world):
    world.reach(counted)
    answer = world.open(ME)
    html = answer.get_data(as_text=True)
    assert 'hx-get="/home/mine"' in html
    assert "₽" not in html
    headers = {"Authorization": f"Bearer {answer.headers['X-Session']}"}
    text = plain(world.browser.get("/home/mine", headers=headers).get_data(as_text=True))
    assert "Мои клиенты" in text
    assert "₽" in text
