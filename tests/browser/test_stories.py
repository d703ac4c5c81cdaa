"""Whole stories in the portal's frame: an administrator installs, sets up and mends; a manager works with his clients."""

from __future__ import annotations

from decimal import Decimal

import pytest
import requests
from support.live import live_world
from support.story import PAGE, TAB, Story

from core import queue
from core.queue import Queue
from integration.models import QuarantinedRow
from integration.placements import BOUND, LEFT_MENU
from segments.models import ClientMetrics, MetricsRun

ADMIN, MANAGER = 1, 6


@pytest.fixture
def bare(settings, portal, redis_url, live_sessions):
    """The application served and registered, but not installed."""
    with live_world(settings, portal, installed=False) as world:
        yield world


@pytest.fixture
def served(settings, portal, redis_url, live_sessions):
    """The application served, installed and synced."""
    with live_world(settings, portal) as world:
        yield world


def opened(browser, world, user=ADMIN, **how):
    """The application, opened from the portal's menu."""
    story = Story(browser, world, user=user, **how)
    story.begin()
    return story


def best_contact(world):
    values = world.truth()["contacts"]
    return max(values, key=lambda key: Decimal(str(values[key]["ltv"])))


def held(world, contact_id):
    row = world.demo.control(f"rows/contact?ids={contact_id}")[0]
    return row.get("UF_CRM_RUBILNIK_LTV")


def wait_until(ready, seconds=30):
    import time

    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        if ready():
            return
        time.sleep(0.1)
    raise AssertionError("it did not happen in time")


def test_the_administrator_installs_in_the_browser(browser, bare):
    story = opened(browser, bare)
    browser.wait("text=Первые шаги", frame=PAGE)
    app = bare.demo.control("")["apps"][0]
    assert app["installed"], "installFinish came from the browser"
    assert set(app["placements"]) == set(BOUND) - {LEFT_MENU}
    story.end()


def test_the_switch_writes_figures_that_the_manager_sees_and_can_take_apart(browser, served):
    wait_until(lambda: served.truth() and metrics_known(served))
    story = opened(browser, served)
    browser.wait("text=Запись на портал выключена", frame=PAGE)
    browser.click("text=Посмотреть, что изменится", frame=PAGE)
    browser.wait("text=карточ", frame=PAGE)
    contact_id = best_contact(served)
    assert not held(served, contact_id), "nothing is written before the switch"

    browser.click("[role=tab] >> text=Продажи", frame=PAGE)
    browser.click("text=Подбор персонала", frame=PAGE)
    browser.click("text=Сохранить правило", frame=PAGE)
    browser.wait(".alert.success", frame=PAGE)
    browser.click("[role=tab] >> text=Поля карточек", frame=PAGE)
    browser.click("text=Записывать на портал", frame=PAGE)
    browser.click("form[hx-post='/settings/writing'] button >> text=Сохранить", frame=PAGE)
    browser.wait(".alert.success", frame=PAGE)
    story.look()
    truth = served.truth()["contacts"][contact_id]
    wanted = Decimal(str(truth["ltv"]))
    wait_until(lambda: Decimal((held(served, contact_id) or "0|").partition("|")[0]) == wanted)

    story.go(f"/crm/contact/details/{contact_id}/")
    browser.wait("[data-field=UF_CRM_RUBILNIK_LTV] .value")
    shown = browser.text("[data-field=UF_CRM_RUBILNIK_LTV] .value")
    digits = "".join(c for c in shown if c.isdigit() or c in ",-−").replace(",", ".")
    assert Decimal(digits) == wanted
    browser.click("[role=tab] >> text=Рубильник")
    browser.wait("text=Из чего сложился LTV", frame=TAB)
    assert browser.count("[role=img]", frame=TAB) >= 1
    assert browser.count("table tbody tr", frame=TAB) >= truth["sales"]

    with served.runtime.sessions.begin() as session:
        row = session.get_one(ClientMetrics, (served.portal_id, "contact", int(contact_id)))
        row.ltv = Decimal(987_654_321)
    browser.wait("text=987 654 321", frame=TAB)
    story.end()


def test_a_manager_without_rights_sees_no_figures(browser, served):
    contact = next(
        row
        for row in served.rows("contact")
        if row["OPENED"] != "Y" and row["ASSIGNED_BY_ID"] != 10
    )
    response = served.open(
        10,
        placement="CRM_CONTACT_DETAIL_TAB",
        options={"ID": str(contact["ID"])},
        handler=f"{served.runtime.settings.public_url}/placement/crm_contact_detail_tab",
    )
    assert response.status_code == 403
    text = response.get_data(as_text=True)
    assert "Нет доступа" in text
    assert "₽" not in text


