"""The demo portal's bucket, operating time, tokens and fault script."""

from __future__ import annotations

import pytest

from demo.portal.faults import Faults
from demo.portal.limits import PROFILES, Limits, LimitSettings
from demo.portal.tokens import TokenBook

NOW = 1_800_000_000.0


@pytest.mark.parametrize(
    ("profile", "burst", "rate"), [("standard", 50, 2), ("enterprise", 250, 5)]
)
def test_bucket_lets_a_burst_through_then_the_rate(profile, burst, rate):
    limits = Limits(PROFILES[profile])
    assert sum(limits.admit("a", NOW) for _ in range(burst * 2)) == burst
    later = [limits.admit("a", NOW + second) for second in (1, 2, 3) for _ in range(rate * 2)]
    assert sum(later) == rate * 3
    assert limits.admit("b", NOW)


def test_switched_off_bucket_admits_everything():
    limits = Limits(PROFILES["off"])
    assert all(limits.admit("a", NOW) for _ in range(1000))


def test_refused_requests_may_be_counted_too():
    limits = Limits(LimitSettings(enabled=True, bucket_size=2, count_rejected=True))
    assert [limits.admit("a", NOW) for _ in range(6)] == [True, True] + [False] * 4
    assert not limits.admit("a", NOW + 2)


def test_operating_adds_up_and_leaves_by_minutes():
    limits = Limits(LimitSettings(enabled=True, operating_limit=100))
    start = NOW - NOW % 60
    limits.bill("hook", "m", 60, start)
    limits.bill("hook", "m", 50, start + 120)
    assert limits.used("hook", "m", start + 130) == (110, int(start) + 600)
    assert limits.exhausted("hook", "m", start + 599)
    assert not limits.exhausted("hook", "other", start + 130)
    assert not limits.exhausted("other", "m", start + 130)
    assert limits.used("hook", "m", start + 600) == (50, int(start) + 720)
    assert not limits.exhausted("hook", "m", start + 600)


def test_short_calls_are_not_billed():
    limits = Limits(LimitSettings(enabled=True, floor=0.1))
    limits.bill("hook", "m", 0.09, NOW)
    assert limits.used("hook", "m", NOW)[0] == 0


def test_fixed_prices_replace_the_model():
    limits = Limits(LimitSettings(enabled=True, page_seconds=0.25, write_seconds=0.5))
    costs = [limits.cost(m, 9.0) for m in ("crm.deal.list", "crm.contact.update", "profile")]
    assert costs == [0.25, 0.5, 9.0]


def test_refreshing_gives_a_new_pair_and_kills_the_old_refresh_token():
    book = TokenBook()
    first = book.issue("app", 7, NOW)
    second = book.rotate(first.refresh, "app", NOW + 3600)
    assert second is not None
    assert (second.user_id, second.client_id) == (7, "app")
    assert {second.access, second.refresh}.isdisjoint({first.access, first.refresh})
    assert book.rotate(first.refresh, "app", NOW + 3601) is None
    assert book.rotate(second.refresh, "another app", NOW + 3601) is None
    assert book.rotate(second.refresh, "app", NOW + 3600 + 180 * 86400) is None


def test_code_is_good_once_and_for_half_a_minute():
    book = TokenBook()
    code = book.open_code("app", 7, NOW)
    assert book.redeem(code, "app", NOW + 29).user_id == 7
    assert book.redeem(code, "app", NOW + 29) is None
    assert book.redeem(book.open_code("app", 7, NOW), "app", NOW + 30) is None
    assert book.redeem(book.open_code("app", 7, NOW), "another", NOW) is None


def test_fault_skips_then_fires_the_ordered_number_of_times():
    faults = Faults()
    faults.add({"kind": "html", "match": "crm.deal.list", "skip": 2, "times": 2})
    fired = [faults.for_request("crm.deal.list") is not None for _ in range(6)]
    assert fired == [False, False, True, True, False, False]
    assert faults.for_request("crm.lead.list") is None


def test_fault_kinds_do_not_take_each_others_calls():
    faults = Faults()
    faults.add({"kind": "subcommand_error", "match": "*", "times": -1})
    assert faults.for_request("m") is None
    assert faults.for_rows("m") is None
    assert faults.for_command("m") is not None


@pytest.mark.parametrize("rule", [{"kind": "no such"}, {"kind": "html", "tims": 3}])
def test_mistaken_rule_is_refused(rule):
    with pytest.raises(ValueError, match="unknown fault"):
        Faults().add(rule)
