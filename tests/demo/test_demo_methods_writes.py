"""Writes of either family: what is kept, what is ignored, what is announced."""

from __future__ import annotations

import pytest
from support.demo_world import NOW, World, world

SECOND = NOW.replace(microsecond=0)


@pytest.fixture
def w() -> World:
    return world()


def _field(w: World, code: str, kind: str, **more: object) -> str:
    w.call("crm.contact.userfield.add", fields={"FIELD_NAME": code, "USER_TYPE_ID": kind, **more})
    return f"UF_CRM_{code}"


def test_unknown_and_read_only_fields_are_ignored_with_success(w: World) -> None:
    sent = {"TITEL": "x", "DATE_CREATE": "2020-01-01", "CATEGORY_ID": 1, "CLOSED": "Y"}
    assert w.call("crm.deal.update", id=2, fields=sent) is True
    row = w.store.tables["deal"].get(2)
    assert row is not None
    assert (row["CATEGORY_ID"], row["CLOSED"], row["DATE_CREATE"].year) == (0, None, 2026)
    assert (row["DATE_MODIFY"], row["MODIFY_BY_ID"]) == (SECOND, 1)
    assert w.events == [("ONCRMDEALUPDATE", {"ID": 2}, 1, "")]


def test_a_new_deal_starts_at_the_first_stage(w: World) -> None:
    deal = w.call("crm.deal.add", fields={"TITLE": "Новая", "CONTACT_IDS": [3, 2]})
    assert deal == 241
    card = w.call("crm.deal.get", id=deal)
    assert (card["STAGE_ID"], card["STAGE_SEMANTIC_ID"], card["IS_NEW"]) == ("NEW", "P", "Y")
    assert (card["CURRENCY_ID"], card["CONTACT_ID"], card["OPPORTUNITY"]) == ("RUB", "3", "0.00")
    history = w.call("crm.stagehistory.list", entityTypeId=2, filter={"OWNER_ID": deal})["items"]
    assert [(row["TYPE_ID"], row["STAGE_ID"]) for row in history] == [(1, "NEW")]
    assert w.events == [("ONCRMDEALADD", {"ID": 241}, 1, "")]


def test_a_final_stage_closes_the_deal(w: World) -> None:
    w.call("crm.deal.update", id=2, fields={"STAGE_ID": "APOLOGY"})
    card = w.call("crm.deal.get", id=2)
    assert (card["STAGE_SEMANTIC_ID"], card["CLOSED"]) == ("F", "Y")
    assert card["MOVED_TIME"] == "2026-03-01T12:30:15+03:00"
    w.call("crm.deal.update", id=2, fields={"STAGE_ID": "EXECUTING"})
    card = w.call("crm.deal.get", id=2)
    assert (card["STAGE_SEMANTIC_ID"], card["CLOSED"]) == ("P", "N")
    history = w.call("crm.stagehistory.list", entityTypeId=2, filter={"OWNER_ID": 2})["items"]
    assert [row["TYPE_ID"] for row in history] == [3, 2]


def test_a_stage_of_another_funnel(w: World) -> None:
    w.call("crm.deal.update", id=2, fields={"STAGE_ID": "C1:WON"})
    assert w.call("crm.deal.get", id=2)["STAGE_ID"] == "NEW"
    error = w.error("crm.item.update", entityTypeId=2, id=2, fields={"stageId": "C1:WON"})
    assert error[1] == "CRM_FIELD_ERROR_VALUE_NOT_VALID"


def test_moving_to_another_funnel_has_only_its_own_event(w: World) -> None:
    item = w.call("crm.item.update", entityTypeId=2, id=2, fields={"categoryId": 1})["item"]
    assert (item["categoryId"], item["stageId"]) == (1, "C1:NEW")
    fields = {"ID": 2, "CATEGORY_ID": 1, "STAGE_ID": "C1:NEW"}
    assert w.events == [("ONCRMDEALMOVETOCATEGORY", fields, 1, "")]
    history = w.call("crm.stagehistory.list", entityTypeId=2, filter={"OWNER_ID": 2})["items"]
    assert [(row["TYPE_ID"], row["CATEGORY_ID"]) for row in history] == [(5, 1)]


def test_item_update_without_changes_saves_nothing(w: World) -> None:
    before = w.store.tables["deal"].get(2)
    asked = {"entityTypeId": 2, "id": 2, "fields": {"title": "Сделка 1", "opportunity": "100"}}
    w.call("crm.item.update", **asked)
    assert w.store.tables["deal"].get(2) == before
    assert w.events == []
    w.portal.options.skip_unchanged = False
    w.call("crm.item.update", **asked)
    assert [name for name, *_ in w.events] == ["ONCRMDEALUPDATE"]


