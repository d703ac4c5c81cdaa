"""PHP-style parameters of the demo portal."""

from __future__ import annotations

from urllib.parse import parse_qsl, urlencode

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from demo.portal.params import decode_pairs, decode_query, encode_pairs, is_list


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ("a=1&b=2", {"a": "1", "b": "2"}),
        ("a=1&a=2", {"a": "2"}),
        ("filter[>ID]=5&filter[%3DSTAGE_ID]=WON", {"filter": {">ID": "5", "=STAGE_ID": "WON"}}),
        ("filter[=ID]=5", {"filter_": "ID]=5"}),
        ("filter%5B%3EID%5D=5", {"filter": {">ID": "5"}}),
        ("select[]=ID&select[]=TITLE", {"select": ["ID", "TITLE"]}),
        ("select[0]=ID&select[1]=TITLE", {"select": ["ID", "TITLE"]}),
        ("select[1]=ID&select[0]=TITLE", {"select": {"1": "ID", "0": "TITLE"}}),
        ("a[5]=x&a[]=y", {"a": {"5": "x", "6": "y"}}),
        ("fields[PHONE][0][VALUE]=%2B7", {"fields": {"PHONE": [{"VALUE": "+7"}]}}),
        ("fields[PHONE][][VALUE]=1", {"fields": {"PHONE": [{"VALUE": "1"}]}}),
        ("key[]=", {"key": [""]}),
        ("title=a+b%26c", {"title": "a b&c"}),
        ("my.name=1", {"my_name": "1"}),
        ("a[b=1", {"a_b": "1"}),
        ("a=text&a[b]=1", {"a": {"b": "1"}}),
        ("", {}),
    ],
)
def test_query_is_read_as_php_reads_it(query, expected):
    assert decode_query(query) == expected


def test_nested_values_are_named_as_http_build_query_names_them():
    body = {"event": "X", "data": {"FIELDS": {"ID": 7}}, "list": [1, 2], "on": True, "no": None}
    assert list(encode_pairs(body)) == [
        ("event", "X"),
        ("data[FIELDS][ID]", "7"),
        ("list[0]", "1"),
        ("list[1]", "2"),
        ("on", "1"),
    ]


KEYS = st.text(alphabet="abcXYZ_", min_size=1, max_size=6)
VALUES = st.recursive(
    st.text(alphabet="aЯ&=+[] %$#0", max_size=8),
    lambda inner: (
        st.lists(inner, min_size=1, max_size=3)
        | st.dictionaries(KEYS, inner, min_size=1, max_size=3)
    ),
    max_leaves=12,
)


@settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.dictionaries(KEYS, VALUES, max_size=4))
def test_what_is_encoded_is_decoded_back(value):
    wire = urlencode(list(encode_pairs(value)))
    assert decode_pairs(parse_qsl(wire, keep_blank_values=True)) == value


@pytest.mark.parametrize(
    ("keys", "expected"),
    [([], True), (["0", "1"], True), ([0, 1], True), (["1", "0"], False), (["a"], False)],
)
def test_only_consecutive_keys_from_zero_make_a_list(keys, expected):
    assert is_list(keys) is expected
