"""Every route, whichever there are, keeps out whoever its access rule does not let in."""

from __future__ import annotations

import re
from dataclasses import replace
from datetime import timedelta

import pytest
from itsdangerous import URLSafeSerializer

from app import create_app
from core import log, runtime
from core.clock import utcnow
from core.web import session
from core.web.guard import Rule, access_of
from core.web.session import Viewer

PUBLIC = {
    "/healthz",
    "/readyz",
    "/metrics",
    "/events",
    "/static/<path:filename>",
    "/c/<token>",
    "/o/<token>",
    "/u/<token>",
    "/p/<int:portal_id>/<name>",
    "/receipts/email/<provider>",
    "/letters/preview/<ticket>",
}
SIGNED_IN = (Rule.VIEWER, Rule.RIGHT, Rule.ADMIN)
STARTING = {"launch", "start", "pause", "resume", "cancel"}
VALUES = {
    "code": "crm_contact_detail_tab", "filename": "app.js", "segment_id": "1", "mailing_id": "1", "offer_id": "1", "trial": "0a1b", "server_id": "1", "delivery_id": "1", "key": "all_clients", "list_key": "segments",
}  # fmt: skip


@pytest.fixture(scope="module")
def app(settings):
    made = create_app(settings)
    yield made
    runtime.current().engine.dispose()
    runtime.current().redis.close()
    log.configure("WARNING")


def viewer(**changed):
    facts = Viewer(
        portal_id=1, user_id=7, is_admin=False, lang="ru", placement="CRM_CONTACT_DETAIL_TAB",
        entity_id=1, expires_at=utcnow() + timedelta(hours=1),
    )  # fmt: skip
    return replace(facts, **changed)


def routes(app, *rules):
    """(method, address) of every route under these rules."""
    found = []
    for rule in app.url_map.iter_rules():
        if access_of(app.view_functions[rule.endpoint]).rule in rules:
            path = rule.rule
            for name, value in VALUES.items():
                path = re.sub(rf"<(\w+:)?{name}>", value, path)
            found += [(method, path) for method in sorted(rule.methods - {"HEAD", "OPTIONS"})]
    assert found
    return found


def right_of(app, route):
    """The right that a route asks for; empty where it asks for none."""
    method, path = route
    endpoint, _values = app.url_map.bind("").match(path, method)
    return access_of(app.view_functions[endpoint]).right


def answers(app, wanted, token=None):
    headers = {"Authorization": f"Bearer {token}"} if token else {}
    client = app.test_client()
    return {
        (method, path): client.open(path, method=method, headers=headers).status_code
        for method, path in wanted
    }


def forged_tokens(secret_key):
    good = session.issue(secret_key, viewer(is_admin=True))
    facts = URLSafeSerializer(secret_key, salt="session.v1").loads(good)
    past = utcnow() - timedelta(hours=2)
    return {
        "tampered": good[:-2] + ("AA" if good[-2:] != "AA" else "BB"),
        "another key": session.issue("another key, as long as the real one is", viewer()),
        "another salt": URLSafeSerializer(secret_key, salt="unsubscribe.v1").dumps(facts),
        "expired": session.issue(secret_key, viewer(expires_at=past), past),
        "left alone": session.issue(secret_key, viewer(), utcnow() - timedelta(minutes=31)),
        "unsigned": good.rpartition(".")[0],
        "text": "null",
    }


def test_what_is_public_is_named_here(app):
    assert {rule.rule for rule in app.url_map.iter_rules()
            if access_of(app.view_functions[rule.endpoint]).rule is Rule.PUBLIC} == PUBLIC  # fmt: skip


def test_nothing_but_reading_answers_to_get(app):
    entries = routes(app, Rule.FRAME_ENTRY)
    assert {method for method, _ in entries} == {"POST"}


def test_without_a_session_nobody_enters(app):
    wanted = routes(app, *SIGNED_IN)
    assert answers(app, wanted) == dict.fromkeys(wanted, 401)


