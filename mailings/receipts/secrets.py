"""The key of the door returned letters are posted to: one for every portal, made of SECRET_KEY."""

from __future__ import annotations

import hashlib
import hmac

from core.config import Settings

ALL_PORTALS = 0
"""Stands for the whole installation: its key lets in returns of every portal."""

_DIGITS = 32


class BadKey(Exception):
    """Not a key of ours."""


def webhook_url(settings: Settings, portal_id: int, provider: str = "dsn") -> str:
    """Where the portal's returned letters are posted to."""
    return f"{settings.public_url}/receipts/email/{provider}?key={key(settings, portal_id)}"


def key(settings: Settings, portal_id: int) -> str:
    """The portal's key: its id and a signature of it."""
    signature = hmac.digest(
        settings.secret_key.encode(), f"receipts:{portal_id}".encode(), "sha256"
    )
    return f"{portal_id}.{signature.hex()[:_DIGITS]}"


def portal_of(settings: Settings, given: str) -> int:
    """The portal a genuine key stands for; ALL_PORTALS of the installation's. Raises BadKey."""
    number = given.partition(".")[0]
    if not (number.isascii() and number.isdigit() and len(number) <= len(str(2**31))):
        raise BadKey
    wanted = hashlib.sha256(key(settings, int(number)).encode()).digest()
    if not hmac.compare_digest(wanted, hashlib.sha256(given.encode()).digest()):
        raise BadKey
    return int(number)
