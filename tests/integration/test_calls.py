"""The log of REST requests: what happened and how long it took, never about whom; and never in the way."""

from __future__ import annotations

import re
from dataclasses import replace

import pytest
from redis import Redis

from core.queue import connection
from integration import calls
from integration.bitrix.client import CallRecord
from integration.connect import connect

AWAY = "redis://127.0.0.1:1/0"


@pytest.fixture
def redis(redis_url):
    with Redis.from_url(redis_url) as client:
        yield client


def record(**changed):
    facts = {"method": "crm.deal.list", "seconds": 0.25, "status": 200, "error": ""}
    return CallRecord(**(facts | changed))


def stored(redis):
    return str([redis.xrange(key) for key in redis.scan_iter("rubilnik:calls:*")])


def test_every_request_of_a_run_is_there_newest_first_without_anything_personal(world):
    world.work()
    world.sync(full=True)
    found = calls.recent(world.runtime.redis, world.portal_id, 1000)
    methods = {call.method for call in found}
    assert {"batch", "crm.contact.list", "app.info"} <= methods
    assert [call.at for call in found] == sorted((call.at for call in found), reverse=True)
    assert all(call.ok and call.status == 200 and 0 < call.seconds < 60 for call in found)
    assert any(call.commands > 1 for call in found if call.method == "batch")

    text = stored(world.runtime.redis)
    people = world.rows("contact")
    assert people
    for row in people:
        for name in (row["NAME"], row["LAST_NAME"]):
            assert not name or name not in text
    assert not re.search(r"(?<!\d)7\d{10}(?!\d)|@|[0-9a-f]{40}|UF_CRM|filter|select", text)
    assert world.demo.domain not in text


def test_refusals_are_told_by_their_code_and_never_by_their_words(world):
    world.demo.fault("error", "profile", status=400, code="Клиент Анна Ветрова не найден", times=1)
    client = connect(world.runtime, world.portal)
    with pytest.raises(Exception, match="400"):
        client.call("profile")
    (call, *_) = calls.recent(world.runtime.redis, world.portal_id)
    assert (call.method, call.status, call.error, call.ok) == ("profile", 400, "-", False)
    assert "Анна" not in stored(world.runtime.redis)


def test_without_redis_the_work_goes_on_and_nobody_waits_twice(world, monkeypatch, caplog):
    asked = []
    monkeypatch.setattr(calls, "_append", _counting(asked, calls._append))
    away = replace(world.runtime, redis=connection(AWAY))
    client = connect(away, world.portal)
    assert client.call("profile").result["ID"] == "1"
    assert client.call("profile").result["ID"] == "1"
    assert len(asked) == 1, "an absent Redis is not asked at each request"
    assert calls.recent(away.redis, world.portal_id) is None
    connect(world.runtime, world.portal).call("profile")
    assert len(asked) == 2, "a Redis that is there is"
    away.redis.close()


def _counting(asked, append):
    def counted(*arguments):
        asked.append(arguments)
        append(*arguments)

    return counted


def test_the_log_is_capped_by_number_and_by_age(redis, monkeypatch):
    monkeypatch.setattr(calls, "AT_MOST", 100)
    keep = calls.recorder(redis, 7)
    redis.xadd("rubilnik:calls:7", {"method": "old"}, id="1000-0")
    for number in range(450):
        keep(record(seconds=number / 1000))
    assert redis.xlen("rubilnik:calls:7") < 250, "trimmed in whole nodes of the stream"
    found = calls.recent(redis, 7, 1000)
    assert "old" not in {call.method for call in found}
    assert found[0].seconds == 0.449
    assert 0 < redis.ttl("rubilnik:calls:7") <= calls.KEPT.total_seconds()


def test_each_portal_has_a_log_of_its_own(redis):
    calls.recorder(redis, 1)(record(method="crm.lead.list", operating=1.25))
    calls.recorder(redis, 2)(record(method="crm.deal.list", error="ACCESS_DENIED", status=403))
    assert [call.method for call in calls.recent(redis, 1)] == ["crm.lead.list"]
    assert [call.error for call in calls.recent(redis, 2)] == ["ACCESS_DENIED"]
    assert calls.recent(redis, 1)[0].operating == 1.25
    assert calls.recent(redis, 3) == []


def test_the_command_prints_the_log(world):
    printed = world.app.test_cli_runner().invoke(
        args=["calls", "--portal", world.demo.domain, "--limit", "3"]
    )
    assert printed.exit_code == 0, printed.output
    assert len(printed.output.splitlines()) == 3
    assert "method=" in printed.output
