"""Forged installs, frames, events and sessions: they change nothing, show nothing, connect nowhere."""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import dataclass
from urllib.parse import parse_qsl, urlencode, urlsplit

import pytest
import sqlalchemy as sa
from redis import Redis
from support.neighbours import fingerprints, listener, recorded_connections
from support.tables import empty
from support.world import world as make_world

from core.queue import Queue, length
from integration.mirror import PortalUser
from integration.models import Portal, PortalEvent, PortalState

ENTRIES = ["/", "/install", "/session", "/placement/crm_contact_detail_tab"]
CARD = "CRM_CONTACT_DETAIL_TAB"
ADMIN, MANAGER, BLIND = 1, 6, 10  # of the demo portal: all rights; own cards; no CRM at all


@pytest.fixture(scope="module")
def world(settings, database, portal_process):
    """The application installed on a portal, nothing read yet."""
    with Redis.from_url(settings.redis_url) as redis:
        redis.flushall()
    portal_process.control("reset", {"seed": 1, "sizes": "tiny"})
    with make_world(settings, portal_process) as made:
        for name in Queue:
            made.runtime.redis.delete(f"rq:queue:{name}")
        yield made
    empty(database)


@dataclass(frozen=True)
class Stranger:
    """A genuine frame of a portal and an application that are not ours, and where they live."""

    query: dict[str, str]
    body: dict[str, str]
    domain: str
    oauth_url: str


@pytest.fixture(scope="module")
def stranger(neighbour_process):
    """Somebody else's application on a portal whose OAuth server is not ours to trust."""
    demo = neighbour_process
    keys = demo.register(title="Чужое", handler_url="http://127.0.0.1:1/")
    frame = demo.open(keys["client_id"], user_id=ADMIN)
    query = dict(parse_qsl(urlsplit(frame["url"]).query))
    return Stranger(query, frame["body"], demo.domain, demo.oauth_url)


@pytest.fixture(scope="module")
def foreign_token(portal_process, world):
    """Of another application on our own portal: real, but not for us."""
    keys = portal_process.register(title="Соседнее", handler_url="http://127.0.0.1:1/")
    return portal_process.open(keys["client_id"], user_id=ADMIN)["body"]["AUTH_ID"]


@pytest.fixture
def trap():
    """A listening port of an attacker: (host:port, whether it was visited)."""
    with listener() as (port, visited):
        yield f"127.0.0.1:{port}", visited


@pytest.fixture
def nothing_happens(world, trap):
    """Whatever the test does changes no row, queues no job and connects to nobody new."""
    allowed = {urlsplit(url).port for url in (world.demo.url, world.demo.oauth_url)}
    allowed.add(urlsplit(world.runtime.settings.redis_url).port)
    before, calls = fingerprints(world.runtime.engine), queued(world)
    with recorded_connections() as connections:
        yield
    strangers = [a for a in connections if isinstance(a, tuple) and a[1] not in allowed]
    assert strangers == []
    assert not trap[1]()
    assert fingerprints(world.runtime.engine) == before
    assert queued(world) == calls


def queued(world):
    return {name: length(world.runtime.redis, name) for name in Queue}


def opened(world, user_id=ADMIN, entry="/"):
    """A genuine frame for an entry: (query, body)."""
    card = {"placement": CARD, "options": {"ID": "1"}} if "placement" in entry else {}
    frame = world.frame(user_id, handler=f"http://127.0.0.1:1{entry}", **card)
    return dict(parse_qsl(urlsplit(frame["url"]).query)), dict(frame["body"])


def send(world, entry, query, body):
    return world.browser.post(
        f"{entry}?{urlencode(query)}",
        data=urlencode(body),
        content_type="application/x-www-form-urlencoded",
    )


