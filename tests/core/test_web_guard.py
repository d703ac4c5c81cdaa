"""Every route says who may call it, and the rules hold."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest
from flask import Flask, g
from support.web_gallery import SETTINGS, create, viewer

from core.clock import utcnow
from core.web import guard, session, shell
from core.web.guard import UnguardedRoute, admin_required, frame_entry, public, viewer_required

SIGNED_IN = ("viewer", "admin")
ADMIN = ("admin",)


def application(recheck=None) -> Flask:
    app = Flask("guarded", static_folder=None)

    @app.get("/public")
    @public("nothing to hide")
    def everyone() -> str:
        return "ok"

    @app.post("/entry")
    @frame_entry
    def entry() -> str:
        return "ok"

    @app.route("/viewer", methods=["GET", "POST"])
    @viewer_required
    def signed_in() -> str:
        return f"user {g.viewer.user_id}"

    @app.route("/admin", methods=["GET", "POST"])
    @admin_required
    def administrator() -> str:
        return "ok"

    shell.register(app, SETTINGS, recheck=recheck)
    return app


def header(who, **changes) -> dict[str, str]:
    token = session.issue(SETTINGS.secret_key, viewer(is_admin=who == "admin", **changes))
    return {"Authorization": f"Bearer {token}"}


@pytest.mark.parametrize(
    ("who", "method", "path", "status"),
    [
        ("nobody", "GET", "/public", 200),
        ("nobody", "POST", "/entry", 200),
        ("nobody", "GET", "/viewer", 401),
        ("nobody", "POST", "/viewer", 401),
        ("nobody", "POST", "/admin", 401),
        ("viewer", "GET", "/viewer", 200),
        ("viewer", "POST", "/viewer", 200),
        ("viewer", "GET", "/admin", 403),
        ("viewer", "POST", "/admin", 403),
        ("admin", "POST", "/admin", 200),
        ("admin", "GET", "/viewer", 200),
    ],
)
def test_who_may_do_what(who, method, path, status):
    headers = {} if who == "nobody" else header(who)
    assert (
        application().test_client().open(path, method=method, headers=headers).status_code == status
    )


@pytest.mark.parametrize("value", ["Basic abc", "Bearer", "Bearer ", "Bearer x.y", "x"])
def test_a_wrong_authorization_header_is_nobody(value):
    answer = application().test_client().get("/viewer", headers={"Authorization": value})
    assert answer.status_code == 401


def test_neither_a_cookie_nor_an_address_can_carry_the_session():
    token = header("admin")["Authorization"].removeprefix("Bearer ")
    client = application().test_client()
    client.set_cookie("session", token)
    client.set_cookie("Authorization", f"Bearer {token}")
    answer = client.post(f"/viewer?session={token}&Authorization={token}", data={"session": token})
    assert answer.status_code == 401


def test_an_unmarked_route_stops_the_start():
    app = Flask("forgotten", static_folder=None)
    app.add_url_rule("/secret", view_func=lambda: "open to all")
    with pytest.raises(UnguardedRoute, match="/secret"):
        shell.register(app, SETTINGS)


def test_a_route_added_later_is_not_called():
    app = application()
    app.add_url_rule("/late", endpoint="late", view_func=lambda: "open to all")
    answer = app.test_client().get("/late")
    assert answer.status_code == 500
    assert b"open to all" not in answer.data


def test_every_route_of_the_gallery_carries_a_rule_and_every_public_one_a_reason():
    app = create()
    rules = [
        guard.access_of(app.view_functions[rule.endpoint]) for rule in app.url_map.iter_rules()
    ]
    assert len(rules) > 5
    assert all(rules)
    assert all(access.why for access in rules if access.rule is guard.Rule.PUBLIC)


def test_a_viewer_the_portal_no_longer_knows_is_refused_at_once():
    known = {"yes": True}
    client = application(lambda seen: seen if known["yes"] else None).test_client()
    headers = header("viewer")
    assert client.get("/viewer", headers=headers).status_code == 200
    known["yes"] = False
    assert client.get("/viewer", headers=headers).status_code == 401


def test_rights_taken_away_hold_from_the_next_request_and_enter_the_token():
    client = application(lambda seen: replace(seen, is_admin=False)).test_client()
    headers = header("admin")
    assert client.post("/admin", headers=headers).status_code == 403
    renewed = client.get("/viewer", headers=headers).headers["X-Session"]
    assert session.read(SETTINGS.secret_key, renewed, utcnow()).is_admin is False


def test_an_older_token_is_renewed_in_the_answer(monkeypatch):
    client, headers = application().test_client(), header("viewer")
    assert "X-Session" not in client.get("/viewer", headers=headers).headers
    later = utcnow() + timedelta(minutes=20)
    monkeypatch.setattr(guard, "utcnow", lambda: later)
    renewed = client.get("/viewer", headers=headers).headers["X-Session"]
    assert session.read(SETTINGS.secret_key, renewed, later + timedelta(minutes=29)).user_id == 7


def test_a_session_that_is_over_is_refused_and_not_renewed(monkeypatch):
    client, headers = application().test_client(), header("viewer")
    monkeypatch.setattr(guard, "utcnow", lambda: utcnow() + timedelta(hours=1))
    answer = client.get("/viewer", headers=headers)
    assert answer.status_code == 401
    assert "X-Session" not in answer.headers
