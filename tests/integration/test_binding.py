"""Our places in the portal's pages: bound, bound again, let go of, and the field that draws values."""

from __future__ import annotations

import pytest
from support.world import world as make_world

from core.queue import Queue
from integration import field_types, installs, jobs
from integration.connect import connect
from integration.fields import LTV, VALUE_CODE
from integration.mirror import CustomField
from integration.placements import BOUND, LEFT_MENU
from integration.sync import dictionaries

REFUSED = {"status": 400, "code": "ERROR_PLACEMENT_NOT_FOUND", "description": "Placement not found"}


def bound(world):
    """(code, handler) of everything the portal has of us."""
    rows = connect(world.runtime, world.portal).call("placement.get", {}).result
    return {(row["placement"], row["handler"]) for row in rows}


def handler(world, code):
    return f"{world.runtime.settings.public_url}/placement/{code.lower()}"


def test_everything_is_bound_once_but_a_second_item_of_the_menu(world):
    expected = {(code, handler(world, code)) for code in BOUND if code != LEFT_MENU}
    assert bound(world) == expected
    world.demo.control("counters/reset", {})
    installs.rebind(world.runtime, world.portal_id)
    counted = {name for name, calls in world.demo.counters().items() if calls}
    assert counted == {"event.get", "placement.get"}, "nothing is bound twice"
    assert bound(world) == expected


def test_a_portal_in_use_gets_new_places_and_loses_old_addresses(world):
    client = connect(world.runtime, world.portal)
    client.call("placement.unbind", {"PLACEMENT": "CRM_LEAD_DETAIL_TAB"})
    old = {"PLACEMENT": "CRM_DEAL_DETAIL_TAB", "HANDLER": "https://old.example.com/placement/x"}
    client.call("placement.bind", old)
    client.call(
        "placement.bind", {"PLACEMENT": "CRM_QUOTE_DETAIL_TAB", "HANDLER": "https://a.test"}
    )
    installs.rebind(world.runtime, world.portal_id)
    expected = {(code, handler(world, code)) for code in BOUND if code != LEFT_MENU}
    assert bound(world) == expected | {("CRM_QUOTE_DETAIL_TAB", "https://a.test")}


def test_without_pages_of_its_own_the_application_takes_an_item_of_the_menu(world):
    with world.runtime.sessions.begin() as session:
        session.merge(world.portal).has_menu_item = False
    installs.rebind(world.runtime, world.portal_id)
    assert (LEFT_MENU, handler(world, LEFT_MENU)) in bound(world)
    with world.runtime.sessions.begin() as session:
        session.merge(world.portal).has_menu_item = True
    installs.rebind(world.runtime, world.portal_id)
    assert (LEFT_MENU, handler(world, LEFT_MENU)) not in bound(world)


@pytest.mark.parametrize(("late", "status"), [(True, "done"), (False, "failed")])
def test_an_older_portal_may_lack_menus_but_no_tabs(
    settings, portal, redis_url, live_sessions, late, status
):
    with make_world(settings, portal, installed=False) as bare:
        first = 0 if not late else len(BOUND) - 2
        portal.fault("subcommand_error", "placement.bind", skip=first, times=1, **REFUSED)
        bare.open(handler=f"{bare.runtime.settings.public_url}/install")
        bare.member_id = portal.control("")["member_id"]
        bare.work(Queue.INTERACTIVE)
        assert bare.portal.install_steps["placements"]["status"] == status


def fields(world, entity):
    return {
        row["FIELD_NAME"]: row["USER_TYPE_ID"] for row in world.call(f"crm.{entity}.userfield.list")
    }


def test_the_value_field_is_made_on_request_and_drawn_by_us(world):
    assert not field_types.wanted(world.portal)
    jobs.bind_events(world.portal_id)
    assert VALUE_CODE not in fields(world, "contact"), "nobody has asked for it"
    field_types.show(world.runtime, world.portal)
    asked = ["writing", "--portal", world.demo.domain, "--badge", "--json"]
    again = world.app.test_cli_runner().invoke(args=asked)
    assert again.exit_code == 0, again.output
    client = connect(world.runtime, world.portal)
    (known,) = client.call("userfieldtype.list", {}).result
    assert known["HANDLER"] == handler(world, "USERFIELD_TYPE")
    app_id = client.call("app.info", {}).result["ID"]
    for entity in field_types.ENTITIES:
        assert fields(world, entity)[VALUE_CODE] == f"rest_{app_id}_{known['USER_TYPE_ID']}"
    assert field_types.wanted(world.portal)

    found = dictionaries.read(client, language="ru", count=False)
    with world.runtime.sessions() as session:
        dictionaries.store(session, world.portal_id, found)
        assert session.get(CustomField, (world.portal_id, "contact", VALUE_CODE)) is None
        assert session.get(CustomField, (world.portal_id, "contact", LTV.code))


def test_the_value_field_follows_our_address_and_stays_deleted(world):
    field_types.show(world.runtime, world.portal)
    for row in world.call("crm.contact.userfield.list"):
        if row["FIELD_NAME"] == VALUE_CODE:
            world.call("crm.contact.userfield.delete", id=row["ID"])
    installs.note_step(world.runtime, world.portal_id, field_types.STEP, "done", "http://old")
    client = connect(world.runtime, world.portal)
    moved = {"USER_TYPE_ID": field_types.TYPE, "HANDLER": "http://127.0.0.1:1/old", "TITLE": "x"}
    client.call("userfieldtype.update", moved)
    jobs.bind_events(world.portal_id)
    (known,) = client.call("userfieldtype.list", {}).result
    assert known["HANDLER"] == handler(world, "USERFIELD_TYPE")
    assert VALUE_CODE not in fields(world, "contact")


def test_the_settings_offer_the_value_field_and_say_what_went_wrong(world):
    headers = {"Authorization": f"Bearer {world.open().headers['X-Session']}"}
    path = "/settings/value-field"
    assert "Показать на карточках" in world.browser.get(path, headers=headers).text
    world.demo.fault("error", "userfieldtype.add", status=400, code="ERROR_CORE")
    refused = world.browser.post(path, headers=headers)
    assert refused.status_code == 422
    assert "Портал не создал поле" in refused.text
    done = world.browser.post(path, headers=headers)
    assert done.status_code == 200
    assert "Поле на карточках" in done.text
    assert VALUE_CODE in fields(world, "deal")
