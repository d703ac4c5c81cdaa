"""REST clients for a portal: as the background user, or as the person looking at a page."""

from __future__ import annotations

from collections.abc import Callable

from core.runtime import Runtime
from integration.bitrix.client import CallRecord, Client
from integration.bitrix.errors import NotInstalled
from integration.bitrix.limiter import Limiter, Limits
from integration.bitrix.oauth import OAuthServer
from integration.bitrix.retry import Patience
from integration.models import Portal
from integration.tokens import PortalAuth, ViewerAuth


def oauth_server(runtime: Runtime) -> OAuthServer:
    """The allowed OAuth servers."""
    return OAuthServer(runtime.http, runtime.settings.b24_oauth_urls)


def connect(
    runtime: Runtime, portal: Portal, *, on_call: Callable[[CallRecord], None] | None = None
) -> Client:
    """A client that acts as the portal's installer; NotInstalled when we have no access."""
    if not portal.endpoint or not portal.member_id:
        raise NotInstalled("the portal has not been installed")
    auth = PortalAuth(
        runtime.sessions, runtime.vault, oauth_server(runtime), runtime.settings, portal.id
    )
    return Client(
        portal.endpoint,
        auth,
        limiter(runtime, portal),
        runtime.http,
        patience=Patience(sleep=runtime.sleep),
        on_call=on_call,
    )


def connect_viewer(runtime: Runtime, endpoint: str, access_token: str) -> Client:
    """A client that acts as whoever opened the page, past the queue of the portal's limiter.

    Interactive reads are few and must not wait behind a running sync.
    """
    unhurried = Limiter(endpoint, limits=Limits.off())
    return Client(endpoint, ViewerAuth(access_token), unhurried, runtime.http)


def limiter(runtime: Runtime, portal: Portal) -> Limiter:
    """The portal's limiter, shared by all processes; how fast its plan may be called."""
    limits = _limits(portal.license or "")
    return Limiter(portal.member_id or "", runtime.redis, limits=limits, sleep=runtime.sleep)


def _limits(license_name: str) -> Limits:
    """The Enterprise plan allows more; a boxed portal has no limiter unless its admin set one.

    https://apidocs.bitrix24.com/settings/performance/limits.html
    """
    if "_ent" in license_name or license_name.startswith("ent"):
        return Limits.enterprise()
    return Limits.off() if "selfhosted" in license_name else Limits()
