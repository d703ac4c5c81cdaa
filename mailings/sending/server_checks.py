"""Whether what an administrator entered about a mail server makes sense; each part is named that doesn't."""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Callable, Mapping
from datetime import date
from typing import Any

from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey

from core.addresses import is_never_allowed, is_public, unwrapped
from integration.rules import addresses
from mailings.channels.smtp import Security

MOST_CONNECTIONS = 100
_CONTROL = re.compile(r"[\x00-\x1f\x7f]")
_DOMAIN = re.compile(
    r"(?=.{4,253}$)(?:[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?\.)+[a-z][a-z0-9-]{1,62}"
)
_SELECTOR = re.compile(r"[A-Za-z0-9](?:[A-Za-z0-9._-]{0,62}[A-Za-z0-9])?")
_SHORTEST_RSA = 1024
_LONGEST = 200


class BadServer(ValueError):
    """`field` names the part; `problem` is one of the words below."""

    def __init__(self, field: str, problem: str) -> None:
        super().__init__(f"{field}: {problem}")
        self.field, self.problem = field, problem


def check(
    entered: Mapping[str, Any],
    *,
    allow_private: bool,
    from_settings: bool = False,
    dkim_key: str = "",
) -> dict[str, Any]:
    """The same, tidied. Raises BadServer with `empty`, `wrong`, `private`, `unprotected`, `too_much` or `bad_key`."""
    tidy = {
        name: _CONTROL.sub("", value).strip()[:_LONGEST] if isinstance(value, str) else value
        for name, value in entered.items()
    }
    if not from_settings:
        tidy["host"] = _host(tidy["host"], allow_private=allow_private)
        tidy["port"] = _number("port", tidy["port"], 1, 65535)
        _security(tidy["security"], allow_private=allow_private)
    tidy["name"] = tidy["name"] or tidy["host"] or "SMTP"
    tidy["from_email"] = _email("from_email", tidy["from_email"])
    tidy["reply_to"] = _email("reply_to", tidy["reply_to"]) if tidy["reply_to"] else None
    if tidy["bounce_domain"]:
        tidy["bounce_domain"] = _fits("bounce_domain", tidy["bounce_domain"].lower(), _DOMAIN)
    if tidy["dkim_selector"]:
        _fits("dkim_selector", tidy["dkim_selector"], _SELECTOR)
    if dkim_key:
        _key(dkim_key)
    tidy["connections"] = _number("connections", tidy["connections"], 1, MOST_CONNECTIONS)
    for name in ("rate_per_minute", "group_rate_per_minute", "daily_quota"):
        tidy[name] = _number(name, tidy[name], 0, 10_000_000) or None if tidy[name] else None
    if tidy["warm_up_from"] is not None and not isinstance(tidy["warm_up_from"], date):
        raise BadServer("warm_up_from", "wrong")
    return {name: None if value == "" else value for name, value in tidy.items()}


def _host(host: str, *, allow_private: bool) -> str:
    host = host.lower().rstrip(".")
    if not host:
        raise BadServer("host", "empty")
    try:
        literal = unwrapped(ipaddress.ip_address(host.strip("[]")))
    except ValueError:
        if not (_DOMAIN.fullmatch(host) or (allow_private and re.fullmatch(r"[a-z0-9.-]+", host))):
            raise BadServer("host", "wrong") from None
        return host
    if is_never_allowed(literal) or not (allow_private or is_public(literal)):
        raise BadServer("host", "private")
    return host.strip("[]")


def _security(security: str, *, allow_private: bool) -> None:
    if security not in set(Security):
        raise BadServer("security", "wrong")
    if security == Security.NONE and not allow_private:
        raise BadServer("security", "unprotected")


def _email(field: str, typed: str) -> str:
    if not typed:
        raise BadServer(field, "empty")
    found = addresses.email(typed).value
    if found is None or not found.isascii():
        raise BadServer(field, "wrong")
    return found


def _number(field: str, value: Any, least: int, most: int) -> int:
    if not isinstance(value, int) or isinstance(value, bool) or value < least:
        raise BadServer(field, "wrong")
    if value > most:
        raise BadServer(field, "too_much")
    return value


def _fits(field: str, value: str, pattern: re.Pattern[str]) -> str:
    if not pattern.fullmatch(value):
        raise BadServer(field, "wrong")
    return value


def _key(pem: str) -> None:
    load: Callable[..., Any] = serialization.load_pem_private_key
    try:
        key = load(pem.encode(), password=None)
    except (ValueError, TypeError) as error:
        raise BadServer("dkim_key", "bad_key") from error
    good = isinstance(key, Ed25519PrivateKey) or (
        isinstance(key, RSAPrivateKey) and key.key_size >= _SHORTEST_RSA
    )
    if not good:
        raise BadServer("dkim_key", "bad_key")
