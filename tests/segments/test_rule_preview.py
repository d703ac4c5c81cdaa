"""The preview of a sale rule: what it promises is what saving brings, and nothing is stored by looking."""

from __future__ import annotations

import re
from decimal import Decimal

import pytest
import sqlalchemy as sa
from support.neighbours import fingerprints
from support.settings_page import SettingsPage
from support.world import counted

from core.database import transaction
from integration.mirror import Deal, DealContact
from segments.models import (
    ActiveWindow,
    BaseTotals,
    ClientKind,
    ClientMetrics,
    ClientMode,
    ContactMode,
    DateSource,
    MarginSource,
    MetricsRun,
)
from segments.worth import activity, metrics, preview, sale_rules
from segments.worth.choices import Active, Margin
from segments.worth.preview import Worth
from segments.worth.sale_rules import Asked
from segments.worth.sales import rule_of

RULES = {
    "fewer pipelines": Asked(pipelines=(0,)),
    "another date": Asked(date_source=DateSource.MOVED),
    "by history": Asked(date_source=DateSource.HISTORY),
    "equal parts": Asked(contact_mode=ContactMode.SPLIT),
    "everything to all": Asked(contact_mode=ContactMode.FULL),
    "the company's": Asked(client_mode=ClientMode.COMPANY),
    "the contact's": Asked(client_mode=ClientMode.CONTACT, contact_mode=ContactMode.SPLIT),
    "by percent": Asked(margin=Margin(MarginSource.PERCENT, None, Decimal(30))),
    "by field": Asked(margin=Margin(MarginSource.MARGIN, "UF_CRM_MARGIN")),
    "active in a year": Asked(active=Active(1, ActiveWindow.YEAR)),
    "active with two": Asked(active=Active(2, ActiveWindow.YEAR)),
    "all at once": Asked(
        *((1,), DateSource.HISTORY, None, ContactMode.FULL, ClientMode.CONTACT),
        Margin(MarginSource.COST, "UF_CRM_MARGIN", Decimal(10)),
        Active(2, ActiveWindow.HALF_YEAR),
    ),
}


@pytest.fixture
def ready(world):
    return world.reach(counted)


def compare(world, asked):
    with world.runtime.sessions() as session:
        values = sale_rules.wished(session, world.portal_id, asked)
        return preview.compare(session, sale_rules.compiled(session, world.portal_id, values))


def stored(world):
    """What every client is worth now, by kind and id."""
    with world.runtime.sessions() as session:
        rule = rule_of(session, world.portal_id)
        is_active = activity.is_active(rule, ClientMetrics, activity.today(rule))
        rows = session.execute(
            sa.select(ClientMetrics, is_active).where(ClientMetrics.portal_id == world.portal_id)
        )
        return {
            (row.kind, row.client_id): Worth(
                row.ltv, row.sales, row.average_check, row.first_sale_on, row.last_sale_on,
                row.margin, row.margin_coverage, active,
            )
            for row, active in rows
        }  # fmt: skip


def sums(world, kind):
    with world.runtime.sessions() as session:
        row = session.get(BaseTotals, (world.portal_id, kind))
        return (row.buyers, row.sales, row.revenue, row.turnover, row.active)


NOTHING = Worth(Decimal(0), 0, None, None, None)


def test_what_the_preview_promises_is_what_saving_brings(ready):
    changing = [name for name, asked in RULES.items() if kept_promise(ready, asked).changed]
    assert len(changing) > len(RULES) - 3, "there is something to compare"


def kept_promise(ready, asked):
    """The preview, after the rule was saved and every word of it was found true."""
    before = stored(ready)
    totals_before = {kind: sums(ready, kind) for kind in ClientKind}
    found = compare(ready, asked)
    with transaction(ready.runtime.sessions) as session:
        sale_rules.change(session, ready.portal_id, asked)
    ready.count()
    after = stored(ready)
    assert sum(len(kind.lines) for kind in found.kinds) <= 20
    for kind in found.kinds:
        changed = {
            key for key in before.keys() | after.keys()
            if key[0] == kind.kind and before.get(key, NOTHING) != after.get(key, NOTHING)
        }  # fmt: skip
        assert kind.changed == len(changed)
        assert len(kind.lines) >= min(10, len(changed))
        for line in kind.lines:
            key = (kind.kind, line.client_id)
            assert key in changed
            assert line.old == before.get(key, NOTHING)
            assert line.new == after.get(key, NOTHING)
        for side, wanted in (
            (kind.old, totals_before[kind.kind]),
            (kind.new, sums(ready, kind.kind)),
        ):
            assert (side.buyers, side.sales, side.revenue, side.turnover, side.active) == wanted
    return found


