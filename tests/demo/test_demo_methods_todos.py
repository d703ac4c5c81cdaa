"""To-dos and what applications show in timelines: as documented, and as people see them on a card."""

from __future__ import annotations

import copy

import pytest
from support.demo_world import World, world

from demo.portal.apps import register
from demo.portal.methods import todos
from demo.web import timeline
from demo.web.acting import acting

DEADLINE = "2026-03-02T15:00:00+03:00"
LAYOUT = {
    "icon": {"code": "mail-outcome"},
    "header": {
        "title": {"ru": "Рассылка", "en": "Mailing"},
        "tags": {"state": {"title": "отправлено", "type": "success"}},
    },
    "body": {
        "logo": {"code": "mail-outcome"},
        "blocks": {
            "subject": {"type": "text", "properties": {"value": "Скидка 10 %", "bold": True}},
            "offer": {
                "type": "withTitle",
                "properties": {
                    "title": "Предложение",
                    "block": {"type": "text", "properties": {"value": "Весенняя распродажа"}},
                },
            },
        },
    },
}


@pytest.fixture
def w() -> World:
    return world()


@pytest.fixture
def app(w):
    return register(w.portal, title="A", handler_url="http://a.test/", scopes={"crm"})


def todo(w, **more):
    given = {"ownerTypeId": 3, "ownerId": 1, "deadline": DEADLINE, "title": "Позвонить", **more}
    return w.call("crm.activity.todo.add", **given)["id"]


def configurable(w, app, layout=LAYOUT, **fields):
    given = {"ownerTypeId": 3, "ownerId": 1, "fields": fields, "layout": layout}
    return w.call("crm.activity.configurable.add", app=app, **given)["activity"]["id"]


def test_a_todo_is_listed_changed_and_announced(w):
    made = todo(w, description="Сценарий", responsibleId=2)
    (row,) = w.call("crm.activity.list", filter={"PROVIDER_ID": "CRM_TODO", "OWNER_ID": 1})
    assert (row["SUBJECT"], row["RESPONSIBLE_ID"], row["COMPLETED"]) == ("Позвонить", "2", "N")
    assert (row["TYPE_ID"], row["DEADLINE"], row["DESCRIPTION"]) == ("6", DEADLINE, "Сценарий")
    same = {"ownerTypeId": 3, "ownerId": 1, "id": made}
    w.call("crm.activity.todo.update", **same, deadline=DEADLINE, title="Другое")
    w.call("crm.activity.todo.updateResponsibleUser", **same, value=3)
    row = w.call("crm.activity.get", id=made)
    assert (row["SUBJECT"], row["DESCRIPTION"], row["RESPONSIBLE_ID"]) == (
        "Другое",
        "Сценарий",
        "3",
    )
    kinds = [name for name, *_ in w.events]
    assert kinds == ["ONCRMACTIVITYADD", "ONCRMACTIVITYUPDATE", "ONCRMACTIVITYUPDATE"]


def test_what_a_todo_needs(w):
    method = "crm.activity.todo.add"
    assert w.error(method, ownerTypeId=3, ownerId=1)[1] == 100
    assert w.error(method, ownerTypeId=3, ownerId=99, deadline=DEADLINE)[1] == "NOT_FOUND"
    wrong = w.error(method, ownerTypeId=3, ownerId=1, deadline="soon")
    assert wrong[:2] == (400, "WRONG_DATETIME_FORMAT")


def test_an_employee_finishes_a_todo_with_its_result(w):
    made = todo(w, description="Сценарий\nИтог разговора:\n#1")
    ctx = acting(w.portal, "1")
    row = w.store.tables["contact"].get(1)
    assert [e["todo"] for e in timeline.entries(ctx, "contact", row)["planned"]] == [True]
    todos.complete(ctx, made, "перезвонит в среду")
    row = w.call("crm.activity.get", id=made)
    assert (row["COMPLETED"], row["STATUS"]) == ("Y", "2")
    assert row["DESCRIPTION"] == "Сценарий\nИтог разговора: перезвонит в среду\n#1"
    error = w.error(
        "crm.activity.todo.update", ownerTypeId=3, ownerId=1, id=made, deadline=DEADLINE
    )
    assert error[1] == "CAN_NOT_UPDATE_COMPLETED_TODO"


