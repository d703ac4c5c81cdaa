"""Connections to servers that are named by an administrator: guarded like outgoing HTTP, on any port."""

from __future__ import annotations

import ipaddress
import socket
import ssl
from functools import cache
from typing import Any

from core.addresses import Resolver, is_never_allowed, is_public, unwrapped
from core.errors import ForbiddenAddress


def connect(
    host: str,
    port: int,
    *,
    timeout: float,
    allow_private: bool = False,
    resolve: Resolver = socket.getaddrinfo,
) -> socket.socket:
    """A TCP connection without Nagle's delay; the name is resolved once and every address must be allowed.

    Raises ForbiddenAddress, OSError.
    """
    problem: OSError = OSError(f"{host} has no address")
    for family, address in _addresses(host, port, allow_private, resolve):
        made = socket.socket(family, socket.SOCK_STREAM)
        try:
            made.settimeout(timeout)
            made.connect(address)
            made.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        except OSError as error:
            made.close()
            problem = error
            continue
        return made
    raise problem


@cache
def trusting_only_known() -> ssl.SSLContext:
    """TLS 1.2 or newer with the certificate and the name checked; made once, as reading all authorities takes its time."""
    context = ssl.create_default_context()
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    return context


def _addresses(
    host: str, port: int, allow_private: bool, resolve: Resolver
) -> list[tuple[Any, Any]]:
    try:
        found = resolve(host, port, type=socket.SOCK_STREAM)
    except UnicodeError as error:
        raise ForbiddenAddress("the server has no valid name") from error
    for entry in found:
        address = unwrapped(ipaddress.ip_address(entry[4][0].split("%")[0]))
        if is_never_allowed(address) or not (allow_private or is_public(address)):
            raise ForbiddenAddress("the server's address is private, local or reserved")
    return [(entry[0], entry[4]) for entry in found]
