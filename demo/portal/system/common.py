"""Checks and parameter readings shared by the methods of the REST module."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from demo.portal.api import ApiError, Context

if TYPE_CHECKING:
    from demo.portal.state import App


def application(ctx: Context) -> App:
    """The calling application; webhooks are refused."""
    if ctx.app is None:
        raise ApiError(
            403,
            "WRONG_AUTH_TYPE",
            "Current authorization type is denied for this method Application context required",
        )
    return ctx.app


def administrator(ctx: Context, description: str = "Access denied!") -> None:
    """Refuse users who do not administer the portal."""
    if not ctx.is_admin:
        raise ApiError(403, "ACCESS_DENIED", description)


def lowered(params: dict[str, Any]) -> dict[str, Any]:
    """Parameters under lower-case names: these methods take either case."""
    return {key.lower(): value for key, value in params.items()}


def truthy(value: Any) -> bool:
    """What PHP callers mean by a set flag."""
    return str(value).lower() in ("1", "y", "true")


def number(value: Any) -> int:
    """An integer parameter; words count as 0."""
    text = str(value).strip() if value is not None else ""
    return int(text) if text.lstrip("-").isdigit() else 0


def listed(value: Any) -> list[Any]:
    """One value or an array as a list."""
    if value is None or value == "":
        return []
    if isinstance(value, dict):
        return list(value.values())
    return value if isinstance(value, list) else [value]


def connector_of(ctx: Context, given: dict[str, Any]) -> str:
    """The source key of a subscription or of a part of the queue."""
    return str(given.get("auth_connector") or ctx.auth_connector)
