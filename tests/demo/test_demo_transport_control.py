"""What tests and the demo may tell the demo portal through /control/."""

from __future__ import annotations

from decimal import Decimal

import pytest
import requests

from demo.portal.process import ControlError


def test_state_describes_the_portal(portal):
    state = portal.control("/")
    assert state["domain"] == portal.domain
    assert len(state["member_id"]) == 32
    assert state["rows"]["contact"] == len(portal.control("rows/contact"))


def test_same_seed_gives_the_same_rows_and_another_seed_others(portal):
    first = portal.control("rows/contact")
    portal.control("mutate", {"table": "contact", "action": "delete", "id": first[0]["ID"]})
    portal.control("reset", {"seed": 1})
    assert portal.control("rows/contact") == first
    portal.control("reset", {"seed": 2})
    assert portal.control("rows/contact") != first


def test_reset_forgets_everything_but_what_is_kept(portal):
    hook = portal.webhook()
    portal.fault("html", times=-1)
    portal.control("options", {"mode": "box"})
    portal.control("rename", {"domain": "localhost:1"})
    portal.control("reset", {"contacts": 20, "deals": 30, "keep_apps": True})
    state = portal.control("/")
    assert (state["options"]["mode"], state["domain"]) == ("cloud", portal.domain)
    assert (state["rows"]["contact"], state["rows"]["deal"]) == (20, 30)
    assert requests.get(f"{hook}scope", timeout=10).status_code == 200
    portal.control("reset", {"sizes": "tiny"})
    assert requests.get(f"{hook}scope", timeout=10).status_code == 401


def test_a_saved_state_comes_back_whole_and_as_often_as_it_is_wanted(portal):
    hook = portal.webhook()
    app = portal.register(title="Saved", scopes=["crm"], handler_url="http://127.0.0.1:1/")
    portal.control("options", {"mode": "box"})
    contacts, deal_id = portal.control("rows/contact"), portal.control("rows/deal")[0]["ID"]
    newest = portal.control("log?since=0")[-1:]
    portal.control("save", {"name": "before"})
    for _ in range(2):
        requests.post(f"{hook}crm.deal.get", json={"id": deal_id}, timeout=10)
        for contact in contacts[:2]:
            order = {"table": "contact", "id": contact["ID"]}
            portal.control("mutate", {**order, "action": "update", "fields": {"NAME": "Другой"}})
        portal.control("mutate", {**order, "action": "delete"})
        portal.fault("html", times=-1)
        portal.control("reset", {"seed": 2})
        assert portal.control("rows/contact") != contacts
        portal.control("restore", {"name": "before"})
        state = portal.control("/")
        assert portal.control("rows/contact") == contacts
        assert ([a["client_id"] for a in state["apps"]], state["options"]["mode"]) == (
            [app["client_id"]],
            "box",
        )
        assert portal.control("faults") == []
        assert portal.control("log?since=0")[-1:] == newest
        assert requests.get(f"{hook}scope", timeout=10).status_code == 200


@pytest.mark.parametrize(
    ("path", "body"),
    [
        ("restore", {"name": "never saved"}),
        ("options", {"no_such_switch": 1}),
        ("limits", {"bucket": 1}),
        ("faults", {"kind": "fire"}),
        ("mutate", {"table": "deal", "action": "explode"}),
        ("mutate", {"table": "nothing", "action": "delete", "id": 1}),
        ("apps/local.0.0/open", {}),
    ],
)
def test_mistakes_are_told(portal, path, body):
    with pytest.raises(ControlError):
        portal.control(path, body)


def test_log_and_counters_show_what_was_called(portal):
    hook = portal.webhook()
    requests.post(f"{hook}crm.deal.get", json={"id": 1}, timeout=10)
    start = portal.control("log")[-1]["n"]
    cmd = {"a": "crm.deal.get?id=2", "b": "crm.deal.get?id=999999"}
    requests.post(f"{hook}batch", json={"cmd": cmd}, timeout=10)
    entries = portal.control(f"log?since={start}")
    outer = next(e for e in entries if e["method"] == "batch")
    inner = [e for e in entries if e["parent"] == outer["n"]]
    assert [e["params"]["id"] for e in inner] == ["2", "999999"]
    assert [e["error"] for e in inner] == [None, ""]
    assert len(portal.control("log?method=crm.deal.get")) == 3
    counters = portal.counters()
    assert (counters["crm.deal.get"], counters["batch"], counters["error:"]) == (3, 1, 1)
    portal.control("counters/reset", {})
    assert portal.counters() == {}


def test_merge_deletes_the_loser_and_moves_its_deals(portal):
    deals = portal.control("rows/deal")
    loser = next(row["CONTACT_ID"] for row in deals if row.get("CONTACT_ID"))
    winner = next(row["ID"] for row in portal.control("rows/contact") if row["ID"] != loser)
    moved = [row["ID"] for row in deals if row.get("CONTACT_ID") == loser]
    order = {"table": "contact", "action": "merge", "id": winner, "losers": [loser]}
    portal.control("mutate", order)
    assert portal.control(f"rows/contact?ids={loser}") == []
    listed = ",".join(map(str, moved))
    owners = {row["CONTACT_ID"] for row in portal.control(f"rows/deal?ids={listed}")}
    assert owners == {winner}


def test_truth_follows_the_rows(portal):
    before = portal.control("truth")
    deal = next(
        row
        for row in portal.control("rows/deal")
        if row["STAGE_SEMANTIC_ID"] == "S" and row["CONTACT_ID"] and row["CATEGORY_ID"] == 0
        and row["CURRENCY_ID"] == "RUB" and row.get("IS_RECURRING") != "Y"
    )  # fmt: skip
    fields = {"OPPORTUNITY": deal["OPPORTUNITY"] + 1000.5}
    portal.control(
        "mutate", {"table": "deal", "action": "update", "id": deal["ID"], "fields": fields}
    )
    after = portal.control("truth")
    key = str(deal["CONTACT_ID"])
    gained = Decimal(after["contacts"][key]["ltv"]) - Decimal(before["contacts"][key]["ltv"])
    assert gained == Decimal("1000.50")
    everything = portal.control("truth?categories=all&multi_contact=full")
    assert everything["contacts"] != after["contacts"]


def test_dates_given_as_text_become_moments(portal):
    fields = {"DATE_MODIFY": "2026-01-02T03:04:05+00:00", "BIRTHDATE": "2015-05-06"}
    order = {"table": "contact", "action": "update", "id": 1, "fields": fields, "silent": True}
    portal.control("mutate", order)
    row = requests.get(f"{portal.webhook()}crm.contact.get?id=1", timeout=10).json()["result"]
    assert row["DATE_MODIFY"] == "2026-01-02T06:04:05+03:00"
    assert row["BIRTHDATE"] == "2015-05-06T03:00:00+03:00"
