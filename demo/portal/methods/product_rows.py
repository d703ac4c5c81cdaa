"""crm.item.productrow.* and crm.deal.productrows.*: what was sold in a deal."""

from __future__ import annotations

from typing import Any

from demo.portal import products, rights, writes
from demo.portal.api import ApiError, Context, Result, method
from demo.portal.filters import Source, compile_filter
from demo.portal.listing import page
from demo.portal.methods.support import (
    COST,
    as_map,
    classic_error,
    classic_id,
    item_array,
    item_order,
    offset,
    page_seconds,
)
from demo.portal.render import number
from demo.portal.schema import DEAL, Entity, Field, FieldSet, camel
from demo.portal.store import Memory, Table
from demo.portal.values import is_empty, param, to_int

_KINDS = {
    **dict.fromkeys(("ID", "OWNER_ID", "PRODUCT_ID", "DISCOUNT_TYPE_ID"), "integer"),
    **dict.fromkeys(("MEASURE_CODE", "SORT", "TYPE", "STORE_ID"), "integer"),
    **dict.fromkeys(("OWNER_TYPE", "PRODUCT_NAME", "TAX_INCLUDED", "CUSTOMIZED"), "string"),
    **dict.fromkeys(("MEASURE_NAME", "XML_ID"), "string"),
    **dict.fromkeys(("PRICE", "PRICE_ACCOUNT", "PRICE_EXCLUSIVE", "PRICE_NETTO"), "double"),
    **dict.fromkeys(("PRICE_BRUTTO", "QUANTITY", "DISCOUNT_RATE", "DISCOUNT_SUM"), "double"),
    "TAX_RATE": "double",
}
_FIELDS = FieldSet(
    Entity("productrow", 0, "", "", {n: Field(n, camel(n), kind, n) for n, kind in _KINDS.items()}),
    [],
)
_LISTED = ("XML_ID", "TYPE", "STORE_ID")


@method("crm.item.productrow.list")
def get_list(ctx: Context, params: dict[str, Any]) -> Result:
    """One page of the rows of the deals named; their type and ids are demanded."""
    conditions = item_array(params, "filter")
    for name in ("=ownerType", "=ownerId"):
        if is_empty(conditions.get(name)):
            description = f"Required argument is missing: {name}"
            raise ApiError(400, 100, description)
    wanted = conditions["=ownerId"]
    ids = as_map(wanted).values() if isinstance(wanted, (list, dict)) else (wanted,)
    table = Table("productrow", tuple(_KINDS))
    if conditions["=ownerType"] == DEAL.code:
        table.load(row for deal in _readable(ctx, ids) for row in products.whole(_store(ctx), deal))
    where = Source(_store(ctx), table, _FIELDS, ctx.portal.time_zone, item=True)
    order = item_order(_FIELDS, item_array(params, "order"))
    plan = compile_filter(where, conditions)
    found = page(table, plan, order, offset(params), Memory(), ())
    rows = [_as_item(table.get(row_id) or {}) for row_id, _ in found.rows]
    return Result({"productRows": rows}, found.total, found.next, page_seconds(found, len(_KINDS)))


@method("crm.item.productrow.get")
def get_one(ctx: Context, params: dict[str, Any]) -> Result:
    """One row."""
    deal, number = _row(ctx, params)
    return _answer(ctx, deal["ID"], number, COST.get)


@method("crm.item.productrow.set")
def set_rows(ctx: Context, params: dict[str, Any]) -> Result:
    """Put these rows in the place of all there were."""
    deal = _owner(ctx, params.get("ownerType"), params.get("ownerId"))
    if "productRows" not in params:
        raise ApiError(400, 100, "Could not find value for parameter {productRows}")
    sent = [_classic(part) for part in item_array(params, "productRows").values()]
    _save(ctx, deal, sent)
    rows = products.whole(_store(ctx), _deal(ctx, deal["ID"]))
    return Result({"productRows": [_as_item(row) for row in rows]}, seconds=COST.item_write)


@method("crm.item.productrow.add")
def add(ctx: Context, params: dict[str, Any]) -> Result:
    """Add a row to the others."""
    fields = item_array(params, "fields")
    deal = _owner(ctx, fields.get("ownerType"), fields.get("ownerId"))
    number = _next(deal)
    row = products.kept(_store(ctx), _classic(fields), number)
    writes.change(ctx, DEAL, deal["ID"], {products.ROWS: [*_rows(deal), row]})
    return _answer(ctx, deal["ID"], number, COST.item_write)


@method("crm.item.productrow.update")
def update(ctx: Context, params: dict[str, Any]) -> Result:
    """Change some values of a row."""
    deal, number = _row(ctx, params)
    changes = products.kept(_store(ctx), _classic(item_array(params, "fields")), number)
    rows = [{**row, **changes} if row["N"] == number else row for row in _rows(deal)]
    writes.change(ctx, DEAL, deal["ID"], {products.ROWS: rows})
    return _answer(ctx, deal["ID"], number, COST.item_write)


@method("crm.item.productrow.delete")
def delete(ctx: Context, params: dict[str, Any]) -> Result:
    """Take one row away."""
    deal, number = _row(ctx, params)
    rows = [row for row in _rows(deal) if row["N"] != number]
    writes.change(ctx, DEAL, deal["ID"], {products.ROWS: rows})
    return Result(None, seconds=COST.item_write)


