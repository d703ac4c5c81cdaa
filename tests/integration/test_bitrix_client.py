"""One call: repetition, renewal, redirects, refusals, and what is told about it."""

from __future__ import annotations

import orjson
import pytest
import requests
import responses
from support.scripted import (
    HOST,
    UNLIMITED,
    FakeAuth,
    FakeTime,
    ScriptedPortal,
    error,
    make_client,
    took,
)

from core.http import Http
from integration.bitrix import errors as e
from integration.bitrix.client import Client, Webhook
from integration.bitrix.limiter import Limiter, Limits
from integration.bitrix.retry import is_read

OK = {"result": {"ID": "1"}, "time": took()}


@pytest.fixture
def clock():
    return FakeTime()


@pytest.fixture
def portal():
    with responses.RequestsMock(assert_all_requests_are_fired=False) as mock:
        yield ScriptedPortal(mock)


def test_an_answer_is_read(portal, clock):
    portal.script = [{"result": [1], "total": "7", "next": 50, "time": took(operating=1.5)}]
    made = make_client(clock).call("crm.deal.list", {"select": ["ID"]})
    assert (made.result, made.total, made.next, made.time.operating) == ([1], 7, 50, 1.5)
    assert portal.requests[0][:2] == ("crm.deal.list", {"select": ["ID"], "auth": "t1"})


def test_time_is_read_however_it_comes(portal, clock):
    portal.script = [
        {"result": 1},
        {"result": 1, "time": []},
        {"result": 1, "time": {"start": 5, "duration": "0.5", "operating_reset_at": "2026-01-01T00:00:00+00:00",
                               "date_start": "2026-01-01T03:00:00+03:00"}},
    ]  # fmt: skip
    client = make_client(clock)
    assert client.call("profile").time.operating is None
    assert client.call("profile").time.duration == 0
    time = client.call("profile").time
    assert (time.start, time.duration, time.operating_reset_at) == (5.0, 0.5, 1767225600.0)
    assert time.started_at.isoformat() == "2026-01-01T03:00:00+03:00"


@pytest.mark.parametrize("code", ["", 0, "Invalid identifier.", None])
def test_the_error_key_decides_not_its_truth(portal, clock, code):
    portal.script = [(200, {"error": code, "error_description": "Not found", "result": []})]
    with pytest.raises(e.BitrixError):
        make_client(clock).call("crm.deal.get", {"id": 1})


def test_too_many_requests_is_repeated_with_growing_pauses_even_for_writes(portal, clock):
    portal.script = [error(503, "QUERY_LIMIT_EXCEEDED")] * 5 + [OK]
    make_client(clock, limits=UNLIMITED).call("crm.contact.add", {"fields": {}})
    assert len(portal.requests) == 6
    assert clock.slept == [0.5, 1.0, 2.0, 4.0, 8.0]


def test_too_many_requests_does_not_go_on_for_ever(portal, clock):
    portal.script = [error(503, "QUERY_LIMIT_EXCEEDED")] * 99
    with pytest.raises(e.RateLimited):
        make_client(clock, limits=UNLIMITED, rate_limit_attempts=4).call("profile")
    assert len(portal.requests) == 4


PASSING = [
    requests.exceptions.ReadTimeout("x"),
    requests.exceptions.ConnectionError("reset"),
    requests.exceptions.ChunkedEncodingError("cut"),
    (502, "<html>bad gateway</html>"),
    (500, {"error": "INTERNAL_SERVER_ERROR", "error_description": ""}),
    (200, "<html>log in</html>"),
    (200, '{"result": [1, 2'),
    (200, "[]"),
    (200, ""),
    (200, {"time": {}}),
]


@pytest.mark.parametrize("failure", PASSING, ids=str)
def test_a_read_survives_a_passing_failure(portal, clock, failure):
    portal.script = [failure, failure, OK]
    assert make_client(clock).call("crm.deal.get", {"id": 1}).result == {"ID": "1"}


@pytest.mark.parametrize("failure", PASSING, ids=str)
def test_a_write_is_not_repeated_when_it_may_have_been_executed(portal, clock, failure):
    portal.script = [failure, OK]
    with pytest.raises(e.BitrixError) as caught:
        make_client(clock).call("crm.contact.add", {"fields": {"NAME": "Анна"}})
    assert caught.value.executed is None
    assert len(portal.requests) == 1


def test_a_write_is_repeated_when_the_caller_says_it_is_idempotent(portal, clock):
    portal.script = [PASSING[0], PASSING[3], OK]
    make_client(clock).call("crm.contact.update", {"id": 1}, idempotent=True)
    assert len(portal.requests) == 3


