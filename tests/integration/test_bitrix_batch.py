"""Batches: splitting, order, replays of single commands, halt, budgets, odd shapes."""

from __future__ import annotations

import re
from collections import Counter

import pytest
import requests
import responses
from hypothesis import given, settings
from hypothesis import strategies as st
from support.scripted import (
    UNLIMITED,
    FakeAuth,
    FakeTime,
    ScriptedPortal,
    commands_of,
    error,
    make_client,
    took,
)

from integration.bitrix import errors as e
from integration.bitrix.answers import Time


@pytest.fixture
def clock():
    return FakeTime()


@pytest.fixture
def portal():
    with responses.RequestsMock(assert_all_requests_are_fired=False) as mock:
        yield ScriptedPortal(mock)


def sections(results=None, errors=None, times=None, **more):
    """A batch's answer, with PHP's empty arrays."""
    return {
        "result": {
            "result": results or [], "result_error": errors or [], "result_total": [],
            "result_next": [], "result_time": times or [], **more,
        },
        "time": took(),
    }  # fmt: skip


def echo(_method, body):
    """Each command answers with its ID parameter."""
    found = {key: params.get("ID") for key, _, params in commands_of(body)}
    return sections(found, times={key: took(operating=0.1) for key in found})


def refuse(code, status=400):
    return {"error": code, "error_description": "", "status": status}


def updates(count):
    return {f"contact_{n}": ("crm.contact.update", {"ID": n}) for n in range(count)}


