"""The control API under /control/: what tests and the demo tell the emulator, from loopback only."""

from __future__ import annotations

import secrets
import traceback
from collections.abc import Awaitable, Callable
from dataclasses import asdict, fields
from typing import TYPE_CHECKING, Any

import orjson
from aiohttp import web

from demo.portal import apps
from demo.portal.control_data import DataControl
from demo.portal.system.information import ALL_SCOPES

if TYPE_CHECKING:
    from demo.portal.filling import Wish
    from demo.portal.state import App, Portal

LOCAL = ("127.0.0.1", "::1")

Body = dict[str, Any]
Action = Callable[[web.Request, Body], Awaitable[Any]]


class Control:
    """One handler per address; each gets the JSON body and returns the JSON answer."""

    def __init__(self, portal: Portal) -> None:
        self.portal = portal

    async def state(self, _request: web.Request, _body: Body) -> Any:
        """GET /control/: facts about the portal."""
        portal = self.portal
        return {
            "url": portal.url,
            "oauth_url": portal.oauth_url,
            "domain": portal.domain,
            "member_id": portal.member_id,
            "time": portal.timestamp(),
            "rows": {name: len(table) for name, table in portal.store.tables.items()},
            "apps": [_describe(app) for app in portal.apps.values()],
            "options": asdict(portal.options),
            "limits": asdict(portal.limits.settings),
        }

    async def register(self, _request: web.Request, body: Body) -> Any:
        """POST /control/apps; with `api_only` ONAPPINSTALL is posted before the answer."""
        user_id = body.pop("user_id", 1)
        scopes = set(body.pop("scopes", ["crm"]))
        app = apps.register(self.portal, **{"title": "Application", **body, "scopes": scopes})
        status = None
        if app.api_only:
            status = await apps.announce_install(self.portal, app, user_id)
        return _describe(app) | {"install_status": status}

    async def open(self, request: web.Request, body: Body) -> Any:
        """POST /control/apps/<client_id>/open: the form a browser would post."""
        frame = apps.open_frame(
            self.portal,
            self._app(request),
            int(body.get("user_id", 1)),
            body.get("placement", apps.MAIN_PAGE),
            body.get("options") or {},
            handler=body.get("handler", ""),
            lang=body.get("lang", ""),
        )
        return {"url": frame.url, "body": frame.body, "name": frame.name}

    async def finish(self, request: web.Request, _body: Body) -> Any:
        """POST /control/apps/<client_id>/finish: installFinish."""
        apps.finish(self._app(request))
        return {"installed": True}

    async def uninstall(self, request: web.Request, body: Body) -> Any:
        """POST /control/apps/<client_id>/uninstall {clean}."""
        clean = bool(body.get("clean"))
        return {"statuses": await apps.uninstall(self.portal, self._app(request), clean=clean)}

    async def webhook(self, _request: web.Request, body: Body) -> Any:
        """POST /control/webhooks {user_id, scopes, secret?}: an incoming webhook."""
        user_id = int(body.get("user_id", 1))
        secret = body.get("secret") or secrets.token_hex(8)
        self.portal.webhooks[(user_id, secret)] = frozenset(body.get("scopes") or ALL_SCOPES)
        return {"url": f"{self.portal.client_endpoint}{user_id}/{secret}/"}

    async def limits(self, _request: web.Request, body: Body) -> Any:
        """POST /control/limits: change the named settings and forget what was counted."""
        _assign(self.portal.limits.settings, body)
        self.portal.limits.clear()
        return asdict(self.portal.limits.settings)

    async def options(self, _request: web.Request, body: Body) -> Any:
        """POST /control/options: change the named switches."""
        _assign(self.portal.options, body)
        return asdict(self.portal.options)

    async def add_fault(self, _request: web.Request, body: Body) -> Any:
        """POST /control/faults: one rule, or {"rules": [...]}."""
        for rule in body.get("rules", [body]):
            self.portal.faults.add(rule)
        return self.portal.faults.describe()

    async def faults(self, _request: web.Request, _body: Body) -> Any:
        """GET /control/faults."""
        return self.portal.faults.describe()

    async def clear_faults(self, _request: web.Request, _body: Body) -> Any:
        """DELETE /control/faults."""
        self.portal.faults.clear()
        return []

    async def expire(self, _request: web.Request, body: Body) -> Any:
        """POST /control/tokens/expire {client_id?}: access tokens are stale from now on."""
        tokens = self.portal.tokens
        return {"tokens": tokens.expire(self.portal.timestamp(), body.get("client_id"))}

    async def kill(self, _request: web.Request, body: Body) -> Any:
        """POST /control/tokens/kill {client_id?}: nothing known any more, refresh = invalid_grant."""
        return {"tokens": self.portal.tokens.revoke(body.get("client_id"))}

    async def rename(self, _request: web.Request, body: Body) -> Any:
        """POST /control/rename {domain}: the old name answers 302."""
        portal, domain = self.portal, body["domain"]
        portal.old_domains = (portal.old_domains | {portal.domain}) - {domain}
        portal.domain = domain
        return {"domain": domain, "old": sorted(portal.old_domains)}

    async def clock(self, _request: web.Request, body: Body) -> Any:
        """POST /control/clock {offset_seconds}."""
        self.portal.clock_offset = float(body["offset_seconds"])
        return {"now": self.portal.now()}

    async def log(self, request: web.Request, _body: Body) -> Any:
        """GET /control/log?since=N&method=&limit=."""
        query = request.query
        limit = int(query.get("limit", 5000))
        return self.portal.log.since(int(query.get("since", 0)), query.get("method"), limit)

    async def counters(self, _request: web.Request, _body: Body) -> Any:
        """GET /control/counters."""
        return dict(self.portal.log.counters)

    async def reset_counters(self, _request: web.Request, _body: Body) -> Any:
        """POST /control/counters/reset."""
        self.portal.log.counters.clear()
        return {}

    async def events(self, request: web.Request, _body: Body) -> Any:
        """GET /control/events?since=N&event=: online posts as they were sent."""
        since, event = int(request.query.get("since", 0)), request.query.get("event")
        sent = self.portal.events.deliveries
        return [asdict(d) for d in sent if d.n > since and event in (None, d.event)]

    async def notifications(self, _request: web.Request, _body: Body) -> Any:
        """GET /control/notifications: what im.notify.* left to employees."""
        return self.portal.notifications

    def _app(self, request: web.Request) -> App:
        app = self.portal.apps.get(request.match_info["client_id"])
        if app is None:
            raise LookupError("no such application")
        return app


