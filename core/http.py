"""Outgoing HTTP: pooled connections, explicit timeouts, a size cap, no redirects, a guarded address."""

from __future__ import annotations

import os
import socket
import time
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from http.cookiejar import DefaultCookiePolicy
from typing import Any

import requests
from requests.adapters import HTTPAdapter
from urllib3 import HTTPConnectionPool, HTTPSConnectionPool
from urllib3 import exceptions as pool_errors
from urllib3.connection import HTTPConnection, HTTPSConnection

from core.addresses import AddressPolicy, Target, parse_target
from core.errors import ResponseTooLarge, ServiceError

CONNECT_TIMEOUT = 5.0
READ_TIMEOUT = 75.0
MAX_BYTES = 64 * 1024 * 1024
_CHUNK = 128 * 1024
_USER_AGENT = "Rubilnik/1.0"


class NoConnection(ServiceError):
    """The server could not be reached: the request certainly was not executed."""

    retryable = True


class NoAnswer(ServiceError):
    """The request may have left, but no whole answer came: whether it was executed is unknown."""

    retryable = True


@dataclass(frozen=True)
class Reply:
    """A whole answer, whatever its status."""

    status: int
    headers: Mapping[str, str] = field(repr=False)
    body: bytes = field(repr=False)
    seconds: float = 0.0


class Http:
    """A client for other people's servers. One instance may be shared by the threads of a process.

    Errors name the server's origin only: paths, queries and bodies carry secrets here.
    """

    def __init__(
        self,
        *,
        allow_private: bool = False,
        trusted: Iterable[str] = (),
        policy: AddressPolicy | None = None,
        read_timeout: float = READ_TIMEOUT,
        max_bytes: int = MAX_BYTES,
        pool_size: int = 8,
    ) -> None:
        self._policy = policy or AddressPolicy.build(allow_private=allow_private, trusted=trusted)
        self._read_timeout = read_timeout
        self._max_bytes = max_bytes
        self._pool_size = pool_size
        self._session: requests.Session | None = None
        self._owner_pid = 0

    def get(self, url: str, *, params: Mapping[str, str] | None = None, **options: Any) -> Reply:
        """GET; see `request`."""
        return self.request("GET", url, params=params, **options)

    def post(self, url: str, body: bytes, *, headers: Mapping[str, str], **options: Any) -> Reply:
        """POST; see `request`."""
        return self.request("POST", url, body=body, headers=headers, **options)

    def request(
        self,
        method: str,
        url: str,
        *,
        params: Mapping[str, str] | None = None,
        body: bytes | None = None,
        headers: Mapping[str, str] | None = None,
        read_timeout: float | None = None,
    ) -> Reply:
        """The server's answer. A redirect is an answer too: its `Location` is the caller's decision.

        Raises ForbiddenAddress, ResponseTooLarge, NoConnection or NoAnswer. `read_timeout` bounds
        each wait for bytes, and twice as long the whole answer.
        """
        target = parse_target(url)
        self._policy.check_target(target)
        patience = read_timeout or self._read_timeout
        started = time.monotonic()
        try:
            with self._pool().request(
                method,
                url,
                params=params,
                data=body,
                headers=headers,
                stream=True,
                allow_redirects=False,
                timeout=(CONNECT_TIMEOUT, patience),
            ) as response:
                content = self._read(response, target, started + 2 * patience)
                return Reply(
                    response.status_code, response.headers, content, time.monotonic() - started
                )
        except (requests.RequestException, pool_errors.HTTPError) as error:
            raise _translated(error, target) from None

    def close(self) -> None:
        """Close the pooled connections."""
        if self._session is not None and self._owner_pid == os.getpid():
            self._session.close()
        self._session = None

    def _read(self, response: requests.Response, target: Target, deadline: float) -> bytes:
        chunks: list[bytes] = []
        size = 0
        while chunk := response.raw.read1(_CHUNK, decode_content=True):
            size += len(chunk)
            if size > self._max_bytes:
                raise ResponseTooLarge(f"{target.origin}: more than {self._max_bytes} bytes")
            if time.monotonic() > deadline:
                raise NoAnswer(f"{target.origin}: the answer takes too long")
            chunks.append(chunk)
        return b"".join(chunks)

    def _pool(self) -> requests.Session:
        """This process' session: sockets inherited through fork belong to the parent."""
        if self._session is None or self._owner_pid != os.getpid():
            self._session = _new_session(self._policy, self._pool_size)
            self._owner_pid = os.getpid()
        return self._session


