"""crm.duplicate.findbycomm and crm.entity.mergeBatch."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from demo.portal import rights, writes
from demo.portal.api import ApiError, Context, Result, method
from demo.portal.methods.support import COST, as_map
from demo.portal.schema import BY_TYPE_ID, COMPANY, CONTACT, DEAL, LEAD, Entity
from demo.portal.values import param, to_int, to_text

if TYPE_CHECKING:
    from demo.portal.store import Store

_KINDS = ("PHONE", "EMAIL")
_MOST_VALUES = 20


@method("crm.duplicate.findbycomm")
def find_by_communication(ctx: Context, params: dict[str, Any]) -> Result:
    """Leads, contacts and companies with one of up to 20 phones or e-mails."""
    kind = to_text(param(params, "type")).upper()
    if not kind:
        raise ApiError(400, "Communication type is not defined", "Parameter 'type' is required.")
    if kind not in _KINDS:
        text = f"Communication type '{kind}' is not supported in current context"
        raise ApiError(400, text, text)
    values = param(params, "values")
    if not values:
        code = "Communication values is not defined"
        raise ApiError(400, code, "Parameter 'values' is required.")
    parts = list(as_map(values).values()) if isinstance(values, (list, dict)) else [values]
    wanted = {_normal(kind, to_text(part)) for part in parts[:_MOST_VALUES]} - {""}
    only = to_text(param(params, "entity_type")).upper()
    found: dict[str, list[int]] = {}
    for entity in (LEAD, CONTACT, COMPANY):
        if only not in ("", entity.name.upper()):
            continue
        ids = _holders(ctx, entity, kind, wanted)
        if len(ids) >= _MOST_VALUES:
            return Result({entity.name.upper(): ids[:_MOST_VALUES]}, seconds=COST.get)
        if ids:
            found[entity.name.upper()] = ids
    return Result(found or [], seconds=COST.get)


@method("crm.entity.mergeBatch")
def merge_batch(ctx: Context, params: dict[str, Any]) -> Result:
    """Join duplicates into the first of them."""
    inner = params.get("params")
    params = inner if isinstance(inner, dict) else params
    entity = _mergeable(params)
    sent = params.get("entityIds")
    ids = list(as_map(sent).values()) if isinstance(sent, (list, dict)) else []
    unique = list(dict.fromkeys(filter(None, map(to_int, ids))))
    if not unique:
        raise ApiError(400, 0, "The parameter entityIds does not contains valid elements.")
    if len(unique) == 1:
        raise ApiError(400, 0, "The parameter entityIds must contains at least two elements.")
    table = ctx.portal.store.tables[entity.name]
    for row_id in unique:
        row = table.row(row_id)
        if row is None:
            raise ApiError(400, 0, "Owner was not found")
        if not rights.may_touch(ctx, entity, row):
            raise ApiError(403, 0, "Access denied")
    gone = writes.merge(ctx, entity, unique[0], unique[1:])
    cost = COST.item_write * len(unique)
    return Result({"STATUS": "SUCCESS", "ENTITY_IDS": gone}, seconds=cost)


def _mergeable(params: dict[str, Any]) -> Entity:
    type_id = to_int(params.get("entityTypeId"))
    if not type_id:
        raise ApiError(400, 0, "The parameter entityTypeId is required.")
    entity = BY_TYPE_ID.get(type_id)
    if entity not in (LEAD, DEAL, CONTACT, COMPANY):
        raise ApiError(400, 0, f"Entity type {type_id} is not supported")
    return entity


def _holders(ctx: Context, entity: Entity, kind: str, wanted: set[str]) -> list[int]:
    store: Store = ctx.portal.store
    table = store.tables[entity.name]
    read, visible = table.getter(kind), rights.visibility(ctx, entity)
    return [
        row_id
        for row_id, row in zip(table.ids(), table.rows(), strict=True)
        if any(_normal(kind, part["VALUE"]) in wanted for part in read(row) or ())
        and (visible is None or visible(row))
    ]


def _normal(kind: str, value: str) -> str:
    if kind == "EMAIL":
        return value.strip().lower()
    digits = "".join(filter(str.isdigit, re.split("[,;]", value, maxsplit=1)[0]))
    return "7" + digits[1:] if len(digits) == 11 and digits[0] == "8" else digits
