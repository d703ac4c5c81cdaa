"""crm.item.add, .update and .delete."""

from __future__ import annotations

from typing import Any

from demo.portal import rights, writes
from demo.portal.api import ApiError, Context, Result, method
from demo.portal.convert import merge_multifields, split_fm
from demo.portal.methods.item_read import entity_of, original_names, rendered
from demo.portal.methods.support import COST, item_array, reading
from demo.portal.schema import MULTIFIELDS, Entity, Field
from demo.portal.values import to_int


@method("crm.item.add")
def add(ctx: Context, params: dict[str, Any]) -> Result:
    """Add an item; the item itself is answered."""
    entity, original = entity_of(params), original_names(params)
    if rights.level(ctx, entity) == rights.NOTHING:
        raise ApiError(400, "ACCESS_DENIED", "Доступ запрещен")
    values = _values(entity, ctx, item_array(params, "fields"), None, original=original)
    row_id = writes.create(ctx, entity, values)
    return _answer(ctx, entity, row_id, original=original)


@method("crm.item.update")
def update(ctx: Context, params: dict[str, Any]) -> Result:
    """Change an item; when nothing differs nothing is saved."""
    entity, original = entity_of(params), original_names(params)
    row_id = _touchable(ctx, entity, params)
    stored = ctx.portal.store.tables[entity.name].get(row_id) or {}
    values = _values(entity, ctx, item_array(params, "fields"), stored, original=original)
    changed = {
        key: value
        for key, value in values.items()
        if value != stored.get(key) and not (value == [] and stored.get(key) is None)
    }
    if changed or not ctx.portal.options.skip_unchanged:
        writes.change(ctx, entity, row_id, changed)
    return _answer(ctx, entity, row_id, original=original)


@method("crm.item.delete")
def delete(ctx: Context, params: dict[str, Any]) -> Result:
    """Delete an item."""
    entity = entity_of(params)
    writes.remove(ctx, entity, _touchable(ctx, entity, params))
    return Result([], seconds=COST.item_write)


def _touchable(ctx: Context, entity: Entity, params: dict[str, Any]) -> int:
    row_id = to_int(params.get("id"))
    row = ctx.portal.store.tables[entity.name].row(row_id)
    if row is None:
        raise ApiError(400, "NOT_FOUND", "Элемент не найден")
    if not rights.may_touch(ctx, entity, row):
        raise ApiError(400, "ACCESS_DENIED", "Доступ запрещен")
    return row_id


def _answer(ctx: Context, entity: Entity, row_id: int, *, original: bool) -> Result:
    item = rendered(ctx, entity, row_id, original=original)
    return Result({"item": item}, seconds=COST.item_write)


def _values(
    entity: Entity,
    ctx: Context,
    sent: dict[str, Any],
    stored: dict[str, Any] | None,
    *,
    original: bool,
) -> dict[str, Any]:
    store = ctx.portal.store
    fields, read = store.fields(entity), reading(ctx, item=True)
    values: dict[str, Any] = {}
    for name, value in sent.items():
        known = fields.find(name, item=True, original=original)
        if known is None or not _writable(known, stored):
            continue
        values[known.name] = read.native(known, value)
    if entity.name != "deal":
        for kind, parts in split_fm(sent.get("fm")).items():
            before = (stored or {}).get(kind) or []
            values[kind] = merge_multifields(store, kind, before, parts)
    _demand_stage(entity, ctx, {**(stored or {}), **values}, values)
    return values


def _writable(known: Field, stored: dict[str, Any] | None) -> bool:
    if known.read_only or known.name in MULTIFIELDS or known.name == "CLOSED":
        return False
    # Only this family moves deals between funnels, whatever the flag of the field says.
    return known.name == "CATEGORY_ID" or not known.immutable or stored is None


def _demand_stage(
    entity: Entity, ctx: Context, row: dict[str, Any], values: dict[str, Any]
) -> None:
    stage = values.get(entity.stage_field) if entity.stage_field else None
    known = ctx.portal.store.statuses(writes.stage_dictionary(entity, row.get("CATEGORY_ID")))
    if stage and known and stage not in known:
        description = f'Неверное значение поля "{entity.fields[entity.stage_field].title}"'
        raise ApiError(400, "CRM_FIELD_ERROR_VALUE_NOT_VALID", description)
