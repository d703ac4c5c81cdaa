"""app.option.*, user.option.* and userfieldtype.*: what an application keeps on the portal."""

from __future__ import annotations

import re
from typing import Any
from urllib.parse import urlsplit

from demo.portal.api import ApiError, Context, Result, method
from demo.portal.state import App
from demo.portal.system.common import lowered


def _owner(ctx: Context) -> App:
    if ctx.app is None:
        raise ApiError(400, "AccessException", "Application context required")
    return ctx.app


def _read(kept: dict[str, Any], params: dict[str, Any]) -> Result:
    option = lowered(params).get("option")
    return Result(kept.get(str(option)) if option else (kept or []))


def _write(kept: dict[str, Any], params: dict[str, Any]) -> Result:
    given = lowered(params).get("options")
    if not isinstance(given, dict) or not given:
        raise ApiError(400, "ArgumentNullException", "Argument 'options' is null or empty")
    kept.update(given)
    return Result(True)


@method("app.option.get", scope="")
def app_option_get(ctx: Context, params: dict[str, Any]) -> Result:
    """Options of the application, common to its users."""
    return _read(_owner(ctx).options, params)


@method("app.option.set", scope="")
def app_option_set(ctx: Context, params: dict[str, Any]) -> Result:
    """Store options of the application."""
    app = _owner(ctx)
    if not ctx.is_admin:
        raise ApiError(400, "AccessException", "Administrator authorization required")
    return _write(app.options, params)


@method("user.option.get", scope="")
def user_option_get(ctx: Context, params: dict[str, Any]) -> Result:
    """Options the application keeps for the current user."""
    return _read(_owner(ctx).user_options.get(ctx.user_id, {}), params)


@method("user.option.set", scope="")
def user_option_set(ctx: Context, params: dict[str, Any]) -> Result:
    """Store options for the current user."""
    return _write(_owner(ctx).user_options.setdefault(ctx.user_id, {}), params)


@method("userfieldtype.add", scope="placement")
def userfieldtype_add(ctx: Context, params: dict[str, Any]) -> Result:
    """Register a custom field type drawn by the application."""
    app = _owner(ctx)
    given = {key.upper(): value for key, value in params.items()}
    code, handler = str(given.get("USER_TYPE_ID", "")), str(given.get("HANDLER", ""))
    if not re.fullmatch(r"[a-z0-9]+", code) or len(f"rest_{app.id}_{code}") > 50:
        raise ApiError(400, "ERROR_ARGUMENT", "Argument 'USER_TYPE_ID' is null or empty")
    if urlsplit(handler).netloc != urlsplit(app.handler_url).netloc:
        raise ApiError(400, "ERROR_WRONG_HANDLER_URL", "Handler URL host doesn't match application")
    if any(kept["HANDLER"] == handler for kept in app.userfield_types.values()):
        raise ApiError(400, "ERROR_CORE", "Unable to set placement handler: Handler already binded")
    app.userfield_types[code] = {
        "USER_TYPE_ID": code,
        "HANDLER": handler,
        "TITLE": given.get("TITLE", ""),
        "DESCRIPTION": given.get("DESCRIPTION", ""),
        "OPTIONS": given.get("OPTIONS") or [],
    }
    return Result(True)


@method("userfieldtype.update", scope="placement")
def userfieldtype_update(ctx: Context, params: dict[str, Any]) -> Result:
    """Change a field type: never its code."""
    app = _owner(ctx)
    given = {key.upper(): value for key, value in params.items()}
    kept = app.userfield_types.get(str(given.get("USER_TYPE_ID", "")))
    if kept is None:
        raise ApiError(400, "ERROR_NOT_FOUND", "User Field Type not found")
    handler = str(given.get("HANDLER") or kept["HANDLER"])
    others = (one for one in app.userfield_types.values() if one is not kept)
    if any(one["HANDLER"] == handler for one in others):
        raise ApiError(400, "ERROR_CORE", "Unable to set placement handler: Handler already binded")
    for key in ("HANDLER", "TITLE", "DESCRIPTION", "OPTIONS"):
        kept[key] = given.get(key, kept[key])
    return Result(True)


@method("userfieldtype.list", scope="placement")
def userfieldtype_list(ctx: Context, _params: dict[str, Any]) -> Result:
    """Field types of the application."""
    shown = ("USER_TYPE_ID", "HANDLER", "TITLE", "DESCRIPTION")
    kept = [{key: one[key] for key in shown} for one in _owner(ctx).userfield_types.values()]
    return Result(kept, total=len(kept))


@method("userfieldtype.delete", scope="placement")
def userfieldtype_delete(ctx: Context, params: dict[str, Any]) -> Result:
    """Remove a field type."""
    code = str(lowered(params).get("user_type_id", ""))
    if _owner(ctx).userfield_types.pop(code, None) is None:
        raise ApiError(400, "ERROR_NOT_FOUND", "User Field Type not found")
    return Result(True)
