"""crm.item.list, .get and .fields: one family for every kind of item, native types."""

from __future__ import annotations

from typing import Any

from demo.portal import rights
from demo.portal.api import ApiError, Context, Result, method
from demo.portal.methods.field_info import item_fields
from demo.portal.methods.support import (
    COST,
    find,
    fragments,
    item_array,
    item_order,
    names,
    offset,
    page_seconds,
    source,
    style,
)
from demo.portal.render import as_dict, item_columns
from demo.portal.schema import BY_TYPE_ID, Entity, FieldSet
from demo.portal.values import is_yes, to_int

_OLD_INVOICE = 5


def entity_of(params: dict[str, Any]) -> Entity:
    """The entity `entityTypeId` names."""
    type_id = to_int(params.get("entityTypeId"))
    if type_id == _OLD_INVOICE:
        raise ApiError(400, "ENTITY_TYPE_NOT_SUPPORTED", "Entity type INVOICE is not supported")
    entity = BY_TYPE_ID.get(type_id)
    if entity is None:
        raise ApiError(400, "NOT_FOUND", "Смарт-процесс не найден")
    return entity


def original_names(params: dict[str, Any]) -> bool:
    """Whether user fields go by their UF_CRM_ names."""
    return is_yes(params.get("useOriginalUfNames"))


def rendered(ctx: Context, entity: Entity, row_id: int, *, original: bool) -> dict[str, Any]:
    """The `item` of an answer."""
    where = source(ctx, entity, item=True, original=original)
    given = style(ctx, item=True, one=True, original=original)
    row = where.table.row(row_id)
    return as_dict(item_columns(where.store, where.fields, [], given), row) if row else {}


@method("crm.item.list")
def get_list(ctx: Context, params: dict[str, Any]) -> Result:
    """One page of items."""
    entity, original = entity_of(params), original_names(params)
    where = source(ctx, entity, item=True, original=original)
    conditions = item_array(params, "filter")
    order = item_order(where.fields, item_array(params, "order"), original=original)
    start, select = offset(params), names(params.get("select"))
    general_only = not any("categoryId" in key for key in conditions)
    found = find(ctx, where, conditions, order, start, general_only=general_only)
    given = style(ctx, item=True, original=original)
    if original and ctx.portal.options.original_uf_defect and _defective(where.fields, select):
        rows: list[Any] = [[] for _ in found.rows]
    else:
        rows = fragments(
            where.table,
            ("item", tuple(select), where.store.tables["userfield"].version, given),
            lambda: item_columns(where.store, where.fields, select, given),
            found.rows,
        )
    seconds = page_seconds(found, 0 if "*" in select else len(select))
    total = 0 if start < 0 and ctx.portal.options.item_total_zero else found.total
    return Result({"items": rows}, total, found.next, seconds)


@method("crm.item.get")
def get_one(ctx: Context, params: dict[str, Any]) -> Result:
    """One item in full."""
    entity, row_id = entity_of(params), to_int(params.get("id"))
    row = ctx.portal.store.tables[entity.name].row(row_id)
    if row is None:
        raise ApiError(400, "NOT_FOUND", "Элемент не найден")
    if not rights.may_touch(ctx, entity, row):
        raise ApiError(400, "ACCESS_DENIED", "У Вас нет прав на просмотр этого элемента")
    item = rendered(ctx, entity, row_id, original=original_names(params))
    return Result({"item": item}, seconds=COST.get)


@method("crm.item.fields")
def get_fields(ctx: Context, params: dict[str, Any]) -> Result:
    """The description of all fields."""
    entity = entity_of(params)
    described = item_fields(ctx.portal.store.fields(entity), original=original_names(params))
    return Result({"fields": described}, seconds=COST.dictionary)


def _defective(fields: FieldSet, select: list[str]) -> bool:
    """A defect of real portals: with original names a select of a multi-word name empties rows."""
    system = (fields.by_item.get(name) for name in select if "*" not in select)
    return any(known is not None and known.item != known.item.lower() for known in system)
