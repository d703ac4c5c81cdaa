"""user.get, user.current, user.admin, profile and department.get."""

from __future__ import annotations

from datetime import date, datetime
from typing import TYPE_CHECKING, Any

from demo.portal.api import ApiError, Context, Result, method
from demo.portal.listing import PAGE
from demo.portal.methods.support import COST, as_map, names, offset
from demo.portal.render import day, moment
from demo.portal.values import is_yes, param, to_int, to_text

if TYPE_CHECKING:
    from collections.abc import Callable

_PRIVATE = {"ADMIN", "CRM_RIGHTS"}
_NOT_PEOPLE = {"bot", "email", "imconnector", "integrator", "system"}


def _active(row: dict[str, Any]) -> bool:
    return row.get("ACTIVE") not in (False, "N")


def _user(ctx: Context, row: dict[str, Any]) -> dict[str, Any]:
    zone = ctx.portal.time_zone
    described: dict[str, Any] = {"ID": str(row["ID"])}
    for key, value in row.items():
        if key in _PRIVATE or key == "ID":
            continue
        if isinstance(value, datetime):
            described[key] = moment(value, zone)
        elif isinstance(value, date):
            described[key] = day(value, zone)
        else:
            described[key] = "" if value is None else value
    described["ACTIVE"] = _active(row)
    # An empty PHP date object: the portal really answers {}.
    return {**described, "TIMESTAMP_X": {}, "LAST_ACTIVITY_DATE": {}}


@method("user.get", scope="user")
def get_users(ctx: Context, params: dict[str, Any]) -> Result:
    """Employees by filter, 50 a page; bots and other accounts are never shown."""
    table = ctx.portal.store.tables["user"]
    conditions = {**as_map(param(params, "filter") or {})}
    conditions |= {k: params[k] for k in ("ID", "ACTIVE", "EMAIL", "LAST_NAME") if k in params}
    tests = [test for key, value in conditions.items() if (test := _test(key, value))]
    rows = [
        row
        for row in table
        if row.get("USER_TYPE", "employee") not in _NOT_PEOPLE and all(t(row) for t in tests)
    ]
    key = to_text(param(params, "sort")) or "ID"
    down = to_text(param(params, "order")).upper() == "DESC"
    rows.sort(key=lambda row: _sort_value(row.get(key)), reverse=down)
    return _page(ctx, rows, params, COST.page(len(rows[:PAGE]), wide=False))


def _page(ctx: Context, rows: list[dict[str, Any]], params: dict[str, Any], cost: float) -> Result:
    start, select = offset(params), names(param(params, "select"))
    first = max(0, start) // PAGE * PAGE
    shown = [_user(ctx, row) for row in rows[first : first + PAGE]]
    if select and "*" not in select:
        shown = [{key: row[key] for key in ("ID", *select) if key in row} for row in shown]
    if start < 0:
        return Result(shown, 0, seconds=cost)
    following = first + PAGE
    return Result(shown, len(rows), following if following < len(rows) else None, cost)


def _sort_value(value: Any) -> tuple[bool, Any]:
    if isinstance(value, (int, float)):
        return True, f"{value:020}"
    return bool(value), to_text(value).casefold()


def _test(key: str, value: Any) -> Callable[[dict[str, Any]], bool] | None:
    name = key.lstrip("!=<>@%")
    operator = key.removesuffix(name)
    if name == "ACTIVE":
        wanted = is_yes(value)
        return lambda row: _active(row) == wanted
    if operator in (">", ">=", "<", "<=") and name == "ID":
        return _id_bound(operator, to_int(value))
    if name == "ADMIN":
        return None
    values = {to_text(part).casefold() for part in (value if isinstance(value, list) else [value])}

    def accepts(row: dict[str, Any]) -> bool:
        stored = row.get(name)
        parts = stored if isinstance(stored, list) else [stored]
        found = any(to_text(part).casefold() in values for part in parts)
        return found != operator.startswith("!")

    return accepts


def _id_bound(operator: str, bound: int) -> Callable[[dict[str, Any]], bool]:
    if operator.startswith(">"):
        low = bound + (operator == ">")
        return lambda row: bool(row["ID"] >= low)
    high = bound - (operator == "<")
    return lambda row: bool(row["ID"] <= high)


def _current(ctx: Context) -> dict[str, Any]:
    row = ctx.portal.store.tables["user"].get(ctx.user_id)
    if row is None:
        raise ApiError(400, "ERROR_CORE", "User not found")
    return row


@method("user.current", scope="user")
def current(ctx: Context, _params: dict[str, Any]) -> Result:
    """The acting user."""
    return Result(_user(ctx, _current(ctx)), seconds=COST.dictionary)


@method("user.admin", scope="")
def is_admin(ctx: Context, _params: dict[str, Any]) -> Result:
    """Whether the acting user administers the portal."""
    return Result(ctx.is_admin, seconds=COST.dictionary)


@method("profile", scope="")
def profile(ctx: Context, _params: dict[str, Any]) -> Result:
    """A few facts about the acting user, for which no scope is needed."""
    row = _current(ctx)
    return Result(
        {
            "ID": str(row["ID"]),
            "ADMIN": ctx.is_admin,
            "NAME": row.get("NAME") or "",
            "LAST_NAME": row.get("LAST_NAME") or "",
            "PERSONAL_GENDER": row.get("PERSONAL_GENDER") or "",
            "PERSONAL_PHOTO": "",
            "TIME_ZONE": row.get("TIME_ZONE") or "",
            "TIME_ZONE_OFFSET": 0,
        },
        seconds=COST.dictionary,
    )


@method("department.get", scope="department")
def departments(ctx: Context, params: dict[str, Any]) -> Result:
    """The structure of the company."""
    rows = []
    for row in ctx.portal.store.tables["department"]:
        wanted = params.get("ID")
        if wanted and to_text(row["ID"]) not in map(
            to_text, wanted if isinstance(wanted, list) else [wanted]
        ):
            continue
        described = {"ID": str(row["ID"]), "NAME": row["NAME"], "SORT": row.get("SORT") or 500}
        if row.get("PARENT"):
            described["PARENT"] = str(row["PARENT"])
        rows.append({**described, "UF_HEAD": to_text(row.get("UF_HEAD")) or None})
    return Result(rows, len(rows), seconds=COST.dictionary)
