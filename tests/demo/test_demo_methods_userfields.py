"""The portal's own fields: naming rules, labels, enumerations, the two failures of creation."""

from __future__ import annotations

import pytest
from support.demo_world import World, world


@pytest.fixture
def w() -> World:
    return world()


def _add(w: World, **fields: object) -> int:
    return int(w.call("crm.contact.userfield.add", fields=fields))


def test_a_field_gets_its_prefix_and_reads_back(w: World) -> None:
    first = _add(w, FIELD_NAME="ltv", USER_TYPE_ID="money", SHOW_FILTER="Y", EDIT_IN_LIST="N")
    second = _add(w, FIELD_NAME="UF_X", USER_TYPE_ID="enumeration", SHOW_FILTER="Y")
    rows = w.call("crm.contact.userfield.list", order={"ID": "ASC"})
    assert [row["FIELD_NAME"] for row in rows] == ["UF_CRM_LTV", "UF_CRM_X"]
    assert [row["ID"] for row in rows] == [str(first), str(second)]
    assert [row["SHOW_FILTER"] for row in rows] == ["E", "I"]
    assert [row["EDIT_IN_LIST"] for row in rows] == ["N", "Y"]
    assert w.call("crm.deal.userfield.list") == []


@pytest.mark.parametrize(
    ("fields", "code", "words"),
    [
        ({}, "", "The 'USER_TYPE_ID' field is not found.\nThe 'FIELD_NAME' field is not found."),
        ({"FIELD_NAME": "A" * 44, "USER_TYPE_ID": "string"}, "ERROR_CORE", "50-ти символов"),
        ({"FIELD_NAME": "ИМЯ", "USER_TYPE_ID": "string"}, "ERROR_CORE", "недопустимые символы"),
        ({"FIELD_NAME": "A", "USER_TYPE_ID": "what"}, "ERROR_CORE", "неверный"),
        ({"FIELD_NAME": "TAKEN", "USER_TYPE_ID": "string"}, "ERROR_CORE", "уже существует"),
    ],
)
def test_refusals(w: World, fields: dict[str, object], code: str, words: str) -> None:
    _add(w, FIELD_NAME="TAKEN", USER_TYPE_ID="string")
    status, given, text = w.error("crm.contact.userfield.add", fields=fields)
    assert (status, given) == (400, code)
    assert words in text


def test_the_longest_allowed_name(w: World) -> None:
    _add(w, FIELD_NAME="A" * 43, USER_TYPE_ID="string")
    assert w.call("crm.contact.userfield.list")[0]["FIELD_NAME"] == "UF_CRM_" + "A" * 43


def test_labels_come_only_with_a_language(w: World) -> None:
    label = {"ru": "Ценность", "en": "Value"}
    field_id = _add(w, FIELD_NAME="V", USER_TYPE_ID="string", LABEL="общая", EDIT_FORM_LABEL=label)
    assert "EDIT_FORM_LABEL" not in w.call("crm.contact.userfield.list")[0]
    english = w.call("crm.contact.userfield.list", filter={"LANG": "en"})[0]
    assert (english["EDIT_FORM_LABEL"], english["LIST_COLUMN_LABEL"]) == ("Value", "общая")
    w.call("crm.contact.userfield.update", id=field_id, fields={"EDIT_FORM_LABEL": {"ru": "Новая"}})
    labels = w.call("crm.contact.userfield.get", id=field_id)["EDIT_FORM_LABEL"]
    assert (labels["ru"], labels["en"]) == ("Новая", "")
    described = w.call("crm.item.fields", entityTypeId=3)["fields"]["ufCrmV"]
    assert (described["title"], described["upperName"]) == ("Новая", "UF_CRM_V")
    assert w.call("crm.contact.fields")["UF_CRM_V"]["title"] == "UF_CRM_V"


def test_enumerations_are_written_by_item_id(w: World) -> None:
    items = [{"VALUE": "Да", "XML_ID": "yes"}, {"VALUE": "Нет"}]
    field_id = _add(w, FIELD_NAME="E", USER_TYPE_ID="enumeration", LIST=items)
    listed = w.call("crm.contact.userfield.get", id=field_id)["LIST"]
    assert [item["VALUE"] for item in listed] == ["Да", "Нет"]
    assert listed[0]["XML_ID"] == "yes"
    assert len(listed[1]["XML_ID"]) == 32
    chosen = int(listed[0]["ID"])
    w.call("crm.contact.update", id=1, fields={"UF_CRM_E": chosen})
    w.call("crm.contact.update", id=2, fields={"UF_CRM_E": "Да"})
    assert w.ids("crm.contact.list", filter={"UF_CRM_E": str(chosen)}) == [1]
    change = [{"ID": chosen, "DEL": "Y"}, {"VALUE": "Иногда"}]
    w.call("crm.contact.userfield.update", id=field_id, fields={"LIST": change})
    listed = w.call("crm.contact.userfield.get", id=field_id)["LIST"]
    assert [item["VALUE"] for item in listed] == ["Нет", "Иногда"]
    twice = [{"VALUE": "а", "XML_ID": "x"}, {"VALUE": "б", "XML_ID": "x"}]
    error = w.error("crm.contact.userfield.update", id=field_id, fields={"LIST": twice})
    assert error[1] == "ERROR_CORE"


