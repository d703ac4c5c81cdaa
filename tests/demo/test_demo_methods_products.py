"""Product rows of deals and the catalog, as the documentation of their methods says."""

from __future__ import annotations

from typing import Any

import pytest
from support.demo_world import World, world

ROWS = [
    {"N": 1, "PRODUCT_ID": 1, "PRICE": 40.0, "QUANTITY": 2.0, "DISCOUNT_RATE": 20.0},
    {"N": 2, "PRODUCT_NAME": "Доставка", "PRICE": 20.0, "QUANTITY": 1.0},
]
LIST, D = "crm.item.productrow.list", {"=ownerType": "D"}


@pytest.fixture
def w() -> World:
    made = world()
    store = made.store
    store.tables["catalog"].load([{"ID": 23, "NAME": "Товары"}, {"ID": 24, "NAME": "Предложения"}])
    store.tables["section"].load([{"ID": 1, "IBLOCK_ID": 23, "NAME": "Окна"}])
    product = {"IBLOCK_ID": 23, "ACTIVE": "Y", "TYPE": 1, "IBLOCK_SECTION_ID": 1}
    store.tables["product"].load(
        [
            {
                **product, "ID": n, "NAME": f"Окно {n}", "PURCHASING_PRICE": 10.0 * n,
                "PURCHASING_CURRENCY": "RUB", "TIMESTAMP_X": made.now,
            }
            for n in range(1, 61)
        ]
    )  # fmt: skip
    store.tables["product"].insert(
        {"ID": 61, "IBLOCK_ID": 24, "NAME": "Створка", "TYPE": 4, "PARENT_ID": 1, "ACTIVE": "Y"}
    )
    store.tables["deal"].update(2, {"OPPORTUNITY": 100.0, "PRODUCT_ROWS": ROWS})
    many = [{"N": n, "PRODUCT_ID": n, "PRICE": float(n), "QUANTITY": 1.0} for n in range(1, 61)]
    store.tables["deal"].update(4, {"OPPORTUNITY": 1830.0, "PRODUCT_ROWS": many})
    return made


def rows(w: World, **params: Any) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = w.call(LIST, **params)["productRows"]
    return found


def test_rows_of_one_deal_and_of_several(w: World) -> None:
    one, other = rows(w, filter={**D, "=ownerId": 2}, order={"id": "asc"})
    assert (one["productName"], one["price"], one["priceBrutto"], one["discountSum"]) == (
        *("Окно 1", 40, 50, 10),
    )
    assert (other["productId"], other["productName"], other["ownerId"]) == (0, "Доставка", 2)
    answer = w.answer(LIST, filter={**D, "=ownerId": [2, 4]}, order={"id": "asc"}, start=0)
    assert (len(answer.value["productRows"]), answer.total, answer.next) == (50, 62, 50)
    rest = w.answer(LIST, filter={**D, "=ownerId": [2, 4]}, order={"id": "asc"}, start=50)
    assert (len(rest.value["productRows"]), rest.next) == (12, None)
    last = answer.value["productRows"][-1]["id"]
    after = rows(w, filter={**D, "=ownerId": [2, 4], ">id": last}, order={"id": "asc"}, start=-1)
    assert after == rest.value["productRows"]
    assert len(rows(w, filter={**D, "=ownerId": 4, ">price": 55})) == 5
    assert rows(w, filter={**D, "=ownerId": [6, 999]}) == []
    assert rows(w, filter={"=ownerType": "L", "=ownerId": 2}) == []


def test_owners_are_demanded_and_have_to_be_readable(w: World) -> None:
    for conditions in ({}, D, {"=ownerId": 2}, {**D, "ownerId": 2}):
        assert w.error(LIST, filter=conditions)[:2] == (400, 100)
    assert w.error(LIST, filter={**D, "=ownerId": [20, 2]}, user=2)[1] == "ACCESS_DENIED"
    assert w.error(LIST, filter={**D, "=ownerId": 2, "wrong": 1})[1] == "INVALID_ARG_VALUE"


