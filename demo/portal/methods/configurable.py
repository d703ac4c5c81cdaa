"""crm.activity.configurable.*: what an application shows in timelines, laid out by itself."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from demo.portal import rights
from demo.portal.api import ApiError, Context, Result, method
from demo.portal.methods import activities
from demo.portal.methods.support import COST
from demo.portal.methods.todos import missing, owner_of
from demo.portal.render import moment
from demo.portal.schema import BY_TYPE_ID
from demo.portal.values import is_yes, to_datetime, to_int, to_text

if TYPE_CHECKING:
    from demo.portal.state import App

_TAGS = {"warning", "success", "failure", "primary", "secondary"}
_BLOCKS = {"text", "largeText", "link", "withTitle", "lineOfBlocks", "deadline"}
_FIELDS = {
    *("typeId", "completed", "deadline", "pingOffsets", "isIncomingChannel", "responsibleId"),
    *("badgeCode", "originatorId", "originId"),
}
_KEY = re.compile(r"[A-Za-z0-9_-]+")
_PARTS = {"icon", "header", "body", "footer"}


@method("crm.activity.configurable.add")
def add(ctx: Context, params: dict[str, Any]) -> Result:
    """Add an activity with the application's own look: {activity: {id}}."""
    app = _app(ctx)
    entity, owner = owner_of(ctx, params)
    sent = _sent(params)
    row = {
        **activities.blank(ctx, entity, owner, to_int(sent.get("responsibleId"))),
        "PROVIDER_ID": activities.CONFIGURABLE,
        "PROVIDER_TYPE_ID": "CONFIGURABLE",
        "APP_ID": app.client_id,
        **_values(ctx, sent, params),
    }
    row_id = activities.insert(ctx, entity, row)
    return Result({"activity": {"id": row_id}}, seconds=COST.classic_write)


@method("crm.activity.configurable.update")
def update(ctx: Context, params: dict[str, Any]) -> Result:
    """Change an activity of this application: {activity: {id}}."""
    app = _app(ctx)
    row = _found(ctx, params)
    if row["APP_ID"] != app.client_id:
        raise ApiError(400, "ERROR_WRONG_APPLICATION", "Only the application that added it may")
    activities.change(ctx, row["ID"], _values(ctx, _sent(params), params))
    return Result({"activity": {"id": row["ID"]}}, seconds=COST.classic_write)


@method("crm.activity.configurable.get")
def get_one(ctx: Context, params: dict[str, Any]) -> Result:
    """An activity with its layout."""
    _app(ctx)
    row = _found(ctx, params)
    deadline = row.get("DEADLINE")
    settings: dict[str, Any] = row.get("SETTINGS") or {}
    fields = {
        "typeId": "CONFIGURABLE",
        "completed": row["COMPLETED"] == "Y",
        "deadline": moment(deadline, ctx.portal.time_zone) if deadline else None,
        "pingOffsets": settings.get("pingOffsets") or [],
        "isIncomingChannel": is_yes(settings.get("isIncomingChannel")),
        "responsibleId": row["RESPONSIBLE_ID"],
        "badgeCode": settings.get("badgeCode") or "",
        "originatorId": row.get("ORIGINATOR_ID"),
        "originId": row.get("ORIGIN_ID"),
    }
    told = {
        "id": row["ID"],
        "ownerTypeId": row["OWNER_TYPE_ID"],
        "ownerId": row["OWNER_ID"],
        "fields": fields,
        "layout": row["LAYOUT"],
    }
    return Result({"activity": told}, seconds=COST.get)


def _app(ctx: Context) -> App:
    if ctx.app is None:
        raise ApiError(400, "ERROR_WRONG_CONTEXT", "Application context required")
    return ctx.app


