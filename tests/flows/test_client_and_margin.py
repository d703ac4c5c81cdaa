"""Whose a deal is, what it earns and who is active: against the portal's own rows, by every rule."""

from __future__ import annotations

from decimal import Decimal

import sqlalchemy as sa
from support.settings_page import plain
from support.truths import metrics_of, wanted

from segments.models import (
    ActiveWindow,
    BaseTotals,
    ClientKind,
    ClientMetrics,
    ClientMode,
    ContactMode,
    MarginSource,
)
from segments.worth import activity, base, totals
from segments.worth.choices import Active, Margin
from segments.worth.sales import rule_of

FIELD = "UF_CRM_MARGIN"
KINDS = (("contact", "contacts"), ("company", "companies"))
_WITH_CLIENT = """
SELECT sum(base_amount) FROM deals d WHERE portal_id = :portal_id AND stage_semantic = 'S'
AND NOT is_recurring AND deleted_at IS NULL AND pipeline_id IN (0, 1) AND (contact_id IS NOT NULL
OR company_id IN (SELECT bitrix_id FROM companies c WHERE c.portal_id = d.portal_id AND NOT is_my_company))
"""

OWNERS = [
    ({"client_mode": client, "contact_mode": mode}, {"client": client, "multi_contact": mode})
    for client in (ClientMode.COMPANY, ClientMode.CONTACT)
    for mode in ContactMode
]
PERCENT, OF_PIPELINE = Decimal("32.5"), ((1, Decimal("12.25")),)
MARGINS = [
    (Margin(MarginSource.PERCENT, None, PERCENT, OF_PIPELINE), {"percent": "32.5"}),
    (Margin(MarginSource.PERCENT, None, None, OF_PIPELINE), {}),
    (Margin(MarginSource.MARGIN, FIELD), {"margin_field": FIELD}),
    (
        Margin(MarginSource.COST, FIELD, PERCENT, OF_PIPELINE),
        {"margin_field": FIELD, "percent": "32.5"},
    ),
    (Margin(MarginSource.PRODUCTS), {}),
    (Margin(MarginSource.PRODUCTS, None, PERCENT), {"percent": "32.5"}),
]


def sum_of_ltv(world):
    return sum(row[0] for kind, _ in KINDS for row in metrics_of(world, kind).values())


def scalar(world, query):
    with world.runtime.sessions() as session:
        return session.scalar(sa.text(query), {"portal_id": world.portal_id})


def margins(world, kind):
    query = sa.select(ClientMetrics).where(
        ClientMetrics.portal_id == world.portal_id, ClientMetrics.kind == kind
    )
    with world.runtime.sessions() as session:
        return {row.client_id: (row.margin, row.margin_coverage) for row in session.scalars(query)}


def wanted_margins(values):
    def number(text):
        return None if text is None else Decimal(str(text))

    return {
        int(key): (number(v["margin"]), number(v["coverage"]))
        for key, v in values.items()
        if Decimal(str(v["ltv"])) or v["sales"] or v["margin"] is not None
    }


def active(world):
    """Active clients by kind: as kept, as shown, and their window."""
    with world.runtime.sessions() as session:
        rule = rule_of(session, world.portal_id)
        kept = {
            kind: session.get(BaseTotals, (world.portal_id, kind)).active for kind in ClientKind
        }
        shown = {kind: totals.active_now(session, rule, kind) for kind in ClientKind}
        assert base.active_clients(session, world.portal_id) == shown
        return kept, shown, rule.active.since(activity.today(rule))


def assert_active(world, **truth):
    kept, shown, since = active(world)
    found = world.truth(active_since=since.isoformat(), **truth)
    real = {kind: sum(v["active"] for v in found[name].values()) for kind, name in KINDS}
    assert kept == shown == real
    return real


def assert_figures(world, **truth):
    found = world.truth(**truth)
    for kind, name in KINDS:
        assert metrics_of(world, kind) == wanted(found[name]), truth
    return found


