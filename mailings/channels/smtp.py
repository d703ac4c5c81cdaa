"""SMTP with a gate: the whole letter is carried but for its final dot, and the dot is said only when the gate opens.

A server must discard a letter without its dot (RFC 5321, 4.1.1.4), so up to there a try can be given up safely.
MAIL, RCPT and DATA go in one packet where the server offers PIPELINING (RFC 2920), together with the dot of the letter
before if there is one: then a letter takes a single round trip.
"""

from __future__ import annotations

import smtplib
import socket
import ssl
from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum

from core import sockets
from mailings.channels.base import Message, Need, Steps

CONNECT_SECONDS = 30.0
COMMAND_SECONDS = 300.0
DOT_SECONDS = 600.0
_LONGEST_LINE = 8192
_AT_ONCE = 65_536


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


Following = Callable[[], Message | None]
"""The letter that will go next over the same connection, if there is one already."""


class GateSMTP(smtplib.SMTP):
    """One connection: opened, protected and logged in when made. Raises OSError, SMTPException, ForbiddenAddress.

    Opening it blocks; carrying letters is done in steps (`base.Steps`), and `patience` says how long one may take.
    """

    def __init__(self, access: Access) -> None:
        self._access = access
        self._reset_first = False
        self._kept = b""
        self._said: Message | None = None  # its envelope went out with the dot before
        super().__init__(timeout=CONNECT_SECONDS, local_hostname=access.name)
        self._host = access.host  # the name that TLS checks
        try:
            self._open()
        except BaseException:
            self.close()
            raise
        self.patience = COMMAND_SECONDS
        self._pipelining = self.has_extn("pipelining")
        self._sized = self.has_extn("size")
        if self.sock is not None:
            self.sock.setblocking(False)

    def carry(self, letter: Message, following: Following) -> Steps[Answer]:
        """Carry one letter; the answer that decides about it.

        Raises OSError or SMTPException as long as nothing counts, AnswerLost after the dot.
        """
        said, self._said = self._said, None
        if said is not None and said is not letter:
            self.close()  # the server waits for the other one
            raise smtplib.SMTPServerDisconnected("another letter was announced")
        if refusal := (yield from self._dialogue(letter, already_said=said is not None)):
            return refusal
        body = letter.raw.replace(b"\r\n.", b"\r\n..")
        yield from self._write((b"." if body.startswith(b".") else b"") + body)
        if not (yield Need.GATE):
            self.close()
            return Answer(0, "", refused=True)
        try:
            code, text = yield from self._verdict(following)
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
            if self.sock is not None and self._said is None:
                self.send(b"QUIT\r\n")
        except (OSError, smtplib.SMTPException):
            pass
        finally:
            self.close()

    def close(self) -> None:
        """End it without a word."""
        self._said, self._kept = None, b""
        super().close()

    def _open(self) -> None:
        access = self._access
        code, text = self.connect(access.host, access.port)
        if code != 220:
            raise smtplib.SMTPConnectError(code, text)
        if self.sock is not None:
            self.sock.settimeout(COMMAND_SECONDS)
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

    def _envelope(self, letter: Message) -> list[str]:
        wide = not (letter.sender.isascii() and letter.address.isascii())
        if wide and not self.has_extn("smtputf8"):
            raise NotOffered("the server takes no addresses of other letters")
        extras = " SMTPUTF8 BODY=8BITMIME" if wide else ""
        if self._sized:
            extras += f" SIZE={len(letter.raw)}"
        mail = f"MAIL FROM:<{letter.sender}>{extras}\r\n"
        return [mail, f"RCPT TO:<{letter.address}>\r\n", "DATA\r\n"]

    def _dialogue(self, letter: Message, *, already_said: bool) -> Steps[Answer | None]:
        """Up to the 354; else the first refusal, and a connection that is ready again or closed."""
        commands = self._envelope(letter)
        if self._reset_first:
            commands.insert(0, "RSET\r\n")
        replies: list[tuple[int, bytes]] = []
        for packet in [commands] if self._pipelining else [[each] for each in commands]:
            if not already_said:
                yield from self._write("".join(packet).encode())
            for _ in packet:
                replies.append((yield from self._reply()))  # noqa: PERF401 - no comprehension may yield
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

    def _verdict(self, following: Following) -> Steps[tuple[int, bytes]]:
        """Say the dot, and whom the next letter is for; the answer to the dot."""
        last_words = b".\r\n"
        self._said = self._announced(following)
        if self._said is not None:
            last_words += "".join(self._envelope(self._said)).encode()
        self.patience = DOT_SECONDS
        yield from self._write(last_words)
        answer = yield from self._reply()
        self.patience = COMMAND_SECONDS
        return answer

    def _announced(self, following: Following) -> Message | None:
        """A letter whose envelope may go before this one is answered (RFC 2920, 3.1 allows it in so many words)."""
        letter = following() if self._pipelining else None
        plain = letter is not None and letter.sender.isascii() and letter.address.isascii()
        return letter if plain else None

    def _answer(self, code: int, text: bytes, *, after_dot: bool = False) -> Answer:
        if code == 421:
            self.close()
        return Answer(code, text.decode("utf-8", "replace"), after_dot=after_dot)

    def _write(self, data: bytes) -> Steps[None]:
        left = memoryview(data)
        while left:
            try:
                left = left[self._open_socket().send(left) :]
            except (BlockingIOError, ssl.SSLWantWriteError):
                yield Need.WRITE
            except ssl.SSLWantReadError:
                yield Need.READ

    def _reply(self) -> Steps[tuple[int, bytes]]:
        """One whole reply; a code that is none ends it as -1."""
        said = []
        while True:
            line = yield from self._line()
            said.append(line[4:].strip(b" \t\r\n"))
            if not line[:3].isdigit():
                return -1, b"\n".join(said)
            if line[3:4] != b"-":
                return int(line[:3]), b"\n".join(said)

    def _line(self) -> Steps[bytes]:
        while (end := self._kept.find(b"\n")) < 0:
            try:
                more = self._open_socket().recv(_AT_ONCE)
            except (BlockingIOError, ssl.SSLWantReadError):
                yield Need.READ
                continue
            except ssl.SSLWantWriteError:
                yield Need.WRITE
                continue
            if not more or len(self._kept) > _LONGEST_LINE:  # half a line is none: RFC 5321, 4.2
                self.close()
                raise smtplib.SMTPServerDisconnected("the connection ended unexpectedly")
            self._kept += more
        line, self._kept = self._kept[:end], self._kept[end + 1 :]
        return line

    def _open_socket(self) -> socket.socket:
        if self.sock is None:
            raise smtplib.SMTPServerDisconnected("the connection is closed")
        return self.sock

    def _context(self) -> ssl.SSLContext:
        return self._access.context or sockets.trusting_only_known()


def _went_well(code: int) -> bool:
    return code in {250, 251, 354}
