"""Who is calling: an incoming webhook or an application's token, and what they may do."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from demo.portal.api import ApiError, Context, Method

if TYPE_CHECKING:
    from demo.portal.state import App, Portal

SCOPE_FAMILIES = {
    "user": frozenset({"user", "user_basic", "user_brief"}),
    "user_basic": frozenset({"user", "user_basic"}),
    "user_brief": frozenset({"user", "user_basic", "user_brief"}),
}


@dataclass(frozen=True, slots=True)
class Caller:
    """An authenticated caller; `credential` is the key under which its time is billed."""

    user_id: int
    app: App | None
    scopes: frozenset[str]
    credential: str


def by_webhook(portal: Portal, user_id: str, secret: str) -> Caller:
    """The owner of an incoming webhook."""
    number = int(user_id) if user_id.isdigit() else 0
    scopes = portal.webhooks.get((number, secret))
    if scopes is None:
        raise ApiError(401, "INVALID_CREDENTIALS", "Invalid request credentials")
    _require_active(portal, number)
    return Caller(number, None, scopes, f"webhook:{number}:{secret}")


def by_token(portal: Portal, access: str) -> Caller:
    """The user of an access token, limited to the application's scopes."""
    if not access:
        raise ApiError(401, "NO_AUTH_FOUND", "Wrong authorization data")
    token = portal.tokens.by_access.get(access)
    if token is None:
        raise ApiError(401, "invalid_token", "Unable to get application by token")
    app = portal.apps.get(token.client_id)
    if app is None:
        raise ApiError(401, "APPLICATION_NOT_FOUND", "Application not found")
    if token.expires <= portal.timestamp():
        raise ApiError(401, "expired_token", "The access token provided has expired.")
    _require_active(portal, token.user_id)
    if token.user_id in portal.options.barred_users:
        raise ApiError(403, "user_access_error", "The user does not have access to the application")
    return Caller(token.user_id, app, frozenset(app.scopes), f"app:{app.client_id}")


def context(portal: Portal, caller: Caller, connector: Any) -> Context:
    """The context of one request, shared by the commands of a batch."""
    return Context(
        portal=portal,
        user_id=caller.user_id,
        app=caller.app,
        now=portal.now(),
        scopes=caller.scopes,
        auth_connector=connector if isinstance(connector, str) else "",
        is_admin=portal.is_admin(caller.user_id),
    )


def allows(scopes: frozenset[str], scope: str) -> bool:
    """Whether these scopes open methods of `scope` ("" = basic, open to all)."""
    if not scope or scope in scopes:
        return True
    return not scopes.isdisjoint(SCOPE_FAMILIES.get(scope, ()))


def require_scope(scopes: frozenset[str], method: Method) -> None:
    """Refuse a method whose scope was not granted."""
    if not allows(scopes, method.scope):
        raise ApiError(
            403,
            "insufficient_scope",
            "The request requires higher privileges than provided by the access token",
        )


def _require_active(portal: Portal, user_id: int) -> None:
    if portal.options.closed:
        raise ApiError(500, "PORTAL_DELETED", "Portal was deleted")
    if portal.options.rest_disabled:
        raise ApiError(403, "ACCESS_DENIED", "REST is available only on commercial plans.")
    if portal.options.payment_required:
        raise ApiError(401, "PAYMENT_REQUIRED", "Payment required")
    if portal.user(user_id) is None:
        raise ApiError(401, "authorization_error", "Unable to authorize user")
