"""Putting a card into a list from its tab: by whoever may write, with a way back."""

from __future__ import annotations

import re

import pytest
import sqlalchemy as sa
from support.settings_page import plain
from support.world import read

from integration import admin_rules, rights
from integration.admin_rules import RuleName
from integration.rights import Right, Rights
from segments.members import choosing, lists, saving
from segments.rules.tree import Kind
from segments.saved import How, Segment

ADMIN, MANAGER = 1, 6


@pytest.fixture
def read_world(world):
    return world.reach(read)


def let_write(world, user_id):
    with world.runtime.sessions.begin() as session:
        admin_rules.save(
            *(session, world.portal_id, RuleName.RIGHTS, Rights({user_id: Right.WRITE}).as_json()),
            start=Rights().as_json(), user_id=ADMIN, made_from=rights.rights_of(session, world.portal_id)[0],
        )  # fmt: skip


def tab(world, number=1, user_id=ADMIN):
    answer = world.open(user_id, placement="CRM_CONTACT_DETAIL_TAB", options={"ID": str(number)})
    return {"Authorization": f"Bearer {answer.headers['X-Session']}"}


def listed(world, name="Позвать на выставку", how=How.STATIC, raw=None):
    with world.runtime.sessions.begin() as session:
        return saving.create(session, world.portal_id, name, raw, how=how).id


def inside(world, segment_id):
    with world.runtime.sessions() as session:
        return choosing.inside(session, world.portal_id, segment_id, [(Kind.CONTACT, 1)])


def test_a_card_goes_into_a_list_and_back(read_world):
    world, segment_id = read_world, listed(read_world)
    headers = tab(world)
    shown = world.browser.get("/card/lists?client=contact:1", headers=headers)
    assert "Позвать на выставку" in shown.get_data(as_text=True)
    done = world.browser.post(
        f"/card/lists/put?client=contact:1&segment={segment_id}", headers=headers
    )
    page = done.get_data(as_text=True)
    assert done.headers["HX-Trigger"] == "card-changed"
    assert "Добавлено в список «Позвать на выставку»" in plain(page)
    assert inside(world, segment_id) == {(Kind.CONTACT, 1)}
    again = world.browser.get("/card/lists?client=contact:1", headers=headers)
    assert "Позвать на выставку" not in again.get_data(as_text=True), "it is in it already"

    undo = re.search(r'hx-post="(/card/lists/take[^"]+)"[^>]*><span>Отменить', page)[1]
    undone = world.browser.post(undo.replace("&amp;", "&"), headers=headers)
    assert "Убрано из списка" in plain(undone.get_data(as_text=True))
    assert inside(world, segment_id) == set()


def test_a_name_nobody_has_makes_a_new_list(read_world):
    headers = tab(read_world)
    shown = read_world.browser.get("/card/lists?client=contact:1&search=Новые", headers=headers)
    assert "Новый список «Новые»" in plain(shown.get_data(as_text=True))
    done = read_world.browser.post("/card/lists/put", headers=headers, data={"name": "Новые"})
    assert done.status_code == 200
    with read_world.runtime.sessions() as session:
        made = session.scalars(sa.select(Segment).where(Segment.name == "Новые")).one()
        stays = lists.of_card(session, read_world.portal_id, Kind.CONTACT, 1)
    assert made.how == How.STATIC
    assert made.id in {stay.segment_id for stay in stays}
    assert (
        read_world.browser.post("/card/lists/put", headers=headers, data={"name": " "}).status_code
        == 400
    )


def test_only_who_may_write_sees_lists_and_changes_them(read_world):
    world, segment_id = read_world, listed(read_world)
    number = next(r["ID"] for r in world.rows("contact") if r["ASSIGNED_BY_ID"] == MANAGER)
    headers, path = tab(world, number, MANAGER), f"/card/lists/put?segment={segment_id}"
    assert 'id="lists"' not in world.browser.get("/card/profile", headers=headers).get_data(
        as_text=True
    )
    assert world.browser.post(path, headers=headers).status_code == 403
    assert world.browser.get("/card/lists", headers=headers).status_code == 403
    let_write(world, MANAGER)
    assert 'id="lists"' in world.browser.get("/card/profile", headers=headers).get_data(
        as_text=True
    )
    assert world.browser.post(path, headers=headers).status_code == 200


@pytest.mark.parametrize("work", ["put", "take"])
def test_what_is_no_list_of_ours_takes_nobody(read_world, work):
    world = read_world
    dynamic = listed(world, "Все", How.DYNAMIC, {"version": 1, "clients": {}})
    headers = tab(world)
    for number in (dynamic, 999_999, 0, -1, 2**31, "x"):
        answer = world.browser.post(f"/card/lists/{work}?segment={number}&name=", headers=headers)
        assert answer.status_code in {400, 404}, number
    other = world.browser.post(
        f"/card/lists/{work}?client=contact:2&segment={listed(world)}", headers=headers
    )
    assert other.status_code == 403, "nobody has proved anything of that card"
