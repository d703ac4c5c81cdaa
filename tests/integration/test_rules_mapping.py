"""Reply rows as the portal writes them, quirks included → rows of the mirror."""

from __future__ import annotations

from datetime import UTC, date, datetime

import pytest

from integration.mirror import Company, Contact, Deal, Lead
from integration.rules import mapping
from integration.rules.custom import FieldType
from integration.rules.values import Misfit

CLASSIC = {
    "ID": "12", "ASSIGNED_BY_ID": "3", "SOURCE_ID": "WEB", "OPENED": "Y", "UTM_SOURCE": "yandex",
    "UTM_MEDIUM": "", "UTM_CAMPAIGN": None, "DATE_CREATE": "2026-01-10T12:00:00+03:00",
    "DATE_MODIFY": "2026-02-11T09:30:00+03:00",
}  # fmt: skip
PERSON = {
    "NAME": "Анна", "SECOND_NAME": "", "LAST_NAME": "Ветрова", "HONORIFIC": None, "POST": "директор",
    "BIRTHDATE": "1990-05-17T03:00:00+03:00",
}  # fmt: skip
CONTACT = CLASSIC | PERSON | {"TYPE_ID": "CLIENT", "COMPANY_ID": "5", "LEAD_ID": "0"}
COMPANY = CLASSIC | {
    "TITLE": "ООО «Ромашка»", "COMPANY_TYPE": "CUSTOMER", "INDUSTRY": "IT", "EMPLOYEES": "EMPLOYEES_1",
    "REVENUE": "1500000.00", "CURRENCY_ID": "RUB", "IS_MY_COMPANY": "N", "LEAD_ID": None,
}  # fmt: skip
LEAD = CLASSIC | PERSON | {
    "TITLE": "Заявка", "COMPANY_TITLE": "Ромашка", "STATUS_ID": "CONVERTED", "STATUS_SEMANTIC_ID": "S",
    "OPPORTUNITY": "0.00", "CURRENCY_ID": "RUB", "COMPANY_ID": "0", "CONTACT_ID": "7",
    "IS_RETURN_CUSTOMER": "Y", "DATE_CLOSED": "", "MOVED_TIME": "2026-02-11T09:30:00+03:00",
}  # fmt: skip
DEAL = {
    "id": 9, "assignedById": 3, "sourceId": "CALL", "opened": "N", "utmSource": "vk", "utmTerm": None,
    "createdTime": "2026-01-10T12:00:00+03:00", "updatedTime": "2026-02-11T09:30:00+03:00",
    "title": "Заказ", "categoryId": 3, "stageId": "C3:WON", "stageSemanticId": "S", "typeId": "SALE",
    "opportunity": 1500.5, "currencyId": "USD", "companyId": 5, "contactId": 7, "contactIds": [7, 8],
    "leadId": None, "isRecurring": "N", "isReturnCustomer": "Y",
    "begindate": "2026-01-10T03:00:00+03:00", "closedate": "2026-02-11T03:00:00+03:00",
    "movedTime": "2026-02-11T09:30:00+03:00",
}  # fmt: skip
MAPPERS = [
    (mapping.contact, CONTACT, Contact, "ID"), (mapping.company, COMPANY, Company, "ID"),
    (mapping.lead, LEAD, Lead, "ID"), (mapping.deal, DEAL, Deal, "id"),
]  # fmt: skip


@pytest.mark.parametrize(("map_row", "row", "table", "id_field"), MAPPERS)
def test_every_value_has_a_column_of_its_own(map_row, row, table, id_field):
    columns = set(table.__table__.columns.keys())
    assert set(map_row(row, {}).values) <= columns
    ours = {"portal_id", "bitrix_id", "row_hash", "synced_at", "deleted_at", "base_amount", "cost"}
    assert set(map_row(row, {}).values) == columns - ours


@pytest.mark.parametrize(("map_row", "row", "table", "id_field"), MAPPERS)
@pytest.mark.parametrize("missing", [None, "", "0", 0, "x"])
def test_a_row_without_an_id_does_not_fit(map_row, row, table, id_field, missing):
    with pytest.raises(Misfit):
        map_row(row | {id_field: missing}, {})


@pytest.mark.parametrize(("map_row", "row", "table", "id_field"), MAPPERS)
def test_a_row_with_its_id_alone_fits(map_row, row, table, id_field):
    found = map_row({id_field: "5"}, {})
    assert found.bitrix_id == 5
    assert found.values["created_at"] is None
    assert found.values["custom"] == {}


@pytest.mark.parametrize(("map_row", "row", "table", "id_field"), MAPPERS)
def test_a_custom_field_that_does_not_fit_does_not_hide_the_row(map_row, row, table, id_field):
    fields = {"A": FieldType("UF_CRM_A", "integer"), "B": FieldType("UF_CRM_B", "integer")}
    found = map_row(row | {"A": "many", "B": "2"}, fields)
    assert found.values["custom"] == {"UF_CRM_B": 2}
    assert len(found.misfits) == 1


def test_a_contact():
    found = mapping.contact(CONTACT, {}).values
    assert (found["name"], found["second_name"], found["last_name"]) == ("Анна", None, "Ветрова")
    assert (found["company_id"], found["lead_id"], found["assigned_by_id"]) == (5, None, 3)
    assert (found["birth_date"], found["opened"]) == (date(1990, 5, 17), True)
    assert found["utm"] == {"source": "yandex"}
    assert found["updated_at"] == datetime(2026, 2, 11, 6, 30, tzinfo=UTC)


