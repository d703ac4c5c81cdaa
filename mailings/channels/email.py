"""The e-mail channel: letters over one SMTP connection that is opened when needed and used many times."""

from __future__ import annotations

import re
import smtplib
import ssl
from select import POLLIN, POLLOUT, poll
from socket import socket
from typing import cast

from core.errors import ForbiddenAddress
from mailings.channels.base import Gate, Message, Need, Outcome, SendResult, Steps
from mailings.channels.smtp import (
    CONNECT_SECONDS,
    Access,
    AnswerLost,
    Following,
    GateSMTP,
    NotOffered,
)
from mailings.rules.replies import Kind, judge

LETTERS_PER_CONNECTION = 500
_ADDRESS = re.compile(
    r"[^\s<>\x00-\x20\x7f,;:\\\"]{1,64}@[A-Za-z0-9](?:[A-Za-z0-9.-]{0,252}[A-Za-z0-9])?"
)
_QUEUED = re.compile(r"queued(?:\s+as)?[\s:]+([\w.-]{3,80})|(?:\bid=)([\w.-]{3,80})", re.IGNORECASE)

_OF_CONNECTION = (OSError, smtplib.SMTPException, ForbiddenAddress)


class EmailLink:
    """A way to one mail server, with one letter on it at a time."""

    def __init__(self, access: Access) -> None:
        self._access = access
        self._smtp: GateSMTP | None = None
        self._carried = 0

    @property
    def usable(self) -> bool:
        """Whether the connection can take another letter; the next one opens a new one if not."""
        return (
            self._smtp is not None
            and self._smtp.sock is not None
            and self._carried < LETTERS_PER_CONNECTION
        )

    @property
    def socket(self) -> socket | None:
        """What READ and WRITE are about."""
        return self._smtp.sock if self._smtp is not None else None

    @property
    def patience(self) -> float:
        """How many seconds READ and WRITE may take now; a TimeoutError thrown in says that they took longer."""
        return self._smtp.patience if self._smtp is not None else CONNECT_SECONDS

    def open(self) -> GateSMTP:
        """What OPEN asks for; blocks, and raises what has to be thrown in."""
        return GateSMTP(self._access)

    def send(self, message: Message, gate: Gate, following: Following = lambda: None) -> SendResult:
        """One try by the thread that asks for it, see `steps`."""
        steps = self.steps(message, following)
        try:
            need = next(steps)
            while True:
                need = self._step(steps, need, gate)
        except StopIteration as end:
            return cast(SendResult, end.value)

    def steps(self, message: Message, following: Following = lambda: None) -> Steps[SendResult]:
        """One try. A connection the server has let go of meanwhile is replaced once.

        `following`: the letter that is given to `steps` next, asked for when it can be announced already.
        """
        if not _writable(message):
            return SendResult(Outcome.FAILED, text="the address can't be written in SMTP")
        used = self.usable
        result = yield from self._try(message, following)
        if used and result.outcome is Outcome.NOT_TRIED:
            result = yield from self._try(message, following)
        return result

    def close(self) -> None:
        """Leave the server."""
        if self._smtp is not None:
            self._smtp.leave()
        self._smtp = None

    def _step(self, steps: Steps[SendResult], need: Need, gate: Gate) -> Need:
        """Wait here and now for what is needed."""
        if need is Need.GATE:
            return steps.send(gate())
        try:
            if need is Need.OPEN:
                return steps.send(self.open())
            self._wait(POLLIN if need is Need.READ else POLLOUT)
        except _OF_CONNECTION as error:
            return steps.throw(error)
        return steps.send(None)

    def _wait(self, event: int) -> None:
        waiting = poll()
        if self.socket is not None:
            waiting.register(self.socket, event)
        if not waiting.poll(self.patience * 1000):
            raise TimeoutError("the server says nothing")

    def _try(self, message: Message, following: Following) -> Steps[SendResult]:
        """The gate is only ever reached on a connection that carried the whole letter, so at most once."""

        def ahead() -> Message | None:
            letter = following() if self._carried + 1 < LETTERS_PER_CONNECTION else None
            return letter if letter is not None and _writable(letter) else None

        try:
            smtp = yield from self._connected()
            answer = yield from smtp.carry(message, ahead)
        except AnswerLost as error:
            self._smtp = None
            return SendResult(Outcome.UNKNOWN, text=f"no answer after the letter: {error}")
        except NotOffered as error:
            if self.usable:
                return SendResult(Outcome.FAILED, status="no_smtputf8", text=str(error))
            return self._broken(str(error))
        except smtplib.SMTPResponseException as error:
            return self._broken(f"{error.smtp_code} {_words(error.smtp_error)}", error.smtp_code)
        except _OF_CONNECTION as error:
            return self._broken(reason_of(error))
        if answer.refused:
            self._smtp = None
            return SendResult(Outcome.REFUSED_AT_GATE)
        return self._understood(answer.code, answer.text, after_dot=answer.after_dot)

    def _connected(self) -> Steps[GateSMTP]:
        if self._smtp is not None and not self.usable:
            self.close()
        if self._smtp is None:
            self._smtp = yield Need.OPEN
            self._carried = 0
        return self._smtp

    def _understood(self, code: int, text: str, *, after_dot: bool) -> SendResult:
        self._carried += 1
        found = judge(code, text, after_dot=after_dot)
        if found.kind is Kind.LINK:
            return self._broken(f"{code} {text}", code)
        if found.kind is Kind.TAKEN:
            queued = _QUEUED.search(text)
            name = (queued[1] or queued[2]) if queued else None
            return SendResult(Outcome.SENT, code, found.status, text, provider_id=name)
        outcome = Outcome.DEFERRED if found.kind is Kind.LATER else Outcome.FAILED
        return SendResult(
            *(outcome, code, found.status, text),
            wait=found.wait,
            slow_down=found.slow_down,
            suppress=found.suppress,
            soft=found.soft,
            ours=found.ours,
        )

    def _broken(self, text: str, code: int | None = None) -> SendResult:
        if self._smtp is not None:
            self._smtp.close()
        self._smtp = None
        return SendResult(Outcome.NOT_TRIED, code, text=text)


def reason_of(error: Exception) -> str:
    """What went wrong with the connection, for the page of servers."""
    if isinstance(error, ForbiddenAddress):
        return error.detail
    if isinstance(error, ssl.SSLCertVerificationError):
        return f"the certificate is not valid: {error.verify_message}"
    return f"{type(error).__name__}: {error}"[:300]


def _writable(message: Message) -> bool:
    return bool(_ADDRESS.fullmatch(message.address) and _ADDRESS.fullmatch(message.sender))


def _words(raw: bytes | str) -> str:
    return raw.decode("utf-8", "replace") if isinstance(raw, bytes) else raw
