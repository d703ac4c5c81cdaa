"""The tab as the portal opens it: who gets in, what they see, what later requests may ask for."""

from __future__ import annotations

import re
from dataclasses import replace

import pytest
from flask import Flask
from support.card_data import CardPortal

import insights.entry_views
import insights.tab.views
import integration.views
from core import runtime
from core.runtime import Runtime
from core.web import shell
from integration.mirror import Company, Contact
from integration.models import Portal, PortalState, SyncCursor, SyncRun
from segments.models import SaleRule
from segments.worth import metrics

MANAGER = 6
HANDLER = "https://app.example.com/"


class Tab:
    """Opens the tab in the demo portal as one of its users, and asks for more as the page does."""

    def __init__(self, web, demo, session):
        self.web, self.demo, self.session = web, demo, session
        self.app = demo.register(
            title="Рубильник", handler_url=HANDLER, scopes=["crm", "placement", "user_basic"]
        )
        member_id = self.frame("contact", 1)["body"]["member_id"]
        self.crm = CardPortal(
            session,
            domain=demo.domain,
            scheme="http",
            member_id=member_id,
            client_id=self.app["client_id"],
        )
        vault, portal = runtime.current().vault, session.get(Portal, self.crm.id)
        portal.client_secret_sealed = vault.seal(portal.id, self.app["client_secret"])
        session.commit()

    def frame(self, entity, entity_id, user_id=1):
        return self.demo.open(
            self.app["client_id"],
            user_id=user_id,
            placement=f"CRM_{entity.upper()}_DETAIL_TAB",
            options={"ID": str(entity_id)},
        )

    def open(self, entity, entity_id, user_id=1, **changed):
        frame = self.frame(entity, entity_id, user_id)
        query = frame["url"].partition("?")[2]
        code = f"crm_{entity}_detail_tab"
        return self.web.post(f"/placement/{code}?{query}", data=frame["body"] | changed)

    def get(self, path, token):
        headers = {"Authorization": f"Bearer {token}", "HX-Request": "true"}
        return self.web.get(path.replace("&amp;", "&"), headers=headers)


@pytest.fixture
def tab(portal_settings, sessions, session, portal):
    runtime.install(replace(Runtime.build(portal_settings), sessions=sessions))
    web = Flask("card", static_folder=None)
    web.testing = True
    web.register_blueprint(integration.views.blueprint)
    web.register_blueprint(insights.entry_views.blueprint)
    web.register_blueprint(insights.tab.views.blueprint)
    shell.register(web, portal_settings, recheck=integration.views.recheck)
    return Tab(web.test_client(), portal, session)


def row(tab, table, **wanted):
    """A row of the demo portal with these truths."""
    rows = tab.demo.control(f"rows/{table}?limit=500")
    rows = rows["rows"] if isinstance(rows, dict) else rows
    return next(
        r for r in rows if all(bool(r.get(key)) is is_set for key, is_set in wanted.items())
    )


def token_of(answer):
    return answer.headers["X-Session"]


def test_a_contact_is_shown_with_their_figures(tab):
    contact = int(row(tab, "contact")["ID"])
    tab.crm.deal("1500", contacts=(contact,), title="Первый заказ")
    tab.crm.deal("500.50", contacts=(contact,))
    tab.crm.compute()
    answer = tab.open("contact", contact)
    page = answer.get_data(as_text=True)
    assert answer.status_code == 200
    assert "2\xa0000,50\xa0₽" in page
    assert "Первый заказ" in page
    assert 'data-open-path="/crm/deal/details/1/"' in page
    assert f"frame-ancestors http://{tab.demo.domain}" in answer.headers["Content-Security-Policy"]


def test_a_card_the_viewer_may_not_read_shows_nothing_of_ours(tab):
    tab.demo.fault(
        "subcommand_error", "crm.contact.get", status=400, code="", description="Access denied."
    )
    contact = int(row(tab, "contact")["ID"])
    tab.crm.deal("1500", contacts=(contact,), title="Тайный заказ")
    tab.crm.compute()
    answer = tab.open("contact", contact)
    page = answer.get_data(as_text=True)
    assert answer.status_code == 403
    assert "Нет доступа к этой карточке" in page
    assert "Тайный заказ" not in page
    assert "1\xa0500" not in page
    assert "X-Session" not in answer.headers
    assert 'name="session"' not in page


