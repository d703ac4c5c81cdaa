"""Installation: by a frame, by an event, repeated, half failed, of an application made anew."""

from __future__ import annotations

from urllib.parse import parse_qsl, urlsplit

import pytest
import sqlalchemy as sa
from support.world import joined
from support.world import world as make_world

from core.queue import Queue
from integration import installs, jobs, portals
from integration.connect import connect
from integration.fields import METRIC_FIELDS
from integration.installs import EVENTS
from integration.mirror import Contact
from integration.models import Portal, PortalState, PortalToken
from integration.placements import BOUND, LEFT_MENU
from integration.portals import UnknownPortal


@pytest.fixture
def bare(settings, portal, redis_url, live_sessions):
    """Registered, not installed."""
    with make_world(settings, portal, installed=False) as made:
        yield made


def event_of(world, user_id=1):
    """ONAPPINSTALL as the portal posts it for an application that uses the API only."""
    frame = world.frame(user_id)
    query, body = dict(parse_qsl(urlsplit(frame["url"]).query)), frame["body"]
    return {
        "event": "ONAPPINSTALL",
        "data[LANGUAGE_ID]": "en",
        "auth[access_token]": body["AUTH_ID"],
        "auth[refresh_token]": body["REFRESH_ID"],
        "auth[domain]": query["DOMAIN"],
        "auth[member_id]": body["member_id"],
        "auth[server_endpoint]": body["SERVER_ENDPOINT"],
        "auth[client_endpoint]": f"http://{query['DOMAIN']}/rest/",
        "auth[application_token]": body["APPLICATION_TOKEN"],
    }


def rows(world, table=Portal):
    with world.runtime.sessions() as session:
        return session.scalars(sa.select(table)).all()


def online(world):
    """Events the portal posts to us."""
    bound = connect(world.runtime, world.portal).call("event.get", {}).result
    return [row["event"] for row in bound if not row["offline"]]


def test_the_wizard_binds_everything_and_keeps_the_tokens(world):
    (app,) = world.demo.control("")["apps"]
    assert sorted(app["placements"]) == sorted(set(BOUND) - {LEFT_MENU})
    assert sorted(online(world)) == sorted(EVENTS)
    assert {step["status"] for step in world.portal.install_steps.values()} == {"done"}
    assert world.portal.domain == world.demo.domain
    assert world.portal.installer_id == 1
    assert connect(world.runtime, world.portal).call("profile", {}).result["ID"] == "1"
    codes = {row["FIELD_NAME"] for row in world.call("crm.contact.userfield.list")}
    assert {"UF_CRM_RUBILNIK_LTV", "UF_CRM_RUBILNIK_AVERAGE_CHECK"} <= codes


def test_an_application_without_pages_installs_by_its_event(bare):
    answer = bare.browser.post("/install", data=event_of(bare))
    assert answer.status_code == 200
    bare.work(Queue.INTERACTIVE)
    (portal,) = rows(bare)
    assert (portal.state, portal.language, portal.installer_id) == (PortalState.ACTIVE, "en", 1)
    assert portal.member_id == bare.demo.control("")["member_id"]
    token = bare.runtime.vault.open(portal.id, portal.application_token_sealed)
    assert token == bare.keys["application_token"]
    (app,) = bare.demo.control("")["apps"]
    assert LEFT_MENU in app["placements"], "nothing else in the menu would lead to it"


def test_a_step_that_fails_is_shown_and_repeated(bare):
    bare.demo.fault("subcommand_error", "event.bind", times=-1, status=403, code="ACCESS_DENIED")
    bare.open(handler="http://127.0.0.1:1/install")
    bare.work(Queue.INTERACTIVE)
    (portal,) = rows(bare)
    assert portal.state == PortalState.INSTALLING
    assert portal.install_steps["events"]["status"] == "failed"
    assert "ACCESS_DENIED" in portal.install_steps["events"]["reason"]
    assert portal.install_steps["fields"]["status"] == "done"
    bare.demo.clear_faults()
    installs.prepare(bare.runtime, portal.id)
    (portal,) = rows(bare)
    assert portal.state == PortalState.ACTIVE
    assert portal.install_steps["events"]["status"] == "done"


def test_an_older_portal_without_some_field_events_installs_all_the_same(bare):
    lacks = {"code": "ERROR_EVENT_NOT_FOUND", "description": "Event not found", "status": 400}
    bare.demo.fault("subcommand_error", "event.bind", skip=len(EVENTS) - 2, times=2, **lacks)
    bare.install()
    assert online(bare) == list(EVENTS[:-2])


