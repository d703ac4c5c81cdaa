"""The limiter: the portal's bucket never overflows, used-up methods rest, Redis may go away."""

from __future__ import annotations

import math
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime

import pytest
import redis
from hypothesis import given
from hypothesis import strategies as st
from support.scripted import FakeTime

from integration.bitrix.answers import Time
from integration.bitrix.budgets import Priority
from integration.bitrix.errors import OperationTimeLimit, RateLimited
from integration.bitrix.limiter import Limiter, Limits
from integration.bitrix.limiter_stores import LocalStore, RedisStore
from integration.connect import connect, connect_viewer
from integration.connect import limiter as limiter_of
from integration.rules.hours import Hours


class Bucket:
    """The portal's side, written from its documentation."""

    def __init__(self, burst, rate):
        self.burst, self.rate = burst, rate
        self.level, self.at = 0.0, None
        self.highest = 0.0

    def hit(self, now):
        idle = 0.0 if self.at is None else now - self.at
        self.level = max(0.0, self.level - self.rate * idle) + 1
        self.at = now
        self.highest = max(self.highest, self.level)
        return self.level <= self.burst + 1e-5  # a clock of today is no finer


def local(clock, **limits):
    return Limiter(
        "p",
        limits=Limits(**limits),
        sleep=clock.sleep,
        now=clock.time,
        local=LocalStore(clock.time),
    )


@given(
    st.integers(2, 60),
    st.floats(0.5, 10),
    st.integers(0, 1),
    st.lists(st.floats(0, 30), min_size=1, max_size=200),
)
def test_the_bucket_never_overflows(burst, rate, headroom, idles):
    clock, portal = FakeTime(), Bucket(burst, rate)
    limiter = local(clock, burst=burst, per_second=rate, headroom=headroom)
    for idle in idles:
        clock.now += idle if idle > 15 else 0
        limiter.acquire(["m"], patience=1000)
        assert portal.hit(clock.now)


@given(st.integers(1, 50), st.floats(0.5, 10), st.integers(1, 150))
def test_it_is_never_slower_than_the_bucket_asks(burst, rate, count):
    clock = FakeTime()
    limiter = local(clock, burst=burst, per_second=rate, headroom=0)
    started = clock.now
    for _ in range(count):
        limiter.acquire(["m"], patience=1000)
    assert clock.now - started <= max(0, count - burst) / rate + 1e-3


def test_patience_ends_and_takes_no_place():
    clock = FakeTime()
    limiter = local(clock, burst=2, per_second=0.1, headroom=0)
    limiter.acquire(["m"], 0)
    limiter.acquire(["m"], 0)
    for _ in range(3):
        with pytest.raises(RateLimited) as caught:
            limiter.acquire(["m"], 5)
    assert caught.value.retry_after == pytest.approx(10, abs=0.1)
    assert clock.slept == []


def test_a_refusal_by_the_portal_slows_everybody_down():
    clock = FakeTime()
    limiter = local(clock, burst=50, per_second=2, headroom=0)
    limiter.acquire(["m"], 5)
    limiter.refused()
    limiter.acquire(["m"], 5)
    assert sum(clock.slept) == pytest.approx(0.5)


def test_no_bucket_when_limits_are_off():
    clock = FakeTime()
    limiter = Limiter("p", limits=Limits.off(), sleep=clock.sleep, now=clock.time)
    for _ in range(1000):
        limiter.acquire(["m"], 0)
    assert clock.slept == []


def seen(clock, operating, duration=1.0, reset_in=300.0):
    return Time(
        finish=clock.now,
        duration=duration,
        operating=operating,
        operating_reset_at=clock.now + reset_in,
    )


def test_accumulated_time_is_taken_as_it_is_not_added_up():
    clock = FakeTime()
    limiter = local(clock)
    for operating in (100.0, 200.0, 300.0):
        limiter.record({"m": seen(clock, operating)})
    budget = limiter.budget("m")
    assert (budget.used, budget.stop_at, budget.remaining) == (300.0, 384.0, 84.0)
    assert budget.calls(500) == 84


