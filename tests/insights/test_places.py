"""Menus that open the first page, and the badge in a card's field."""

from __future__ import annotations

import re

from support.world import counted

from core.database import transaction
from core.web import formats
from integration import appearance
from integration.appearance import Theme
from integration.placements import BOUND
from segments.models import ClientMetrics

ADMIN, BLIND = 1, 10
AIMED = [code for code, place in BOUND.items() if place.aimed]


def of_field(number, entity="CONTACT"):
    return {
        "MODE": "view", "ENTITY_ID": f"CRM_{entity}", "FIELD_NAME": "UF_CRM_RUBILNIK_VALUE",
        "ENTITY_VALUE_ID": str(number), "VALUE": None, "MULTIPLE": "N", "MANDATORY": "N",
    }  # fmt: skip


def badge(world, options, user_id=ADMIN):
    handler = f"{world.runtime.settings.public_url}/placement/userfield_type"
    return world.open(user_id, placement="USERFIELD_TYPE", options=options, handler=handler)


def test_menus_open_the_first_page(world):
    world.reach(counted)
    title = re.search("<h1>(.*?)</h1>", world.open().text)[0]
    for code in ("CRM_ANALYTICS_MENU", "LEFT_MENU"):
        handler = f"{world.runtime.settings.public_url}/placement/{code.lower()}"
        opened = world.open(placement=code, handler=handler)
        assert opened.status_code == 200
        assert opened.headers["X-Session"]
        assert title in opened.text


def test_of_what_the_portal_hides_no_place_shows_anything(world):
    for code in (*AIMED, "USERFIELD_TYPE"):
        options = of_field(1) if code == "USERFIELD_TYPE" else {"ID": "1"}
        handler = f"{world.runtime.settings.public_url}/placement/{code.lower()}"
        opened = world.open(BLIND, placement=code, options=options, handler=handler)
        assert opened.status_code == 403, code
        assert "X-Session" not in opened.headers, code


def test_the_badge_is_one_line_of_figures_without_scripts(world):
    world.reach(counted)
    with world.runtime.sessions() as session:
        row = session.query(ClientMetrics).filter_by(kind="contact").first()
    shown = badge(world, of_field(row.client_id))
    with world.app.test_request_context():
        ltv = formats.money_short(row.ltv, "RUB")
    assert shown.status_code == 200
    assert f'<b class="num">{ltv}</b>' in shown.text
    assert "<script" not in shown.text
    assert 'name="session"' not in shown.text
    assert 'media="not all"' in shown.text, "as light as everything, till one chooses"
    with transaction(world.runtime.sessions) as session:
        appearance.choose(session, world.portal_id, ADMIN, Theme.DARK)
    assert 'media="all"' in badge(world, of_field(row.client_id)).text


def test_a_new_card_and_a_deal_without_clients_have_no_badge(world):
    world.reach(counted)
    for options in (of_field(0), of_field("x"), {}, of_field(1, "QUOTE")):
        shown = badge(world, options)
        assert shown.status_code == 200
        assert "₽" not in shown.text


def test_on_a_deal_the_badge_is_that_of_its_client(world):
    world.reach(counted)
    deal = next(r for r in world.rows("deal") if r.get("CONTACT_ID") and not r.get("COMPANY_ID"))
    on_deal = badge(world, of_field(deal["ID"], "DEAL")).text
    assert on_deal == badge(world, of_field(deal["CONTACT_ID"])).text