def test_an_older_portal_without_card_events_says_so(bare):
    lacks = {"code": "ERROR_EVENT_NOT_FOUND", "description": "Event not found", "status": 400}
    bare.demo.fault("subcommand_error", "event.bind", skip=2, times=1, **lacks)
    bare.open(handler="http://127.0.0.1:1/install")
    bare.work(Queue.INTERACTIVE)
    (portal,) = rows(bare)
    assert portal.install_steps["events"]["status"] == "failed"


def test_events_that_were_lost_or_are_new_are_bound_by_and_by(world):
    client = connect(world.runtime, world.portal)
    client.call("event.unbind", {"event": "ONCRMDEALUPDATE"})
    client.call("event.unbind", {"event": "ONCRMLEADUSERFIELDADD"})
    jobs.bind()
    world.work(Queue.SYNC)
    assert sorted(online(world)) == sorted(EVENTS)
    world.demo.control("counters/reset", {})
    jobs.bind()
    world.work(Queue.SYNC)
    assert "event.bind" not in world.demo.counters()


def test_everything_a_client_base_consists_of_is_told_by_events():
    told = {"ADD", "UPDATE", "DELETE"}
    fields = {f"USERFIELD{action}" for action in (*told, "SETENUMVALUES")}
    wanted = {
        f"ONCRM{entity}{action}"
        for entity in ("DEAL", "CONTACT", "COMPANY", "LEAD")
        for action in told | fields
    }
    assert wanted | {"ONCRMDEALMOVETOCATEGORY"} <= set(EVENTS)


def test_a_field_whose_creation_answers_500_but_succeeds_is_there_once(world):
    world.demo.fault("drop_after_commit", "crm.contact.userfield.add", times=1)
    client = connect(world.runtime, world.portal)
    installs.ensure_fields(client, tuple(METRIC_FIELDS))
    for entity in ("contact", "company"):
        codes = [row["FIELD_NAME"] for row in world.call(f"crm.{entity}.userfield.list")]
        assert set(METRIC_FIELDS) <= set(codes)
        assert len(codes) == len(set(codes))
    assert installs.ensure_fields(client, tuple(METRIC_FIELDS)) == []


def test_a_second_administrator_takes_the_background_work_over(world):
    world.open(2, handler="http://127.0.0.1:1/install")
    assert world.portal.installer_id == 2
    assert connect(world.runtime, world.portal).call("profile", {}).result["ID"] == "2"
    assert len(rows(world)) == 1


def test_installing_after_an_uninstall_brings_the_same_portal_back(world):
    portal_id = world.portal_id
    with world.runtime.sessions.begin() as session:
        session.add(Contact(portal_id=portal_id, bitrix_id=999_999, name="Анна"))
        installs.uninstall(session, session.get_one(Portal, portal_id))
    assert world.portal.state == PortalState.UNINSTALLED
    assert rows(world, PortalToken) == []
    world.install()
    assert world.portal_id == portal_id
    assert world.portal.uninstalled_at is None
    assert 999_999 in {row.bitrix_id for row in rows(world, Contact)}


def test_an_application_made_anew_keeps_the_portals_data(world):
    """Deleted on the portal and added again: other keys, registered beside the old row."""
    portal_id, old = world.portal_id, world.keys
    world.demo.control(f"apps/{old['client_id']}/uninstall", {})
    anew = joined(world.app, world.runtime, world.demo)
    assert len(rows(world)) == 2
    anew.install()
    (portal,) = rows(world)
    assert (portal.id, portal.client_id) == (portal_id, anew.keys["client_id"])
    secret = world.runtime.vault.open(portal_id, portal.client_secret_sealed)
    assert secret == anew.keys["client_secret"]
    world.demo.control("tokens/expire", {})
    assert connect(world.runtime, anew.portal).call("profile", {}).result["ID"] == "1"


def test_a_portal_is_named_by_its_member_id_or_by_a_domain_that_is_one_portals(session):
    def add(client_id, domain, member_id=None):
        session.add(Portal(client_id=client_id, domain=domain, member_id=member_id))
        session.flush()

    add("local.1", "one.example.com", "a" * 32)
    add("local.2", "one.example.com")
    assert portals.find(session, "ONE.example.com").client_id == "local.1"
    add("local.3", "one.example.com", "b" * 32)
    assert portals.find(session, "b" * 32).client_id == "local.3"
    for name in ("one.example.com", "two.example.com", "", "None"):
        with pytest.raises(UnknownPortal):
            portals.find(session, name)
