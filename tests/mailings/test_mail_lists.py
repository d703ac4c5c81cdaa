"""The list of mailings and of a mailing's recipients: found, sorted, many at once by the rule of each one."""

from __future__ import annotations

import re
from datetime import timedelta

import pytest
import sqlalchemy as sa
from support.mail_results import MailPortal, signed_in, web
from support.settings_page import plain

from core.clock import utcnow
from mailings.content import offers
from mailings.content.offers import Wish
from mailings.models import Mailing, Offer
from mailings.permissions import Suppression
from mailings.rules.offers import OfferKind
from mailings.web.drafts import list_views, shelves
from mailings.web.letters import offer_views
from mailings.web.people import views as people_views
from mailings.web.results import views as result_views
from segments import member_views

EDGES = list_views, people_views, result_views, member_views, offer_views
BLUEPRINTS = [each.blueprint for each in EDGES]


@pytest.fixture
def crm(session):
    return MailPortal(session)


@pytest.fixture
def ask(settings, sessions, redis_url, crm):
    """The words of a page an administrator of the portal asks for."""
    headers = signed_in(settings, crm.id) | {"HX-Request": "true"}
    with web(settings, sessions, *BLUEPRINTS) as client:

        def asking(path, method="GET", status=200, **form):
            crm.session.commit()
            answer = client.open(path, method=method, headers=headers, data=form or None)
            assert answer.status_code == status, answer.get_data(as_text=True)[:2000]
            asking.html = answer.get_data(as_text=True)
            crm.session.expire_all()
            return plain(asking.html)

        yield asking


def names(ask):
    return re.findall(r'aria-label="Выбрать «([^»]+)»"', ask.html)


def state(crm, mailing):
    return crm.session.scalar(sa.select(Mailing.state).where(Mailing.id == mailing))


def test_mailings_are_found_by_name_channel_and_state_and_sorted_page_by_page(
    ask, crm, monkeypatch
):
    monkeypatch.setattr(shelves, "PAGE", 2)
    for number, facts in enumerate(
        ({"name": "Весна", "state": "draft"}, {"name": "Осень"}, {"name": "Зима", "channel": "call_list"},
         {"name": "Осень ещё раз", "size": 7})
    ):  # fmt: skip
        crm.mailing(**facts, finished_at=utcnow() - timedelta(days=9 - number))
    ask("/mailings")
    assert names(ask) == ["Осень ещё раз", "Зима"], "the newest first, as many as a page holds"
    more = re.search(r'hx-get="(/mailings\?[^"]+after=[^"]+)"', ask.html)[1].replace("&amp;", "&")
    ask(more)
    assert names(ask) == ["Осень", "Весна"]
    ask("/mailings?sort=name&search=осень")
    assert names(ask) == ["Осень", "Осень ещё раз"]
    assert "2 рассылки" in plain(ask.html)
    ask("/mailings?channel=call_list")
    assert names(ask) == ["Зима"]
    ask("/mailings?state=draft")
    assert names(ask) == ["Весна"]
    ask("/mailings?sort=-size")
    assert names(ask)[0] == "Осень ещё раз"
    file = ask("/mailings/file?columns=state,size&search=ещё")
    assert file.split() == [
        "\ufeffНазвание;Состояние;Получатели",
        "Осень",
        "ещё",
        "раз;завершена;7",
    ]


def test_what_one_button_refuses_is_refused_among_many_and_said(ask, crm):
    running, paused, draft, over = (
        crm.mailing(name=name, state=name).id for name in ("running", "paused", "draft", "finished")
    )
    every = [str(each) for each in (running, paused, draft, over)]
    said = ask("/mailings/picked/pause", "POST", pick=[*every, "0", "x", "999999999"])
    assert "2 рассылки приостановлены" in said, "one was paused already, and stays so"
    assert "Не сделано: 2." in said
    assert "draft : её состояние — «черновик»" in said
    assert state(crm, running) == "paused"
    said = ask("/mailings/picked/delete", "POST", pick=every)
    assert "1 черновик удалён" in said
    assert "Не сделано: 3." in said
    assert state(crm, draft) is None
    said = ask("/mailings/picked/cancel", "POST", every="1", query="state=paused")
    assert "2 рассылки отменены" in said
    assert (state(crm, running), state(crm, over)) == ("cancelled", "finished")
    assert "Ничего не сделано" in ask("/mailings/picked/resume", "POST", pick=str(over))


def test_mailings_of_another_portal_are_left_alone(ask, crm, session):
    theirs = MailPortal(session)
    number = theirs.mailing(name="Чужая", state="draft").id
    sent = theirs.mailing(name="Чужая")
    theirs.delivery(sent, 5)
    for act in ("delete", "pause", "resume", "cancel"):
        assert "Чужая" not in ask(f"/mailings/picked/{act}", "POST", pick=str(number))
        ask(f"/mailings/picked/{act}", "POST", every="1", query="search=Чужая")
    assert state(crm, number) == "draft"
    ask("/people/stop", "POST", 404, of=f"mailing:{sent.id}", every="1")
    ask("/people/file", "POST", 404, of=f"mailing:{sent.id}", every="1")
    assert crm.session.scalar(sa.select(sa.func.count()).select_from(Suppression)) == 0


def test_recipients_are_sorted_ticked_and_put_into_a_new_list(ask, crm):
    mailing = crm.mailing(size=3)
    for number in (1, 2, 3):
        crm.contact(number, "Анна", f"Ветрова{number}")
        opened = utcnow() - timedelta(hours=number) if number > 1 else None
        crm.delivery(mailing, number, human_opened_at=opened)
    at = f"/mailings/{mailing.id}/recipients"
    ask(f"{at}?sort=-opened&columns=opened")
    assert names(ask) == ["Анна Ветрова2", "Анна Ветрова3", "Анна Ветрова1"]
    ask(f"{at}?did=opened")
    assert len(names(ask)) == 2
    said = ask(
        "/people/put",
        "POST",
        name="Открывшие",
        of=f"mailing:{mailing.id}",
        every="1",
        query="did=opened",
    )
    assert "2 карточки добавлены в список «Открывшие»" in said


def test_too_many_at_once_are_refused_before_anything_is_done(ask, crm, monkeypatch):
    monkeypatch.setattr("mailings.web.people.picking.AT_ONCE", 2)
    mailing = crm.mailing(size=3)
    crm.crowd(mailing, 3)
    said = ask("/people/stop", "POST", of=f"mailing:{mailing.id}", every="1")
    assert "Ничего не сделано: выбрано больше 2" in said


def test_offers_are_put_away_but_those_that_are_being_sent(ask, crm, session):
    made = [
        offers.create(session, portal_id, Wish(OfferKind.NEW, name, {})).id
        for portal_id, name in (
            (crm.id, "Кофе"),
            (crm.id, "Чай"),
            (MailPortal(session).id, "Чужое"),
        )
    ]
    crm.mailing(name="Осень", state="running", offer_id=made[0])
    ask("/offers?sort=name")
    assert names(ask) == ["Кофе", "Чай"]
    ask("/offers?search=ча&kind=new")
    assert names(ask) == ["Чай"]
    said = ask("/offers/picked/archive", "POST", pick=[str(each) for each in made])
    assert "1 предложение убрано в архив" in said
    assert "Кофе : его отправляют рассылки: Осень" in said
    others = sa.select(Offer.archived_at).where(Offer.id == made[2])
    assert session.scalar(others) is None
