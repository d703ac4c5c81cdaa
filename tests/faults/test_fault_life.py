"""Every way a portal can shut us out: its state, what pages say, that it is left alone, and the way back."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import pytest
import sqlalchemy as sa
from support.settings_page import plain
from support.trouble import assert_as_without_faults, finish, newest, requests
from support.truths import assert_truth

from core.clock import utcnow
from core.database import transaction
from core.queue import Queue
from integration import health, jobs, portals, troubles
from integration.bitrix.errors import Unreachable
from integration.models import Check, Portal, PortalEvent, PortalState
from integration.probes import SILENT_FOR
from integration.rules.health import Code
from segments import jobs as segment_jobs
from segments.models import WritebackRun

ADMIN, OTHER_ADMIN, MANAGER = 1, 2, 6
CARD = "CRM_CONTACT_DETAIL_TAB"
PAGES = ("/home", "/settings", "/health", "/health/calls", "/card", "/install/progress")


@dataclass(frozen=True)
class End:
    """How access ends and comes back, and what is known meanwhile. `opens`: who renews it, if anybody."""

    begin: Callable[[Any], None]
    state: PortalState
    reason: str
    code: Code
    words: str
    over: Callable[[Any], None] = lambda _world: None
    opens: int | None = None


def option(**values):
    return lambda world: world.demo.control("options", values)


def dismiss(user_id):
    def done(world):
        order = {"table": "user", "action": "update", "id": user_id, "fields": {"ACTIVE": False}}
        world.demo.control("mutate", order)

    return done


def fall_silent(world):
    world.demo.fault("drop", "*", times=-1)
    assert world.sync_once().wait, "at first it is only tried again"
    assert world.portal.state == PortalState.ACTIVE
    age(world, silent_since=SILENT_FOR)
    jobs.sweep()
    world.work(Queue.INTERACTIVE)


ENDS = {
    "tokens died": End(
        lambda world: world.demo.control("tokens/kill", {}),
        PortalState.REOPEN, "AuthDead", Code.ACCESS_LOST, "Доступ к порталу истёк", opens=ADMIN,
    ),
    "installer dismissed": End(
        dismiss(ADMIN), PortalState.REOPEN, "UserDismissed", Code.INSTALLER_DISMISSED,
        "Администратор, который подключил «Рубильник», уволен", opens=OTHER_ADMIN,
    ),
    "installer barred": End(
        option(barred_users=[ADMIN]), PortalState.REOPEN, "UserBarred", Code.INSTALLER_BARRED,
        "больше не может им пользоваться", opens=OTHER_ADMIN,
    ),
    "plan without REST": End(
        option(rest_disabled=True), PortalState.BLOCKED, "PlanWithoutRest",
        Code.PLAN_WITHOUT_REST, "Тариф портала не позволяет", option(rest_disabled=False),
    ),
    "unpaid": End(
        option(payment_required=True), PortalState.BLOCKED, "PaymentRequired",
        Code.PORTAL_UNPAID, "не оплачен", option(payment_required=False),
    ),
    "closed": End(
        option(closed=True), PortalState.BLOCKED, "PortalGone",
        Code.PORTAL_CLOSED, "Портал закрыт", option(closed=False),
    ),
    "silent": End(
        fall_silent, PortalState.BLOCKED, "Unreachable",
        Code.PORTAL_SILENT, "Портал не отвечает", lambda world: world.demo.clear_faults(),
    ),
}  # fmt: skip


@pytest.fixture
def settled(world):
    """Everything read, counted and written."""
    from integration.sync import engine, runs

    def sync_once():
        with transaction(world.runtime.sessions) as session:
            run = runs.start(session, world.portal_id, full=False)
        return engine.run_slice(world.runtime, world.portal_id, run.id)

    world.sync_once = sync_once
    return world.reach(finish)


def age(world, **by):
    """Let time pass over moments of the portal's row."""
    with transaction(world.runtime.sessions) as session:
        portal = session.get_one(Portal, world.portal_id)
        for name, much in by.items():
            moment = getattr(portal, name)
            setattr(portal, name, moment and moment - much)


def session_of(world, user_id, **card):
    answer = world.open(user_id, **card)
    assert answer.status_code == 200, answer.get_data(as_text=True)[:300]
    return {"Authorization": f"Bearer {answer.headers['X-Session']}"}


def page(world, path, headers):
    answer = world.browser.get(path, headers=headers)
    assert answer.status_code == 200, path
    return answer.get_data(as_text=True)


