"""Dictionaries, funnels, currencies, users, duplicates, card layouts."""

from __future__ import annotations

import pytest
from support.demo_world import World, world

from demo.portal.api import METHODS


@pytest.fixture
def w() -> World:
    return world()


def test_stages_with_their_meaning(w: World) -> None:
    rows = w.call("crm.status.list", filter={"ENTITY_ID": "DEAL_STAGE"}, order={"SORT": "ASC"})
    found = [(row["STATUS_ID"], row["SEMANTICS"], row["EXTRA"]["SEMANTICS"]) for row in rows]
    assert found == [
        ("NEW", None, "process"),
        ("EXECUTING", None, "process"),
        ("WON", "S", "success"),
        ("LOSE", "F", "failure"),
        ("APOLOGY", "F", "apology"),
    ]
    assert "EXTRA" not in w.call("crm.status.list", filter={"ENTITY_ID": "SOURCE"})[0]
    types = {row["ID"]: row for row in w.call("crm.status.entity.types")}
    assert types["DEAL_STAGE_1"]["SEMANTIC_INFO"]["FINAL_SUCCESS_FIELD"] == "C1:WON"
    assert types["SOURCE"] == {"ID": "SOURCE", "NAME": "Источники"}


def test_funnels(w: World) -> None:
    answer = w.answer("crm.category.list", entityTypeId=2)
    assert [row["id"] for row in answer.value["categories"]] == [1, 0]
    assert answer.total == 2
    assert w.error("crm.category.list", entityTypeId=1)[1] == "ENTITY_TYPE_NOT_SUPPORTED"
    assert [row["ID"] for row in w.call("crm.dealcategory.list")] == ["1"]
    assert w.call("crm.dealcategory.default.get") == {"ID": "0", "NAME": "Общая"}


def test_currencies(w: World) -> None:
    answer = w.answer("crm.currency.list")
    assert [(row["CURRENCY"], row["AMOUNT"]) for row in answer.value] == [
        ("RUB", "1.0000"),
        ("USD", "80.5000"),
    ]
    assert answer.total == 0
    assert w.call("crm.currency.base.get") == "RUB"


def test_users(w: World) -> None:
    w.store.tables["user"].insert({"ID": 9, "NAME": "Бывший", "ACTIVE": False})
    w.store.tables["user"].insert({"ID": 10, "NAME": "Бот", "ACTIVE": True, "USER_TYPE": "bot"})
    assert w.ids("user.get", FILTER={"ACTIVE": True}) == [1, 2, 3, 4]
    assert w.ids("user.get") == [1, 2, 3, 4, 9]
    assert w.ids("user.get", filter={">ID": 2, "@ID": [2, 3, 9]}, start=-1) == [3, 9]
    person = w.call("user.current", user=2)
    assert (person["ID"], person["ACTIVE"], person["TIMESTAMP_X"]) == ("2", True, {})
    assert "CRM_RIGHTS" not in person
    assert (w.call("user.admin"), w.call("user.admin", user=2)) == (True, False)
    assert w.call("profile", user=3)["ADMIN"] is False


def test_duplicates_by_phone_ignore_its_spelling(w: World) -> None:
    found = w.call("crm.duplicate.findbycomm", type="PHONE", values=["7 (495) 000-00-02,12"])
    assert found == {"CONTACT": [2]}
    assert w.call("crm.duplicate.findbycomm", type="PHONE", values=["000"]) == []
    assert w.error("crm.duplicate.findbycomm", values=["x"])[1] == (
        "Communication type is not defined"
    )


def test_a_card_layout_is_null_until_set_and_then_replaced(w: World) -> None:
    card = {"entityTypeId": 3, "scope": "C"}
    get, put = "crm.item.details.configuration.get", "crm.item.details.configuration.set"
    assert w.call(get, **card) is None
    elements = [{"name": "UF_CRM_LTV", "optionFlags": 1}]
    section = {"name": "main", "title": "Главное", "type": "section", "elements": elements}
    assert w.call(put, **card, data=[section]) is True
    stored = w.call(get, **card)
    assert stored[0]["elements"] == [{"name": "UF_CRM_LTV", "optionFlags": "1"}]
    assert w.call(get, entityTypeId=3, scope="P") is None
    assert w.error(put, user=2, **card, data=[section])[2] == "Access denied."
    assert w.error(put, **card, data=[])[2] == "There are no data to write."
    nameless = {**section, "name": ""}
    assert w.error(put, **card, data=[section, nameless])[2] == (
        "Section at index 1 does not have name."
    )
    broken = {**section, "elements": [{}]}
    assert w.error(put, **card, data=[broken])[2] == (
        "Element at index 0 in section at index 0 does not have name."
    )


def test_fields_tell_what_is_read_only_and_immutable(w: World) -> None:
    classic = w.call("crm.deal.fields")
    assert classic["CATEGORY_ID"]["isImmutable"] is True
    assert classic["STAGE_ID"]["statusType"] == "DEAL_STAGE"
    item = w.call("crm.item.fields", entityTypeId=1)["fields"]
    assert item["stageId"]["upperName"] == "STATUS_ID"
    assert item["createdTime"]["isReadOnly"] is True
    assert "OBSERVERS" not in classic


def test_every_method_of_the_plan_is_registered() -> None:
    for entity in ("lead", "deal", "contact", "company"):
        for action in ("list", "get", "add", "update", "delete", "fields"):
            assert f"crm.{entity}.{action}" in METHODS
            assert f"crm.item.{action}" in METHODS
        for action in ("list", "get", "add", "update", "delete"):
            assert f"crm.{entity}.userfield.{action}" in METHODS