def assert_refused(world, answer, *crafted):
    text = answer.get_data(as_text=True)
    assert answer.status_code == 403, text[:300]
    assert "X-Session" not in answer.headers
    ancestors = answer.headers["Content-Security-Policy"].partition("frame-ancestors ")[2]
    assert ancestors in {"'none'", world.portal.origin}
    for word in crafted:
        assert word not in text
        assert word not in str(answer.headers)
    assert "Traceback" not in text


# What is changed in a genuine frame's query and body: by the stranger, our other token, the trap.
FORGED: dict[str, Callable[[Stranger, str, str], tuple[dict[str, str], dict[str, str]]]] = {
    "unknown token": lambda _s, _t, _p: ({}, {"AUTH_ID": "f" * 70}),
    "no token": lambda _s, _t, _p: ({}, {"AUTH_ID": ""}),
    "token with a line break": lambda _s, _t, _p: ({}, {"AUTH_ID": "f" * 20 + "\r\nX: y"}),
    "token with a query in it": lambda _s, _t, _p: ({}, {"AUTH_ID": "ffffffff&client_id=x"}),
    "endless token": lambda _s, _t, _p: ({}, {"AUTH_ID": "f" * 5000}),
    "token of another application": lambda _s, token, _p: ({}, {"AUTH_ID": token}),
    "everything of another portal": lambda s, _t, _p: (s.query, s.body),
    "token of another portal": lambda s, _t, _p: (
        {}, {"AUTH_ID": s.body["AUTH_ID"], "SERVER_ENDPOINT": f"{s.oauth_url}/rest/"}
    ),
    "token and OAuth server of the attacker": lambda _s, _t, trap: (
        {}, {"AUTH_ID": "f" * 70, "SERVER_ENDPOINT": f"http://{trap}/rest/"}
    ),
    "member_id of another portal": lambda s, _t, _p: ({}, {"member_id": s.body["member_id"]}),
    "no member_id": lambda _s, _t, _p: ({}, {"member_id": ""}),
    "member_id with SQL": lambda _s, _t, _p: ({}, {"member_id": "' OR 1=1 --"}),
    "domain of the attacker": lambda _s, _t, trap: ({"DOMAIN": trap}, {}),
    "domain of another portal": lambda s, _t, _p: ({"DOMAIN": s.domain}, {}),
}  # fmt: skip
DOMAINS = [
    "", "evil.example", "169.254.169.254", "metadata.test", "10.0.0.1", "localhost:6379", "[::1]:80",
    "evil.example;*", "evil.example *", "*", "evil.example/path", "a@evil.example", "'self'",
    "evil.example\r\nSet-Cookie: x=y", "https://evil.example",
]  # fmt: skip


@pytest.mark.parametrize("entry", ENTRIES)
@pytest.mark.parametrize("kind", FORGED)
def test_a_forged_frame(world, stranger, foreign_token, trap, nothing_happens, kind, entry):
    query, body = opened(world, entry=entry)
    crafted_query, crafted_body = FORGED[kind](stranger, foreign_token, trap[0])
    answer = send(world, entry, query | crafted_query, body | crafted_body)
    assert_refused(world, answer, trap[0], stranger.domain)


@pytest.mark.parametrize("entry", ENTRIES)
@pytest.mark.parametrize("domain", DOMAINS, ids=repr)
def test_a_crafted_domain_reaches_neither_a_socket_nor_a_header(
    world, trap, nothing_happens, domain, entry
):
    query, body = opened(world, entry=entry)
    answer = send(world, entry, query | {"DOMAIN": domain}, body)
    assert_refused(world, answer, "evil.example", "169.254", "localhost:6379")


def test_a_genuine_frame_is_let_in_by_every_entry(world):
    for entry in ENTRIES:
        query, body = opened(world, entry=entry)
        answer = send(world, entry, query, body)
        assert answer.status_code in {200, 204}
        assert answer.headers["X-Session"]
        assert answer.headers["Content-Security-Policy"].endswith(
            f"frame-ancestors {world.demo.url}"
        )
    world.work(Queue.INTERACTIVE)
    for name in Queue:
        world.runtime.redis.delete(f"rq:queue:{name}")