def test_a_method_rests_at_the_safe_share_and_wakes_at_the_reset():
    clock = FakeTime()
    limiter = local(clock)
    limiter.record({"m": seen(clock, 390.0)})
    with pytest.raises(OperationTimeLimit) as caught:
        limiter.acquire(["batch", "m"], 20)
    assert caught.value.retry_after == pytest.approx(300)
    assert limiter.budget("m").calls(50) == 0
    limiter.acquire(["other"], 0)
    clock.now += 301
    limiter.acquire(["m"], 0)
    assert limiter.budget("m").calls(50) == 1
    limiter.record({"m": seen(clock, 40.0)})
    assert limiter.budget("m").remaining == pytest.approx(344.0)


def test_a_few_calls_tell_the_cost_of_a_method():
    clock = FakeTime()
    limiter = local(clock)
    assert (limiter.budget("m").calls(50), limiter.budget("m").calls(3)) == (10, 3)
    limiter.record({"m": seen(clock, 0.5, duration=0.5)})
    assert limiter.budget("m").calls(50) == 50


def test_what_was_seen_long_ago_counts_no_more():
    clock = FakeTime()
    limiter = local(clock)
    limiter.record({"m": seen(clock, 200.0)})
    clock.now += 601
    assert limiter.budget("m").used == 0


def test_the_limit_is_learned_from_a_refusal_and_from_acceptance():
    clock = FakeTime()
    limiter = local(clock)
    limiter.record({"m": seen(clock, 50.0)})
    limiter.close("m")
    assert limiter.budget("m").limit == 50.0
    clock.now += 301
    limiter.record({"m": seen(clock, 90.0, duration=2.0)})
    assert limiter.budget("m").limit == 88.0


def test_a_learned_limit_is_doubted_after_an_hour_and_never_learned_from_old_news():
    clock = FakeTime()
    limiter = local(clock)
    limiter.record({"m": seen(clock, 5.0), "n": seen(clock, 5.0)})
    limiter.close("m")
    clock.now += 120
    limiter.close("n")
    assert (limiter.budget("m").limit, limiter.budget("n").limit) == (5.0, 480.0)
    clock.now += 3600
    assert limiter.budget("m").limit == 480.0


def test_a_refusal_without_a_known_reset_rests_for_a_window():
    clock = FakeTime()
    limiter = local(clock)
    assert limiter.close("m") == pytest.approx(clock.now + 600)


def test_no_accounting_on_a_boxed_portal_means_no_rest():
    clock = FakeTime()
    limiter = local(clock)
    limiter.record({"m": Time(finish=clock.now, duration=2.0)})
    budget = limiter.budget("m")
    assert (budget.used, budget.seconds_per_call) == (0.0, 2.0)


@pytest.fixture
def client(redis_url):
    made = redis.Redis.from_url(redis_url)
    yield made
    made.close()


def test_processes_share_one_bucket(client):
    """Each of many concurrent requests gets a place of its own: none is given out twice."""
    rate = 0.001
    stores = [RedisStore(client, "p") for _ in range(8)]
    with ThreadPoolExecutor(16) as pool:
        taken = list(pool.map(lambda n: stores[n % 8].take(10, rate, 1e9), range(120)))
    waits = sorted(wait * rate for _, wait in taken)
    assert waits[:10] == [0.0] * 10
    assert waits[10:] == pytest.approx(range(1, 111), abs=0.1)


def test_portals_do_not_share(client):
    limits = Limits(burst=1, per_second=0.01, headroom=0)
    Limiter("a", client, limits=limits).acquire(["m"], 0)
    Limiter("b", client, limits=limits).acquire(["m"], 0)
    with pytest.raises(RateLimited):
        Limiter("a", client, limits=limits).acquire(["m"], 0)


def test_a_method_closed_by_one_process_is_closed_for_all(client):
    clock = FakeTime()
    one = Limiter("p", client, now=clock.time, sleep=clock.sleep)
    other = Limiter("p", client, now=clock.time, sleep=clock.sleep)
    one.record({"m": seen(clock, 30.0, duration=3.0)})
    assert other.budget("m").seconds_per_call == 3.0
    one.close("m", clock.now + 120)
    with pytest.raises(OperationTimeLimit):
        other.acquire(["m"], 20)
    assert other.budget("m").limit == 30.0
    other.acquire(["n"], 0)


