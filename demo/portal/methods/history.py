"""crm.stagehistory.list: every change of stage of deals and leads."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from demo.portal.api import ApiError, Context, Result, method
from demo.portal.filters import Source
from demo.portal.methods.support import (
    find,
    fragments,
    item_array,
    item_order,
    names,
    offset,
    page_seconds,
)
from demo.portal.render import Columns, moment
from demo.portal.schema import BY_TYPE_ID, Entity, Field, FieldSet
from demo.portal.values import param, to_int

if TYPE_CHECKING:
    from demo.portal.store import Table

_COMMON = (("ID", "integer"), ("TYPE_ID", "integer"), ("OWNER_ID", "integer"))
_DEAL = (("CATEGORY_ID", "integer"), ("STAGE_SEMANTIC_ID", "string"), ("STAGE_ID", "string"))
_LEAD = (("STAGE_SEMANTIC_ID", "string"), ("STAGE_ID", "string"))


def _fields(entity: Entity) -> FieldSet:
    specific = _LEAD if entity.name == "lead" else _DEAL
    listed = (*_COMMON, ("CREATED_TIME", "datetime"), *specific)
    known = {}
    for name, kind in listed:
        shown = name.replace("STAGE", "STATUS") if entity.name == "lead" else name
        known[name] = Field(name, shown, kind, shown)
    return FieldSet(Entity("stagehistory", 0, "", "", known), [])


_FIELDS = {name: _fields(BY_TYPE_ID[number]) for number, name in ((1, "lead"), (2, "deal"))}


@method("crm.stagehistory.list")
def get_list(ctx: Context, params: dict[str, Any]) -> Result:
    """One page of the history; ids grow with time, so it reads like a feed."""
    entity = BY_TYPE_ID.get(to_int(param(params, "entityTypeId")))
    if entity is None or entity.name not in _FIELDS:
        name = entity.name.upper() if entity else str(param(params, "entityTypeId"))
        raise ApiError(400, "ENTITY_TYPE_NOT_SUPPORTED", f"Entity type {name} is not supported")
    store, zone = ctx.portal.store, ctx.portal.time_zone
    fields = _FIELDS[entity.name]
    where = Source(store, store.tables["stagehistory"], fields, zone, item=True)
    order = item_order(fields, item_array(params, "order"))
    start, select = offset(params), names(param(params, "select"))
    found = find(ctx, where, item_array(params, "filter"), order, start, owner_type=entity.type_id)
    chosen = [
        known
        for known in fields.by_name.values()
        if not select or "*" in select or known.item in select
    ]
    rows = fragments(
        where.table,
        ("history", tuple(known.item for known in chosen), zone),
        lambda: _columns(where.table, chosen, zone),
        found.rows,
    )
    total = 0 if start < 0 and ctx.portal.options.classic_total_zero else found.total
    return Result({"items": rows}, total, found.next, page_seconds(found, len(chosen)))


def _columns(table: Table, chosen: list[Field], zone: Any) -> Columns:
    columns: Columns = []
    for known in chosen:
        read = table.getter(known.name)
        if known.type == "datetime":
            columns.append((known.item, lambda row, read=read: moment(read(row), zone)))  # type: ignore[misc]
        else:
            columns.append((known.item, read))
    return columns
