"""Lists of either family: paging, filters, select, renderings, visibility."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from support.demo_world import World, world

EVEN = list(range(2, 242, 2))


@pytest.fixture
def w() -> World:
    return world()


def test_pages_are_of_fifty_and_start_is_floored(w: World) -> None:
    first = w.answer("crm.deal.list", order={"ID": "ASC"})
    assert (len(first.value), first.total, first.next) == (50, 120, 50)
    assert w.ids("crm.deal.list", order={"ID": "ASC"}, start=60) == EVEN[50:100]
    last = w.answer("crm.deal.list", start=100)
    assert (len(last.value), last.next) == (20, None)


def test_order_by_id_descending_pages_from_the_end(w: World) -> None:
    order = {"ID": "DESC"}
    assert w.ids("crm.deal.list", order=order) == EVEN[::-1][:50]
    assert w.ids("crm.deal.list", order=order, start=100) == EVEN[::-1][100:]
    assert w.ids("crm.deal.list", order=order, start=-1, filter={"<ID": 20}) == EVEN[:9][::-1]


def test_without_counting_there_is_no_next(w: World) -> None:
    classic = w.answer("crm.deal.list", start=-1, filter={">ID": 100})
    assert (classic.total, classic.next) == (0, None)
    item = w.answer("crm.item.list", entityTypeId=2, start="-1", filter={">id": 100})
    assert (item.total, item.next) == (None, None)
    w.portal.options.item_total_zero = True
    assert w.answer("crm.item.list", entityTypeId=2, start=-1).total == 0


def test_keyset_walks_over_everything_once(w: World) -> None:
    seen: list[int] = []
    while True:
        last = seen[-1] if seen else 0
        page = w.ids(
            "crm.item.list", entityTypeId=2, start=-1, filter={">id": last}, order={"id": "ASC"}
        )
        seen += page
        if len(page) < 50:
            break
    assert seen == EVEN


def test_an_array_compared_with_an_id_counts_as_one(w: World) -> None:
    """What a chained batch command gets when the page before it was short."""
    assert w.ids("crm.deal.list", start=-1, filter={">ID": [{"ID": "5"}]}) == EVEN[:50]


def test_classic_drops_unknown_filter_keys_and_logic(w: World) -> None:
    answer = w.answer("crm.deal.list", filter={">DATE_MODIFIED": "2026-01-01", "logic": "OR"})
    assert answer.total == 120


def test_item_refuses_unknown_fields_and_directions(w: World) -> None:
    assert w.error("crm.item.list", entityTypeId=2, filter={">=dateModify": 1}) == (
        400,
        "INVALID_ARG_VALUE",
        "Invalid filter: field 'dateModify' is not allowed in filter",
    )
    assert w.error("crm.item.list", entityTypeId=2, order={"id": "x"})[2] == (
        "Invalid order: allowed sort directions are `ASC, DESC`. But got 'x' for field 'id'"
    )
    assert w.error("crm.item.list", entityTypeId=2, order={"ID": "ASC"})[1] == "INVALID_ARG_VALUE"
    assert w.error("crm.item.list", entityTypeId=777)[1] == "NOT_FOUND"
    assert w.error("crm.item.list", entityTypeId=5)[1] == "ENTITY_TYPE_NOT_SUPPORTED"


@pytest.mark.parametrize(
    ("condition", "expected"),
    [
        ({"=opportunity": 300}, [6]),
        ({"@opportunity": [100, "200"]}, [2, 4]),
        ({">=opportunity": 11900}, [238, 240]),
        ({"<opportunity": "250"}, [2, 4]),
        ({"%title": "СДЕЛКА 11"}, [22, 220, 222, 224, 226, 228, 230, 232, 234, 236, 238]),
        ({"=%title": "%1 1%", "id": 2}, []),
        ({"%=title": "сделка 7"}, [14]),
        ({"@id": [4, 5, 240]}, [4, 240]),
        ({"!@id": EVEN[2:]}, [2, 4]),
        ({">=id": 4, "<=id": 8, "!id": 6}, [4, 8]),
        ({"contactIds": 3, "<id": 40}, [4, 18, 32]),
        ({"stageSemanticId": "S", "<id": 20}, [6, 12, 18]),
        ({"0": {"logic": "OR", "0": {"id": 2}, "1": {">id": 238}}}, [2, 240]),
        ({"logic": "OR", "=id": 4, "=title": "Сделка 3"}, [4, 6]),
        ({"sourceId": "", "<=id": 8}, [4, 8]),
        ({"!sourceId": "WEB", "<=id": 8}, [4, 8]),
        ({"companyId": 0, "<=id": 8}, [2, 4, 6, 8]),
    ],
)
def test_item_filters(w: World, condition: dict[str, object], expected: list[int]) -> None:
    assert w.ids("crm.item.list", entityTypeId=2, filter=condition) == expected
    assert w.ids("crm.item.list", entityTypeId=2, filter=condition, start=-1) == expected


def test_like_on_dictionaries_is_exact_in_classic_only(w: World) -> None:
    assert w.ids("crm.deal.list", filter={"%SOURCE_ID": "WE"}) == []
    assert len(w.ids("crm.deal.list", filter={"%SOURCE_ID": "WEB"})) == 50
    assert len(w.ids("crm.item.list", entityTypeId=2, filter={"%sourceId": "WE"})) == 50


@pytest.mark.parametrize(
    "value",
    [
        "2026-01-01T01:59:00+00:00",
        "2026-01-01T04:59:00+03:00",
        "2026-01-01 04:59:00",
        "01.01.2026 04:59:00",
    ],
)
def test_moments_in_any_offset_and_in_server_time_without_one(w: World, value: str) -> None:
    assert w.ids("crm.deal.list", filter={">=DATE_MODIFY": value}) == [238, 240]


def test_an_unreadable_moment_matches_nothing(w: World) -> None:
    assert w.ids("crm.deal.list", filter={">=DATE_MODIFY": "yesterday"}) == []


def test_dates_are_midnight_utc_in_the_server_zone(w: World) -> None:
    assert w.call("crm.deal.get", id=2)["CLOSEDATE"] == "2026-01-01T03:00:00+03:00"
    assert len(w.ids("crm.deal.list", filter={"CLOSEDATE": "2026-01-01"})) == 50
    assert len(w.ids("crm.deal.list", filter={"CLOSEDATE": "2026-01-01T03:00:00+03:00"})) == 50
    west = world()
    west.portal.time_zone = __import__("zoneinfo").ZoneInfo("America/Bogota")
    assert west.call("crm.deal.get", id=2)["CLOSEDATE"] == "2025-12-31T19:00:00-05:00"


def test_classic_renders_strings(w: World) -> None:
    card = w.call("crm.deal.get", ID="2")
    assert card["ID"] == "2"
    assert card["OPPORTUNITY"] == "100.00"
    assert card["COMPANY_ID"] == "0"
    assert w.call("crm.deal.get", id=4)["COMPANY_ID"] is None
    assert card["BEGINDATE"] == ""
    assert card["DATE_CREATE"] == "2026-01-01T03:00:00+03:00"
    assert "CONTACT_IDS" not in card
    assert card["CONTACT_ID"] == "2"


def test_item_renders_native_values(w: World) -> None:
    card = w.call("crm.item.get", entityTypeId=2, id=2)["item"]
    assert (card["id"], card["opportunity"], card["companyId"]) == (2, 100, 0)
    assert (card["contactIds"], card["begindate"], card["isWon"]) == ([2], None, None)
    assert card["updatedTime"] == "2026-01-01T03:01:00+03:00"
    assert card["entityTypeId"] == 2


def test_time_skew_moves_only_created_and_updated(w: World) -> None:
    w.portal.options.tz_skew_seconds = 3600
    card = w.call("crm.item.get", entityTypeId=2, id=2)["item"]
    assert card["createdTime"] == "2026-01-01T04:00:00+03:00"
    assert w.call("crm.deal.get", id=2)["DATE_CREATE"] == "2026-01-01T03:00:00+03:00"


def test_multifields_only_when_named(w: World) -> None:
    assert "PHONE" not in w.call("crm.contact.list", select=["*", "UF_*"])[0]
    assert "PHONE" not in w.call("crm.contact.list")[0]
    named = w.call("crm.contact.list", select=["ID", "PHONE"])[0]
    phone = {"ID": "1", "VALUE_TYPE": "WORK", "VALUE": "+74950000001", "TYPE_ID": "PHONE"}
    assert named == {"ID": "1", "PHONE": [phone]}
    assert w.ids("crm.contact.list", filter={"PHONE": "+74950000002"}) == [2]
    assert w.ids("crm.contact.list", filter={"%PHONE": "0000002"}) == []


def test_fm_comes_only_with_everything(w: World) -> None:
    row = w.call("crm.item.list", entityTypeId=3, select=["id", "fm", "phoneWork"])["items"][0]
    assert row == {"id": 1, "phoneWork": "+74950000001"}
    full = w.call("crm.item.list", entityTypeId=3, select=["*"])["items"][0]
    assert full["fm"] == [
        {"id": 1, "valueType": "WORK", "value": "+74950000001", "typeId": "PHONE"}
    ]


def test_other_categories_of_contacts_are_hidden_unless_asked_for(w: World) -> None:
    assert w.ids("crm.contact.list") == [1, 2, 3, 4, 5, 6]
    assert w.ids("crm.item.list", entityTypeId=3) == [1, 2, 3, 4, 5, 6]
    assert w.ids("crm.item.list", entityTypeId=3, filter={"categoryId": 5}) == [7]


def test_company_contacts_follow_the_contacts(w: World) -> None:
    listed = {"entityTypeId": 4, "select": ["id", "contactIds"]}
    assert w.call("crm.item.list", **listed)["items"][0]["contactIds"] == [1, 2]
    w.call("crm.contact.update", id=3, fields={"COMPANY_ID": 1})
    w.call("crm.contact.update", id=1, fields={"COMPANY_ID": 2})
    rows = w.call("crm.item.list", **listed)["items"]
    assert [row["contactIds"] for row in rows] == [[2, 3], [1]]
    assert w.ids("crm.item.list", entityTypeId=4, filter={"contactIds": 1}) == [2]


def test_order_by_other_fields_puts_the_unset_first(w: World) -> None:
    ids = w.ids("crm.deal.list", order={"SOURCE_ID": "ASC", "ID": "DESC"}, filter={"<ID": 10})
    assert ids == [8, 4, 6, 2]
    assert w.ids("crm.deal.list", order={"OPPORTUNITY": "DESC"}, start=-1)[:2] == [240, 238]


def test_what_one_may_not_read_is_absent_from_lists_and_refused_by_get(w: World) -> None:
    own = [row for row in EVEN if row % 20 == 0]
    assert w.ids("crm.deal.list", user=2) == own
    assert w.answer("crm.deal.list", user=2).total == len(own)
    assert w.ids("crm.item.list", user=3, entityTypeId=2, start=-1) == own
    assert w.error("crm.deal.get", user=2, id=2) == (400, "", "Access denied.")
    assert w.error("crm.item.get", user=2, entityTypeId=2, id=2)[:2] == (400, "ACCESS_DENIED")
    assert w.error("crm.deal.list", user=4) == (400, "", "Access denied.")
    assert w.ids("crm.item.list", user=4, entityTypeId=2) == []
    assert w.ids("crm.contact.list", user=2) == [1, 2, 3, 4, 5, 6]


def test_broken_parameters(w: World) -> None:
    assert w.error("crm.deal.list", filter="x") == (400, "", "Parameter 'filter' must be array.")
    assert w.error("crm.deal.get", id="x") == (400, "", "ID is not defined or invalid.")
    assert w.error("crm.deal.get", id=3) == (400, "", "Not found")
    assert w.error("crm.item.get", entityTypeId=2, id=3) == (400, "NOT_FOUND", "Элемент не найден")


def test_the_defect_of_original_names_empties_rows(w: World) -> None:
    asked = {"entityTypeId": 2, "select": ["id", "utmSource"], "useOriginalUfNames": "Y"}
    assert w.call("crm.item.list", **asked)["items"][0] == {"id": 2, "utmSource": None}
    w.portal.options.original_uf_defect = True
    assert w.call("crm.item.list", **asked)["items"][:2] == [[], []]
    assert w.ids("crm.item.list", **{**asked, "select": ["*"]})[0] == 2


def test_cached_rows_follow_changes(w: World) -> None:
    asked = {"select": ["ID", "TITLE"], "filter": {"ID": 2}}
    assert w.call("crm.deal.list", **asked)[0]["TITLE"] == "Сделка 1"
    w.store.tables["deal"].update(2, {"TITLE": "Другая"})
    assert w.call("crm.deal.list", **asked)[0]["TITLE"] == "Другая"
    w.store.tables["deal"].delete(2)
    assert w.call("crm.deal.list", **asked) == []
    assert w.answer("crm.deal.list").total == 119


def test_counting_and_sorting_cost_time(w: World) -> None:
    plain = w.answer("crm.deal.list", select=["ID"], start=-1).seconds
    counted = w.answer("crm.deal.list", select=["ID"]).seconds
    ordered = w.answer("crm.deal.list", select=["ID"], order={"TITLE": "ASC"}).seconds
    wide = w.answer("crm.deal.list", start=-1).seconds
    assert 0 < plain < counted < ordered
    assert wide > plain


def test_stage_history_and_activities(w: World) -> None:
    w.call("crm.deal.update", id=2, fields={"STAGE_ID": "WON"})
    page = w.call("crm.stagehistory.list", entityTypeId=2, filter={"OWNER_ID": 2})
    assert page["items"][0] == {
        "ID": 1,
        "TYPE_ID": 3,
        "OWNER_ID": 2,
        "CREATED_TIME": "2026-03-01T12:30:15+03:00",
        "CATEGORY_ID": 0,
        "STAGE_SEMANTIC_ID": "S",
        "STAGE_ID": "WON",
    }
    w.call("crm.lead.update", id=1, fields={"STATUS_ID": "JUNK"})
    lead = w.call("crm.stagehistory.list", entityTypeId=1)["items"]
    assert [(row["STATUS_ID"], row["STATUS_SEMANTIC_ID"]) for row in lead] == [("JUNK", "F")]
    made = w.call(
        "crm.activity.add", fields={"OWNER_TYPE_ID": 3, "OWNER_ID": 1, "TYPE_ID": 2, "DIRECTION": 1}
    )
    rows = w.call("crm.activity.list", filter={"OWNER_TYPE_ID": 3, "OWNER_ID": 1})
    assert [(row["ID"], row["TYPE_ID"]) for row in rows] == [(str(made), "2")]
    assert w.error("crm.activity.get", id=99)[2] == "Activity is not found."


def test_activities_are_seen_with_their_owners(w: World) -> None:
    for deal in (2, 20):
        made = {"OWNER_TYPE_ID": 2, "OWNER_ID": deal, "TYPE_ID": 4, "SUBJECT": f"{deal}"}
        w.call("crm.activity.add", fields=made)
    assert w.ids("crm.activity.list") == [1, 2]
    assert w.ids("crm.activity.list", user=2) == [2]
    assert w.error("crm.activity.get", user=2, id=1)[2] == "Access denied."
    w.store.tables["deal"].update(2, {"ASSIGNED_BY_ID": 2})
    assert w.ids("crm.activity.list", user=2) == [1, 2]


def test_rows_may_come_unsorted_and_indexes_stay_true() -> None:
    table = world().store.tables["deal"]
    table.load({"ID": n, "CONTACT_IDS": [3, 1]} for n in (7, 3, 5))
    assert list(table.ids())[:6] == [2, 3, 4, 5, 6, 7]
    assert [n for n in table.lookup("CONTACT_IDS", 3) if n % 2] == [3, 5, 7]
    table.update(5, {"CONTACT_IDS": [1]})
    table.delete(7)
    table.insert({"ID": 1, "CONTACT_ID": 3})
    assert [n for n in table.lookup("CONTACT_IDS", 3) if n % 2] == [1, 3]
    with pytest.raises(ValueError, match="already exists"):
        table.insert({"ID": 1})
    with pytest.raises(KeyError):
        table.update(7, {})


def test_a_store_gives_ids_that_never_come_back(w: World) -> None:
    table = w.store.tables["deal"]
    table.delete(240)
    assert table.insert({"TITLE": "x", "DATE_CREATE": datetime(2026, 1, 1, tzinfo=UTC)}) == 241
    assert 240 not in table
    assert table.get(240) is None


def test_recent_changes_are_found_however_often_a_row_changes(w: World) -> None:
    asked = {"filter": {">=DATE_MODIFY": "2026-03-01T09:30:15Z"}, "order": {"ID": "ASC"}}
    assert w.ids("crm.deal.list", **asked) == []
    for _ in range(3):
        w.call("crm.deal.update", id=10, fields={"TITLE": "x"})
    added = w.call("crm.deal.add", fields={"TITLE": "y"})
    assert w.ids("crm.deal.list", **asked) == [10, added]
    assert w.ids("crm.deal.list", start=-1, **asked) == [10, added]
    w.store.tables["deal"].update(10, {"DATE_MODIFY": datetime(2026, 1, 1, tzinfo=UTC)})
    assert w.ids("crm.deal.list", **asked) == [added]
    w.call("crm.deal.delete", id=added)
    assert w.ids("crm.deal.list", **asked) == []
    later = {">DATE_MODIFY": "2026-01-01T01:58:00+00:00"}
    assert w.ids("crm.deal.list", filter=later) == [238, 240]
