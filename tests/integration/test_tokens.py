"""The portal's tokens: refreshed once for all, sealed for their portal, moved only with proof."""

from __future__ import annotations

import multiprocessing
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import UTC, datetime

import pytest
import sqlalchemy as sa
from cryptography.fernet import Fernet
from support.renewing import renew_at

from core import runtime
from core.crypto import SealBroken, Vault
from integration import keys, tokens
from integration.bitrix.errors import (
    AuthDead,
    PaymentRequired,
    PortalMoved,
    Unreachable,
)
from integration.bitrix.oauth import AppInfo, Tokens
from integration.connect import connect
from integration.models import Portal, PortalState, PortalToken
from integration.tokens import PortalAuth, ViewerAuth

MEMBER, CLIENT = "a" * 32, "local.5f.1"
LATER = datetime(2030, 1, 1, tzinfo=UTC)


class OAuth:
    """An OAuth server whose refresh tokens work once."""

    def __init__(self, pause=0.0):
        self.pause = pause
        self.number = 1
        self.refreshes = []
        self.failure = None
        self.info = None

    def refresh(self, client_id, client_secret, refresh_token, *, server_endpoint=""):
        self.refreshes.append((client_id, client_secret, refresh_token, server_endpoint))
        time.sleep(self.pause)
        if self.failure:
            raise self.failure
        assert refresh_token == f"refresh-{self.number}", "a refresh token was used twice"
        self.number += 1
        number = self.number
        return Tokens(
            f"access-{number}", f"refresh-{number}", LATER, MEMBER, "", "", user_id=1, status="L"
        )

    def app_info(self, access_token, *, server_endpoint=""):
        if isinstance(self.info, Exception):
            raise self.info
        return self.info


def info(**changed):
    facts = AppInfo(
        client_id=CLIENT, user_id=1, member_id=MEMBER, domain="new.example.com",
        client_endpoint="https://new.example.com/rest/", installed=True, scopes=frozenset(),
        expires_at=LATER, status="L", version="1",
    )  # fmt: skip
    return replace(facts, **changed)


@pytest.fixture
def vault(settings):
    return Vault(settings.encryption_keys)


def make_portal(sessions, vault):
    with sessions.begin() as session:
        portal = Portal(
            domain="old.example.com", member_id=MEMBER, client_id=CLIENT, state=PortalState.ACTIVE,
            endpoint="https://old.example.com/rest/", oauth_url="https://oauth.example.com",
        )  # fmt: skip
        session.add(portal)
        session.flush()
        portal.client_secret_sealed = vault.seal(portal.id, "client secret")
        tokens.store(session, vault, portal.id, "access-1", "refresh-1", LATER)
        return portal.id


@pytest.fixture
def portal_id(sessions, vault):
    return make_portal(sessions, vault)


def auth_of(sessions, vault, settings, portal_id, oauth):
    return PortalAuth(sessions, vault, oauth, settings, portal_id)


def stored(sessions, portal_id):
    with sessions() as session:
        return session.get_one(Portal, portal_id)


def test_many_threads_cause_one_refresh(live_sessions, vault, settings):
    oauth = OAuth(pause=0.2)
    portal_id = make_portal(live_sessions, vault)
    start = threading.Barrier(8)

    def renew(_number):
        auth = auth_of(live_sessions, vault, settings, portal_id, oauth)
        start.wait(10)
        return auth.renew("access-1")

    with ThreadPoolExecutor(8) as pool:
        found = set(pool.map(renew, range(8)))
    assert found == {"access-2"}
    assert oauth.refreshes == [
        (CLIENT, "client secret", "refresh-1", "https://oauth.example.com"),
    ]


def test_many_processes_cause_one_refresh(world, tmp_path):
    with world.runtime.sessions() as session:
        row = session.get_one(PortalToken, world.portal_id)
        stale = world.runtime.vault.open(world.portal_id, row.access_token_sealed)
    world.demo.control("tokens/expire", {})
    world.demo.control("counters/reset", {})
    spawn = multiprocessing.get_context("spawn")
    arguments = (world.runtime.settings, world.portal_id, stale, str(tmp_path))
    moment = time.time() + 3
    processes = [spawn.Process(target=renew_at, args=(moment, *arguments)) for _ in range(3)]
    for process in processes:
        process.start()
    for process in processes:
        process.join(60)
    found = [path.read_text() for path in tmp_path.iterdir()]
    assert len(found) == 3
    assert len(set(found)) == 1
    assert found[0] != stale
    assert world.demo.counters()["oauth.token"] == 1
    assert connect(world.runtime, world.portal).call("profile", {}).result["ID"]


def test_whoever_comes_late_with_an_old_token_gets_the_present_one(
    sessions, vault, settings, portal_id
):
    oauth = OAuth()
    auth = auth_of(sessions, vault, settings, portal_id, oauth)
    assert auth.renew("access-1") == "access-2"
    assert auth.renew("access-1") == "access-2"
    assert auth.renew("access-2") == "access-3"
    assert auth.token() == "access-3"
    assert len(oauth.refreshes) == 2


