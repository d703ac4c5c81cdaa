"""Bitrix24's OAuth servers: the only hosts that ever see the application's secret."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import urlsplit

from core.clock import utcnow
from core.errors import ForbiddenAddress, ResponseTooLarge, ServiceError
from core.http import Http, NoConnection
from integration.bitrix.answers import envelope
from integration.bitrix.errors import BitrixError, UnexpectedAnswer, Unreachable
from integration.bitrix.payloads import scopes

_TIMEOUT = 20.0
_READ_ATTEMPTS = 2


@dataclass(frozen=True)
class Tokens:
    """What a refresh or a code exchange gives. Both tokens replace the former ones.

    `scope` of the answer is left out: on boxed portals it is not the list of granted scopes.
    """

    access_token: str = field(repr=False)
    refresh_token: str = field(repr=False)
    expires_at: datetime
    member_id: str
    client_endpoint: str
    server_endpoint: str
    user_id: int | None
    status: str


@dataclass(frozen=True)
class AppInfo:
    """Whose an access token is, said by the OAuth server: the only proof a frame is genuine."""

    client_id: str
    user_id: int
    member_id: str
    domain: str
    client_endpoint: str
    installed: bool
    scopes: frozenset[str]
    expires_at: datetime | None
    status: str
    version: str


class OAuthServer:
    """The allow-listed OAuth servers. Which one is asked follows `server_endpoint`, if it is listed.

    Errors never hold a URL's query: it carries the secret and the tokens.
    https://apidocs.bitrix24.com/settings/oauth/index.html
    """

    def __init__(
        self, http: Http, base_urls: Sequence[str], *, now: Callable[[], datetime] = utcnow
    ) -> None:
        if not base_urls:
            raise ValueError("no OAuth server is allowed")
        self._http = http
        self._bases = tuple(url.rstrip("/") for url in base_urls)
        self._now = now

    def base(self, server_endpoint: str = "") -> str:
        """The allowed server that `server_endpoint` (a URL or a bare host) names, else the first."""
        asked = _host(server_endpoint)
        return next(
            (base for base in self._bases if asked and _host(base) == asked), self._bases[0]
        )

    def refresh(
        self, client_id: str, client_secret: str, refresh_token: str, *, server_endpoint: str = ""
    ) -> Tokens:
        """New tokens. Never repeated by itself: a refresh token works once, so callers hold a lock."""
        return self._token(
            server_endpoint, "refresh_token", client_id, client_secret, refresh_token=refresh_token
        )

    def exchange_code(
        self, client_id: str, client_secret: str, code: str, *, server_endpoint: str = ""
    ) -> Tokens:
        """Tokens for the code of an authorization redirect; a code lives 30 seconds."""
        return self._token(
            server_endpoint, "authorization_code", client_id, client_secret, code=code
        )

    def app_info(self, access_token: str, *, server_endpoint: str = "") -> AppInfo:
        """Whose the token is. AuthDead or WrongClient if it is nobody's."""
        url = f"{self.base(server_endpoint)}/rest/app.info/"
        for attempt in range(_READ_ATTEMPTS):
            try:
                return _app_info(self._get(url, {"auth": access_token}).get("result"))
            except BitrixError as error:
                if not error.retryable or attempt + 1 == _READ_ATTEMPTS:
                    raise
        raise AssertionError("unreachable")

    def _token(
        self, server_endpoint: str, grant: str, client_id: str, client_secret: str, **proof: str
    ) -> Tokens:
        url = f"{self.base(server_endpoint)}/oauth/token/"
        query = {
            "grant_type": grant, "client_id": client_id, "client_secret": client_secret, **proof,
        }  # fmt: skip
        return _tokens(self._get(url, query), self._now())

    def _get(self, url: str, query: Mapping[str, str]) -> dict[str, Any]:
        try:
            reply = self._http.get(url, params=query, read_timeout=_TIMEOUT)
        except NoConnection as error:
            raise Unreachable(error.detail, executed=False) from None
        except (ForbiddenAddress, ResponseTooLarge):
            raise
        except ServiceError as error:
            raise Unreachable(error.detail) from None
        return envelope(reply)


def _tokens(body: Mapping[str, Any], now: datetime) -> Tokens:
    access, refresh = body.get("access_token"), body.get("refresh_token")
    if not isinstance(access, str) or not isinstance(refresh, str) or not access or not refresh:
        raise UnexpectedAnswer("no tokens in the OAuth answer")
    return Tokens(
        access_token=access,
        refresh_token=refresh,
        expires_at=now + timedelta(seconds=_int(body.get("expires_in")) or 3600),
        member_id=str(body.get("member_id") or ""),
        client_endpoint=str(body.get("client_endpoint") or ""),
        server_endpoint=str(body.get("server_endpoint") or ""),
        user_id=_int(body.get("user_id")),
        status=str(body.get("status") or ""),
    )


def _app_info(result: object) -> AppInfo:
    if not isinstance(result, dict) or not isinstance(result.get("install"), dict):
        raise UnexpectedAnswer("app.info has no installation in it")
    install: dict[str, Any] = result["install"]
    user_id = _int(result.get("user_id"))
    client_id, member_id = result.get("client_id"), install.get("member_id")
    if not (isinstance(client_id, str) and isinstance(member_id, str) and client_id and member_id):
        raise UnexpectedAnswer("app.info does not say whose the token is")
    if user_id is None:
        raise UnexpectedAnswer("app.info does not name the user")
    return AppInfo(
        client_id=client_id,
        user_id=user_id,
        member_id=member_id,
        domain=_host(str(install.get("domain") or "")),
        client_endpoint=str(install.get("client_endpoint") or ""),
        installed=install.get("installed") in (True, 1, "1", "Y", "true"),
        scopes=scopes(install.get("scope") or result.get("scope")),
        expires_at=_moment(result.get("expires")),
        status=str(install.get("status") or ""),
        version=str(install.get("version") or ""),
    )


def _host(address: str) -> str:
    """Host and port of a URL or a bare host, lower-case, without the scheme's own port."""
    text = address.strip().lower()
    netloc = urlsplit(text if "//" in text else f"//{text}").netloc
    return netloc.removesuffix(":443").removesuffix(":80")


def _int(value: object) -> int | None:
    if isinstance(value, bool):
        return None
    text = str(value).strip() if isinstance(value, str | int) else ""
    return int(text) if text.isascii() and text.isdigit() else None


def _moment(value: object) -> datetime | None:
    number = _int(value)
    if number is not None:
        return datetime.fromtimestamp(number, UTC)
    try:
        moment = datetime.fromisoformat(str(value))
    except ValueError:
        return None
    return moment if moment.tzinfo else None
