"""What a manager does in the demo portal: lists, search, cards, edits, stages, other people's eyes."""

from __future__ import annotations

import json

import pytest
import requests

LTV = {
    "FIELD_NAME": "UF_CRM_PAGES_LTV",
    "USER_TYPE_ID": "money",
    "EDIT_FORM_LABEL": {"ru": "LTV", "en": "LTV"},
    "EDIT_IN_LIST": "N",
}


def rest(portal, method, **params):
    return requests.post(f"{portal.webhook()}{method}", json=params, timeout=20).json()["result"]


def row(portal, table, row_id):
    return portal.control(f"rows/{table}?ids={row_id}")[0]


def open_card(browser, portal, entity, row_id):
    browser.goto(f"{portal.url}/crm/{entity}/details/{row_id}/")
    browser.wait(".card-title h1")


def save(browser, name):
    """Save the card and wait until it shows the field, not its editor."""
    browser.click(".save-bar >> text=Сохранить")
    browser.wait(".save-bar", state="detached")
    browser.wait(f"[data-field={name}]:not(.is-editing)")


@pytest.fixture
def contact_id(portal):
    fields = {
        "NAME": "Аглая",
        "LAST_NAME": "Проверкина-Одна",
        "PHONE": [{"VALUE": "+7 495 000-11-22", "VALUE_TYPE": "WORK"}],
        "ASSIGNED_BY_ID": 1,
        "OPENED": "N",
    }
    return rest(portal, "crm.contact.add", fields=fields)


def test_start_page_shows_the_newest_contacts_and_pages_through_all(browser, portal):
    browser.goto(f"{portal.url}/")
    browser.wait(".grid tbody tr")
    assert browser.url == f"{portal.url}/crm/contact/list/"
    assert browser.texts(".side-item") == [
        "Контакты",
        "Компании",
        "Сделки",
        "Лиды",
        "CRM-аналитика",
    ]
    total = len(portal.control("rows/contact"))
    shown = browser.count(".grid tbody tr")
    assert shown < total
    browser.click("text=Показать ещё")
    browser.wait_for(f"document.querySelectorAll('.grid tbody tr').length > {shown}")
    links = browser.eval("[...document.querySelectorAll('.cell-name a')].map(a => a.pathname)")
    ids = [int(link.split("/")[4]) for link in links]
    assert ids == sorted(set(ids), reverse=True)
    assert len(ids) == total
    assert browser.errors() == []


@pytest.mark.parametrize("query", ["проверкина", "АГЛАЯ проверк", "4950001122", "+7 (495) 000-11"])
def test_list_finds_by_words_and_phone(browser, portal, contact_id, query):
    browser.goto(f"{portal.url}/crm/contact/list/")
    browser.fill(".filter input", query)
    browser.wait_for("document.querySelectorAll('.grid tbody tr').length === 1")
    assert browser.text(".cell-name a") == "Аглая Проверкина-Одна"
    browser.fill(".filter input", "такого имени нет")
    browser.wait("text=Ничего не найдено")


def test_search_over_everything_opens_the_card(browser, portal, contact_id):
    browser.goto(f"{portal.url}/crm/deal/list/")
    browser.fill(".search input", "проверкина")
    browser.click('.search-row:has-text("Аглая")')
    browser.wait('.card-title:has-text("Аглая Проверкина-Одна")')
    assert browser.url.endswith(f"/crm/contact/details/{contact_id}/")
    browser.press("Escape")
    browser.wait(".slider-panel", state="detached")
    assert browser.url == f"{portal.url}/crm/deal/list/"


def test_pipelines_narrow_the_deals(browser, portal):
    browser.goto(f"{portal.url}/crm/deal/list/")
    browser.click(".segments >> text=Подбор персонала")
    browser.wait(".grid tbody tr, .empty")
    browser.wait_for(
        "document.querySelector('.grid-foot, .empty')?.textContent.includes('из') === false"
    )
    links = browser.eval("[...document.querySelectorAll('.cell-name a')].map(a => a.pathname)")
    deals = [row(portal, "deal", link.split("/")[4]) for link in links]
    assert deals
    assert {deal["CATEGORY_ID"] for deal in deals} == {2}