def test_the_names_in_the_body_do_not_stand_in_for_the_query(world, nothing_happens):
    query, body = opened(world)
    assert_refused(world, send(world, "/", {}, body | query))


def test_an_oauth_server_that_is_not_allowed_is_not_asked(world, trap, nothing_happens):
    query, body = opened(world)
    answer = send(world, "/", query, body | {"SERVER_ENDPOINT": f"http://{trap[0]}/rest/"})
    assert answer.status_code == 200, "the token is real, and the allowed server says so"


def test_a_token_past_its_hour_is_refused(world, nothing_happens):
    query, body = opened(world)
    world.demo.control("clock", {"offset_seconds": 3700})
    try:
        assert_refused(world, send(world, "/", query, body))
    finally:
        world.demo.control("clock", {"offset_seconds": 0})


@pytest.mark.parametrize("entry", ["/", "/session", ENTRIES[3]])
@pytest.mark.parametrize(
    "options",
    [
        "undefined", "", "[]", '"8061"', "null", "{", "[" * 5000, '{"ID":{"a":1}}', '{"ID":[1]}',
        '{"ID":"1 OR 1=1"}', '{"ID":-1}', '{"ID":1e30}', '{"ID":true}', '{"ID":"²"}',
        '{"ID":"99999999999999999999"}', '{"ID":"../1"}', '{"ID":"1\\u0000"}', "\x00", "\ufffd",
    ],
    ids=lambda text: repr(text[:20]),
)  # fmt: skip
def test_garbage_in_placement_options_names_no_card(world, nothing_happens, entry, options):
    query, body = opened(world, entry=entry)
    answer = send(world, entry, query, body | {"PLACEMENT_OPTIONS": options})
    assert answer.status_code == (403 if "placement" in entry else 200 if entry == "/" else 204)
    if session := answer.headers.get("X-Session"):
        shown = world.browser.get("/card", headers={"Authorization": f"Bearer {session}"})
        assert shown.status_code == 403


@pytest.mark.parametrize("placement", [CARD, CARD.lower(), "CRM_COMPANY_DETAIL_TAB"])
@pytest.mark.parametrize("entry", ["/", "/session", "/placement"])
def test_a_card_is_not_opened_by_writing_its_id_into_the_form(
    world, nothing_happens, entry, placement
):
    """The portal lets this viewer read no card; naming one in the POST must not help."""
    query, body = opened(world, BLIND)
    named = {"PLACEMENT": placement, "PLACEMENT_OPTIONS": '{"ID":"1"}'}
    path = f"{entry}/{placement.lower()}" if entry == "/placement" else entry
    answer = send(world, path, query, body | named)
    assert (answer.status_code == 200) == (entry == "/")
    session = answer.headers.get("X-Session")
    assert bool(session) == (entry == "/")
    if session:
        headers = {"Authorization": f"Bearer {session}"}
        for page in ("/card", "/card/deals", "/card/deals?show=all"):
            assert world.browser.get(page, headers=headers).status_code == 403


def test_a_placement_opened_under_another_name_is_refused(world, nothing_happens):
    query, body = opened(world, entry=ENTRIES[3])
    assert_refused(world, send(world, "/placement/crm_company_detail_tab", query, body))


def test_an_installation_by_somebody_who_is_no_administrator(world, nothing_happens):
    query, body = opened(world, MANAGER, "/install")
    answer = send(world, "/install", query, body)
    assert answer.status_code == 200
    headers = {"Authorization": f"Bearer {answer.headers['X-Session']}"}
    assert world.browser.get("/install/progress", headers=headers).status_code == 401
    assert world.browser.get("/home", headers=headers).status_code == 401


