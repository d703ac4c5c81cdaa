"""events, event.bind, unbind, get and test: subscriptions to what happens on the portal."""

from __future__ import annotations

from typing import Any

from demo.portal.api import ApiError, Context, Result, method
from demo.portal.state import EventHandler
from demo.portal.system.common import (
    administrator,
    application,
    connector_of,
    lowered,
    number,
    truthy,
)

APP_EVENTS = [
    "ONAPPUNINSTALL", "ONAPPINSTALL", "ONAPPUPDATE", "ONAPPPAYMENT", "ONAPPTEST",
    "ONAPPMETHODCONFIRM", "ONOFFLINEEVENT",
]  # fmt: skip
KINDS = ("LEAD", "DEAL", "CONTACT", "COMPANY")
CRM_EVENTS = [
    *(f"ONCRM{kind}{verb}" for kind in KINDS for verb in ("ADD", "UPDATE", "DELETE")),
    "ONCRMDEALMOVETOCATEGORY",
    *(f"ONCRMDEALRECURRING{verb}" for verb in ("ADD", "UPDATE", "DELETE", "EXPOSE")),
    *(
        f"ONCRM{kind}USERFIELD{verb}"
        for kind in KINDS
        for verb in ("ADD", "UPDATE", "DELETE", "SETENUMVALUES")
    ),
    *(
        f"ONCRM{kind}{verb}"
        for kind in ("ACTIVITY", "TIMELINECOMMENT", "CURRENCY", "DYNAMICITEM", "REQUISITE")
        for verb in ("ADD", "UPDATE", "DELETE")
    ),
]
CATALOG_EVENTS = [
    f"CATALOG.{kind}.ON.{verb}"
    for kind in ("PRODUCT", "PRICE", "MEASURE")
    for verb in ("ADD", "UPDATE", "DELETE")
]
EVENTS = {"": APP_EVENTS, "crm": CRM_EVENTS, "catalog": CATALOG_EVENTS, "user": ["ONUSERADD"]}


@method("events", scope="")
def events(ctx: Context, params: dict[str, Any]) -> Result:
    """Names of events the application may subscribe to."""
    application(ctx)
    given = lowered(params)
    if "scope" in given:
        return Result(EVENTS.get(str(given["scope"] or ""), []))
    full = truthy(given.get("full"))
    chosen = [n for scope, n in EVENTS.items() if full or not scope or scope in ctx.scopes]
    return Result([name for names in chosen for name in names])


@method("event.bind", scope="")
def bind(ctx: Context, params: dict[str, Any]) -> Result:
    """Subscribe to an event, online (posted to a handler) or offline (queued)."""
    app = application(ctx)
    given = lowered(params)
    event = _event_name(ctx, given)
    offline = given.get("event_type") == "offline"
    handler = "" if offline else str(given.get("handler") or "")
    if not offline and not handler.startswith(("http://", "https://")):
        raise ApiError(400, "ERROR_ARGUMENT", "Argument 'HANDLER' is null or empty")
    auth_type = _auth_type(ctx, given, "binding", offline=offline)
    connector = connector_of(ctx, given)
    options = given.get("options")
    wanted = (event, handler, auth_type or 0, offline, connector)
    for known in app.event_handlers:
        if wanted == (known.event, known.handler, known.auth_type, known.offline, known.connector):
            raise ApiError(400, "ERROR_CORE", "Unable to set event handler: Handler already binded")
    app.event_handlers.append(
        EventHandler(ctx.portal.next_id(), *wanted, options if isinstance(options, dict) else {})
    )
    return Result(True)


@method("event.unbind", scope="")
def unbind(ctx: Context, params: dict[str, Any]) -> Result:
    """Drop subscriptions; what is not given matches everything."""
    app = application(ctx)
    given = lowered(params)
    event = _event_name(ctx, given)
    offline = given.get("event_type") == "offline"
    auth_type = _auth_type(ctx, given, "unbinding", offline=offline)
    handler = given.get("handler")
    doomed = [
        known
        for known in app.event_handlers
        if known.event == event
        and known.offline == offline
        and (not handler or known.handler == handler)
        and auth_type in (None, known.auth_type)
    ]
    app.event_handlers = [known for known in app.event_handlers if known not in doomed]
    return Result({"count": len(doomed)})


@method("event.get", scope="")
def get(ctx: Context, _params: dict[str, Any]) -> Result:
    """Subscriptions of the application; others than administrators see their own only."""
    rows = []
    for known in application(ctx).event_handlers:
        if not ctx.is_admin and known.auth_type != ctx.user_id:
            continue
        row = {
            "event": known.event,
            "handler": known.handler,
            "auth_type": str(known.auth_type),
            "offline": int(known.offline),
        }
        rows.append({**row, "connector_id": known.connector} if known.offline else row)
    return Result(rows)


@method("event.test", scope="")
def test(ctx: Context, params: dict[str, Any]) -> Result:
    """Fire ONAPPTEST with the caller's own parameters."""
    app = application(ctx)
    for known in app.event_handlers:
        if known.event == "ONAPPTEST" and not known.offline:
            ctx.portal.events.send(app, known, {"QUERY": params}, ctx.user_id)
    return Result(1)


def _event_name(ctx: Context, given: dict[str, Any]) -> str:
    event = str(given.get("event") or "").upper()
    scope = next((scope for scope, names in EVENTS.items() if event in names), None)
    if scope is None or (scope and scope not in ctx.scopes):
        raise ApiError(400, "ERROR_EVENT_NOT_FOUND", "Event not found")
    return event


def _auth_type(ctx: Context, given: dict[str, Any], verb: str, *, offline: bool) -> int | None:
    auth_type = number(given["auth_type"]) if "auth_type" in given else None
    if ctx.is_admin:
        return auth_type
    subject = ""
    if offline:
        subject = f"Offline events {verb}"
    elif auth_type not in (None, ctx.user_id):
        subject = f"Event {verb} with AUTH_TYPE"
    if subject:
        administrator(ctx, f"Access denied! {subject} requires administrator access rights")
    return ctx.user_id
