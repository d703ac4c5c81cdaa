"""crm.{lead,deal,contact,company}.add, .update and .delete."""

from __future__ import annotations

from functools import partial
from typing import Any

from demo.portal import rights, writes
from demo.portal.api import ApiError, Context, Result, method
from demo.portal.convert import merge_multifields
from demo.portal.methods.support import COST, classic_error, classic_id, reading
from demo.portal.schema import CONTACT, ENTITIES, MULTIFIELDS, Entity
from demo.portal.values import param

_MISSING = {"contact": "Contact is not found", "company": "Company is not found"}


def add(entity: Entity, ctx: Context, params: dict[str, Any]) -> Result:
    """Add an item; its id."""
    values = _values(entity, ctx, _sent(params), stored=None)
    if rights.level(ctx, entity) == rights.NOTHING:
        raise classic_error("Access denied.")
    return Result(writes.create(ctx, entity, values), seconds=COST.classic_write)


def update(entity: Entity, ctx: Context, params: dict[str, Any]) -> Result:
    """Change an item; unknown and read-only fields are ignored, the answer is true all the same."""
    row_id, sent = classic_id(params), _sent(params)
    stored = ctx.portal.store.tables[entity.name].get(row_id)
    if stored is None:
        raise classic_error(_MISSING.get(entity.name, "Not found"))
    _demand_access(entity, ctx, row_id)
    writes.change(ctx, entity, row_id, _values(entity, ctx, sent, stored))
    return Result(True, seconds=COST.classic_write)


def delete(entity: Entity, ctx: Context, params: dict[str, Any]) -> Result:
    """Delete an item."""
    row_id = classic_id(params)
    if row_id not in ctx.portal.store.tables[entity.name]:
        if entity is CONTACT:
            raise ApiError(400, "ERROR_CORE", "Элемент не найден")
        raise classic_error(_MISSING.get(entity.name, "Not found"))
    _demand_access(entity, ctx, row_id)
    writes.remove(ctx, entity, row_id)
    return Result(True, seconds=COST.classic_write)


def _sent(params: dict[str, Any]) -> dict[str, Any]:
    fields = param(params, "fields")
    if not isinstance(fields, (dict, list)):
        raise classic_error("Parameter 'fields' must be array.")
    if not isinstance(param(params, "params", {}), (dict, list)):
        raise classic_error("Parameter 'params' must be array.")
    return fields if isinstance(fields, dict) else {}


def _demand_access(entity: Entity, ctx: Context, row_id: int) -> None:
    row = ctx.portal.store.tables[entity.name].row(row_id)
    if row is None or not rights.may_touch(ctx, entity, row):
        raise classic_error("Access denied.")


def _values(
    entity: Entity, ctx: Context, sent: dict[str, Any], stored: dict[str, Any] | None
) -> dict[str, Any]:
    fields, read = ctx.portal.store.fields(entity), reading(ctx, item=False)
    values: dict[str, Any] = {}
    for name, value in sent.items():
        known = fields.by_name.get(name)
        if known is None or known.read_only or (known.immutable and stored is not None):
            continue
        if name in MULTIFIELDS:
            before = (stored or {}).get(name) or []
            values[name] = merge_multifields(ctx.portal.store, name, before, value)
        elif name != "CLOSED":
            values[name] = read.native(known, value)
    return values


for _entity in ENTITIES.values():
    method(f"crm.{_entity.name}.add")(partial(add, _entity))
    method(f"crm.{_entity.name}.update")(partial(update, _entity))
    method(f"crm.{_entity.name}.delete")(partial(delete, _entity))