def test_a_company():
    found = mapping.company(COMPANY, {}).values
    assert (found["title"], found["revenue"], found["is_my_company"]) == (
        "ООО «Ромашка»", "1500000.00", False,
    )  # fmt: skip
    assert mapping.company(COMPANY | {"IS_MY_COMPANY": "Y"}, {}).values["is_my_company"]


def test_a_lead():
    found = mapping.lead(LEAD, {}).values
    assert (found["company_id"], found["contact_id"], found["closed_at"]) == (None, 7, None)
    assert (found["stage_semantic"], found["is_return_customer"]) == ("S", True)


def test_a_deal():
    found = mapping.deal(DEAL, {})
    values = found.values
    assert (values["opportunity"], values["currency_id"], values["pipeline_id"]) == (
        "1500.50", "USD", 3,
    )  # fmt: skip
    assert (values["begun_on"], values["closed_on"]) == (date(2026, 1, 10), date(2026, 2, 11))
    assert (values["opened"], values["is_recurring"], values["is_return_customer"]) == (
        False, False, True,
    )  # fmt: skip
    assert values["utm"] == {"source": "vk"}
    assert found.addresses == []


@pytest.mark.parametrize("offset", ["-05:00", "-10:00", "+00:00", "+03:00", "+14:00"])
def test_the_day_of_a_sale_does_not_depend_on_the_servers_offset(offset):
    hours = int(offset[:3])
    shown = {
        -5: "2026-02-10T19:00:00", -10: "2026-02-10T14:00:00", 0: "2026-02-11T00:00:00",
        3: "2026-02-11T03:00:00", 14: "2026-02-11T14:00:00",
    }[hours]  # fmt: skip
    found = mapping.deal(DEAL | {"closedate": shown + offset}, {})
    assert found.values["closed_on"] == date(2026, 2, 11)


@pytest.mark.parametrize(
    ("primary", "linked", "primary_is", "all_are"),
    [
        (7, [7, 8], 7, [7, 8]),
        (8, [7, 8], 8, [8, 7]),
        ("8", ["7", "8"], 8, [8, 7]),
        (0, [7, 8], 7, [7, 8]),
        ("0", [], None, []),
        (None, None, None, []),
        ("", [9], 9, [9]),
        (7, [], 7, [7]),
        (7, [8, 8, 7], 7, [7, 8]),
    ],
)
def test_the_contacts_of_a_deal(primary, linked, primary_is, all_are):
    found = mapping.deal(DEAL | {"contactId": primary, "contactIds": linked}, {})
    assert (found.values["contact_id"], found.contact_ids) == (primary_is, all_are)


@pytest.mark.parametrize("none", [None, "", 0, "0"])
def test_every_spelling_of_no_link(none):
    deal = mapping.deal(DEAL | {"companyId": none, "leadId": none}, {}).values
    contact = mapping.contact(CONTACT | {"COMPANY_ID": none, "LEAD_ID": none}, {}).values
    lead = mapping.lead(LEAD | {"COMPANY_ID": none, "CONTACT_ID": none}, {}).values
    assert {deal["company_id"], deal["lead_id"], contact["company_id"], contact["lead_id"],
            lead["company_id"], lead["contact_id"]} == {None}  # fmt: skip


@pytest.mark.parametrize("field", ["closedate", "begindate", "movedTime", "createdTime"])
@pytest.mark.parametrize("empty", ["", None, {}, []])
def test_an_empty_date_of_a_deal(field, empty):
    found = mapping.deal(DEAL | {field: empty}, {}).values
    named = {"closedate": "closed_on", "begindate": "begun_on", "movedTime": "moved_at",
             "createdTime": "created_at"}  # fmt: skip
    assert found[named[field]] is None


@pytest.mark.parametrize(
    ("field", "value"),
    [("opportunity", "much"), ("contactIds", ["x"]), ("companyId", "-1"), ("closedate", "soon"),
     ("opportunity", 1e17)],
)  # fmt: skip
def test_a_deal_that_does_not_fit_names_the_field(field, value):
    with pytest.raises(Misfit, match=field):
        mapping.deal(DEAL | {field: value}, {})


def test_addresses_keep_their_order_within_a_kind_and_what_was_typed():
    row = CONTACT | {
        "PHONE": [
            {"ID": "1", "VALUE_TYPE": "WORK", "VALUE": "8 495 000-12-34, 8 812 000-12-35"},
            {"ID": "2", "VALUE_TYPE": "MOBILE", "VALUE": "нет"},
            {"ID": "3", "VALUE_TYPE": "HOME", "VALUE": ""},
        ],
        "EMAIL": [{"ID": "4", "VALUE_TYPE": "", "VALUE": "Anna@Example.com"}],
        "IM": [{"ID": "5", "VALUE_TYPE": "TELEGRAM", "VALUE": "@anna"}],
        "WEB": None,
    }
    found = [
        (a.kind, a.position, a.value_type, a.normalised, a.problem)
        for a in mapping.contact(row, {}).addresses
    ]
    assert found == [
        ("phone", 0, "WORK", "+74950001234", None),
        ("phone", 1, "WORK", "+78120001235", None),
        ("phone", 2, "MOBILE", None, "not_a_phone"),
        ("email", 0, None, "anna@example.com", None),
        ("messenger", 0, "TELEGRAM", "telegram:anna", None),
    ]
    typed = {a.value for a in mapping.contact(row, {}).addresses}
    assert "8 495 000-12-34, 8 812 000-12-35" in typed
