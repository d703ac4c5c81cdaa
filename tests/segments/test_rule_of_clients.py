"""Whose a deal is, margin and activity on the settings page: saved, shown, put back, settled."""

from __future__ import annotations

import json
from decimal import Decimal

import pytest
import sqlalchemy as sa
from support.settings_page import SettingsPage, plain
from support.world import counted

from core.database import transaction
from integration import health
from integration.mirror import CustomField
from integration.models import Portal
from integration.rules.health import Code
from segments import pipeline
from segments.models import ActiveWindow, ClientMetrics, ClientMode, MarginSource
from segments.worth import rule_versions, sale_rules
from segments.worth.choices import Active, Margin, Values
from segments.worth.sales import rule_of

MARGIN = Margin(MarginSource.COST, "UF_CRM_MARGIN", Decimal("32.5"), ((1, Decimal(10)),))
TYPED = {
    "client_mode": "company", "margin_source": "cost", "margin_field": "UF_CRM_MARGIN",
    "margin_percent": "32,5", "margin_percent_0": "", "margin_percent_1": "10",
    "active_sales": "2", "active_window": "90",
}  # fmt: skip


@pytest.fixture
def ready(world):
    return world.reach(counted)


def in_force(world):
    with world.runtime.sessions() as session:
        return rule_of(session, world.portal_id)


def problems(world):
    with world.runtime.sessions() as session:
        portal = session.get_one(Portal, world.portal_id)
    return {problem.code for problem in health.problems(world.runtime, portal)}


def test_the_new_parts_are_saved_shown_and_put_back(ready):
    page, other = SettingsPage(ready), SettingsPage(ready)
    assert page.save(range(page.offered), **TYPED) == 200
    rule = in_force(ready)
    assert (rule.client_mode, rule.margin) == (ClientMode.COMPANY, MARGIN)
    assert rule.active == Active(2, ActiveWindow.QUARTER)
    assert page.ticked("client_mode") == ["company"]
    assert page.ticked("active_window") == ["90"]
    assert 'value="32,5"' in page.page
    for words in (
        "Чья сделка: каждая карточка считает своё → компании, а без неё — контакта (B2B)",
        "Маржа: не считается → сумма минус поле «Маржа» ; где неизвестно — 32,5 %, ",
        "Активный клиент: 1 продажа или больше в этом месяце → 2 продажи или больше за последние 90 дней",
    ):
        assert words.replace(" ;", ";") in page.text.replace(" ;", ";")

    typed = {**TYPED, "client_mode": "contact", "margin_source": "none", "active_sales": "1"}
    assert other.save(range(other.offered), **typed) == 422
    assert "правило тем временем изменили" in other.text
    assert "Это изменили вы оба" in other.text
    assert other.ticked("client_mode") == ["contact"], "one's own choice"
    assert other.ticked("margin_source") == ["cost"], "the other's: it was left as it was"

    assert page.restore(1) == 200
    rule = in_force(ready)
    assert rule.version == 3
    assert rule.chosen() == Values().chosen()
    ready.work()
    ready.count()
    with ready.runtime.sessions() as session:
        assert not session.scalar(sa.select(sa.func.count(ClientMetrics.margin)))


def test_slips_are_told_at_their_field_and_nothing_is_stored(ready):
    page = SettingsPage(ready)
    wrong = [
        ({"margin_source": "percent"}, "Укажите процент маржи"),
        ({"margin_source": "percent", "margin_percent": "120"}, "Число от 0 до 100"),
        ({"margin_source": "percent", "margin_percent_1": "много"}, "Число от 0 до 100"),
        ({"active_sales": "0"}, "Целое число от 1 до 100"),
    ]
    for typed, words in wrong:
        assert page.save(range(page.offered), **typed) == 422
        assert words in page.text
        assert (
            page.ask("POST", "/settings/rule/preview", data=page.form(**typed)).status_code == 422
        )
    assert page.save(margin_source="cost", margin_field="UF_CRM_NONE") == 422
    assert page.ask("POST", "/settings/rule", data=page.form(active_window="7")).status_code == 400
    assert in_force(ready).version == 1
    text = page.preview(range(page.offered), active_window="365")
    assert "Активный нет → да" in text
    assert "Активны сейчас" in text


