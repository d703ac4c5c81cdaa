"""The OAuth servers: who is asked, what is believed, what is never told."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
import requests
import responses

from core.http import Http
from integration.bitrix import errors as e
from integration.bitrix.oauth import OAuthServer

TECH, INFO = "https://oauth.bitrix24.tech", "https://oauth.bitrix.info"
NOW = datetime(2026, 8, 21, 10, 0, tzinfo=UTC)
TOKENS = {
    "access_token": "acc2", "refresh_token": "ref2", "expires_in": 3600, "expires": 1, "scope": "app",
    "member_id": "m" * 32, "domain": "oauth.bitrix24.tech", "status": "L", "user_id": 67,
    "client_endpoint": "https://portal.example.com/rest/", "server_endpoint": f"{TECH}/rest/",
}  # fmt: skip
INFO_ANSWER = {
    "result": {
        "client_id": "local.abc", "scope": "crm", "expires": "2026-08-21T14:00:00+03:00", "user_id": "42",
        "install": {
            "installed": True, "version": "1", "status": "L", "scope": "crm,user",
            "domain": "Portal.example.com:443", "uri": "https://portal.example.com",
            "client_endpoint": "https://portal.example.com/rest/", "member_id": "m" * 32,
        },
    }
}  # fmt: skip


@pytest.fixture
def mock():
    with responses.RequestsMock(assert_all_requests_are_fired=False) as made:
        yield made


@pytest.fixture
def server():
    return OAuthServer(Http(), [TECH, INFO], now=lambda: NOW)


@pytest.mark.parametrize(
    ("endpoint", "base"),
    [
        ("", TECH), (f"{INFO}/rest/", INFO), ("oauth.bitrix.info", INFO), ("OAUTH.bitrix.info:443", INFO),
        ("https://evil.example.net/rest/", TECH), ("https://oauth.bitrix.info.evil.example.net/", TECH),
        ("https://oauth.bitrix.info@evil.example.net/", TECH), ("https://evil.example.net#oauth.bitrix.info", TECH),
        ("evil.example.net?oauth.bitrix.info", TECH), ("//oauth.bitrix.info", INFO), ("javascript:1", TECH),
    ],
)  # fmt: skip
def test_only_listed_servers_are_ever_asked(server, endpoint, base):
    assert server.base(endpoint) == base


def test_without_any_listed_server_nothing_works():
    with pytest.raises(ValueError, match="OAuth"):
        OAuthServer(Http(), [])


def test_a_refresh_replaces_both_tokens(mock, server):
    mock.get(f"{TECH}/oauth/token/", json=TOKENS)
    made = server.refresh("local.abc", "sec", "ref1")
    assert (made.access_token, made.refresh_token, made.user_id) == ("acc2", "ref2", 67)
    assert made.expires_at == datetime(2026, 8, 21, 11, 0, tzinfo=UTC)
    assert made.client_endpoint == "https://portal.example.com/rest/"
    assert mock.calls[0].request.params == {
        "grant_type": "refresh_token", "client_id": "local.abc", "client_secret": "sec", "refresh_token": "ref1",
    }  # fmt: skip
    assert "acc2" not in repr(made)


def test_a_code_is_exchanged_where_it_was_issued(mock, server):
    mock.get(f"{INFO}/oauth/token/", json=TOKENS)
    assert (
        server.exchange_code(
            "local.abc", "sec", "c0de", server_endpoint="oauth.bitrix.info"
        ).user_id
        == 67
    )


def test_app_info_says_whose_the_token_is(mock, server):
    mock.get(f"{TECH}/rest/app.info/", json=INFO_ANSWER)
    info = server.app_info("acc")
    assert (info.client_id, info.user_id, info.member_id) == ("local.abc", 42, "m" * 32)
    assert (info.domain, info.installed, info.scopes) == (
        "portal.example.com",
        True,
        {"crm", "user"},
    )
    assert info.expires_at == datetime(2026, 8, 21, 11, 0, tzinfo=UTC)


@pytest.mark.parametrize(
    ("status", "code", "kind"),
    [
        (200, "wrong_client", e.WrongClient), (400, "invalid_client", e.WrongClient),
        (400, "invalid_grant", e.AuthDead), (400, "PAYMENT_REQUIRED", e.PaymentRequired),
        (401, "NOT_INSTALLED", e.NotInstalled), (403, "insufficient_scope", e.InsufficientScope),
    ],
)  # fmt: skip
def test_refusals_are_told_apart_and_not_repeated(mock, server, status, code, kind):
    mock.get(f"{TECH}/oauth/token/", json={"error": code}, status=status)
    with pytest.raises(kind):
        server.refresh("local.abc", "sec", "ref1")
    assert len(mock.calls) == 1


@pytest.mark.parametrize(
    "body", [{}, {**TOKENS, "access_token": ""}, {**TOKENS, "refresh_token": None}, []]
)
def test_an_answer_without_tokens_is_unexpected(mock, server, body):
    mock.get(f"{TECH}/oauth/token/", json=body)
    with pytest.raises(e.UnexpectedAnswer):
        server.refresh("local.abc", "sec", "ref1")


@pytest.mark.parametrize("missing", ["client_id", "user_id", "install", "member_id"])
def test_an_incomplete_app_info_proves_nothing(mock, server, missing):
    result = {key: value for key, value in INFO_ANSWER["result"].items() if key != missing}
    if "install" in result:
        result["install"] = {k: v for k, v in result["install"].items() if k != missing}
    mock.get(f"{TECH}/rest/app.info/", json={"result": result})
    with pytest.raises(e.UnexpectedAnswer):
        server.app_info("acc")


def test_a_refresh_is_never_repeated_blindly(mock, server):
    mock.get(f"{TECH}/oauth/token/", body=requests.exceptions.ReadTimeout("x"))
    with pytest.raises(e.Unreachable) as caught:
        server.refresh("local.abc", "sec", "ref1")
    assert caught.value.executed is None
    assert len(mock.calls) == 1


def test_app_info_is_asked_once_more(mock, server):
    mock.get(f"{TECH}/rest/app.info/", body=requests.exceptions.ReadTimeout("x"))
    mock.get(f"{TECH}/rest/app.info/", json=INFO_ANSWER)
    assert server.app_info("acc").user_id == 42


def test_a_redirect_is_not_followed(mock, server):
    mock.get(f"{TECH}/oauth/token/", status=302, headers={"Location": "https://evil.example.net/"})
    with pytest.raises(e.PortalMoved):
        server.refresh("local.abc", "sec", "ref1")
    assert len(mock.calls) == 1


@pytest.mark.parametrize(
    "answer",
    [
        {"body": requests.exceptions.ReadTimeout("?client_secret=topsecret&refresh_token=ref1")},
        {"body": requests.exceptions.ConnectionError("?client_secret=topsecret&refresh_token=ref1")},
        {"json": {"error": "invalid_grant", "error_description": "client_secret=topsecret refresh_token=ref1"}},
        {"body": "<html>client_secret=topsecret refresh_token=ref1"},
    ],
)  # fmt: skip
def test_the_secret_never_gets_into_an_error(mock, server, answer, caplog):
    caplog.set_level("DEBUG")
    mock.get(f"{TECH}/oauth/token/", **answer)
    with pytest.raises(e.BitrixError) as caught:
        server.refresh("local.abc", "topsecret", "ref1")
    told = f"{caught.value!r} {caught.value.detail} {caught.value.__cause__!r} {caplog.text}"
    assert caught.value.__cause__ is None
    assert "topsecret" not in told
    assert "ref1" not in told
