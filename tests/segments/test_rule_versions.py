"""The sale rule's history, two administrators at once, and a rule that outlives what it names."""

from __future__ import annotations

import threading
from decimal import Decimal

import pytest
import sqlalchemy as sa
from support.settings_page import SettingsPage, plain
from support.world import counted

from core.database import transaction
from integration.mirror import CustomField, Deal, Pipeline
from segments.models import ClientKind, ClientMetrics, ContactMode, DateSource, MetricsRun
from segments.worth import metrics, rule_versions, sale_rules
from segments.worth.sales import rule_of

FIELD = "UF_CRM_CONTRACT_DATE"


@pytest.fixture
def ready(world):
    return world.reach(counted)


@pytest.fixture
def page(ready):
    return SettingsPage(ready)


def history(world):
    with world.runtime.sessions() as session:
        return rule_versions.history(session, world.portal_id).versions


def in_force(world):
    with world.runtime.sessions() as session:
        return rule_of(session, world.portal_id)


def stored(world, kind=ClientKind.CONTACT):
    with world.runtime.sessions() as session:
        rows = session.scalars(
            sa.select(ClientMetrics).where(
                ClientMetrics.portal_id == world.portal_id, ClientMetrics.kind == kind
            )
        )
        return {row.client_id: (row.ltv, row.last_sale_on) for row in rows}


def date_field(world):
    """A date field of deals the demo portal has."""
    with world.runtime.sessions() as session:
        return session.scalars(
            sa.select(CustomField.code).where(
                CustomField.portal_id == world.portal_id,
                CustomField.entity == "deal",
                CustomField.type_id.in_(("date", "datetime")),
                ~CustomField.multiple,
            )
        ).first()


def user_field(world, code):
    return next(
        row["ID"] for row in world.call("crm.deal.userfield.list") if row["FIELD_NAME"] == code
    )


def test_before_the_first_reading_the_page_waits_for_the_pipelines(world):
    waits = "Воронки ещё читаются с портала"
    page = SettingsPage(world)
    assert waits in plain(page.text)
    world.work()
    assert waits not in plain(page.look())
    assert "Подбор персонала" in plain(page.text)


def test_every_saved_rule_is_kept_with_who_and_what(ready, page):
    assert page.save((0, 1)) == 200
    assert page.save((0, 1), contact_mode="split") == 200
    newest, middle, first = history(ready)
    assert [v.number for v in (newest, middle, first)] == [3, 2, 1]
    assert (newest.parts, middle.parts) == (("contacts",), ("pipelines",))
    assert newest.changed_by == 1
    assert newest.by
    assert newest.by in page.text
    assert "Сделка с несколькими контактами: всё основному контакту → поровну" in page.text
    assert "С установки" in page.text


def test_saving_the_same_makes_no_version_and_no_work(ready, page):
    page.save((0, 1))
    ready.work()
    assert page.save((0, 1)) == 200
    assert "Сохранять нечего" in page.text
    assert len(history(ready)) == 2


def test_all_ticked_means_pipelines_to_come_as_well(ready, page):
    with ready.runtime.sessions() as session:
        known = session.scalars(sa.select(Pipeline.bitrix_id)).all()
    page.save((0, 1))
    page.save(known)
    assert in_force(ready).pipelines is None
    assert page.save(()) == 422
    assert "Выберите хотя бы одну воронку" in page.text


def test_an_older_version_comes_back_as_a_new_one(ready, page):
    page.save((0, 1))
    page.save((0,), contact_mode="full", date_source="moved")
    assert page.restore(2) == 200
    rule = in_force(ready)
    assert (rule.version, rule.pipelines, rule.contact_mode) == (4, (0, 1), ContactMode.PRIMARY)
    assert page.restore(1) == 200
    assert in_force(ready).pipelines is None
    ready.work()
    ready.count()
    with ready.runtime.sessions() as session:
        assert session.get(MetricsRun, ready.portal_id).rule_version == 5
    assert page.restore(77) == 422


def test_the_second_of_two_administrators_is_told_and_loses_nothing(ready, page):
    other = SettingsPage(ready)
    assert other.save((0, 1)) == 200
    assert page.save(range(page.offered), date_source="history") == 422
    assert "правило тем временем изменили" in page.text
    assert "Воронки: все, и новые тоже →" in page.text
    assert history(ready)[0].by in page.text
    assert in_force(ready).date_source is DateSource.CLOSED, "nothing was stored"
    assert sorted(page.ticked("pipelines")) == ["0", "1"], "the form has the other's pipelines"
    assert page.ticked("date_source") == ["history"], "and one's own date"
    assert page.save((0, 1), date_source="history") == 200
    rule = in_force(ready)
    assert (rule.pipelines, rule.date_source) == ((0, 1), DateSource.HISTORY)


def test_when_both_changed_the_same_the_form_keeps_ones_own_and_says_so(ready, page):
    SettingsPage(ready).save(range(page.offered), contact_mode="full")
    assert page.save(range(page.offered), contact_mode="split") == 422
    assert "Это изменили вы оба" in page.text
    assert page.ticked("contact_mode") == ["split"]
    assert in_force(ready).contact_mode is ContactMode.FULL


def test_a_version_put_back_on_an_old_page_is_held_up_as_well(ready, page):
    page.save((0, 1))
    other = SettingsPage(ready)
    other.save((0,))
    assert page.restore(1) == 422
    assert in_force(ready).pipelines == (0,)
    assert page.ticked("pipelines") == ["0"]