def standing(text):
    """What a page says above its content."""
    return plain(text.partition('id="standing"')[2].partition("</div>\n  <main")[0])


def people_work_on(world):
    """Changed, deleted and added while nobody looks."""
    rows = world.rows("deal")
    sale = next(row["ID"] for row in rows if row["STAGE_SEMANTIC_ID"] == "S" and row["CONTACT_ID"])
    deals = [sale, next(row["ID"] for row in rows if row["ID"] != sale)]
    for order in (
        {"action": "update", "id": deals[0], "fields": {"OPPORTUNITY": 77_000}},
        {"action": "delete", "id": deals[1]},
        {"action": "insert", "fields": {"TITLE": "Пока нас не было", "OPPORTUNITY": 5}},
    ):
        world.demo.control("mutate", {"table": "deal", **order})
    return deals[0]


def assert_left_alone(world, deal):
    """Whatever waits or is due, the portal hears nothing of us."""
    mark, refreshed = newest(world), world.demo.counters().get("oauth.token", 0)
    with transaction(world.runtime.sessions) as session:
        session.add(PortalEvent(portal_id=world.portal_id, event="ONCRMDEALUPDATE", object_id=deal))
        session.execute(sa.text("UPDATE sync_runs SET created_at = created_at - interval '9 min'"))
    segment_jobs.enqueue_writeback(world.portal_id)
    for _ in range(3):
        for periodic in (jobs.sweep, jobs.check, jobs.bind, jobs.pull, segment_jobs.follow):
            periodic()
        world.work()
    assert requests(world, since=mark) == []
    assert world.demo.counters().get("oauth.token", 0) == refreshed


@pytest.mark.parametrize("name", ENDS)
def test_a_portal_that_shuts_us_out_says_so_is_left_alone_and_comes_back(settled, name):
    world, end = settled, ENDS[name]
    card = {"placement": CARD, "options": {"ID": str(world.rows("contact")[0]["ID"])}}
    admin, manager = session_of(world, ADMIN, **card), session_of(world, MANAGER)
    assert 'id="standing" class="notices"></div>' in page(world, "/home", admin)
    deal = people_work_on(world)

    end.begin(world)
    if world.portal.state == PortalState.ACTIVE:
        world.sync()
    portal = world.portal
    assert (portal.state, portal.state_reason) == (end.state, end.reason)
    assert utcnow() - portal.state_since < timedelta(minutes=1)
    assert end.code in [problem.code for problem in health.problems(world.runtime, portal)]
    for path in PAGES:
        said = standing(page(world, path, admin))
        assert end.words in said, path
        assert "Возобновить связь" in said, path
    for path in ("/home", "/standing"):
        said = standing(page(world, path, manager))
        assert "Показатели на" in said
        assert end.words not in said

    assert_left_alone(world, deal)
    end.over(world)
    if end.opens:
        assert world.open(end.opens).status_code == 200
    else:
        age(world, state_since=timedelta(hours=2), probed_at=timedelta(hours=2))
        jobs.sweep()
    world.work()
    assert world.portal.state == PortalState.ACTIVE
    assert world.portal.state_reason is None
    if end.opens:
        assert world.portal.installer_id == end.opens
        admin = session_of(world, end.opens)
    assert 'id="standing" class="notices"></div>' in page(world, "/home", admin)
    assert world.progress().full is False, "what was missed is read, not everything"
    finish(world)
    with world.runtime.sessions() as session:
        checked = session.scalars(sa.select(Check).where(Check.portal_id == world.portal_id)).all()
    assert {check.status for check in checked} == {"done"}
    assert_truth(world)


def test_a_portal_that_shuts_everybody_out_says_why_instead_of_a_page(settled):
    settled.demo.control("options", {"payment_required": True})
    answer = settled.open(MANAGER)
    assert answer.status_code == 503
    assert "Тариф портала не оплачен" in answer.get_data(as_text=True)


def test_an_employee_does_not_renew_what_has_ended(settled):
    settled.demo.control("tokens/kill", {})
    settled.sync()
    assert settled.open(MANAGER).status_code == 200
    settled.work()
    assert settled.portal.state == PortalState.REOPEN
    settled.open(OTHER_ADMIN, placement=CARD, options={"ID": "1"})
    settled.work()
    assert settled.portal.state == PortalState.ACTIVE, "a card opened by an administrator is enough"


