"""Custom field values typed by the type the portal declares."""

from __future__ import annotations

import pytest

from integration.rules import custom
from integration.rules.custom import FieldType

CODE = "UF_CRM_1"


def read(raw, type_id, *, multiple=False):
    return custom.read({"ufCrm1": raw}, {"ufCrm1": FieldType(CODE, type_id, multiple)})


@pytest.mark.parametrize(
    ("type_id", "raw", "typed"),
    [
        ("string", "текст", "текст"), ("string", "a\x00b", "ab"), ("string", 5, "5"),
        ("integer", "12", 12), ("integer", 0, 0), ("integer", "0", 0), ("integer", "-3", -3),
        ("enumeration", "45", 45), ("employee", "7", 7), ("double", "1.25", 1.25), ("double", 0, 0.0),
        ("boolean", "1", True), ("boolean", "0", False), ("boolean", False, False),
        ("boolean", "Y", True), ("money", "12.50|RUB", {"amount": 12.5, "currency": "RUB"}),
        ("money", "-3|USD", {"amount": -3.0, "currency": "USD"}),
        ("money", "7", {"amount": 7.0, "currency": ""}),
        ("date", "2026-03-01T03:00:00+03:00", "2026-03-01"), ("date", "2026-03-01", "2026-03-01"),
        ("date", "2026-02-28T19:00:00-05:00", "2026-03-01"),
        ("datetime", "2026-03-01T12:00:00+05:00", "2026-03-01T12:00:00+05:00"),
        ("crm_status", "NEW", "NEW"), ("a type of the future", "x", "x"),
    ],
)  # fmt: skip
def test_a_value_has_its_type(type_id, raw, typed):
    found = read(raw, type_id)
    assert (found.values, found.misfits) == ({CODE: typed}, [])


@pytest.mark.parametrize("type_id", ["string", "integer", "money", "date", "enumeration"])
@pytest.mark.parametrize("empty", [None, "", [], {}, False])
def test_an_empty_value_has_no_key(type_id, empty):
    assert read(empty, type_id) == custom.CustomValues()


def test_a_field_the_reply_does_not_have_is_no_misfit():
    assert custom.read({}, {"ufCrm1": FieldType(CODE, "integer")}) == custom.CustomValues()


def test_links_to_files_are_left_out_because_they_carry_a_token():
    link = {"id": 1, "url": "/download?auth=secret"}
    assert read(link, "file") == custom.CustomValues()
    assert read([link], "file", multiple=True) == custom.CustomValues()


@pytest.mark.parametrize(
    ("type_id", "raw"),
    [
        ("integer", "many"), ("integer", "1.5"), ("double", "x"), ("double", "nan"),
        ("double", "1e999"), ("money", "a lot|RUB"), ("date", "01.03.2026"),
        ("date", "0001-01-01T00:00:00+03:00"), ("datetime", "2026-03-01T12:00:00"),
        ("integer", [1, 2]), ("string", {"a": 1}), ("enumeration", "red"),
    ],
)  # fmt: skip
def test_a_value_that_does_not_fit_is_named_and_not_repeated(type_id, raw):
    found = read(raw, type_id)
    assert found.values == {}
    assert len(found.misfits) == 1
    assert CODE in found.misfits[0]
    assert str(raw) not in found.misfits[0]


@pytest.mark.parametrize(
    ("type_id", "raw", "typed"),
    [
        ("integer", ["1", 2, "", None], [1, 2]), ("enumeration", "45", [45]),
        ("string", ["a", "b"], ["a", "b"]), ("date", ["2026-03-01"], ["2026-03-01"]),
        ("money", ["1|RUB", "2|USD"],
         [{"amount": 1.0, "currency": "RUB"}, {"amount": 2.0, "currency": "USD"}]),
    ],
)  # fmt: skip
def test_a_field_of_several_values_is_a_list(type_id, raw, typed):
    assert read(raw, type_id, multiple=True).values == {CODE: typed}


def test_one_misfit_does_not_hide_the_other_fields():
    fields = {"a": FieldType("UF_CRM_A", "integer"), "b": FieldType("UF_CRM_B", "integer")}
    found = custom.read({"a": "x", "b": "2"}, fields)
    assert found.values == {"UF_CRM_B": 2}
    assert len(found.misfits) == 1
