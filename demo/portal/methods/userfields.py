"""crm.{lead,deal,contact,company}.userfield.*: the portal's own fields."""

from __future__ import annotations

from functools import partial
from typing import Any

from demo.portal import user_fields
from demo.portal.api import ApiError, Context, Result, method
from demo.portal.methods.field_info import label
from demo.portal.methods.support import COST, classic_array, classic_error, classic_id
from demo.portal.schema import ENTITIES, Entity
from demo.portal.values import param, to_int, to_text

_PLAIN = ("ENTITY_ID", "FIELD_NAME", "USER_TYPE_ID", "XML_ID")
_FLAGS = ("MULTIPLE", "MANDATORY", "SHOW_FILTER", "SHOW_IN_LIST", "EDIT_IN_LIST", "IS_SEARCHABLE")


def get_list(entity: Entity, ctx: Context, params: dict[str, Any]) -> Result:
    """All fields of an entity; labels come only in the language asked for."""
    order, wanted = classic_array(params, "order"), classic_array(params, "filter")
    _demand_admin(ctx)
    rows = [_described(row) for row in _rows(entity, ctx)]
    for key, value in wanted.items():
        if key in (*_PLAIN, *_FLAGS, "ID", "SORT"):
            values = {to_text(part) for part in (value if isinstance(value, list) else [value])}
            rows = [row for row in rows if to_text(row.get(key)) in values]
    for key, direction in reversed(order.items()):
        down = str(direction).upper() == "DESC"
        if key in ("ID", "SORT"):
            rows.sort(key=lambda row, name=key: to_int(row[name]), reverse=down)  # type: ignore[misc]
        elif key in _PLAIN:
            rows.sort(key=lambda row, name=key: to_text(row[name]), reverse=down)  # type: ignore[misc]
    if language := to_text(wanted.get("LANG")):
        table = ctx.portal.store.tables["userfield"]
        for row in rows:
            stored = table.get(int(row["ID"])) or {}
            row.update({kind: label(stored, kind, language) for kind in user_fields.LABELS})
    return Result(rows, len(rows), seconds=COST.dictionary)


def get_one(entity: Entity, ctx: Context, params: dict[str, Any]) -> Result:
    """One field with labels in all languages."""
    row = _existing(entity, ctx, params)
    labels = {kind: user_fields.in_all_languages(row.get(kind)) for kind in user_fields.LABELS}
    return Result({**_described(row), **labels}, seconds=COST.dictionary)


def add(entity: Entity, ctx: Context, params: dict[str, Any]) -> Result:
    """Create a field; its id. The table is altered, which takes the longer the more rows it has."""
    _demand_admin(ctx)
    sent = param(params, "fields")
    if not isinstance(sent, dict):
        raise classic_error("Parameter 'fields' must be array.")
    portal = ctx.portal
    if len(_rows(entity, ctx)) >= portal.options.userfield_limit:
        raise ApiError(500, "INTERNAL_SERVER_ERROR", "Internal server error")
    field_id = user_fields.create(portal.store, entity, sent, portal.field_types())
    _announce(ctx, entity, "add", portal.store.tables["userfield"].get(field_id) or {})
    if portal.options.userfield_add_500:
        raise ApiError(500, "INTERNAL_SERVER_ERROR", "Internal server error")
    return Result(field_id, seconds=COST.alter(len(portal.store.tables[entity.name])))


def update(entity: Entity, ctx: Context, params: dict[str, Any]) -> Result:
    """Change a field: never its name, type or multiplicity."""
    row = _existing(entity, ctx, params)
    sent = param(params, "fields")
    if not isinstance(sent, dict):
        raise classic_error("Parameter 'fields' must be array.")
    user_fields.change(ctx.portal.store, row, sent)
    _announce(ctx, entity, "update", row)
    if row["USER_TYPE_ID"] == "enumeration" and "LIST" in sent:
        _announce(ctx, entity, "setEnumValues", row)
    return Result(True, seconds=COST.classic_write)


def delete(entity: Entity, ctx: Context, params: dict[str, Any]) -> Result:
    """Drop a field with all its values."""
    row = _existing(entity, ctx, params)
    user_fields.drop(ctx.portal.store, entity, row)
    _announce(ctx, entity, "delete", row)
    return Result(True, seconds=COST.alter(len(ctx.portal.store.tables[entity.name])))


def _announce(ctx: Context, entity: Entity, action: str, row: dict[str, Any]) -> None:
    ctx.portal.events.publish(
        entity.event(f"userField{action}"),
        {key: row.get(key) for key in ("ID", "ENTITY_ID", "FIELD_NAME")},
        actor_id=ctx.user_id,
        auth_connector=ctx.auth_connector,
    )


def _demand_admin(ctx: Context) -> None:
    if not ctx.is_admin:
        raise classic_error("Access denied.")


def _rows(entity: Entity, ctx: Context) -> list[dict[str, Any]]:
    table = ctx.portal.store.tables["userfield"]
    return [row for row in table if row["ENTITY_ID"] == entity.uf_entity]


def _existing(entity: Entity, ctx: Context, params: dict[str, Any]) -> dict[str, Any]:
    field_id = classic_id(params)
    _demand_admin(ctx)
    row = ctx.portal.store.tables["userfield"].get(field_id)
    if row is None:
        raise ApiError(400, "ERROR_NOT_FOUND", f"The entity with ID '{field_id}' is not found.")
    if row["ENTITY_ID"] != entity.uf_entity:
        raise classic_error("Access denied.")
    return row


def _described(row: dict[str, Any]) -> dict[str, Any]:
    described: dict[str, Any] = {"ID": str(row["ID"])}
    described |= {key: row.get(key) for key in _PLAIN}
    described["SORT"] = str(row.get("SORT") or 100)
    described |= {key: row.get(key) or "N" for key in _FLAGS}
    described["SETTINGS"] = row.get("SETTINGS") or []
    if row["USER_TYPE_ID"] == "enumeration":
        described["LIST"] = [
            {
                "ID": str(item["ID"]),
                "SORT": str(item.get("SORT") or 500),
                "VALUE": item["VALUE"],
                "DEF": item.get("DEF") or "N",
                "XML_ID": item.get("XML_ID") or "",
            }
            for item in row.get("LIST") or ()
        ]
    return described


for _entity in ENTITIES.values():
    for _action, _handler in (
        ("list", get_list),
        ("get", get_one),
        ("add", add),
        ("update", update),
        ("delete", delete),
    ):
        method(f"crm.{_entity.name}.userfield.{_action}")(partial(_handler, _entity))