def test_a_list_taken_whole_stops_at_the_limit(w: World) -> None:
    w.portal.options.userfield_limit = 1
    _add(w, FIELD_NAME="A", USER_TYPE_ID="string")
    sent = {"FIELD_NAME": "B", "USER_TYPE_ID": "string"}
    assert w.error("crm.contact.userfield.add", fields=sent)[:2] == (500, "INTERNAL_SERVER_ERROR")
    assert len(w.call("crm.contact.userfield.list")) == 1


def test_creation_may_fail_and_still_succeed(w: World) -> None:
    w.portal.options.userfield_add_500 = True
    sent = {"FIELD_NAME": "B", "USER_TYPE_ID": "string"}
    assert w.error("crm.contact.userfield.add", fields=sent)[0] == 500
    found = w.call("crm.contact.userfield.list", filter={"FIELD_NAME": "UF_CRM_B"})
    assert len(found) == 1


def test_deleting_a_field_deletes_its_values(w: World) -> None:
    field_id = _add(w, FIELD_NAME="GONE", USER_TYPE_ID="string")
    w.call("crm.contact.update", id=1, fields={"UF_CRM_GONE": "x"})
    assert w.call("crm.contact.userfield.delete", id=field_id) is True
    assert "UF_CRM_GONE" not in w.call("crm.contact.get", id=1)
    _add(w, FIELD_NAME="GONE", USER_TYPE_ID="string")
    assert w.call("crm.contact.get", id=1)["UF_CRM_GONE"] == ""
    assert w.error("crm.contact.userfield.get", id=999)[1] == "ERROR_NOT_FOUND"


def test_changes_of_fields_are_announced(w: World) -> None:
    field_id = _add(w, FIELD_NAME="E", USER_TYPE_ID="enumeration")
    one = {"LIST": [{"VALUE": "а"}]}
    w.call("crm.contact.userfield.update", id=field_id, fields=one, connector="c")
    w.call("crm.contact.userfield.delete", id=field_id)
    known = {"ID": field_id, "ENTITY_ID": "CRM_CONTACT", "FIELD_NAME": "UF_CRM_E"}
    prefix = "ONCRMCONTACTUSERFIELD"
    assert w.events == [
        (f"{prefix}ADD", known, 1, ""),
        (f"{prefix}UPDATE", known, 1, "c"),
        (f"{prefix}SETENUMVALUES", known, 1, "c"),
        (f"{prefix}DELETE", known, 1, ""),
    ]


def test_only_administrators_manage_fields(w: World) -> None:
    sent = {"FIELD_NAME": "B", "USER_TYPE_ID": "string"}
    assert w.error("crm.contact.userfield.add", user=2, fields=sent)[2] == "Access denied."
    assert w.error("crm.contact.userfield.list", user=2)[2] == "Access denied."


@pytest.mark.parametrize(
    ("code", "name"),
    [
        ("10_DIGIT", "ufCrm10Digit"),
        ("3_1747309727", "ufCrm3_1747309727"),
        ("1747309879", "ufCrm_1747309879"),
        ("3_DIGIT10", "ufCrm_3_DIGIT10"),
        ("RUBILNIK_LTV", "ufCrmRubilnikLtv"),
    ],
)
def test_names_of_user_fields_in_items(w: World, code: str, name: str) -> None:
    _add(w, FIELD_NAME=code, USER_TYPE_ID="string")
    fields = w.call("crm.item.fields", entityTypeId=3)["fields"]
    assert fields[name]["upperName"] == f"UF_CRM_{code}"
    original = w.call("crm.item.fields", entityTypeId=3, useOriginalUfNames="Y")["fields"]
    assert f"UF_CRM_{code}" in original
    found = {"entityTypeId": 3, "select": ["id", name]}
    assert name in w.call("crm.item.list", **found)["items"][0]


def test_a_taken_camel_name_leaves_the_upper_one(w: World) -> None:
    _add(w, FIELD_NAME="A_B", USER_TYPE_ID="string")
    _add(w, FIELD_NAME="A__B", USER_TYPE_ID="string")
    fields = w.call("crm.item.fields", entityTypeId=3)["fields"]
    assert fields["ufCrmAB"]["upperName"] == "UF_CRM_A_B"
    assert fields["UF_CRM_A__B"]["upperName"] == "UF_CRM_A__B"