def test_the_amount_follows_the_rows_until_it_is_typed_by_hand(w: World) -> None:
    deals, key = w.store.tables["deal"], {"ownerType": "D", "ownerId": 2}
    made = w.call("crm.item.productrow.add", fields={**key, "productId": 2, "price": 5})
    assert made["productRow"]["productName"] == "Окно 2"
    assert deals.get(2)["OPPORTUNITY"] == 105
    assert deals.get(2)["DATE_MODIFY"] == w.now.replace(microsecond=0)
    assert w.events[-1][0] == "ONCRMDEALUPDATE"
    w.call("crm.item.productrow.update", id=made["productRow"]["id"], fields={"quantity": 3})
    assert deals.get(2)["OPPORTUNITY"] == 115
    assert w.call("crm.item.productrow.delete", id=made["productRow"]["id"]) is None
    assert deals.get(2)["OPPORTUNITY"] == 100
    w.call("crm.deal.update", id=2, fields={"OPPORTUNITY": 500})
    assert deals.get(2)["IS_MANUAL_OPPORTUNITY"] == "Y"
    sent = [{"productName": "Всё вместе", "price": 7}]
    put = w.call("crm.item.productrow.set", **key, productRows=sent)["productRows"]
    assert [(row["id"], row["price"], row["quantity"]) for row in put] == [(2003, 7, 1)]
    assert deals.get(2)["OPPORTUNITY"] == 500
    assert w.error("crm.item.productrow.get", id=2001)[1] == "NOT_FOUND"
    assert w.call("crm.item.productrow.get", id=2003)["productRow"]["ownerId"] == 2
    owner = {"ownerType": "D", "ownerId": 999, "productRows": []}
    assert w.error("crm.item.productrow.set", **owner)[1] == "OWNER_NOT_FOUND"


def test_the_old_methods(w: World) -> None:
    found = w.call("crm.deal.productrows.get", id=2)
    assert [(row["ID"], row["PRODUCT_ID"], row["PRICE_ACCOUNT"]) for row in found] == [
        ("2001", 1, "40.00"),
        ("2002", 0, "20.00"),
    ]
    kept = {"ID": 2002, "PRODUCT_NAME": "Доставка", "PRICE": 30}
    assert w.call("crm.deal.productrows.set", id=2, rows=[kept, {"PRODUCT_ID": 3, "PRICE": 1}])
    after = w.call("crm.deal.productrows.get", id=2)
    assert [(row["ID"], row["PRICE"]) for row in after] == [("2002", 30), ("2003", 1)]
    assert w.error("crm.deal.productrows.get", id=999)[2] == "Access denied."


def test_products_of_one_block(w: World) -> None:
    method, select = (
        "catalog.product.list",
        ["id", "iblockId", "name", "purchasingPrice", "parentId"],
    )
    assert [row["iblockId"] for row in w.call("catalog.catalog.list")["catalogs"]] == [23, 24]
    answer = w.answer(method, select=select, filter={"iblockId": 23}, order={"id": "asc"}, start=0)
    assert (len(answer.value["products"]), answer.total, answer.next) == (50, 60, 50)
    asked = {"select": select, "filter": {"iblockId": 23, ">id": 58}, "order": {"id": "asc"}}
    found = w.call(method, **asked, start=-1)["products"]
    assert [(row["id"], row["purchasingPrice"]) for row in found] == [
        (59, "590.000000"),
        (60, "600.000000"),
    ]
    variation = w.call(method, select=select, filter={"iblockId": 24})["products"][0]
    assert variation["parentId"]["value"] == "1"
    assert variation["purchasingPrice"] is None
    assert w.error(method, select=["id"], filter={"iblockId": 23})[:2] == (400, 0)
    assert w.error(method, select=select, filter={})[:2] == (400, 0)
    assert w.error(method, select=select, filter={"iblockId": 23, "@id": [1]})[:2] == (400, 0)
    denied = w.error(method, select=select, filter={"iblockId": 23}, user=2)
    assert denied[:2] == (400, 200040300010)
    assert w.call("catalog.section.list", filter={"iblockId": 23})["sections"][0]["name"] == "Окна"


def test_a_changed_product_has_a_new_stamp_and_tells(w: World) -> None:
    w.store.tables["product"].update(5, {"TIMESTAMP_X": w.now.replace(year=2020)})
    asked = {
        "select": ["id", "iblockId"],
        "filter": {"iblockId": 23, "<timestampX": w.now.isoformat(), "id": 5},
    }
    assert len(w.call("catalog.product.list", **asked)["products"]) == 1
    changed = w.call("catalog.product.update", id=5, fields={"purchasingPrice": "12.5"})
    assert changed["element"]["purchasingPrice"] == "12.500000"
    since = {"iblockId": 23, ">=timestampX": w.now.replace(microsecond=0).isoformat(), "id": 5}
    assert len(w.call("catalog.product.list", **{**asked, "filter": since})["products"]) == 1
    assert w.events[-1][:2] == ("CATALOG.PRODUCT.ON.UPDATE", {"ID": 5, "TYPE": 1})