def test_both_stores_keep_the_same_pace(client):
    now = time.monotonic()
    stores = [LocalStore(lambda: now), RedisStore(client, "p")]
    taken = [[store.take(3, 0.001, 1500) for _ in range(6)] for store in stores]
    for mine, shared in zip(*taken, strict=True):
        assert mine[0] == shared[0]
        assert mine[1] == pytest.approx(shared[1], abs=1)
    assert [ok for ok, _ in taken[0]] == [True, True, True, True, False, False]


def test_a_full_bucket_is_full_in_both_stores(client):
    for store in (LocalStore(), RedisStore(client, "p")):
        store.fill(10, 0.001)
        assert store.take(10, 0.001, 1)[0] is False


class Gone:
    """A Redis that is away."""

    def register_script(self, _):
        def run(**_):
            raise redis.ConnectionError("away")

        return run

    def hmget(self, *_):
        raise redis.ConnectionError("away")

    def pipeline(self, **_):
        raise redis.TimeoutError("away")


def test_without_redis_it_goes_on_alone_and_more_slowly():
    clock = FakeTime()
    limiter = Limiter(
        "p", Gone(), limits=Limits(burst=41, per_second=2, headroom=1),
        sleep=clock.sleep, now=clock.time, local=LocalStore(clock.time),
    )  # fmt: skip
    for _ in range(10):
        limiter.acquire(["m"], 20)
    assert clock.slept == []
    limiter.acquire(["m"], 20)
    assert sum(clock.slept) == pytest.approx(2.0)
    limiter.record({"m": seen(clock, 400.0)})
    with pytest.raises(OperationTimeLimit):
        limiter.acquire(["m"], 20)


def background(limiter):
    return limiter.at(Priority.BACKGROUND)


def taken_at_once(limiter, clock):
    """How many requests start before the limiter makes one wait."""
    started, count = clock.now, 0
    while True:
        limiter.acquire(["m"], 1000)
        if clock.now > started:
            return count
        count += 1


@given(st.integers(10, 60), st.floats(0.5, 10), st.integers(1, 150))
def test_with_nobody_about_background_work_leaves_one_request_free(burst, rate, count):
    clock = FakeTime()
    limiter = background(local(clock, burst=burst, per_second=rate, headroom=0))
    started = clock.now
    for _ in range(count):
        limiter.acquire(["m"], patience=1000)
    assert clock.now - started <= max(0, count - (burst - 1)) / rate + 0.01


def test_less_urgent_work_leaves_more_of_the_bucket_while_people_work():
    clock = FakeTime()
    left = {}
    for priority in Priority:
        limiter = local(clock, burst=50, per_second=2, headroom=0)
        limiter.acquire(["m"], 0)
        left[priority] = 49 - taken_at_once(limiter.at(priority), clock)
    assert left == {
        Priority.INTERACTIVE: 0, Priority.PROMPT: 2, Priority.BACKGROUND: 5, Priority.PATIENT: 10,
    }  # fmt: skip


def test_a_small_bucket_still_lets_background_work_through():
    clock = FakeTime()
    limiter = background(local(clock, burst=2, per_second=2, headroom=1))
    for _ in range(5):
        limiter.acquire(["m"], 20)
    assert sum(clock.slept) == pytest.approx(2.0, abs=0.1)


def test_background_work_does_not_queue_for_longer_than_its_patience():
    clock = FakeTime()
    limiter = local(clock, burst=5, per_second=1, headroom=0)
    for _ in range(40):
        limiter._local.take(5, 1, 1000)
    with pytest.raises(RateLimited) as caught:
        background(limiter).acquire(["m"], 20)
    assert clock.slept == []
    assert caught.value.retry_after == pytest.approx(40, abs=2)
    clock.now += 30
    background(limiter).acquire(["m"], 20)
    assert 5 < sum(clock.slept) <= 20


@given(st.lists(st.sampled_from(list(Priority)), min_size=1, max_size=150), st.integers(3, 60))
def test_no_order_of_priorities_overflows_the_bucket(order, burst):
    clock, portal = FakeTime(), Bucket(burst, 2)
    limiter = local(clock, burst=burst, per_second=2, headroom=0)
    for priority in order:
        limiter.at(priority).acquire(["m"], patience=1000)
        assert portal.hit(clock.now)


