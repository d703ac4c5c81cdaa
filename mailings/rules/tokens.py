"""Links that recipients carry: short, signed, each for one purpose, never out of date.

A token is a purpose, numbers, and the first 16 bytes of HMAC-SHA256 over both, as URL-safe Base64 without
padding. A token made for one purpose says nothing at the door of another.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import struct
from enum import IntEnum
from functools import lru_cache

_MAC = 16
_SHORT_MAC = 8
_NUMBERS = struct.Struct(">IQH")  # portal, delivery, link


class Purpose(IntEnum):
    """What a token lets its bearer do."""

    UNSUBSCRIBE = 1
    CLICK = 2
    OPEN = 3
    RETURN = 4  # the address returned letters go to
    MESSAGE = 5  # the identity of a letter
    MARK = 6  # whom a link of a letter was followed by, as the site hands it on


class BadToken(Exception):
    """Not one of ours, or damaged, or for another purpose."""


def make(key: str, purpose: Purpose, portal_id: int, delivery_id: int, link: int = 0) -> str:
    """A token for a URL: 40 characters."""
    numbers = _NUMBERS.pack(portal_id, delivery_id, link)
    return _text(numbers + _mac(key, purpose, numbers, _MAC))


def read(key: str, purpose: Purpose, token: str) -> tuple[int, int, int]:
    """Portal, delivery and link of a genuine token; raises BadToken."""
    try:
        raw = base64.urlsafe_b64decode(token + "=" * (-len(token) % 4))
    except (binascii.Error, ValueError) as error:
        raise BadToken("not a token") from error
    numbers, mac = raw[: _NUMBERS.size], raw[_NUMBERS.size :]
    if len(numbers) != _NUMBERS.size or _text(raw) != token:
        raise BadToken("not a token")
    if not hmac.compare_digest(mac, _mac(key, purpose, numbers, _MAC)):
        raise BadToken("not signed by us for this")
    portal_id, delivery_id, link = _NUMBERS.unpack(numbers)
    return portal_id, delivery_id, link


def label(key: str, purpose: Purpose, portal_id: int, delivery_id: int) -> str:
    """A token for the local part of an address or a Message-ID: lower case, `12.345.0a1b2c3d4e5f6071`."""
    numbers = _NUMBERS.pack(portal_id, delivery_id, 0)
    return f"{portal_id}.{delivery_id}.{_mac(key, purpose, numbers, _SHORT_MAC).hex()}"


def read_label(key: str, purpose: Purpose, found: str) -> tuple[int, int]:
    """Portal and delivery of a genuine label; raises BadToken."""
    portal, _, rest = found.lower().partition(".")
    delivery = rest.partition(".")[0]
    if not (portal.isascii() and portal.isdigit() and delivery.isascii() and delivery.isdigit()):
        raise BadToken("not a label")
    if int(portal) >= 2**32 or int(delivery) >= 2**64:
        raise BadToken("not a label")
    if not hmac.compare_digest(label(key, purpose, int(portal), int(delivery)), found.lower()):
        raise BadToken("not signed by us for this")
    return int(portal), int(delivery)


def _mac(key: str, purpose: Purpose, numbers: bytes, size: int) -> bytes:
    return hmac.digest(_secret(key, purpose), numbers, "sha256")[:size]


@lru_cache(maxsize=32)
def _secret(key: str, purpose: Purpose) -> bytes:
    return hashlib.sha256(b"mailings.token." + bytes([purpose]) + key.encode()).digest()


def _text(raw: bytes) -> str:
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode()
