"""Parameters mean the same in a JSON body and in a command of a batch."""

from __future__ import annotations

from datetime import UTC, date, datetime
from decimal import Decimal
from urllib.parse import parse_qsl

import pytest
from hypothesis import given
from hypothesis import strategies as st

from integration.bitrix.params import command, plain
from integration.bitrix.payloads import decode


def test_a_command_reads_like_the_documentations():
    assert command("crm.deal.list", {"filter": {">ID": 10}, "fields": {"TITLE": "A&B"}}) == (
        "crm.deal.list?filter[%3EID]=10&fields[TITLE]=A%26B"
    )
    assert command("profile", {}) == "profile"


def test_what_php_would_misread_is_sent_otherwise():
    made = dict(
        parse_qsl(
            command(
                "m",
                {
                    "yes": True, "no": False, "none": None, "money": Decimal("10.50"),
                    "day": date(2026, 1, 2), "at": datetime(2026, 1, 2, 3, 4, tzinfo=UTC),
                    "list": ["a", None, "b"], "text": "#1 100% + я",
                },
            ).partition("?")[2],
            keep_blank_values=True,
        )
    )  # fmt: skip
    assert made == {
        "yes": "1", "no": "0", "money": "10.50", "day": "2026-01-02",
        "at": "2026-01-02T03:04:00+00:00", "list[0]": "a", "list[1]": "b", "text": "#1 100% + я",
    }  # fmt: skip


def test_json_gets_the_same_values():
    assert plain({"halt": False, "x": None, "fields": {"OPENED": True, "n": None, "e": ""}}) == {
        "halt": 0,
        "fields": {"OPENED": 1, "e": ""},
    }


@pytest.mark.parametrize("value", [None, [], ()])
def test_a_condition_without_a_value_would_read_everything(value):
    with pytest.raises(ValueError, match=r"filter\.@id"):
        plain({"filter": {"@id": value}})
    with pytest.raises(ValueError, match="no value"):
        plain({"filter": {"0": {"logic": "OR", "1": {"=x": value}}}})


def test_a_time_without_a_zone_is_refused():
    with pytest.raises(ValueError, match="zone"):
        plain({"filter": {">=updatedTime": datetime(2026, 1, 1)}})


def test_an_unknown_type_is_refused():
    with pytest.raises(TypeError, match=r"fields\.X"):
        plain({"fields": {"X": object()}})


KEYS = st.text(
    st.characters(exclude_characters="[]", exclude_categories=["Cs"]), min_size=1, max_size=8
)
TEXTS = st.text(st.characters(exclude_categories=["Cs"]), max_size=20)
TREES = st.recursive(
    TEXTS,
    lambda inner: (
        st.lists(inner, min_size=1, max_size=3)
        | st.dictionaries(KEYS, inner, min_size=1, max_size=3)
    ),
    max_leaves=8,
)


def as_php_reads(value):
    if isinstance(value, list):
        return [as_php_reads(item) for item in value]
    if isinstance(value, dict):
        items = {key: as_php_reads(item) for key, item in value.items()}
        if list(items) == [str(index) for index in range(len(items))]:
            return list(items.values())
        return items
    return value


@given(
    st.dictionaries(KEYS.filter(lambda key: key.lower() != "filter"), TREES, min_size=1, max_size=3)
)
def test_a_command_decodes_to_what_was_meant(params):
    query = command("m", params).partition("?")[2]
    assert decode(query) == {key: as_php_reads(value) for key, value in params.items()}
