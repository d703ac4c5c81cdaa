"""A marketer's way through the portal's own pages: a row's menu, the menu above a list, a deal, a lead, a card."""

from __future__ import annotations

import pytest
import sqlalchemy as sa
from support import axe
from support.live import live_world
from support.story import SLIDER, TAB, Story, let_start

from integration import field_types
from mailings.models import Mailing
from segments.members import choosing
from segments.rules.tree import Kind

MARKETER = 2
BADGE = "[data-field=UF_CRM_RUBILNIK_VALUE] iframe"


@pytest.fixture
def served(settings, portal, redis_url, live_sessions):
    """The application served, installed, read and counted, the value field on the cards."""
    with live_world(settings, portal, working=False) as world:
        world.work()
        world.set_rule(pipelines=(0, 1))
        world.count()
        field_types.show(world.runtime, world.portal)
        let_start(world, MARKETER)
        yield world


def readable(browser, frame):
    """Whether everybody can read and work what is open, in the dark too."""
    axe.load(browser, frame)
    found = axe.violations(browser, frame)
    if browser.eval("Boolean(document.querySelector('#dark'))", frame):
        browser.eval("document.querySelector('#dark').media = 'all'", frame)
        found += axe.violations(browser, frame, ["color-contrast"])
        browser.eval("document.querySelector('#dark').media = 'not all'", frame)
    wide = "document.documentElement.scrollWidth > document.documentElement.clientWidth"
    return found == [] and not browser.eval(wide, frame), found


def test_from_lists_and_cards_into_a_list_and_a_mailing(browser, served):
    story = Story(browser, served, user=MARKETER, width=375)
    through_the_cards(browser, story)
    through_the_lists(browser, story)
    story.end()


def through_the_lists(browser, story):
    served = story.world
    story.go("/crm/contact/list/")
    browser.click(".grid tbody tr:first-child .cell-menu button")
    browser.click(".widget-item >> text=Рубильник")
    browser.wait("text=Выбрана 1 карточка", frame=SLIDER)
    browser.fill("input[type=search]", "Семинар", frame=SLIDER)
    browser.click("text=Новый список «Семинар»", frame=SLIDER)
    browser.wait("text=1 карточка добавлена в список «Семинар»", frame=SLIDER)
    assert readable(browser, SLIDER) == (True, [])
    with served.runtime.sessions() as session:
        made = choosing.found(session, served.portal_id)[0]
    browser.click("text=Отменить", frame=SLIDER)
    browser.wait("text=Снова убрано из списка", frame=SLIDER)
    browser.click(".slider-close")
    browser.wait(".slider-panel", state="detached")

    browser.click(".list-toolbar button")
    browser.click(".widget-item >> text=Рубильник")
    browser.wait("text=Пока никто не выбран", frame=SLIDER)
    assert readable(browser, SLIDER) == (True, [])
    browser.click("text=Выбрать клиентов", frame=SLIDER)
    for place in (1, 2):
        browser.click(f".dialog-row:nth-child({place})")
    browser.click(".dialog >> text=Выбрать")
    browser.wait("text=Выбраны 2 карточки", frame=SLIDER)
    assert readable(browser, SLIDER) == (True, [])
    browser.click(".people li:nth-child(2) label", frame=SLIDER)
    browser.click("button >> text=Подготовить рассылку", frame=SLIDER)
    browser.wait("text=Выбранные вручную", frame=SLIDER)
    with served.runtime.sessions() as session:
        (mailing,) = session.scalars(sa.select(Mailing))
        listed = choosing.found(session, served.portal_id)
    assert mailing.state == "draft"
    assert {each.id for each in listed} >= {made.id, mailing.segment_id}


def through_the_cards(browser, story):
    served = story.world
    deal = next(row for row in served.rows("deal") if row.get("CONTACT_ID"))
    story.go(f"/crm/deal/details/{deal['ID']}/")
    browser.wait(".badge", frame=BADGE)
    assert browser.eval("document.documentElement.scrollHeight <= 40", frame=BADGE)
    assert readable(browser, BADGE) == (True, [])
    browser.click(".card-title .button")
    browser.click(".widget-item >> text=Рубильник")
    browser.wait("text=Подготовить рассылку", frame=SLIDER)

    lead = next(
        row["ID"] for row in served.rows("lead") if row.get("PHONE") and not row.get("CONTACT_ID")
    )
    story.go(f"/crm/lead/details/{lead}/")
    browser.click("[role=tab] >> text=Рубильник")
    browser.wait("text=Что известно об этом лиде", frame=TAB)
    browser.click("summary >> text=Добавить в список", frame=TAB)
    browser.fill(".list-choice input", "Выставка", frame=TAB)
    browser.wait("text=Новый список «Выставка»", frame=TAB)
    assert readable(browser, TAB) == (True, [])
    browser.click("text=Новый список «Выставка»", frame=TAB)
    browser.wait("text=Добавлено в список «Выставка»", frame=TAB)
    assert readable(browser, TAB) == (True, [])
    with served.runtime.sessions() as session:
        (made,) = choosing.found(session, served.portal_id)
        cards = choosing.inside(session, served.portal_id, made.id, [(Kind.LEAD, lead)])
    assert cards == {(Kind.LEAD, lead)}
    phone = browser.attribute("[data-call]", "data-call", frame=TAB)
    browser.click("[data-call]", frame=TAB)
    browser.wait(f".toast >> text=Звонок: {phone}")
    served.demo.fault("error", "crm.activity.todo.add", status=400, code="ERROR_CORE")
    browser.click("text=Дело: позвонить", frame=TAB)
    browser.wait("#profile .alert.danger >> text=не принял дело", frame=TAB)
    assert browser.count("#profile", frame=TAB) == 1
    browser.forget()  # the refusal is a failed request of the page
    browser.click("text=Дело: позвонить", frame=TAB)
    browser.wait("text=Дело на карточке", frame=TAB)
    browser.click("[role=tab] >> text=Общие")
    browser.wait("text=Позвонить:", state="visible")