def install_event(world, user_id, **changed):
    """ONAPPINSTALL as anybody who saw a user's frame could write it."""
    query, body = opened(world, user_id)
    return {
        "event": "ONAPPINSTALL",
        "data[LANGUAGE_ID]": "ru",
        "auth[access_token]": body["AUTH_ID"],
        "auth[refresh_token]": body["REFRESH_ID"],
        "auth[domain]": query["DOMAIN"],
        "auth[member_id]": body["member_id"],
        "auth[server_endpoint]": body["SERVER_ENDPOINT"],
        "auth[client_endpoint]": f"http://{query['DOMAIN']}/rest/",
        "auth[application_token]": "chosen by the attacker",
        **changed,
    }


@pytest.mark.parametrize("path", ["/install", "/events"])
@pytest.mark.parametrize("event", ["ONAPPINSTALL", "onappinstall", "ONAPPUPDATE"])
def test_an_employee_cannot_become_the_background_user(world, nothing_happens, path, event):
    form = install_event(world, MANAGER, event=event)
    assert_refused(world, world.browser.post(path, data=form))


@pytest.mark.parametrize("path", ["/install", "/events"])
@pytest.mark.parametrize(
    "changed",
    [
        {"auth[access_token]": "f" * 70}, {"auth[access_token]": ""}, {"auth[refresh_token]": ""},
        {"auth[member_id]": "0" * 32}, {"auth[domain]": "evil.example"}, {"auth[domain]": ""},
        {"auth[access_token][]": "x", "auth[access_token]": "f" * 70},
    ],
    ids=repr,
)  # fmt: skip
def test_a_forged_install_event(world, nothing_happens, path, changed):
    assert_refused(world, world.browser.post(path, data=install_event(world, ADMIN, **changed)))


@pytest.mark.parametrize("path", ["/install", "/events"])
def test_an_install_event_of_a_strangers_portal(world, stranger, trap, nothing_happens, path):
    changed = {
        "auth[access_token]": stranger.body["AUTH_ID"],
        "auth[refresh_token]": stranger.body["REFRESH_ID"],
        "auth[server_endpoint]": f"http://{trap[0]}/rest/",
        "auth[client_endpoint]": f"http://{trap[0]}/rest/",
        "auth[domain]": stranger.domain,
        "auth[member_id]": stranger.body["member_id"],
    }
    assert_refused(world, world.browser.post(path, data=install_event(world, ADMIN, **changed)))


@pytest.mark.parametrize(
    "body",
    [
        b"event=ONAPPINSTALL&" + b"a=1&" * 3000, b"event=ONCRMDEALADD", b"event[]=x", b"event=",
        b"event=X&" + b"a[b]" * 20 + b"=1", b"\xff\xfe\x00", b"x" * 300_000, b"event",
    ],
    ids=lambda body: repr(body[:24]),
)  # fmt: skip
def test_a_malformed_install(world, nothing_happens, body):
    form = "application/x-www-form-urlencoded"
    answer = world.browser.post("/install", data=body, content_type=form)
    assert_refused(world, answer)


def card_event(world, token, **changed):
    return {
        "event": "ONCRMCONTACTUPDATE",
        "data[FIELDS][ID]": "1",
        "auth[member_id]": world.member_id,
        "auth[application_token]": token,
        **changed,
    }


@pytest.mark.parametrize("event", ["ONCRMCONTACTUPDATE", "ONCRMDEALDELETE", "ONAPPUNINSTALL"])
@pytest.mark.parametrize(
    "kind", ["none", "wrong", "prefix", "of another portal", "list", "unknown"]
)
def test_an_event_without_the_portals_token(world, stranger, nothing_happens, event, kind):
    real = world.keys["application_token"]
    form = card_event(world, "", event=event)
    match kind:
        case "wrong":
            form["auth[application_token]"] = "0" * 32
        case "prefix":
            form["auth[application_token]"] = real[:-1]
        case "of another portal":
            form["auth[application_token]"] = stranger.body["APPLICATION_TOKEN"]
        case "list":
            del form["auth[application_token]"]
            form["auth[application_token][]"] = real
        case "unknown":
            form["auth[application_token]"] = real
            form["auth[member_id]"] = "0" * 32
    answer = world.browser.post("/events", data=form)
    assert answer.status_code == 403
    assert answer.get_data() == b""


