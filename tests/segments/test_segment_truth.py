"""Random questions to random portals: the compiled select finds whom a row-by-row evaluator finds."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from support.segment_portal import CUSTOM, NOW, Maker, stored
from support.segment_questions import every_condition, random_definitions
from support.segment_truth import members as truth

from segments import audience
from segments.conditions import definitions
from segments.conditions.catalog import scope_of
from segments.conditions.compile import members as compiled_members

PORTALS = 4
QUESTIONS = 80


@pytest.mark.parametrize("seed", range(PORTALS))
def test_the_select_finds_whom_thinking_row_by_row_finds(session, seed):
    rows = stored(session, Maker(seed).rows())
    scope = scope_of(session, rows.portal_id, NOW)

    @settings(
        max_examples=QUESTIONS, deadline=None, database=None,
        suppress_health_check=list(HealthCheck),
    )  # fmt: skip
    @given(random_definitions(scope))
    def asked(raw: dict[str, Any]) -> None:
        definition = definitions.read(raw, scope)
        found = {
            (kind, number) for kind, number in session.execute(compiled_members(scope, definition))
        }
        assert found == truth(rows, raw)
        again = json.loads(json.dumps(definitions.written(definition)))
        assert definitions.read(again, scope) == definition
        for kind, _tree in definition.asked():
            ids = [card["bitrix_id"] for card in rows.cards[kind][:4]]
            narrowed = audience.contains(session, scope, definition, kind, ids)
            assert narrowed == {number for each, number in found if each == kind and number in ids}

    asked()


def test_every_field_and_operator_is_asked(session):
    """Each alone, with some values of its shape, so that none is left out by chance."""
    rows = stored(session, Maker(77).rows())
    scope = scope_of(session, rows.portal_id, NOW)

    @settings(max_examples=1, deadline=None, database=None, suppress_health_check=list(HealthCheck))
    @given(every_condition(scope))
    def asked(questions: list[dict[str, Any]]) -> None:
        for question in questions:
            definition = definitions.read(question, scope)
            found = session.execute(compiled_members(scope, definition)).all()
            assert {tuple(row) for row in found} == truth(rows, question), question

    asked()


@pytest.mark.parametrize("op", ["eq", "ne", "lt", "le", "gt", "ge"])
@pytest.mark.parametrize("field", ["ltv", "sales"])
def test_who_never_bought_is_worth_zero(session, field, op):
    """His row is missing, and still zero: it is neither empty nor «not zero»."""
    agree(session, [{"field": field, "op": op, "value": value} for value in (-1, 0, 1)])


@pytest.mark.parametrize("field", ["rfm_r", "sales", "ltv"])
def test_a_number_no_column_can_hold_is_compared_all_the_same(session, field):
    asked = [("lt", 45_000), ("lt", 3 * 10**9), ("gt", 45_000), ("between", [-40_000, 40_000])]
    agree(session, [{"field": field, "op": op, "value": value} for op, value in asked])


def agree(session: Any, conditions: list[dict[str, Any]]) -> None:
    """Select and evaluator find the same clients by each of the conditions."""
    rows = stored(session, Maker(77).rows())
    scope = scope_of(session, rows.portal_id, NOW)
    for condition in conditions:
        raw = {"version": 1, "clients": {"where": {"all": [condition]}}}
        found = session.execute(compiled_members(scope, definitions.read(raw, scope))).all()
        assert {tuple(row) for row in found} == truth(rows, raw), condition


def test_custom_fields_have_every_type():
    assert {type_id for type_id, _ in CUSTOM.values()} >= {
        "string", "integer", "double", "boolean", "date", "datetime", "money", "enumeration",
    }  # fmt: skip
