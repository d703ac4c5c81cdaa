"""A page of mapped rows on its way to the mirror: nothing of a row that another one replaces goes along."""

from __future__ import annotations

import json

from integration.rules import mapping, products
from integration.sync.store import Page

ROW = {"id": 7, products.ATTACHED: [{"id": 1, "price": 100, "quantity": 1}], "contactIds": [4, 5]}


def test_the_last_row_of_an_id_is_all_that_goes():
    earlier = mapping.deal(ROW, {})
    assert earlier.products, "the earlier row has something to leave behind"
    later = mapping.deal({"id": 7, "title": "Later", "contactIds": [9]}, {})
    page = Page.of([earlier, mapping.deal({"id": 8}, {}), later])
    assert page.size == 2
    assert {row["bitrix_id"]: row["title"] for row in json.loads(page.document)} == {
        7: "Later",
        8: None,
    }
    assert [row["contact_id"] for row in json.loads(page.parts)] == [9]
    assert json.loads(page.products) == []


def test_a_page_of_nothing_is_empty():
    page = Page.of([])
    assert page.size == 0
    assert [json.loads(each) for each in (page.document, page.parts, page.products)] == [[], [], []]
