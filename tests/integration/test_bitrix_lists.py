"""Whole lists: nothing lost, nothing doubled, nothing believed unchecked."""

from __future__ import annotations

import re
import threading

import pytest
import requests
import responses
from hypothesis import given, settings
from hypothesis import strategies as st
from support.scripted import UNLIMITED, FakeTime, ScriptedPortal, commands_of, make_client, took

from integration.bitrix import errors as e
from integration.bitrix.limiter import Limits


@pytest.fixture
def clock():
    return FakeTime()


@pytest.fixture
def portal():
    with responses.RequestsMock(assert_all_requests_are_fired=False) as mock:
        yield ScriptedPortal(mock)


class Rows:
    """A list method with the portal's quirks: an unresolved reference reads from the start."""

    def __init__(self, ids, item=False, seconds=0.05):
        self.ids = sorted(ids)
        self.item = item
        self.seconds = seconds
        self.pages = 0
        self.fail = {}
        self.operating = 0.0

    def page(self, after):
        self.pages += 1
        self.operating += self.seconds
        found = [number for number in self.ids if number > after][:50]
        if self.item:
            return {"items": [{"id": number, "title": "x"} for number in found]}
        return [{"ID": str(number)} for number in found]

    def __call__(self, method, body):
        if method != "batch":
            problem = self.fail.pop("direct", None)
            if problem:
                return problem
            assert body["start"] == -1
            (after,) = [v for k, v in body["filter"].items() if k.lower() == ">id"]
            return {"result": self.page(int(after)), "time": self.time()}
        results, errors, times = {}, {}, {}
        for key, _, params in commands_of(body):
            problem = self.fail.pop(key, None)
            if problem:
                errors[key] = problem
                if body["halt"]:
                    break
                continue
            after = params["filter[>id]" if self.item else "filter[>ID]"]
            results[key] = self.page(self.resolve(after, results))
            times[key] = self.time()
        return {
            "result": {"result": results, "result_error": errors or [], "result_time": times,
                       "result_total": [], "result_next": []},
            "time": took(),
        }  # fmt: skip

    def resolve(self, text, results):
        if not text.startswith("$result"):
            return int(text)
        node = results
        for part in re.findall(r"\[([^\]]*)\]", text):
            try:
                node = node[int(part)] if isinstance(node, list) else node[part]
            except (IndexError, KeyError):
                return 1  # PHP: (int) of an array
        return int(node)

    def time(self):
        return took(operating=self.operating, duration=self.seconds)


def read(client, **options):
    pages = list(client.list_all("crm.deal.list", **options))
    field = options.get("id_field", "ID")
    return [int(row[field]) for page in pages for row in page.rows], pages


@settings(max_examples=40, deadline=None)
@given(
    st.sets(st.integers(1, 3000), max_size=900),
    st.integers(0, 500),
    st.sampled_from([None, 0, 100, 5000]),
    st.booleans(),
    st.sampled_from([0, 1]),
)
def test_every_row_once_in_order(ids, after, hint, item, prefetch):
    with responses.RequestsMock(assert_all_requests_are_fired=False) as mock:
        portal = ScriptedPortal(mock)
        portal.handler = Rows(ids, item)
        found, pages = read(
            make_client(FakeTime(), limits=UNLIMITED),
            after_id=after, total_hint=hint, prefetch=prefetch,
            **({"id_field": "id", "items_path": ("items",)} if item else {}),
        )  # fmt: skip
    assert found == sorted(number for number in ids if number > after)
    for page in pages:
        assert page.after_id <= page.last_id
        assert all(
            page.after_id < int(row.get("ID") or row.get("id")) <= page.last_id for row in page.rows
        )
    assert [page.after_id for page in pages] == [after, *(page.last_id for page in pages[:-1])]


def test_an_exact_hint_wastes_nothing(portal, clock):
    portal.handler = rows = Rows(range(1, 9001))
    found, _ = read(make_client(clock), total_hint=9000)
    assert len(found) == 9000
    assert len(portal.requests) == 1 + 4
    assert rows.pages == 181


