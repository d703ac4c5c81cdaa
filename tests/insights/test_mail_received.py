"""The card tells what the client was sent and what he made of it: to whoever may see the card, of nobody else."""

from __future__ import annotations

from datetime import timedelta

import pytest
import sqlalchemy as sa
from support.mail_results import MailPortal, signed_in, web
from support.settings_page import plain

import insights.tab.views
from core.clock import utcnow
from insights.tab import received
from integration.models import MergedClient, Portal
from mailings.models import Attribution
from segments.models import MetricsRun
from segments.worth.explain import Client

ANNA = "contact:1"


@pytest.fixture
def crm(session):
    return MailPortal(session, last_sync_at=utcnow())


@pytest.fixture
def page(settings, sessions, redis_url, crm):
    """Ask for a page of the tab as a manager who was proved to be allowed to see Anna."""
    headers = signed_in(settings, crm.id, is_admin=False, clients=(ANNA,)) | {"HX-Request": "true"}
    with web(settings, sessions, insights.tab.views.blueprint) as client:

        def ask(path, status=200):
            crm.session.commit()
            answer = client.get(path, headers=headers)
            assert answer.status_code == status
            ask.html = answer.get_data(as_text=True)
            return plain(ask.html)

        yield ask


def test_the_card_tells_what_was_sent_and_what_came_of_it(crm, page, session):
    crm.contact(1, "Анна", "Ветрова")
    session.add(
        MetricsRun(
            portal_id=crm.id, computed_at=utcnow(), rule_version=1, clients=0, changed=0, seconds=0
        )
    )
    clicked = crm.delivery(
        crm.mailing(name="Осенняя скидка"), human_clicked_at=utcnow(), human_opened_at=utcnow()
    )
    crm.delivery(crm.mailing(name="Вебинар"), opened_at=utcnow())
    crm.delivery(crm.mailing(name="Не ушло"), state="skipped", sent_at=None)
    crm.delivery(crm.mailing(name="Чужое"), 2)
    session.add(
        Attribution(portal_id=crm.id, entity="deal", bitrix_id=1, mailing_id=clicked.mailing_id,
                    delivery_id=clicked.id, touch="clicked", touched_at=utcnow(), happened_at=utcnow())
    )  # fmt: skip
    text = page(f"/card?client={ANNA}")
    assert "Осенняя скидка" in text
    assert "перешёл по ссылке стал лидом или сделкой" in text
    assert "Вебинар" in text
    assert "не открыл" in text, "a program that loads pictures is no reader"
    assert "Не ушло" not in text
    assert "Чужое" not in text


def test_further_letters_are_asked_for_and_only_of_ones_own_client(crm, page):
    crm.contact(1, "Анна")
    for number in range(30):
        crm.delivery(
            crm.mailing(name=f"Рассылка {number:02}"), sent_at=utcnow() - timedelta(days=number)
        )
    after, seen = "", []
    while after is not None:
        found, after = received.page(crm.session, crm.id, Client.named(ANNA), after)
        seen += [each.name for each in found]
    assert seen == [f"Рассылка {number:02}" for number in range(30)]
    assert "Рассылка 00" in page(f"/card/mailings?client={ANNA}")
    page("/card/mailings?client=contact:2", status=403)
    page(f"/card/mailings?client={ANNA}&after=rubbish")


def test_letters_to_a_merged_card_are_the_winners(crm, session):
    crm.delivery(crm.mailing(), 9)
    session.add(MergedClient(portal_id=crm.id, kind="contact", loser_id=9, winner_id=1))
    session.flush()
    found, _ = received.page(session, crm.id, Client.named(ANNA))
    assert [each.delivery.client_id for each in found] == [9]
    assert session.scalar(sa.select(sa.func.count()).select_from(Portal)) == 1