def add_control(app: web.Application, portal: Portal, wish: Wish) -> None:
    """Serve the control API of a portal."""
    control, data = Control(portal), DataControl(portal, wish)
    one = "/apps/{client_id}"
    routes: list[tuple[str, str, Action]] = [
        ("GET", "/", control.state),
        ("POST", "/apps", control.register),
        ("POST", f"{one}/open", control.open),
        ("POST", f"{one}/finish", control.finish),
        ("POST", f"{one}/uninstall", control.uninstall),
        ("POST", "/webhooks", control.webhook),
        ("POST", "/reset", data.reset),
        ("POST", "/save", data.save),
        ("POST", "/restore", data.restore),
        ("GET", "/rows/{table}", data.rows),
        ("POST", "/mutate", data.mutate),
        ("GET", "/truth", data.truth),
        ("POST", "/limits", control.limits),
        ("POST", "/options", control.options),
        ("GET", "/faults", control.faults),
        ("POST", "/faults", control.add_fault),
        ("DELETE", "/faults", control.clear_faults),
        ("POST", "/tokens/expire", control.expire),
        ("POST", "/tokens/kill", control.kill),
        ("POST", "/rename", control.rename),
        ("POST", "/clock", control.clock),
        ("GET", "/log", control.log),
        ("GET", "/counters", control.counters),
        ("POST", "/counters/reset", control.reset_counters),
        ("GET", "/events", control.events),
        ("GET", "/notifications", control.notifications),
    ]
    for verb, path, action in routes:
        app.router.add_route(verb, f"/control{path}", _guarded(action))


def _guarded(action: Action) -> Callable[[web.Request], Awaitable[web.Response]]:
    async def handle(request: web.Request) -> web.Response:
        if request.remote not in LOCAL:
            return web.Response(status=403)
        raw = await request.read()
        try:
            status, answer = 200, await action(request, orjson.loads(raw) if raw else {})
        except (LookupError, ValueError, TypeError) as error:
            status, answer = 400, {"error": f"{type(error).__name__}: {error}"}
        except Exception:  # noqa: BLE001 - a test must see what broke and where
            status, answer = 500, {"error": traceback.format_exc()}
        body = orjson.dumps(answer, option=orjson.OPT_NON_STR_KEYS, default=str)
        return web.Response(body=body, status=status, content_type="application/json")

    return handle


def _assign(target: Any, values: Body) -> None:
    if unknown := set(values) - {field.name for field in fields(target)}:
        raise ValueError(f"unknown settings: {', '.join(sorted(unknown))}")
    for name, value in values.items():
        setattr(target, name, value)


def _describe(app: App) -> Body:
    return {
        "id": app.id,
        "client_id": app.client_id,
        "client_secret": app.client_secret,
        "application_token": app.application_token,
        "title": app.title,
        "installed": app.installed,
        "placements": [p.placement for p in app.placements],
        "events": [h.event for h in app.event_handlers],
    }
