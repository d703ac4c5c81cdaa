"""What a mailing came to: the reference mailing in figures and on the page, recipients, links, leads, the next letter."""

from __future__ import annotations

import csv
import io
import re
from datetime import timedelta
from decimal import Decimal

import pytest
import sqlalchemy as sa
from support.mail_results import MailPortal, signed_in, web
from support.settings_page import plain

from core.clock import utcnow
from integration.mirror import Deal, Lead, PortalUser, Status
from mailings.models import Attribution, Delivery, DeliveryAttempt, Mailing
from mailings.results import details, recipients, report
from mailings.results.recipients import Did, Wanted
from mailings.rules import rates
from mailings.rules.events import EventKind
from mailings.rules.rates import Counts
from mailings.web.results import views
from segments import member_views
from segments.saved import Segment, SegmentStay

REFERENCE = Counts(
    attempted=11_717, sent=11_396, opened=1_457, clicked=139, errors=321, unsubscribed=46
)
AGO = timedelta(minutes=30)


def test_the_reference_mailing_in_shares():
    found = rates.rates(REFERENCE)
    shown = {
        "opened": 12.785, "clicked": 1.220, "errors": 2.740, "unsubscribed": 0.404, "click_to_open": 9.540,
        "complained": 0.0, "replied": 0.0, "converted": 0.0,
    }  # fmt: skip
    assert {name: round(getattr(found, name) * 100, 3) for name in shown} == shown


def test_nothing_sent_has_no_shares():
    found = rates.rates(Counts())
    assert {getattr(found, name) for name in found.__slots__} == {None}


def test_return_on_investment():
    spent = rates.cost(1000, Decimal("0.50"), Decimal(500))
    assert spent == Decimal(1000)
    assert rates.roi(Decimal(2500), spent) == Decimal("1.5")
    assert rates.roi(Decimal(0), spent) == -1
    assert rates.roi(Decimal(2500), Decimal(0)) is None


@pytest.fixture
def crm(session):
    return MailPortal(session)


@pytest.fixture
def page(settings, sessions, redis_url, crm):
    """Ask for a page as the portal's administrator; the words on it."""
    headers = signed_in(settings, crm.id)
    with web(settings, sessions, views.blueprint, member_views.blueprint) as client:

        def ask(path, method="GET", status=200, **form):
            crm.session.commit()
            answer = client.open(path, method=method, headers=headers, data=form or None)
            assert answer.status_code == status, answer.get_data(as_text=True)[:2000]
            ask.html = answer.get_data(as_text=True)
            ask.data = answer.data
            return plain(ask.html)

        yield ask


def reference(crm):
    """The mailing of the business's own report: 11,396 of 11,717."""
    mailing = crm.mailing(name="Акция для потерянных", plan={"cost_per_message": "0.5"})
    both = {"human_opened_at": utcnow(), "opened_at": utcnow()}
    parts = (
        (100, both | {"human_clicked_at": utcnow(), "clicked_at": utcnow(), "unsubscribed_at": utcnow()}),
        (39, both | {"human_clicked_at": utcnow(), "clicked_at": utcnow()}),
        (1318, both),
        (500, {"opened_at": utcnow()}),
        (9439, {}),
        (200, {"state": "failed", "reason": "no_such_address", "reply_code": 550, "reply_status": "5.1.1"}),
        (121, {"state": "bounced", "reason": "soft", "reply_status": "5.2.2"}),
        (305, {"state": "skipped", "reason": "no_consent"}),
        (12, {"state": "held"}),
    )  # fmt: skip
    client = 1
    for number, facts in parts:
        client = crm.crowd(mailing, number, client, **facts)
    crm.session.execute(
        sa.update(Delivery)
        .where(Delivery.unsubscribed_at.is_not(None), Delivery.client_id > 46)
        .values(unsubscribed_at=None)
    )
    crm.session.add(PortalUser(portal_id=crm.id, bitrix_id=1, name="Марина Ланская"))
    return mailing


def test_the_reference_mailing_on_its_page(crm, page):
    mailing = reference(crm)
    text = page(f"/mailings/{mailing.id}/result")
    for words in (
        "11 396 из 11 717", "Открыли 1 457 12,8 % с программами: 1 957", "Перешли по ссылке 139 1,2 %",
        "Ошибки 321 2,7 %", "Отписались 46 0,4 %", "Марина Ланская", "Из открывших перешли по ссылке 9,5 %",
    ):  # fmt: skip
        assert words in text, words
    assert "такого адреса нет · 550 5.1.1 200" in text
    assert "кто не дал согласия 305" in text.lower() or "305" in text
    assert 'hx-trigger="live"' in page.html, "it listens, and does not ask by itself"
    assert page(f"/mailings/{mailing.id}/result/card").count("11 396") == 1


