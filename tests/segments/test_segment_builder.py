"""The builder: pure edits by place, inputs ⇄ values, unfinished conditions, and the endpoints it lives on."""

from __future__ import annotations

import html
import json
import re

import pytest
import sqlalchemy as sa
from support.segment_portal import NOW, Maker, stored
from support.settings_page import plain

from integration.mirror import CustomField
from segments.building import builder, builder_forms, builder_inputs, drafts
from segments.building.builder import NoSuchPlace
from segments.conditions.catalog import scope_of
from segments.members import upkeep

LTV = {"field": "ltv", "op": "ge", "value": 1}
NAME = {"field": "full_name", "op": "contains", "value": "а"}
DEALS = {"related": "deals", "measure": "any", "where": {"all": []}}


def draft(*parts, mode="all"):
    return builder.opened({"version": 1, "clients": {"where": {mode: list(parts)}}})


def where(found):
    return found["clients"]["where"]


def test_nodes_are_added_moved_doubled_grouped_and_removed_by_place():
    found = draft(LTV)
    assert builder.add(found, "clients", NAME) == "clients.1"
    assert builder.move(found, "clients.1", -1) == "clients.0"
    assert builder.move(found, "clients.0", -1) == "clients.0", "at the end it stays"
    assert builder.duplicate(found, "clients.0") == "clients.1"
    assert where(found) == {"all": [NAME, NAME, LTV]}
    assert builder.wrap(found, "clients.2") == "clients.2.0"
    assert builder.set_mode(found, "clients.2", "none") == "clients.2"
    assert where(found)["all"][2] == {"none": [LTV]}
    assert builder.unwrap(found, "clients.2") == "clients.2"
    assert builder.remove(found, "clients.2") == "clients.1"
    assert builder.remove(found, "clients.1") == "clients.0"
    assert builder.remove(found, "clients.0") == "clients"
    assert where(found) == {"all": []}


def test_conditions_on_related_rows_have_places_of_their_own():
    found = draft(DEALS)
    stage = {"field": "stage", "op": "any_of", "value": ["WON"]}
    assert builder.add(found, "clients.0.w", stage) == "clients.0.w.0"
    assert builder.at(found, "clients.0.w.0") == stage
    assert builder.place_of("clients.where.all[0].where.any[2].value") == ("clients.0.w.2", "value")
    assert builder.place_of("leads.where.all[1].any[0].field") == ("leads.1.0", "field")


@pytest.mark.parametrize(
    "place",
    ["", "cats", "leads", "clients.9", "clients.x", "clients.0.0", "clients.-1", "clients.w"],
)
def test_a_place_that_is_not_there_is_refused(place):
    with pytest.raises(NoSuchPlace):
        builder.remove(draft(LTV), f"{place}.0" if place == "cats" else place)


def test_any_json_opens_as_a_draft():
    wild = {"clients": {"where": {"all": [LTV, 7, {"x": 1}, {"any": [None, NAME]}]}, "kinds": 5}}
    found = builder.opened(wild)
    assert where(found) == {"all": [LTV, {"any": [NAME]}]}
    assert found["clients"]["kinds"] == ["contact", "company"]
    assert builder.opened(found) == found
    assert builder.opened([]) == {"version": 1}


@pytest.mark.parametrize(
    ("shape", "value"),
    [
        ("text", "Анна"), ("texts", ["a", "b"]), ("number", 12.5), ("numbers", [1, 2]), ("percent", 10),
        ("day", "2026-01-31"), ("days", ["2026-01-01", "2026-01-31"]), ("period", {"n": 7, "unit": "week"}),
        ("unit", "month"), ("months", [1, 12]), ("weekdays", [7]), ("choices", ["P", "F"]), ("count", 3),
        ("share", {"percent": 2.5, "salt": "spring"}), ("segment", 4),
        ("segment_on", {"segment": 4, "day": "2026-01-31"}),
        ("segment_between", {"segment": 4, "days": ["2026-01-01", "2026-01-31"]}),
    ],
)  # fmt: skip
def test_a_value_survives_the_form(shape, value):
    assert builder_inputs.read(shape, builder_inputs.shown(shape, value)) == value


def test_numbers_are_read_as_people_type_them():
    typed = {"12,5": 12.5, "1 000": 1000, "1\xa0000": 1000, "-3": -3, "": None, "много": "много"}
    assert {text: builder_inputs.number(text) for text in typed} == typed


def test_what_was_chosen_and_is_not_offered_stays_chosen():
    typed = {"kept": ["1", "2"], "offered": ["2", "3"], "value": ["3"]}
    assert builder_inputs.read("choices", typed) == ["1", "3"]


@pytest.fixture
def scope(session):
    return scope_of(session, stored(session, Maker(1).rows()).portal_id, NOW)


