"""A manager finishes a call on the client's card in the demo portal, and a letter of a mailing is read there."""

from __future__ import annotations

import requests

LAYOUT = {
    "icon": {"code": "info"},
    "header": {
        "title": {"ru": "Письмо рассылки", "en": "Letter"},
        "tags": {"state": {"title": {"ru": "отправлено", "en": "sent"}, "type": "success"}},
    },
    "body": {
        "logo": {"code": "notification"},
        "blocks": {"subject": {"type": "text", "properties": {"value": "Скидка 10 %"}}},
    },
}


def rest(url, **params):
    return requests.post(url, json=params, timeout=20).json()["result"]


def test_a_call_is_finished_on_the_card_beside_the_letters(browser, portal):
    owner = {"ownerTypeId": 3, "ownerId": portal.control("rows/contact?limit=1")[0]["ID"]}
    hook = portal.webhook()
    todo = rest(
        f"{hook}crm.activity.todo.add", **owner, deadline="2035-01-01T18:00:00+03:00",
        title="Позвонить о скидке", description="Скажите о скидке.\n\nИтог разговора:\n\n№ 1.2.ab",
    )["id"]  # fmt: skip
    app = portal.register(title="A", handler_url="http://a.test/", scopes=["crm"])
    token = portal.open(app["client_id"])["body"]["AUTH_ID"]
    letter = {**owner, "fields": {"completed": "Y"}, "layout": LAYOUT}
    rest(f"{portal.url}/rest/crm.activity.configurable.add", auth=token, **letter)
    browser.goto(f"{portal.url}/crm/contact/details/{owner['ownerId']}/")
    browser.wait("text=Письмо рассылки")
    assert "отправлено" in browser.text(".event-tag")
    browser.click(f"[data-finish='{todo}']")
    browser.fill("dialog textarea", "Ждёт счёт")
    browser.click("text=Завершить дело")
    browser.wait(f"[data-finish='{todo}']", state="detached")
    row = rest(f"{hook}crm.activity.get", id=todo)
    assert row["COMPLETED"] == "Y"
    assert "Итог разговора: Ждёт счёт\n\n№ 1.2.ab" in row["DESCRIPTION"]
    assert browser.errors() == []
