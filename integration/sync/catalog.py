"""Reads the catalog: its sections, and its products with their purchase prices.

It needs the scope `catalog` and an administrator's rights; without them the rest is read all the same. A
catalog is several information blocks, and every list is of one of them.
https://apidocs.bitrix24.com/api-reference/catalog/product/catalog-product-list.html
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from heapq import merge
from itertools import islice
from typing import Any

from sqlalchemy.orm import Session

from integration.bitrix import answers
from integration.bitrix.client import Client
from integration.bitrix.lists import PAGE
from integration.goods import Product, ProductSection
from integration.rules import products as rules
from integration.sync import product_prices, store
from integration.sync.entities import PRODUCTS, SECTIONS
from integration.sync.lines import (
    Ready,
    Row,
    Rows,
    Source,
    Start,
    Stored,
    line_source,
    preparing,
    upsert,
)

AT_ONCE = 500
_ID = "id"
_SELECT = (
    *("id", "iblockId", "iblockSectionId", "parentId", "name", "active"),
    *("purchasingPrice", "purchasingCurrency", "timestampX"),
)
_PRODUCT_LIST = ("catalog.product.list", "products")
_SECTION = (
    "coalesce(incoming.section_id, (SELECT p.section_id FROM products p"
    " WHERE p.portal_id = :portal_id AND p.bitrix_id = incoming.parent_id))"
)


def sections() -> Source:
    """Sections, which tell no time of their change: read whole by a full run and after each check."""

    def pages(client: Client, start: Start) -> Iterator[Rows]:
        if start.since is None:
            lists = [
                _listed(client, "catalog.section.list", "sections", block, start, {})
                for block in _blocks(client)
            ]
            yield from _merged(lists)

    return line_source(SECTIONS, ProductSection, pages, rules.section, id_field=_ID, optional=True)


def products() -> Source:
    """Products, variations and services of all blocks; a variation lies where its product does."""
    statements = [
        upsert(
            Product,
            {"section_id": _SECTION},
            f"incoming.parent_id IS {what}",
            returning="bitrix_id",
        )
        for what in ("NULL", "NOT NULL")
    ]

    def put(session: Session, portal_id: int, ready: Ready, _note_clients: bool) -> Stored:
        parameters = {"portal_id": portal_id, "rows": ready.content}
        changed = [i for one in statements for i in session.scalars(one, parameters)]
        if changed:
            product_prices.follow(session, portal_id, changed)
        aside = store.quarantine(session, portal_id, PRODUCTS, ready.ids, ready.problems)
        return Stored(len(changed), aside)

    prepare = preparing(rules.product, _ID)
    return Source(PRODUCTS, _ID, _product_pages, prepare, put, optional=True)


def _product_pages(client: Client, start: Start) -> Iterator[Rows]:
    blocks = _blocks(client)
    params: dict[str, Any] = {"select": list(_SELECT)}
    if start.since is not None:
        params["filter"] = {">=timestampX": start.since.isoformat()}
        few = _few(client, blocks, params, start)
        if few is not None:
            yield from [few] if few else []
            return
    lists = [_listed(client, *_PRODUCT_LIST, block, start, params) for block in blocks]
    yield from _merged(lists)


def _blocks(client: Client) -> list[int]:
    """Ids of the catalog's information blocks."""
    answer = client.call("catalog.catalog.list", {"select": ["id", "iblockId"]})
    return sorted(int(row["iblockId"]) for row in answers.rows(answer.result, ("catalogs",)))


def _few(client: Client, blocks: list[int], params: dict[str, Any], start: Start) -> Rows | None:
    """The changed products of all blocks by one request; None when they are more than it brings."""
    method, path = _PRODUCT_LIST
    answer = client.batch(
        {f"b{block}": (method, _page(params, block, start.after_id)) for block in blocks}
    )
    for error in answer.errors.values():
        raise error
    pages = [answers.rows(result, (path,)) for result in answer.results.values()]
    if any(len(page) >= PAGE for page in pages):
        return None
    return sorted((row for page in pages for row in page), key=_number)


def _page(params: dict[str, Any], block: int, after_id: int) -> dict[str, Any]:
    conditions = {**params.get("filter", {}), "iblockId": block, f">{_ID}": after_id}
    return {**params, "filter": conditions, "order": {_ID: "ASC"}, "start": -1}


def _listed(
    client: Client, method: str, path: str, block: int, start: Start, params: dict[str, Any]
) -> Iterator[Row]:
    """Rows of one block by ascending id."""
    of_block = {**params, "filter": {**params.get("filter", {}), "iblockId": block}}
    pages = client.list_all(
        method, params=of_block, after_id=start.after_id, id_field=_ID, items_path=(path,)
    )
    for page in pages:
        yield from page.rows


def _merged(lists: Sequence[Iterator[Row]]) -> Iterator[Rows]:
    """Rows of all blocks by ascending id, so that a run goes on where it stood."""
    rows = merge(*lists, key=_number)
    while page := list(islice(rows, AT_ONCE)):
        yield page


def _number(row: Row) -> int:
    return int(row[_ID])