@method("crm.deal.productrows.get")
def classic_get(ctx: Context, params: dict[str, Any]) -> Result:
    """All rows of a deal in the old form."""
    deal = ctx.portal.store.tables["deal"].get(classic_id(params))
    if deal is None or not _may_touch(ctx, deal):
        raise classic_error("Access denied.")
    rows = sorted(products.whole(_store(ctx), deal), key=lambda row: row["SORT"])
    return Result([_as_classic(row) for row in rows], seconds=COST.get)


@method("crm.deal.productrows.set")
def classic_set(ctx: Context, params: dict[str, Any]) -> Result:
    """Put these rows in the place of all there were; a row with a known ID stays itself."""
    deal = ctx.portal.store.tables["deal"].get(classic_id(params))
    if deal is None or not _may_touch(ctx, deal):
        raise classic_error("Access denied.")
    rows = param(params, "rows")
    if not isinstance(rows, (list, dict)):
        raise classic_error("The parameter rows must be array.")
    _save(ctx, deal, [part for part in as_map(rows).values() if isinstance(part, dict)])
    return Result(True, seconds=COST.classic_write)


def _store(ctx: Context) -> Any:
    return ctx.portal.store


def _deal(ctx: Context, deal_id: int) -> dict[str, Any]:
    return ctx.portal.store.tables["deal"].get(deal_id) or {}


def _rows(deal: dict[str, Any]) -> list[dict[str, Any]]:
    return list(deal.get(products.ROWS) or ())


def _next(deal: dict[str, Any]) -> int:
    return max((row["N"] for row in _rows(deal)), default=0) + 1


def _may_touch(ctx: Context, deal: dict[str, Any]) -> bool:
    row = ctx.portal.store.tables["deal"].row(deal["ID"])
    return row is not None and rights.may_touch(ctx, DEAL, row)


def _readable(ctx: Context, ids: Any) -> list[dict[str, Any]]:
    """Deals of these ids; one that may not be read spoils the request for all."""
    deals = [deal for i in ids if (deal := _deal(ctx, to_int(i)))]
    if not all(_may_touch(ctx, deal) for deal in deals):
        raise ApiError(400, "ACCESS_DENIED", "Доступ запрещен")
    return deals


def _owner(ctx: Context, owner_type: Any, owner_id: Any) -> dict[str, Any]:
    if owner_type != DEAL.code:
        raise ApiError(400, "ENTITY_TYPE_NOT_SUPPORTED", "Entity type is not supported")
    deal = _deal(ctx, to_int(owner_id))
    if not deal:
        raise ApiError(400, "OWNER_NOT_FOUND", "Owner was not found")
    if not _may_touch(ctx, deal):
        raise ApiError(400, "ACCESS_DENIED", "Доступ запрещен")
    return deal


def _row(ctx: Context, params: dict[str, Any]) -> tuple[dict[str, Any], int]:
    deal_id, number = products.owner_of(to_int(params.get("id")))
    deal = _deal(ctx, deal_id)
    if not any(row["N"] == number for row in _rows(deal)):
        raise ApiError(400, "NOT_FOUND", "Элемент не найден")
    return _owner(ctx, DEAL.code, deal_id), number


def _save(ctx: Context, deal: dict[str, Any], sent: list[dict[str, Any]]) -> None:
    """Replace the rows; new ones go on counting, so an id is never given twice."""
    known = {products.row_id(deal["ID"], row["N"]): row["N"] for row in _rows(deal)}
    following = _next(deal)
    rows = []
    for part in sent:
        row_number = known.pop(to_int(part.get("ID")), None)
        if row_number is None:
            row_number, following = following, following + 1
        rows.append(products.kept(_store(ctx), part, row_number))
    writes.change(ctx, DEAL, deal["ID"], {products.ROWS: rows})


def _answer(ctx: Context, deal_id: int, row_number: int, seconds: float) -> Result:
    rows = products.whole(_store(ctx), _deal(ctx, deal_id))
    wanted = products.row_id(deal_id, row_number)
    row = next(row for row in rows if row["ID"] == wanted)
    return Result({"productRow": _as_item(row)}, seconds=seconds)


def _classic(sent: Any) -> dict[str, Any]:
    """Fields sent in camel case under their classic codes."""
    by_item = {field.item: field.name for field in _FIELDS.by_name.values()}
    return {by_item[name]: value for name, value in as_map(sent).items() if name in by_item}


def _as_item(row: dict[str, Any]) -> dict[str, Any]:
    return {
        camel(name): number(row[name]) if kind == "double" and row[name] is not None else row[name]
        for name, kind in _KINDS.items()
    }


def _as_classic(row: dict[str, Any]) -> dict[str, Any]:
    shown = {
        name: number(row[name]) if kind == "double" and row[name] is not None else row[name]
        for name, kind in _KINDS.items()
    }
    return {
        **shown,
        "ID": str(row["ID"]),
        "OWNER_ID": str(row["OWNER_ID"]),
        "ORIGINAL_PRODUCT_NAME": row["PRODUCT_NAME"],
        "PRODUCT_DESCRIPTION": None,
        "PRICE_ACCOUNT": f"{row['PRICE_ACCOUNT']:.2f}",
    }