def test_without_a_hint_chains_grow(portal, clock):
    portal.handler = rows = Rows(range(1, 9001))
    read(make_client(clock))
    assert [len(body["cmd"]) for m, body, _ in portal.requests if m == "batch"][:3] == [5, 12, 36]
    assert rows.pages < 181 + 50


def test_a_small_list_takes_one_request(portal, clock):
    portal.handler = rows = Rows(range(1, 50))
    read(make_client(clock))
    assert (portal.methods, rows.pages) == (["crm.deal.list"], 1)


def test_the_callers_conditions_and_order_are_kept(portal, clock):
    portal.handler = Rows(range(1, 60))
    read(make_client(clock), params={"filter": {">=DATE_MODIFY": "2026-01-01"}, "select": ["ID"]})
    body = portal.requests[0][1]
    assert body["filter"] == {">=DATE_MODIFY": "2026-01-01", ">ID": 0}
    assert (body["order"], body["select"], body["start"]) == ({"ID": "ASC"}, ["ID"], -1)
    (key, method, params), *_ = commands_of(portal.requests[1][1])
    assert (key, method, params["filter[>ID]"], params["start"]) == (
        "p0",
        "crm.deal.list",
        "50",
        "-1",
    )


def test_another_way_of_sorting(portal, clock):
    portal.handler = Rows(range(1, 5))
    read(make_client(clock), order={"sort": "ID", "order": "ASC"})
    assert (portal.requests[0][1]["sort"], portal.requests[0][1]["order"]) == ("ID", "ASC")


def test_rows_that_do_not_satisfy_the_filter_are_an_error(portal, clock):
    portal.handler = Rows(range(1, 300))
    pages = []
    listed = make_client(clock).list_all("crm.deal.list", check=lambda row: int(row["ID"]) < 120)
    with pytest.raises(e.PageMismatch):
        pages.extend(listed)
    assert [page.last_id for page in pages] == [50, 100]


@pytest.mark.parametrize(
    "rows",
    [
        [{"ID": "5"}, {"ID": "4"}], [{"ID": "5"}, {"ID": "5"}], [{"ID": "0"}], [{}], [[]],
        [{"ID": None}], [{"ID": "x"}], [{"ID": True}], ["5"],
    ],
)  # fmt: skip
def test_a_page_out_of_order_or_without_ids_is_an_error(portal, clock, rows):
    portal.handler = lambda *_: {"result": rows, "time": took()}
    with pytest.raises(e.PageMismatch):
        read(make_client(clock))


@pytest.mark.parametrize("result", [5, "text", {"other": []}, True])
def test_a_result_of_a_wrong_shape_is_unexpected(portal, clock, result):
    portal.handler = lambda *_: {"result": result, "time": took()}
    with pytest.raises(e.UnexpectedAnswer):
        read(make_client(clock), items_path=("items",))


@pytest.mark.parametrize("result", [[], {"items": []}, {"items": {}}, None])
def test_nothing_comes_in_many_forms(portal, clock, result):
    portal.handler = lambda *_: {"result": result, "time": took()}
    assert read(make_client(clock), items_path=("items",))[0] == []


@pytest.mark.parametrize("where", ["p0", "p3", "p11"])
@pytest.mark.parametrize("code", ["INTERNAL_SERVER_ERROR", "QUERY_LIMIT_EXCEEDED", "expired_token"])
def test_a_failed_page_of_a_chain_is_read_again(portal, clock, where, code):
    portal.handler = rows = Rows(range(1, 1500))
    rows.fail[where] = {"error": code, "error_description": ""}
    found, _ = read(make_client(clock))
    assert found == list(range(1, 1500))
    assert all(body["halt"] == 1 for m, body, _ in portal.requests if m == "batch")