def _found(ctx: Context, params: dict[str, Any]) -> dict[str, Any]:
    row = ctx.portal.store.tables["activity"].get(to_int(params.get("id"))) or {}
    if row.get("PROVIDER_ID") != activities.CONFIGURABLE:
        raise ApiError(400, "NOT_FOUND", "Not found.")
    entity = BY_TYPE_ID[row["OWNER_TYPE_ID"]]
    owner = ctx.portal.store.tables[entity.name].row(row["OWNER_ID"])
    if owner is None or not rights.may_touch(ctx, entity, owner):
        raise ApiError(400, "ACCESS_DENIED", "Access denied.")
    return row


def _sent(params: dict[str, Any]) -> dict[str, Any]:
    sent = params.get("fields")
    if sent is None:
        raise missing("fields")
    if unknown := set(sent) - _FIELDS:
        raise ApiError(400, "WRONG_FIELD_VALUE", f"Unknown field {min(unknown)}")
    return dict(sent)


def _values(ctx: Context, sent: dict[str, Any], params: dict[str, Any]) -> dict[str, Any]:
    layout = params.get("layout")
    if not layout:
        raise ApiError(400, "ERROR_EMPTY_LAYOUT", "Layout must be filled")
    check(layout)
    deadline = to_datetime(sent["deadline"], ctx.portal.time_zone) if sent.get("deadline") else None
    if deadline and is_yes(sent.get("isIncomingChannel")):
        code = "INCOMING_ACTIVITY_CAN_NOT_BE_WITH_DEADLINE"
        raise ApiError(400, code, "An incoming activity can't have a deadline")
    named = ("pingOffsets", "isIncomingChannel", "badgeCode")
    return {
        "SUBJECT": to_text(layout["header"]["title"]),
        "LAYOUT": layout,
        **activities.finished(done=is_yes(sent.get("completed"))),
        "DEADLINE": deadline,
        "ORIGINATOR_ID": to_text(sent.get("originatorId")) or None,
        "ORIGIN_ID": to_text(sent.get("originId")) or None,
        "SETTINGS": {name: sent[name] for name in named if sent.get(name)},
    }


def check(layout: dict[str, Any]) -> None:
    """Refuse a layout that isn't as described."""
    if unknown := set(layout) - _PARTS:
        raise ApiError(400, "FIELD_IS_REDUNDANT", f"Redundant field {min(unknown)}")
    for part, name in (("icon", "code"), ("header", "title"), ("body", "logo")):
        _require(layout, part)
        _require(layout[part], name)
    _require(layout["body"]["logo"], "code")
    tags = _named(layout["header"].get("tags") or {}, at_most=2)
    for tag in tags.values():
        _require(tag, "title")
        _require(tag, "type")
        if tag["type"] not in _TAGS:
            raise ApiError(400, "ENUM_FIELD", f"Unknown type of a tag: {tag['type']}")
    blocks = _named(layout["body"].get("blocks") or {}, at_most=20)
    if not blocks:
        raise ApiError(400, "FIELD_IS_REQUIRED", "Field blocks is required")
    for block in blocks.values():
        _require(block, "type")
        if block["type"] not in _BLOCKS:
            raise ApiError(400, "ENUM_FIELD", f"Unknown type of a block: {block['type']}")
    footer = layout.get("footer") or {}
    for button in _named(footer.get("buttons") or {}, at_most=2).values():
        for name in ("title", "action", "type"):
            _require(button, name)


def _require(part: Any, name: str) -> None:
    if not isinstance(part, dict) or not part.get(name):
        raise ApiError(400, "FIELD_IS_REQUIRED", f"Field {name} is required")


def _named(parts: dict[str, Any], at_most: int) -> dict[str, Any]:
    if len(parts) > at_most:
        raise ApiError(400, "TOO_MANY_ITEMS", f"No more than {at_most}")
    if any(not _KEY.fullmatch(key) for key in parts):
        raise ApiError(400, "KEY_CONTAIN_WRONG_SYMBOLS", "Wrong symbols in a key")
    return parts
