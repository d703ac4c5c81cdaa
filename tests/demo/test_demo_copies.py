"""A portal of millions is a block of rows told again: its copies are rows like any other."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from support.demo_world import World

from demo.portal.filling import Wish, filled_store
from demo.portal.schema import COLUMNS, MULTIFIELDS
from demo.portal.snapshots import Snapshots
from demo.portal.state import Portal

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
COPIES = 3
TABLES = ("company", "contact", "lead", "deal", "stagehistory", "activity")


@pytest.fixture
def w() -> World:
    return World(Portal(filled_store(Wish(copies=COPIES, now=NOW))))


@pytest.fixture(scope="module")
def block():
    return filled_store(Wish(now=NOW))


def test_every_table_is_there_so_many_times_over(w: World, block) -> None:
    for name in TABLES:
        table, size = w.store.tables[name], len(block.tables[name])
        assert [row["ID"] for row in table] == list(range(1, COPIES * size + 1))
        assert [table.get(n) for n in range(1, size + 1)] == list(block.tables[name])
    assert len(w.store.tables["category"]) == len(block.tables["category"])
    assert [row["ID"] for row in w.store.tables["company"] if row["IS_MY_COMPANY"] == "Y"] == [1]


def test_links_stay_within_the_copy(w: World, block) -> None:
    sizes = {name: len(block.tables[name]) for name in COLUMNS}
    for one in block.tables["deal"]:
        other = w.store.tables["deal"].get(one["ID"] + sizes["deal"])
        assert other["TITLE"] == one["TITLE"]
        assert other["CONTACT_IDS"] == [n + sizes["contact"] for n in one["CONTACT_IDS"]]
        for column, name in (("CONTACT_ID", "contact"), ("COMPANY_ID", "company")):
            assert other[column] == (one[column] and one[column] + sizes[name])
    owners = {1: "lead", 2: "deal", 3: "contact", 4: "company"}
    for name, kind in (("stagehistory", "ENTITY_TYPE_ID"), ("activity", "OWNER_TYPE_ID")):
        for one in block.tables[name]:
            other = w.store.tables[name].get(one["ID"] + 2 * sizes[name])
            assert other["OWNER_ID"] == one["OWNER_ID"] + 2 * sizes[owners[one[kind]]]


def test_phones_and_e_mails_are_other_ones_and_no_number_repeats(w: World) -> None:
    values = [
        (kind, part)
        for name in ("lead", "contact", "company")
        for row in w.store.tables[name]
        for kind in MULTIFIELDS
        for part in row[kind] or ()
    ]
    numbers = [part["ID"] for _, part in values]
    assert len(set(numbers)) == len(numbers)
    assert w.store.next_multifield_id() > max(numbers)
    size = len(w.store.tables["contact"]) // COPIES
    first, second = (w.store.tables["contact"].get(1 + n * size) for n in (0, 1))
    for kind in ("PHONE", "EMAIL"):
        assert first[kind][0]["VALUE"] != second[kind][0]["VALUE"]
        assert first[kind][0]["VALUE_TYPE"] == second[kind][0]["VALUE_TYPE"]


def test_lists_and_lookups_reach_into_the_copies(w: World) -> None:
    deals = w.store.tables["deal"]
    size = len(deals) // COPIES
    assert w.ids("crm.deal.list", order={"ID": "ASC"}, filter={">ID": size - 1}, start=-1)[:3] == [
        *range(size, size + 3)
    ]
    assert w.answer("crm.deal.list").total == COPIES * size
    contact = 1 + len(w.store.tables["contact"]) // COPIES
    bought = [row["ID"] for row in deals if contact in row["CONTACT_IDS"]]
    assert bought == [n + size for n in deals.lookup("CONTACT_IDS", 1)]
    assert w.ids("crm.item.list", entityTypeId=2, filter={"contactIds": contact}) == bought
    since = NOW - timedelta(days=30)
    fresh = [row["ID"] for row in deals if row["DATE_MODIFY"] >= since]
    assert fresh
    assert sorted(deals.since("DATE_MODIFY", since)) == fresh


def test_changes_are_kept_and_leave_the_other_copies_alone(w: World) -> None:
    deals = w.store.tables["deal"]
    size = len(deals) // COPIES
    before = deals.lookup("CONTACT_ID", 5)[:]
    deals.update(size + 7, {"TITLE": "Другая", "CONTACT_ID": 5, "DATE_MODIFY": NOW})
    deals.delete(size + 8)
    added = deals.insert({"TITLE": "Новая", "CONTACT_ID": 5, "DATE_MODIFY": NOW})
    assert added == COPIES * size + 1
    assert (deals.get(size + 7)["TITLE"], deals.get(added)["TITLE"]) == ("Другая", "Новая")
    assert deals.get(7)["TITLE"] == deals.get(2 * size + 7)["TITLE"] != "Другая"
    assert (deals.get(size + 8), deals.get(size + 9)["ID"]) == (None, size + 9)
    for _ in range(2):
        assert deals.lookup("CONTACT_ID", 5) == sorted([*before, size + 7, added])
        assert set(deals.since("DATE_MODIFY", NOW)) == {size + 7, added}
        deals._indexes.clear()  # made anew from what is there now
        deals._timelines.clear()
    deals.insert({"ID": size + 8, "TITLE": "Снова"})
    assert deals.get(size + 8)["TITLE"] == "Снова"
    assert len(deals) == COPIES * size + 1


def test_a_portal_of_copies_is_put_aside_and_back(w: World) -> None:
    deals = w.store.tables["deal"]
    size = len(deals) // COPIES
    before = list(deals)
    kept = Snapshots(w.portal)
    kept.save("as it was")
    deals.update(size + 7, {"TITLE": "Другая"})
    deals.insert({"TITLE": "Новая"})
    kept.restore("as it was")
    assert list(w.portal.store.tables["deal"]) == before
    assert w.portal.store.tables["deal"].insert({"TITLE": "Новая"}) == COPIES * size + 1


def test_counts_of_their_own_are_not_told_again() -> None:
    many = Wish.of({"contacts": 10, "deals": 20, "copies": COPIES}, Wish())
    assert many.counts.copies == Wish.of({"seed": 2}, many).counts.copies == COPIES
    assert Wish.of({"contacts": 10, "deals": 20}, many).counts.copies == 1
    assert Wish.of({"sizes": "tiny"}, many).counts.copies == 1
