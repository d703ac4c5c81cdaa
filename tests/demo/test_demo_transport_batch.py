"""The batch method of the demo portal, over stand-in methods."""

from __future__ import annotations

import orjson
import pytest

from demo.portal import access
from demo.portal.api import METHODS, ApiError, Method, Result
from demo.portal.batch import Batch
from demo.portal.calls import Calls, GatewayTimeoutError
from demo.portal.limits import LimitSettings
from demo.portal.state import Portal
from demo.portal.store import Store

SECRET = "s3cret"


@pytest.fixture
def portal():
    portal = Portal(Store())
    portal.store.tables["user"].insert({"ID": 1, "ACTIVE": "Y", "IS_ADMIN": "Y"})
    portal.webhooks[(1, SECRET)] = frozenset({"crm"})
    return portal


@pytest.fixture(autouse=True)
def methods(monkeypatch):
    """test.echo returns its parameters, test.page rows 1..n, test.fail an error, test.slow bills."""

    def fail(_ctx, params):
        raise ApiError(400, params.get("code", ""), "Not found")

    def page(_ctx, params):
        after = params.get("after", 0)
        first = 1 + (1 if isinstance(after, list | dict) else int(after))
        rows = [orjson.Fragment(orjson.dumps({"ID": str(n)})) for n in range(first, 101)][:50]
        return Result(rows, total=100, next=50)

    handlers = {
        "test.echo": lambda _ctx, params: Result(params),
        "test.page": page,
        "test.fail": fail,
        "test.items": lambda _ctx, _p: Result({"items": [{"id": n} for n in (5, 6)]}),
        "test.slow": lambda _ctx, _p: Result(True, seconds=30.0),
        "test.connector": lambda ctx, _p: Result(ctx.auth_connector),
    }
    for name, handler in handlers.items():
        scope = "crm" if name != "test.connector" else ""
        monkeypatch.setitem(METHODS, name, Method(name, scope, handler))
    secret = Method("test.secret", "disk", handlers["test.echo"])
    monkeypatch.setitem(METHODS, secret.name, secret)


def run(portal, cmd, connector="", **params):
    caller = access.by_webhook(portal, "1", SECRET)
    ctx = access.context(portal, caller, connector)
    result = Batch(Calls(portal), caller, ctx, 1).run({"cmd": cmd, **params})
    return orjson.loads(orjson.dumps(result.value))


def test_each_command_answers_under_its_key(portal):
    answer = run(portal, {"a": "test.echo?x=1&f[>ID]=2", "b": "test.page"})
    assert answer["result"]["a"] == {"x": "1", "f": {">ID": "2"}}
    assert len(answer["result"]["b"]) == 50
    assert answer["result_total"] == {"b": 100}
    assert answer["result_next"] == {"b": 50}
    assert answer["result_error"] == []
    assert set(answer["result_time"]) == {"a", "b"}


def test_failed_command_has_an_error_and_no_time(portal):
    answer = run(portal, {"bad": "test.fail", "good": "test.echo?x=1", "ghost": "no.such"})
    assert answer["result_error"] == {
        "bad": {"error": "", "error_description": "Not found"},
        "ghost": {"error": "ERROR_METHOD_NOT_FOUND", "error_description": "Method not found!"},
    }
    assert set(answer["result_time"]) == set(answer["result"]) == {"good"}


def test_halt_stops_after_the_first_failure(portal):
    cmd = {"a": "test.echo", "b": "test.fail", "c": "test.echo"}
    stopped = run(portal, cmd, halt=1)
    assert set(stopped["result"]) | set(stopped["result_error"]) == {"a", "b"}
    assert "c" in run(portal, cmd, halt="0")["result"]


def test_commands_above_fifty_are_refused_one_by_one(portal):
    answer = run(portal, {f"c{n}": "test.echo?n=1" for n in range(53)})
    assert len(answer["result"]) == 50
    assert {k: e["error"] for k, e in answer["result_error"].items()} == dict.fromkeys(
        ("c50", "c51", "c52"), "ERROR_BATCH_LENGTH_EXCEEDED"
    )


def test_numeric_keys_turn_sections_into_lists(portal):
    answer = run(portal, {"0": "test.echo?x=1", "1": "test.fail", "2": "test.echo?x=3"})
    assert answer["result"] == {"0": {"x": "1"}, "2": {"x": "3"}}
    assert answer["result_error"] == {"1": {"error": "", "error_description": "Not found"}}
    assert run(portal, ["test.fail", "test.fail"])["result_error"][1]["error"] == ""
    assert run(portal, ["test.echo?x=1"])["result"] == [{"x": "1"}]
    assert run(portal, {})["result"] == []


