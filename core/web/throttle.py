"""How often one address, or one portal, may knock in a minute: counted in Redis for all processes.

Frames and events arrive unasked, and to prove a frame costs a question to an OAuth server. A limit is far
above what people do; whoever passes it gets 429. Without Redis everybody is let in.
"""

from __future__ import annotations

import ipaddress
import logging

from flask import request
from redis import Redis
from redis.exceptions import RedisError
from werkzeug.exceptions import TooManyRequests

from core.clock import utcnow

log = logging.getLogger(__name__)

_SECONDS = 60


def limit(redis: Redis, what: str, who: str, at_most: int) -> None:
    """Count one more of `what` by `who`; TooManyRequests from the one after `at_most` in a minute."""
    if not who:
        return
    minute, second = divmod(int(utcnow().timestamp()), _SECONDS)
    key = f"rubilnik:rate:{what}:{who}:{minute}"
    try:
        with redis.pipeline() as pipe:
            pipe.incr(key)
            pipe.expire(key, 2 * _SECONDS)
            number = int(pipe.execute()[0])
    except RedisError:
        return
    if number > at_most:
        if number == at_most + 1:
            log.warning("too many requests", extra={"what": what, "who": who})
        raise TooManyRequests(
            f"More than {at_most} in a minute. Wait and go on.", retry_after=_SECONDS - second
        )


def caller() -> str:
    """The address a request comes from; nothing for a proxy of ours that doesn't tell for whom it asks.

    What a proxy says of others is believed only if it stands on this machine or a private network.
    """
    peer = request.remote_addr or ""
    if not _near(peer):
        return peer
    forwarded = request.headers.get("X-Forwarded-For", "").rpartition(",")[2].strip()
    return forwarded if _address(forwarded) is not None else ""


def _near(peer: str) -> bool:
    address = _address(peer)
    return address is not None and (address.is_private or address.is_loopback)


def _address(text: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address | None:
    try:
        return ipaddress.ip_address(text)
    except ValueError:
        return None
