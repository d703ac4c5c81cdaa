"""The OAuth server, and the portal's page where a user lets an application in."""

from __future__ import annotations

from datetime import datetime
from functools import partial
from typing import TYPE_CHECKING, Any
from urllib.parse import urlencode

import orjson
from aiohttp import web

from demo.portal import breakage, envelope
from demo.portal.api import ApiError
from demo.portal.params import read_params
from demo.portal.rest import JSON, moved
from demo.portal.tokens import ACCESS_SECONDS

if TYPE_CHECKING:
    from demo.portal.state import App, Portal
    from demo.portal.tokens import Token

TOKEN_FAULT = "oauth.token"
INFO_FAULT = "oauth.app.info"
USER_COOKIE = "portal_user"


class OAuthServer:
    """Exchanges codes and refresh tokens, tells whose a token is."""

    def __init__(self, portal: Portal) -> None:
        self.portal = portal
        self.clock = envelope.Clockface(portal)

    async def token(self, request: web.Request) -> web.StreamResponse:
        """`/oauth/token/`."""
        return await self._guarded(request, TOKEN_FAULT, self._token)

    async def app_info(self, request: web.Request) -> web.StreamResponse:
        """`/rest/app.info/`."""
        return await self._guarded(request, INFO_FAULT, self._app_info)

    async def _guarded(self, request: web.Request, name: str, work: Any) -> web.StreamResponse:
        produce = partial(self._answer, request, name, work)
        fault = self.portal.faults.for_request(name)
        return await (breakage.answer(request, fault, produce) if fault else produce())

    async def _answer(self, request: web.Request, name: str, work: Any) -> web.Response:
        counters = self.portal.log.counters
        counters[name] += 1
        params = await read_params(request)
        try:
            body, status = work(params), 200
        except ApiError as error:
            counters[f"error:{error.code}"] += 1
            body, status = {"error": error.code}, error.status
            if error.description:
                body["error_description"] = error.description
        return web.Response(body=orjson.dumps(body), status=status, content_type=JSON)

    def _token(self, params: dict[str, Any]) -> dict[str, Any]:
        app = self._client(params)
        now = self.portal.timestamp()
        grant = params.get("grant_type")
        if grant == "refresh_token":
            token = self.portal.tokens.rotate(_text(params, "refresh_token"), app.client_id, now)
        elif grant == "authorization_code":
            token = self.portal.tokens.redeem(_text(params, "code"), app.client_id, now)
        else:
            raise ApiError(400, "invalid_request", "Invalid grant_type parameter")
        if token is None or self.portal.user(token.user_id) is None:
            raise ApiError(400, "invalid_grant", "Invalid or expired refresh token")
        return self._token_answer(app, token)

    def _client(self, params: dict[str, Any]) -> App:
        client_id = _text(params, "client_id")
        app = self.portal.apps.get(client_id)
        if app is None and client_id not in self.portal.removed_apps:
            raise ApiError(200, "wrong_client", "")
        if app is None or params.get("client_secret") != app.client_secret:
            raise ApiError(400, "invalid_client", "Invalid client")
        if self.portal.options.payment_required:
            raise ApiError(401, "PAYMENT_REQUIRED", "Payment required")
        return app

    def _token_answer(self, app: App, token: Token) -> dict[str, Any]:
        portal = self.portal
        return {
            "access_token": token.access,
            "expires": int(token.expires),
            "expires_in": ACCESS_SECONDS,
            "scope": "app" if portal.options.refresh_scope_app else ",".join(sorted(app.scopes)),
            "domain": portal.oauth_url.partition("://")[2],
            "server_endpoint": portal.server_endpoint,
            "status": "L",
            "client_endpoint": portal.client_endpoint,
            "member_id": portal.member_id,
            "user_id": token.user_id,
            "refresh_token": token.refresh,
        }

    def _app_info(self, params: dict[str, Any]) -> dict[str, Any]:
        portal = self.portal
        started = portal.timestamp()
        token = portal.tokens.by_access.get(_text(params, "auth"))
        app = portal.apps.get(token.client_id) if token else None
        if token is None or app is None:
            raise ApiError(400, "invalid_client", "Invalid client")
        if token.expires <= started:
            raise ApiError(401, "expired_token", "The access token provided has expired.")
        scope = ",".join(sorted(app.scopes))
        expires = datetime.fromtimestamp(int(token.expires), portal.time_zone)
        install = {
            "installed": app.installed,
            "version": "1",
            "status": "L",
            "scope": scope,
            "domain": portal.domain,
            "uri": portal.url,
            "client_endpoint": portal.client_endpoint,
            "member_id": portal.member_id,
            "member_type": "cloud" if portal.options.mode == "cloud" else "cp",
        }
        result = {
            "client_id": app.client_id,
            "scope": scope,
            "expires": expires.isoformat(),
            "user_id": str(token.user_id),
            "install": install,
        }
        time = envelope.time_block(self.clock, started, portal.timestamp() - started, None)
        return {"result": result, "time": time}


async def authorize(portal: Portal, request: web.Request) -> web.Response:
    """`/oauth/authorize/` of the portal: the signed-in user goes back to the application."""
    if request.host in portal.old_domains:
        return moved(portal, request)
    app = portal.apps.get(request.query.get("client_id", ""))
    user_id = signed_in(portal, request)
    if app is None or user_id is None:
        page = "<html><body><h1>Application not found</h1></body></html>"
        return web.Response(status=404, text=page, content_type="text/html")
    query = {
        "code": portal.tokens.open_code(app.client_id, user_id, portal.timestamp()),
        "state": request.query.get("state", ""),
        "domain": portal.domain,
        "member_id": portal.member_id,
        "scope": ",".join(sorted(app.scopes)),
        "server_domain": portal.oauth_url.partition("://")[2],
    }
    joint = "&" if "?" in app.handler_url else "?"
    location = f"{app.handler_url}{joint}{urlencode(query)}"
    return web.Response(status=302, headers={"Location": location})


def signed_in(portal: Portal, request: web.Request) -> int | None:
    """The user of this browser: a query parameter, the pages' cookie, else the first user."""
    chosen = request.query.get("user_id") or request.cookies.get(USER_COOKIE) or ""
    if chosen.isdigit():
        return int(chosen) if portal.user(int(chosen)) else None
    return next((i for i in portal.store.tables["user"].ids() if portal.user(i)), None)


def _text(params: dict[str, Any], key: str) -> str:
    value = params.get(key)
    return value if isinstance(value, str) else ""