def test_the_clients_with_the_farthest_moves_are_among_the_shown(ready):
    before = stored(ready)
    kind = compare(ready, Asked((0,), DateSource.HISTORY)).kinds[0]
    with transaction(ready.runtime.sessions) as session:
        sale_rules.change(session, ready.portal_id, Asked((0,), DateSource.HISTORY))
    ready.count()
    after = stored(ready)
    keys = {key for key in before.keys() | after.keys() if key[0] == kind.kind}
    shown = {line.client_id for line in kind.lines}
    for measure in (lambda w: w.ltv, lambda w: w.sales, lambda w: w.average_check or Decimal(0)):
        moved = {
            key[1]: abs(measure(after.get(key, NOTHING)) - measure(before.get(key, NOTHING)))
            for key in keys
        }
        assert max(moved.values()) in {moved[client_id] for client_id in shown}


def test_looking_stores_nothing(ready):
    page = SettingsPage(ready)
    before = fingerprints(ready.runtime.engine)
    text = page.preview((0,), contact_mode="full", date_source="history")
    assert "Показатели изменятся у" in text
    assert fingerprints(ready.runtime.engine) == before


def test_the_page_shows_old_and_new_values_with_links_to_the_cards(ready):
    page = SettingsPage(ready)
    answer = page.ask("POST", "/settings/rule/preview", data=page.form((0,)))
    text = answer.get_data(as_text=True)
    found = compare(ready, Asked(pipelines=(0,)))
    for kind in found.kinds:
        for line in kind.lines:
            assert f'data-open-path="/crm/{kind.kind}/details/{line.client_id}/"' in text
    assert len(re.findall("data-open-path", text)) == sum(len(k.lines) for k in found.kinds)
    assert "все, и новые тоже → <b>" in text, "it says which choice it is about"


def test_the_same_rule_changes_nothing_and_says_so(ready):
    page = SettingsPage(ready)
    text = page.preview(range(page.offered))
    assert "Ничего не изменится" in text
    assert "→" not in text


def test_a_wrong_choice_is_answered_in_words(ready):
    page = SettingsPage(ready)
    assert "Выберите хотя бы одну воронку" in page.preview(())
    assert "Так посчитать нельзя" in page.preview(date_source="custom", date_field="UF_CRM_NONE")
    answer = page.ask("POST", "/settings/rule/preview", data={"date_source": "never"})
    assert answer.status_code == 400


def test_before_the_first_computation_there_is_nothing_to_compare_with(ready):
    with transaction(ready.runtime.sessions) as session:
        session.execute(sa.delete(MetricsRun).where(MetricsRun.portal_id == ready.portal_id))
    assert "Пока не с чем сравнивать" in SettingsPage(ready).preview((0,))


def test_while_figures_are_being_recomputed_the_page_says_what_it_compares_with(ready):
    ready.set_rule(pipelines=(0, 1))
    assert "Сравнение — с последними посчитанными" in SettingsPage(ready).preview((0,))


def test_a_large_base_is_judged_by_the_same_sample_every_time(ready, monkeypatch):
    whole = compare(ready, Asked(pipelines=(0,))).kinds[0]
    monkeypatch.setattr(preview, "WHOLE_UP_TO", 10)
    monkeypatch.setattr(preview, "SAMPLE", whole.old.buyers // 3)
    first, again = (compare(ready, Asked(pipelines=(0,))).kinds[0] for _ in range(2))
    assert first == again
    assert 0 < first.old.buyers < whole.old.buyers
    assert 0 < first.changed < whole.changed
    assert first.sampled >= first.old.buyers
    assert "это выборка" in SettingsPage(ready).preview((0,))


def test_a_sample_sees_clients_who_would_get_their_first_sale(ready, monkeypatch):
    with transaction(ready.runtime.sessions) as session:
        sale_rules.change(session, ready.portal_id, Asked(pipelines=(1,)))
    ready.count()
    monkeypatch.setattr(preview, "WHOLE_UP_TO", 1)
    monkeypatch.setattr(preview, "SAMPLE", 1_000_000)
    kind = compare(ready, Asked(pipelines=(0, 1))).kinds[0]
    assert kind.new.buyers > kind.old.buyers


def test_a_deal_of_several_contacts_moves_between_their_cards(ready):
    with ready.runtime.sessions() as session:
        shared = session.scalar(
            sa.select(DealContact.deal_id)
            .join(
                Deal,
                sa.and_(
                    Deal.portal_id == DealContact.portal_id, Deal.bitrix_id == DealContact.deal_id
                ),
            )
            .where(DealContact.position > 0, Deal.stage_semantic == "S", Deal.base_amount > 0)
        )
        assert shared
    found = compare(ready, Asked(contact_mode=ContactMode.SPLIT))
    contacts, companies = found.kinds
    assert contacts.changed > 0
    assert contacts.old.revenue == contacts.new.revenue, "equal parts keep the sum"
    assert companies.changed == 0
    assert found.changed == contacts.changed
    with transaction(ready.runtime.sessions) as session:
        assert not metrics.is_stale(session, ready.portal_id)