def test_a_card_that_does_not_exist_is_no_access(tab):
    assert tab.open("company", 999_999_999).status_code == 403


def deal_with_both(tab):
    deal = row(tab, "deal", COMPANY_ID=True, CONTACT_ID=True)
    company, contact = int(deal["COMPANY_ID"]), int(deal["CONTACT_ID"])
    of = {"portal_id": tab.crm.id}
    tab.session.add(Company(**of, bitrix_id=company, title="ООО «Свежая вода»"))
    tab.session.merge(Contact(**of, bitrix_id=contact, name="Вера", last_name="Рощина"))
    tab.crm.deal("700", contacts=(contact,), company_id=company)
    tab.crm.deal("50", contacts=(contact,))
    tab.crm.compute()
    tab.session.commit()
    return int(deal["ID"])


def test_a_deal_shows_its_company_and_switches_to_the_contact(tab):
    answer = tab.open("deal", deal_with_both(tab))
    page = answer.get_data(as_text=True)
    assert "ООО «Свежая вода»" in page
    assert "700\xa0₽" in page
    switch = re.search(r'value="contact" hx-get="([^"]+)"', page)[1]
    switched = tab.get(switch, token_of(answer)).get_data(as_text=True)
    assert "Вера Рощина" in switched
    assert "750\xa0₽" in switched
    assert re.search(r'value="company" hx-get="([^"]+)"', switched)


def test_of_a_deal_only_readable_clients_are_shown(tab):
    deal = deal_with_both(tab)
    tab.demo.fault(
        "subcommand_error", "crm.company.get", status=400, code="", description="Access denied."
    )
    page = tab.open("deal", deal).get_data(as_text=True)
    assert "Вера Рощина" in page
    assert "Свежая вода" not in page
    assert 'name="whose"' not in page


def test_later_requests_serve_only_what_the_session_was_opened_for(tab):
    contact = int(row(tab, "contact")["ID"])
    for number in range(25):
        tab.crm.deal("10", contacts=(contact,), title=f"Мой заказ {number}")
    tab.crm.deal("10", contacts=(contact + 1,), title="Чужой заказ")
    tab.crm.compute()
    token = token_of(tab.open("contact", contact))
    first = tab.get("/card/deals?show=all", token).get_data(as_text=True)
    assert first.count("Мой заказ") == 20
    rest = re.search(r'hx-get="([^"]+after=[^"]+)"', first)[1]
    assert tab.get(rest, token).get_data(as_text=True).count("Мой заказ") == 5
    other = token_of(tab.open("contact", contact + 1))
    assert tab.get("/card/deals?show=all", other).status_code == 200
    assert tab.get(rest, other).status_code == 403
    for name in (contact, f"contact:{contact + 1}", "contact:x", "deal:1", ""):
        assert tab.get(f"/card/deals?client={name}", token).status_code == 403
    assert tab.get("/card/deals?after=nonsense", token).status_code == 400
    assert tab.web.get("/card/deals").status_code == 401


def test_clients_of_a_deal_are_proved_anew_with_the_session(tab):
    deal = deal_with_both(tab)
    switch = re.search(r'value="contact" hx-get="([^"]+)"', tab.open("deal", deal).text)[1]
    frame = tab.frame("deal", deal)
    query = frame["url"].partition("?")[2]
    renewed = tab.web.post(f"/session?{query}", data=frame["body"])
    assert renewed.status_code == 204
    assert tab.get(switch, token_of(renewed)).status_code == 200, "the page goes on as it was"
    refused = {"status": 400, "code": "", "description": "Access denied."}
    tab.demo.fault("subcommand_error", "crm.contact.get", **refused)
    frame = tab.frame("deal", deal)
    narrowed = tab.web.post(f"/session?{query}", data=frame["body"])
    assert narrowed.status_code == 204
    assert tab.get(switch, token_of(narrowed)).status_code == 403, "rights withdrawn meanwhile"