def test_a_manager_finds_a_client_who_fell_silent_and_plans_to_call_him(browser, served):
    wait_until(lambda: served.truth() and metrics_known(served))
    story = opened(browser, served, MANAGER)
    browser.wait("#mine-silent [data-open-path]", frame=PAGE)
    assert "Ваша клиентская база" not in browser.text("body", frame=PAGE), "his own clients alone"
    story.look()
    story.resize(768)
    story.look()
    card = browser.attribute("#mine-silent [data-open-path]", "data-open-path", frame=PAGE)
    story.go(card)
    browser.click("[role=tab] >> text=Рубильник")
    browser.wait("text=Из чего сложился LTV", frame=TAB)
    browser.click("#profile .proposal >> text=Поставить дело", frame=TAB)
    browser.wait("#profile >> text=Дело на карточке", frame=TAB)
    story.look(TAB)

    story = opened(browser, served, MANAGER, width=375, language="en")
    browser.wait("#mine-silent >> text=Fell silent", frame=PAGE)
    story.look()
    story.go(card)
    browser.click("[role=tab] >> text=Rubilnik")
    browser.wait("text=What LTV is made of", frame=TAB)
    browser.click("#profile .proposal >> text=Make a to-do", frame=TAB)
    browser.wait("#profile >> text=The to-do is on the card", frame=TAB)
    story.look(TAB)


def metrics_known(world):
    with world.runtime.sessions() as session:
        return session.get(MetricsRun, world.portal_id) is not None


def test_readyz_names_the_parts_that_do_not_answer(served):
    answer = requests.get(f"{served.runtime.settings.public_url}/readyz", timeout=10)
    assert answer.status_code == 503
    assert "ticker" in answer.json()["failing"]
    assert "database" not in answer.json()["failing"]
    assert requests.get(f"{served.runtime.settings.public_url}/healthz", timeout=10).ok


def test_the_administrator_sees_what_is_wrong_and_mends_it(browser, served):
    wait_until(lambda: metrics_known(served))
    for name in ("ticker", "sender", *(f"worker-{each}" for each in Queue)):
        queue.beat(served.runtime.redis, name)
    story = opened(browser, served, width=768)
    browser.click("a >> text=Состояние", frame=PAGE)
    browser.wait("text=Всё в порядке", frame=PAGE)
    contacts = [row["ID"] for row in served.rows("contact")[:2]]
    with served.runtime.sessions.begin() as session:
        for contact_id in contacts:
            session.add(
                QuarantinedRow(
                    portal_id=served.portal_id,
                    entity="contact",
                    bitrix_id=str(contact_id),
                    reason="BIRTHDATE: not a date",
                )
            )
    browser.click("#rows >> text=Проверить", frame=PAGE)
    browser.wait("text=2 строки отложены", frame=PAGE)
    browser.wait("#aside >> text=Дата рождения (BIRTHDATE): не дата", frame=PAGE)
    assert browser.count("#aside tbody tr", frame=PAGE) == 2
    browser.click("#aside tbody tr >> text=Повторить", frame=PAGE)
    browser.wait("text=1 строка отложена", frame=PAGE)
    browser.click("#verdict >> text=Перечитать все", frame=PAGE)
    browser.wait("text=Всё в порядке", frame=PAGE)
    story.look()
    browser.click("#rows >> text=Перечитать всё", frame=PAGE)
    browser.click("dialog[open] [value=yes]", frame=PAGE)
    browser.wait("text=Полная загрузка начинается", frame=PAGE)
    browser.click("text=Показать ещё", frame=PAGE)
    browser.wait("text=Расход работы", frame=PAGE)
    story.end()


def test_the_administrator_sees_what_a_rule_changes_saves_it_and_puts_the_old_one_back(
    browser, served
):
    wait_until(lambda: metrics_known(served))
    story = opened(browser, served)
    browser.wait("text=Самые ценные контакты", frame=PAGE)
    browser.click("a >> text=Настройки", frame=PAGE)
    browser.click("text=Подбор персонала", frame=PAGE)
    browser.click("text=Поровну каждому контакту", frame=PAGE)
    browser.click("#rule-form >> text=Посмотреть, что изменится", frame=PAGE)
    browser.wait("[data-preview]", frame=PAGE)
    shown = browser.text("#rule-preview", frame=PAGE)
    assert "Показатели изменятся у" in shown
    assert "Поровну каждому контакту".lower() in shown.lower()
    assert browser.count("[data-preview] a[data-open-path]", frame=PAGE) > 0
    assert browser.count("#rule-history", frame=PAGE) == 0, "looking has saved nothing"
    story.resize(375)
    story.look()
    story.resize(1280)

    browser.click("text=Сохранить правило", frame=PAGE)
    browser.wait("text=Пересчитано по новому правилу", frame=PAGE)
    assert "Версия 2 действует" in " ".join(browser.text("#rule-history", frame=PAGE).split())
    browser.click("#rule-history button >> text=Вернуть", frame=PAGE)
    browser.click("#confirm [value=yes]", frame=PAGE)
    browser.wait("text=Версия 3", frame=PAGE)
    browser.wait("text=Пересчитано по новому правилу", frame=PAGE)
    story.end()
