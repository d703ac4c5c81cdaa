"""The emulator's OAuth server, tokens and the frame an application is opened in."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from urllib.parse import parse_qs, urlsplit

import pytest
import requests

HANDLER = "http://app.example.com/"


@pytest.fixture
def app(portal):
    return portal.register(title="Rubilnik", handler_url=HANDLER, scopes=["crm", "placement"])


def frame(portal, app, **how):
    opened = portal.open(app["client_id"], **how)
    query = {k: v[0] for k, v in parse_qs(urlsplit(opened["url"]).query).items()}
    return opened["url"].partition("?")[0], query, opened["body"]


def token(portal, **params):
    return requests.get(f"{portal.oauth_url}/oauth/token/", params=params, timeout=10)


def refresh(portal, app, refresh_token, **other):
    keys = {key: app[key] for key in ("client_id", "client_secret")}
    params = {"grant_type": "refresh_token", "refresh_token": refresh_token, **keys, **other}
    return token(portal, **params)


def info(portal, access):
    return requests.get(f"{portal.oauth_url}/rest/app.info/", params={"auth": access}, timeout=10)


def rest(portal, method, access, **params):
    url = f"{portal.url}/rest/{method}"
    answer = requests.post(url, json={"auth": access, **params}, timeout=10)
    return answer.status_code, answer.json()


def test_frame_carries_what_the_portal_posts(portal, app):
    url, query, body = frame(portal, app, user_id=3, options={"ID": "8061", "URI": "/crm/"})
    assert url == HANDLER
    assert query["DOMAIN"] == portal.domain
    assert (query["PROTOCOL"], query["LANG"]) == ("0", "ru")
    assert len(query["APP_SID"]) == 32
    assert body["AUTH_EXPIRES"] == "3600"
    assert body["APPLICATION_TOKEN"] == app["application_token"]
    assert body["APPLICATION_SCOPE"] == "crm,placement"
    assert (body["status"], body["PLACEMENT"]) == ("L", "DEFAULT")
    assert json.loads(body["PLACEMENT_OPTIONS"]) == {"ID": "8061", "URI": "/crm/"}
    assert "\\/crm\\/" in body["PLACEMENT_OPTIONS"]
    assert frame(portal, app)[1]["APP_SID"] != query["APP_SID"]
    portal.control("options", {"old_frame": True})
    assert {"SERVER_ENDPOINT", "APPLICATION_TOKEN"}.isdisjoint(frame(portal, app)[2])


def test_frame_token_is_the_users_own(portal, app):
    for user_id, admin in ((1, True), (6, False)):
        body = frame(portal, app, user_id=user_id)[2]
        status, answer = rest(portal, "app.info", body["AUTH_ID"])
        assert (status, answer["result"]["ID"]) == (200, app["id"])
        told = info(portal, body["AUTH_ID"]).json()["result"]
        assert told["user_id"] == str(user_id)
        set_option = rest(portal, "app.option.set", body["AUTH_ID"], options={"k": "v"})
        assert (set_option[0] == 200) is admin


def test_app_info_of_the_oauth_server_proves_app_and_portal(portal, app):
    body = frame(portal, app)[2]
    told = info(portal, body["AUTH_ID"]).json()["result"]
    install = told["install"]
    assert told["client_id"] == app["client_id"]
    assert datetime.fromisoformat(told["expires"]) > datetime.now(UTC)
    assert install["domain"] == portal.domain
    assert install["member_id"] == body["member_id"]
    assert install["client_endpoint"] == f"{portal.url}/rest/"
    answer = info(portal, "garbage")
    assert (answer.status_code, answer.json()["error"]) == (400, "invalid_client")


def test_refresh_rotates_both_tokens(portal, app):
    body = frame(portal, app)[2]
    portal.control("tokens/expire", {})
    assert rest(portal, "app.info", body["AUTH_ID"])[1]["error"] == "expired_token"
    fresh = refresh(portal, app, body["REFRESH_ID"]).json()
    assert fresh["access_token"] != body["AUTH_ID"]
    assert fresh["refresh_token"] != body["REFRESH_ID"]
    assert fresh["domain"] == portal.oauth_url.removeprefix("http://")
    assert fresh["client_endpoint"] == f"{portal.url}/rest/"
    assert fresh["member_id"] == body["member_id"]
    assert (fresh["expires_in"], fresh["user_id"]) == (3600, 1)
    assert rest(portal, "app.info", fresh["access_token"])[0] == 200
    again = refresh(portal, app, body["REFRESH_ID"])
    assert (again.status_code, again.json()["error"]) == (400, "invalid_grant")


def test_oauth_refusals(portal, app):
    body = frame(portal, app)[2]
    stranger = refresh(portal, app, body["REFRESH_ID"], client_id="local.0.0")
    assert (stranger.status_code, stranger.json()) == (200, {"error": "wrong_client"})
    thief = refresh(portal, app, body["REFRESH_ID"], client_secret="guess")
    assert (thief.status_code, thief.json()["error"]) == (400, "invalid_client")
    odd = refresh(portal, app, body["REFRESH_ID"], grant_type="password")
    assert (odd.status_code, odd.json()["error"]) == (400, "invalid_request")
    portal.control("options", {"payment_required": True})
    assert refresh(portal, app, body["REFRESH_ID"]).json()["error"] == "PAYMENT_REQUIRED"
    portal.control("options", {"payment_required": False})
    assert refresh(portal, app, body["REFRESH_ID"]).status_code == 200
    portal.control("tokens/kill", {})
    assert refresh(portal, app, body["REFRESH_ID"]).json()["error"] == "invalid_grant"
    assert rest(portal, "app.info", body["AUTH_ID"])[1]["error"] == "invalid_token"


def test_oauth_faults(portal, app):
    body = frame(portal, app)[2]
    portal.fault("error", match="oauth.token", status=500, code="server_error")
    assert refresh(portal, app, body["REFRESH_ID"]).status_code == 500
    portal.fault("drop_after_commit", match="oauth.token")
    with pytest.raises(requests.ConnectionError):
        refresh(portal, app, body["REFRESH_ID"])
    assert refresh(portal, app, body["REFRESH_ID"]).json()["error"] == "invalid_grant"
    portal.fault("html", match="oauth.app.info", status=502)
    assert info(portal, body["AUTH_ID"]).status_code == 502
    assert info(portal, body["AUTH_ID"]).status_code == 200


def test_full_authorisation_by_code(portal, app):
    params = {"client_id": app["client_id"], "state": "abc", "user_id": 2}
    url = f"{portal.url}/oauth/authorize/"
    answer = requests.get(url, params=params, allow_redirects=False, timeout=10)
    back = {k: v[0] for k, v in parse_qs(urlsplit(answer.headers["Location"]).query).items()}
    assert answer.status_code == 302
    assert answer.headers["Location"].startswith(HANDLER)
    assert (back["state"], back["domain"]) == ("abc", portal.domain)
    assert back["server_domain"] == portal.oauth_url.removeprefix("http://")
    keys = {key: app[key] for key in ("client_id", "client_secret")}
    exchange = {"grant_type": "authorization_code", "code": back["code"], **keys}
    assert token(portal, **exchange).json()["user_id"] == 2
    assert token(portal, **exchange).json()["error"] == "invalid_grant"
    lost = requests.get(url, params={"client_id": "?"}, allow_redirects=False, timeout=10)
    assert lost.status_code == 404


def test_uninstalled_application_is_shut_out(portal, app):
    body = frame(portal, app)[2]
    portal.control(f"apps/{app['client_id']}/uninstall", {})
    status, answer = rest(portal, "app.info", body["AUTH_ID"])
    assert (status, answer["error"]) == (401, "APPLICATION_NOT_FOUND")
    answer = refresh(portal, app, body["REFRESH_ID"])
    assert (answer.status_code, answer.json()["error"]) == (400, "invalid_client")
    assert info(portal, body["AUTH_ID"]).status_code == 400


def test_wizard_is_opened_until_finished(portal):
    app = portal.register(
        title="W", handler_url=HANDLER, install_url=f"{HANDLER}install", scopes=["crm", "placement"]
    )
    url, _, body = frame(portal, app)
    assert url == f"{HANDLER}install"
    bound = {"PLACEMENT": "CRM_DEAL_DETAIL_TAB", "HANDLER": f"{HANDLER}tab"}
    assert rest(portal, "placement.bind", body["AUTH_ID"], **bound)[1]["result"] is True
    assert rest(portal, "app.info", body["AUTH_ID"])[1]["result"]["INSTALLED"] is False
    assert frame(portal, app, placement="CRM_DEAL_DETAIL_TAB")[0] == f"{HANDLER}install"
    portal.control(f"apps/{app['client_id']}/finish", {})
    assert rest(portal, "app.info", body["AUTH_ID"])[1]["result"]["INSTALLED"] is True
    assert frame(portal, app)[0] == HANDLER
    assert frame(portal, app, placement="CRM_DEAL_DETAIL_TAB")[0] == f"{HANDLER}tab"


def test_placements_are_bound_listed_and_unbound(portal, app):
    admin = frame(portal, app, user_id=1)[2]["AUTH_ID"]
    clerk = frame(portal, app, user_id=6)[2]["AUTH_ID"]
    tab = {"PLACEMENT": "CRM_CONTACT_DETAIL_TAB", "HANDLER": f"{HANDLER}tab", "TITLE": "Value"}
    assert rest(portal, "placement.bind", clerk, **tab)[1]["error"] == "ACCESS_DENIED"
    assert rest(portal, "placement.bind", admin, **tab)[1]["result"] is True
    assert rest(portal, "placement.bind", admin, **tab)[1]["error"] == "ERROR_CORE"
    listed = rest(portal, "placement.get", admin)[1]["result"]
    assert [(p["placement"], p["handler"], p["title"]) for p in listed] == [tuple(tab.values())]
    refused = [
        ({"PLACEMENT": "NO_SUCH", "HANDLER": HANDLER}, 400, "ERROR_PLACEMENT_NOT_FOUND"),
        ({"PLACEMENT": "IM_SIDEBAR", "HANDLER": HANDLER}, 400, "ERROR_PLACEMENT_NOT_FOUND"),
        ({"HANDLER": HANDLER}, 400, "ERROR_ARGUMENT"),
        (tab | {"USER_ID": 5}, 200, "ERROR_PLACEMENT_USER_MODE"),
    ]
    for params, status, error in refused:
        answer = rest(portal, "placement.bind", admin, **params)
        assert (answer[0], answer[1]["error"]) == (status, error)
    assert "CRM_CONTACT_DETAIL_TAB" in rest(portal, "placement.list", clerk)[1]["result"]
    unbound = rest(portal, "placement.unbind", admin, PLACEMENT="CRM_CONTACT_DETAIL_TAB")
    assert unbound[1]["result"] == {"count": 2}
    assert rest(portal, "placement.get", admin)[1]["result"] == []
    hook = requests.get(f"{portal.webhook()}placement.get", timeout=10)
    assert (hook.status_code, hook.json()["error"]) == (403, "WRONG_AUTH_TYPE")


def test_options_live_per_app_and_per_user(portal, app):
    admin = frame(portal, app, user_id=1)[2]["AUTH_ID"]
    clerk = frame(portal, app, user_id=6)[2]["AUTH_ID"]
    assert rest(portal, "app.option.set", admin, options={"a": "1"})[1]["result"] is True
    assert rest(portal, "user.option.set", clerk, options={"u": "2"})[1]["result"] is True
    assert rest(portal, "app.option.get", clerk)[1]["result"] == {"a": "1"}
    assert rest(portal, "app.option.get", clerk, option="none")[1]["result"] is None
    assert rest(portal, "user.option.get", clerk, option="u")[1]["result"] == "2"
    assert rest(portal, "user.option.get", admin)[1]["result"] == []


def test_methods_about_the_portal_itself(portal, app):
    clerk = frame(portal, app, user_id=6)[2]["AUTH_ID"]
    assert rest(portal, "scope", clerk)[1]["result"] == ["crm", "placement"]
    feature = rest(portal, "feature.get", clerk, CODE="rest_offline_extended")[1]["result"]
    assert feature == {"value": "Y"}
    assert rest(portal, "feature.get", clerk)[1]["error"] == "CODE_EMPTY"
    known = rest(portal, "method.get", clerk, name="crm.deal.list")[1]["result"]
    assert known == {"isExisting": True, "isAvailable": True}
    closed = rest(portal, "method.get", clerk, name="im.notify.system.add")[1]["result"]
    assert closed == {"isExisting": True, "isAvailable": False}
    nameless = rest(portal, "method.get", clerk)[1]["result"]
    assert nameless == {"isExisting": False, "isAvailable": False}
    assert rest(portal, "user.access", clerk, ACCESS=["U1"])[1]["result"] is False
    assert rest(portal, "user.access", clerk, ACCESS=["U1", "U6"])[1]["result"] is True
    moment = datetime.fromisoformat(rest(portal, "server.time", clerk)[1]["result"])
    assert abs((moment - datetime.now(UTC)).total_seconds()) < 60


def test_notifications_are_kept_and_tagged_ones_replaced(portal):
    hook = portal.webhook(scopes=["im"])
    for text, tag in (("one", "sync"), ("two", "sync"), ("three", None)):
        params = {"USER_ID": 1, "MESSAGE": text, **({"TAG": tag} if tag else {})}
        answer = requests.post(f"{hook}im.notify.system.add", json=params, timeout=10).json()
        assert answer["result"] > 0
    assert [n["MESSAGE"] for n in portal.control("notifications")] == ["two", "three"]
    empty = requests.post(f"{hook}im.notify.system.add", json={"MESSAGE": "x"}, timeout=10)
    assert empty.json()["error"] == "USER_ID_EMPTY"


def test_field_types_of_an_application_are_drawn_once_it_is_installed(portal):
    app = portal.register(
        title="W", handler_url=HANDLER, install_url=f"{HANDLER}install", scopes=["crm", "placement"]
    )
    admin = frame(portal, app)[2]["AUTH_ID"]
    facts = {"USER_TYPE_ID": "value", "HANDLER": f"{HANDLER}field", "TITLE": "Value"}
    unknown = rest(portal, "userfieldtype.update", admin, **facts)
    assert (unknown[0], unknown[1]["error"]) == (400, "ERROR_NOT_FOUND")
    assert rest(portal, "userfieldtype.add", admin, **facts)[1]["result"] is True
    again = rest(portal, "userfieldtype.add", admin, **{**facts, "USER_TYPE_ID": "other"})
    assert again[1]["error"] == "ERROR_CORE"
    moved = {**facts, "HANDLER": f"{HANDLER}other", "OPTIONS": {"height": 40}}
    assert rest(portal, "userfieldtype.update", admin, **moved)[1]["result"] is True
    (listed,) = rest(portal, "userfieldtype.list", admin)[1]["result"]
    assert listed == {**facts, "HANDLER": f"{HANDLER}other", "DESCRIPTION": ""}

    app_id = rest(portal, "app.info", admin)[1]["result"]["ID"]
    field = {"fields": {"FIELD_NAME": "VALUE", "USER_TYPE_ID": f"rest_{app_id}_value"}}
    early = rest(portal, "crm.deal.userfield.add", admin, **field)
    assert "неверный пользовательский тип" in early[1]["error_description"]
    portal.control(f"apps/{app['client_id']}/finish", {})
    assert rest(portal, "crm.deal.userfield.add", admin, **field)[1]["result"]
