"""The client against the demo portal, which was written by its documentation and knows nothing of it."""

from __future__ import annotations

import re
import time
from collections import Counter
from contextlib import suppress

import pytest
import redis

from core.http import Http
from integration.bitrix import errors as e
from integration.bitrix.client import Client, Webhook
from integration.bitrix.limiter import Limiter, Limits
from integration.bitrix.oauth import OAuthServer
from integration.bitrix.payloads import FramePost
from integration.bitrix.retry import Patience


class StoredTokens:
    """An Auth over the real OAuth server, as the application's own is."""

    def __init__(self, oauth, app, frame):
        self.oauth, self.app = oauth, app
        self.access, self.refresh_token = frame.auth_id, frame.refresh_id
        self.renewals = 0

    def token(self):
        return self.access

    def renew(self, stale_token):
        if stale_token == self.access:
            tokens = self.oauth.refresh(
                self.app["client_id"], self.app["client_secret"], self.refresh_token
            )
            self.access, self.refresh_token = tokens.access_token, tokens.refresh_token
            self.renewals += 1
        return self.access

    def moved(self, location):
        return self.oauth.app_info(self.access).client_endpoint


@pytest.fixture
def http():
    made = Http(allow_private=True, max_bytes=20_000_000, read_timeout=3)
    yield made
    made.close()


@pytest.fixture
def oauth(http, portal):
    return OAuthServer(http, [portal.oauth_url])


@pytest.fixture
def app(portal):
    return portal.register(
        title="Test", handler_url="https://app.example.com/", scopes=["crm", "user", "placement"]
    )


@pytest.fixture
def frame(portal, app):
    opened = portal.open(app["client_id"], user_id=1)
    return FramePost.parse(opened["url"].partition("?")[2], opened["body"])


@pytest.fixture
def auth(oauth, app, frame):
    return StoredTokens(oauth, app, frame)


def client_of(portal, http, auth, limits=None, patience=None, redis_client=None):
    limiter = Limiter("p", redis_client, limits=limits or Limits.off())
    quick = patience or Patience(first_pause=0.01, longest_wait=3.0)
    return Client(portal.url + "/rest/", auth, limiter, http, patience=quick)


@pytest.fixture
def client(portal, http, auth):
    return client_of(portal, http, auth)


def ids(pages, field="ID"):
    return [int(row[field]) for page in pages for row in page.rows]


def stored_ids(portal, table):
    return sorted(int(row["ID"]) for row in portal.control(f"rows/{table}?limit=100000"))


def deals(client, **options):
    return ids(client.list_all("crm.deal.list", params={"select": ["ID", "TITLE"]}, **options))


def test_a_frame_is_genuine(oauth, app, frame, portal):
    info = oauth.app_info(frame.auth_id, server_endpoint=frame.server_endpoint)
    assert info.client_id == app["client_id"]
    assert info.member_id == frame.member_id
    assert info.domain == frame.domain == portal.domain
    assert info.user_id == 1
    assert info.client_endpoint == portal.url + "/rest/"


def test_a_forged_token_is_nobodys(oauth):
    with pytest.raises(e.AuthDead):
        oauth.app_info("0" * 64)


def test_a_wrong_secret_and_a_used_refresh_token_are_dead(oauth, app, frame):
    with pytest.raises(e.AuthDead):
        oauth.refresh(app["client_id"], "wrong", frame.refresh_id)
    fresh = oauth.refresh(app["client_id"], app["client_secret"], frame.refresh_id)
    assert fresh.access_token != frame.auth_id
    with pytest.raises(e.AuthDead):
        oauth.refresh(app["client_id"], app["client_secret"], frame.refresh_id)


@pytest.mark.parametrize("prefetch", [0, 1])
def test_every_deal_is_read_once_both_ways(portal, client, prefetch):
    expected = stored_ids(portal, "deal")
    assert deals(client, prefetch=prefetch) == expected
    item = client.list_all(
        "crm.item.list", params={"entityTypeId": 2, "select": ["id", "title"]},
        id_field="id", items_path=("items",), prefetch=prefetch,
    )  # fmt: skip
    assert ids(item, "id") == expected


def test_users_sort_in_their_own_way(portal, client):
    users = client.list_all("user.get", order={"sort": "ID", "order": "ASC"})
    assert len(ids(users)) > 1