@settings(max_examples=25, deadline=None)
@given(st.lists(st.integers(0, 10_000), unique=True, max_size=130))
def test_split_and_merge_keep_order_and_lose_nothing(numbers):
    with responses.RequestsMock(assert_all_requests_are_fired=False) as mock:
        portal = ScriptedPortal(mock)
        portal.handler = echo
        commands = {f"k{n}": ("crm.deal.get", {"ID": n}) for n in numbers}
        client = make_client(FakeTime(), limits=UNLIMITED)
        client.limiter.record({"crm.deal.get": Time(duration=0.1)})
        made = client.batch(commands)
    assert list(made.results) == list(commands)
    assert list(made.results.values()) == [str(n) for n in numbers]
    assert [len(body["cmd"]) for _, body, _ in portal.requests] == (
        [50] * (len(numbers) // 50) + ([len(numbers) % 50] if len(numbers) % 50 else [])
    )


def test_a_failed_command_does_not_hurt_the_others(portal, clock):
    portal.script = [
        sections(
            {"contact_0": True, "contact_2": True},
            {"contact_1": {"error": "", "error_description": "Not found"}},
        )
    ]
    made = make_client(clock).batch(updates(3))
    assert made.results == {"contact_0": True, "contact_2": True}
    assert type(made.errors["contact_1"]) is e.NotFound
    with pytest.raises(e.NotFound):
        made.answer("contact_1")
    assert portal.requests[0][1]["halt"] == 0


def test_empty_sections_are_lists_and_that_is_fine(portal, clock):
    portal.script = [
        sections({"a": []}),
        sections([], {"a": {"error": "", "error_description": "x"}}),
    ]
    client = make_client(clock)
    assert client.batch({"a": ("crm.deal.list", {})}).results == {"a": []}
    assert list(client.batch({"a": ("crm.deal.list", {})}).errors) == ["a"]


@pytest.mark.parametrize("answer", [{"result": []}, {"result": {"result": [1]}}, {"result": 5}])
def test_a_batch_without_proper_sections_is_unexpected(portal, clock, answer):
    portal.handler = lambda *_: answer
    with pytest.raises(e.UnexpectedAnswer):
        make_client(clock).batch({"a": ("crm.deal.list", {})})


def test_a_command_nobody_speaks_of_has_an_error(portal, clock):
    portal.script = [sections({"contact_0": True})]
    made = make_client(clock).batch(updates(2))
    assert type(made.errors["contact_1"]) is e.UnexpectedAnswer
    assert made.errors["contact_1"].executed is None


def test_under_halt_the_rest_is_skipped_even_of_later_requests(portal, clock):
    portal.script = [
        sections(
            {"contact_0": True}, {"contact_1": {"error": "", "error_description": "Not found"}}
        )
    ]
    made = make_client(clock).batch(updates(70), halt=True)
    assert list(made.results) == ["contact_0"]
    assert list(made.errors) == ["contact_1"]
    assert made.skipped == tuple(f"contact_{n}" for n in range(2, 70))
    assert len(portal.requests) == 1


@pytest.mark.parametrize("key", ["0", "12", "", "a b", "a[b]", "ключ"])
def test_keys_that_php_would_renumber_are_refused(clock, key):
    with pytest.raises(ValueError, match="key"):
        make_client(clock).batch({key: ("profile", {})})


def test_a_token_expired_inside_is_renewed_and_only_those_commands_are_repeated(portal, clock):
    portal.script = [
        sections({"contact_0": True, "contact_3": True}, {
            "contact_1": {"error": "expired_token", "error_description": ""},
            "contact_2": {"error": "expired_token", "error_description": ""},
        }),
        sections({"contact_1": True, "contact_2": True}),
    ]  # fmt: skip
    auth = FakeAuth()
    made = make_client(clock, auth).batch(updates(4))
    assert auth.renewed == ["t1"]
    assert list(made.results) == [f"contact_{n}" for n in range(4)]
    assert not made.errors
    assert list(portal.requests[1][1]["cmd"]) == ["contact_1", "contact_2"]
    assert portal.requests[1][1]["auth"] == "t2"


def test_a_token_expired_for_the_whole_batch(portal, clock):
    portal.script = [error(401, "expired_token"), sections({"contact_0": True})]
    assert make_client(clock).batch(updates(1)).results == {"contact_0": True}
    assert portal.requests[0][1]["cmd"] == portal.requests[1][1]["cmd"]


def test_a_token_that_keeps_expiring_ends_as_an_error(portal, clock):
    portal.handler = lambda *_: sections(
        [], {"contact_0": {"error": "expired_token", "error_description": ""}}
    )
    auth = FakeAuth()
    made = make_client(clock, auth).batch(updates(1))
    assert type(made.errors["contact_0"]) is e.TokenExpired
    assert auth.renewed == ["t1"]


def test_commands_refused_for_haste_are_repeated(portal, clock):
    portal.script = [
        sections({"contact_0": True}, {"contact_1": {"error": "QUERY_LIMIT_EXCEEDED", "error_description": ""}}),
        sections({"contact_1": True}),
    ]  # fmt: skip
    made = make_client(clock).batch(updates(2))
    assert made.results == {"contact_0": True, "contact_1": True}
    assert list(portal.requests[1][1]["cmd"]) == ["contact_1"]


def test_a_broken_replay_does_not_lose_the_other_results(portal, clock):
    portal.script = [
        sections(
            {"contact_0": True},
            {"contact_1": {"error": "QUERY_LIMIT_EXCEEDED", "error_description": ""}},
        ),
        requests.exceptions.ReadTimeout("x"),
    ]
    made = make_client(clock).batch(updates(2))
    assert made.results == {"contact_0": True}
    assert type(made.errors["contact_1"]) is e.Unreachable


def test_used_up_time_inside_closes_the_method_and_stops_the_rest(portal, clock):
    reset = clock.now + 300

    def refuse_from_third(_method, body):
        keys = list(body["cmd"])
        return sections(
            dict.fromkeys(keys[:2], True),
            {key: {"error": "OPERATION_TIME_LIMIT", "error_description": ""} for key in keys[2:]},
            {key: took(operating=20.0, reset_at=reset, finish=clock.now) for key in keys[:2]},
        )

    portal.handler = refuse_from_third
    made = make_client(clock).batch(updates(120))
    assert len(portal.requests) == 1
    assert len(made.results) == 2
    assert len(made.errors) == 118
    assert all(type(error) is e.OperationTimeLimit for error in made.errors.values())
    assert made.errors["contact_2"].reset_at == pytest.approx(reset, abs=1)
    assert made.errors["contact_119"].executed is False
    assert made.errors["contact_119"].retry_after == pytest.approx(300, abs=1)


def test_a_closed_method_does_not_stop_another(portal, clock):
    portal.handler = echo
    client = make_client(clock)
    client.limiter.close("crm.contact.update", clock.now + 300)
    commands = {**updates(60), "company_1": ("crm.company.update", {"ID": 1})}
    made = client.batch(commands)
    assert list(made.results) == ["company_1"]
    assert len(made.errors) == 60
    assert len(portal.requests) == 1


def test_slow_commands_are_sent_fewer_at_a_time(portal, clock):
    def slow(_method, body):
        found = dict.fromkeys(body["cmd"], True)
        return sections(found, times={key: took(duration=4.0, operating=4.0) for key in found})

    portal.handler = slow
    client = make_client(clock, limits=UNLIMITED)
    client.batch(updates(1))
    client.batch(updates(25))
    assert [len(body["cmd"]) for _, body, _ in portal.requests] == [1, 10, 10, 5]


def test_a_method_of_unknown_cost_is_tried_on_a_few(portal, clock):
    portal.handler = echo
    client = make_client(clock, limits=UNLIMITED)
    client.batch(updates(130))
    client.batch(updates(100))
    assert [len(body["cmd"]) for _, body, _ in portal.requests] == [10, 50, 50, 20, 50, 50]


class Exhaustible:
    """A portal that runs commands of half a second until `limit` seconds of a method are used up.

    Commands named in `missing` fail for a reason of their own.
    """

    def __init__(self, limit, missing=()):
        self.limit, self.missing = limit, set(missing)
        self.used, self.refused = Counter(), Counter()

    def __call__(self, _method, body):
        results, failures, times = {}, {}, {}
        for key, method, _ in commands_of(body):
            if self.used[method] > self.limit:
                self.refused[method] += 1
                failures[key] = {"error": "OPERATION_TIME_LIMIT", "error_description": ""}
            else:
                self.used[method] += 0.5
                times[key] = took(operating=self.used[method], duration=0.5)
                if key in self.missing:
                    failures[key] = {"error": "", "error_description": "Not found"}
                else:
                    results[key] = True
            if failures and body["halt"]:
                break
        return sections(results, failures, times)


def test_a_limit_below_the_documented_one_costs_one_refusal_of_each_method(portal, clock):
    portal.handler = exhaustible = Exhaustible(limit=20)
    client = make_client(clock, limits=UNLIMITED)
    companies = {f"company_{n}": ("crm.company.update", {"ID": n}) for n in range(100)}
    commands = {**updates(100), **companies}
    made = client.batch(commands)
    assert exhaustible.refused == {"crm.contact.update": 1, "crm.company.update": 1}
    assert len(made.results) == 2 * 41
    assert set(made.results) | set(made.errors) == set(commands)
    assert {type(error) for error in made.errors.values()} == {e.OperationTimeLimit}
    client.batch(commands)
    assert sum(exhaustible.refused.values()) == 2


def test_failures_of_single_commands_do_not_cost_a_request_each(portal, clock):
    missing = [f"contact_{n}" for n in range(15, 60)]
    portal.handler = Exhaustible(limit=1000, missing=missing)
    made = make_client(clock, limits=UNLIMITED).batch(updates(110))
    assert list(made.errors) == missing
    assert len(made.results) == 110 - len(missing)
    assert len(portal.requests) <= 4


def test_a_slow_closed_method_does_not_hide_an_open_one(portal, clock):
    portal.handler = echo
    client = make_client(clock)
    client.limiter.record({"crm.contact.update": Time(duration=55.0)})
    client.limiter.close("crm.contact.update", clock.now + 300)
    made = client.batch({**updates(2), "company_1": ("crm.company.update", {"ID": 1})})
    assert list(made.results) == ["company_1"]
    assert list(made.errors) == ["contact_0", "contact_1"]


def test_what_was_done_is_told_when_a_later_request_breaks(portal, clock):
    def then_cut(method, body):
        if len(portal.requests) > 1:
            raise requests.exceptions.ReadTimeout("x")
        return echo(method, body)

    portal.handler = then_cut
    made = make_client(clock, limits=UNLIMITED).batch(updates(120))
    assert len(made.results) == 10
    assert list(made.errors) == [f"contact_{n}" for n in range(10, 60)]
    assert made.errors["contact_10"].executed is None
    assert made.skipped == tuple(f"contact_{n}" for n in range(60, 120))


def test_a_batch_of_reads_is_repeated_and_one_with_a_write_is_not(portal, clock):
    cut = requests.exceptions.ReadTimeout("x")
    portal.script = [cut, sections({"a": 1}), cut, cut, sections({"a": 1, "b": 1})]
    client = make_client(clock)
    assert client.batch({"a": ("crm.deal.get", {"id": 1})}).results == {"a": 1}
    mixed = {"a": ("crm.deal.get", {"id": 1}), "b": ("crm.deal.update", {"id": 1})}
    with pytest.raises(e.Unreachable):
        client.batch(mixed)
    assert len(portal.requests) == 3
    assert client.batch(mixed, idempotent=True).results == {"a": 1, "b": 1}


def test_references_reach_the_portal_decodable(portal, clock):
    portal.handler = echo
    made = make_client(clock).batch(
        {"u": ("user.current", {}), "d": ("department.get", {"ID": "$result[u][UF_DEPARTMENT][0]"})}
    )
    assert made.results["d"] == "$result[u][UF_DEPARTMENT][0]"
    assert re.fullmatch(r"department\.get\?ID=[%\w]+", portal.requests[0][1]["cmd"]["d"])
