"""The clients we are compared with, and the plain way to put what they read into PostgreSQL."""

from __future__ import annotations

import asyncio
import json
import warnings
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import islice
from typing import Any
from urllib.parse import urlsplit

import psycopg
from b24pysdk import BitrixWebhook
from b24pysdk.api.callers.call_list_fast import _ListFastCaller
from b24pysdk.api.callers.call_method import _MethodCaller
from fast_bitrix24 import BitrixAsync
from fast_bitrix24.user_request import GetAllUserRequest
from psycopg import sql

Row = Mapping[str, Any]
Params = dict[str, Any]
Reader = Callable[[str, str, Params], Iterable[Row]]

CHUNK = 500
_ORDER_AS_SHIPPED = GetAllUserRequest.add_order_parameter


def b24pysdk(webhook: str, method: str, params: Params) -> Iterable[Row]:
    """The official SDK's fast list: pages chained in batches, rows yielded as they come.

    Two things are told to it: to speak http, and that `crm.item.list` orders by `id`, not by `ID`.
    """
    address = urlsplit(webhook)
    _MethodCaller._base_url = property(lambda caller: f"http://{caller._domain}/rest")  # noqa: SLF001
    _ListFastCaller._REQUEST_ID_FIELDS["crm.item"] = "id"  # noqa: SLF001
    token = address.path.strip("/").removeprefix("rest/")
    hook = BitrixWebhook(domain=address.netloc, webhook_token=token)
    rows: Iterable[Row] = hook.call_list_fast(method, params)["result"]
    return rows


def fast_bitrix24(webhook: str, method: str, params: Params) -> Iterable[Row]:
    """The asynchronous client's `get_all`, its request rate unlimited.

    It too is told that `crm.item.list` orders by `id`.
    """
    if method == "crm.item.list":
        GetAllUserRequest.add_order_parameter = _order_by_small_id
    else:
        GetAllUserRequest.add_order_parameter = _ORDER_AS_SHIPPED

    async def read() -> Any:
        client = BitrixAsync(
            webhook, verbose=False, requests_per_second=1e6, request_pool_size=10**6
        )
        return await client.get_all(method, params)

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        rows: Iterable[Row] = asyncio.run(read())
    return rows


def _order_by_small_id(request: GetAllUserRequest) -> None:
    request.params = {**(request.params or {}), "order": {"id": "ASC"}}


READERS: Mapping[str, Reader] = {"b24pysdk": b24pysdk, "fast_bitrix24": fast_bitrix24}


def store(
    connection: psycopg.Connection[Any], portal_id: int, entity: str, rows: Iterable[Row]
) -> int:
    """Into the tables the application uses, by `executemany` of upserts, a transaction per chunk.

    Values go as they came and the server casts them: nothing is checked, normalised or compared.
    """
    plan = PLANS[entity]
    total = 0
    with connection.cursor() as cursor:
        for chunk in _chunks(rows):
            cursor.executemany(plan.statement, [plan.line(portal_id, row) for row in chunk])
            cursor.executemany(
                plan.side_statement, [line for row in chunk for line in plan.side(portal_id, row)]
            )
            connection.commit()
            total += len(chunk)
    return total


@dataclass(frozen=True)
class Plan:
    """One entity's statement, and the one for what a card holds many of."""

    table: str
    columns: Mapping[str, str]
    custom_prefix: str
    side_statement: sql.Composed
    side: Callable[[int, Row], list[tuple[Any, ...]]]

    @cached_property
    def statement(self) -> sql.Composed:
        """The upsert."""
        return _upsert(
            self.table, ("portal_id", *self.columns.values(), "custom"), ("portal_id", "bitrix_id")
        )

    def line(self, portal_id: int, row: Row) -> list[Any]:
        """The row's values in the statement's order; custom fields together as JSON."""
        custom = {k: v for k, v in row.items() if k.startswith(self.custom_prefix) and v}
        values = (row.get(name) for name in self.columns)
        return [portal_id, *(str(v) if v else None for v in values), json.dumps(custom)]


def _chunks(rows: Iterable[Row]) -> Iterator[list[Row]]:
    waiting = iter(rows)
    while chunk := list(islice(waiting, CHUNK)):
        yield chunk


def _upsert(table: str, columns: Sequence[str], keys: Sequence[str]) -> sql.Composed:
    others = [name for name in columns if name not in keys]
    names = sql.SQL(", ")
    return sql.SQL("INSERT INTO {} ({}) VALUES ({}) ON CONFLICT ({}) DO UPDATE SET {}").format(
        sql.Identifier(table),
        names.join(map(sql.Identifier, columns)),
        names.join([_value(name) for name in columns]),
        names.join(map(sql.Identifier, keys)),
        names.join(sql.SQL("{0} = excluded.{0}").format(sql.Identifier(n)) for n in others),
    )


def _value(column: str) -> sql.Composable:
    filled = {"opportunity": "coalesce(%s, 0.0)", "pipeline_id": "coalesce(%s, 0)"}
    return sql.SQL(filled.get(column, "%s"))


def _links(portal_id: int, row: Row) -> list[tuple[Any, ...]]:
    found = enumerate(row.get("contactIds") or ())
    return [(portal_id, row["id"], contact, position) for position, contact in found]


def _addresses(portal_id: int, row: Row) -> list[tuple[Any, ...]]:
    return [
        (portal_id, "contact", row["ID"], kind, position, entry["VALUE_TYPE"], entry["VALUE"])
        for kind in ("PHONE", "EMAIL", "IM", "WEB")
        for position, entry in enumerate(row.get(kind) or ())
    ]


PLANS = {
    "deal": Plan(
        "deals",
        {
            "id": "bitrix_id", "title": "title", "categoryId": "pipeline_id",
            "stageId": "stage_id", "stageSemanticId": "stage_semantic", "typeId": "type_id",
            "opportunity": "opportunity", "currencyId": "currency_id",
            "companyId": "company_id", "contactId": "contact_id", "leadId": "lead_id",
            "isRecurring": "is_recurring", "isReturnCustomer": "is_return_customer",
            "begindate": "begun_on", "closedate": "closed_on", "movedTime": "moved_at",
            "createdTime": "created_at", "updatedTime": "updated_at",
            "assignedById": "assigned_by_id", "sourceId": "source_id", "opened": "opened",
        },
        "uf",
        _upsert(
            "deal_contacts",
            ("portal_id", "deal_id", "contact_id", "position"),
            ("portal_id", "deal_id", "contact_id"),
        ),
        _links,
    ),
    "contact": Plan(
        "contacts",
        {
            "ID": "bitrix_id", "NAME": "name", "SECOND_NAME": "second_name",
            "LAST_NAME": "last_name", "HONORIFIC": "honorific", "BIRTHDATE": "birth_date",
            "POST": "post", "TYPE_ID": "type_id", "COMPANY_ID": "company_id",
            "LEAD_ID": "lead_id", "ASSIGNED_BY_ID": "assigned_by_id",
            "SOURCE_ID": "source_id", "OPENED": "opened", "DATE_CREATE": "created_at",
            "DATE_MODIFY": "updated_at",
        },
        "UF",
        _upsert(
            "addresses",
            ("portal_id", "entity", "entity_id", "kind", "position", "value_type", "value"),
            ("portal_id", "entity", "entity_id", "kind", "position"),
        ),
        _addresses,
    ),
}  # fmt: skip
