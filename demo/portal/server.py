"""The two web servers of the emulator: the portal and, one port above, its OAuth server."""

from __future__ import annotations

import asyncio
import contextlib
import socket
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING

from aiohttp import web

import demo.portal.methods
import demo.portal.system  # noqa: F401
from demo.portal import oauth
from demo.portal.control import add_control
from demo.portal.rest import RestEndpoint
from demo.web.routes import add_routes

if TYPE_CHECKING:
    from demo.portal.filling import Wish
    from demo.portal.state import Portal

MAX_BODY = 64 * 1024 * 1024
LOOPBACKS = ("127.0.0.1", "::1")


@dataclass(frozen=True)
class Ports:
    """Where the two servers listen."""

    portal: int
    oauth: int


def portal_app(portal: Portal, wish: Wish) -> web.Application:
    """REST, the authorisation page, the control API and the pages people see."""
    app = web.Application(client_max_size=MAX_BODY)
    app.router.add_route("*", "/rest/{tail:.*}", RestEndpoint(portal).handle)
    app.router.add_get("/oauth/authorize/", partial(oauth.authorize, portal))
    add_control(app, portal, wish)
    add_routes(app, portal)
    return app


def oauth_app(portal: Portal) -> web.Application:
    """The OAuth server."""
    server = oauth.OAuthServer(portal)
    app = web.Application(client_max_size=MAX_BODY)
    for path, handler in (("/oauth/token/", server.token), ("/rest/app.info/", server.app_info)):
        app.router.add_route("*", path, handler)
        app.router.add_route("*", path.rstrip("/"), handler)
    return app


def choose_ports(port: int) -> Ports:
    """The asked port and the next one; for 0 two free ones."""
    return Ports(port, port + 1) if port else Ports(*_free_ports(2))


async def serve(app: web.Application, port: int) -> web.AppRunner:
    """Listen on the loopback addresses, IPv6 too where the machine has it."""
    runner = web.AppRunner(app, access_log=None, shutdown_timeout=1.0)
    await runner.setup()
    await web.TCPSite(runner, LOOPBACKS[0], port, backlog=512).start()
    with contextlib.suppress(OSError):
        await web.TCPSite(runner, LOOPBACKS[1], port, backlog=512).start()
    return runner


async def run(portal: Portal, wish: Wish, ports: Ports, ready: asyncio.Event | None = None) -> None:
    """Serve until cancelled."""
    runners = [
        await serve(portal_app(portal, wish), ports.portal),
        await serve(oauth_app(portal), ports.oauth),
    ]
    if ready is not None:
        ready.set()
    try:
        await asyncio.Event().wait()
    finally:
        await portal.events.close()
        for runner in runners:
            await runner.cleanup()


def _free_ports(count: int) -> list[int]:
    with contextlib.ExitStack() as stack:
        taken = [stack.enter_context(socket.socket()) for _ in range(count)]
        for one in taken:
            one.bind((LOOPBACKS[0], 0))
        return [one.getsockname()[1] for one in taken]
