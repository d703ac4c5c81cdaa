"""app.info, scope, methods, method.get, feature.get, server.time, user.access, notifications."""

from __future__ import annotations

from typing import Any

from demo.portal.access import allows
from demo.portal.api import METHODS, ApiError, Context, Result, method
from demo.portal.system.common import listed, lowered, number, truthy

ALL_SCOPES = (
    "bizproc", "calendar", "catalog", "crm", "department", "disk", "im", "imbot", "imopenlines", "lists",
    "log", "mail", "mailservice", "messageservice", "placement", "sale", "task", "telephony",
    "user", "user_basic", "user_brief", "userconsent", "userfieldconfig",
)  # fmt: skip


@method("app.info", scope="")
def app_info(ctx: Context, _params: dict[str, Any]) -> Result:
    """About the calling application and the portal's plan."""
    if ctx.app is None:
        raise ApiError(400, "ACCESS_DENIED", "Access denied! Application context required")
    family = ctx.portal.license.partition("_")[2]
    return Result(
        {
            "ID": ctx.app.id,
            "CODE": ctx.app.client_id,
            "VERSION": 1,
            "STATUS": "L",
            "INSTALLED": ctx.app.installed,
            "PAYMENT_EXPIRED": "N",
            "DAYS": None,
            "LANGUAGE_ID": ctx.portal.language,
            "LICENSE": ctx.portal.license,
            "LICENSE_TYPE": family,
            "LICENSE_FAMILY": family.rstrip("0123456789"),
        }
    )


@method("scope", scope="")
def scope(ctx: Context, params: dict[str, Any]) -> Result:
    """Scopes granted to the caller, or all there are."""
    full = truthy(lowered(params).get("full"))
    return Result(list(ALL_SCOPES) if full else sorted(ctx.scopes))


@method("methods", scope="")
def methods(ctx: Context, params: dict[str, Any]) -> Result:
    """Names of methods open to the caller, of one scope, or all."""
    given = lowered(params)
    if "scope" in given:
        return Result([m.name for m in METHODS.values() if m.scope == (given["scope"] or "")])
    full = truthy(given.get("full"))
    return Result([m.name for m in METHODS.values() if full or allows(ctx.scopes, m.scope)])


@method("method.get", scope="")
def method_get(ctx: Context, params: dict[str, Any]) -> Result:
    """Whether a method exists and may be called."""
    found = METHODS.get(str(lowered(params).get("name", "")))
    available = found is not None and allows(ctx.scopes, found.scope)
    return Result({"isExisting": found is not None, "isAvailable": available})


@method("feature.get", scope="")
def feature_get(ctx: Context, params: dict[str, Any]) -> Result:
    """Whether the plan has a feature."""
    code = lowered(params).get("code")
    if not code:
        raise ApiError(400, "CODE_EMPTY", "CODE can't be empty")
    switches = ctx.portal.options
    features = {
        "rest_offline_extended": switches.offline_extended,
        "rest_auth_connector": switches.auth_connector,
    }
    return Result({"value": "Y" if features.get(str(code)) else "N"})


@method("server.time", scope="")
def server_time(ctx: Context, _params: dict[str, Any]) -> Result:
    """The server's clock."""
    return Result(ctx.now.astimezone(ctx.portal.time_zone).isoformat(timespec="seconds"))


@method("user.access", scope="")
def user_access(ctx: Context, params: dict[str, Any]) -> Result:
    """Whether the user has one of the access codes; administrators have them all."""
    given = lowered(params).get("access")
    if given is None:
        raise ApiError(400, "ERROR_ARGUMENT", "Argument 'ACCESS' is null or empty")
    row = ctx.portal.user(ctx.user_id) or {}
    groups = {f"G{group}" for group in row.get("GROUPS") or ()}
    own = {"AU", "G2", f"U{ctx.user_id}"} | groups
    return Result(ctx.is_admin or not own.isdisjoint(map(str, listed(given))))


@method("im.notify.system.add", scope="im")
def notify(ctx: Context, params: dict[str, Any]) -> Result:
    """Keep a notification for an employee; one with a known tag replaces the earlier one."""
    given = {key.upper(): value for key, value in params.items()}
    user_id = number(given.get("USER_ID"))
    if not user_id:
        raise ApiError(400, "USER_ID_EMPTY", "User ID can't be empty")
    if not given.get("MESSAGE"):
        raise ApiError(400, "MESSAGE_EMPTY", "Message can't be empty")
    kept = ctx.portal.notifications
    if tag := given.get("TAG"):
        kept[:] = [n for n in kept if (n["USER_ID"], n["TAG"]) != (user_id, tag)]
    notice = {
        "ID": ctx.portal.next_id(),
        "USER_ID": user_id,
        "MESSAGE": str(given["MESSAGE"]),
        "TAG": given.get("TAG"),
        "SUB_TAG": given.get("SUB_TAG"),
        "APP_ID": ctx.app.id if ctx.app else None,
        "DATE_CREATE": ctx.now.isoformat(timespec="seconds"),
    }
    kept.append(notice)
    return Result(notice["ID"])
