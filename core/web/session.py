"""Who is looking: a signed token that lives in the page's memory and travels in `Authorization`.

The token is made after Bitrix24 has proved the viewer, and never outlives `LIFETIME` from that proof.
Left alone for `IDLE` it dies earlier; every answer to a working page may carry a fresher one.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import Any

from itsdangerous import BadSignature, URLSafeSerializer

from core.clock import utcnow

LIFETIME = timedelta(hours=1)
IDLE = timedelta(minutes=30)
RENEW_AFTER = timedelta(minutes=1)
_SALT = "session.v1"


class SessionInvalid(Exception):
    """The token is absent, damaged, or was made for something else."""


class SessionExpired(SessionInvalid):
    """The token was ours, but its time is over."""


@dataclass(frozen=True)
class Viewer:
    """A portal user in front of one of our pages, and where the page is shown.

    `clients`: whose figures the viewer was proved to be allowed to see there, as kind:id. `rights`: what an
    administrator of the portal lets the viewer do. `theme`: light, dark, or auto, as the viewer's device is.
    `toured`: no tour of the pages is to be offered.
    """

    portal_id: int
    user_id: int
    is_admin: bool
    lang: str
    placement: str
    entity_id: int | None
    expires_at: datetime
    clients: tuple[str, ...] = ()
    rights: tuple[str, ...] = ()
    theme: str = "light"
    toured: bool = True

    def may(self, right: str) -> bool:
        """Whether the viewer has this right; an administrator has all."""
        return self.is_admin or right in self.rights


def issue(secret_key: str, viewer: Viewer, now: datetime | None = None) -> str:
    """Sign a token for `viewer`; its end is cut to `LIFETIME` from now."""
    now = now or utcnow()
    expires_at = min(viewer.expires_at, now + LIFETIME)
    facts = asdict(viewer) | {
        "expires_at": int(expires_at.timestamp()),
        "seen_at": int(now.timestamp()),
    }
    return _serializer(secret_key).dumps(facts)


def read(secret_key: str, token: str, now: datetime) -> Viewer:
    """The viewer a token stands for; raises SessionInvalid or SessionExpired."""
    return _read(secret_key, token, now)[0]


def renewed(secret_key: str, token: str, now: datetime) -> str | None:
    """A fresher token for the same viewer and the same end, or None while this one is fresh."""
    viewer, seen_at = _read(secret_key, token, now)
    return issue(secret_key, viewer, now) if now - seen_at >= RENEW_AFTER else None


def new_viewer(viewer: Viewer, now: datetime | None = None) -> Viewer:
    """The same viewer with a full lifetime, counted from a fresh proof of identity."""
    return replace(viewer, expires_at=(now or utcnow()) + LIFETIME)


def _serializer(secret_key: str) -> URLSafeSerializer:
    return URLSafeSerializer(secret_key, salt=_SALT)


def _read(secret_key: str, token: str, now: datetime) -> tuple[Viewer, datetime]:
    try:
        facts: dict[str, Any] = _serializer(secret_key).loads(token)
        seen_at = datetime.fromtimestamp(facts.pop("seen_at"), UTC)
        expires_at = datetime.fromtimestamp(facts.pop("expires_at"), UTC)
        clients, rights = tuple(facts.pop("clients")), tuple(facts.pop("rights"))
        viewer = Viewer(**facts, expires_at=expires_at, clients=clients, rights=rights)
    except (BadSignature, TypeError, KeyError, AttributeError) as error:
        raise SessionInvalid("not a session token") from error
    if now >= expires_at or now - seen_at >= IDLE:
        raise SessionExpired("session time is over")
    return viewer, seen_at