@pytest.mark.parametrize("body", [b"", b"event=", b"x" * 300_000, b"event[a]=1", b"\xff\xfe"])
def test_a_malformed_event(world, nothing_happens, body):
    form = "application/x-www-form-urlencoded"
    assert world.browser.post("/events", data=body, content_type=form).status_code == 400


def test_addresses_in_a_genuine_event_are_not_used(world, trap):
    """Whoever knows the application token can cause a read of one card, from the stored address."""
    address = f"http://{trap[0]}/rest/"
    form = card_event(world, world.keys["application_token"]) | {
        "auth[domain]": trap[0],
        "auth[client_endpoint]": address,
        "auth[server_endpoint]": address,
        "auth[access_token]": "f" * 70,
    }
    before = sum(world.demo.counters().values())
    assert world.browser.post("/events", data=form).status_code == 200
    with world.runtime.sessions() as session:
        hint = session.scalars(sa.select(PortalEvent).order_by(PortalEvent.id.desc())).first()
    assert (hint.portal_id, hint.event, hint.object_id) == (
        world.portal_id, "ONCRMCONTACTUPDATE", 1,
    )  # fmt: skip
    world.work(Queue.INTERACTIVE)
    assert sum(world.demo.counters().values()) > before
    assert not trap[1]()


def pages(world):
    return [
        rule.rule
        for rule in world.app.url_map.iter_rules()
        if "GET" in rule.methods
        and not rule.arguments
        and rule.rule.startswith(("/home", "/settings", "/start", "/card", "/install"))
    ]


def statuses(world, headers):
    asked = {"address": "nobody@example.com", "list": "silent"}  # whose consent, which clients
    return {
        world.browser.get(page, headers=headers, query_string=asked).status_code
        for page in pages(world)
    }


def signed_in(world, user_id=ADMIN):
    query, body = opened(world, user_id, ENTRIES[3])
    token = send(world, ENTRIES[3], query, body).headers["X-Session"]
    return {"Authorization": f"Bearer {token}"}


def test_when_the_application_is_removed_every_session_is_dead(world):
    headers = signed_in(world)
    assert statuses(world, headers) == {200}
    try:
        change(world, sa.update(Portal).values(state=PortalState.UNINSTALLED))
        assert statuses(world, headers) == {401}
        query, body = opened(world, MANAGER)
        assert_refused(world, send(world, "/", query, body))
    finally:
        change(world, sa.update(Portal).values(state=PortalState.ACTIVE))
    assert statuses(world, headers) == {200}


def test_when_an_employee_is_dismissed_the_session_is_dead(world):
    headers = signed_in(world)
    row = {"portal_id": world.portal_id, "bitrix_id": ADMIN}
    try:
        change(world, sa.insert(PortalUser).values(**row, active=True))
        assert statuses(world, headers) == {200}
        change(world, sa.update(PortalUser).values(active=False))
        assert statuses(world, headers) == {401}
    finally:
        change(world, sa.delete(PortalUser))


def change(world, statement):
    with world.runtime.sessions.begin() as session:
        session.execute(statement)


def test_a_refusal_is_logged_with_its_reason_and_without_the_token(world, caplog):
    query, body = opened(world)
    token = body["AUTH_ID"]
    with caplog.at_level(logging.WARNING, logger="integration"):
        send(world, "/", query, body | {"member_id": "0" * 32})
        world.browser.post("/events", data=card_event(world, "wrong"))
    refused = [r for r in caplog.records if r.getMessage() == "frame refused"]
    assert [r.reason for r in refused] == ["the token belongs to another portal"]
    assert [r.getMessage() for r in caplog.records][-1] == "event refused"
    assert token not in "".join(str(vars(record)) for record in caplog.records)