class _GuardedAdapter(HTTPAdapter):
    """Makes every new socket through the policy; TLS and Host keep the name from the URL."""

    def __init__(self, policy: AddressPolicy, pool_size: int) -> None:
        self._policy = policy
        super().__init__(pool_connections=pool_size, pool_maxsize=pool_size, max_retries=0)

    def init_poolmanager(self, *args: Any, **kwargs: Any) -> None:
        super().init_poolmanager(*args, **kwargs)
        self.poolmanager.pool_classes_by_scheme = _guarded_pools(self._policy)


def _guarded_pools(policy: AddressPolicy) -> dict[str, type[HTTPConnectionPool]]:
    class Plain(HTTPConnection):
        def _new_conn(self) -> socket.socket:
            return _connect(self, policy, "http")

    class Secure(HTTPSConnection):
        def _new_conn(self) -> socket.socket:
            return _connect(self, policy, "https")

    class PlainPool(HTTPConnectionPool):
        ConnectionCls = Plain

    class SecurePool(HTTPSConnectionPool):
        ConnectionCls = Secure

    return {"http": PlainPool, "https": SecurePool}


def _connect(connection: HTTPConnection, policy: AddressPolicy, scheme: str) -> socket.socket:
    """Connect to an address that was checked, not to a name that could resolve anew."""
    target = Target(scheme, connection.host.strip("[]").lower(), connection.port)
    failure: OSError | None = None
    try:
        allowed = policy.addresses(target)
    except OSError as error:
        raise pool_errors.NewConnectionError(connection, "the name does not resolve") from error
    for family, address in allowed:
        candidate = socket.socket(family, socket.SOCK_STREAM)
        try:
            candidate.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            candidate.settimeout(CONNECT_TIMEOUT)
            candidate.connect(address)
        except OSError as error:
            candidate.close()
            failure = error
        else:
            return candidate
    raise pool_errors.NewConnectionError(connection, "no address answers") from failure


def _new_session(policy: AddressPolicy, pool_size: int) -> requests.Session:
    session = requests.Session()
    session.trust_env = False  # no proxies, no .netrc, no certificates from the environment
    session.cookies.set_policy(DefaultCookiePolicy(allowed_domains=[]))
    session.headers.update({"User-Agent": _USER_AGENT, "Accept-Encoding": "gzip"})
    adapter = _GuardedAdapter(policy, pool_size)
    session.mount("https://", adapter)
    session.mount("http://", adapter)
    return session


def _translated(error: Exception, target: Target) -> ServiceError:
    """Whether the request may have been executed is the one fact a caller needs to know."""
    if isinstance(error, requests.exceptions.ConnectTimeout | requests.exceptions.SSLError):
        return NoConnection(f"{target.origin}: no connection")
    if isinstance(error, requests.exceptions.ConnectionError) and _never_connected(error):
        return NoConnection(f"{target.origin}: no connection")
    if isinstance(error, requests.exceptions.InvalidURL | requests.exceptions.MissingSchema):
        return ServiceError(f"{target.origin}: the URL is malformed")
    return NoAnswer(f"{target.origin}: the connection broke or timed out")


def _never_connected(error: requests.exceptions.ConnectionError) -> bool:
    cause = error.args[0] if error.args else None
    reason = getattr(cause, "reason", cause)
    return isinstance(reason, pool_errors.NewConnectionError | pool_errors.NameResolutionError)