def test_figures_add_up_to_the_audience(crm):
    mailing = reference(crm)
    found = report.figures(crm.session, mailing)
    assert found.audience == 11_717 + 305 + 12
    assert (found.open, found.done) == (0, found.audience)
    assert found.cost == Decimal("5698.0")
    assert (found.people, found.everybody.opened) == (REFERENCE, 1_957)
    assert (found.roi, found.no_roi) == (None, "no_margin")


def test_while_it_goes_out_the_card_asks_for_itself(crm, page):
    mailing = crm.mailing(state="running")
    crm.crowd(mailing, 30)
    crm.crowd(mailing, 70, 31, state="pending")
    text = page(f"/mailings/{mailing.id}/result/card")
    assert 'hx-trigger="live, every 2s"' in page.html
    assert "30 из 100" in text
    page(f"/mailings/{mailing.id}/result")
    assert f'hx-get="/mailings/{mailing.id}/result/card"' in page.html


def test_every_number_leads_to_the_people_behind_it(crm, page):
    mailing = reference(crm)
    page(f"/mailings/{mailing.id}/result")
    links = set(re.findall(r'hx-get="(/mailings/\d+/recipients\?[^"]+)"', page.html))
    wanted = {
        "did=opened": "1 457", "did=clicked": "139", "state=errors": "321", "did=unsubscribed": "46",
        "state=attempted": "11 717", "state=sent": "11 396", "state=skipped&reason=no_consent": "305",
        "state=held": "12", "state=failed&reason=no_such_address": "200", "did=converted": "0",
    }  # fmt: skip
    for asked, number in wanted.items():
        path = f"/mailings/{mailing.id}/recipients?{asked}"
        assert path.replace("&", "&amp;") in links, asked
        assert f"{number} получател" in page(path), asked


def test_recipients_are_paged_by_their_place_and_found_by_name(crm, page, session):
    mailing = crm.mailing()
    crm.crowd(mailing, 120)
    for number in range(1, 4):
        crm.contact(number, "Анна", f"Ветрова{number}")
    seen, after = [], None
    while after != "":
        found, after = recipients.page(session, mailing, Wanted(), after or "")
        seen += [each.member.id for each in found]
    assert seen == list(range(1, 121))
    text = page(f"/mailings/{mailing.id}/recipients")
    assert "Анна Ветрова1" in text
    more = re.search(r'hx-get="([^"]+after=\w+)"', page.html)[1].replace("&amp;", "&")
    assert "client51@example.com" in page(more)
    assert "<html" not in page.html
    for typed, names in (
        ("ветрова2", {2}), ("CLIENT7@example", {7}), ("№9", {9}), ("ветрова 100%", set()), ("_", set()),
    ):  # fmt: skip
        found, _ = recipients.page(session, mailing, Wanted(typed=typed))
        assert {each.member.id for each in found} == names, typed


def test_what_is_asked_for_wrongly_finds_nobody_or_everybody_but_never_fails(crm, page):
    mailing = crm.mailing()
    crm.crowd(mailing, 3)
    at = f"/mailings/{mailing.id}/recipients"
    assert "0 получателей" in page(f"{at}?state=nonsense&reason=x")
    assert "3 получателя" in page(f"{at}?did=nonsense&_scheme=x&_external=1")
    page(f"{at}?after=-5&search=%00%25")
    page(f"{at}/999999", status=404)
    page("/mailings/999999/result", status=404)
    page(f"/mailings/{2**70}/result", status=404)


def test_the_file_is_safe_to_open_and_complete(crm, page):
    mailing = crm.mailing()
    crm.contact(1, "=HYPERLINK(1)", "Ветрова")
    crm.delivery(mailing, 1, human_opened_at=utcnow())
    crm.crowd(mailing, 2, 2, state="skipped", reason="no_address")
    page(f"/mailings/{mailing.id}/recipients/export")
    rows = list(csv.reader(io.StringIO(page.data.decode("utf-8-sig")), delimiter=";"))
    assert len(rows) == 4
    assert rows[1][:5] == [
        "contact",
        "1",
        "'=HYPERLINK(1) Ветрова",
        "client1@example.com",
        "отправлено",
    ]
    assert rows[2][4] == "не отправлено"
    page(f"/mailings/{mailing.id}/recipients/export?did=opened")
    assert page.data.count(b"\n") == 2


