"""The judge of a soak sees a wrong card, and only a wrong one; its trouble is real trouble."""

from __future__ import annotations

import random
from types import SimpleNamespace

import pytest

from demo.soak import Soak


@pytest.fixture
def soak(portal):
    return Soak(SimpleNamespace(portal=portal.url), random.Random(3))


def truthful(portal, soak):
    """Cards written by hand as the rows say."""
    truth = soak._control("truth?categories=0,1")
    for table, worth in (("contact", truth["contacts"]), ("company", truth["companies"])):
        orders = [
            {
                "table": table, "action": "update", "id": int(key), "silent": True,
                "fields": {
                    "UF_CRM_RUBILNIK_LTV": f"{value['ltv']}|RUB",
                    "UF_CRM_RUBILNIK_AVERAGE_CHECK": value["average_check"] and f"{value['average_check']}|RUB",
                },
            }
            for key, value in worth.items()
        ]  # fmt: skip
        portal.control("mutate", {"orders": orders})


def test_true_cards_have_no_drift_and_a_false_one_is_named(portal, soak):
    truthful(portal, soak)
    assert soak.drift() == []
    (client,) = [row for row in soak._rows("contact") if row.get("UF_CRM_RUBILNIK_AVERAGE_CHECK")][
        :1
    ]
    portal.control(
        "mutate",
        {
            "table": "contact", "action": "update", "id": client["ID"], "silent": True,
            "fields": {"UF_CRM_RUBILNIK_LTV": "1.00|RUB"},
        },
    )  # fmt: skip
    (wrong,) = soak.drift()
    assert wrong.startswith(f"contact {client['ID']}: ")


def test_trouble_changes_the_portal_in_every_way(portal, soak):
    truthful(portal, soak)
    before = portal.control("")["rows"]
    for _ in range(250):
        soak.something()
    after = portal.control("")["rows"]
    assert set(soak.done) == {"edit", "win", "move", "add", "delete", "merge", "spoil"}
    assert after["deal"] != before["deal"]
    assert after["contact"] < before["contact"]
    assert soak.drift() != [], "what clients are worth has changed"
