"""crm.activity.list, .get and .add: calls, letters, meetings and tasks of the CRM."""

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

    from demo.portal.store import Table

_TIMES = {"CREATED", "LAST_UPDATED", "START_TIME", "END_TIME", "DEADLINE"}
_NUMBERS = {"ID", "OWNER_ID", "OWNER_TYPE_ID", "TYPE_ID", "DIRECTION", "PRIORITY", "STATUS"}
_PEOPLE = {"RESPONSIBLE_ID", "AUTHOR_ID", "EDITOR_ID"}
_NAMED_ONLY = {"COMMUNICATIONS", "BINDINGS"}
_PROVIDERS = {1: "CRM_MEETING", 2: "VOXIMPLANT_CALL", 3: "TASKS", 4: "CRM_EMAIL", 6: "CRM_TODO"}
_DONE, _WAITING = 2, 1


def _type(name: str) -> str:
    if name in _TIMES:
        return "datetime"
    if name in _PEOPLE:
        return "user"
    return "integer" if name in _NUMBERS else "string"


_FIELDS = FieldSet(
    Entity("activity", 0, "", "Дело", {n: Field(n, n, _type(n), n) for n in COLUMNS["activity"]}),
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
    row_id, table = classic_id(params), ctx.portal.store.tables["activity"]
    row = table.row(row_id)
    if row is None:
        raise classic_error("Activity is not found.")
    visible = _visibility(ctx, table)
    if visible is not None and not visible(row):
        raise classic_error("Access denied.")
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
    row_id = ctx.portal.store.tables["activity"].insert(_new(ctx, sent))
    ctx.portal.store.tables[entity.name].update(
        owner, {"LAST_ACTIVITY_TIME": second(ctx), "LAST_ACTIVITY_BY": ctx.user_id}
    )
    ctx.portal.events.publish(
        "ONCRMACTIVITYADD",
        {"ID": row_id},
        actor_id=ctx.user_id,
        auth_connector=ctx.auth_connector,
    )
    return Result(row_id, seconds=COST.classic_write)


def _new(ctx: Context, sent: dict[str, Any]) -> dict[str, Any]:
    now, kind = second(ctx), to_int(sent.get("TYPE_ID"))
    times = {
        name: to_datetime(sent[name], ctx.portal.time_zone) if sent.get(name) else None
        for name in ("START_TIME", "END_TIME", "DEADLINE")
    }
    done = is_yes(sent.get("COMPLETED"))
    row: dict[str, Any] = {
        **{name: to_int(sent.get(name)) for name in ("OWNER_ID", "OWNER_TYPE_ID", "DIRECTION")},
        **{name: to_text(sent.get(name)) for name in ("SUBJECT", "DESCRIPTION")},
        **times,
        "TYPE_ID": kind,
        "PROVIDER_ID": to_text(sent.get("PROVIDER_ID")) or _PROVIDERS.get(kind, ""),
        "PROVIDER_TYPE_ID": to_text(sent.get("PROVIDER_TYPE_ID")),
        "PRIORITY": to_int(sent.get("PRIORITY")) or 2,
        "COMPLETED": "Y" if done else "N",
        "STATUS": _DONE if done else _WAITING,
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
        for name in COLUMNS["activity"]
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
