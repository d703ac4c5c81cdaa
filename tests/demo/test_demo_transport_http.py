"""The demo portal over real HTTP: formats of calls, order of checks, faults, limits, rename."""

from __future__ import annotations

import time

import pytest
import requests

WINDOW = {"enabled": True, "bucket_size": 3, "drain_per_second": 2, "operating_limit": 480}


@pytest.fixture
def http():
    with requests.Session() as session:
        yield session


@pytest.fixture
def hook(portal):
    return portal.webhook()


def call(http, url, method, **params):
    answer = http.post(f"{url}{method}", json=params, timeout=30, allow_redirects=False)
    return answer.status_code, answer.json()


def test_every_form_of_request_gives_the_same_rows(http, hook):
    address = f"{hook}crm.deal.list"
    nested = {"filter": {">ID": 5}, "select": ["ID"], "order": {"ID": "ASC"}, "start": -1}
    flat = [("filter[>ID]", "5"), ("select[]", "ID"), ("order[ID]", "ASC"), ("start", "-1")]
    files = [(name, (None, value)) for name, value in flat]
    answers = [
        http.get(address, params=flat),
        http.get(f"{address}.json", params=flat),
        http.get(address.replace("crm.deal.list", "CRM.Deal.List"), params=flat),
        http.post(address, json=nested),
        http.post(address, data=flat),
        http.post(address, files=files),
        http.post(address, params=[("start", "0"), *flat[:3]], json={"start": -1}),
    ]
    results = [answer.json()["result"] for answer in answers]
    assert results[0][0] == {"ID": "6"}
    assert len(results[0]) == 50
    assert all(result == results[0] for result in results)


def test_malformed_json_is_an_empty_set_of_parameters(http, hook):
    headers = {"Content-Type": "application/json"}
    answer = http.post(f"{hook}crm.deal.get", data='{"id": 5', headers=headers).json()
    assert answer["error"] == ""
    assert "ID" in answer["error_description"]


def test_success_and_error_envelopes(http, portal, hook):
    portal.control("limits", {"enabled": True})
    _, body = call(http, hook, "crm.deal.list", select=["ID"])
    assert set(body) == {"result", "total", "next", "time"}
    block = body["time"]
    assert {"start", "finish", "duration", "processing"} < block.keys()
    assert {"operating", "operating_reset_at"} < block.keys()
    assert block["date_start"].endswith("+03:00")
    portal.control("options", {"mode": "box"})
    _, body = call(http, hook, "crm.deal.list", select=["ID"])
    assert "operating" not in body["time"]
    status, body = call(http, hook, "crm.deal.get", id=10**9)
    assert (status, body) == (400, {"error": "", "error_description": "Not found"})


def test_checks_come_in_the_portals_order(http, portal):
    narrow = portal.webhook(scopes=["im"])
    dead = f"{portal.url}/rest/1/no-such-secret/"
    portal.control("limits", WINDOW | {"bucket_size": 1})
    assert call(http, dead, "no.such.method")[1]["error"] == "ERROR_METHOD_NOT_FOUND"
    assert call(http, dead, "crm.deal.list")[1]["error"] == "INVALID_CREDENTIALS"
    assert call(http, f"{portal.url}/rest/", "profile")[1]["error"] == "NO_AUTH_FOUND"
    assert call(http, f"{portal.url}/rest/", "profile", auth="?")[1]["error"] == "invalid_token"
    status, body = call(http, narrow, "crm.deal.list")
    assert (status, body["error"]) == (503, "QUERY_LIMIT_EXCEEDED") or status == 403
    portal.control("limits", {"enabled": False})
    status, body = call(http, narrow, "crm.deal.list")
    assert (status, body["error"]) == (403, "insufficient_scope")


def test_dismissed_user_loses_access(http, portal, hook):
    assert call(http, hook, "scope")[0] == 200
    order = {"table": "user", "action": "update", "id": 1, "fields": {"ACTIVE": False}}
    portal.control("mutate", order)
    status, body = call(http, hook, "scope")
    assert (status, body["error"]) == (401, "authorization_error")