def test_of_many_saving_in_the_same_moment_one_comes_through(ready):
    start, results = threading.Barrier(4), []

    def save(number):
        asked = sale_rules.Asked(
            (number % 2,), DateSource.MOVED if number > 1 else DateSource.HISTORY
        )
        start.wait()
        try:
            with transaction(ready.runtime.sessions) as session:
                sale_rules.change(session, ready.portal_id, asked, 1, made_from=1)
            results.append("saved")
        except sale_rules.Overtaken:
            results.append("told")

    threads = [threading.Thread(target=save, args=(number,)) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(results) == ["saved", "told", "told", "told"]
    assert [version.number for version in history(ready)] == [2, 1]


def test_the_page_follows_the_recompute_and_stops(ready, page):
    page.save((0, 1))
    assert 'hx-get="/settings/recompute"' in page.page
    under_way = page.ask("GET", "/settings/recompute").get_data(as_text=True)
    assert "every 2s" in under_way
    ready.work()
    done = page.ask("GET", "/settings/recompute").get_data(as_text=True)
    assert "every" not in done
    assert "Пересчитано по новому правилу" in plain(done)


def test_a_removed_pipeline_counts_nothing_and_asks_for_attention(ready, page):
    page.save((0, 1))
    ready.work()
    name = next(v for v in ready.rows("category") if v["ID"] == 1)["NAME"]
    ready.demo.control("mutate", {"table": "category", "action": "delete", "id": 1})
    ready.sync()
    ready.count()
    values = ready.truth(categories="0")["contacts"]
    wanted = {int(key): Decimal(str(value["ltv"])) for key, value in values.items()}
    assert {key: ltv for key, (ltv, _) in stored(ready).items() if ltv} == {
        key: ltv for key, ltv in wanted.items() if ltv
    }
    assert "Требует внимания" in page.look()
    assert f"«{name}»" in page.text
    assert f"Больше нет на портале: воронка «{name}»" in page.text, "it is in the history"
    home = plain(page.ask("GET", "/home").get_data(as_text=True))
    assert "Требует внимания" in home
    assert "Посмотреть правило" in home
    page.save((0,))
    assert "Требует внимания" not in page.look()


def test_when_the_pipeline_returns_it_counts_again(ready, page):
    page.save((0, 1))
    ready.work()
    before = stored(ready)
    row = next(v for v in ready.rows("category") if v["ID"] == 1)
    ready.demo.control("mutate", {"table": "category", "action": "delete", "id": 1})
    ready.sync()
    ready.count()
    assert stored(ready) != before
    ready.demo.control("mutate", {"table": "category", "action": "insert", "fields": row})
    ready.sync()
    ready.count()
    assert stored(ready) == before
    assert "Снова есть на портале" in page.look()
    assert "Требует внимания" not in page.text


@pytest.mark.parametrize("fate", ["removed", "retyped"])
def test_a_lost_date_field_gives_way_to_the_close_date(ready, page, fate):
    code = date_field(ready)
    ready.set_rule(date_source=DateSource.CUSTOM, date_field=code)
    ready.count()
    by_field = stored(ready)
    number = user_field(ready, code)
    if fate == "removed":
        ready.call("crm.deal.userfield.delete", id=number)
    else:
        fields = {"USER_TYPE_ID": "string"}
        ready.demo.control(
            "mutate",
            {"table": "userfield", "action": "update", "id": int(number), "fields": fields},
        )
    ready.sync()
    ready.count()
    by_close = stored(ready)
    assert by_close != by_field
    assert in_force(ready).date_source is DateSource.CLOSED
    ready.set_rule(date_source=DateSource.CLOSED)
    ready.count()
    assert stored(ready) == by_close
    ready.set_rule(pipelines=(0, 1))
    with transaction(ready.runtime.sessions) as session:
        sale_rules.restore(session, ready.portal_id, 2, 1, made_from=history(ready)[0].number)
    assert "Требует внимания" in page.look()
    assert "вместо него берётся дата завершения" in page.text
    assert page.ticked("date_source") == ["closed"]
    assert page.save(range(page.offered)) == 200
    assert "Требует внимания" not in page.text


def test_what_a_field_held_before_it_was_a_date_does_not_end_the_computation(ready):
    code = date_field(ready)
    odd = ["вчера", "2026-02-31", "0000-00-00", "2026-13-01", "12", ""]
    with transaction(ready.runtime.sessions) as session:
        deals = session.scalars(sa.select(Deal).order_by(Deal.bitrix_id)).all()
        for number, deal in enumerate(deals):
            deal.custom = {**deal.custom, code: odd[number % len(odd)]}
    ready.set_rule(date_source=DateSource.CUSTOM, date_field=code)
    with transaction(ready.runtime.sessions) as session:
        assert metrics.compute_all(session, ready.portal_id).clients > 0


def test_the_command_line_keeps_versions_too_and_lists_them(ready):
    run = ready.app.test_cli_runner().invoke
    changed = run(args=["sale-rule", "--portal", ready.demo.domain, "--contacts", "split"])
    assert changed.exit_code == 0, changed.output
    listed = run(args=["sale-rule", "--portal", ready.demo.domain, "--history", "--json"])
    assert listed.exit_code == 0, listed.output
    assert '"version":2' in listed.output.splitlines()[0]
    assert '"contact_mode":"split"' in listed.output.splitlines()[0]


def test_the_rule_is_for_administrators(ready, page):
    manager = ready.open(3).headers["X-Session"]
    page.token = manager
    for path in ("/settings/rule", "/settings/rule/preview", "/settings/rule/restore"):
        assert page.ask("POST", path, data=page.form()).status_code == 403
    assert page.ask("GET", "/settings/recompute").status_code == 403
