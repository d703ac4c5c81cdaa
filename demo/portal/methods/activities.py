"""crm.activity.list, .get, .add, .update, .delete: calls, letters, meetings and tasks of the CRM."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from demo.portal import rights
from demo.portal.api import Context, Result, method
from demo.portal.filters import Source
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
)
from demo.portal.render import ABSENT, Columns, Reader, as_dict, moment
from demo.portal.schema import BY_TYPE_ID, COLUMNS, Entity, Field, FieldSet
from demo.portal.values import is_yes, param, to_datetime, to_int, to_text
from demo.portal.writes import second

if TYPE_CHECKING:
    from datetime import tzinfo

    from demo.portal.store import Row, Table

_TIMES = {"CREATED", "LAST_UPDATED", "START_TIME", "END_TIME", "DEADLINE"}
_NUMBERS = {"ID", "OWNER_ID", "OWNER_TYPE_ID", "TYPE_ID", "DIRECTION", "PRIORITY", "STATUS"}
_PEOPLE = {"RESPONSIBLE_ID", "AUTHOR_ID", "EDITOR_ID"}
_NAMED_ONLY = {"COMMUNICATIONS", "BINDINGS"}
_HIDDEN = {"LAYOUT", "APP_ID"}
_TOLD = tuple(name for name in COLUMNS["activity"] if name not in _HIDDEN)
CONFIGURABLE = "CONFIGURABLE_REST_APP"
_TEXTS = ("SUBJECT", "DESCRIPTION", "ORIGINATOR_ID", "ORIGIN_ID")
_PROVIDERS = {1: "CRM_MEETING", 2: "VOXIMPLANT_CALL", 3: "TASKS", 4: "CRM_EMAIL", 6: "CRM_TODO"}
_DONE, _WAITING = 2, 1


def _type(name: str) -> str:
    if name in _TIMES:
        return "datetime"
    if name in _PEOPLE:
        return "user"
    return "integer" if name in _NUMBERS else "string"


_FIELDS = FieldSet(
    Entity("activity", 0, "", "Дело", {n: Field(n, n, _type(n), n) for n in _TOLD}),
    [],
)


@method("crm.activity.list")
def get_list(ctx: Context, params: dict[str, Any]) -> Result:
    """One page of activities, by START_TIME unless told otherwise."""
    store, zone = ctx.portal.store, ctx.portal.time_zone
    where = Source(store, store.tables["activity"], _FIELDS, zone, item=False)
    order = classic_order(_FIELDS, classic_array(params, "order") or {"START_TIME": "ASC"})
    conditions = classic_array(params, "filter")
    start, select = offset(params), names(param(params, "select"))
    found = find(ctx, where, conditions, order, start, visible=_visibility(ctx, where.table))
    rows = fragments(
        where.table,
        ("activity", tuple(select), zone),
        lambda: _columns(where.table, select, zone),
        found.rows,
    )
    total = 0 if start < 0 and ctx.portal.options.classic_total_zero else found.total
    return Result(rows, total, found.next, page_seconds(found, len(select)))


@method("crm.activity.get")
def get_one(ctx: Context, params: dict[str, Any]) -> Result:
    """One activity."""
    table = ctx.portal.store.tables["activity"]
    row = _seen(ctx, classic_id(params))
    return Result(as_dict(_columns(table, [], ctx.portal.time_zone), row), seconds=COST.get)


@method("crm.activity.add")
def add(ctx: Context, params: dict[str, Any]) -> Result:
    """Add an activity to an item; its id."""
    sent = param(params, "fields")
    if not isinstance(sent, dict):
        raise classic_error("Parameter 'fields' must be array.")
    owner_type, owner = to_int(sent.get("OWNER_TYPE_ID")), to_int(sent.get("OWNER_ID"))
    entity = BY_TYPE_ID.get(owner_type)
    row = ctx.portal.store.tables[entity.name].row(owner) if entity else None
    if entity is None or row is None:
        raise classic_error("The field OWNER_ID is invalid or not defined.")
    if not rights.may_touch(ctx, entity, row):
        raise classic_error("Access denied.")
    return Result(insert(ctx, entity, _new(ctx, sent)), seconds=COST.classic_write)


@method("crm.activity.update")
def update(ctx: Context, params: dict[str, Any]) -> Result:
    """Change an activity; those of applications have a method of their own."""
    row_id, sent = classic_id(params), param(params, "fields")
    if not isinstance(sent, dict):
        raise classic_error("Parameter 'fields' must be array.")
    _seen(ctx, row_id)
    kept = ctx.portal.store.tables["activity"].get(row_id) or {}
    if kept.get("PROVIDER_ID") == CONFIGURABLE:
        raise classic_error("Use crm.activity.configurable.update for this activity provider")
    changes: dict[str, Any] = {name: to_text(sent[name]) for name in _TEXTS if name in sent}
    for name in ("START_TIME", "END_TIME", "DEADLINE"):
        if sent.get(name):
            changes[name] = to_datetime(sent[name], ctx.portal.time_zone)
    for name in ("RESPONSIBLE_ID", "PRIORITY"):
        if to_int(sent.get(name)):
            changes[name] = to_int(sent[name])
    if "COMPLETED" in sent or "STATUS" in sent:
        done = is_yes(sent.get("COMPLETED")) or to_int(sent.get("STATUS")) == _DONE
        changes |= finished(done=done)
    change(ctx, row_id, changes)
    return Result(value=True, seconds=COST.classic_write)


@method("crm.activity.delete")
def delete(ctx: Context, params: dict[str, Any]) -> Result:
    """Delete an activity."""
    row_id = classic_id(params)
    _seen(ctx, row_id)
    ctx.portal.store.tables["activity"].delete(row_id)
    _announce(ctx, "DELETE", row_id)
    return Result(value=True, seconds=COST.classic_write)


def insert(ctx: Context, entity: Entity, row: dict[str, Any]) -> int:
    """Put an activity onto an item, which it makes active, and announce it; its id."""
    row_id = ctx.portal.store.tables["activity"].insert(row)
    ctx.portal.store.tables[entity.name].update(
        row["OWNER_ID"], {"LAST_ACTIVITY_TIME": second(ctx), "LAST_ACTIVITY_BY": ctx.user_id}
    )
    _announce(ctx, "ADD", row_id)
    return row_id


def change(ctx: Context, row_id: int, changes: dict[str, Any]) -> None:
    """Change an activity and announce it."""
    changes = {**changes, "EDITOR_ID": ctx.user_id, "LAST_UPDATED": second(ctx)}
    ctx.portal.store.tables["activity"].update(row_id, changes)
    _announce(ctx, "UPDATE", row_id)


def finished(*, done: bool) -> dict[str, Any]:
    """The fields that say whether an activity is over."""
    return {"COMPLETED": "Y" if done else "N", "STATUS": _DONE if done else _WAITING}


def blank(ctx: Context, entity: Entity, owner: int, responsible: int) -> dict[str, Any]:
    """What every new activity has."""
    now = second(ctx)
    return {
        "OWNER_ID": owner,
        "OWNER_TYPE_ID": entity.type_id,
        "TYPE_ID": 6,
        "DIRECTION": 0,
        "PRIORITY": 2,
        **finished(done=False),
        "RESPONSIBLE_ID": responsible or ctx.user_id,
        "AUTHOR_ID": ctx.user_id,
        "EDITOR_ID": ctx.user_id,
        "CREATED": now,
        "LAST_UPDATED": now,
        "START_TIME": now,
        "SETTINGS": [],
        "BINDINGS": [{"OWNER_TYPE_ID": entity.type_id, "OWNER_ID": owner}],
    }


def _announce(ctx: Context, action: str, row_id: int) -> None:
    ctx.portal.events.publish(
        f"ONCRMACTIVITY{action}",
        {"ID": row_id},
        actor_id=ctx.user_id,
        auth_connector=ctx.auth_connector,
    )


def _seen(ctx: Context, row_id: int) -> Row:
    table = ctx.portal.store.tables["activity"]
    row = table.row(row_id)
    if row is None:
        raise classic_error("Activity is not found.")
    visible = _visibility(ctx, table)
    if visible is not None and not visible(row):
        raise classic_error("Access denied.")
    return row


def _new(ctx: Context, sent: dict[str, Any]) -> dict[str, Any]:
    now, kind = second(ctx), to_int(sent.get("TYPE_ID"))
    times = {
        name: to_datetime(sent[name], ctx.portal.time_zone) if sent.get(name) else None
        for name in ("START_TIME", "END_TIME", "DEADLINE")
    }
    row: dict[str, Any] = {
        **{name: to_int(sent.get(name)) for name in ("OWNER_ID", "OWNER_TYPE_ID", "DIRECTION")},
        **{name: to_text(sent.get(name)) for name in ("SUBJECT", "DESCRIPTION")},
        **{name: sent[name] for name in ("ORIGINATOR_ID", "ORIGIN_ID") if sent.get(name)},
        **times,
        "TYPE_ID": kind,
        "PROVIDER_ID": to_text(sent.get("PROVIDER_ID")) or _PROVIDERS.get(kind, ""),
        "PROVIDER_TYPE_ID": to_text(sent.get("PROVIDER_TYPE_ID")),
        "PRIORITY": to_int(sent.get("PRIORITY")) or 2,
        **finished(done=is_yes(sent.get("COMPLETED"))),
        "RESPONSIBLE_ID": to_int(sent.get("RESPONSIBLE_ID")) or ctx.user_id,
        "AUTHOR_ID": ctx.user_id,
        "EDITOR_ID": ctx.user_id,
        "CREATED": now,
        "LAST_UPDATED": now,
        "SETTINGS": sent.get("SETTINGS") or [],
        "COMMUNICATIONS": sent.get("COMMUNICATIONS") or [],
    }
    return {**row, "START_TIME": row["START_TIME"] or now}


def _columns(table: Table, select: list[str], zone: tzinfo) -> Columns:
    chosen = [
        name
        for name in _TOLD
        if (name in select or not select or "*" in select)
        and (name not in _NAMED_ONLY or name in select)
    ]
    return [(name, _reader(table, name, zone)) for name in chosen]


def _reader(table: Table, name: str, zone: tzinfo) -> Reader:
    read = table.getter(name)
    if name in _TIMES:
        return lambda row: moment(v, zone) if (v := read(row)) else ""
    if name == "SETTINGS":
        return lambda row: read(row) or []
    if name in _NAMED_ONLY:
        return lambda row: v if (v := read(row)) else ABSENT
    return lambda row: None if (v := read(row)) is None else to_text(v)


def _visibility(ctx: Context, table: Table) -> Any:
    """Activities are seen with the item they belong to."""
    if ctx.is_admin:
        return None
    tests = {
        number: (rights.visibility(ctx, entity), ctx.portal.store.tables[entity.name])
        for number, entity in BY_TYPE_ID.items()
    }
    if not any(test for test, _ in tests.values()):
        return None
    owner, owner_type = table.getter("OWNER_ID"), table.getter("OWNER_TYPE_ID")

    def visible(row: Any) -> bool:
        test, owners = tests.get(owner_type(row), (None, None))
        item = owners.row(owner(row) or 0) if owners is not None else None
        return test is None or (item is not None and test(item))

    return visible