def test_a_write_is_repeated_when_nothing_was_sent(portal, clock):
    portal.script = [requests.exceptions.ConnectTimeout("x"), OK]
    make_client(clock).call("crm.contact.add", {"fields": {}})
    assert len(portal.requests) == 2


def test_a_read_fails_after_three_attempts(portal, clock):
    portal.script = [PASSING[0]] * 9
    with pytest.raises(e.Unreachable):
        make_client(clock).call("crm.deal.list")
    assert len(portal.requests) == 3


@pytest.mark.parametrize(
    ("answer", "kind"),
    [
        (error(503, "OVERLOAD_LIMIT"), e.Overloaded),
        (error(403, "ACCESS_DENIED", "available only on commercial plans"), e.PlanWithoutRest),
        (error(401, "NO_AUTH_FOUND"), e.AuthDead),
        (error(400, "", "Access denied."), e.AccessDenied),
        ((401, "<html>"), e.UnexpectedAnswer),
    ],
)
def test_a_final_refusal_is_final(portal, clock, answer, kind):
    portal.script = [answer] * 9
    with pytest.raises(kind):
        make_client(clock).call("crm.contact.add")
    assert len(portal.requests) == 1


def test_an_expired_token_is_renewed_once_and_the_same_request_repeated(portal, clock):
    portal.script = [error(401, "expired_token"), OK]
    auth = FakeAuth()
    make_client(clock, auth).call("crm.contact.add", {"fields": {"NAME": "Анна"}})
    assert auth.renewed == ["t1"]
    first, second = (body for _, body, _ in portal.requests)
    assert first == {"fields": {"NAME": "Анна"}, "auth": "t1"}
    assert second == {"fields": {"NAME": "Анна"}, "auth": "t2"}


def test_a_token_expired_again_is_not_renewed_again(portal, clock):
    portal.script = [error(401, "expired_token")] * 3
    auth = FakeAuth()
    with pytest.raises(e.TokenExpired):
        make_client(clock, auth).call("profile")
    assert (len(auth.renewed), len(portal.requests)) == (1, 2)


def test_a_renamed_portal_is_followed_once_after_verification(portal, clock):
    location = "https://renamed.example.com/rest/crm.contact.add"
    portal.script = [(302, "", {"Location": location}), OK, OK]
    auth = FakeAuth("https://renamed.example.com/rest/")
    client = make_client(clock, auth)
    client.call("crm.contact.add", {"fields": {"NAME": "Анна"}})
    client.call("profile")
    assert auth.locations == [location]
    assert [host for _, _, host in portal.requests] == [
        "portal.example.com", "renamed.example.com", "renamed.example.com",
    ]  # fmt: skip
    assert portal.requests[0][1] == portal.requests[1][1]
    assert client.endpoint == "https://renamed.example.com/rest/"


def test_a_second_redirect_is_an_error(portal, clock):
    portal.script = [(302, "", {"Location": "https://renamed.example.com/"})] * 3
    auth = FakeAuth("https://renamed.example.com/rest/")
    with pytest.raises(e.PortalMoved):
        make_client(clock, auth).call("profile")
    assert len(portal.requests) == 2


def test_an_unverified_address_gets_nothing(portal, clock):
    class Suspicious(FakeAuth):
        def moved(self, location):
            raise e.AccessDenied("not the same portal")

    portal.script = [(302, "", {"Location": "https://evil.example.net/"})]
    with pytest.raises(e.AccessDenied):
        make_client(clock, Suspicious()).call("profile")
    assert len(portal.requests) == 1


def test_used_up_time_closes_the_method_and_only_it(portal, clock):
    portal.script = [
        {
            "result": [],
            "time": took(operating=470.0, reset_at=int(clock.now) + 120, finish=clock.now),
        },
        {"result": [], "time": took(operating=1.0)},
    ]
    client = make_client(clock)
    client.call("crm.deal.list")
    with pytest.raises(e.OperationTimeLimit) as caught:
        client.call("crm.deal.list")
    assert caught.value.retry_after == pytest.approx(120, abs=1)
    client.call("crm.contact.list")
    assert portal.methods == ["crm.deal.list", "crm.contact.list"]


def test_a_refused_method_is_not_called_again_before_its_reset(portal, clock):
    portal.script = [
        {
            "result": [],
            "time": took(operating=30.0, reset_at=int(clock.now) + 200, finish=clock.now),
        },
        error(429, "OPERATION_TIME_LIMIT"),
        {"result": [], "time": took(operating=0.1)},
    ]
    client = make_client(clock)
    client.call("crm.deal.list")
    for _ in range(5):
        with pytest.raises(e.OperationTimeLimit) as caught:
            client.call("crm.deal.list")
    assert len(portal.requests) == 2
    assert caught.value.reset_at == pytest.approx(clock.now + 200, abs=1)
    clock.now += 201
    client.call("crm.deal.list")
    assert len(portal.requests) == 3


