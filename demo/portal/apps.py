"""The life of a local application on the portal: registered, opened, finished, uninstalled."""

from __future__ import annotations

import secrets
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from urllib.parse import urlencode

import orjson

from demo.portal.state import App, EventHandler
from demo.portal.tokens import ACCESS_SECONDS

if TYPE_CHECKING:
    from demo.portal.state import Portal

MAIN_PAGE = "DEFAULT"


@dataclass(frozen=True)
class Frame:
    """What the browser posts into an iframe: where, the form's fields, the iframe's name."""

    url: str
    body: dict[str, str]
    name: str
    app_sid: str


def register(
    portal: Portal,
    *,
    title: str,
    handler_url: str,
    install_url: str | None = None,
    scopes: set[str],
    api_only: bool = False,
    menu_title: str = "",
    client_id: str = "",
    client_secret: str = "",
    application_token: str = "",
) -> App:
    """Save the registration form; an application without a wizard is installed at once."""
    app = App(
        client_id=client_id or f"local.{secrets.token_hex(7)}.{secrets.randbelow(90_000_000)}",
        client_secret=client_secret or secrets.token_urlsafe(37),
        id=portal.next_id(),
        title=title,
        handler_url=handler_url,
        install_url=install_url,
        menu_title=menu_title or ("" if api_only else title),
        scopes=set(scopes),
        application_token=application_token or secrets.token_hex(16),
        installed=api_only or not install_url,
        api_only=api_only,
    )
    portal.apps[app.client_id] = app
    return app


async def announce_install(portal: Portal, app: App, user_id: int) -> int:
    """Post ONAPPINSTALL to the install path, as for an application that uses the API only."""
    body = {
        "event": "ONAPPINSTALL",
        "data": {"VERSION": 1, "ACTIVE": "Y", "INSTALLED": "Y", "LANGUAGE_ID": portal.language},
        "ts": int(portal.timestamp()),
        "auth": portal.events.auth_block(app, user_id, with_refresh=True),
    }
    return await portal.events.post_now("ONAPPINSTALL", app.install_url or app.handler_url, body)


def open_frame(
    portal: Portal,
    app: App,
    user_id: int,
    placement: str = MAIN_PAGE,
    options: dict[str, Any] | None = None,
    *,
    handler: str = "",
    lang: str = "",
) -> Frame:
    """The form the portal renders to open the application (or one of its widgets) for a user.

    Until the installation is finished an application with a wizard is always opened on it.
    """
    url = _page(app, placement, handler)
    token = portal.tokens.issue(app.client_id, user_id, portal.timestamp())
    app_sid = secrets.token_hex(16)
    protocol = "1" if portal.scheme == "https" else "0"
    query = {
        "DOMAIN": portal.domain,
        "PROTOCOL": protocol,
        "LANG": lang or portal.language,
        "APP_SID": app_sid,
    }
    body = {
        "AUTH_ID": token.access,
        "AUTH_EXPIRES": str(ACCESS_SECONDS),
        "REFRESH_ID": token.refresh,
        "SERVER_ENDPOINT": portal.server_endpoint,
        "APPLICATION_TOKEN": app.application_token,
        "APPLICATION_SCOPE": ",".join(sorted(app.scopes)),
        "member_id": portal.member_id,
        "status": "L",
        "PLACEMENT": placement,
        "PLACEMENT_OPTIONS": orjson.dumps(options or {}).decode().replace("/", "\\/"),
    }
    if portal.options.old_frame:
        for late in ("SERVER_ENDPOINT", "APPLICATION_TOKEN", "APPLICATION_SCOPE"):
            del body[late]
    joint = "&" if "?" in url else "?"
    name = f"{portal.domain}|{protocol}|{app_sid}"
    return Frame(f"{url}{joint}{urlencode(query)}", body, name, app_sid)


def _page(app: App, placement: str, handler: str) -> str:
    if app.install_url and not app.installed:
        return app.install_url
    if handler or placement == MAIN_PAGE:
        return handler or app.handler_url
    bound = next((p.handler for p in app.placements if p.placement == placement), None)
    return bound or app.handler_url


def finish(app: App) -> None:
    """What the browser's installFinish does."""
    app.installed = True


async def uninstall(portal: Portal, app: App, *, clean: bool = False) -> list[int]:
    """Delete the application: its rights first, then ONAPPUNINSTALL without tokens is posted."""
    handlers = [h for h in app.event_handlers if h.event == "ONAPPUNINSTALL" and not h.offline]
    portal.apps.pop(app.client_id, None)
    portal.removed_apps.add(app.client_id)
    return [await _goodbye(portal, app, handler, clean=clean) for handler in handlers]


async def _goodbye(portal: Portal, app: App, handler: EventHandler, *, clean: bool) -> int:
    body = {
        "event": handler.event,
        "event_handler_id": handler.id,
        "data": {"LANGUAGE_ID": portal.language, "CLEAN": int(clean)},
        "ts": int(portal.timestamp()),
        "auth": portal.events.auth_block(app, None),
    }
    return await portal.events.post_now(handler.event, handler.handler, body)
