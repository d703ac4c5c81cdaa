"""REST clients for a portal: as the background user, or as the person looking at a page."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from core.clock import utcnow
from core.runtime import Runtime
from integration import calls, working_hours
from integration.bitrix.budgets import Limits, Priority
from integration.bitrix.client import CallRecord, Client
from integration.bitrix.errors import NotInstalled
from integration.bitrix.limiter import Limiter
from integration.bitrix.oauth import OAuthServer
from integration.bitrix.retry import Patience
from integration.models import Portal
from integration.tokens import PortalAuth, ViewerAuth

OFFLINE = "offline"  # under this key a portal's `install_steps` say how its queue is used
CONNECTOR = "rubilnik"
_VIEWERS_PATIENCE = Patience(longest_wait=5.0, rate_limit_attempts=5)


def oauth_server(runtime: Runtime) -> OAuthServer:
    """The allowed OAuth servers."""
    return OAuthServer(runtime.http, runtime.settings.b24_oauth_urls)


def connect(
    runtime: Runtime,
    portal: Portal,
    *,
    priority: Priority = Priority.BACKGROUND,
    on_call: Callable[[CallRecord], None] | None = None,
) -> Client:
    """A client that acts as the portal's installer; NotInstalled when we have no access.

    Every request is logged for the health page, and told to `on_call` as well.
    """
    if not portal.endpoint or not portal.member_id:
        raise NotInstalled("the portal has not been installed")
    auth = PortalAuth(
        runtime.sessions, runtime.vault, oauth_server(runtime), runtime.settings, portal.id
    )
    keep = calls.recorder(runtime.redis, portal.id)

    def told(record: CallRecord) -> None:
        keep(record)
        if on_call is not None:
            on_call(record)

    return Client(
        portal.endpoint,
        auth,
        limiter(runtime, portal).at(_by_hour(runtime, priority, portal)),
        runtime.http,
        patience=Patience(sleep=runtime.sleep),
        on_call=told,
        connector=portal.install_steps.get(OFFLINE, {}).get("connector", ""),
    )


def connect_viewer(
    runtime: Runtime, endpoint: str, access_token: str, portal: Portal | None = None
) -> Client:
    """A client that acts as whoever opened the page, ahead of all background work on the portal.

    A portal that isn't known yet has no background work, and nothing is counted for it.
    """
    if portal is not None and portal.member_id:
        shared = limiter(runtime, portal).at(Priority.INTERACTIVE)
        keep = calls.recorder(runtime.redis, portal.id)
    else:
        shared, keep = Limiter(endpoint, limits=Limits.off()), None
    patience = replace(_VIEWERS_PATIENCE, sleep=runtime.sleep)
    auth = ViewerAuth(access_token)
    return Client(endpoint, auth, shared, runtime.http, patience=patience, on_call=keep)


def limiter(runtime: Runtime, portal: Portal) -> Limiter:
    """The portal's limiter, shared by all processes; how fast its plan may be called."""
    limits = _limits(portal.license or "")
    return Limiter(portal.member_id or "", runtime.redis, limits=limits, sleep=runtime.sleep)


def _by_hour(runtime: Runtime, priority: Priority, portal: Portal) -> Priority:
    """What may take the night gets the share of other background work outside working hours."""
    if priority is not Priority.PATIENT:
        return priority
    with runtime.sessions() as session:
        hours = working_hours.hours_of(session, portal.id)
    working = hours.working(utcnow(), portal.utc_offset_minutes)
    return priority if working else Priority.BACKGROUND


def _limits(license_name: str) -> Limits:
    """The Enterprise plan allows more; a boxed portal has no limiter unless its admin set one.

    https://apidocs.bitrix24.com/settings/performance/limits.html
    """
    if "_ent" in license_name or license_name.startswith("ent"):
        return Limits.enterprise()
    return Limits.off() if "selfhosted" in license_name else Limits()
