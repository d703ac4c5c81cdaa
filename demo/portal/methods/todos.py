"""crm.activity.todo.*: universal to-dos, and how an employee finishes one."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from demo.portal import rights
from demo.portal.api import ApiError, Context, Result, method
from demo.portal.methods import activities
from demo.portal.methods.support import COST
from demo.portal.schema import BY_TYPE_ID
from demo.portal.values import to_datetime, to_int, to_text

if TYPE_CHECKING:
    from datetime import datetime

    from demo.portal.schema import Entity

PROVIDER = "CRM_TODO"
_TEXTS = {"title": "SUBJECT", "description": "DESCRIPTION"}


@method("crm.activity.todo.add")
def add(ctx: Context, params: dict[str, Any]) -> Result:
    """Add a to-do with a deadline to an item: {id}."""
    entity, owner = owner_of(ctx, params)
    deadline = _deadline(ctx, params)
    row = {
        **activities.blank(ctx, entity, owner, to_int(params.get("responsibleId"))),
        **{column: to_text(params.get(name)) for name, column in _TEXTS.items()},
        "PROVIDER_ID": PROVIDER,
        "PROVIDER_TYPE_ID": "TODO",
        "DIRECTION": 2,
        "START_TIME": deadline,
        "END_TIME": deadline,
        "DEADLINE": deadline,
        "SETTINGS": {name: params[name] for name in ("pingOffsets", "colorId") if params.get(name)},
    }
    return Result({"id": activities.insert(ctx, entity, row)}, seconds=COST.classic_write)


@method("crm.activity.todo.update")
def update(ctx: Context, params: dict[str, Any]) -> Result:
    """Change what is named of a to-do that is not over: {id}."""
    row_id = _open_todo(ctx, params)
    changes: dict[str, Any] = {"DEADLINE": _deadline(ctx, params)}
    for name, column in _TEXTS.items():
        if name in params:
            changes[column] = to_text(params[name])
    if to_int(params.get("responsibleId")):
        changes["RESPONSIBLE_ID"] = to_int(params["responsibleId"])
    return _changed(ctx, row_id, changes)


@method("crm.activity.todo.updateDeadline")
def update_deadline(ctx: Context, params: dict[str, Any]) -> Result:
    """Another deadline."""
    row_id = _open_todo(ctx, params)
    return _changed(ctx, row_id, {"DEADLINE": _deadline(ctx, params, "value")})


@method("crm.activity.todo.updateDescription")
def update_description(ctx: Context, params: dict[str, Any]) -> Result:
    """Another description."""
    return _changed(ctx, _open_todo(ctx, params), {"DESCRIPTION": to_text(params.get("value"))})


@method("crm.activity.todo.updateResponsibleUser")
def update_responsible(ctx: Context, params: dict[str, Any]) -> Result:
    """Another employee."""
    return _changed(ctx, _open_todo(ctx, params), {"RESPONSIBLE_ID": to_int(params.get("value"))})


def complete(ctx: Context, row_id: int, words: str) -> None:
    """What an employee does on the card: writes what came of it into the description, and finishes."""
    table = ctx.portal.store.tables["activity"]
    row = table.get(row_id) or {}
    if not row or row.get("COMPLETED") == "Y":
        raise ApiError(404, "NOT_FOUND", "Дело не найдено или уже завершено")
    owner_of(ctx, {"ownerTypeId": row["OWNER_TYPE_ID"], "ownerId": row["OWNER_ID"]})
    changes = activities.finished(done=True)
    if words:
        changes["DESCRIPTION"] = _with_result(str(row.get("DESCRIPTION") or ""), words)
    activities.change(ctx, row_id, changes)


def owner_of(ctx: Context, params: dict[str, Any]) -> tuple[Entity, int]:
    """The item an activity is put onto, which the user may change."""
    for name in ("ownerTypeId", "ownerId"):
        if not params.get(name):
            raise missing(name)
    entity, owner = BY_TYPE_ID.get(to_int(params["ownerTypeId"])), to_int(params["ownerId"])
    if entity is None:
        raise ApiError(400, "OWNER_NOT_FOUND", "Owner is not found")
    row = ctx.portal.store.tables[entity.name].row(owner)
    if row is None:
        raise ApiError(400, "NOT_FOUND", "Not found.")
    if not rights.may_touch(ctx, entity, row):
        raise ApiError(400, "ACCESS_DENIED", "Access denied.")
    return entity, owner


def missing(name: str) -> ApiError:
    """A required parameter was not sent."""
    return ApiError(400, 100, f"Could not find value for parameter {{{name}}}")


def _with_result(description: str, words: str) -> str:
    """After the last line that asks for it, or at the end."""
    lines = description.splitlines()
    asked = [n for n, line in enumerate(lines) if line.strip().endswith("Итог разговора:")]
    if not asked:
        return f"{description}\n\nИтог разговора: {words}".strip()
    lines[asked[-1]] += f" {words}"
    return "\n".join(lines)


def _open_todo(ctx: Context, params: dict[str, Any]) -> int:
    entity, owner = owner_of(ctx, params)
    row_id = to_int(params.get("id"))
    row = ctx.portal.store.tables["activity"].get(row_id) or {}
    mine = (row.get("OWNER_TYPE_ID"), row.get("OWNER_ID")) == (entity.type_id, owner)
    if not mine or row.get("PROVIDER_ID") != PROVIDER:
        raise ApiError(400, "NOT_FOUND", "Not found.")
    if row.get("COMPLETED") == "Y":
        raise ApiError(400, "CAN_NOT_UPDATE_COMPLETED_TODO", "Completed activity can't be changed")
    return row_id


def _deadline(ctx: Context, params: dict[str, Any], name: str = "deadline") -> datetime:
    if not params.get(name):
        raise missing(name)
    moment = to_datetime(params[name], ctx.portal.time_zone)
    if moment is None:
        raise ApiError(400, "WRONG_DATETIME_FORMAT", "Wrong datetime format")
    return moment


def _changed(ctx: Context, row_id: int, changes: dict[str, Any]) -> Result:
    if "DEADLINE" in changes:
        changes |= {"START_TIME": changes["DEADLINE"], "END_TIME": changes["DEADLINE"]}
    activities.change(ctx, row_id, changes)
    return Result({"id": row_id}, seconds=COST.classic_write)