@pytest.mark.parametrize("kind", forged_tokens("x"))
def test_a_forged_or_dead_session_enters_nowhere(app, settings, monkeypatch, kind):
    monkeypatch.setitem(app.extensions, "recheck_viewer", lambda seen: seen)
    wanted = routes(app, *SIGNED_IN)
    token = forged_tokens(settings.secret_key)[kind]
    assert answers(app, wanted, token) == dict.fromkeys(wanted, 401)


def test_a_manager_reaches_no_administrator_page(app, settings, monkeypatch, database):
    monkeypatch.setitem(app.extensions, "recheck_viewer", lambda seen: seen)
    wanted = routes(app, Rule.ADMIN, Rule.RIGHT)
    token = session.issue(settings.secret_key, viewer())
    assert answers(app, wanted, token) == dict.fromkeys(wanted, 403)


def test_whoever_may_write_neither_starts_nor_sets_anything(app, settings, monkeypatch, database):
    monkeypatch.setitem(app.extensions, "recheck_viewer", lambda seen: seen)
    starting = [each for each in routes(app, Rule.RIGHT) if right_of(app, each) == "start"]
    wanted = [*routes(app, Rule.ADMIN), *starting]
    token = session.issue(settings.secret_key, viewer(rights=("write",)))
    assert answers(app, wanted, token) == dict.fromkeys(wanted, 403)


def test_every_page_of_segments_and_mailings_asks_for_a_right(app):
    """What changes the portal itself, or everybody's figures, is left to administrators."""
    ours = [
        (method, path)
        for method, path in routes(app, *SIGNED_IN)
        if path.split("/")[1] in {"segments", "mailings", "offers", "send"}
    ]
    for_admins = [each for each in ours if each in routes(app, Rule.ADMIN)]
    assert for_admins == [
        ("POST", "/segments/presets/all_clients/field"), ("POST", "/segments/rfm"),
    ]  # fmt: skip
    for method, path in set(ours) - set(for_admins):
        wanted = "start" if path.rpartition("/")[2] in STARTING else "write"
        assert right_of(app, (method, path)) == wanted, path


def test_a_session_of_a_portal_we_do_not_know_enters_nowhere(app, settings, database):
    wanted = routes(app, *SIGNED_IN)
    token = session.issue(settings.secret_key, viewer(is_admin=True, portal_id=0))
    assert answers(app, wanted, token) == dict.fromkeys(wanted, 401)


@pytest.mark.parametrize("number", [2**31, 2**63 - 1, 2**63, 10**20])
def test_a_number_no_row_can_have_is_not_found(app, settings, monkeypatch, database, number):
    monkeypatch.setitem(app.extensions, "recheck_viewer", lambda seen: seen)
    token = session.issue(settings.secret_key, viewer(is_admin=True))
    numbered = {
        ("GET", re.sub(r"<int:\w+>", str(number), rule.rule))
        for rule in app.url_map.iter_rules()
        if "<int:" in rule.rule and "GET" in rule.methods
        and access_of(app.view_functions[rule.endpoint]).rule in SIGNED_IN
    }  # fmt: skip
    wanted = {each for each in numbered if "<" not in each[1]}
    assert len(wanted) > 20
    assert answers(app, wanted, token) == dict.fromkeys(wanted, 404)


def test_a_frame_entry_refuses_an_empty_post(app, database):
    wanted = routes(app, Rule.FRAME_ENTRY)
    assert answers(app, wanted) == dict.fromkeys(wanted, 403)


@pytest.mark.parametrize("method", ["OPTIONS", "HEAD"])
def test_the_methods_flask_adds_are_guarded_too(app, method):
    readable = routes(app, *SIGNED_IN)
    for path in {path for verb, path in readable if method == "OPTIONS" or verb == "GET"}:
        assert app.test_client().open(path, method=method).status_code == 401


def test_a_form_that_is_too_large_gets_a_page_that_says_so(app):
    answer = app.test_client().post("/", data={"AUTH_ID": "x" * 2_000_000})
    assert answer.status_code == 413
    assert "слишком" in answer.get_data(as_text=True)
