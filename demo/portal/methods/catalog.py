"""catalog.*: the information blocks of the catalog, its sections and its products."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from demo.portal.api import ApiError, Context, Result, method
from demo.portal.filters import Source
from demo.portal.methods.support import (
    COST,
    find,
    item_array,
    item_order,
    names,
    offset,
    page_seconds,
)
from demo.portal.render import moment
from demo.portal.schema import Entity, Field, FieldSet, camel
from demo.portal.values import to_float, to_int

if TYPE_CHECKING:
    from demo.portal.listing import Page
    from demo.portal.store import Table

_SCOPE = "catalog"
_ID = {"ID": "integer", "NAME": "string"}
_IN_BLOCK = {"IBLOCK_ID": "integer", "IBLOCK_SECTION_ID": "integer", "SORT": "integer"}
_WRITABLE = ("NAME", "ACTIVE", "IBLOCK_SECTION_ID", "PURCHASING_PRICE", "PURCHASING_CURRENCY")


def _fields(name: str, kinds: dict[str, str]) -> FieldSet:
    known = {code: Field(code, camel(code), kind, code) for code, kind in kinds.items()}
    return FieldSet(Entity(name, 0, "", "", known), [])


_CATALOGS = _fields("catalog", {**_ID, "PRODUCT_IBLOCK_ID": "integer", "IBLOCK_ID": "integer"})
_SECTIONS = _fields("section", {**_ID, **_IN_BLOCK, "ACTIVE": "string", "XML_ID": "string"})
_PRODUCTS = _fields(
    "product",
    {
        **_ID,
        **_IN_BLOCK,
        **dict.fromkeys(("ACTIVE", "CODE", "XML_ID", "PURCHASING_CURRENCY"), "string"),
        **dict.fromkeys(("TYPE", "MEASURE", "PARENT_ID"), "integer"),
        **dict.fromkeys(("PURCHASING_PRICE", "QUANTITY"), "double"),
        "TIMESTAMP_X": "datetime",
    },
)


@method("catalog.catalog.list", _SCOPE)
def catalogs(ctx: Context, params: dict[str, Any]) -> Result:
    """The information blocks that are catalogs."""
    _may_read(ctx)
    found = _page(ctx, params, _CATALOGS)
    rows = [
        {
            "iblockId": row["ID"],
            "iblockTypeId": 0,
            "id": row["ID"],
            "lid": "s1",
            "name": row["NAME"],
            "productIblockId": row.get("PRODUCT_IBLOCK_ID"),
            "skuPropertyId": None,
            "subscription": "N",
            "vatId": None,
        }
        for row in _rows(ctx.portal.store.tables["catalog"], found)
    ]
    return Result({"catalogs": rows}, found.total, found.next, COST.dictionary)


@method("catalog.section.list", _SCOPE)
def sections(ctx: Context, params: dict[str, Any]) -> Result:
    """Sections of one information block."""
    _may_read(ctx)
    _demand_block(params)
    return _listed(ctx, params, _SECTIONS, "sections", names(params.get("select")))


@method("catalog.product.list", _SCOPE)
def products(ctx: Context, params: dict[str, Any]) -> Result:
    """Products of one information block; `select` has to name id and iblockId."""
    _may_read(ctx)
    select = names(params.get("select"))
    if not {"id", "iblockId"} <= set(select):
        raise ApiError(400, 0, "Required select fields: id, iblockId")
    _demand_block(params)
    if any("@" in key for key in item_array(params, "filter")):
        raise ApiError(400, 0, "Filter operation @ is not supported")
    return _listed(ctx, params, _PRODUCTS, "products", select)


@method("catalog.product.update", _SCOPE)
def update(ctx: Context, params: dict[str, Any]) -> Result:
    """Change a product and announce it."""
    _may_read(ctx)
    table, row_id = ctx.portal.store.tables["product"], to_int(params.get("id"))
    if table.row(row_id) is None:
        raise ApiError(400, 0, "product does not exist.")
    sent = item_array(params, "fields")
    changes = {name: sent[camel(name)] for name in _WRITABLE if camel(name) in sent}
    if "PURCHASING_PRICE" in changes:
        changes["PURCHASING_PRICE"] = to_float(changes["PURCHASING_PRICE"])
    table.update(row_id, {**changes, "TIMESTAMP_X": ctx.now.replace(microsecond=0)})
    row = table.get(row_id) or {}
    ctx.portal.events.publish(
        "CATALOG.PRODUCT.ON.UPDATE",
        {"ID": row_id, "TYPE": row.get("TYPE", 1)},
        actor_id=ctx.user_id,
        auth_connector=ctx.auth_connector,
    )
    return Result({"element": _shown(ctx, _PRODUCTS, row, [])}, seconds=COST.item_write)


def _may_read(ctx: Context) -> None:
    """Catalogs are for those with rights to them: here the administrators."""
    if not ctx.is_admin:
        raise ApiError(400, 200040300010, "Access Denied")


def _demand_block(params: dict[str, Any]) -> None:
    conditions = item_array(params, "filter")
    if not conditions.get("iblockId") and not conditions.get("=iblockId"):
        raise ApiError(400, 0, "Required filter fields: iblockId")


def _page(ctx: Context, params: dict[str, Any], fields: FieldSet) -> Page:
    store = ctx.portal.store
    table = store.tables[fields.entity.name]
    where = Source(store, table, fields, ctx.portal.time_zone, item=True)
    order = item_order(fields, item_array(params, "order"))
    return find(ctx, where, item_array(params, "filter"), order, offset(params))


def _listed(
    ctx: Context, params: dict[str, Any], fields: FieldSet, key: str, select: list[str]
) -> Result:
    found = _page(ctx, params, fields)
    table = ctx.portal.store.tables[fields.entity.name]
    rows = [_shown(ctx, fields, row, select) for row in _rows(table, found)]
    return Result({key: rows}, found.total, found.next, page_seconds(found, len(select)))


def _rows(table: Table, found: Page) -> list[dict[str, Any]]:
    return [table.get(row_id) or {} for row_id, _ in found.rows]


def _shown(
    ctx: Context, fields: FieldSet, row: dict[str, Any], select: list[str]
) -> dict[str, Any]:
    shown: dict[str, Any] = {}
    for field in fields.by_name.values():
        if select and "*" not in select and field.item not in select:
            continue
        value = row.get(field.name)
        if field.name == "PARENT_ID":
            value = {"value": str(value), "valueId": str(row["ID"])} if value else None
        elif field.name == "PURCHASING_PRICE" and value is not None:
            value = f"{value:.6f}"
        elif field.type == "datetime" and value is not None:
            value = moment(value, ctx.portal.time_zone)
        shown[field.item] = value
    return shown