def test_the_trail_of_one_message(crm, page):
    mailing = crm.mailing()
    sent = crm.delivery(mailing, 1, reply_code=250, sent_at=utcnow() - timedelta(hours=3))
    crm.session.add(
        DeliveryAttempt(
            portal_id=crm.id, delivery_id=sent.id, attempt=1, at=utcnow() - timedelta(hours=4),
            outcome="deferred", reply_code=451, reply_status="4.7.1", text="greylisted",
        )
    )  # fmt: skip
    sent.planned_at = utcnow() - timedelta(hours=5)
    crm.event(sent, EventKind.OPENED, utcnow() - timedelta(hours=2), human=False, ruling="apple")
    crm.event(sent, EventKind.CLICKED, utcnow() - timedelta(hours=1), link=2)
    text = page(f"/mailings/{mailing.id}/recipients/{sent.id}")
    lines = ("Записан в получатели", "451 4.7.1 greylisted", "Принято почтовым сервером",
             "Apple Mail загружает картинки сам", "Перешёл по ссылке «Ссылка 2»")  # fmt: skip
    places = [text.index(each) for each in lines]
    assert places == sorted(places)


def test_links_by_how_many_people_followed_them(crm, page, session):
    mailing = crm.mailing()
    for client in range(1, 4):
        delivery = crm.delivery(mailing, client)
        crm.event(delivery, EventKind.CLICKED, utcnow() - AGO, link=1)
        crm.event(delivery, EventKind.CLICKED, utcnow(), link=1)
        crm.event(delivery, EventKind.CLICKED, utcnow(), link=2, human=client == 1, ruling=None)
    heat = {
        each.number: (each.clicks, each.people, each.everybody)
        for each in details.heat(session, mailing)
    }
    assert heat == {1: (6, 3, 3), 2: (1, 1, 3)}
    assert "Ссылка 2" in page(f"/mailings/{mailing.id}/result")


def follow(crm, mailing, client, entity, number, **facts):
    """A lead or deal credited to the mailing."""
    delivery = crm.delivery(mailing, client, human_clicked_at=utcnow())
    crm.session.add(
        Attribution(
            portal_id=crm.id, entity=entity, bitrix_id=number, mailing_id=mailing.id,
            delivery_id=delivery.id, touch="clicked", touched_at=utcnow() - AGO,
            happened_at=utcnow() - timedelta(minutes=number), **facts,
        )
    )  # fmt: skip
    crm.session.flush()


def test_money_is_shown_with_how_it_is_counted(crm, page):
    mailing = crm.mailing(plan={"cost_of_content": "1000"})
    follow(
        crm,
        mailing,
        1,
        "deal",
        1,
        sold_on=utcnow().date(),
        amount=Decimal(5000),
        margin=Decimal(2500),
    )
    follow(crm, mailing, 2, "deal", 2, sold_on=utcnow().date(), amount=Decimal(700))
    follow(crm, mailing, 3, "lead", 1)
    found = report.figures(crm.session, mailing)
    earned = found.earned
    assert (earned.leads, earned.deals, earned.sales, earned.clients) == (1, 2, 2, 3)
    assert (earned.revenue, earned.margin, earned.costed) == (5700, 2500, 1)
    assert (found.cost, found.roi, found.no_roi) == (1000, Decimal("1.5"), None)
    text = page(f"/mailings/{mailing.id}/result")
    for words in (
        "5 700 ₽",
        "2 500 ₽",
        "1 000 ₽",
        "150 %",
        "известна для 50 % продаж",
        "ROI — маржа за вычетом расходов",
    ):
        assert words in text, words
    mailing.plan = {}
    assert report.figures(crm.session, mailing).no_roi == "no_cost"
    assert "в плане рассылки не указаны расходы" in page(f"/mailings/{mailing.id}/result")


