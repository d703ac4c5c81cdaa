"""Segments for programs: what a token opens, what it doesn't, and that a program reads and writes what people do."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest
import sqlalchemy as sa
from support.neighbours import everything, recorded_lines
from support.visitor import Program, Visitor
from support.world import counted

from core.web.guard import Rule, access_of
from integration.mirror import Contact
from integration.models import Portal, PortalState
from segments.api import token_views, views
from segments.models import ClientMetrics
from segments.saved import Segment, SegmentVersion

DOCS = (Path(__file__).parents[2] / "docs/api.md").read_text(encoding="utf-8")
BUYERS = {"version": 1, "clients": {"where": {"all": [{"field": "sales", "op": "ge", "value": 1}]}}}
EVERYBODY = {"version": 1, "clients": {"where": {"all": []}}, "leads": {"where": {"all": []}}}
TOKEN = re.compile(r'id="made-token" value="(\w[\w-]+)"')


@pytest.fixture
def world(world):
    return world.reach(counted)


@pytest.fixture
def administrator(world):
    with world.runtime.sessions() as session:
        contact = session.scalar(
            sa.select(sa.func.min(Contact.bitrix_id)).where(Contact.portal_id == world.portal_id)
        )
    return Visitor(world, contact)


@pytest.fixture
def program(administrator):
    return administrator.program()


def made(program, definition=BUYERS, name="Покупатели"):
    """The id of a segment that a program has made, with its members found."""
    answer = program.ask("POST", "/segments", {"name": name, "definition": definition})
    assert answer.status_code == 201, answer.get_data(as_text=True)
    program.world.work()
    return answer.get_json()["id"]


def paged(program, path, key, size):
    """Everything of a list, and how many pages it had."""
    found, after, pages = [], "", 0
    while after is not None:
        page = program.ask("GET", f"{path}?limit={size}&after={after}").get_json()
        assert len(page[key]) <= size
        found, after, pages = found + page[key], page["next"], pages + 1
    return found, pages


def commanded(world, *arguments):
    done = world.app.test_cli_runner().invoke(
        args=["segments", *arguments[:1], "--portal", world.demo.domain, *arguments[1:], "--json"]
    )
    assert done.exit_code == 0, done.output
    return [json.loads(line) for line in done.output.splitlines()]


def problem(answer, status):
    """What a program is told."""
    assert answer.status_code == status, answer.get_data(as_text=True)
    assert answer.mimetype == "application/problem+json"
    told = answer.get_json()
    assert told["status"] == status
    assert told["title"]
    assert told["detail"]
    return told


def saved(world):
    with world.runtime.sessions() as session:
        return session.scalar(sa.select(sa.func.count()).select_from(SegmentVersion))


def test_a_token_is_shown_once_and_kept_nowhere(administrator):
    world = administrator.world
    with recorded_lines() as lines:
        page = administrator.post("/settings/api", name="Сайт", access="read")
        (token,) = TOKEN.findall(page.get_data(as_text=True))
        program = Program(world, token)
        assert program.ask("GET", "/segments").status_code == 200
        again = administrator.get("/settings/api").get_data(as_text=True)
    assert "Сайт" in again
    assert "читает" in again
    secret = token.rpartition("_")[2]
    for text in (again, lines.getvalue(), everything(world.runtime.engine)):
        assert secret not in text


def test_a_token_works_until_it_is_revoked(administrator):
    program = administrator.program()
    assert program.ask("GET", "/segments").status_code == 200
    page = administrator.get("/settings/api").get_data(as_text=True)
    (number,) = set(re.findall(r'"token": "(\d+)"', page.replace("&#34;", '"')))
    assert "последний запрос" in page
    after = administrator.post("/settings/api/revoke", token=number).get_data(as_text=True)
    assert "Отозванные" in after
    told = problem(program.ask("GET", "/segments"), 401)
    assert "revoked" in told["detail"]
    assert program.ask("GET", "/segments").headers["WWW-Authenticate"].startswith("Bearer")


def test_no_other_token_opens_anything(administrator, program):
    world, good = administrator.world, program.token
    head, number, secret = good.split("_", 2)
    changed = secret[:-1] + ("A" if secret[-1] != "A" else "B")
    for token in (
        "", "x", administrator.token, f"{head}_{int(number) + 1}_{secret}", f"{head}_0_{secret}",
        f"{head}_{number}_{changed}", f"{good} ", good.upper(), f"{head}_99999999999_{secret}", "rubilnik_1_" + "ё" * 43,
    ):  # fmt: skip
        headers = {"Authorization": f"Bearer {token}".encode().decode("latin-1")}
        answer = world.app.test_client().get("/api/v1/segments", headers=headers)
        problem(answer, 401)
    assert (
        administrator.world.browser.get(
            "/home", headers={"Authorization": f"Bearer {good}"}
        ).status_code
        == 401
    )
    assert program.ask("GET", "/segments").status_code == 200


def test_tokens_of_a_portal_without_the_application_open_nothing(program):
    with program.world.runtime.sessions.begin() as session:
        session.get_one(Portal, program.world.portal_id).state = PortalState.UNINSTALLED
    problem(program.ask("GET", "/segments"), 401)


def test_a_token_without_a_name_is_not_made_nor_one_too_many(administrator):
    nameless = administrator.post("/settings/api", name="  ", access="read")
    assert nameless.status_code == 422
    assert "Назовите программу" in nameless.get_data(as_text=True)
    for _ in range(20):
        assert administrator.post("/settings/api", name="Сайт", access="read").status_code == 200
    one_more = administrator.post("/settings/api", name="Сайт", access="read")
    assert one_more.status_code == 422
    assert not TOKEN.search(one_more.get_data(as_text=True))


def test_a_program_reads_the_members_and_numbers_that_people_see(program):
    segment_id = made(program)
    (listed,) = program.ask("GET", "/segments").get_json()["segments"]
    assert listed["id"] == segment_id
    assert listed["stale_since"] is None
    assert [listed["counters"]] == commanded(program.world, "count", str(segment_id))

    one = program.ask("GET", f"/segments/{segment_id}").get_json()
    assert one["definition"]["clients"]["where"] == BUYERS["clients"]["where"]
    assert "продаж" in one["sentence"].lower()

    members, pages = paged(program, f"/segments/{segment_id}/members", "members", 7)
    assert pages > 2
    cards = [{"entity": each["entity"], "id": each["id"]} for each in members]
    exported = commanded(program.world, "export", str(segment_id))
    assert sorted(cards, key=str) == sorted(exported, key=str)
    reached = {address for each in members for address in each["emails"]}
    assert len(reached) == listed["counters"]["emails"]
    with program.world.runtime.sessions() as session:
        rows = session.scalars(sa.select(ClientMetrics))
        ltv = {(row.kind, row.client_id): str(row.ltv) for row in rows}
    for each in members:
        assert each["worth"]["ltv"] == ltv[each["entity"], each["id"]]
    only = program.ask("GET", f"/segments/{segment_id}/members?kind=company&has=phone").get_json()
    companies = [each for each in members if each["entity"] == "company" and each["phones"]]
    assert only["members"] == companies[:100]
    assert only["currency"] == "RUB"


def test_every_segment_is_met_once_page_by_page(program):
    wanted = [made(program, EVERYBODY, f"{number}") for number in range(5)]
    found, pages = paged(program, "/segments", "segments", 2)
    assert [each["id"] for each in found] == wanted
    assert pages == 3


def test_every_ready_segment_can_be_counted_and_saved(program):
    presets = program.ask("GET", "/presets").get_json()["presets"]
    ready = [each for each in presets if each["definition"]]
    assert len(ready) > 20
    assert all(each["lacks"] for each in presets if not each["definition"])
    (lost,) = [each for each in ready if each["key"] == "lost_deals"]
    assert lost["name"] == "Клиенты с проигранными сделками"
    answer = program.ask("POST", "/count", {"definition": lost["definition"]}).get_json()
    assert [answer["counters"]] == commanded(program.world, "count", "lost_deals")
    for each in ready:
        body = {"name": each["name"], "definition": each["definition"]}
        assert program.ask("POST", "/segments", body).status_code == 201, each["key"]


def test_every_field_that_is_listed_can_be_asked_about(program):
    told = program.ask("GET", "/fields").get_json()
    by_key = {each["field"]: each for each in told["fields"]}
    assert by_key["ltv"]["label"] == "LTV"
    assert "ge" in by_key["ltv"]["operators"]
    checked = 0
    for each in told["fields"]:
        if "filled" in each["operators"]:
            side = "leads" if each["entities"] == ["lead"] else "clients"
            kinds = [kind for kind in each["entities"] if kind != "lead"]
            where = {"where": {"all": [{"field": each["field"], "op": "filled"}]}}
            asked = where if side == "leads" else {"kinds": kinds, **where}
            definition = {"version": 1, side: asked}
            answer = program.ask("POST", "/segments", {"name": "Поле", "definition": definition})
            assert answer.status_code == 201, (each, answer.get_data(as_text=True))
            checked += 1
    assert checked > 20
    assert {each["related"] for each in told["related"]} >= {"deals", "activities", "addresses"}


def test_a_program_changes_a_segment_in_the_name_of_who_made_its_token(program, administrator):
    segment_id = made(program)
    body = {"name": "Все", "definition": EVERYBODY, "version": 1}
    changed = program.ask("PATCH", f"/segments/{segment_id}", body).get_json()
    assert (changed["name"], changed["version"]) == ("Все", 2)
    told = problem(program.ask("PATCH", f"/segments/{segment_id}", body | {"name": "Мои"}), 409)
    assert "Read it again" in told["detail"]
    with program.world.runtime.sessions() as session:
        by = set(session.scalars(sa.select(SegmentVersion.changed_by)))
    assert by == {administrator.viewer.user_id}
    program.world.work()
    members, _pages = paged(program, f"/segments/{segment_id}/members", "members", 1000)
    assert {each["entity"] for each in members} == {"contact", "company", "lead"}


def test_a_segment_others_ask_about_is_not_put_away(program):
    first = made(program)
    inside = {"field": "segment", "op": "in", "value": first}
    second = made(program, {"version": 1, "clients": {"where": {"all": [inside]}}}, "Из первого")
    told = problem(program.ask("DELETE", f"/segments/{first}"), 409)
    assert told["segments"] == ["Из первого"]
    assert program.ask("DELETE", f"/segments/{second}").status_code == 204
    assert program.ask("DELETE", f"/segments/{first}").status_code == 204
    problem(program.ask("GET", f"/segments/{first}"), 404)
    with program.world.runtime.sessions() as session:
        assert session.scalar(sa.select(sa.func.count()).select_from(Segment)) == 2


def test_a_token_that_may_only_read_changes_nothing(administrator):
    segment_id = made(administrator.program())
    reader, before = administrator.program(may_write=False), saved(administrator.world)
    body = {"name": "Мои", "definition": EVERYBODY, "version": 1}
    for method, path in (
        ("POST", "/segments"),
        ("PATCH", f"/segments/{segment_id}"),
        ("DELETE", f"/segments/{segment_id}"),
    ):
        problem(reader.ask(method, path, body), 403)
    assert saved(administrator.world) == before
    assert reader.ask("POST", "/count", {"definition": EVERYBODY}).status_code == 200
    assert reader.ask("GET", f"/segments/{segment_id}").status_code == 200


WRONG = {
    "no such field": ({"name": "1", "definition": {"version": 1, "clients": {"where": {"all": [{"field": "x", "op": "is", "value": "1"}]}}}}, 422, "clients.where.all[0].field"),
    "no version": ({"name": "1", "definition": {}}, 422, "version"),
    "no name": ({"name": " ", "definition": BUYERS}, 422, "name"),
    "a number for a name": ({"name": 7, "definition": BUYERS}, 400, "name"),
    "no definition": ({"name": "1"}, 400, "definition"),
    "a slip in a name": ({"name": "1", "defintion": BUYERS}, 400, "defintion"),
}  # fmt: skip


@pytest.mark.parametrize("kind", WRONG)
def test_a_wrong_request_is_told_where_and_saves_nothing(program, kind):
    body, status, path = WRONG[kind]
    told = problem(program.ask("POST", "/segments", body), status)
    assert told["path"] == path
    assert saved(program.world) == 0


def test_what_is_no_json_or_no_address_is_answered_in_json(program):
    headers = {"Authorization": f"Bearer {program.token}"}
    client = program.world.app.test_client()
    post = {"headers": headers, "content_type": "application/json"}
    for text in (
        "{",
        "[1]",
        "7",
        '{"a":' * 100_000,
        "\xff",
        '{"name": "1", "definition": {"version": NaN}}',
    ):
        assert client.post("/api/v1/segments", data=text, **post).status_code in {400, 422}
    problem(client.post("/api/v1/segments", data={"name": "1"}, headers=headers), 415)
    problem(client.post("/api/v1/segments", data="x" * 2_000_000, **post), 413)
    problem(program.ask("GET", "/nowhere"), 404)
    problem(program.ask("GET", "/segments/99999999999999999999"), 404)
    assert "GET" in program.ask("PUT", "/segments").headers["Allow"]
    problem(program.ask("PUT", "/segments"), 405)
    for query in ("limit=0", "limit=1001", "limit=ten", "limit=1e3", "after=x", "after=e30"):
        told = problem(program.ask("GET", f"/segments?{query}"), 400)
        assert told["path"] == query.partition("=")[0]
    segment_id = made(program)
    for query in ("kind=deal", "has=fax", "after=WyJ4Il0"):
        problem(program.ask("GET", f"/segments/{segment_id}/members?{query}"), 400)


def test_a_program_that_asks_too_often_is_told_when_to_go_on(program, monkeypatch):
    monkeypatch.setattr(token_views, "ASKED", 4)
    monkeypatch.setattr(views, "COUNTS", 2)
    asked = [program.ask("POST", "/count", {"definition": BUYERS}) for _ in range(3)]
    assert [each.status_code for each in asked] == [200, 200, 429]
    assert program.ask("GET", "/segments").status_code == 200
    answer = program.ask("GET", "/segments")
    problem(answer, 429)
    assert 0 < int(answer.headers["Retry-After"]) <= 60


def test_whoever_tries_tokens_is_stopped(program, monkeypatch):
    monkeypatch.setattr(token_views, "STRANGE", 3)
    far = {"REMOTE_ADDR": "100.64.0.9"}
    stranger = Program(program.world, program.token[:-4] + "xxxx")
    asked = [stranger.ask("GET", "/segments", environ_base=far).status_code for _ in range(5)]
    assert asked == [401, 401, 401, 429, 429]
    assert program.ask("GET", "/segments").status_code == 200


def test_the_documentation_names_every_request_and_its_example_is_one(program):
    app = program.world.app
    routes = {
        f"{method} {rule.rule.removeprefix('/api/v1').replace('<int:segment_id>', '<id>')}"
        for rule in app.url_map.iter_rules()
        if access_of(app.view_functions[rule.endpoint]).rule is Rule.PROGRAM
        for method in rule.methods - {"HEAD", "OPTIONS"}
    }
    assert {*re.findall(r"^\| `(\w+ /\S+)`", DOCS, re.M)} == routes
    (example,) = re.findall(r"```json\n(.+?)```", DOCS, re.S)
    answer = program.ask("POST", "/count", {"definition": json.loads(example)})
    assert answer.status_code == 200, answer.get_data(as_text=True)
