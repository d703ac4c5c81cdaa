"""Headers of every answer, and what may never reach a page."""

from __future__ import annotations

from dataclasses import replace

import pytest
from support.web_gallery import SETTINGS, create

from core.web import security


@pytest.fixture
def client():
    return create().test_client()


def policy(answer) -> dict[str, str]:
    parts = answer.headers["Content-Security-Policy"].split(";")
    return dict(part.strip().split(" ", 1) for part in parts)


def test_a_page_may_be_framed_by_its_confirmed_portal_alone(client):
    answer = client.post("/?origin=https://Acme.example.com")
    assert policy(answer)["frame-ancestors"] == "https://acme.example.com"
    assert "X-Frame-Options" not in answer.headers


@pytest.mark.parametrize(
    "origin",
    [
        "https://evil.example;*",
        "https://evil.example *",
        "https://evil.example/path",
        "https://a@evil.example",
        "https://*.example.com",
        "https://evil.example\nX: y",
        "https://",
        "https://-",
        "javascript:alert(1)",
        "evil.example",
        "*",
        "'self'",
        "",
        None,
    ],
)
def test_a_crafted_origin_never_enters_the_policy(origin):
    assert security.content_policy(origin).endswith("frame-ancestors 'none'")


@pytest.mark.parametrize(
    "origin",
    ["https://acme.bitrix24.example", "http://127.0.0.1:8899", "http://crm", "https://[::1]:8443"],
)
def test_real_portal_origins_are_accepted(origin):
    assert security.content_policy(origin).endswith(f"frame-ancestors {origin}")


@pytest.mark.parametrize("path", ["/break/404", "/nothing", "/gallery", "/static/tokens.css"])
def test_what_no_portal_has_confirmed_may_be_framed_by_nobody(client, path):
    with client.get(path) as answer:
        assert policy(answer)["frame-ancestors"] == "'none'"


def test_scripts_and_styles_come_from_us_and_nothing_is_evaluated(client):
    rules = policy(client.post("/"))
    assert rules["default-src"] == "'none'"
    assert rules["script-src"] == rules["style-src"] == rules["connect-src"] == "'self'"
    assert rules["base-uri"] == rules["object-src"] == "'none'"


@pytest.mark.parametrize("path", ["/break/500", "/nothing", "/gallery"])
def test_no_answer_with_data_is_kept_or_sniffed(client, path):
    headers = client.get(path).headers
    assert headers["Cache-Control"] == "no-store"
    assert headers["X-Content-Type-Options"] == "nosniff"
    assert headers["Referrer-Policy"] == "no-referrer"


def test_strict_transport_is_promised_only_on_https():
    https = create().test_client().get("/nothing")
    plain = (
        create(replace(SETTINGS, public_url="http://127.0.0.1:8000")).test_client().get("/nothing")
    )
    assert "max-age" in https.headers["Strict-Transport-Security"]
    assert "Strict-Transport-Security" not in plain.headers


def test_no_cookie_is_ever_set(client):
    assert "Set-Cookie" not in client.post("/").headers


def test_static_files_with_a_fingerprint_are_kept_for_ever_and_others_are_asked_again(client):
    page = client.post("/").get_data(as_text=True)
    address = page.split('href="/static/tokens.css')[1].split('"')[0]
    kept, asked = client.get(f"/static/tokens.css{address}"), client.get("/static/tokens.css")
    assert "immutable" in kept.headers["Cache-Control"]
    assert asked.headers["Cache-Control"] == "no-cache"
    for answer in (kept, asked):
        assert answer.status_code == 200
        answer.close()


@pytest.mark.parametrize(
    "path", ["../shell.py", "..%2fshell.py", "%2e%2e/session.py", "missing.css"]
)
def test_static_files_stay_inside_their_folder(client, path):
    assert client.get(f"/static/{path}").status_code == 404