def test_what_followed_is_listed_with_stage_and_owner(crm, page, session):
    mailing = crm.mailing()
    crm.contact(1, "Анна", "Ветрова")
    session.add_all([
        PortalUser(portal_id=crm.id, bitrix_id=7, name="Пётр Гринёв"),
        Status(portal_id=crm.id, dictionary="DEAL_STAGE_3", status_id="C3:NEW", name="Замер"),
        Status(portal_id=crm.id, dictionary="STATUS", status_id="NEW", name="Не обработан"),
        Deal(portal_id=crm.id, bitrix_id=5, title="Окна", pipeline_id=3, stage_id="C3:NEW", assigned_by_id=7),
        Lead(portal_id=crm.id, bitrix_id=6, title="Заявка", stage_id="NEW"),
    ])  # fmt: skip
    follow(crm, mailing, 1, "deal", 5)
    follow(crm, mailing, 2, "lead", 6)
    text = page(f"/mailings/{mailing.id}/leads")
    for words in (
        "Окна",
        "Сделка №5",
        "Замер",
        "Пётр Гринёв",
        "Анна Ветрова",
        "после перехода",
        "Заявка",
        "Не обработан",
    ):
        assert words in text, words
    assert 'hx-trigger="load"' in page.html, "it asks once for what the portal says now"
    assert "Заявка" not in page(f"/mailings/{mailing.id}/leads?entity=deal")
    assert "Окна" in page(f"/mailings/{mailing.id}/leads?live=1"), (
        "a portal that can't be asked hides nothing"
    )


def test_the_next_letter_goes_to_those_who_did_not_open(crm, page, session):
    mailing = crm.mailing(
        content={"subject": "Скидка"},
        plan={"rate_per_minute": 60, "not_after": "2026-01-01T00:00+03:00"},
    )
    for client in range(1, 8):
        crm.contact(client, f"Клиент {client}")
    crm.delivery(mailing, 1, human_opened_at=utcnow())
    crm.delivery(mailing, 2, opened_at=utcnow())  # only a program looked
    crm.delivery(mailing, 3)
    crm.delivery(mailing, 4, unsubscribed_at=utcnow())
    crm.delivery(mailing, 5, state="bounced")
    text = page(f"/mailings/{mailing.id}/result")
    assert "Написать не открывшим · 2" in text
    for _ in range(2):
        page(f"/mailings/{mailing.id}/follow-up", "POST", whom="not_opened", key="2")
    [draft] = session.scalars(sa.select(Mailing).where(Mailing.parent_id == mailing.id))
    assert f'hx-get="/mailings/{draft.id}"' in page.html
    assert (draft.state, draft.name) == ("draft", "Осенняя скидка: не открыли")
    assert (draft.content, draft.plan) == ({"subject": "Скидка"}, {"rate_per_minute": 60})
    stays = sa.select(SegmentStay.member_id).where(SegmentStay.segment_id == draft.segment_id)
    assert sorted(session.scalars(stays)) == [2, 3]
    listed = session.get(Segment, (crm.id, draft.segment_id))
    assert (listed.how, listed.counters["contacts"]) == ("static", 2)


def test_the_next_letter_goes_to_those_who_clicked_and_asked_for_nothing(crm, page, session):
    mailing = crm.mailing()
    follow(crm, mailing, 1, "lead", 1)
    crm.delivery(mailing, 2, human_clicked_at=utcnow(), human_opened_at=utcnow())
    assert recipients.number(session, mailing, Wanted(did=Did.CLICKED_ONLY)) == 1
    page(f"/mailings/{mailing.id}/follow-up", "POST", whom="clicked_only")
    [draft] = session.scalars(sa.select(Mailing).where(Mailing.parent_id == mailing.id))
    assert draft.name.endswith("перешли, не лиды")
    page(f"/mailings/{mailing.id}/follow-up", "POST", status=400, whom="everybody")
    session.execute(sa.delete(Delivery))
    page(f"/mailings/{mailing.id}/follow-up", "POST", status=422, whom="not_opened", key="x")
    assert "Писать некому" in plain(page.html)


def test_a_call_list_speaks_of_calls_and_not_of_openings(crm, page):
    mailing = crm.mailing(channel="call_list", links=())
    crm.crowd(mailing, 3, 2)
    called = crm.delivery(mailing, 1)
    crm.event(called, EventKind.CALLED, utcnow() - AGO)
    crm.event(called, EventKind.CALLED, utcnow())
    text = page(f"/mailings/{mailing.id}/result")
    assert "Позвонили 1 25 %" in text
    for words in ("Открыли", "Отписались", "Написать не открывшим"):
        assert words not in text
    assert "1 получатель" in page(f"/mailings/{mailing.id}/recipients?did=called")