def test_every_owner_margin_and_window_matches_the_truth(world):
    world.work()
    world.count()
    for asked, truth in OWNERS:
        world.set_rule(pipelines=(0, 1), **asked)
        world.count()
        assert_figures(world, **truth)
        if asked["contact_mode"] is not ContactMode.FULL:
            assert sum_of_ltv(world) == scalar(world, _WITH_CLIENT), "every rouble has one client"

    for mode, client in (("split", "company"), ("primary", "each")):
        world.set_rule(contact_mode=ContactMode(mode), client_mode=ClientMode(client))
        for margin, truth in MARGINS:
            world.set_rule(margin=margin)
            world.count()
            percents = ",".join(f"{key}:{percent}" for key, percent in margin.by_pipeline)
            rule = {**truth, "margin": margin.source, "multi_contact": mode, "client": client}
            found = world.truth(**rule, **({"percents": percents} if percents else {}))
            for kind, name in KINDS:
                assert margins(world, kind) == wanted_margins(found[name]), (margin, kind)
            assert any(v["margin"] for v in found["contacts"].values()), "nothing was compared"

    seen = set()
    for sales, window in ((1, ActiveWindow.MONTH), (1, ActiveWindow.YEAR), (2, ActiveWindow.YEAR)):
        world.set_rule(active=Active(sales, window))
        world.count()
        seen.add(assert_active(world, active_sales=str(sales))["contact"])
    assert len(seen) == 3
    assert all(seen)


def test_changes_on_the_portal_reach_both_sides_of_a_deal(world):
    world.work()
    world.set_rule(
        pipelines=(0, 1),
        client_mode=ClientMode.COMPANY,
        margin=Margin(MarginSource.MARGIN, FIELD, PERCENT),
        active=Active(2, ActiveWindow.YEAR),
    )
    world.count()
    truth = {
        "client": "company", "margin": "margin", "margin_field": FIELD, "percent": "32.5",
        "active_sales": "2",
    }  # fmt: skip
    sold = [
        row for row in world.rows("deal")
        if row["STAGE_SEMANTIC_ID"] == "S" and row["CATEGORY_ID"] in (0, 1) and row.get("CONTACT_ID")
    ]  # fmt: skip
    with_company = [row["ID"] for row in sold if row.get("COMPANY_ID")][:4]
    without = [row["ID"] for row in sold if not row.get("COMPANY_ID")][:4]
    company = next(r["ID"] for r in world.rows("company") if r.get("IS_MY_COMPANY") != "Y")
    before = metrics_of(world, "contact"), metrics_of(world, "company")
    for deal_id in with_company:
        world.call("crm.deal.update", id=deal_id, fields={"COMPANY_ID": 0})
    for deal_id in without:
        fields = {"COMPANY_ID": company, FIELD: "1234.50|RUB", "CLOSEDATE": "2026-11-20"}
        world.call("crm.deal.update", id=deal_id, fields=fields)
    assert not world.sync().full
    world.count()
    found = assert_figures(world, **truth)
    assert (metrics_of(world, "contact"), metrics_of(world, "company")) != before
    for kind, name in KINDS:
        assert margins(world, kind) == wanted_margins(found[name])
    assert_active(world, **truth)
    assert sum_of_ltv(world) == scalar(world, _WITH_CLIENT)

    _the_card_tells_the_margin(world, found)


def _the_card_tells_the_margin(world, found):
    """The tab of somebody with a margin."""
    rich = max(
        found["contacts"], key=lambda key: Decimal(str(found["contacts"][key]["margin"] or 0))
    )
    text = _tab(world, "contact", int(rich))
    assert "Маржа" in text
    assert "«Маржа»" in text, "the popover names the field"
    assert "пересчитываются" not in text, "the stored figures are those of the deals"


def _tab(world, entity, entity_id):
    answer = world.open(
        placement=f"CRM_{entity.upper()}_DETAIL_TAB",
        options={"ID": str(entity_id)},
        handler=f"{world.runtime.settings.public_url}/placement/crm_{entity}_detail_tab",
    )
    assert answer.status_code == 200
    return plain(answer.get_data(as_text=True))
