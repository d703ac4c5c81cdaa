"""Custom fields somebody asks for are answered by heart soon after, and the answers stay those of the mirror."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest
import sqlalchemy as sa
from support.segment_portal import CUSTOM, NOW, Maker, stored

from integration.mirror import Contact, CustomField
from integration.models import ChangedCard
from segments import asked_fields
from segments.asked_fields import AskedField
from segments.conditions import definitions
from segments.conditions.catalog import scope_of
from segments.conditions.compile import members
from segments.facts import keeping
from segments.members import saving, upkeep
from segments.models import ClientKind
from segments.writing import differences
from segments.writing.differences import Change

NUMBER, TEXT = "UF_CRM_NUMBER", "UF_CRM_TEXT"


def asking(*codes):
    where = {"all": [{"field": code, "op": "filled"} for code in codes]}
    return {"version": 1, "clients": {"kinds": ["contact"], "where": where}}


@pytest.fixture
def portal_id(session):
    """A portal whose facts are found, before anybody has asked for a field."""
    found = stored(session, Maker(5).rows()).portal_id
    keeping.find_all(session, found)
    return found


def by_heart(session, portal_id):
    return asked_fields.known(session, portal_id).get("contact", frozenset())


def chosen(session, portal_id, raw, **how):
    scope = replace(scope_of(session, portal_id, NOW), **how)
    assert scope.known or how
    return {row[1] for row in session.execute(members(scope, definitions.read(raw, scope)))}


def agrees(session, portal_id, raw):
    by_mirror = chosen(session, portal_id, raw, known=False)
    assert chosen(session, portal_id, raw) == by_mirror
    return by_mirror


def test_a_saved_segments_fields_are_known_once_the_upkeep_has_looked(session, portal_id):
    saving.create(session, portal_id, "S", asking(NUMBER))
    assert keeping.lacks_fields(session, portal_id)
    before = agrees(session, portal_id, asking(NUMBER))
    assert keeping.repeat_fields(session, portal_id)
    assert not keeping.lacks_fields(session, portal_id)
    assert by_heart(session, portal_id) == {NUMBER}
    assert agrees(session, portal_id, asking(NUMBER)) == before

    loser = min(before)
    card = session.get(Contact, (portal_id, loser))
    card.custom = {key: value for key, value in card.custom.items() if key != NUMBER}
    session.add(ChangedCard(portal_id=portal_id, kind="contact", card_id=loser))
    session.flush()
    assert agrees(session, portal_id, asking(NUMBER)) == before - {loser}, "while it is noted"
    upkeep.follow_touched(session, portal_id, NOW)
    assert agrees(session, portal_id, asking(NUMBER)) == before - {loser}, "and after"


def test_what_we_write_ourselves_moves_those_who_ask_for_it(session, portal_id):
    asked_fields.note(session, portal_id, [asking(NUMBER)])
    keeping.repeat_fields(session, portal_id)
    before = agrees(session, portal_id, asking(NUMBER))
    card_id = min(before)
    for code, noted in ((TEXT, 0), (NUMBER, 1)):
        change = Change(ClientKind.CONTACT, card_id, {}, {code: None})
        differences.mirror_written(session, portal_id, [change])
        of_portal = sa.select(sa.func.count()).where(ChangedCard.portal_id == portal_id)
        assert session.scalar(of_portal) == noted
    assert agrees(session, portal_id, asking(NUMBER)) == before - {card_id}
    upkeep.follow_touched(session, portal_id, NOW)
    assert agrees(session, portal_id, asking(NUMBER)) == before - {card_id}


def test_a_field_of_one_kind_of_card_is_not_taken_for_that_of_another(session, portal_id):
    asked_fields.note(session, portal_id, [asking(NUMBER)])
    keeping.repeat_fields(session, portal_id)
    raw = asking(NUMBER)
    raw["clients"]["kinds"] = ["contact", "company"]
    agrees(session, portal_id, raw)
    assert asked_fields.unknown(raw, *_fields(session, portal_id)), "companies' is not known yet"


def _fields(session, portal_id):
    scope = scope_of(session, portal_id, NOW)
    return scope.custom, scope.known_fields


def test_only_the_portals_own_fields_are_noted_and_only_so_many(session, portal_id, monkeypatch):
    monkeypatch.setattr(asked_fields, "MOST", 3)
    asked_fields.note(session, portal_id, [asking("UF_CRM_NOBODY_HAS", "ltv", NUMBER, TEXT)])
    assert asked_fields.every(session, portal_id) == {"contact": {NUMBER, TEXT}}
    asked_fields.note(session, portal_id, [asking(*CUSTOM)])
    found = asked_fields.every(session, portal_id)["contact"]
    assert len(found) == 3
    assert found > {NUMBER, TEXT}
    keeping.repeat_fields(session, portal_id)
    agrees(session, portal_id, asking(*CUSTOM))


def test_a_field_nobody_asks_for_any_more_is_left_out_in_the_end(session, portal_id):
    saving.create(session, portal_id, "S", asking(TEXT))
    asked_fields.note(session, portal_id, [asking(NUMBER)])
    long_ago = sa.func.now() - asked_fields.FORGOTTEN_AFTER - timedelta(days=1)
    session.execute(sa.update(AskedField).values(asked_at=long_ago))
    keeping.repeat_fields(session, portal_id)
    assert by_heart(session, portal_id) == {TEXT}, "a saved segment asks every day"
    agrees(session, portal_id, asking(NUMBER, TEXT))


def test_a_field_the_portal_has_lost_does_no_harm(session, portal_id):
    asked_fields.note(session, portal_id, [asking(NUMBER)])
    keeping.repeat_fields(session, portal_id)
    session.execute(
        sa.delete(CustomField).where(CustomField.portal_id == portal_id, CustomField.code == NUMBER)
    )
    agrees(session, portal_id, asking(TEXT))
    keeping.find_all(session, portal_id)
    agrees(session, portal_id, asking(TEXT))
