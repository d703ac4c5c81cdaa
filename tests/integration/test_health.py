"""The health page against a portal with troubles: what is said, what its buttons do, who is told."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest
import sqlalchemy as sa
from support.drift import Drifting
from support.trouble import hits
from support.world import written

from core import queue, runtime
from core.clock import utcnow
from core.database import transaction
from core.queue import Queue
from integration import health, health_rows, jobs, quarantine
from integration.mirror import Contact, StageMove
from integration.models import PortalEvent, PortalState, QuarantinedRow, SyncRun, Trouble
from integration.rules.health import Code
from integration.sync import checks, engine, runs


@pytest.fixture
def well(world):
    """Installed, read, counted, written, every process alive."""
    world.reach(written)
    alive(world)
    return world


def alive(world, *but):
    for name in ("ticker", *(f"worker-{each}" for each in Queue)):
        if name not in but:
            queue.beat(world.runtime.redis, name)


def codes(world):
    return [problem.code for problem in health.problems(world.runtime, world.portal)]


class Admin:
    """An administrator with the application open."""

    def __init__(self, world, user_id=1):
        self.world = world
        token = world.open(user_id).headers["X-Session"]
        self.headers = {"Authorization": f"Bearer {token}"}

    def get(self, path="/health"):
        return self.world.browser.get(path, headers=self.headers)

    def post(self, path, **form):
        return self.world.browser.post(path, data=form, headers=self.headers)

    def text(self, path="/health"):
        answer = self.get(path)
        assert answer.status_code == 200
        return answer.get_data(as_text=True)


def drifting(world, changes):
    world.runtime = replace(world.runtime, http=Drifting(world.runtime.http, changes))
    runtime.install(world.runtime)


def settled(world):
    world.runtime = replace(world.runtime, http=world.runtime.http._http)
    runtime.install(world.runtime)


def set_aside(world):
    with world.runtime.sessions() as session:
        query = sa.select(QuarantinedRow.entity, QuarantinedRow.bitrix_id)
        return {tuple(row) for row in session.execute(query)}


def portal_values(world, **values):
    with transaction(world.runtime.sessions) as session:
        portal = session.get_one(type(world.portal), world.portal_id)
        for name, value in values.items():
            setattr(portal, name, value)


def test_a_portal_in_good_health_says_so(well):
    assert codes(well) == []
    page = Admin(well).text()
    assert "Всё в порядке" in page
    assert "Все строки портала прочитаны" in page
    assert 'hx-trigger="live, every 15s"' in page
    assert "crm.contact.list" in Admin(well).text("/health/calls")


def test_the_lines_compare_the_mirror_with_the_portals_count(well):
    with well.runtime.sessions() as session:
        lines = health_rows.entities(well.runtime, session, well.portal_id)
    counted = {line.entity: (line.rows, line.portal_rows) for line in lines}
    for entity in ("contact", "company", "lead", "deal"):
        number = len(well.rows(entity))
        assert counted[entity] == (number, number)
    assert counted["activity"][0] > 0
    well.call("crm.contact.add", fields={"NAME": "Новая"})
    well.sync()
    with well.runtime.sessions() as session:
        well.runtime.redis.delete(f"rubilnik:counts:{well.portal_id}")
        (line,) = (
            each
            for each in health_rows.entities(well.runtime, session, well.portal_id)
            if each.entity == "contact"
        )
    assert line.changed >= 1
    assert (line.rows, line.portal_rows) == (number_of(well, "contact"), line.rows - 1)
    assert line.counted_at is not None, "the last count is kept over incremental runs"


def number_of(world, entity):
    return len(world.rows(entity))


@pytest.mark.parametrize(
    ("fault", "code", "words"),
    [
        ({"status": 403, "code": "ACCESS_DENIED",
          "description": "REST is available only on commercial plans"},
         Code.PLAN_WITHOUT_REST, "Тариф портала не позволяет"),
        ({"status": 402, "code": "PAYMENT_REQUIRED"}, Code.PORTAL_UNPAID, "не оплачен"),
        ({"status": 503, "code": "OVERLOAD_LIMIT"}, Code.PORTAL_OVERLOADED, "заблокировал"),
    ],
)  # fmt: skip
def test_a_portal_that_shuts_us_out_is_named_with_its_cause(well, fault, code, words):
    admin = Admin(well)
    well.demo.fault("error", "*", times=-1, **fault)
    well.sync()
    assert codes(well) == [code]
    page = admin.text()
    assert "1 проблема ждёт вас" in page
    assert words in page
    well.demo.clear_faults()
    well.sync()
    assert codes(well) == []


def test_dead_tokens_ask_for_the_application_to_be_opened_and_opening_it_heals(well):
    admin = Admin(well)
    well.demo.control("tokens/expire", {})
    well.demo.fault("error", "oauth.token", status=400, code="invalid_grant", times=-1)
    well.sync()
    assert well.portal.state == PortalState.REOPEN
    assert codes(well) == [Code.ACCESS_LOST]
    assert "под администратором" in admin.text()
    well.demo.clear_faults()
    Admin(well)
    well.work()
    assert well.portal.state == PortalState.ACTIVE
    assert codes(well) == []


def test_a_used_up_method_is_named_with_the_time_it_is_waited_for(well):
    well.demo.fault("error", "crm.company.list", status=429, code="OPERATION_TIME_LIMIT", times=1)
    with transaction(well.runtime.sessions) as session:
        run = runs.start(session, well.portal_id, full=True)
    engine.run_slice(well.runtime, well.portal_id, run.id)
    (problem,) = health.problems(well.runtime, well.portal)
    assert (problem.code, problem.names) == (Code.SYNC_LIMITED, ("crm.company.list",))
    assert timedelta(minutes=8) < problem.until - utcnow() <= timedelta(minutes=10)
    page = Admin(well).text()
    assert "Работает, есть временная помеха" in page
    assert "пока портал разрешит продолжить" in page
    assert 'hx-trigger="live, every 2s"' in page, "a run is under way"


def test_rows_set_aside_are_listed_in_words_and_leave_when_they_fit(well):
    first, second = (row["ID"] for row in well.rows("contact")[:2])
    deal = well.rows("deal")[0]["ID"]
    drifting(
        well,
        {
            "crm.contact.list": {first: {"BIRTHDATE": "0000-00-00"}, second: {"COMPANY_ID": [7]}},
            "crm.item.list": {deal: {"opportunity": {"amount": 5}}},
        },
    )
    well.sync(full=True)
    well.count()
    assert set_aside(well) == {
        ("contact", str(first)), ("contact", str(second)), ("deal", str(deal)),
    }  # fmt: skip
    assert codes(well) == [Code.QUARANTINED]
    admin = Admin(well)
    page = admin.text()
    assert "3 строки отложены" in page
    assert "Дата рождения (BIRTHDATE): не дата" in page
    assert f"/crm/contact/details/{first}/" in page

    assert quarantine.retry(well.runtime, well.portal_id) == 0, "still of another shape"
    settled(well)
    admin.post("/health/retry", entity="contact", id=str(first))
    well.work(Queue.INTERACTIVE)
    assert set_aside(well) == {("contact", str(second)), ("deal", str(deal))}
    well.call("crm.deal.delete", id=deal)
    admin.post("/health/retry")
    well.work(Queue.INTERACTIVE)
    assert set_aside(well) == set(), "what is gone from the portal is gone from the list"
    well.count()
    assert codes(well) == []


def test_a_row_set_aside_that_is_hidden_from_us_is_not_taken_for_deleted(well):
    contact = well.rows("contact")[0]["ID"]
    with transaction(well.runtime.sessions) as session:
        facts = {"entity": "contact", "bitrix_id": str(contact), "reason": "BIRTHDATE: not a date"}
        session.add(QuarantinedRow(portal_id=well.portal_id, **facts))
    well.demo.fault("hide_rows", "crm.contact.list", every=1, times=-1)
    assert quarantine.retry(well.runtime, well.portal_id) == 1
    with well.runtime.sessions() as session:
        assert session.get_one(Contact, (well.portal_id, contact)).deleted_at is None


def test_lines_of_history_and_activities_can_be_read_again_too(well):
    move = well.rows("stagehistory")[0]
    activity = well.rows("activity")[0]["ID"]
    entity = "deal_history" if int(move["ENTITY_TYPE_ID"]) == 2 else "lead_history"
    wanted = {(entity, str(move["ID"])), ("activity", str(activity)), ("activity", "None")}
    with transaction(well.runtime.sessions) as session:
        session.execute(sa.delete(StageMove).where(StageMove.bitrix_id == move["ID"]))
        for name, bitrix_id in wanted:
            session.add(
                QuarantinedRow(
                    portal_id=well.portal_id, entity=name, bitrix_id=bitrix_id, reason="ID: missing"
                )
            )
    assert quarantine.retry(well.runtime, well.portal_id) == 3
    assert set_aside(well) == set()
    with well.runtime.sessions() as session:
        assert session.scalar(sa.select(StageMove).where(StageMove.bitrix_id == move["ID"]))


def test_processes_that_fell_silent_are_named(well):
    well.runtime.redis.flushall()
    alive(well, "worker-sync", "ticker")
    (problem,) = health.problems(well.runtime, well.portal)
    assert (problem.code, problem.names) == (Code.PROCESS_SILENT, ("ticker", "worker-sync"))
    assert "worker-sync" in Admin(well).text()


def test_the_page_opens_without_redis(well):
    admin = Admin(well)
    away = queue.connection("redis://127.0.0.1:1/0")
    well.runtime = replace(well.runtime, redis=away)
    runtime.install(well.runtime)
    page = admin.text()
    away.close()
    assert "Очередь сервера не отвечает" in page
    assert "Журнал запросов сейчас не отвечает" in page


def test_work_that_stands_still_is_noticed(well):
    with transaction(well.runtime.sessions) as session:
        session.add(
            PortalEvent(
                portal_id=well.portal_id,
                event="ONCRMDEALUPDATE",
                object_id=1,
                received_at=utcnow() - timedelta(minutes=7),
            )
        )
        session.add(
            SyncRun(
                portal_id=well.portal_id, full=False, created_at=utcnow() - timedelta(minutes=7)
            )
        )
    assert codes(well) == [Code.WORK_STUCK, Code.EVENTS_STUCK]


def test_cards_that_no_event_told_of_are_noticed(well):
    portal_values(well, installed_at=utcnow() - timedelta(days=9))
    newest = sa.select(sa.func.max(Contact.bitrix_id)).scalar_subquery()
    with transaction(well.runtime.sessions) as session:
        session.execute(sa.delete(PortalEvent))
        session.execute(
            sa.update(Contact).where(Contact.bitrix_id == newest).values(created_at=utcnow())
        )
    assert codes(well) == [Code.EVENTS_MISSED]


def test_a_field_taken_from_the_portal_is_told_and_saving_the_settings_heals(well):
    for entity in ("contact", "company"):
        rows = well.call(f"crm.{entity}.userfield.list")
        gone = next(r["ID"] for r in rows if r["FIELD_NAME"] == "UF_CRM_RUBILNIK_LTV")
        well.call(f"crm.{entity}.userfield.delete", id=gone)
    well.sync()
    well.count()
    (problem,) = health.problems(well.runtime, well.portal)
    assert (problem.code, problem.names) == (Code.FIELDS_MISSING, ("UF_CRM_RUBILNIK_LTV",))
    Admin(well).post("/settings/writing", enabled="1", version="0")
    well.work()
    well.count()
    well.write()
    assert codes(well) == []


def test_reading_writing_that_fails_and_figures_that_lag_are_told(well):
    portal_values(well, last_sync_at=utcnow() - timedelta(hours=2))
    with transaction(well.runtime.sessions) as session:
        session.execute(
            sa.update(SyncRun).values(
                status="failed", reason="AccessDenied: no", followed_at=sa.func.now()
            )
        )
        session.execute(
            sa.text("UPDATE writeback_runs SET failed = 2, reason = '{''ERROR_CORE'': 2}'")
        )
        session.execute(
            sa.text(
                "UPDATE sale_rules SET version = version + 1, changed_at = now() - interval '2 hours'"
            )
        )
    assert codes(well) == [Code.SYNC_FAILED, Code.WRITING_FAILED, Code.FIGURES_LATE]
    page = Admin(well).text()
    assert "3 проблемы ждут вас" in page
    assert "не хватает прав" in page
    assert "2 карточки портал отклонил" in page


def test_a_comparison_held_back_waits_for_the_administrators_word(well):
    with transaction(well.runtime.sessions) as session:
        checks.request(session, well.portal_id)
        session.execute(
            sa.text(
                "UPDATE checks SET status = 'held', vanished = 40, finished_at = now() "
                "WHERE entity = 'contact'"
            )
        )
        session.execute(sa.text("DELETE FROM checks WHERE entity <> 'contact'"))
    (problem,) = health.problems(well.runtime, well.portal)
    assert (problem.code, problem.number) == (Code.CHECK_HELD, 40)
    admin = Admin(well)
    assert "40 строк" in admin.text()
    admin.post("/health/confirm")
    assert codes(well) == []


def test_the_buttons_start_what_they_say(well):
    admin = Admin(well)
    assert "Чтение начинается" in admin.post("/health/check").get_data(as_text=True)
    well.work()
    assert not well.progress().full
    with transaction(well.runtime.sessions) as session:
        runs.start(session, well.portal_id, full=False)
    assert "Сейчас читаются изменения" in admin.post("/health/check", full="1").get_data(True)
    well.work()
    jobs.sweep()
    well.work()
    assert "Полная загрузка начинается" in admin.post("/health/check", full="1").get_data(True)
    well.work()
    assert (well.progress().full, well.progress().status) == (True, "done")
    admin.post("/health/compare")
    well.work()
    with well.runtime.sessions() as session:
        assert {check.status for check in checks.results(session, well.portal_id)} == {"done"}
    assert "совпадает" in admin.text()


def test_an_employee_reaches_none_of_it(well):
    employee = Admin(well, user_id=3)
    for path in ("/health", "/health/live", "/health/calls"):
        assert employee.get(path).status_code == 403
    for path in ("/health/check", "/health/retry", "/health/compare", "/health/confirm"):
        assert employee.post(path).status_code == 403
    assert not well.runtime.redis.keys("rubilnik:waiting:start-*")


def test_pages_lead_to_it(well):
    admin = Admin(well)
    for path in ("/home", "/settings"):
        assert 'hx-get="/health"' in admin.text(path)


def spoil(world):
    with transaction(world.runtime.sessions) as session:
        session.add(
            QuarantinedRow(
                portal_id=world.portal_id, entity="contact", bitrix_id="1", reason="NAME: missing"
            )
        )


def heal(world):
    with transaction(world.runtime.sessions) as session:
        session.execute(sa.delete(QuarantinedRow))


def pass_time(world, **passed):
    """Make what is remembered of troubles older."""
    with transaction(world.runtime.sessions) as session:
        for name in ("since", "tried_at", "told_at", "gone_at"):
            column = getattr(Trouble, name)
            session.execute(sa.update(Trouble).values({name: column - timedelta(**passed)}))


def look(world):
    """What the ticker and a worker do every five minutes."""
    jobs.watch()
    world.work(Queue.INTERACTIVE)


def trouble(world):
    with world.runtime.sessions() as session:
        return session.get(Trouble, (world.portal_id, "quarantined"))


def test_a_refused_notice_is_tried_again_in_an_hour_and_the_page_says_so(well):
    admin = Admin(well)
    refusal = {"status": 401, "code": "insufficient_scope"}
    well.demo.fault("error", "im.notify.system.add", times=-1, **refusal)
    spoil(well)
    look(well)
    look(well)
    assert hits(well) == 1
    assert trouble(well).told_at is None
    assert "право im" in admin.text()
    pass_time(well, minutes=61)
    look(well)
    assert hits(well) == 2
    heal(well)
    look(well)
    assert "право im" not in admin.text()


def notices(world):
    return world.demo.control("notifications")


def test_a_problem_is_told_once_until_it_is_gone(well):
    look(well)
    assert notices(well) == []
    spoil(well)
    for _ in range(3):
        look(well)
    (notice,) = notices(well)
    assert notice["USER_ID"] == well.portal.installer_id
    assert "1 строка отложена" in notice["MESSAGE"]
    assert "Исправьте значение" in notice["MESSAGE"]
    told_at = trouble(well).told_at

    heal(well)
    look(well)
    assert trouble(well).gone_at is not None
    spoil(well)
    look(well)
    assert trouble(well).told_at == told_at, "back within the hour: the same problem"

    heal(well)
    look(well)
    pass_time(well, hours=3)
    spoil(well)
    look(well)
    assert trouble(well).told_at > told_at
    assert trouble(well).gone_at is None


def test_what_passes_by_itself_is_not_told(well):
    with transaction(well.runtime.sessions) as session:
        session.execute(
            sa.update(SyncRun).values(
                status="failed", reason="Unreachable: x", followed_at=sa.func.now()
            )
        )
    assert codes(well) == [Code.SYNC_FAILED]
    look(well)
    assert notices(well) == []


def test_a_portal_that_shuts_us_out_is_not_called(well):
    portal_values(well, state="blocked", state_reason="PlanWithoutRest")
    calls = well.demo.counters()
    look(well)
    assert well.demo.counters() == calls
    with well.runtime.sessions() as session:
        row = session.get_one(Trouble, (well.portal_id, "plan_without_rest"))
    assert (row.told_at, row.tried_at) == (None, None)


def test_the_command_says_the_same_and_fails_where_a_person_is_needed(well):
    runner = well.app.test_cli_runner()
    fine = runner.invoke(args=["health", "--portal", well.demo.domain, "--strict"])
    assert fine.exit_code == 0, fine.output
    assert "verdict=fine" in fine.output
    assert "entity=contact" in fine.output
    spoil(well)
    bad = runner.invoke(args=["health", "--portal", well.demo.domain, "--strict", "--json"])
    assert bad.exit_code == 1
    assert '"problem":"quarantined"' in bad.output
    assert "отложена" in bad.output