def test_edits_go_through_the_portals_methods(browser, portal, contact_id):
    open_card(browser, portal, "contact", contact_id)
    browser.click("[data-field=LAST_NAME] .value")
    browser.fill("[data-field=LAST_NAME] input", "Исправленная")
    browser.click("[data-field=PHONE] .field-edit")
    browser.fill("[data-field=PHONE] input >> nth=0", "+7 495 000-33-44")
    browser.fill("[data-field=PHONE] input >> nth=1", "+7 495 000-55-66")
    save(browser, "LAST_NAME")
    assert browser.text(".card-title h1") == "Аглая Исправленная"
    saved = row(portal, "contact", contact_id)
    assert saved["LAST_NAME"] == "Исправленная"
    assert [phone["VALUE"] for phone in saved["PHONE"]] == ["+7 495 000-33-44", "+7 495 000-55-66"]

    browser.click("[data-field=PHONE] .field-edit")
    browser.fill("[data-field=PHONE] input >> nth=0", "")
    save(browser, "PHONE")
    saved = row(portal, "contact", contact_id)
    assert [phone["VALUE"] for phone in saved["PHONE"]] == ["+7 495 000-55-66"]


def test_cancelled_edit_changes_nothing(browser, portal, contact_id):
    before = row(portal, "contact", contact_id)
    open_card(browser, portal, "contact", contact_id)
    browser.click("[data-field=NAME] .value")
    browser.fill("[data-field=NAME] input", "Другая")
    browser.click(".save-bar >> text=Отмена")
    assert browser.text("[data-field=NAME] .value") == "Аглая"
    assert row(portal, "contact", contact_id) == before


def test_calculated_field_is_shown_formatted_and_read_only(browser, portal, contact_id):
    rest(portal, "crm.contact.userfield.add", fields=LTV)
    value = {"UF_CRM_PAGES_LTV": "1284000.5|RUB"}
    rest(portal, "crm.contact.update", id=contact_id, fields=value)
    open_card(browser, portal, "contact", contact_id)
    field = "[data-field=UF_CRM_PAGES_LTV]"
    assert browser.text(f"{field} .label") == "LTV"
    assert browser.text(f"{field} .value") == "1\u00a0284\u00a0000,50\u00a0₽"
    assert browser.count(f"{field} .field-edit") == 0
    browser.click(f"{field} .value")
    assert browser.count(f"{field} input") == 0
    refused = browser.eval(
        f"""fetch('/web/api/crm/contact/{contact_id}?user=1', {{method: 'POST',
            headers: {{'Content-Type': 'application/json'}},
            body: JSON.stringify({{fields: {{UF_CRM_PAGES_LTV: '1|RUB'}}}})}}).then(a => a.status)"""
    )
    assert refused == 400
    assert row(portal, "contact", contact_id)["UF_CRM_PAGES_LTV"] == "1284000.50|RUB"


def test_open_card_follows_changes_made_elsewhere(browser, portal, contact_id):
    open_card(browser, portal, "contact", contact_id)
    rest(portal, "crm.contact.update", id=contact_id, fields={"POST": "Главный инженер"})
    browser.wait('[data-field=POST]:has-text("Главный инженер")')
    browser.click("[data-field=NAME] .value")
    browser.fill("[data-field=NAME] input", "Недописанное")
    rest(portal, "crm.contact.update", id=contact_id, fields={"POST": "Директор"})
    browser.eval("new Promise(resolve => setTimeout(resolve, 3500))")
    assert browser.value("[data-field=NAME] input") == "Недописанное"


