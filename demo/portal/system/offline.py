"""event.offline.*: the queue an application empties at its own pace."""

from __future__ import annotations

import hashlib
from datetime import datetime
from functools import partial
from typing import Any

from demo.portal.api import ApiError, Context, Result, method
from demo.portal.events import OfflineRow
from demo.portal.system.common import (
    administrator,
    application,
    connector_of,
    listed,
    lowered,
    number,
    truthy,
)

PAGE = 50


@method("event.offline.list", scope="")
def offline_list(ctx: Context, params: dict[str, Any]) -> Result:
    """Look at the queue without taking anything."""
    given = lowered(params)
    rows = _queue(ctx, given)
    start = number(given.get("start")) // PAGE * PAGE
    rows = _ordered(rows, given, default="ID")
    page = [
        {**_row(ctx, row), "PROCESS_ID": row.process_id, "ERROR": str(int(row.error))}
        for row in rows[start : start + PAGE]
    ]
    following = start + PAGE if len(rows) > start + PAGE else None
    return Result(page, total=len(rows), next=following)


@method("event.offline.get", scope="")
def offline_get(ctx: Context, params: dict[str, Any]) -> Result:
    """Take the first rows: delete them, or with clear=0 reserve them under a process id."""
    given = lowered(params)
    process_id = str(given.get("process_id") or "")
    with_errors = truthy(given.get("error"))
    rows = [
        row
        for row in _queue(ctx, given)
        if row.process_id == process_id and (with_errors or not row.error)
    ]
    rows = _ordered(rows, given, default="TIMESTAMP_X")[: number(given.get("limit")) or PAGE]
    events = [_row(ctx, row) for row in rows]
    if process_id:
        return Result({"process_id": process_id, "events": events})
    app = application(ctx)
    if truthy(given.get("clear", 1)):
        app.offline = [row for row in app.offline if row not in rows]
        return Result({"process_id": None, "events": events})
    seed = f"{ctx.portal.member_id}{ctx.portal.next_id()}"
    process_id = hashlib.md5(seed.encode()).hexdigest()  # noqa: S324
    for row in rows:
        row.process_id = process_id
    return Result({"process_id": process_id, "events": events})


@method("event.offline.clear", scope="")
def offline_clear(ctx: Context, params: dict[str, Any]) -> Result:
    """Delete reserved rows: all of the process, or those named."""
    given = lowered(params)
    doomed = _reserved(ctx, given)
    application(ctx).offline = [row for row in application(ctx).offline if row not in doomed]
    return Result(True)


@method("event.offline.error", scope="")
def offline_error(ctx: Context, params: dict[str, Any]) -> Result:
    """Mark reserved rows as failed: they stay, but are not given out unless asked for."""
    for row in _reserved(ctx, lowered(params)):
        row.error, row.process_id = True, ""
    return Result(True)


def _queue(ctx: Context, given: dict[str, Any]) -> list[OfflineRow]:
    app = application(ctx)
    administrator(ctx)
    connector = connector_of(ctx, given)
    conditions = given.get("filter")
    rows = [row for row in app.offline if row.connector == connector]
    for key, value in (conditions if isinstance(conditions, dict) else {}).items():
        rows = [row for row in rows if _matches(row, key, value)]
    return rows


def _matches(row: OfflineRow, key: str, value: Any) -> bool:
    operator = key[: len(key) - len(key.lstrip("=<>!"))]
    actual, wanted = _column(row, key[len(operator) :]), listed(value)
    if operator in ("", "="):
        return str(actual) in map(str, wanted)
    if operator in ("!", "!="):
        return str(actual) not in map(str, wanted)
    bound: Any = str(value)
    if isinstance(actual, datetime):
        bound = datetime.fromisoformat(bound)
    elif isinstance(actual, int):
        bound = number(value)
    if operator.startswith(">"):
        return bool(actual > bound or (operator == ">=" and actual == bound))
    return bool(actual < bound or (operator == "<=" and actual == bound))


def _column(row: OfflineRow, name: str) -> Any:
    columns = {
        "ID": row.id,
        "TIMESTAMP_X": row.at,
        "EVENT_NAME": row.event,
        "MESSAGE_ID": row.message_id,
        "PROCESS_ID": row.process_id,
        "ERROR": int(row.error),
    }
    return columns.get(name.upper(), "")


def _ordered(rows: list[OfflineRow], given: dict[str, Any], default: str) -> list[OfflineRow]:
    order = given.get("order")
    keys = order if isinstance(order, dict) and order else {default: "ASC"}
    for name, direction in reversed(keys.items()):
        backwards = str(direction).upper() == "DESC"
        rows = sorted(rows, key=partial(_column, name=name), reverse=backwards)
    return rows


def _reserved(ctx: Context, given: dict[str, Any]) -> list[OfflineRow]:
    app = application(ctx)
    administrator(ctx)
    process_id = given.get("process_id")
    if not process_id:
        raise ApiError(400, "PROCESS_ID_EMPTY", "Argument 'PROCESS_ID' is null or empty")
    rows = [row for row in app.offline if row.process_id == process_id]
    if "id" in given:
        chosen = set(map(str, listed(given["id"])))
        return [row for row in rows if str(row.id) in chosen]
    if "message_id" in given:
        chosen = set(map(str, listed(given["message_id"])))
        return [row for row in rows if row.message_id in chosen]
    return rows


def _row(ctx: Context, row: OfflineRow) -> dict[str, Any]:
    filled = ctx.portal.options.offline_data
    stamp = row.at.astimezone(ctx.portal.time_zone).isoformat(timespec="seconds")
    return {
        "ID": str(row.id),
        "TIMESTAMP_X": stamp,
        "EVENT_NAME": row.event,
        "EVENT_DATA": {"FIELDS": row.fields} if filled else False,
        "EVENT_ADDITIONAL": {"user_id": str(row.user_id or 0)} if filled else False,
        "MESSAGE_ID": row.message_id,
    }