def test_a_method_used_up_for_background_work_is_open_for_people():
    clock = FakeTime()
    limiter = local(clock)
    limiter.record({"m": seen(clock, 200.0)})
    calls = {priority: limiter.at(priority).budget("m").calls(500) for priority in Priority}
    assert calls == {
        Priority.INTERACTIVE: 184, Priority.PROMPT: 145, Priority.BACKGROUND: 107,
        Priority.PATIENT: 0,
    }  # fmt: skip
    limiter.record({"m": seen(clock, 310.0)})
    with pytest.raises(OperationTimeLimit):
        background(limiter).acquire(["m"], 20)
    limiter.acquire(["m"], 0)


@pytest.mark.parametrize("sharing", ["redis", "process"])
def test_a_card_opens_within_one_drain_interval_while_a_sync_takes_all_it_gets(client, sharing):
    """Four threads of a sync in real time; then a card that asks four times in a row."""
    limits = Limits(burst=20, per_second=8, headroom=1)
    shared = LocalStore()

    def limiter():
        return Limiter("p", client if sharing == "redis" else None, limits=limits, local=shared)

    over = threading.Event()

    def sync():
        mine = background(limiter())
        while not over.is_set():
            mine.acquire(["crm.deal.list"], 20)

    with ThreadPoolExecutor(4) as pool:
        for _ in range(4):
            pool.submit(sync)
        time.sleep(0.7)
        waits = []
        for _ in range(4):
            started = time.monotonic()
            limiter().acquire(["crm.contact.get"], 5)
            waits.append(time.monotonic() - started)
        over.set()
    assert waits[0] < 0.05, "one request is always kept free"
    assert max(waits) < 1 / limits.per_second + 0.1, waits


def test_both_stores_keep_the_same_reserve(client):
    now = time.monotonic()
    stores = [LocalStore(lambda: now), RedisStore(client, "p")]
    asked = [10.0] * 3 + [0.0] + [10.0] * 20 + [5.0] * 20 + [0.0] * 30
    taken = [[store.take(40, 0.001, 1500, reserve) for reserve in asked] for store in stores]
    assert [ok for ok, _ in taken[0]] == [ok for ok, _ in taken[1]]
    for mine, shared in zip(*taken, strict=True):
        assert mine[1] == pytest.approx(shared[1], abs=5)
    assert sum(ok for ok, _ in taken[0]) == 41


@pytest.mark.parametrize(
    ("moment", "offset", "working"),
    [
        ("2026-05-06T06:00", 180, True),  # a Wednesday, nine in Moscow
        ("2026-05-06T04:59", 180, False),
        ("2026-05-06T17:00", 180, False),
        ("2026-05-09T09:00", 180, False),  # a Saturday
        ("2026-05-08T22:30", 600, False),  # still Friday in London, Saturday in Vladivostok
        ("2026-05-10T22:30", 600, True),
    ],
)
def test_working_hours_are_those_of_the_portal(moment, offset, working):
    assert Hours().working(datetime.fromisoformat(moment + "+00:00"), offset) is working


@pytest.mark.parametrize(("at_work", "patient"), [(True, "PATIENT"), (False, "BACKGROUND")])
def test_who_opens_a_card_is_counted_with_all_others_and_goes_first(
    world, monkeypatch, at_work, patient
):
    monkeypatch.setattr(Hours, "working", lambda *_: at_work)
    portal = world.portal
    portal.license = "ru_pro100"
    everybody = limiter_of(world.runtime, portal)
    free = everybody.free()
    viewer = connect_viewer(world.runtime, portal.endpoint, "0123456789abcdef", portal).limiter
    viewer.acquire(["profile"], 0)
    assert viewer.priority is Priority.INTERACTIVE
    assert everybody.free() == pytest.approx(free - 1, abs=0.9)
    assert connect(world.runtime, portal).limiter.priority is Priority.BACKGROUND
    writer = connect(world.runtime, portal, priority=Priority.PATIENT)
    assert writer.limiter.priority is Priority[patient]


def test_limits_by_plan():
    assert (Limits().burst, Limits().per_second) == (50, 2.0)
    assert (Limits.enterprise().burst, Limits.enterprise().per_second) == (250, 5.0)
    assert math.isinf(Limits.off().per_second)
