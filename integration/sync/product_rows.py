"""Product rows of deals as the portal gives them: by their deals, fifty deals a command.

`crm.item.productrow.list` has no list of all rows: it demands the owners, and `=` takes an array of
them. Read along with the deals themselves, rows change the deal they belong to, and everything that
keeps deals true keeps them true as well.
https://apidocs.bitrix24.com/api-reference/crm/universal/product-rows/crm-item-productrow-list.html
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from core.errors import ServiceError
from integration.bitrix import answers
from integration.bitrix.client import Client
from integration.bitrix.errors import (
    AccessDenied,
    BitrixError,
    InvalidRequest,
    MethodNotFound,
    PageMismatch,
)
from integration.bitrix.lists import PAGE
from integration.rules.products import ATTACHED

Row = Mapping[str, Any]
METHOD = "crm.item.productrow.list"
DEALS_PER_COMMAND = 50
DEALS_AT_ONCE = 2500
SECONDS_AT_ONCE = 2.0
_Asked = tuple[tuple[int, ...], int]  # deals, and the id of the row after which to go on


def with_rows(client: Client, pages: Iterator[Sequence[Row]]) -> Iterator[Sequence[Row]]:
    """Pages of deals with their rows, several in one as long as they come quickly."""
    gathered: list[Row] = []
    began = time.monotonic()
    try:
        for page in pages:
            gathered += page
            if len(gathered) >= DEALS_AT_ONCE or time.monotonic() - began > SECONDS_AT_ONCE:
                yield attached(client, gathered)
                gathered, began = [], time.monotonic()
    except ServiceError:
        if gathered:
            yield attached(client, gathered)
        raise
    if gathered:
        yield attached(client, gathered)


def attached(client: Client, deals: Sequence[Row]) -> list[Row]:
    """The deals with their product rows; those whose rows may not be read stay without."""
    found = read(client, [int(deal["id"]) for deal in deals]) if deals else {}
    return [
        deal if (rows := found.get(int(deal["id"]))) is None else {**deal, ATTACHED: rows}
        for deal in deals
    ]


def read(client: Client, deal_ids: Sequence[int]) -> dict[int, list[Row]]:
    """Rows by deal, ascending by id; a deal whose rows may not be read is absent."""
    found: dict[int, list[Row]] = {deal_id: [] for deal_id in deal_ids}
    starts = range(0, len(deal_ids), DEALS_PER_COMMAND)
    waiting: list[_Asked] = [(tuple(deal_ids[i : i + DEALS_PER_COMMAND]), 0) for i in starts]
    while waiting:
        asked = {f"c{number}": one for number, one in enumerate(waiting)}
        answer = client.batch({key: (METHOD, _params(*one)) for key, one in asked.items()})
        waiting = []
        for key, one in asked.items():
            if error := answer.errors.get(key):
                waiting += _one_by_one(found, one, error)
            else:
                waiting += _accept(found, one, answers.rows(answer.results[key], (ATTACHED,)))
    return found


def _params(deals: Sequence[int], after: int) -> dict[str, Any]:
    owners = {"=ownerType": "D", "=ownerId": list(deals)}
    return {"filter": {**owners, ">id": after}, "order": {"id": "ASC"}, "start": -1}


def _accept(found: dict[int, list[Row]], asked: _Asked, page: Sequence[Row]) -> list[_Asked]:
    """Sort a page under its deals; what is to be asked next, as a full page may not be the last."""
    deals, after = asked
    for row in page:
        row_id, owner = int(row["id"]), int(row["ownerId"])
        if row_id <= after or owner not in deals:
            raise PageMismatch(f"{METHOD}: a row is out of order or of another deal")
        found[owner].append(row)
        after = row_id
    return [(deals, after)] if len(page) >= PAGE else []


def _one_by_one(found: dict[int, list[Row]], asked: _Asked, error: BitrixError) -> list[_Asked]:
    """One deal that may not be read spoils the command for the others: each is asked for by itself."""
    deals, _ = asked
    if isinstance(error, AccessDenied | InvalidRequest) and len(deals) > 1:
        for deal in deals:
            found[deal] = []
        return [((deal,), 0) for deal in deals]
    if not isinstance(error, AccessDenied | MethodNotFound):
        raise error
    for deal in deals:
        found.pop(deal, None)
    return []