def test_equal_arrays_are_no_change(w: World) -> None:
    code = _field(w, "M", "string", MULTIPLE="Y")
    w.call("crm.contact.update", id=1, fields={code: ["а", "б"]})
    w.events.clear()
    w.call("crm.item.update", entityTypeId=3, id=1, fields={"ufCrmM": ["а", "б"]})
    w.call("crm.item.update", entityTypeId=3, id=2, fields={"ufCrmM": [], "companyIds": [1]})
    assert w.events == []
    w.call("crm.item.update", entityTypeId=3, id=1, fields={"ufCrmM": ["б", "а"]})
    assert [name for name, *_ in w.events] == ["ONCRMCONTACTUPDATE"]


def test_the_connector_of_a_write_travels_with_its_event(w: World) -> None:
    w.call("crm.contact.update", id=1, fields={"NAME": "А"}, connector="mine")
    assert w.events == [("ONCRMCONTACTUPDATE", {"ID": 1}, 1, "mine")]


def test_money_and_zero(w: World) -> None:
    code = _field(w, "LTV", "money")
    w.call("crm.contact.update", id=1, fields={code: "0|RUB"})
    assert w.call("crm.contact.get", id=1)[code] == "0.00|RUB"
    w.call("crm.item.update", entityTypeId=3, id=1, fields={"ufCrmLtv": "1234.5|USD"})
    assert w.call("crm.item.get", entityTypeId=3, id=1)["item"]["ufCrmLtv"] == "1234.50|USD"
    w.call("crm.contact.update", id=1, fields={code: ""})
    assert w.call("crm.contact.get", id=1)[code] == ""
    assert w.call("crm.contact.list", select=[code])[0][code] is None


def test_php_emptiness_may_become_null(w: World) -> None:
    code = _field(w, "N", "integer")
    update = {"entityTypeId": 3, "id": 1, "fields": {"ufCrmN": 0}}
    assert w.call("crm.item.update", **update)["item"]["ufCrmN"] == 0
    w.portal.options.php_empty_to_null = True
    w.call("crm.contact.update", id=1, fields={code: 5})
    assert w.call("crm.item.update", **update)["item"]["ufCrmN"] is None
    w.call("crm.contact.update", id=1, fields={code: 0})
    assert w.call("crm.contact.get", id=1)[code] == "0"


def test_user_field_values_of_every_kind(w: World) -> None:
    fields = {
        _field(w, "D", "date"): "2026-02-03",
        _field(w, "T", "datetime"): "2026-02-03T10:00:00+00:00",
        _field(w, "B", "boolean"): "Y",
        _field(w, "F", "double"): "2.50",
        _field(w, "M", "string", MULTIPLE="Y"): ["а", "", "б"],
    }
    w.call("crm.contact.update", id=1, fields=fields)
    item = w.call("crm.item.get", entityTypeId=3, id=1)["item"]
    assert item["ufCrmD"] == "2026-02-03T03:00:00+03:00"
    assert item["ufCrmT"] == "2026-02-03T13:00:00+03:00"
    assert (item["ufCrmB"], item["ufCrmF"], item["ufCrmM"]) == ("Y", 2.5, ["а", "б"])
    card = w.call("crm.contact.get", id=1)
    assert (card["UF_CRM_B"], card["UF_CRM_F"]) == ("1", "2.5")
    assert w.ids("crm.item.list", entityTypeId=3, filter={"ufCrmB": 1}) == [1]
    assert w.ids("crm.item.list", entityTypeId=3, filter={"ufCrmM": "б"}) == [1]
    assert w.ids("crm.contact.list", filter={"=UF_CRM_D": "2026-02-03"}) == [1]


def test_multiple_fields_of_items_must_be_arrays(w: World) -> None:
    _field(w, "M", "string", MULTIPLE="Y")
    assert w.error("crm.item.update", entityTypeId=3, id=1, fields={"ufCrmM": "x"}) == (
        400,
        100,
        "Expected iterable value for multiple field, but got string instead",
    )


def test_multifields_are_merged_by_id(w: World) -> None:
    phone = [{"VALUE": "+74950000009", "VALUE_TYPE": "MOBILE"}]
    w.call("crm.contact.update", id=1, fields={"PHONE": phone})
    assert [p["ID"] for p in w.call("crm.contact.get", id=1)["PHONE"]] == ["1", "8"]
    w.call("crm.contact.update", id=1, fields={"PHONE": [{"ID": "1", "DELETE": "Y"}]})
    w.call(
        "crm.item.update",
        entityTypeId=3,
        id=1,
        fields={"fm": {"8": {"typeId": "PHONE", "valueType": "WORK", "value": "+74950000010"}}},
    )
    card = w.call("crm.contact.get", id=1)
    assert [(p["ID"], p["VALUE"]) for p in card["PHONE"]] == [("8", "+74950000010")]
    w.call("crm.contact.update", id=1, fields={"PHONE": [{"ID": 8, "VALUE": ""}]})
    card = w.call("crm.contact.get", id=1)
    assert "PHONE" not in card
    assert card["HAS_PHONE"] == "N"
    broken = {"EMAIL": [{"VALUE": "nobody"}]}
    assert w.error("crm.contact.update", id=1, fields=broken)[1] == "ERROR_CORE"


