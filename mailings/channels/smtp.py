"""SMTP with a gate: the whole letter is carried but for its final dot, and the dot is said only when the gate opens.

A server must discard a letter without its dot (RFC 5321, 4.1.1.4), so up to there a try can be given up safely.
MAIL, RCPT and DATA go in one packet where the server offers PIPELINING (RFC 2920).
"""

from __future__ import annotations

import smtplib
import socket
import ssl
from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum

from core import sockets

CONNECT_SECONDS = 30.0
COMMAND_SECONDS = 300.0
DOT_SECONDS = 600.0


class Security(StrEnum):
    """How the way to the server is protected."""

    STARTTLS = "starttls"
    TLS = "tls"
    NONE = "none"  # only for a server on a private network


class NotOffered(smtplib.SMTPException):
    """The server lacks what we insist on."""


class AnswerLost(Exception):
    """The dot was said, and no whole answer came."""


@dataclass(frozen=True)
class Access:
    """Where a mail server is and how one gets in. `name`: who we say we are."""

    host: str
    port: int
    security: Security = Security.STARTTLS
    username: str = ""
    password: str = ""
    name: str = "localhost"
    allow_private: bool = False
    context: ssl.SSLContext | None = None

    def __repr__(self) -> str:
        return f"Access({self.host}:{self.port})"


@dataclass(frozen=True, slots=True)
class Answer:
    """A server's reply; `after_dot`: to the whole letter. `refused`: the gate stayed shut."""

    code: int
    text: str
    after_dot: bool = False
    refused: bool = False


class GateSMTP(smtplib.SMTP):
    """One connection: opened, protected and logged in when made. Raises OSError, SMTPException, ForbiddenAddress."""

    def __init__(self, access: Access) -> None:
        self._access = access
        self._reset_first = False
        super().__init__(timeout=CONNECT_SECONDS, local_hostname=access.name)
        self._host = access.host  # the name that TLS checks
        try:
            self._open()
        except BaseException:
            self.close()
            raise

    def send_gated(
        self, sender: str, recipient: str, raw: bytes, gate: Callable[[], bool]
    ) -> Answer:
        """Carry one letter; the answer that decides about it.

        Raises OSError or SMTPException as long as nothing counts, AnswerLost after the dot.
        """
        commands = self._commands(sender, recipient, raw)
        if refusal := self._dialogue(commands):
            return refusal
        body = raw.replace(b"\r\n.", b"\r\n..")
        self.send((b"." if body.startswith(b".") else b"") + body)
        if not gate():
            self.close()
            return Answer(0, "", refused=True)
        try:
            self._patience(DOT_SECONDS)
            self.send(b".\r\n")
            code, text = self.getreply()
            self._patience(COMMAND_SECONDS)
        except (OSError, smtplib.SMTPException) as error:
            self.close()
            raise AnswerLost(type(error).__name__) from error
        if not 200 <= code < 600:
            self.close()
            raise AnswerLost("an answer that means nothing")
        return self._answer(code, text, after_dot=True)

    def leave(self) -> None:
        """Say goodbye and close, without waiting for an answer; never raises."""
        try:
            if self.sock is not None:
                self.send(b"QUIT\r\n")
        except (OSError, smtplib.SMTPException):
            pass
        finally:
            self.close()

    def _open(self) -> None:
        access = self._access
        code, text = self.connect(access.host, access.port)
        if code != 220:
            raise smtplib.SMTPConnectError(code, text)
        self._patience(COMMAND_SECONDS)
        self.ehlo_or_helo_if_needed()
        if access.security is Security.STARTTLS:
            if not self.has_extn("starttls"):
                raise NotOffered("the server offers no STARTTLS")
            self.starttls(context=self._context())
            self.ehlo_or_helo_if_needed()
        if access.username:
            self.login(access.username, access.password)

    def _get_socket(self, host: str, port: int, timeout: float) -> socket.socket:
        made = sockets.connect(
            host, port, timeout=timeout, allow_private=self._access.allow_private
        )
        if self._access.security is not Security.TLS:
            return made
        try:
            return self._context().wrap_socket(made, server_hostname=host)
        except BaseException:
            made.close()
            raise

    def _commands(self, sender: str, recipient: str, raw: bytes) -> list[str]:
        wide = not (sender.isascii() and recipient.isascii())
        if wide and not self.has_extn("smtputf8"):
            raise NotOffered("the server takes no addresses of other letters")
        extras = " SMTPUTF8 BODY=8BITMIME" if wide else ""
        if self.has_extn("size"):
            extras += f" SIZE={len(raw)}"
        reset = ["RSET"] if self._reset_first else []
        return [*reset, f"MAIL FROM:<{sender}>{extras}", f"RCPT TO:<{recipient}>", "DATA"]

    def _dialogue(self, commands: list[str]) -> Answer | None:
        """Up to the 354; else the first refusal, and a connection that is ready again or closed."""
        packets = [commands] if self.has_extn("pipelining") else [[c] for c in commands]
        replies: list[tuple[int, bytes]] = []
        for packet in packets:
            self.send("".join(f"{command}\r\n" for command in packet).encode())
            replies += [self.getreply() for _ in packet]
            if not all(_went_well(code) for code, _ in replies):
                break
        self._reset_first = False
        bad = next(((code, text) for code, text in replies if not _went_well(code)), None)
        if bad is None and replies[-1][0] == 354:
            return None
        code, text = bad or (replies[-1][0], b"DATA was not answered by 354")
        if replies[-1][0] == 354 or not 200 <= code < 600:
            self.close()  # it would take an empty letter now: RFC 2920, 3.1
        else:
            self._reset_first = True
        return self._answer(code, text)

    def _answer(self, code: int, text: bytes, *, after_dot: bool = False) -> Answer:
        if code == 421:
            self.close()
        return Answer(code, text.decode("utf-8", "replace"), after_dot=after_dot)

    def _context(self) -> ssl.SSLContext:
        return self._access.context or sockets.trusting_only_known()

    def _patience(self, seconds: float) -> None:
        if self.sock is not None:
            self.sock.settimeout(seconds)


def _went_well(code: int) -> bool:
    return code in {250, 251, 354}