def test_a_forged_token_is_refused(tab):
    contact = int(row(tab, "contact")["ID"])
    answer = tab.open("contact", contact, AUTH_ID="0" * 32)
    assert answer.status_code == 403
    assert "X-Session" not in answer.headers


def test_the_form_of_another_placement_is_refused(tab):
    assert tab.open("contact", 1, PLACEMENT="CRM_DEAL_DETAIL_TAB").status_code == 403


def test_an_overloaded_portal_is_a_friendly_page_inside_the_frame(tab):
    tab.demo.fault("error", "oauth.app.info", status=503, code="INTERNAL_SERVER_ERROR", times=99)
    answer = tab.open("contact", 1)
    assert answer.status_code == 502
    assert "Внешний сервис не ответил" in answer.get_data(as_text=True)
    assert f"frame-ancestors http://{tab.demo.domain}" in answer.headers["Content-Security-Policy"]


def test_a_removed_application_asks_to_be_installed(tab):
    tab.session.get(Portal, tab.crm.id).state = PortalState.UNINSTALLED
    tab.session.commit()
    contact = int(row(tab, "contact")["ID"])
    tab.crm.deal("900", contacts=(contact,), title="Старый заказ")
    tab.crm.compute()
    answer = tab.open("contact", contact, user_id=MANAGER)
    page = answer.get_data(as_text=True)
    assert 'class="empty"' in page
    assert "Старый заказ" not in page
    assert "X-Session" not in answer.headers


def test_before_the_first_reading_the_page_tells_how_far_it_is(tab):
    run = SyncRun(portal_id=tab.crm.id, full=True, status="running")
    tab.session.add(run)
    tab.session.flush()
    tab.session.add(
        SyncCursor(portal_id=tab.crm.id, entity="deal", run_id=run.id, expected=200, rows=50)
    )
    tab.session.get(Portal, tab.crm.id).last_sync_at = None
    tab.session.commit()
    page = tab.open("contact", int(row(tab, "contact")["ID"])).get_data(as_text=True)
    assert "Читаем сделки портала" in page
    assert "25\xa0%" in page
    assert re.search(r'hx-trigger="[^"]*every', page)


def test_without_sales_the_rule_is_told(tab):
    contact = int(row(tab, "contact")["ID"])
    tab.crm.deal("900", contacts=(contact,), stage="NEW")
    tab.crm.compute()
    page = tab.open("contact", contact).get_data(as_text=True)
    assert "Продаж пока нет" in page
    assert "ещё не выиграна" in page


@pytest.mark.parametrize("cause", ["deal", "rule"])
def test_outdated_figures_are_called_so(tab, cause):
    contact = int(row(tab, "contact")["ID"])
    tab.crm.deal("900", contacts=(contact,))
    tab.crm.compute()
    assert "Показатели пересчитываются" not in tab.open("contact", contact).get_data(as_text=True)
    if cause == "deal":
        tab.crm.deal("100", contacts=(contact,))
    else:
        tab.session.add(SaleRule(portal_id=tab.crm.id, version=2))
    tab.session.commit()
    assert "Показатели пересчитываются" in tab.open("contact", contact).get_data(as_text=True)
    metrics.compute_all(tab.session, tab.crm.id)
    assert "Показатели пересчитываются" not in tab.open("contact", contact).get_data(as_text=True)


def test_opening_a_deal_asks_the_portal_with_one_request(tab):
    deal = deal_with_both(tab)
    tab.demo.control("counters/reset", {})
    assert tab.open("deal", deal).status_code == 200
    counted = tab.demo.counters()
    assert counted["batch"] == 1
    assert {name for name, calls in counted.items() if calls} == {
        *("oauth.app.info", "batch", "profile"),
        *("crm.deal.get", "crm.company.get", "crm.contact.get"),
    }
