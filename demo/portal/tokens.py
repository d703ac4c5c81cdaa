"""The OAuth tokens a portal has given out: issue, look up, rotate, expire, revoke."""

from __future__ import annotations

import secrets
from dataclasses import dataclass

ACCESS_SECONDS = 3600
REFRESH_SECONDS = 180 * 86400
CODE_SECONDS = 30
PRUNE_ABOVE = 20_000


@dataclass(slots=True)
class Token:
    """One pair: the access token, its refresh token, whose it is and until when it is good."""

    access: str
    refresh: str
    client_id: str
    user_id: int
    expires: float
    refresh_expires: float


@dataclass(slots=True)
class Code:
    """An authorisation code waiting for its single exchange."""

    client_id: str
    user_id: int
    expires: float


class TokenBook:
    """Every live pair, findable by either half; moments are unix seconds of the portal's clock."""

    def __init__(self) -> None:
        self.by_access: dict[str, Token] = {}
        self.by_refresh: dict[str, Token] = {}
        self.codes: dict[str, Code] = {}

    def issue(self, client_id: str, user_id: int, now: float) -> Token:
        """Give out a new pair."""
        if len(self.by_access) > PRUNE_ABOVE:
            self._prune(now)
        token = Token(
            access=secrets.token_hex(35),
            refresh=secrets.token_hex(35),
            client_id=client_id,
            user_id=user_id,
            expires=now + ACCESS_SECONDS,
            refresh_expires=now + REFRESH_SECONDS,
        )
        self.by_access[token.access] = token
        self.by_refresh[token.refresh] = token
        return token

    def rotate(self, refresh: str, client_id: str, now: float) -> Token | None:
        """Exchange a refresh token of this application once; the old one is dead afterwards."""
        old = self.by_refresh.get(refresh)
        if old is None or old.client_id != client_id or old.refresh_expires <= now:
            return None
        del self.by_refresh[refresh]
        return self.issue(client_id, old.user_id, now)

    def open_code(self, client_id: str, user_id: int, now: float) -> str:
        """A new authorisation code."""
        code = secrets.token_hex(35)
        self.codes[code] = Code(client_id, user_id, now + CODE_SECONDS)
        return code

    def redeem(self, code: str, client_id: str, now: float) -> Token | None:
        """Exchange an authorisation code for a pair, once and in time."""
        found = self.codes.pop(code, None)
        if found is None or found.client_id != client_id or found.expires <= now:
            return None
        return self.issue(client_id, found.user_id, now)

    def expire(self, now: float, client_id: str | None = None) -> int:
        """Make access tokens stale, as if their hour had passed; refresh tokens stay good."""
        chosen = [t for t in self.by_access.values() if client_id in (None, t.client_id)]
        for token in chosen:
            token.expires = now - 1
        return len(chosen)

    def revoke(self, client_id: str | None = None) -> int:
        """Forget pairs altogether: access tokens become unknown, refreshing is `invalid_grant`."""
        chosen = [t for t in self.by_access.values() if client_id in (None, t.client_id)]
        for token in chosen:
            self.by_access.pop(token.access, None)
            self.by_refresh.pop(token.refresh, None)
        for code in [c for c, x in self.codes.items() if client_id in (None, x.client_id)]:
            del self.codes[code]
        return len(chosen)

    def _prune(self, now: float) -> None:
        for token in [t for t in self.by_access.values() if t.expires < now - ACCESS_SECONDS]:
            del self.by_access[token.access]
