"""Product rows of deals in the mirror: equal to the portal's after every way of reading."""

from __future__ import annotations

from collections import defaultdict
from decimal import Decimal

import pytest
import sqlalchemy as sa
from support.trouble import requests

from core.database import transaction
from integration import health_rows, hints
from integration.goods import DealProduct, Product, ProductSection
from integration.mirror import Deal
from integration.models import ChangedClient, PortalEvent, SyncCursor
from integration.rules.products import digest, rows_of
from integration.sync import checks, product_rows, reconcile
from integration.sync.entities import CATALOG

CENT = Decimal("0.01")


def rows_there(world):
    """(deal, row) → what was sold, by the portal's own rows."""
    return {
        (deal["ID"], deal["ID"] * 1000 + row["N"]): (
            row.get("PRODUCT_ID"),
            Decimal(str(row.get("QUANTITY", 1))),
            Decimal(str(row["PRICE"])).quantize(CENT),
        )
        for deal in world.rows("deal")
        for row in deal.get("PRODUCT_ROWS") or ()
    }


def rows_here(world):
    query = sa.select(DealProduct).join(
        Deal,
        sa.and_(Deal.portal_id == DealProduct.portal_id, Deal.bitrix_id == DealProduct.deal_id),
    )
    with world.runtime.sessions() as session:
        found = session.scalars(
            query.where(DealProduct.portal_id == world.portal_id, Deal.deleted_at.is_(None))
        )
        return {(r.deal_id, r.row_id): (r.product_id, r.quantity, r.price) for r in found}


def costs(world):
    with world.runtime.sessions() as session:
        query = sa.select(Deal.bitrix_id, Deal.cost).where(Deal.portal_id == world.portal_id)
        return {row[0]: row[1] for row in session.execute(query)}


def costs_there(world):
    """What the rows of each deal cost, by the portal's products and today's rates."""
    products = {row["ID"]: row for row in world.rows("product")}
    rates = {
        r["CURRENCY"]: Decimal(str(r["AMOUNT"])) / r["AMOUNT_CNT"] for r in world.rows("currency")
    }
    found = {}
    for deal in world.rows("deal"):
        sold = [(products.get(r.get("PRODUCT_ID"), {}), r) for r in deal.get("PRODUCT_ROWS") or ()]
        if sold and all(product.get("PURCHASING_PRICE") for product, _ in sold):
            found[deal["ID"]] = sum(
                Decimal(str(p["PURCHASING_PRICE"]))
                * Decimal(str(r.get("QUANTITY", 1)))
                * rates[p["PURCHASING_CURRENCY"]]
                for p, r in sold
            ).quantize(CENT)
        else:
            found[deal["ID"]] = None
    return found


def noted(world):
    with world.runtime.sessions() as session:
        query = sa.select(ChangedClient.kind, ChangedClient.client_id)
        return {
            (row[0], row[1])
            for row in session.execute(query.where(ChangedClient.portal_id == world.portal_id))
        }


def cursor(world, entity):
    with world.runtime.sessions() as session:
        return session.get_one(SyncCursor, (world.portal_id, entity))


@pytest.fixture
def read(world):
    """The portal, read whole and counted."""
    world.sync(full=True)
    world.count()
    return world


def deal_with_rows(world, **wanted):
    return next(
        deal
        for deal in world.rows("deal")
        if len(deal.get("PRODUCT_ROWS") or ()) > 1
        and all(deal[name] == value for name, value in wanted.items())
    )


def hint(world, event, deal_id):
    """The portal tells of a change, and what it named is read."""
    with transaction(world.runtime.sessions) as session:
        session.add(PortalEvent(portal_id=world.portal_id, event=event, object_id=deal_id))
    assert hints.apply(world.runtime, world.portal_id) == 1


def check(world):
    with transaction(world.runtime.sessions) as session:
        checks.request(session, world.portal_id)
    while reconcile.run_slice(world.runtime, world.portal_id):
        pass
    with world.runtime.sessions() as session:
        return {row.entity: row for row in checks.results(session, world.portal_id)}


