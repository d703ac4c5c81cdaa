"""The portal's tokens: sealed in the database, renewed by one process at a time, and the portal's address.

Both tokens change at every refresh and a refresh token works once, so a refresh happens under a row
lock, and whoever waited for the lock reuses what the winner stored. The lock is held across one
short call to the OAuth server: the only place where a transaction stays open over the network.
https://apidocs.bitrix24.com/settings/oauth/auto-renewal.html
"""

from __future__ import annotations

import logging
from datetime import datetime
from urllib.parse import urlsplit

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session

from core.addresses import parse_target
from core.config import Settings
from core.crypto import Vault
from core.database import SessionFactory, transaction
from integration import portals
from integration.bitrix.errors import AuthDead, BitrixError, PortalMoved, TokenExpired
from integration.bitrix.oauth import AppInfo, OAuthServer
from integration.models import Portal, PortalToken

log = logging.getLogger(__name__)


def store(
    session: Session, vault: Vault, portal_id: int, access: str, refresh: str, expires_at: datetime
) -> None:
    """Keep a new pair, sealed for this portal."""
    values = {
        "access_token_sealed": vault.seal(portal_id, access),
        "refresh_token_sealed": vault.seal(portal_id, refresh),
        "expires_at": expires_at,
    }
    put = insert(PortalToken).values(portal_id=portal_id, **values)
    session.execute(
        put.on_conflict_do_update(
            index_elements=["portal_id"], set_={**values, "refreshed_at": sa.func.now()}
        )
    )


def forget(session: Session, portal_id: int) -> None:
    """Drop the portal's tokens, after an uninstall."""
    session.execute(sa.delete(PortalToken).where(PortalToken.portal_id == portal_id))


class PortalAuth:
    """The background token of one portal, as the REST client needs it."""

    def __init__(
        self,
        sessions: SessionFactory,
        vault: Vault,
        oauth: OAuthServer,
        settings: Settings,
        portal_id: int,
    ) -> None:
        self._sessions = sessions
        self._vault = vault
        self._oauth = oauth
        self._settings = settings
        self._portal_id = portal_id

    def token(self) -> str:
        """The stored access token; AuthDead when there is none."""
        with self._sessions() as session:
            row = session.get(PortalToken, self._portal_id)
            if row is None:
                raise AuthDead("the portal has no tokens")
            return self._vault.open(self._portal_id, row.access_token_sealed)

    def renew(self, stale: str) -> str:
        """A token that is not `stale`: the one another process has just got, or a fresh one."""
        try:
            with transaction(self._sessions) as session:
                return self._renew_locked(session, stale)
        except BitrixError as error:
            portals.note(self._sessions, self._portal_id, error)
            raise

    def moved(self, location: str) -> str:
        """The portal's new endpoint, after a 302: only if the OAuth server names it as this portal's.

        Following the redirect itself would hand the token to whoever sent it.
        """
        token = self.token()
        with self._sessions() as session:
            portal = session.get_one(Portal, self._portal_id)
            facts = (portal.client_id, portal.member_id, portal.oauth_url or "")
        info = self._info(token, facts[2])
        new = urlsplit(location).netloc.lower()
        confirmed = (info.client_id, info.member_id) == facts[:2]
        if not confirmed or urlsplit(info.client_endpoint).netloc.lower() != new:
            log.warning("redirect refused", extra={"portal": self._portal_id})
            raise PortalMoved(location)
        parse_target(info.client_endpoint)
        with transaction(self._sessions) as session:
            session.execute(
                sa.update(Portal)
                .where(Portal.id == self._portal_id)
                .values(domain=info.domain, endpoint=info.client_endpoint)
            )
        log.info("portal renamed", extra={"portal": self._portal_id})
        return info.client_endpoint

    def _info(self, token: str, oauth_url: str) -> AppInfo:
        try:
            return self._oauth.app_info(token, server_endpoint=oauth_url)
        except (AuthDead, TokenExpired):
            return self._oauth.app_info(self.renew(token), server_endpoint=oauth_url)

    def _renew_locked(self, session: Session, stale: str) -> str:
        query = sa.select(PortalToken).where(PortalToken.portal_id == self._portal_id)
        row = session.scalar(query.with_for_update())
        if row is None:
            raise AuthDead("the portal has no tokens")
        current = self._vault.open(self._portal_id, row.access_token_sealed)
        if current != stale:
            return current
        portal = session.get_one(Portal, self._portal_id)
        keys = portals.application(session, self._vault, self._settings, portal.client_id)
        if keys is None:
            raise AuthDead("the application's keys are not known")
        fresh = self._oauth.refresh(
            keys.client_id,
            keys.client_secret,
            self._vault.open(self._portal_id, row.refresh_token_sealed),
            server_endpoint=portal.oauth_url or "",
        )
        store(
            session, self._vault, self._portal_id,
            fresh.access_token, fresh.refresh_token, fresh.expires_at,
        )  # fmt: skip
        return fresh.access_token


class ViewerAuth:
    """The token of the person who opened a frame: used once, never stored, never renewed."""

    def __init__(self, access_token: str) -> None:
        self._access_token = access_token

    def token(self) -> str:
        """The viewer's token."""
        return self._access_token

    def renew(self, stale: str) -> str:  # noqa: ARG002 - the protocol's signature
        """Not ours to renew: the viewer reopens the page."""
        raise AuthDead("the viewer's token is out of date")

    def moved(self, location: str) -> str:
        """A frame always comes from the portal's present address."""
        raise PortalMoved(location)
