"""The session token: what it carries, when it dies, what is refused."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from itsdangerous import URLSafeSerializer

from core.web import session
from core.web.session import SessionExpired, SessionInvalid, Viewer

KEY = "a secret key of the tests"
NOW = datetime(2026, 11, 21, 11, 0, tzinfo=UTC)
VIEWER = Viewer(
    portal_id=3,
    user_id=7,
    is_admin=True,
    lang="ru",
    placement="CRM_CONTACT_DETAIL_TAB",
    entity_id=12,
    expires_at=NOW + timedelta(hours=1),
)


def test_a_token_gives_back_its_viewer():
    assert session.read(KEY, session.issue(KEY, VIEWER, NOW), NOW) == VIEWER


def test_no_token_outlives_an_hour_whoever_asks_for_it():
    greedy = replace(VIEWER, expires_at=NOW + timedelta(days=30))
    token = session.issue(KEY, greedy, NOW)
    assert session.read(KEY, token, NOW).expires_at == NOW + timedelta(hours=1)


def test_a_token_left_alone_dies_after_half_an_hour():
    token = session.issue(KEY, VIEWER, NOW)
    assert session.read(KEY, token, NOW + timedelta(minutes=29, seconds=59)) == VIEWER
    with pytest.raises(SessionExpired):
        session.read(KEY, token, NOW + timedelta(minutes=30))


def test_renewal_keeps_a_working_page_alive_but_never_beyond_the_hour():
    token, now = session.issue(KEY, VIEWER, NOW), NOW
    for _ in range(3):
        now += timedelta(minutes=19)
        fresher = session.renewed(KEY, token, now)
        assert fresher is not None
        assert fresher != token
        token = fresher
    assert session.read(KEY, token, NOW + timedelta(minutes=59)).expires_at == VIEWER.expires_at
    with pytest.raises(SessionExpired):
        session.read(KEY, token, NOW + timedelta(hours=1))
    with pytest.raises(SessionExpired):
        session.renewed(KEY, token, NOW + timedelta(hours=1))


def test_a_fresh_token_is_not_renewed_on_every_request():
    assert (
        session.renewed(KEY, session.issue(KEY, VIEWER, NOW), NOW + timedelta(seconds=59)) is None
    )


@pytest.mark.parametrize("place", range(0, 200, 7))
def test_a_tampered_token_is_refused(place):
    token = session.issue(KEY, VIEWER, NOW)
    place %= len(token) - 1
    changed = token[:place] + ("A" if token[place] != "A" else "B") + token[place + 1 :]
    with pytest.raises(SessionInvalid):
        session.read(KEY, changed, NOW)


@pytest.mark.parametrize(
    "token",
    [
        "",
        "x",
        "a.b.c",
        session.issue("another key", VIEWER, NOW),
        URLSafeSerializer(KEY, salt="unsubscribe.v1").dumps({"portal_id": 3, "user_id": 7}),
        URLSafeSerializer(KEY, salt="session.v1").dumps({"portal_id": 3}),
        URLSafeSerializer(KEY, salt="session.v1").dumps("just text"),
    ],
)
def test_what_was_not_made_as_a_session_is_refused(token):
    with pytest.raises(SessionInvalid):
        session.read(KEY, token, NOW)


def test_a_session_token_opens_nothing_made_with_another_salt():
    token = session.issue(KEY, VIEWER, NOW)
    valid, _ = URLSafeSerializer(KEY, salt="unsubscribe.v1").loads_unsafe(token)
    assert not valid