def test_a_margin_field_that_is_gone_gives_way_to_the_percent_and_is_marked(ready):
    ready.set_rule(margin=MARGIN)
    ready.count()
    code = "UF_CRM_MARGIN"
    with transaction(ready.runtime.sessions) as session:
        field = sa.select(CustomField).where(CustomField.code == code, CustomField.entity == "deal")
        session.delete(session.scalars(field).one())
    ready.count()
    rule = in_force(ready)
    assert (rule.margin.source, rule.margin.field) == (MarginSource.PERCENT, None)
    with ready.runtime.sessions() as session:
        kept = rule_versions.history(session, ready.portal_id).versions[0]
        covered = session.scalars(sa.select(ClientMetrics.margin_coverage).distinct()).all()
    assert kept.missing.margin_field == code
    assert set(covered) <= {None, Decimal(0)}
    page = SettingsPage(ready)
    assert "Поля «Маржа» больше нет" in page.text
    assert "Больше нет на портале: поле маржи «Маржа»" in page.text


def test_when_all_pipelines_are_gone_the_cards_keep_what_they_had(ready):
    ready.set_rule(pipelines=(1,))
    ready.count()
    ready.switch_writing()
    assert ready.write().failed == 0
    kept = {row["ID"]: row.get("UF_CRM_RUBILNIK_LTV") for row in ready.rows("contact")}
    assert Code.NOTHING_COUNTS not in problems(ready)

    ready.demo.control("mutate", {"table": "category", "action": "delete", "id": 1})
    ready.sync()
    ready.count()
    report = pipeline.write_back(ready.runtime, ready.portal_id)
    assert (report.written, report.more, report.reason) == (0, False, pipeline.HELD)
    assert {row["ID"]: row.get("UF_CRM_RUBILNIK_LTV") for row in ready.rows("contact")} == kept
    assert Code.NOTHING_COUNTS in problems(ready)
    page = SettingsPage(ready)
    assert "Запись в карточки остановлена" in page.text
    answer = page.ask("GET", "/health").get_data(as_text=True)
    assert "все воронки правила удалены" in plain(answer)

    assert page.save((0,)) == 200
    ready.work()
    ready.write()
    assert Code.NOTHING_COUNTS not in problems(ready)
    assert "Запись в карточки остановлена" not in page.look()
    assert {row["ID"]: row.get("UF_CRM_RUBILNIK_LTV") for row in ready.rows("contact")} != kept


def test_the_command_line_changes_one_part_and_leaves_the_others(ready):
    def run(*typed):
        args = ["sale-rule", "--portal", ready.demo.domain, *typed, "--json"]
        return ready.app.test_cli_runner().invoke(args=args)

    first = run(
        *("--client", "contact", "--margin", "margin", "--margin-field", "UF_CRM_MARGIN"),
        *("--margin-percent", "20", "--active-sales", "2"),
    )
    assert first.exit_code == 0, first.output
    again = run("--margin-pipelines", "1:12.5", "--active-window", "365")
    shown = json.loads(again.output.splitlines()[-1])
    assert (shown["client_mode"], shown["margin_source"]) == ("contact", "margin")
    assert (shown["margin_field"], shown["margin_by_pipeline"]) == ("UF_CRM_MARGIN", "1:12.5")
    assert (shown["active_sales"], shown["active_window"]) == (2, "365")
    for typed in (
        ("--margin-percent", "101"),
        ("--margin-pipelines", "x:1"),
        ("--active-sales", "0"),
    ):
        assert run(*typed).exit_code != 0
    assert run("--margin", "none").exit_code == 0
    assert run("--margin-percent", "10").exit_code != 0, "a percent of what"
    with ready.runtime.sessions() as session:
        assert sale_rules.saved(session, ready.portal_id)[1].margin == Margin()
