"""Every channel there is, in one list: how a way to its provider is opened. With a mail server it is a `SteppedLink`."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from core.runtime import Runtime
from mailings.channels import call_list
from mailings.channels.base import Link
from mailings.channels.email import EmailLink
from mailings.channels.smtp import Access
from mailings.rules.states import ChannelKey


@dataclass(frozen=True)
class Way:
    """What a channel may need to reach its provider: `access` is the mail server's, for channels that have one."""

    runtime: Runtime
    portal_id: int
    access: Access | None = None


def _email(way: Way) -> Link:
    if way.access is None:
        raise ValueError("letters need a mail server")
    return EmailLink(way.access)


def _call_list(way: Way) -> Link:
    return call_list.opened(way.runtime, way.portal_id)


CHANNELS: dict[str, Callable[[Way], Link]] = {
    ChannelKey.EMAIL: _email,
    ChannelKey.CALL_LIST: _call_list,
}
