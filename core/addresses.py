"""Which addresses an outgoing request may reach (the guard against server-side request forgery)."""

from __future__ import annotations

import ipaddress
import re
import socket
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlsplit

from core.errors import ForbiddenAddress

IPAddress = ipaddress.IPv4Address | ipaddress.IPv6Address
Resolver = Callable[..., Sequence[tuple[Any, ...]]]

_DEFAULT_PORTS = {"https": 443, "http": 80}
_NUMERIC_LABEL = re.compile(r"(?:0[xX][0-9a-fA-F]*|\d+)\Z")
_HOST_CHARS = re.compile(r"[A-Za-z0-9._:-]+\Z")
_NAT64 = (ipaddress.ip_network("64:ff9b::/96"), ipaddress.ip_network("64:ff9b:1::/48"))
_SHARED = ipaddress.ip_network("100.64.0.0/10")
_NEVER = frozenset(
    ipaddress.ip_address(text)
    for text in ("169.254.169.254", "100.100.100.200", "192.0.0.192", "fd00:ec2::254")
)


@dataclass(frozen=True)
class Target:
    """Where a URL points: what is allowed is decided on this, never on the URL's text."""

    scheme: str
    host: str
    port: int

    @property
    def origin(self) -> str:
        """Scheme, host and port; safe to log, as it has no path, query or user."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"{self.scheme}://{host}:{self.port}"


@dataclass(frozen=True)
class AddressPolicy:
    """https on port 443 to public addresses, unless private ones are allowed or an origin is trusted.

    Trusted origins come from the operator's settings, never from requests. Link-local, metadata,
    multicast and unspecified addresses are refused in every mode.
    """

    allow_private: bool = False
    trusted_origins: frozenset[str] = frozenset()
    resolve: Resolver = field(default=socket.getaddrinfo, repr=False)

    @classmethod
    def build(
        cls,
        *,
        allow_private: bool = False,
        trusted: Iterable[str] = (),
        resolve: Resolver = socket.getaddrinfo,
    ) -> AddressPolicy:
        """A policy from settings; `trusted` are URLs, of which only the origins count."""
        origins = frozenset(parse_target(url).origin for url in trusted)
        return cls(allow_private, origins, resolve)

    def check_target(self, target: Target) -> None:
        """Refuse the schemes, ports and literal addresses that are never worth a connection."""
        if self._is_free(target):
            return
        if target.scheme != "https" or target.port != 443:
            raise ForbiddenAddress("only https on port 443 is allowed")
        literal = _literal(target.host)
        if literal is not None:
            self._check_address(literal, target)
        elif _NUMERIC_LABEL.match(target.host.rstrip(".").rsplit(".", 1)[-1]):
            raise ForbiddenAddress("a host name may not end in a number")

    def addresses(self, target: Target) -> list[tuple[Any, ...]]:
        """Resolve once; every address must be allowed, and only these may be connected to.

        Raises OSError when the name does not resolve.
        """
        self.check_target(target)
        try:
            found = self.resolve(target.host, target.port, type=socket.SOCK_STREAM)
        except UnicodeError as error:
            raise ForbiddenAddress("the URL has no valid host") from error
        for entry in found:
            self._check_address(ipaddress.ip_address(entry[4][0].split("%")[0]), target)
        return [(entry[0], entry[4]) for entry in found]

    def _is_free(self, target: Target) -> bool:
        return self.allow_private or target.origin in self.trusted_origins

    def _check_address(self, address: IPAddress, target: Target) -> None:
        real = unwrapped(address)
        if is_never_allowed(real) or (not is_public(real) and not self._is_free(target)):
            raise ForbiddenAddress("the address is private, local or reserved")


def parse_target(url: str) -> Target:
    """The target of an http(s) URL; anything ambiguous between URL parsers is refused."""
    if any(ord(char) <= 32 or ord(char) >= 127 or char == "\\" for char in url):
        raise ForbiddenAddress("the URL has forbidden characters")
    try:
        parts = urlsplit(url)
        host, port = parts.hostname, parts.port
    except ValueError as error:
        raise ForbiddenAddress("the URL is malformed") from error
    if parts.scheme not in _DEFAULT_PORTS:
        raise ForbiddenAddress("only http and https URLs are allowed")
    if "@" in parts.netloc:
        raise ForbiddenAddress("a URL may not carry a user name")
    if not host or not _HOST_CHARS.match(host) or port == 0:
        raise ForbiddenAddress("the URL has no valid host")
    if ("[" in parts.netloc or ":" in host) and _literal(host) is None:
        raise ForbiddenAddress("the URL has no valid host")
    return Target(parts.scheme, host.lower(), port or _DEFAULT_PORTS[parts.scheme])


def unwrapped(address: IPAddress) -> IPAddress:
    """The IPv4 address inside a mapped, compatible, 6to4, Teredo or NAT64 one; else the same."""
    if isinstance(address, ipaddress.IPv4Address):
        return address
    if address.ipv4_mapped:
        return address.ipv4_mapped
    if address.sixtofour:
        return address.sixtofour
    if address.teredo:
        return address.teredo[1]
    if any(address in network for network in _NAT64) or 1 < int(address) < 2**32:
        return ipaddress.IPv4Address(int(address) & 0xFFFFFFFF)
    return address


def is_public(address: IPAddress) -> bool:
    """Whether the address belongs to the open internet."""
    shared = isinstance(address, ipaddress.IPv4Address) and address in _SHARED
    site_local = isinstance(address, ipaddress.IPv6Address) and address.is_site_local
    return address.is_global and not (
        address.is_multicast or address.is_reserved or shared or site_local
    )


def is_never_allowed(address: IPAddress) -> bool:
    """Whether no policy may allow the address."""
    return (
        address in _NEVER or address.is_link_local or address.is_multicast or address.is_unspecified
    )


def _literal(host: str) -> IPAddress | None:
    try:
        return ipaddress.ip_address(host.split("%", maxsplit=1)[0])
    except ValueError:
        return None
