"""Secrets at rest: sealed with MultiFernet, bound to the portal they belong to."""

from __future__ import annotations

from collections.abc import Sequence

from cryptography.fernet import Fernet, InvalidToken, MultiFernet

from core.errors import ConfigError


class SealBroken(Exception):
    """A sealed value can't be opened: no key fits, or it belongs to another portal."""


class Vault:
    """Seals text with the first key, opens with any of them.

    Fernet has no associated data, so the owner is written inside the plaintext and compared on
    opening: a value copied from one portal's row into another's doesn't open there.
    """

    def __init__(self, keys: Sequence[str]) -> None:
        try:
            self._fernet = MultiFernet([Fernet(key) for key in keys])
        except ValueError as error:
            raise ConfigError(
                "ENCRYPTION_KEYS must be comma-separated Fernet keys (44 characters each)"
            ) from error

    def seal(self, owner: int, text: str) -> str:
        """Encrypt `text` for the portal `owner`."""
        return self._fernet.encrypt(f"{owner}:{text}".encode()).decode()

    def open(self, owner: int, sealed: str) -> str:
        """Decrypt what `seal` made for the same owner; raises SealBroken."""
        try:
            found, _, text = self._fernet.decrypt(sealed.encode()).decode().partition(":")
        except InvalidToken as error:
            raise SealBroken("no key opens this value") from error
        if found != str(owner):
            raise SealBroken("the value belongs to another portal")
        return text

    def rotate(self, sealed: str) -> str:
        """The same value sealed with the first key."""
        try:
            return self._fernet.rotate(sealed.encode()).decode()
        except InvalidToken as error:
            raise SealBroken("no key opens this value") from error