def test_a_removed_application_that_is_back_goes_on_when_an_administrator_opens_it(stage, settled):
    world = settled
    world.demo.control(f"apps/{world.keys['client_id']}/uninstall", {})
    deal = people_work_on(world)
    world.sync()
    assert world.portal.state in {PortalState.UNINSTALLED, PortalState.REOPEN}
    with transaction(world.runtime.sessions) as session:
        portals.set_state(session, world.portal_id, PortalState.UNINSTALLED, "NotInstalled")
    stage.register_again()
    world.demo.control(f"apps/{world.keys['client_id']}/finish", {})
    answer = world.open(MANAGER, handler="http://127.0.0.1:1/")
    assert answer.status_code == 403
    assert world.portal.state == PortalState.UNINSTALLED
    assert world.open(ADMIN, handler="http://127.0.0.1:1/").status_code == 200
    world.work()
    assert world.portal.state == PortalState.ACTIVE
    finish(world)
    assert_truth(world)
    assert deal


def told_of_removal(world):
    event = {
        "event": "ONAPPUNINSTALL",
        "data[CLEAN]": "1",
        "auth[member_id]": world.member_id,
        "auth[application_token]": world.keys["application_token"],
    }
    assert world.browser.post("/events", data=event).status_code == 200


def test_a_removal_an_employee_made_up_is_not_believed(settled, caplog):
    told_of_removal(settled)
    settled.work()
    assert settled.portal.state == PortalState.ACTIVE
    assert settled.portal.removal_told_at is None
    assert "the application answers" in caplog.text


def test_a_removal_is_believed_once_the_portal_confirms_it(settled):
    settled.demo.fault("drop", "app.info", times=3)
    settled.demo.fault("drop", "oauth.token", times=3)
    told_of_removal(settled)
    settled.work(Queue.INTERACTIVE)
    assert settled.portal.state == PortalState.ACTIVE, "nobody answers: nothing is believed yet"
    settled.demo.clear_faults()
    settled.demo.control(f"apps/{settled.keys['client_id']}/uninstall", {})
    age(settled, probed_at=timedelta(minutes=2))
    jobs.sweep()
    settled.work(Queue.INTERACTIVE)
    assert settled.portal.state == PortalState.UNINSTALLED


def test_an_installation_that_stopped_is_tried_again(settled):
    settled.demo.control("tokens/kill", {})
    settled.sync()
    settled.demo.fault("error", "placement.get", status=403, code="ACCESS_DENIED", times=1)
    settled.open(ADMIN)
    settled.work()
    assert settled.portal.state == PortalState.INSTALLING
    admin = session_of(settled, ADMIN)
    assert "Посмотреть шаги" in standing(page(settled, "/home", admin))
    age(settled, state_since=timedelta(hours=1))
    jobs.sweep()
    settled.work()
    assert settled.portal.state == PortalState.ACTIVE


def test_writing_refused_by_rights_is_told_stopped_and_taken_over_by_an_administrator(
    settled, fault_free
):
    world = settled
    admin, manager = session_of(world, ADMIN), session_of(world, MANAGER)
    people_work_on(world)
    world.demo.fault(
        "subcommand_error", "crm.contact.update", status=403, code="ACCESS_DENIED",
        description="Access denied.", times=-1,
    )  # fmt: skip
    world.sync()
    world.count()
    report = world.write()
    assert report.failed or report.reason
    troubles.watch(world.runtime, world.portal_id)
    said = standing(page(world, "/home", admin))
    assert "не даёт «Рубильнику» менять карточки" in said
    assert "в полях карточек могли устареть" in standing(page(world, "/home", manager))
    world.demo.clear_faults()
    assert world.open(OTHER_ADMIN).status_code == 200
    world.work()
    assert world.portal.installer_id == OTHER_ADMIN
    finish(world)
    with world.runtime.sessions() as session:
        assert session.get_one(WritebackRun, world.portal_id).failed == 0
    troubles.watch(world.runtime, world.portal_id)
    assert 'id="standing" class="notices"></div>' in page(world, "/home", admin)
    assert_truth(world)


def test_silence_of_a_moment_blocks_nobody(settled, fault_free):
    portals.note(settled.runtime.sessions, settled.portal_id, Unreachable("no route"))
    assert settled.portal.silent_since
    finish(settled)
    settled.sync()
    assert settled.portal.silent_since is None
    assert_as_without_faults(settled, fault_free, reread=True)
