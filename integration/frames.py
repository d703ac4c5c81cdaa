"""Who opened a frame: nothing of the browser's POST is believed until the OAuth server confirms it.

The steps are those of docs/security.md: syntax, `app.info` at an allowed OAuth server, the same
application, member and host there, then the viewer's own profile at the confirmed endpoint.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlsplit

import sqlalchemy as sa
from sqlalchemy.orm import Session

from core.addresses import parse_target
from core.clock import utcnow
from core.errors import ForbiddenAddress
from core.runtime import Runtime
from integration import portals
from integration.bitrix.answers import Answer, Batch
from integration.bitrix.batch import Command
from integration.bitrix.client import Client
from integration.bitrix.errors import BitrixError, TokenExpired
from integration.bitrix.oauth import AppInfo
from integration.bitrix.payloads import FramePost
from integration.connect import connect_viewer, oauth_server
from integration.models import Portal

_HOST = re.compile(r"[a-z0-9](?:[a-z0-9.-]*[a-z0-9])?(?::\d{1,5})?")
_MEMBER = re.compile(r"[0-9a-f]{32}")
_TOKEN = re.compile(r"[A-Za-z0-9_.\-]{8,256}")


class FrameRefused(Exception):
    """The POST that opened the frame is not what a portal of ours sends. `reason` is for the log."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


@dataclass(frozen=True, slots=True)
class Confirmed:
    """A genuine frame: the portal it belongs to as the OAuth server says, and who is looking.

    `also` holds the answers to what the caller asked for together with the viewer's profile.
    """

    post: FramePost
    info: AppInfo
    application: portals.Application
    scheme: str
    oauth_url: str
    user_id: int
    is_admin: bool
    client: Client
    also: Batch = field(default_factory=Batch)

    @property
    def origin(self) -> str:
        """Origin of the portal's pages."""
        return f"{self.scheme}://{self.info.domain}"


def confirm(
    runtime: Runtime, post: FramePost, also: Mapping[str, Command] | None = None
) -> Confirmed:
    """Prove a frame's POST; raises FrameRefused, or BitrixError when a server doesn't answer.

    No connection is made to anything the POST names: only to the OAuth servers of the settings,
    and then to the endpoint they give. `also` is asked in the same request as the profile.
    """
    _check_syntax(post)
    oauth = oauth_server(runtime)
    try:
        info = oauth.app_info(post.auth_id, server_endpoint=post.server_endpoint)
    except BitrixError as error:
        if error.retryable and not isinstance(error, TokenExpired):
            raise
        raise FrameRefused("the token is not known to the OAuth server") from error
    with runtime.sessions() as session:
        application = portals.application(session, runtime.vault, runtime.settings, info.client_id)
    if application is None:
        raise FrameRefused("the token belongs to another application")
    scheme = _check_facts(post, info, application.portal)
    client = connect_viewer(runtime, info.client_endpoint, post.auth_id, application.portal)
    profile, others = _profile(client, also)
    if not isinstance(profile, dict) or str(profile.get("ID")) != str(info.user_id):
        raise FrameRefused("the portal names another user")
    return Confirmed(
        post=post,
        info=info,
        application=application,
        scheme=scheme,
        oauth_url=oauth.base(post.server_endpoint),
        user_id=info.user_id,
        is_admin=profile.get("ADMIN") is True,
        client=client,
        also=others,
    )


def portal_of(session: Session, confirmed: Confirmed) -> Portal | None:
    """The installed portal a confirmed frame belongs to; follows a rename of the portal."""
    portal = session.scalar(sa.select(Portal).where(Portal.member_id == confirmed.info.member_id))
    if portal is not None and portal.domain != confirmed.info.domain:
        portal.domain, portal.endpoint = confirmed.info.domain, confirmed.info.client_endpoint
    return portal


def may_read(client: Client, entity: str, entity_id: int) -> dict[str, Any] | None:
    """The card as its viewer may read it, or None. Asked with the viewer's own token."""
    return _card(lambda: client.call(f"crm.{entity}.get", {"id": entity_id}))


def read_of(confirmed: Confirmed, key: str) -> dict[str, Any] | None:
    """The same for a card asked for by `also`."""
    return _card(lambda: confirmed.also.answer(key))


def _card(ask: Callable[[], Answer]) -> dict[str, Any] | None:
    try:
        card = ask().result
    except BitrixError as error:
        if error.retryable:
            raise
        return None
    return card if isinstance(card, dict) else None


def _profile(client: Client, also: Mapping[str, Command] | None) -> tuple[Any, Batch]:
    if not also:
        return client.call("profile", {}).result, Batch()
    answered = client.batch({"profile": ("profile", {}), **also})
    return answered.answer("profile").result, answered


def _check_syntax(post: FramePost) -> None:
    if not _HOST.fullmatch(post.domain):
        raise FrameRefused("DOMAIN is not a host")
    if not _MEMBER.fullmatch(post.member_id):
        raise FrameRefused("member_id is not 32 hex digits")
    if not _TOKEN.fullmatch(post.auth_id):
        raise FrameRefused("AUTH_ID is not a token")


def _check_facts(post: FramePost, info: AppInfo, known: Portal | None) -> str:
    """Compare what the OAuth server says with the POST and with us; the scheme of the endpoint."""
    if info.member_id != post.member_id:
        raise FrameRefused("the token belongs to another portal")
    if info.domain != post.domain.removesuffix(":443").removesuffix(":80"):
        raise FrameRefused("the token belongs to another domain")
    if info.expires_at is not None and info.expires_at <= utcnow():
        raise FrameRefused("the token is out of date")
    if known is not None and known.member_id not in (None, info.member_id):
        raise FrameRefused("the application is installed on another portal")
    if known is not None and known.member_id is None and known.domain != info.domain:
        raise FrameRefused("the application was registered for another domain")
    try:
        target = parse_target(info.client_endpoint)
    except ForbiddenAddress as error:
        raise FrameRefused("the endpoint is not an address") from error
    if urlsplit(info.client_endpoint).netloc.lower() != info.domain and target.host != info.domain:
        raise FrameRefused("the endpoint is of another host")
    return target.scheme
