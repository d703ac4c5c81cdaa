"""Claimed deliveries → messages, for a whole mailing prepared once."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any, Protocol

from sqlalchemy.orm import Session

from core.crypto import Vault
from core.runtime import Runtime
from mailings.channels.base import Message
from mailings.channels.dkim import Signer
from mailings.content import recipients
from mailings.content.message import BadAddress, Envelope
from mailings.content.rendering import RenderFailed
from mailings.content.scripts import Script
from mailings.models import Mailing, MailServer
from mailings.rules.states import ChannelKey
from mailings.sending.claiming import Claimed

CANT_BE_WRITTEN = (BadAddress, RenderFailed)
"""What is wrong with one recipient's message, and with nobody else's."""


class Composer(Protocol):
    """Makes the messages of one mailing."""

    def facts(self, session: Session, rows: Sequence[Claimed]) -> Mapping[int, Any]:
        """What these messages say about their recipients, by delivery."""

    def message(self, row: Claimed, facts: Any) -> Message:
        """One message. Raises CANT_BE_WRITTEN."""


class Letters:
    """The composer of e-mails."""

    def __init__(self, runtime: Runtime, mailing: Mailing, server: MailServer) -> None:
        self._portal_id = mailing.portal_id
        self._envelope = Envelope(runtime.settings, mailing, server, mailing.compiled or {})
        self._signer = signer(runtime.vault, server)

    def facts(self, session: Session, rows: Sequence[Claimed]) -> Mapping[int, Any]:
        """In a few statements for all of them."""
        listed: Any = rows
        return recipients.facts(session, self._portal_id, listed)

    def message(self, row: Claimed, facts: Any) -> Message:
        """Rendered, with its own links and headers; signed where the server does not do it."""
        delivery: Any = row
        message = self._envelope.message(delivery, facts)
        if self._signer is None:
            return message
        return replace(message, raw=self._signer.signed(message.raw))


def signer(vault: Vault, server: MailServer) -> Signer | None:
    """What signs the server's letters; None: it does so itself, or nobody does."""
    if not (server.dkim_selector and server.dkim_key_sealed):
        return None
    pem = vault.open(server.portal_id, server.dkim_key_sealed)
    return Signer(pem, server.from_email.rpartition("@")[2], server.dkim_selector)


Composing = Callable[[Runtime, Mailing, MailServer | None], Composer]


def composer(runtime: Runtime, mailing: Mailing, server: MailServer | None) -> Composer:
    """The one for the mailing's channel."""
    if mailing.channel == ChannelKey.CALL_LIST:
        return Script(runtime.settings, mailing)
    if server is None:
        raise ValueError(f"nothing composes messages of the channel {mailing.channel}")
    return Letters(runtime, mailing, server)
