"""A segment's JSON is checked: each error names the place and what is allowed."""

from __future__ import annotations

import contextlib
import json

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from support.segment_portal import NOW, Maker, stored

from segments import audience
from segments.conditions import definitions
from segments.conditions.catalog import scope_of
from segments.conditions.compile import members
from segments.conditions.definitions import InvalidCondition


@pytest.fixture
def scope(session):
    return scope_of(session, stored(session, Maker(1).rows()).portal_id, NOW)


def clients(*parts):
    return {"version": 1, "clients": {"where": {"all": list(parts)}}}


def deep(levels):
    node = {"all": []}
    for _ in range(levels - 1):
        node = {"any": [node]}
    return {"version": 1, "clients": {"where": node}}


DEALS = {"related": "deals"}
WRONG = [
    (None, "segment", "an object"),
    ([], "segment", "an object"),
    ({"version": 2, "leads": {}}, "version", "must be 1"),
    ({"version": 1}, "segment", "clients, leads or both"),
    ({"version": 1, "people": {}}, "segment.people", "allowed: clients, leads"),
    ({"version": 1, "clients": {"kinds": ["lead"]}}, "clients.kinds", "contact, company"),
    ({"version": 1, "clients": {"where": {"some": []}}}, "clients.where", '"any" or "none"'),
    ({"version": 1, "clients": {"where": {"all": {}}}}, "clients.where.all", "a list"),
    (deep(6), "clients.where.any[0].any[0].any[0].any[0].any[0]", "5 deep"),
    (clients(7), "clients.where.all[0]", "a group or a condition"),
    (clients({"field": "shoe_size", "op": "is"}), "clients.where.all[0].field", "birth_date"),
    (clients({"field": ["ltv"], "op": "is"}), "clients.where.all[0].field", "no such field"),
    (clients({"field": "title", "op": "filled"}), "clients.where.all[0].field", "lead"),
    (clients({"field": "ltv", "op": "contains"}), "clients.where.all[0].op", "allowed: between"),
    (clients({"field": "ltv", "op": "ge"}), "clients.where.all[0].value", "a number"),
    (clients({"field": "ltv", "op": "ge", "value": "9"}), "clients.where.all[0].value", "a number"),
    (clients({"field": "ltv", "op": "ge", "value": True}), "clients.where.all[0].value", "number"),
    (clients({"field": "ltv", "op": "filled", "value": 1}), "clients.where.all[0].value", "left out"),
    (
        clients({"field": "birth_date", "op": "on", "value": "31.01.2026"}),
        "clients.where.all[0].value", "2026-01-31",
    ),
    (
        clients({"field": "birth_date", "op": "in_last", "value": {"n": 3, "unit": "eon"}}),
        "clients.where.all[0].value", "quarter",
    ),
    (
        clients({"field": "birth_date", "op": "in_last", "value": {"n": 10**9, "unit": "year"}}),
        "clients.where.all[0].value", "400 years",
    ),
    (
        clients({"field": "full_name", "op": "matches", "value": "("}),
        "clients.where.all[0].value", "a regular expression",
    ),
    (
        clients({"field": "days_since_sale", "op": "top", "value": 10}),
        "clients.where.all[0].op", "average_check",
    ),
    (clients({"related": "cats"}), "clients.where.all[0].related", "activities"),
    (clients({**DEALS, "measure": "most"}), "clients.where.all[0].measure", "count"),
    (clients({**DEALS, "op": "ge"}), "clients.where.all[0].op", "no meaning"),
    (
        clients({**DEALS, "measure": "sum", "of": "title", "op": "ge", "value": 1}),
        "clients.where.all[0].of", "can't be taken",
    ),
    (
        clients({**DEALS, "where": {"all": [{"related": "leads"}]}}),
        "clients.where.all[0].where.all[0]", "can't be nested",
    ),
    ({**clients(), "limit": {"count": 0}}, "limit.count", "1 to"),
    ({**clients(), "limit": {"count": 5, "by": "shoe"}}, "limit.by", "ltv"),
    (clients(*[{"field": "ltv", "op": "filled"}] * 101), "clients.where.all[100]", "100"),
]  # fmt: skip


@pytest.mark.parametrize(("raw", "path", "allowed"), WRONG)
def test_a_wrong_definition_says_where_and_what_is_allowed(scope, raw, path, allowed):
    with pytest.raises(InvalidCondition) as caught:
        definitions.read(raw, scope)
    assert caught.value.path == path
    assert allowed in caught.value.problem


_JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20)
    | st.sampled_from(["ltv", "deals", "all", "UF_CRM_TEXT", "'; DROP TABLE deals;--", "is", "ge",
                       "birth_date", "in_last", "custom", "portal_id", "row_hash", "__class__"]),
    lambda inner: st.lists(inner, max_size=4)
    | st.dictionaries(
        st.sampled_from(["version", "clients", "leads", "where", "all", "any", "none", "field", "op",
                         "value", "related", "measure", "of", "limit", "count", "by", "n", "unit"]),
        inner, max_size=4,
    ),
    max_leaves=20,
)  # fmt: skip


def test_nonsense_is_refused_or_runs_and_never_touches_another_name(session, scope):
    """Whatever comes, it is refused, or becomes a select the database accepts."""

    @settings(max_examples=150, deadline=None, database=None,
              suppress_health_check=list(HealthCheck))  # fmt: skip
    @given(_JSON)
    def asked(tree):
        for raw in (tree, {"version": 1, "clients": {"where": tree}}, clients(tree)):
            with contextlib.suppress(InvalidCondition):
                session.execute(members(scope, definitions.read(raw, scope))).all()

    asked()


def test_names_that_are_no_fields_are_refused_even_when_columns_exist(scope):
    for name in ("portal_id", "row_hash", "custom", "deleted_at", "bitrix_id", "1=1", "ltv--"):
        with pytest.raises(InvalidCondition):
            definitions.read(clients({"field": name, "op": "filled"}), scope)


def test_a_member_is_told_why_and_a_stranger_why_not(session, scope):
    raw = {
        "version": 1,
        "clients": {
            "where": {"any": [{"field": "ltv", "op": "ge", "value": 1}, {"related": "deals"}]}
        },
    }
    definition = definitions.read(raw, scope)
    inside, *_others = audience.listed(session, scope, definition)
    told = audience.why(session, scope, definition, *inside)
    assert told.holds
    assert any(part.holds for part in told.parts)
    nobody = definitions.read(clients({"field": "ltv", "op": "ge", "value": 10**9}), scope)
    told = audience.why(session, scope, nobody, *inside)
    assert (told.holds, [part.holds for part in told.parts]) == (False, [False])


def test_a_definition_survives_json(scope):
    raw = clients(
        {"none": [{"field": "ltv", "op": "between", "value": [1, 2.5]}]},
        {**DEALS, "measure": "max", "of": "amount", "op": "gt", "value": 5, "where": {"any": []}},
    ) | {"leads": {"where": {"all": []}}, "limit": {"count": 3, "by": "ltv"}}
    definition = definitions.read(raw, scope)
    written = definitions.written(definition)
    assert definitions.read(json.loads(json.dumps(written)), scope) == definition