def test_deal_is_created_for_a_client_moved_and_won(browser, portal, contact_id):
    open_card(browser, portal, "contact", contact_id)
    browser.click("[role=tab] >> text=Сделки")
    browser.click("text=Создать сделку")
    browser.wait('.card-title:has-text("Новая сделка")')
    deal_id = int(browser.url.split("/")[-2])
    panel = ".slider-shade:last-of-type"
    browser.click(f"{panel} [data-field=OPPORTUNITY] .value")
    browser.fill(f"{panel} [data-field=OPPORTUNITY] input", "45000")
    browser.click(f"{panel} .save-bar >> text=Сохранить")
    browser.wait(f'{panel} [data-field=OPPORTUNITY] .value:has-text("45\u00a0000\u00a0₽")')
    browser.click(f'{panel} .stage[data-stage="EXECUTING"]')
    browser.wait(f'{panel} .stage.is-current[data-stage="EXECUTING"]')
    browser.click(f"{panel} .stage >> text=Завершить")
    browser.click('.dialog [data-stage="WON"]')
    browser.wait(f'{panel} .stage.is-current[data-stage="WON"]')
    browser.wait(f'{panel} .timeline:has-text("Стадия изменена")')
    deal = row(portal, "deal", deal_id)
    assert (deal["STAGE_ID"], deal["CONTACT_IDS"], deal["OPPORTUNITY"]) == (
        "WON",
        [contact_id],
        45000.0,
    )
    browser.press("Escape")
    browser.wait('.card-related tr:has-text("Новая сделка")')


def test_acting_user_is_chosen_and_stays(browser, portal):
    browser.goto(f"{portal.url}/?user=1")
    browser.wait(".user-name")
    admin = browser.text(".user-name")
    assert "Администратор" in admin
    browser.click(".user")
    browser.click('.user-row:not(:has-text("Администратор"))')
    browser.wait_for(f"document.querySelector('.user-name')?.innerText !== {json.dumps(admin)}")
    chosen = browser.text(".user-name")
    browser.goto(f"{portal.url}/crm/company/list/")
    browser.wait(".user-name")
    assert browser.text(".user-name") == chosen


def test_rights_of_a_manager_hold_on_the_pages(browser, portal, contact_id):
    manager = next(one for one in portal.control("rows/user") if one.get("ADMIN") != "Y")
    rights = {"CRM_RIGHTS": {"contact": "S", "deal": "A", "company": "A", "lead": "A"}}
    change = {"table": "user", "action": "update", "id": manager["ID"], "fields": rights}
    portal.control("mutate", change)
    browser.goto(f"{portal.url}/crm/contact/details/{contact_id}/?user={manager['ID']}")
    browser.wait(".notice:has-text('нет прав')")
    browser.press("Escape")
    browser.fill(".filter input", "проверкина")
    browser.wait("text=Ничего не найдено")


def test_missing_item_and_unknown_page_say_so(browser, portal):
    browser.goto(f"{portal.url}/crm/contact/details/99999999/")
    browser.wait(".notice:has-text('не найден')")
    browser.goto(f"{portal.url}/crm/quote/list/")
    browser.wait(".notice:has-text('Страница не найдена')")


def test_renamed_portal_moves_the_browser_along(browser, portal):
    port = portal.domain.rpartition(":")[2]
    portal.control("rename", {"domain": f"localhost:{port}"})
    try:
        browser.goto(f"{portal.url}/crm/lead/list/")
        assert browser.url == f"http://localhost:{port}/crm/lead/list/"
    finally:
        portal.control("rename", {"domain": portal.domain})


@pytest.mark.parametrize("width", [375, 960, 1280])
def test_pages_never_scroll_sideways(browser, portal, contact_id, width):
    browser.fresh(width, 800)
    for path in ("/crm/deal/list/", f"/crm/contact/details/{contact_id}/"):
        browser.goto(f"{portal.url}{path}")
        browser.wait(".grid tbody tr, .timeline")
        sideways = "document.documentElement.scrollWidth - innerWidth"
        assert browser.eval(sideways) <= 0
        assert browser.eval(
            "[...document.querySelectorAll('.slider-body')].every(e => e.scrollWidth <= e.clientWidth)"
        )