def test_an_application_shows_its_own_in_the_timeline(w, app):
    made = configurable(w, app, completed="Y", originatorId="R", originId="7.1")
    told = w.call("crm.activity.configurable.get", app=app, id=made)["activity"]
    assert (told["layout"], told["fields"]["originId"]) == (LAYOUT, "7.1")
    (row,) = w.call("crm.activity.list", filter={"ORIGINATOR_ID": "R", "@ORIGIN_ID": ["7.1", "8"]})
    assert (row["PROVIDER_ID"], row["COMPLETED"]) == ("CONFIGURABLE_REST_APP", "Y")
    assert "LAYOUT" not in row
    past = timeline.entries(acting(w.portal, "1"), "contact", w.store.tables["contact"].get(1))
    (entry,) = [e for e in past["past"] if e.get("tags")]
    assert (entry["icon"], entry["kind"], entry["title"]) == ("mail", "Рассылка", "Скидка 10 %")
    assert entry["lines"] == [{"text": "Весенняя распродажа", "bold": False, "name": "Предложение"}]
    other = register(w.portal, title="B", handler_url="http://b.test/", scopes={"crm"})
    change = {"id": made, "fields": {"completed": "N"}, "layout": LAYOUT}
    assert (
        w.error("crm.activity.configurable.update", app=other, **change)[1]
        == "ERROR_WRONG_APPLICATION"
    )
    w.call("crm.activity.configurable.update", app=app, **change)
    assert w.call("crm.activity.get", id=made)["COMPLETED"] == "N"
    assert "configurable.update" in w.error("crm.activity.update", id=made, fields={})[2]


def broken(path, value):
    layout = copy.deepcopy(LAYOUT)
    part = layout
    for name in path[:-1]:
        part = part[name]
    part[path[-1]] = value
    return layout


@pytest.mark.parametrize(
    ("layout", "code"),
    [
        ({}, "ERROR_EMPTY_LAYOUT"),
        (broken(["header", "title"], ""), "FIELD_IS_REQUIRED"),
        (broken(["body", "blocks"], {}), "FIELD_IS_REQUIRED"),
        (broken(["header", "tags", "state", "type"], "lavender"), "ENUM_FIELD"),
        (broken(["body", "blocks", "два слова"], {"type": "text"}), "KEY_CONTAIN_WRONG_SYMBOLS"),
        (broken(["colour"], "red"), "FIELD_IS_REDUNDANT"),
        (
            broken(
                ["header", "tags"], {str(n): {"title": "x", "type": "success"} for n in range(3)}
            ),
            "TOO_MANY_ITEMS",
        ),
    ],
)
def test_a_layout_is_looked_at(w, app, layout, code):
    given = {"ownerTypeId": 3, "ownerId": 1, "fields": {}, "layout": layout}
    assert w.error("crm.activity.configurable.add", app=app, **given)[1] == code


def test_only_an_application_may_lay_out(w):
    given = {"ownerTypeId": 3, "ownerId": 1, "fields": {}, "layout": LAYOUT}
    assert w.error("crm.activity.configurable.add", **given)[1] == "ERROR_WRONG_CONTEXT"


def test_other_activities_are_finished_by_their_method_and_deleted(w):
    made = w.call("crm.activity.add", fields={"OWNER_TYPE_ID": 3, "OWNER_ID": 1, "TYPE_ID": 2})
    assert w.call("crm.activity.update", id=made, fields={"STATUS": 2, "SUBJECT": "x"}) is True
    row = w.call("crm.activity.get", id=made)
    assert (row["COMPLETED"], row["SUBJECT"]) == ("Y", "x")
    w.call("crm.activity.delete", id=made)
    assert w.error("crm.activity.get", id=made)[2] == "Activity is not found."
