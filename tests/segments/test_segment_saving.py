"""Saving segments: every version kept, nobody overwrites another, no rings, nothing named goes away unseen."""

from __future__ import annotations

import pytest
from support.segment_portal import Maker, stored

from integration import keeping
from integration.rules.keeping import ACTIVITY, HISTORY, LEAD, Keeping, Use
from segments import uses
from segments.conditions.definitions import InvalidCondition
from segments.members import saving
from segments.saved import How

NAMED = {"field": "full_name", "op": "filled"}


def clients(*nodes):
    return {"version": 1, "clients": {"kinds": ["contact"], "where": {"all": list(nodes)}}}


def naming(segment_id):
    return clients({"field": "segment", "op": "in", "value": segment_id})


@pytest.fixture
def portal_id(session):
    return stored(session, Maker(5).rows()).portal_id


def test_every_version_is_kept_with_who_and_can_be_returned_to(session, portal_id):
    made = saving.create(session, portal_id, " Первый  сегмент ", clients(), user_id=1)
    assert (made.name, made.version) == ("Первый сегмент", 1)
    assert saving.change(session, portal_id, made.id, made_from=1, raw=clients(NAMED), user_id=2)
    assert not saving.change(session, portal_id, made.id, made_from=1, raw=clients(NAMED))
    assert saving.change(session, portal_id, made.id, made_from=2, name="Другой", user_id=3)
    with pytest.raises(saving.Overtaken):
        saving.change(session, portal_id, made.id, made_from=2, name="Третий")
    assert saving.restore(session, portal_id, made.id, 1, made_from=3, user_id=4)
    kept = saving.versions(session, portal_id, made.id)
    assert [(each.version, each.name, each.changed_by) for each in kept] == [
        (4, "Первый сегмент", 4),
        (3, "Другой", 3),
        (2, "Первый сегмент", 2),
        (1, "Первый сегмент", 1),
    ]
    assert made.definition == kept[-1].definition
    assert made.stale_at is not None


def test_a_new_name_alone_counts_nobody_anew(session, portal_id):
    made = saving.create(session, portal_id, "S", clients())
    made.stale_at = None
    saving.change(session, portal_id, made.id, made_from=1, name="T")
    assert made.stale_at is None


@pytest.mark.parametrize("name", ["", "  ", "\0"])
def test_a_segment_has_a_name(session, portal_id, name):
    with pytest.raises(InvalidCondition):
        saving.create(session, portal_id, name, clients())


def test_rings_and_unknown_segments_are_refused(session, portal_id):
    first = saving.create(session, portal_id, "first", clients())
    second = saving.create(session, portal_id, "second", naming(first.id))
    third = saving.create(session, portal_id, "third", naming(second.id))
    for named in (first, second, third):
        with pytest.raises(InvalidCondition, match="depends on this one"):
            saving.change(session, portal_id, first.id, made_from=1, raw=naming(named.id))
    with pytest.raises(InvalidCondition, match="no segment 999"):
        saving.create(session, portal_id, "x", naming(999))
    in_time = {"segment": second.id, "day": "2026-01-01"}
    condition = {"field": "segment", "op": "was_in_on", "value": in_time}
    with pytest.raises(InvalidCondition, match="depends on this one"):
        saving.change(session, portal_id, first.id, made_from=1, raw=clients(condition))
    assert [each.id for each in saving.dependants(session, portal_id, first.id)] == [second.id]


def test_a_named_segment_cannot_be_put_away_and_one_put_away_not_named(session, portal_id):
    first = saving.create(session, portal_id, "first", clients())
    second = saving.create(session, portal_id, "second", naming(first.id))
    with pytest.raises(saving.InUse) as refused:
        saving.archive(session, portal_id, first.id, 1)
    assert refused.value.names == ["second"]
    saving.archive(session, portal_id, second.id, 1)
    saving.archive(session, portal_id, first.id, 1)
    assert saving.listed(session, portal_id) == []
    with pytest.raises(saving.NoSuchSegment):
        saving.change(session, portal_id, first.id, made_from=1, name="x")
    with pytest.raises(InvalidCondition, match="no segment"):
        saving.create(session, portal_id, "third", naming(first.id))


def test_a_list_has_no_conditions(session, portal_id):
    made = saving.create(session, portal_id, "list", None, how=How.STATIC)
    with pytest.raises(InvalidCondition):
        saving.change(session, portal_id, made.id, made_from=1, raw=clients())
    assert saving.change(session, portal_id, made.id, made_from=1, name="other")
    with pytest.raises(InvalidCondition):
        saving.create(session, portal_id, "dynamic", None)


def test_another_portals_segment_is_out_of_reach(session, portal_id):
    other = stored(session, Maker(6).rows()).portal_id
    made = saving.create(session, other, "theirs", clients())
    with pytest.raises(saving.NoSuchSegment):
        saving.change(session, portal_id, made.id, made_from=1, name="x")
    with pytest.raises(saving.NoSuchSegment):
        saving.restore(session, portal_id, made.id, 1, made_from=1)
    with pytest.raises(InvalidCondition, match="no segment"):
        saving.create(session, portal_id, "x", naming(made.id))


def test_what_segments_name_must_go_on_being_read(session, portal_id):
    deals = {
        "related": "deals",
        "measure": "sum",
        "of": "amount",
        "op": "ge",
        "value": 5,
        "where": {"any": [{"field": "UF_CRM_ITEM", "op": "any_of", "value": ["1"]}]},
    }
    calls = {"related": "activities", "measure": "none"}
    raw = clients({"any": [deals, calls, {"field": "UF_CRM_TEXT", "op": "filled"}]})
    segment = saving.create(session, portal_id, "S", raw)
    found = uses.of_rules(session, portal_id)
    assert Use("deal", "UF_CRM_ITEM", "segment") in found
    assert Use("contact", "UF_CRM_TEXT", "segment") in found
    assert Use(ACTIVITY, None, "segment") in found
    assert not [use for use in found if use.entity in {LEAD, HISTORY} or use.code == "amount"]
    wished = Keeping(left_out={"deal": frozenset({"UF_CRM_ITEM"})})
    with pytest.raises(keeping.InUse):
        keeping.change(session, portal_id, wished, found)
    asking_leads = {"version": 1, "leads": {"where": {"all": [{"related": "stage_moves"}]}}}
    saving.create(session, portal_id, "leads", asking_leads)
    found = uses.of_rules(session, portal_id)
    assert {Use(LEAD, None, "segment"), Use(HISTORY, None, "segment")} <= set(found)
    saving.archive(session, portal_id, segment.id, 1)
    assert Use("deal", "UF_CRM_ITEM", "segment") not in uses.of_rules(session, portal_id)