def test_a_refusal_inside_a_chain_comes_out_after_the_pages_before_it(portal, clock):
    portal.handler = rows = Rows(range(1, 1500))
    rows.fail["p2"] = {"error": "", "error_description": "Access denied."}
    listed = make_client(clock).list_all("crm.deal.list")
    pages = [next(listed)]
    rows.fail["direct"] = (400, {"error": "", "error_description": "Access denied."})
    with pytest.raises(e.AccessDenied):
        pages.extend(listed)
    assert [page.last_id for page in pages] == [50, 100, 150]


@pytest.mark.parametrize(
    "answer", [requests.exceptions.ReadTimeout("x"), (504, "<html>"), (200, '{"result":')]
)
def test_a_batch_that_breaks_is_asked_for_in_smaller_parts(portal, clock, answer):
    rows = Rows(range(1, 2001))

    def break_long_ones(method, body):
        if method == "batch" and len(body["cmd"]) > 10:
            return answer
        return rows(method, body)

    portal.handler = break_long_ones
    found, _ = read(make_client(clock))
    assert found == list(range(1, 2001))
    sizes = [len(body["cmd"]) for m, body, _ in portal.requests if m == "batch"]
    assert sum(size > 10 for size in sizes) == 1


def test_slow_pages_are_chained_less(portal, clock):
    portal.handler = Rows(range(1, 3001), seconds=4.0)
    read(make_client(clock, limits=UNLIMITED))
    assert max(len(body["cmd"]) for m, body, _ in portal.requests if m == "batch") == 10


def test_a_chain_stays_within_the_operating_budget_and_is_resumed_later(portal, clock):
    rows = Rows(range(1, 4001), seconds=2.0)
    limit, reset_at, refused = 100.0, clock.now + 600, []

    def limited(method, body):
        if method == "batch":
            for key in body["cmd"]:
                if rows.operating + rows.seconds * int(key[1:]) > limit:
                    refused.append(key)
        return rows(method, body)

    rows.time = lambda: took(
        operating=rows.operating, duration=2.0, reset_at=reset_at, finish=clock.now
    )
    portal.handler = limited
    client = make_client(clock, limits=Limits(per_second=float("inf"), operating_seconds=limit))
    pages = []
    with pytest.raises(e.OperationTimeLimit) as caught:
        pages.extend(client.list_all("crm.deal.list"))
    assert 0 < rows.operating <= limit
    assert refused == []
    assert caught.value.retry_after == pytest.approx(600, abs=1)
    clock.now += 601
    rows.operating, reset_at = 0.0, clock.now + 600
    with pytest.raises(e.OperationTimeLimit):
        pages.extend(client.list_all("crm.deal.list", after_id=pages[-1].last_id))
    found = [int(row["ID"]) for page in pages for row in page.rows]
    assert found == list(range(1, len(found) + 1))
    assert len(found) > 2000


def test_when_batches_are_closed_pages_go_one_by_one(portal, clock):
    portal.handler = Rows(range(1, 301))
    client = make_client(clock)
    client.limiter.close("batch", clock.now + 500)
    found, _ = read(client)
    assert found == list(range(1, 301))
    assert set(portal.methods) == {"crm.deal.list"}


def test_prefetch_asks_ahead_and_hands_errors_over(portal, clock):
    portal.handler = rows = Rows(range(1, 5001))
    pages = make_client(clock, limits=UNLIMITED).list_all("crm.deal.list", prefetch=1)
    next(pages)
    for _ in range(200):
        if len(portal.requests) >= 2:
            break
        threading.Event().wait(0.01)
    assert len(portal.requests) >= 2
    rows.fail["direct"] = (401, {"error": "NO_AUTH_FOUND", "error_description": ""})
    rows.fail["p0"] = {"error": "", "error_description": "?"}
    with pytest.raises(e.AuthDead):
        list(pages)


def test_leaving_a_prefetched_list_ends_its_thread(portal, clock):
    portal.handler = Rows(range(1, 5001))
    pages = make_client(clock, limits=UNLIMITED).list_all("crm.deal.list", prefetch=1)
    next(pages)
    (thread,) = [t for t in threading.enumerate() if t.name == "ahead"]
    pages.close()
    thread.join(5)
    assert not thread.is_alive()
