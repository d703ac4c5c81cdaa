"""DKIM signatures, relaxed/relaxed (RFC 6376): for servers that don't sign by themselves."""

from __future__ import annotations

import re
from base64 import b64encode
from collections.abc import Mapping
from hashlib import sha256
from typing import Any

from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import padding
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey

_SIGNED = (
    *("from", "to", "subject", "date", "message-id", "mime-version", "content-type", "reply-to"),
    *("list-unsubscribe", "list-unsubscribe-post", "list-id", "feedback-id"),
)
_SPACES = re.compile(rb"[ \t]+")
_FOLD = re.compile(r"\r\n[ \t]+")
_LINE = 70


class Signer:
    """A domain's key; signs letters of bytes with CRLF."""

    def __init__(self, pem: str, domain: str, selector: str) -> None:
        key: Any = serialization.load_pem_private_key(pem.encode(), password=None)
        if not isinstance(key, RSAPrivateKey | Ed25519PrivateKey):
            raise TypeError("DKIM knows RSA and Ed25519 only")
        self._key = key
        kind = "rsa" if isinstance(key, RSAPrivateKey) else "ed25519"
        self._tags = f"v=1; a={kind}-sha256; c=relaxed/relaxed; d={domain}; s={selector}"

    def signed(self, raw: bytes) -> bytes:
        """The letter with its signature on top."""
        head, _, body = raw.partition(b"\r\n\r\n")
        headers = _headers(head.decode("utf-8"))
        names = [name for name in _SIGNED if name in headers]
        body_hash = b64encode(sha256(relaxed_body(body)).digest()).decode()
        value = f"{self._tags}; h={':'.join(names)};\r\n bh={body_hash};\r\n b="
        said = [f"{name}:{headers[name]}" for name in names]
        said.append(f"dkim-signature:{relaxed(value)}")
        signature = b64encode(self._sign("\r\n".join(said).encode())).decode()
        folded = "\r\n ".join(
            signature[start : start + _LINE] for start in range(0, len(signature), _LINE)
        )
        return f"DKIM-Signature: {value}{folded}\r\n".encode() + raw

    def _sign(self, said: bytes) -> bytes:
        if isinstance(self._key, RSAPrivateKey):
            return self._key.sign(said, padding.PKCS1v15(), hashes.SHA256())
        return self._key.sign(sha256(said).digest())


def relaxed(value: str) -> str:
    """A header's value on one line, with single spaces."""
    return " ".join(_FOLD.sub(" ", value).split())


def relaxed_body(body: bytes) -> bytes:
    """Single spaces, none at the ends of lines, no empty lines at the end."""
    lines = [_SPACES.sub(b" ", line).rstrip(b" ") for line in body.split(b"\r\n")]
    while lines and not lines[-1]:
        lines.pop()
    return b"".join(line + b"\r\n" for line in lines)


def _headers(head: str) -> Mapping[str, str]:
    """Each by its name; of one that is there twice the last, as verifiers look from below."""
    found = {}
    for line in _FOLD.sub(" ", head).split("\r\n"):
        name, _, value = line.partition(":")
        found[name.strip().lower()] = relaxed(value)
    return found