def test_a_filter_is_respected_and_checked(portal, client):
    params = {"filter": {"CATEGORY_ID": 0}, "select": ["ID", "CATEGORY_ID"]}
    pages = list(
        client.list_all("crm.deal.list", params=params, check=lambda row: row["CATEGORY_ID"] == "0")
    )
    assert 0 < len(ids(pages)) < len(stored_ids(portal, "deal"))
    with pytest.raises(e.PageMismatch):
        list(
            client.list_all(
                "crm.deal.list", params={**params, "filter": {"NO_SUCH_FIELD": 1}},
                check=lambda row: row["CATEGORY_ID"] == "0",
            )
        )  # fmt: skip


def test_an_expired_token_is_renewed_everywhere(portal, client, auth):
    expected = stored_ids(portal, "deal")
    portal.control("tokens/expire", {})
    assert deals(client) == expected
    pages = client.list_all("crm.deal.list", params={"select": ["ID"]})
    first = next(pages)
    portal.control("tokens/expire", {})
    assert ids([first, *pages]) == expected
    portal.fault("subcommand_error", "crm.deal.list", status=401, code="expired_token", skip=2)
    assert deals(client) == expected
    assert auth.renewals >= 2


def test_dead_tokens_are_told_as_such(portal, client):
    portal.control("tokens/kill", {})
    with pytest.raises(e.AuthDead):
        deals(client)


FAULTS = [
    ("error", {"status": 503, "code": "QUERY_LIMIT_EXCEEDED", "times": 5}),
    ("error", {"status": 500, "code": "INTERNAL_SERVER_ERROR", "times": 2}),
    ("html", {"status": 200, "times": 2}),
    ("html", {"status": 502, "times": 2}),
    ("truncate", {"times": 2}),
    ("cut", {"times": 2}),
    ("drop", {"times": 2}),
    ("delay", {"seconds": 4.0, "times": 1}),
    ("subcommand_error", {"status": 500, "code": "INTERNAL_SERVER_ERROR", "times": 3}),
    ("subcommand_error", {"status": 503, "code": "QUERY_LIMIT_EXCEEDED", "times": 3}),
]


@pytest.mark.parametrize("match", ["*", "batch", "crm.deal.list"])
@pytest.mark.parametrize(("kind", "rule"), FAULTS, ids=str)
def test_whatever_breaks_for_a_while_every_deal_is_read_once(portal, client, match, kind, rule):
    if kind == "subcommand_error" and match == "batch":
        pytest.skip("not a command of a batch")
    expected = stored_ids(portal, "deal")
    portal.fault(kind, match, **rule)
    assert deals(client) == expected
    assert [fault["hits"] > 0 for fault in portal.control("faults")] == [True]


@pytest.mark.parametrize(
    ("kind", "error"), [("huge", e.UnexpectedAnswer), ("gzip_bomb", e.UnexpectedAnswer)]
)
def test_endless_answers_are_cut_off(portal, client, kind, error):
    portal.fault(kind, "crm.deal.list", times=-1, size=100_000_000)
    started = time.monotonic()
    with pytest.raises(error):
        deals(client)
    assert time.monotonic() - started < 20


@pytest.mark.parametrize("kind", ["duplicate_rows", "bad_rows"])
def test_wrong_rows_are_an_error(portal, client, kind):
    portal.fault(kind, "crm.deal.list", times=1)
    with pytest.raises((e.PageMismatch, e.UnexpectedAnswer)):
        list(
            client.list_all(
                "crm.deal.list", params={"filter": {"CATEGORY_ID": 0}, "select": ["ID", "CATEGORY_ID"]},
                check=lambda row: row["CATEGORY_ID"] == "0",
            )
        )  # fmt: skip


def test_a_write_that_was_cut_off_is_reported_as_unknown(portal, client):
    portal.fault("drop_after_commit", "crm.contact.update")
    contact = stored_ids(portal, "contact")[0]
    with pytest.raises(e.Unreachable) as caught:
        client.call("crm.contact.update", {"id": contact, "fields": {"POST": "директор"}})
    assert caught.value.executed is None
    assert client.call("crm.contact.get", {"id": contact}).result["POST"] == "директор"
    portal.fault("drop_after_commit", "crm.contact.update")
    fields = {"id": contact, "fields": {"POST": "инженер & ко, 50% [#1]"}}
    assert client.call("crm.contact.update", fields, idempotent=True).result
    assert (
        client.call("crm.contact.get", {"id": contact}).result["POST"] == "инженер & ко, 50% [#1]"
    )


def test_a_renamed_portal_is_followed(portal, client, http, auth):
    expected = stored_ids(portal, "deal")
    port = portal.domain.partition(":")[2]
    portal.control("rename", {"domain": f"localhost:{port}"})
    try:
        assert deals(client) == expected
        assert client.endpoint == f"http://localhost:{port}/rest/"
    finally:
        portal.control("rename", {"domain": portal.domain})


