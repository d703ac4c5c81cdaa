"""crm.{lead,deal,contact,company}.list, .get and .fields: everything is a string."""

from __future__ import annotations

from functools import partial
from typing import Any

from demo.portal import rights
from demo.portal.api import Context, Result, method
from demo.portal.methods.field_info import classic_fields
from demo.portal.methods.support import (
    COST,
    classic_array,
    classic_error,
    classic_id,
    classic_order,
    find,
    fragments,
    names,
    offset,
    page_seconds,
    source,
    style,
)
from demo.portal.render import as_dict, classic_columns
from demo.portal.schema import ENTITIES, Entity
from demo.portal.values import param


def get_list(entity: Entity, ctx: Context, params: dict[str, Any]) -> Result:
    """One page of items."""
    if rights.level(ctx, entity) == rights.NOTHING:
        raise classic_error("Access denied.")
    where = source(ctx, entity, item=False)
    order = classic_order(where.fields, classic_array(params, "order"))
    conditions = classic_array(params, "filter")
    known = (*where.fields.by_name, "*", "UF_*")
    select = [name for name in names(param(params, "select")) if name in known]
    start = offset(params)
    found = find(ctx, where, conditions, order, start, general_only=True)
    given = style(ctx, item=False)
    rows = fragments(
        where.table,
        ("classic", tuple(select), where.store.tables["userfield"].version, given),
        lambda: classic_columns(where.store, where.fields, select, given),
        found.rows,
    )
    seconds = page_seconds(found, 0 if "*" in select else len(select))
    total = 0 if start < 0 and ctx.portal.options.classic_total_zero else found.total
    return Result(rows, total, found.next, seconds)


def get_one(entity: Entity, ctx: Context, params: dict[str, Any]) -> Result:
    """One item in full."""
    row_id = classic_id(params)
    where = source(ctx, entity, item=False)
    row = where.table.row(row_id)
    if row is None:
        raise classic_error("Not found")
    if not rights.may_touch(ctx, entity, row):
        raise classic_error("Access denied.")
    columns = classic_columns(where.store, where.fields, [], style(ctx, item=False, one=True))
    return Result(as_dict(columns, row), seconds=COST.get)


def get_fields(entity: Entity, ctx: Context, _params: dict[str, Any]) -> Result:
    """The description of all fields."""
    return Result(classic_fields(ctx.portal.store.fields(entity)), seconds=COST.dictionary)


for _entity in ENTITIES.values():
    method(f"crm.{_entity.name}.list")(partial(get_list, _entity))
    method(f"crm.{_entity.name}.get")(partial(get_one, _entity))
    method(f"crm.{_entity.name}.fields")(partial(get_fields, _entity))
