"""Each preset finds exactly whom its definition, thought out row by row, names; what lacks is told."""

from __future__ import annotations

import itertools
from dataclasses import replace
from decimal import Decimal

import pytest
import sqlalchemy as sa
from support.preset_portal import CLIENTS, Card, Portal
from support.preset_truth import QUESTIONS, moments_stuck
from support.segment_portal import NOW, Maker, stored

from integration.mirror import CustomField
from mailings import conditions as mail_conditions
from segments.conditions.catalog import scope_of
from segments.ready import presets
from segments.ready.parameters import InvalidParameter
from segments.ready.presets import PRESETS, Unready
from segments.rules.lifecycle import Edges

SEEDS = range(7)
ELSEWHERE = {"stuck_in_stage"}


def test_every_preset_is_asked():
    joined = {preset.key for preset in mail_conditions.PRESETS}
    assert set(QUESTIONS) | ELSEWHERE == set(PRESETS) - joined


def test_a_preset_finds_exactly_those_its_definition_names(session):
    portals = [Portal(session, seed) for seed in SEEDS]
    wrong, nobody = [], []
    for key, asked in QUESTIONS.items():
        for chosen, kinds, holds in asked if isinstance(asked, list) else [asked]:
            somebody = 0
            for portal in portals:
                found, wanted = portal.found(key, **chosen), portal.wanted(kinds, holds)
                somebody += len(wanted)
                if found != wanted:
                    wrong.append((key, chosen, found - wanted, wanted - found))
            if not somebody:
                nobody.append((key, chosen))
    assert wrong == []
    assert " ".join(key for key, _ in nobody) == "", "these questions prove nothing"


def test_a_deal_is_stuck_that_stands_longer_than_nine_of_ten_before_it(session):
    found_some = False
    for seed in SEEDS:
        portal = Portal(session, seed)
        stays: dict[str, list[Decimal]] = {}
        moves = sorted(
            (m for m in portal.rows.moves if m["entity"] == "deal"),
            key=lambda m: (m["moved_at"], m["bitrix_id"]),
        )
        for owner in {m["owner_id"] for m in moves}:
            own = [m for m in moves if m["owner_id"] == owner]
            for here, then in itertools.pairwise(own):
                passed = Decimal((then["moved_at"] - here["moved_at"]).total_seconds()) / 86400
                stays.setdefault(here["stage_id"], []).append(passed)
        edges = {}
        for stage, passed in stays.items():
            passed.sort()
            place = -(-len(passed) * 9 // 10) - 1
            edges[stage] = -(-passed[place] // 1)
        wanted = portal.wanted(CLIENTS, lambda card, edges=edges: moments_stuck(card, edges))
        found_some = found_some or bool(wanted)
        assert portal.found("stuck_in_stage") == wanted
    assert found_some


def test_a_preset_says_what_the_portal_lacks(session):
    rows = stored(session, Maker(3).rows())
    for table in ("deal_products", "products", "product_sections", "stage_moves"):
        session.execute(sa.text(f"DELETE FROM {table} WHERE portal_id = {rows.portal_id}"))
    facts = presets.facts_of(session, scope_of(session, rows.portal_id, NOW))
    lacking = {key for key, preset in PRESETS.items() if presets.missing(preset, facts)}
    assert lacking >= {
        "foreign_leads", "foreign_clients", "cross_sell", "upsell_after", "buyers_of", "by_source",
        "stuck_in_stage", "abandoned_deals", "untouched_leads", "by_utm",
    }  # fmt: skip
    assert not lacking & {"lost_deals", "all_clients", "vip", "birthday", "due_for_repeat"}
    with pytest.raises(Unready) as caught:
        presets.build(facts, "foreign_leads")
    (missing,) = caught.value.missing
    assert (missing.parameter, missing.flag.entities) == ("field", ("lead",))
    with pytest.raises(Unready) as caught:
        presets.build(facts, "foreign_clients", {"field": None, "how": "mark"})
    assert caught.value.missing[0].flag.entities == ("contact", "company")


def test_the_flag_of_foreign_leads_is_found_by_its_label(session):
    rows = stored(session, Maker(3).rows())
    session.add(
        CustomField(portal_id=rows.portal_id, entity="lead", code="UF_CRM_1", type_id="boolean",
                    label="Иностранный лид")
    )  # fmt: skip
    session.flush()
    facts = presets.facts_of(session, scope_of(session, rows.portal_id, NOW))
    raw = presets.build(facts, "foreign_leads")
    assert raw["leads"]["where"] == {"all": [{"field": "UF_CRM_1", "op": "yes"}]}


def test_the_days_after_which_nobody_comes_back_are_the_portals_own(session):
    facts = presets.facts_of(session, replace(Portal(session, 1).facts.scope, stages={}))
    assert presets.build(facts, "lost")["clients"]["where"]["all"][0]["value"] == 365
    edges = {"contact": Edges(40, 500, 600), "company": Edges(90, 400, 700)}
    known = presets.facts_of(session, replace(facts.scope, stages=edges))
    assert presets.build(known, "lost")["clients"]["where"]["all"][0]["value"] == 500
    assert [
        part["value"] for part in presets.build(known, "newly_lapsed")["clients"]["where"]["all"]
    ] == [90, 500]


def test_before_the_rfm_scores_nobody_can_say_who_cannot_be_lost(session):
    facts = Portal(session, 1).facts
    facts.scope = replace(facts.scope, stages={})
    with pytest.raises(Unready, match="not computed yet"):
        presets.build(facts, "cannot_lose")


@pytest.mark.parametrize(
    ("key", "chosen", "named"),
    [
        ("sleeping", {"days": 0}, "days"), ("sleeping", {"days": "180"}, "days"),
        ("sleeping", {"weeks": 2}, "weeks"), ("vip", {"how": "luck"}, "how"),
        ("vip", {"percent": 101}, "percent"), ("lost_deals", {"any": 1}, "any"),
        ("lost_deals", {"reasons": ["NOPE"]}, "reasons"), ("lost_deals", {"reasons": 5}, "reasons"),
        ("foreign_leads", {"field": "UF_CRM_TEXT"}, "field"), ("by_utm", {"values": [5]}, "values"),
    ],
)  # fmt: skip
def test_a_number_out_of_its_limits_is_refused_by_name(session, key, chosen, named):
    facts = Portal(session, 2).facts
    with pytest.raises(InvalidParameter) as caught:
        presets.build(facts, key, chosen)
    assert caught.value.key == named


def test_the_pipelines_of_the_sale_rule_count_only(session):
    portal = Portal(session, 4)
    rule = portal.facts.scope.rule
    portal.facts.scope = replace(portal.facts.scope, rule=replace(rule, pipelines=(1,)))

    def lost_in_second(card: Card) -> bool:
        deals = [d for d in card.deals() if d["pipeline_id"] == 1]
        return bool(deals) and all(d["stage_semantic"] == "F" for d in deals)

    assert portal.found("lost_deals") == portal.wanted(CLIENTS, lost_in_second) != set()