def test_a_batch_writes_what_was_meant(portal, client):
    contacts = stored_ids(portal, "contact")
    text = "Ещё & #1 + 100% [x]=y?"
    commands = {
        f"contact_{number}": ("crm.contact.update", {"id": number, "fields": {"POST": text}})
        for number in [*contacts, 10**9]
    }
    made = client.batch(commands)
    assert list(made.results) == [f"contact_{number}" for number in contacts]
    assert [type(error) for error in made.errors.values()] == [e.NotFound]
    rows = client.list_all("crm.contact.list", params={"select": ["ID", "POST"]})
    assert {row["POST"] for page in rows for row in page.rows} == {text}


def test_refusals_have_their_classes(portal, client, http):
    with pytest.raises(e.MethodNotFound):
        client.call("crm.no.such.method")
    with pytest.raises(e.NotFound):
        client.call("crm.deal.get", {"id": 10**9})
    with pytest.raises(e.InvalidValue):
        client.call("crm.item.list", {"entityTypeId": 2, "filter": {"noSuchField": 1}})
    narrow = Client(portal.webhook(1, ["user"]), Webhook(), Limiter("p"), http)
    with pytest.raises(e.InsufficientScope):
        narrow.call("crm.deal.list")


def test_a_webhook_reads_too(portal, http):
    hook = Client(portal.webhook(1, ["crm"]), Webhook(), Limiter("p", limits=Limits.off()), http)
    assert deals(hook) == stored_ids(portal, "deal")


@pytest.fixture
def limited(portal):
    """Order limits for the portal; they end with the test."""

    def order(**settings):
        portal.control("limits", {"enabled": True, **settings})

    yield order
    portal.control(
        "limits",
        {"enabled": False, "bucket_size": 50, "drain_per_second": 2, "operating_limit": 480},
    )


def test_the_bucket_is_kept_without_refusals(portal, http, auth, limited, redis_url):
    limited(bucket_size=8, drain_per_second=10)
    portal.control("counters/reset", {})
    with redis.Redis.from_url(redis_url) as shared:
        client = client_of(
            portal, http, auth, Limits(burst=8, per_second=10), redis_client=shared
        )  # fmt: skip
        started = time.monotonic()
        for _ in range(25):
            client.call("profile")
    spent = time.monotonic() - started
    assert spent < 1.1 * (25 - 8) / 10 + 1
    assert refusals(portal, "QUERY_LIMIT_EXCEEDED") <= 1


@pytest.mark.parametrize(("billing", "at_most"), [("method", 1), ("batch", 2), ("both", 2)])
def test_used_up_time_is_respected_with_at_most_one_refusal(
    portal, http, auth, limited, billing, at_most
):
    limited(bucket_size=0, operating_limit=2.0, page_seconds=0.3, floor=0.0, billing=billing)
    portal.control("counters/reset", {})
    client = client_of(portal, http, auth, Limits(per_second=float("inf"), operating_seconds=480))
    for _ in range(12):
        try:
            deals(client)
        except e.OperationTimeLimit as error:
            waits = error.retry_after
    assert 0 < waits <= 600
    assert 1 <= refusals(portal, "OPERATION_TIME_LIMIT") <= at_most
    assert client.call("crm.contact.fields").result


@pytest.mark.parametrize("billing", ["method", "batch", "both"])
def test_no_method_is_refused_twice_in_a_window(portal, http, auth, limited, billing):
    limited(
        bucket_size=0, operating_limit=10.0, page_seconds=0.3, write_seconds=0.3, billing=billing
    )
    client = client_of(portal, http, auth, Limits.off())
    number = stored_ids(portal, "contact")[0]
    reads = {f"c{n}": ("crm.contact.get", {"id": number}) for n in range(100)}
    writes = {
        f"c{n}": ("crm.contact.update", {"id": number, "fields": {"POST": "инженер"}})
        for n in range(100)
    }
    for commands in (reads, writes, reads, writes):
        with suppress(e.OperationTimeLimit):
            made = client.batch(commands)
            assert {type(error) for error in made.errors.values()} == {e.OperationTimeLimit}
    entries = portal.control("log?since=0&limit=10000")
    refused = Counter(x["method"] for x in entries if x["error"] == "OPERATION_TIME_LIMIT")
    assert set(refused) <= {"crm.contact.get", "crm.contact.update", "batch"}
    assert set(refused.values()) == {1}


def refusals(portal, code):
    return sum(
        number for name, number in portal.counters().items() if re.search(code, name, re.IGNORECASE)
    )
