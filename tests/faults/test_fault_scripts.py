"""Any script of passing faults ends like no faults at all: twelve scripts from fixed seeds."""

from __future__ import annotations

import random

import pytest
from support.trouble import assert_as_without_faults, finish, hits

METHODS = [
    *("batch", "crm.contact.list", "crm.company.list", "crm.lead.list", "crm.activity.list"),
    *("crm.stagehistory.list", "crm.deal.list", "user.get", "oauth.token"),
]
COMMANDS = ["crm.item.list", "crm.contact.list", "crm.contact.update", "crm.company.update"]
FAULTS = [
    {"kind": "drop"},
    {"kind": "drop_after_commit"},
    {"kind": "cut"},
    {"kind": "truncate"},
    {"kind": "html", "status": 200},
    {"kind": "html", "status": 504},
    {"kind": "error", "status": 500},
    {"kind": "error", "status": 503, "code": "QUERY_LIMIT_EXCEEDED"},
    {"kind": "error", "status": 401, "code": "expired_token"},
    {"kind": "delay", "seconds": 0.02},
    {"kind": "bad_rows"},
    {"kind": "duplicate_rows"},
]
REFRESH_FAULTS = [{"kind": "html", "status": 502}, {"kind": "error", "status": 500}]


def script(seed):
    """Ten faults: whole requests, commands of batches, tokens out of date."""
    rng = random.Random(seed)
    rules = []
    for _ in range(7):
        method = rng.choice(METHODS)
        fault = rng.choice(REFRESH_FAULTS if method == "oauth.token" else FAULTS)
        rules.append(
            {**fault, "match": method, "skip": rng.randint(0, 3), "times": rng.randint(1, 3)}
        )
    for _ in range(3):
        status, code = rng.choice([(500, "INTERNAL_SERVER_ERROR"), (503, "QUERY_LIMIT_EXCEEDED")])
        rules.append(
            {
                "kind": "subcommand_error",
                "match": rng.choice(COMMANDS),
                "status": status,
                "code": code,
                "skip": rng.randint(0, 9),
                "times": rng.randint(1, 4),
            }
        )
    return rules, rng.random() < 0.5


@pytest.mark.parametrize("seed", range(12))
def test_a_script_of_passing_faults_changes_nothing_in_the_end(world, fault_free, seed):
    rules, stale = script(seed)
    if stale:
        world.demo.control("tokens/expire", {})
    world.demo.control("faults", {"rules": rules})
    finish(world, attempts=30)
    assert hits(world) >= 1
    assert_as_without_faults(world, fault_free)