@pytest.mark.parametrize(
    ("failure", "state"),
    [
        (AuthDead("dead"), PortalState.REOPEN),
        (PaymentRequired("unpaid"), PortalState.BLOCKED),
        (Unreachable("no answer"), PortalState.ACTIVE),
    ],
)
def test_a_refused_refresh_keeps_the_tokens_and_tells_the_portals_state(
    sessions, vault, settings, portal_id, failure, state
):
    oauth = OAuth()
    oauth.failure = failure
    auth = auth_of(sessions, vault, settings, portal_id, oauth)
    with pytest.raises(type(failure)):
        auth.renew("access-1")
    assert auth.token() == "access-1"
    assert stored(sessions, portal_id).state == state


def test_without_tokens_or_keys_there_is_nothing_to_try(sessions, vault, settings, portal_id):
    auth = auth_of(sessions, vault, settings, portal_id, OAuth())
    with sessions.begin() as session:
        session.execute(sa.update(Portal).values(client_secret_sealed=None))
    with pytest.raises(AuthDead):
        auth.renew("access-1")
    with sessions.begin() as session:
        tokens.forget(session, portal_id)
    with pytest.raises(AuthDead):
        auth.token()
    with pytest.raises(AuthDead):
        auth.renew("access-1")


def test_tokens_copied_from_another_portals_row_do_not_open(sessions, vault, settings, portal_id):
    with sessions.begin() as session:
        thief = Portal(domain="thief.example.com", client_id="local.6.1", member_id="b" * 32)
        session.add(thief)
        session.flush()
        row = session.get_one(PortalToken, portal_id)
        session.add(
            PortalToken(
                portal_id=thief.id,
                access_token_sealed=row.access_token_sealed,
                refresh_token_sealed=row.refresh_token_sealed,
                expires_at=LATER,
            )
        )
        thief_id = thief.id
    auth = auth_of(sessions, vault, settings, thief_id, OAuth())
    with pytest.raises(SealBroken):
        auth.token()
    with pytest.raises(SealBroken):
        auth.renew("access-1")


def test_a_rename_is_followed_once_the_oauth_server_says_so(sessions, vault, settings, portal_id):
    oauth = OAuth()
    oauth.info = info()
    auth = auth_of(sessions, vault, settings, portal_id, oauth)
    assert auth.moved("https://new.example.com/rest/profile") == "https://new.example.com/rest/"
    portal = stored(sessions, portal_id)
    assert (portal.domain, portal.endpoint) == ("new.example.com", "https://new.example.com/rest/")


@pytest.mark.parametrize(
    ("location", "changed"),
    [
        ("https://evil.example/rest/profile", {}),
        ("https://new.example.com.evil.example/rest/", {}),
        ("https://new.example.com@evil.example/rest/", {}),
        ("//evil.example/rest/", {}),
        ("", {}),
        ("https://new.example.com/rest/", {"member_id": "b" * 32}),
        ("https://new.example.com/rest/", {"client_id": "local.6.1"}),
    ],
)
def test_a_redirect_elsewhere_is_not_followed(
    sessions, vault, settings, portal_id, location, changed
):
    oauth = OAuth()
    oauth.info = info(**changed)
    auth = auth_of(sessions, vault, settings, portal_id, oauth)
    with pytest.raises(PortalMoved):
        auth.moved(location)
    portal = stored(sessions, portal_id)
    assert (portal.domain, portal.endpoint) == ("old.example.com", "https://old.example.com/rest/")


def test_a_viewers_token_is_neither_renewed_nor_taken_elsewhere():
    auth = ViewerAuth("viewer token")
    assert auth.token() == "viewer token"
    with pytest.raises(AuthDead):
        auth.renew("viewer token")
    with pytest.raises(PortalMoved):
        auth.moved("https://evil.example/")


def test_rotation_seals_everything_with_the_new_key_and_work_goes_on(world):
    old, new = world.runtime.settings.encryption_keys[0], Fernet.generate_key().decode()
    runtime.install(replace(world.runtime, vault=Vault([new, old])))
    done = world.app.test_cli_runner().invoke(args=["keys", "rotate", "--json"])
    assert done.exit_code == 0, done.output
    found = sealed_values(world)
    assert done.output.strip() == f'{{"rotated":{len(found)}}}'
    assert len(found) == 4
    for value in found:
        Vault([new]).open(world.portal_id, value)
        with pytest.raises(SealBroken):
            Vault([old]).open(world.portal_id, value)
    only_new = replace(world.runtime, vault=Vault([new]))
    world.demo.control("tokens/expire", {})
    assert connect(only_new, world.portal).call("profile", {}).result["ID"]


def test_rotation_without_the_old_key_changes_nothing(world):
    before = sealed_values(world)
    stranger = Vault([Fernet.generate_key().decode()])
    runtime.install(replace(world.runtime, vault=stranger))
    done = world.app.test_cli_runner().invoke(args=["keys", "rotate"])
    assert done.exit_code != 0
    assert sealed_values(world) == before


def sealed_values(world):
    with world.runtime.sessions() as session:
        return [
            value
            for table, columns in keys.sealed()
            for row in session.scalars(sa.select(table))
            for value in (getattr(row, name) for name in columns)
            if value is not None
        ]
