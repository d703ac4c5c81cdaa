"""Every deal of a client has a verdict, and the counted ones add up to the stored LTV."""

from __future__ import annotations

from decimal import Decimal

import pytest
from support.card_data import ANNA, BORIS, OURS, ROMASHKA, CardPortal

from segments.models import ClientKind, ClientMetrics, ClientMode, ContactMode, SaleRule
from segments.worth import explain
from segments.worth.explain import Client, Verdict
from segments.worth.sales import rule_of

CONTACT = Client(ClientKind.CONTACT, ANNA)
COMPANY = Client(ClientKind.COMPANY, ROMASHKA)


@pytest.fixture
def portal(session):
    return CardPortal(session)


def verdicts(portal, client=CONTACT, **how):
    page, _ = explain.lines(portal.session, rule_of(portal.session, portal.id), client, **how)
    return {line.deal_id: line.verdict for line in page}


def stored(portal, client):
    return portal.session.get(ClientMetrics, (portal.id, client.kind.value, client.id))


@pytest.mark.parametrize(
    ("amount", "facts", "verdict"),
    [
        (100, {}, Verdict.COUNTED),
        (-40, {}, Verdict.REFUND),
        (0, {}, Verdict.ZERO),
        (100, {"currency_id": "EUR"}, Verdict.NO_RATE),
        (100, {"stage": "NEW"}, Verdict.OPEN),
        (100, {"stage": "LOSE"}, Verdict.LOST),
        (100, {"stage": "C3:WON", "pipeline_id": 3}, Verdict.PIPELINE),
        (100, {"is_recurring": True}, Verdict.TEMPLATE),
        (100, {"contacts": (BORIS, ANNA)}, Verdict.OTHER_CONTACT),
    ],
)
def test_each_reason(portal, amount, facts, verdict):
    portal.session.add(SaleRule(portal_id=portal.id, pipelines=[0]))
    deal = portal.deal(amount, **facts)
    assert verdicts(portal) == {deal: verdict}


@pytest.mark.parametrize(
    ("mode", "person", "firm"),
    [
        (ClientMode.COMPANY, Verdict.TO_COMPANY, Verdict.COUNTED),
        (ClientMode.CONTACT, Verdict.COUNTED, Verdict.TO_CONTACT),
    ],
)
def test_a_deal_is_one_clients_and_the_other_card_says_whose(portal, mode, person, firm):
    portal.session.add(SaleRule(portal_id=portal.id, client_mode=mode))
    shared = portal.deal(100, company_id=ROMASHKA)
    ours = portal.deal(50, company_id=OURS)
    assert verdicts(portal) == {shared: person, ours: Verdict.COUNTED}, "ours is no client"
    assert verdicts(portal, COMPANY) == {shared: firm}
    alone = portal.deal(70, company_id=ROMASHKA, contacts=())
    assert verdicts(portal, COMPANY)[alone] == Verdict.COUNTED


def test_own_company_is_no_client(portal):
    deal = portal.deal(100, company_id=OURS)
    assert verdicts(portal, Client(ClientKind.COMPANY, OURS)) == {deal: Verdict.OWN_COMPANY}


def test_deleted_and_foreign_deals_are_not_shown(portal):
    portal.deal(100, deleted_at="2026-10-02T00:00:00Z")
    portal.deal(100, contacts=(BORIS,))
    other = CardPortal(portal.session, member_id="b" * 32, client_id="other")
    other.deal(500)
    assert verdicts(portal) == {}


def mixed(portal):
    portal.deal("100.10", "2026-01-05", company_id=ROMASHKA)
    portal.deal("10.01", "2026-02-05", currency_id="USD", contacts=(ANNA, BORIS))
    portal.deal("-30", "2026-02-07", company_id=ROMASHKA)
    portal.deal("0", "2026-03-07", company_id=ROMASHKA)
    portal.deal("77", None)
    portal.deal("55.55", "2026-03-09", contacts=(BORIS, ANNA), company_id=ROMASHKA)
    portal.deal("1000", "2026-03-10", stage="NEW")
    portal.deal("1000", "2026-03-10", currency_id="EUR")


@pytest.mark.parametrize("mode", list(ContactMode))
@pytest.mark.parametrize("client", [CONTACT, COMPANY, Client(ClientKind.CONTACT, BORIS)])
def test_counted_deals_add_up_to_the_stored_figures(portal, mode, client):
    percent = {"margin_source": "percent", "margin_percent": Decimal("33.33")}
    portal.session.add(SaleRule(portal_id=portal.id, contact_mode=mode, **percent))
    mixed(portal)
    portal.compute()
    rule = rule_of(portal.session, portal.id)
    totals = explain.totals(portal.session, rule, client)
    page, following = explain.lines(portal.session, rule, client, counted_only=True)
    metrics = stored(portal, client)
    ltv, sales = (metrics.ltv, metrics.sales) if metrics else (Decimal(0), 0)
    assert following is None
    assert sum(line.credited for line in page) == totals.ltv == ltv
    assert totals.of(Verdict.COUNTED).deals == sales
    assert totals.margin == (metrics and metrics.margin)
    months = explain.months(portal.session, rule, client)
    assert sum(month.amount for month in months) == ltv
    assert sum(month.sales for month in months) == sales


def test_a_line_shows_the_arithmetic(portal):
    portal.deal("10.01", currency_id="USD")
    page, _ = explain.lines(portal.session, rule_of(portal.session, portal.id), CONTACT)
    line = page[0]
    assert (line.amount, line.currency, line.rate) == (Decimal("10.01"), "USD", Decimal("90.4512"))
    assert line.credited == line.base_amount == Decimal("905.42")
    assert (line.pipeline, line.stage) == ("Продажи", "Успешна")


def test_pages_are_newest_first_and_leave_nothing_out(portal):
    days = [None, "2026-03-01", "2026-03-01", "2026-02-01", "2025-01-01", None, "2026-05-01"]
    ids = [portal.deal(10, day) for day in days]
    seen, after = [], None
    while True:
        page, after = explain.lines(
            portal.session, rule_of(portal.session, portal.id), CONTACT, after=after, limit=2
        )
        seen += [line.deal_id for line in page]
        if after is None:
            break
    assert seen == [ids[6], ids[2], ids[1], ids[3], ids[4], ids[5], ids[0]]


def test_foreign_money_is_noticed(portal):
    portal.deal(10)
    rule = rule_of(portal.session, portal.id)
    assert not explain.totals(portal.session, rule, CONTACT).foreign
    portal.deal(10, currency_id="USD", stage="NEW")
    assert explain.totals(portal.session, rule, CONTACT).foreign