def test_contacts_of_a_deal(w: World) -> None:
    items = [{"CONTACT_ID": 4, "SORT": 20}, {"CONTACT_ID": 5, "IS_PRIMARY": "Y"}]
    assert w.call("crm.deal.contact.items.set", id=2, items=items) is True
    bound = w.call("crm.deal.contact.items.get", id=2)
    assert [(row["CONTACT_ID"], row["IS_PRIMARY"]) for row in bound] == [(5, "Y"), (4, "N")]
    assert w.call("crm.deal.get", id=2)["CONTACT_ID"] == "5"
    w.call("crm.deal.update", id=2, fields={"CONTACT_ID": 6})
    assert [row["CONTACT_ID"] for row in w.call("crm.deal.contact.items.get", id=2)] == [6]
    assert w.call("crm.contact.company.items.get", id=1)[0]["COMPANY_ID"] == 1
    assert len(w.call("crm.company.contact.items.get", id=1)) == 2
    assert w.error("crm.deal.contact.items.get", id=3)[2] == "Not found."


def test_deleting_a_contact_loosens_its_deals(w: World) -> None:
    assert w.call("crm.contact.delete", id=2) is True
    assert w.call("crm.item.get", entityTypeId=2, id=2)["item"]["contactIds"] == []
    assert w.ids("crm.item.list", entityTypeId=2, filter={"contactIds": 2}) == []
    assert w.error("crm.contact.get", id=2)[2] == "Not found"
    assert w.error("crm.contact.delete", id=2)[:2] == (400, "ERROR_CORE")
    assert w.error("crm.contact.update", id=2, fields={})[2] == "Contact is not found"
    assert w.events == [("ONCRMCONTACTDELETE", {"ID": 2}, 1, "")]


def test_item_delete_answers_an_empty_array(w: World) -> None:
    assert w.call("crm.item.delete", entityTypeId=2, id=2) == []
    assert w.error("crm.item.delete", entityTypeId=2, id=2)[1] == "NOT_FOUND"
    assert w.error("crm.deal.update", id=2, fields={})[2] == "Not found"


def test_merging_repoints_deals_and_deletes_the_losers(w: World) -> None:
    result = w.call("crm.entity.mergeBatch", params={"entityTypeId": 3, "entityIds": [3, 2]})
    assert result == {"STATUS": "SUCCESS", "ENTITY_IDS": [2]}
    assert w.call("crm.item.get", entityTypeId=2, id=2)["item"]["contactIds"] == [3]
    phones = w.call("crm.contact.get", id=3)["PHONE"]
    assert [p["VALUE"] for p in phones] == ["+74950000003", "+74950000002"]
    assert 2 not in w.store.tables["contact"]
    names = [name for name, *_ in w.events]
    assert names == ["ONCRMCONTACTUPDATE", "ONCRMCONTACTDELETE"]
    assert w.error("crm.entity.mergeBatch", entityTypeId=3, entityIds=[3])[:2] == (400, 0)


def test_others_rows_may_not_be_written(w: World) -> None:
    assert w.error("crm.deal.update", user=2, id=2, fields={})[2] == "Access denied."
    assert w.error("crm.deal.delete", user=2, id=2)[2] == "Access denied."
    assert w.error("crm.item.update", user=2, entityTypeId=2, id=2)[1] == "ACCESS_DENIED"
    assert w.error("crm.item.add", user=4, entityTypeId=2)[1] == "ACCESS_DENIED"
    assert w.call("crm.deal.update", user=2, id=20, fields={"TITLE": "моя"}) is True


def test_bad_currency_is_refused_in_the_words_of_the_family(w: World) -> None:
    assert w.error("crm.deal.update", id=2, fields={"CURRENCY_ID": "XXX"}) == (
        400,
        "",
        "Неверное значение поля «Валюта»",
    )
    error = w.error("crm.item.update", entityTypeId=2, id=2, fields={"currencyId": "XXX"})
    assert error[1] == "CRM_FIELD_ERROR_VALUE_NOT_VALID"


def test_writes_need_a_fields_array(w: World) -> None:
    assert w.error("crm.deal.update", id=2)[2] == "Parameter 'fields' must be array."
    assert w.error("crm.deal.add", fields={}, params="x")[2] == "Parameter 'params' must be array."


def test_a_lead_closes_with_its_moment(w: World) -> None:
    w.call("crm.item.update", entityTypeId=1, id=1, fields={"stageId": "CONVERTED"})
    card = w.call("crm.lead.get", id=1)
    assert (card["STATUS_ID"], card["STATUS_SEMANTIC_ID"]) == ("CONVERTED", "S")
    assert card["DATE_CLOSED"] == "2026-03-01T12:30:15+03:00"