def test_a_short_wait_for_the_reset_is_slept_through(portal, clock):
    portal.script = [
        error(429, "OPERATION_TIME_LIMIT", time={"operating_reset_at": clock.now + 8}),
        {"result": 5, "time": took()},
    ]
    assert make_client(clock).call("crm.deal.list").result == 5
    assert sum(clock.slept) == pytest.approx(8, abs=0.1)


def test_the_clock_of_the_portal_may_be_wrong(portal, clock):
    theirs = clock.now + 3600
    portal.script = [
        {"result": [], "time": took(operating=470.0, reset_at=theirs + 60, finish=theirs)},
    ]
    client = make_client(clock)
    client.call("crm.deal.list")
    with pytest.raises(e.OperationTimeLimit) as caught:
        client.call("crm.deal.list")
    assert caught.value.retry_after == pytest.approx(60, abs=1)


def test_a_webhook_has_no_token(portal, clock):
    portal.script = [
        OK,
        error(401, "expired_token"),
        (302, "", {"Location": "https://x.example.com/"}),
    ]
    client = Client(HOST + "/rest/1/secret0123456", Webhook(), Limiter("p"), Http())
    client.call("profile")
    assert "auth" not in portal.requests[0][1]
    with pytest.raises(e.TokenExpired):
        client.call("profile")
    with pytest.raises(e.PortalMoved):
        client.call("profile")


def test_no_secret_gets_into_errors_or_records(portal, clock):
    portal.script = [requests.exceptions.ReadTimeout(HOST + "/rest/1/secret0123456/?auth=t1")] * 3
    client = make_client(clock)
    client.endpoint = HOST + "/rest/1/secret0123456/"
    with pytest.raises(e.Unreachable) as caught:
        client.call("profile", {"x": "personal"})
    told = f"{caught.value!r} {caught.value.detail} {client.records}"
    for leak in ("secret0123456", "t1", "personal"):
        assert leak not in told


def test_every_exchange_is_recorded(portal, clock):
    portal.script = [error(503, "QUERY_LIMIT_EXCEEDED"), OK]
    client = make_client(clock)
    client.call("profile")
    assert [(r.method, r.status, r.error) for r in client.records] == [
        ("profile", 503, "QUERY_LIMIT_EXCEEDED"), ("profile", 200, ""),
    ]  # fmt: skip


def test_reads_and_writes_are_told_apart():
    reads = ["crm.deal.list", "crm.item.get", "user.current", "CRM.Deal.Fields", "profile", "scope"]
    writes = [
        "crm.deal.update",
        "event.bind",
        "event.offline.get",
        "crm.item.batchImport",
        "batch",
        "event.test",
    ]
    assert all(is_read(name) for name in reads)
    assert not any(is_read(name) for name in writes)


def test_a_small_list_follows_next(portal, clock):
    portal.script = [
        {"result": {"categories": [1, 2]}, "next": 50, "time": took()},
        {"result": {"categories": {"0": 3}}, "time": took()},
    ]
    pages = make_client(clock).list_pages(
        "crm.category.list", {"entityTypeId": 2}, items_path=("categories",)
    )
    assert list(pages) == [[1, 2], [3]]
    assert [body["start"] for _, body, _ in portal.requests] == [0, 50]


def test_a_small_list_does_not_turn_in_circles(portal, clock):
    portal.handler = lambda *_: {"result": [1], "next": 50}
    with pytest.raises(e.PageMismatch):
        list(make_client(clock).list_pages("crm.status.list"))
    assert len(portal.requests) == 2


def test_the_first_burst_passes_and_then_the_bucket_sets_the_pace(portal, clock):
    portal.handler = lambda *_: OK
    client = make_client(clock, limits=Limits(burst=50, per_second=2, headroom=0))
    for _ in range(50):
        client.call("profile")
    assert clock.slept == []
    started = clock.now
    for _ in range(20):
        client.call("profile")
    assert clock.now - started == pytest.approx(10, abs=0.1)


def test_a_huge_answer_is_one_error(clock):
    http = Http(max_bytes=1000)
    client = Client(HOST + "/rest/", FakeAuth(), Limiter("p", limits=UNLIMITED), http)
    with responses.RequestsMock() as mock:
        mock.post(HOST + "/rest/crm.deal.list", body=orjson.dumps({"result": ["x" * 5000]}))
        with pytest.raises(e.UnexpectedAnswer):
            client.call("crm.deal.list")
        assert len(mock.calls) == 1