@pytest.mark.parametrize(
    "reference", ["$result[p][49][ID]", "%24result%5Bp%5D%5B49%5D%5BID%5D", "$result[p][49][ID]#x"]
)
def test_reference_takes_a_value_of_an_earlier_page(portal, reference):
    answer = run(portal, {"p": "test.page", "q": f"test.page?after={reference}"})
    assert answer["result"]["q"][0] == {"ID": "51"}


def test_references_inside_text_to_items_totals_and_next(portal):
    command = "test.echo?a=ID-$result[i][items][1][id]&t=$total[p]&n=$next[p]&deep[x][]=$total[p]"
    answer = run(portal, {"i": "test.items", "p": "test.page", "e": command})
    assert answer["result"]["e"] == {"a": "ID-6", "t": 100, "n": 50, "deep": {"x": [100]}}


def test_unresolvable_path_gives_the_deepest_value_reached(portal):
    cmd = {"i": "test.items", "e": "test.echo?a=$result[i][items][49][id]&b=x$result[i][items]"}
    echoed = run(portal, cmd)["result"]["e"]
    assert echoed == {"a": [{"id": 5}, {"id": 6}], "b": "xArray"}


def test_nested_batch_is_not_allowed(portal):
    error = run(portal, {"b": "batch?cmd[x]=test.echo"})["result_error"]["b"]
    assert error["error"] == "ERROR_BATCH_METHOD_NOT_ALLOWED"


def test_outer_authorisation_wins(portal):
    cmd = {"a": "test.echo?auth=other&x=1", "c": "test.connector?auth_connector=inner"}
    assert run(portal, cmd)["result"] == {"a": {"x": "1"}, "c": ""}
    assert run(portal, cmd, connector="outer")["result"]["c"] == "outer"


def test_scope_is_checked_for_each_command(portal):
    answer = run(portal, {"s": "test.secret", "e": "test.echo?x=1"})
    assert answer["result_error"]["s"]["error"] == "insufficient_scope"
    assert answer["result"] == {"e": {"x": "1"}}


def test_operating_limit_refuses_commands_of_one_method_only(portal):
    portal.limits.settings = LimitSettings(enabled=True, operating_limit=50)
    cmd = {f"s{n}": "test.slow" for n in range(4)} | {"e": "test.echo?x=1"}
    answer = run(portal, cmd)
    assert set(answer["result"]) == {"s0", "s1", "e"}
    assert answer["result_error"]["s2"]["error"] == "OPERATION_TIME_LIMIT"
    assert answer["result_time"]["s1"]["operating"] == 60.0


def test_billing_to_batch_spends_one_common_budget(portal):
    portal.limits.settings = LimitSettings(enabled=True, operating_limit=50, billing="batch")
    answer = run(portal, {f"s{n}": "test.slow" for n in range(3)} | {"e": "test.echo"})
    assert {k: e["error"] for k, e in answer["result_error"].items()} == dict.fromkeys(
        ("s2", "e"), "OPERATION_TIME_LIMIT"
    )
    assert portal.limits.used(f"webhook:1:{SECRET}", "test.slow", portal.timestamp())[0] == 0
    assert portal.limits.used(f"webhook:1:{SECRET}", "batch", portal.timestamp())[0] == 60


def test_request_longer_than_the_wall_clock_dies_on_the_way(portal):
    portal.options.wall_clock = 60
    with pytest.raises(GatewayTimeoutError):
        run(portal, {f"s{n}": "test.slow" for n in range(5)})
    assert portal.counters["test.slow"] == 3


def test_injected_command_error_hits_the_chosen_commands(portal):
    rule = {"match": "test.echo", "skip": 1, "times": 2, "code": "", "description": "Busy"}
    portal.faults.add({"kind": "subcommand_error", **rule})
    answer = run(portal, {f"c{n}": "test.echo?x=1" for n in range(5)})
    assert set(answer["result_error"]) == {"c1", "c2"}


def test_journal_numbers_commands_by_their_request(portal):
    run(portal, {"a": "test.echo?x=1", "b": "test.fail"})
    entries = [(e["method"], e["parent"], e["error"]) for e in portal.log.since(0)]
    assert entries == [("test.echo", 1, None), ("test.fail", 1, "")]