def commands(world, since, method):
    return [e for e in world.demo.control(f"log?since={since}") if e["method"] == method]


def last_call(world):
    return max((e["n"] for e in world.demo.control("log")), default=0)


def client_of(deal):
    return (
        ("contact", deal["CONTACT_ID"])
        if deal.get("CONTACT_ID")
        else ("company", deal["COMPANY_ID"])
    )


def test_the_mirror_has_the_portals_rows_whichever_way_it_learns_of_them(world):
    mark = last_call(world)
    world.sync(full=True)
    assert rows_here(world) == rows_there(world)
    assert costs(world) == costs_there(world)
    assert sum(cost is not None for cost in costs(world).values()) > 20
    deals = len(world.rows("deal"))
    asked = commands(world, mark, product_rows.METHOD)
    assert len(asked) <= -(-deals // product_rows.DEALS_PER_COMMAND) + len(rows_here(world)) // 50
    assert len({entry["parent"] for entry in asked}) <= 2, "requests"
    world.count()

    first = deal_with_rows(world, STAGE_SEMANTIC_ID="S")
    world.call(
        "crm.item.productrow.set", ownerType="D", ownerId=first["ID"],
        productRows=[{"productId": 1, "price": 150, "quantity": 2.5}, {"productName": "x", "price": 1}],
    )  # fmt: skip
    hint(world, "ONCRMDEALUPDATE", first["ID"])
    assert rows_here(world) == rows_there(world)
    assert costs(world) == costs_there(world)
    assert client_of(first) in noted(world)

    world.count()
    second = deal_with_rows(world, STAGE_SEMANTIC_ID="S")
    world.call(
        "crm.item.productrow.delete", id=second["ID"] * 1000 + second["PRODUCT_ROWS"][0]["N"]
    )
    world.sync()
    assert rows_here(world) == rows_there(world)
    assert costs(world) == costs_there(world)
    assert client_of(second) in noted(world)

    world.count()
    third = deal_with_rows(world, STAGE_SEMANTIC_ID="S")
    less = third["PRODUCT_ROWS"][:1]
    order = {"table": "deal", "action": "update", "id": third["ID"], "silent": True}
    world.demo.control("mutate", {**order, "fields": {"PRODUCT_ROWS": less}})
    world.sync()
    assert rows_here(world) != rows_there(world), "nothing has told of it"
    assert check(world)["deal"].differing == 1
    assert rows_here(world) == rows_there(world)
    assert costs(world) == costs_there(world)
    assert client_of(third) in noted(world)
    assert check(world)["deal"].found == 0

    world.demo.control("mutate", {"table": "deal", "action": "delete", "id": third["ID"]})
    hint(world, "ONCRMDEALDELETE", third["ID"])
    assert rows_here(world) == rows_there(world)


def test_a_sale_keeps_the_purchase_price_of_its_day_and_an_open_deal_follows(read):
    with read.runtime.sessions() as session:
        products = session.scalars(
            sa.select(Product).where(Product.portal_id == read.portal_id)
        ).all()
        sections = session.scalars(sa.select(ProductSection.name)).all()
    assert len(products) == len(read.rows("product"))
    assert set(sections) == {row["NAME"] for row in read.rows("section")}
    by_id = {product.bitrix_id: product for product in products}
    variations = [product for product in products if product.parent_id]
    assert variations
    assert all(v.section_id == by_id[v.parent_id].section_id for v in variations)

    before = costs(read)
    won, others = defaultdict(set), defaultdict(set)
    for deal in read.rows("deal"):
        for row in deal.get("PRODUCT_ROWS") or () if before[deal["ID"]] else ():
            of = won if deal["STAGE_SEMANTIC_ID"] == "S" else others
            of[row["PRODUCT_ID"]].add(deal["ID"])
    priced = next(product for product in won if others[product])
    price = float(by_id[priced].purchase_price)
    fields = {"purchasingPrice": price + 1000, "purchasingCurrency": "RUB"}
    read.call("catalog.product.update", id=priced, fields=fields)
    unpriced = next(
        deal
        for deal in read.rows("deal")
        if deal["STAGE_SEMANTIC_ID"] == "S"
        and before[deal["ID"]] is None
        and [row.get("PRODUCT_ID", 0) > 0 for row in deal.get("PRODUCT_ROWS") or ()] == [True]
    )
    entered = unpriced["PRODUCT_ROWS"][0]["PRODUCT_ID"]
    read.call("catalog.product.update", id=entered, fields={**fields, "purchasingPrice": 7})
    read.sync()
    after, wanted = costs(read), costs_there(read)
    assert all(after[i] == before[i] for i in won[priced])
    assert all(after[i] == wanted[i] != before[i] for i in others[priced])
    assert after[unpriced["ID"]] == wanted[unpriced["ID"]] is not None
    assert client_of(unpriced) in noted(read)

    mark = last_call(read)
    read.sync()
    assert len(requests(read, since=mark)) <= 6
    assert not commands(read, mark, product_rows.METHOD)
    check(read)
    read.call("catalog.product.update", id=entered, fields={"name": "Другое имя"})
    read.sync()
    assert cursor(read, "product").rows == len(products), "read whole after the check"
    assert cursor(read, "product_section").rows == len(sections)
    assert cursor(read, "product").changed == 1


def test_without_the_catalog_everything_else_is_read_and_the_page_says_why(world):
    refusal = {"status": 403, "code": "insufficient_scope", "description": "", "times": -1}
    world.demo.fault("error", "catalog.catalog.list", **refusal)
    assert world.sync(full=True).status == "done"
    assert rows_here(world) == rows_there(world)
    assert set(costs(world).values()) == {None}
    assert cursor(world, "product").refused == "InsufficientScope"
    page = world.open(handler=f"{world.runtime.settings.public_url}/")
    assert page.status_code == 200
    with world.runtime.sessions() as session:
        lines = health_rows.entities(world.runtime, session, world.portal_id)
    assert {line.refused for line in lines if line.entity in CATALOG} == {"InsufficientScope"}

    world.demo.clear_faults()
    world.count()
    world.sync()
    assert costs(world) == costs_there(world)
    assert cursor(world, "product").refused is None
    assert noted(world)


def test_a_deal_that_may_not_be_read_keeps_nobody_elses_rows_away(world):
    denied = {"status": 400, "code": "ACCESS_DENIED", "description": "Доступ запрещен"}
    world.demo.fault("subcommand_error", product_rows.METHOD, times=2, **denied)
    assert world.sync(full=True).status == "done"
    assert rows_here(world) == rows_there(world)

    world.demo.fault("subcommand_error", product_rows.METHOD, times=-1, **denied)
    deal = deal_with_rows(world)
    world.call("crm.deal.update", id=deal["ID"], fields={"TITLE": "правка"})
    assert world.sync().status == "done"
    assert rows_here(world) == rows_there(world), "what is known stays known"
    world.demo.clear_faults()
    assert check(world)["deal"].differing == 1
    assert rows_here(world) == rows_there(world)


def test_rows_that_do_not_fit_are_left_out_and_named():
    misfits = []
    rows = [
        {"id": 1, "productId": 5, "price": 10.5, "quantity": 2, "productName": "A", "sort": 10},
        {"id": 2, "price": "much", "quantity": 1},
        {"id": 3, "price": 1, "quantity": "NaN"},
        {"id": 4, "price": 1, "quantity": 1, "taxRate": 99999},
        {
            "id": 5,
            "productId": 0,
            "price": 0.1,
            "quantity": 0.0001,
            "taxRate": 20,
            "taxIncluded": "Y",
        },
    ]
    kept = rows_of({"productRows": rows}, misfits)
    assert [(row.row_id, row.product_id, row.amount) for row in kept] == [
        (1, 5, "21.00"),
        (5, None, "0.00"),
    ]
    assert misfits == [
        "price: not an amount",
        "quantity: number out of range",
        "taxRate: number out of range",
    ]
    assert rows_of({}, misfits) is None
    assert digest(None) is None
    assert digest(kept) != digest(kept[:1])