def test_bucket_refuses_the_excess_and_recovers(http, portal, hook):
    portal.control("limits", WINDOW)
    statuses = [call(http, hook, "scope")[0] for _ in range(5)]
    assert statuses == [200, 200, 200, 503, 503]
    time.sleep(0.6)
    assert call(http, hook, "scope")[0] == 200


def test_operating_blocks_one_method_until_the_clock_moves_on(http, portal, hook):
    portal.control("limits", {"enabled": True, "bucket_size": 0, "page_seconds": 300.0})
    assert call(http, hook, "crm.deal.list")[1]["time"]["operating"] == 300
    assert call(http, hook, "crm.deal.list")[1]["time"]["operating"] == 600
    status, body = call(http, hook, "crm.deal.list")
    assert (status, body["error"]) == (429, "OPERATION_TIME_LIMIT")
    assert call(http, hook, "crm.contact.list")[0] == 200
    batch = call(http, hook, "batch", cmd={"d": "crm.deal.list"})
    assert batch[0] == 200
    assert batch[1]["result"]["result_error"]["d"]["error"] == "OPERATION_TIME_LIMIT"
    portal.control("clock", {"offset_seconds": 660})
    assert call(http, hook, "crm.deal.list")[0] == 200


@pytest.mark.parametrize(
    ("rule", "status", "starts"),
    [
        ({"kind": "html", "status": 502}, 502, b"<html"),
        ({"kind": "html", "status": 200}, 200, b"<html"),
        ({"kind": "truncate"}, 200, b'{"result"'),
        ({"kind": "error", "status": 200, "code": "ACCESS_DENIED"}, 200, b'{"error":"ACCESS'),
        ({"kind": "error", "status": 503, "code": "OVERLOAD_LIMIT"}, 503, b'{"error":"OVERLOAD'),
        ({"kind": "content_type", "body": "text/plain"}, 200, b'{"result"'),
    ],
)
def test_spoilt_answers_once_then_good_ones(http, portal, hook, rule, status, starts):
    portal.fault(match="crm.deal.list", **rule)
    answer = http.post(f"{hook}crm.deal.list", json={})
    assert answer.status_code == status
    assert answer.content.startswith(starts)
    if rule["kind"] in ("html", "truncate"):
        with pytest.raises(requests.JSONDecodeError):
            answer.json()
    if rule["kind"] == "content_type":
        assert answer.headers["Content-Type"].startswith("text/plain")
    assert call(http, hook, "crm.deal.list")[0] == 200


@pytest.mark.parametrize("kind", ["cut", "drop", "drop_after_commit"])
def test_broken_connections(http, portal, hook, kind):
    portal.fault(kind, match="crm.contact.update")
    params = {"id": 1, "fields": {"COMMENTS": f"written by {kind}"}}
    with pytest.raises(requests.RequestException):
        requests.post(f"{hook}crm.contact.update", json=params, timeout=5)
    row = portal.control("rows/contact?ids=1")[0]
    assert (row.get("COMMENTS") == f"written by {kind}") is (kind != "drop")
    assert call(http, hook, "crm.contact.update", **params)[1]["result"] is True


def test_delay_is_longer_than_an_impatient_client_waits(portal, hook):
    portal.fault("delay", match="scope", seconds=1.0)
    with pytest.raises(requests.ReadTimeout):
        requests.get(f"{hook}scope", timeout=0.2)
    assert requests.get(f"{hook}scope", timeout=5).status_code == 200


@pytest.mark.parametrize("kind", ["huge", "gzip_bomb"])
def test_endless_answers_are_streamed(http, portal, hook, kind):
    portal.fault(kind, match="scope", size=64 << 20)
    with http.get(f"{hook}scope", stream=True, timeout=20) as answer:
        read = sum(len(chunk) for chunk in answer.iter_content(1 << 20))
    assert read == 64 << 20
    assert http.get(f"{hook}scope").status_code == 200


def test_redirect_elsewhere(http, portal, hook):
    portal.fault("redirect", match="scope", location="http://attacker.example/rest/")
    answer = http.post(f"{hook}scope", allow_redirects=False)
    assert answer.status_code == 302
    assert answer.headers["Location"] == "http://attacker.example/rest/"