def test_an_unfinished_condition_is_left_out_and_named(scope):
    fitting = {"field": "state", "op": "any_of", "value": ["F"]}
    lost = {
        **DEALS,
        "where": {"all": [fitting, {"field": "state", "op": "any_of"}, {"field": "gone"}]},
    }
    unfinished = {**DEALS, "where": {"all": [{"field": "state", "op": "any_of"}]}}
    found = draft(
        LTV, {"field": "ltv", "op": "ge", "value": "много"}, lost, {"any": []}, DEALS, unfinished
    )
    checked = drafts.check(found, scope)
    bare = {"related": "deals", "measure": "any"}
    assert checked.usable["clients"]["where"]["all"] == [
        LTV, {**bare, "where": {"all": [fitting]}}, bare,
    ]  # fmt: skip
    assert {place: each.part for place, each in checked.problems.items()} == {
        "clients.1": "value", "clients.2.w.1": "value", "clients.2.w.2": "field",
        "clients.5.w.0": "value",
    }  # fmt: skip
    assert drafts.branch(found, "clients.1", scope) is None
    branch = drafts.branch(found, "clients.0", scope)
    assert branch["clients"]["where"] == {"all": [LTV]}


def act(found, action, scope, **inputs):
    edited = builder_forms.edited(json.dumps(found), inputs, action, scope)
    return edited.draft, edited.focus


def test_the_form_and_one_action_make_the_next_draft(scope):
    found, focus = act(draft(), "add clients field:ltv", scope)
    assert (where(found)["all"], focus) == ([{"field": "ltv", "op": "ge"}], "clients.0")
    found, _ = act(found, "", scope, **{"clients.0|op": ["ge"], "clients.0|value": ["100"]})
    assert where(found)["all"][0]["value"] == 100
    found, _ = act(found, "", scope, **{"clients.0|op": ["between"], "clients.0|value": ["100"]})
    assert where(found)["all"][0] == {"field": "ltv", "op": "between"}, "another kind of value"
    found, focus = act(found, "add clients related:deals:state", scope)
    assert focus == "clients.1.w.0"
    found, _ = act(found, "", scope, **{"clients.1|measure": ["sum"]})
    assert where(found)["all"][1]["measure"] == "sum"
    typed = {"clients.1|measure": ["sum"], "clients.1|of": ["amount"]}
    found, _ = act(found, "", scope, **typed)
    assert where(found)["all"][1]["op"] == "ge"
    found, _ = act(found, "", scope, **{"clients.1|measure": ["any"]})
    assert not {"of", "op", "value"} & set(where(found)["all"][1])


@pytest.mark.parametrize(
    "action", ["add clients field:nothing", "explode clients", "up", "mode clients x"]
)
def test_an_unknown_action_is_refused(scope, action):
    with pytest.raises(NoSuchPlace):
        act(draft(), action, scope)


class Bench:
    """The builder's page as its administrator uses it, without a browser."""

    def __init__(self, world):
        self.world, self.token = world, world.open(1).headers["X-Session"]
        self.page = ""

    def ask(self, method, path, **form):
        headers = {"Authorization": f"Bearer {self.token}", "HX-Request": "true"}
        answer = self.world.browser.open(path, method=method, headers=headers, data=form)
        self.page = answer.get_data(as_text=True)
        self.status = answer.status_code
        return self.page

    def edit(self, action="", **typed):
        return self.ask("POST", "/segments/builder/edit", draft=self.draft, action=action, **typed)

    @property
    def draft(self):
        return html.unescape(
            re.search(r'<textarea name="draft"[^>]*>(.*?)</textarea>', self.page, re.S)[1]
        )

    @property
    def text(self):
        return plain(self.page)


def read(world):
    world.work()
    world.set_rule(pipelines=(0, 1))
    world.count()


@pytest.fixture
def bench(world):
    return Bench(world.reach(read))


LOST = {"all": [{"field": "state", "op": "any_of", "value": ["F"]}]}


