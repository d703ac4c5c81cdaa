"""The proof of a frame against the demo portal's OAuth server (forgeries: flows/test_forgery.py)."""

from __future__ import annotations

from dataclasses import replace
from urllib.parse import urlsplit

import pytest

from core.runtime import Runtime
from integration import frames, portals
from integration.bitrix.errors import BitrixError
from integration.bitrix.payloads import FramePost
from integration.frames import FrameRefused
from integration.models import Portal, PortalState

ADMIN, MANAGER, BLIND = 1, 6, 10


class Opened:
    """A registered application on the demo portal, whose frames can be changed before the proof."""

    def __init__(self, runtime, demo):
        self.runtime, self.demo = runtime, demo
        self.keys = demo.register(title="Рубильник", handler_url="http://127.0.0.1:1/")
        with runtime.sessions.begin() as session:
            self.portal_id = portals.register(
                session, runtime.vault, domain=demo.url,
                client_id=self.keys["client_id"], client_secret=self.keys["client_secret"],
            ).id  # fmt: skip

    def post(self, user_id=ADMIN, **changed):
        frame = self.demo.open(self.keys["client_id"], user_id=user_id)
        post = FramePost.parse(urlsplit(frame["url"]).query, list(frame["body"].items()))
        return replace(post, **changed)

    def confirm(self, user_id=ADMIN, also=None, **changed):
        return frames.confirm(self.runtime, self.post(user_id, **changed), also)

    def change(self, **facts):
        with self.runtime.sessions.begin() as session:
            portal = session.get_one(Portal, self.portal_id)
            for name, value in facts.items():
                setattr(portal, name, value)


@pytest.fixture
def opened(portal_settings, sessions, portal):
    made = Runtime.build(portal_settings)
    yield Opened(replace(made, sessions=sessions), portal)
    made.engine.dispose()
    made.redis.close()


@pytest.mark.parametrize(("user_id", "is_admin"), [(ADMIN, True), (2, True), (MANAGER, False)])
def test_a_genuine_frame_tells_who_is_looking(opened, user_id, is_admin):
    confirmed = opened.confirm(user_id)
    assert (confirmed.user_id, confirmed.is_admin) == (user_id, is_admin)
    assert confirmed.origin == opened.demo.url
    assert confirmed.oauth_url == opened.demo.oauth_url
    assert confirmed.application.client_secret == opened.keys["client_secret"]


def test_the_proof_does_not_believe_the_protocol_of_the_form(opened):
    assert opened.confirm(protocol="https").scheme == "http"


def test_the_portal_may_have_been_registered_in_capitals_or_with_its_port(opened):
    assert opened.confirm(domain=opened.demo.domain).info.domain == opened.demo.domain


@pytest.mark.parametrize(
    ("facts", "reason"),
    [
        ({"member_id": "b" * 32}, "another portal"),
        ({"domain": "other.example.com"}, "another domain"),
    ],
)
def test_keys_registered_for_somebody_else_admit_nobody(opened, facts, reason):
    opened.change(**facts)
    with pytest.raises(FrameRefused, match=reason):
        opened.confirm()


def test_a_renamed_portal_is_recognised_by_its_member_id(opened):
    member_id = opened.post().member_id
    opened.change(
        member_id=member_id, domain="old.example.com", endpoint="https://old.example.com/rest/"
    )
    confirmed = opened.confirm()
    with opened.runtime.sessions.begin() as session:
        found = frames.portal_of(session, confirmed)
        assert found.id == opened.portal_id
    with opened.runtime.sessions() as session:
        portal = session.get_one(Portal, opened.portal_id)
    assert (portal.domain, portal.endpoint) == (opened.demo.domain, f"{opened.demo.url}/rest/")


def test_a_portal_is_not_found_by_its_domain(opened):
    opened.change(state=PortalState.ACTIVE, member_id=None)
    with opened.runtime.sessions() as session:
        assert frames.portal_of(session, opened.confirm()) is None


@pytest.mark.parametrize("kind", ["html", "cut", "error"])
def test_an_oauth_server_that_breaks_down_is_no_refusal(opened, kind):
    opened.demo.fault(kind, "oauth.app.info", times=-1)
    with pytest.raises(BitrixError) as failure:
        opened.confirm()
    assert failure.value.retryable


def test_one_hiccup_of_the_oauth_server_is_not_noticed(opened):
    opened.demo.fault("error", "oauth.app.info", times=1)
    assert opened.confirm().user_id == ADMIN


def test_cards_are_read_with_the_viewers_own_rights(opened):
    asked = {"card": ("crm.contact.get", {"id": 1})}
    allowed = opened.confirm(ADMIN, asked)
    assert frames.read_of(allowed, "card")["ID"] == "1"
    assert frames.may_read(allowed.client, "contact", 1)["ID"] == "1"
    blind = opened.confirm(BLIND, asked)
    assert frames.read_of(blind, "card") is None
    assert frames.may_read(blind.client, "contact", 1) is None


def test_a_card_that_does_not_exist_is_not_readable(opened):
    assert frames.may_read(opened.confirm().client, "contact", 10**9) is None


def test_the_viewers_token_is_stored_nowhere(opened):
    post = opened.post(MANAGER)
    confirmed = frames.confirm(opened.runtime, post)
    assert post.auth_id not in repr(post)
    assert post.refresh_id not in repr(confirmed.post)
    assert opened.keys["client_secret"] not in repr(confirmed.info)