def test_page_that_ignores_its_filter_repeats_or_hides_rows(http, portal, hook):
    params = {"filter": {">ID": 40}, "order": {"ID": "ASC"}, "select": ["ID"], "start": -1}
    good = [row["ID"] for row in call(http, hook, "crm.deal.list", **params)[1]["result"]]
    spoilt = {}
    for kind in ("bad_rows", "duplicate_rows", "hide_rows"):
        portal.fault(kind, match="crm.deal.list")
        command = "crm.deal.list?start=-1&filter[>ID]=40&order[ID]=ASC&select[]=ID"
        body = call(http, hook, "batch", cmd={"a": command})[1]
        spoilt[kind] = [row["ID"] for row in body["result"]["result"]["a"]]
    assert spoilt["bad_rows"][0] == "1"
    assert spoilt["duplicate_rows"] == [*good, good[0]]
    assert spoilt["hide_rows"] == good[1::2]


def test_renamed_portal_redirects_from_its_old_name(http, portal, hook):
    domain = portal.domain.replace("127.0.0.1", "localhost")
    portal.control("rename", {"domain": domain})
    answer = http.post(f"{hook}scope?x=1", json={}, allow_redirects=False)
    assert answer.status_code == 302
    location = answer.headers["Location"]
    assert location == f"{hook.replace(portal.domain, domain)}scope?x=1"
    assert http.post(location, json={}).json()["result"]


def test_wall_clock_kills_a_long_batch_half_done(http, portal, hook):
    portal.control("options", {"wall_clock": 60})
    portal.control("limits", {"enabled": True, "bucket_size": 0, "write_seconds": 25.0})
    cmd = {f"c{n}": f"crm.contact.update?id={n}&fields[COMMENTS]=done" for n in (1, 2, 3, 4)}
    answer = http.post(f"{hook}batch", json={"cmd": cmd})
    assert answer.status_code == 504
    rows = portal.control("rows/contact?ids=1,2,3,4")
    assert [row.get("COMMENTS") == "done" for row in rows] == [True, True, True, False]


def test_batch_comes_as_json_form_or_query(http, hook):
    command = "crm.deal.list?filter[>ID]=3&select[]=ID&start=-1"
    answers = [
        http.post(f"{hook}batch", json={"cmd": {"a": command}, "halt": 0}),
        http.post(f"{hook}batch", data={"cmd[a]": command, "halt": "0"}),
        http.get(f"{hook}batch.json", params={"cmd[a]": command}),
    ]
    pages = [answer.json()["result"]["result"]["a"] for answer in answers]
    assert pages[0][0] == {"ID": "4"}
    assert pages[1:] == pages[:1] * 2


def test_simulated_seconds_are_really_slept_when_asked(http, portal, hook):
    portal.control("limits", {"page_seconds": 0.2})
    portal.control("options", {"sleep": True})
    started = time.monotonic()
    body = call(http, hook, "batch", cmd={"a": "crm.deal.list", "b": "crm.lead.list"})[1]
    assert time.monotonic() - started >= 0.4
    assert body["time"]["duration"] == pytest.approx(0.4)
    assert body["result"]["result_time"]["a"]["processing"] == 0.2


def test_harsher_portal_counts_requests_before_looking_at_the_token(http, portal):
    portal.control("limits", {"enabled": True, "bucket_size": 2, "drain_per_second": 0.01})
    wrong = f"{portal.url}/rest/1/no-such-secret/"
    assert {call(http, wrong, "scope")[0] for _ in range(4)} == {401}
    portal.control("options", {"bucket_first": True})
    assert [call(http, wrong, "scope")[0] for _ in range(4)] == [401, 401, 503, 503]


def test_unpaid_portal_refuses_everything(http, portal, hook):
    portal.control("options", {"payment_required": True})
    status, body = call(http, hook, "scope")
    assert (status, body["error"]) == (401, "PAYMENT_REQUIRED")


def test_rest_3_has_no_crm_methods(http, portal, hook):
    secret = hook.rstrip("/").rpartition("/")[2]
    answer = http.post(f"{portal.url}/rest/api/1/{secret}/crm.deal.list", json={})
    assert (answer.status_code, answer.json()["error"]) == (404, "ERROR_METHOD_NOT_FOUND")
