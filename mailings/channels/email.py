"""The e-mail channel: letters over one SMTP connection that is opened when needed and used many times."""

from __future__ import annotations

import re
import smtplib
import ssl

from core.errors import ForbiddenAddress
from mailings.channels.base import Gate, Message, Outcome, SendResult
from mailings.channels.smtp import Access, AnswerLost, GateSMTP, NotOffered
from mailings.rules.replies import Kind, judge

LETTERS_PER_CONNECTION = 500
_ADDRESS = re.compile(
    r"[^\s<>\x00-\x20\x7f,;:\\\"]{1,64}@[A-Za-z0-9](?:[A-Za-z0-9.-]{0,252}[A-Za-z0-9])?"
)
_QUEUED = re.compile(r"queued(?:\s+as)?[\s:]+([\w.-]{3,80})|(?:\bid=)([\w.-]{3,80})", re.IGNORECASE)


class EmailLink:
    """A way to one mail server, used by one thread at a time."""

    def __init__(self, access: Access) -> None:
        self._access = access
        self._smtp: GateSMTP | None = None
        self._carried = 0

    @property
    def usable(self) -> bool:
        """Whether the connection can take another letter; `send` opens a new one if not."""
        return (
            self._smtp is not None
            and self._smtp.sock is not None
            and self._carried < LETTERS_PER_CONNECTION
        )

    def send(self, message: Message, gate: Gate) -> SendResult:
        """One try. A connection the server has let go of meanwhile is replaced once."""
        if not (_ADDRESS.fullmatch(message.address) and _ADDRESS.fullmatch(message.sender)):
            return SendResult(Outcome.FAILED, text="the address can't be written in SMTP")
        used = self.usable
        result = self._try(message, gate)
        if used and result.outcome is Outcome.NOT_TRIED:
            result = self._try(message, gate)
        return result

    def close(self) -> None:
        """Leave the server."""
        if self._smtp is not None:
            self._smtp.leave()
        self._smtp = None

    def _try(self, message: Message, gate: Gate) -> SendResult:
        """The gate is only ever reached on a connection that carried the whole letter, so at most once."""
        try:
            smtp = self._connected()
            answer = smtp.send_gated(message.sender, message.address, message.raw, gate)
        except AnswerLost as error:
            self._smtp = None
            return SendResult(Outcome.UNKNOWN, text=f"no answer after the letter: {error}")
        except NotOffered as error:
            if self.usable:
                return SendResult(Outcome.FAILED, status="no_smtputf8", text=str(error))
            return self._broken(str(error))
        except smtplib.SMTPResponseException as error:
            return self._broken(f"{error.smtp_code} {_words(error.smtp_error)}", error.smtp_code)
        except (OSError, smtplib.SMTPException, ForbiddenAddress) as error:
            return self._broken(reason_of(error))
        if answer.refused:
            self._smtp = None
            return SendResult(Outcome.REFUSED_AT_GATE)
        return self._understood(answer.code, answer.text, after_dot=answer.after_dot)

    def _connected(self) -> GateSMTP:
        if self._smtp is not None and not self.usable:
            self.close()
        if self._smtp is None:
            self._smtp, self._carried = GateSMTP(self._access), 0
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


def _words(raw: bytes | str) -> str:
    return raw.decode("utf-8", "replace") if isinstance(raw, bytes) else raw