def test_a_segment_is_built_counted_and_saved(bench):
    page = bench.ask("GET", "/segments/builder")
    assert bench.status == 200, page[:500]
    fields = plain(
        bench.ask("POST", "/segments/builder/fields", draft=json.dumps(draft()), at="clients")
    )
    for words in (
        "День рождения",
        "LTV",
        "Сделки: Состояние",
        "Адреса",
        "История стадий",
        "Личная скидка",
    ):
        assert words in fields
    bench.ask("GET", "/segments/builder")
    bench.edit("add clients related:deals:state")
    assert "Не закончено" in bench.text
    assert "проиграна" in bench.text
    bench.edit(
        **{
            "clients.0|measure": "any",
            "clients.0.w.0|op": "any_of",
            "clients.0.w.0|offered": ["P", "S", "F"],
            "clients.0.w.0|value": "F",
        }
    )
    assert json.loads(bench.draft)["clients"]["where"]["all"] == [{**DEALS, "where": LOST}]
    assert "Не закончено" not in bench.text
    assert "проиграна" in bench.text
    made = bench.draft

    total = plain(bench.ask("POST", "/segments/builder/count", draft=made, of=""))
    assert "только что" in total
    assert re.search(r"Контакт \d", total)
    branch = plain(bench.ask("POST", "/segments/builder/count", draft=made, of="clients.0"))
    assert re.match(r" ?\d", branch)

    bench.ask("POST", "/segments/builder/save", draft=made, name=" ")
    assert bench.status == 422
    assert "дайте сегменту название" in bench.text.lower()
    assert bench.draft == made, "the draft is not lost"
    bench.ask("POST", "/segments/builder/save", draft=made, name="Проигранные")
    assert bench.status == 200
    assert "Проигранные" in bench.text


def test_an_unfinished_segment_is_not_saved_and_nothing_is_lost(bench):
    bench.ask("GET", "/segments/builder")
    bench.edit("add clients field:ltv")
    bench.edit(**{"clients.0|op": "ge", "clients.0|value": "много"})
    assert "Введите число" in bench.text
    assert 'value="много"' in bench.page
    bench.ask("POST", "/segments/builder/save", draft=bench.draft, name="Ценные")
    assert bench.status == 422
    assert 'value="много"' in bench.page
    assert "не сохранено" in bench.text.lower()


def test_values_are_chosen_from_the_portals_lists(bench):
    bench.ask("GET", "/segments/builder")
    bench.edit("add clients field:responsible")
    made = bench.draft
    found = bench.ask("POST", "/segments/builder/values", draft=made, at="clients.0")
    assert found.count('type="checkbox"') > 3
    user = re.search(r'offered" value="(\d+)"', found)[1]
    bench.ask(
        "POST",
        "/segments/builder/edit",
        draft=made,
        **{"clients.0|op": "any_of", "clients.0|value": user},
    )
    assert json.loads(bench.draft)["clients"]["where"]["all"][0]["value"] == [user]
    bench.edit(f"drop clients.0 {user}", **{"clients.0|op": "any_of", "clients.0|kept": user})
    assert "value" not in json.loads(bench.draft)["clients"]["where"]["all"][0]
    nothing = bench.ask(
        "POST", "/segments/builder/values", draft=made, at="clients.0", search="ъъъ"
    )
    assert "checkbox" not in nothing


def test_values_of_the_portals_own_list_fields_are_offered_by_their_names(bench):
    bench.ask("GET", "/segments/builder")
    bench.edit("add clients field:UF_CRM_POTENTIAL")
    assert bench.status == 200
    found = plain(bench.ask("POST", "/segments/builder/values", draft=bench.draft, at="clients.0"))
    with bench.world.runtime.sessions() as session:
        names = session.scalars(
            sa.select(CustomField.items).where(CustomField.code == "UF_CRM_POTENTIAL")
        ).first()
    assert names
    assert all(item["value"] in found + bench.text for item in names)


def test_a_field_a_draft_asks_for_is_soon_known_by_heart(bench):
    raw = draft({"field": "UF_CRM_POTENTIAL", "op": "filled"})
    asked = {"draft": json.dumps(raw), "of": "clients.0"}
    before = plain(bench.ask("POST", "/segments/builder/count", **asked))
    assert int(re.search(r"\d+", before)[0]) > 0
    portal_id, runtime = bench.world.portal_id, bench.world.runtime
    with runtime.sessions() as session:
        assert not scope_of(session, portal_id).known_fields
    assert portal_id in upkeep.behind(runtime)
    upkeep.keep_up(runtime, portal_id)
    with runtime.sessions() as session:
        assert "UF_CRM_POTENTIAL" in scope_of(session, portal_id).known_fields["contact"]
    bench.world.runtime.redis.flushall()
    assert plain(bench.ask("POST", "/segments/builder/count", **asked)) == before


@pytest.mark.parametrize(
    ("path", "form"),
    [
        ("edit", {"draft": "{"}), ("edit", {"draft": "{}"}), ("edit", {"draft": json.dumps(draft()), "action": "up clients"}),
        ("count", {"draft": json.dumps(draft()), "of": "clients.4"}),
        ("fields", {"draft": json.dumps(draft()), "at": "leads"}),
        ("values", {"draft": json.dumps(draft(LTV)), "at": "clients.7"}), ("save", {"draft": "[]"}),
    ],
)  # fmt: skip
def test_a_damaged_form_is_a_refused_request(bench, path, form):
    bench.ask("POST", f"/segments/builder/{path}", **form)
    assert bench.status == 400
