"""The server's side of SMTP (RFC 5321, pipelining by 2920, TLS by 3207, AUTH by 4954), with faults.

Only what is ended by a dot is taken; a letter broken off before it never existed.
"""

from __future__ import annotations

import asyncio
import re
import ssl
from collections.abc import Callable
from typing import TYPE_CHECKING, ClassVar

from demo.mail import auth
from demo.mail.answers import Answers

if TYPE_CHECKING:
    from demo.mail.desk import Desk
    from demo.mail.faults import Fault

_END = b"\r\n.\r\n"
_LONGEST_COMMAND = 2048
_PATH = re.compile(r"^\s*<([^<>\x00-\x1f]*)>(?:\s+(.*))?$")
_SIZE = re.compile(r"\bSIZE=(\d+)", re.IGNORECASE)


class Session(Answers):
    """One connection."""

    def __init__(self, desk: Desk) -> None:
        super().__init__()
        self.desk = desk
        self._buffer = bytearray()
        self._scanned = 0
        self._body = self._upgrading = self._secure = self._known = False
        self._login: auth.Login | None = None
        self._sender: str | None = None
        self._recipients: list[str] = []
        self._cutting: Fault | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Greet."""
        super().connection_made(transport)
        self._secure = transport.get_extra_info("ssl_object") is not None
        desk = self.desk
        desk.sessions.add(self)
        desk.counted["connections"] += 1
        desk.counted["peak"] = max(desk.counted["peak"], len(desk.sessions))
        if 0 < desk.options.max_connections < len(desk.sessions):
            self.say("421 4.7.0 Too many connections, try again later")
        else:
            self.say(f"220 {desk.options.name} ESMTP", self._note("connect"))

    def connection_lost(self, _exc: Exception | None) -> None:
        """Forget whatever was not ended by a dot."""
        if self._body:
            self.desk.counted["unterminated"] += 1
        self.over = True
        self.desk.sessions.discard(self)

    def data_received(self, data: bytes) -> None:
        """Go on as far as the bytes reach."""
        self._buffer += data
        while not (self.over or self._upgrading):
            if not (self._take_body() if self._body else self._take_command()):
                break

    def delay(self) -> float:
        """How long a round trip is made to take."""
        return self.desk.options.delay

    def _take_command(self) -> bool:
        end = self._buffer.find(b"\n")
        if end < 0:
            if len(self._buffer) > _LONGEST_COMMAND:
                self.say("421 4.5.2 Line too long")
            return False
        line = self._buffer[:end].rstrip(b"\r").decode("utf-8", "replace")
        del self._buffer[: end + 1]
        if self._buffer and not self.desk.options.pipelining:
            self.desk.counted["impatient"] += 1
            self.say("421 4.5.0 Improper use of SMTP command pipelining")
        elif self._login is not None:
            self._proceed(self._login.answer(line))
        else:
            verb, _, rest = line.partition(" ")
            self.desk.counted[verb.lower()[:8]] += 1
            self._COMMANDS.get(verb.upper(), Session._unknown)(self, rest)
        return True

    def _hello(self, _rest: str) -> None:
        self._clear()
        self.say(f"250 {self.desk.options.name}", self._note("ehlo"))

    def _extended_hello(self, _rest: str) -> None:
        self._clear()
        options = self.desk.options
        lines = [options.name, f"SIZE {options.max_size}", "8BITMIME", "ENHANCEDSTATUSCODES"]
        lines += ["PIPELINING"] * options.pipelining + ["SMTPUTF8"] * options.smtputf8
        lines += ["STARTTLS"] * (options.tls is not None and not self._secure)
        lines += ["AUTH PLAIN LOGIN"] * bool(options.login)
        text = "\r\n".join(f"250-{line}" for line in lines[:-1]) + f"\r\n250 {lines[-1]}"
        self.say(text, self._note("ehlo"))

    def _start_tls(self, _rest: str) -> None:
        context = self.desk.options.tls
        if context is None or self._secure:
            self.say("502 5.5.1 Not offered")
        elif fault := self._note("starttls"):
            self.say("220 2.0.0 Ready to start TLS", fault)
        else:
            self._upgrading = True
            self._task = self._loop.create_task(self._upgrade(context))

    async def _upgrade(self, context: ssl.SSLContext) -> None:
        await asyncio.sleep(self.desk.options.delay)
        self._buffer.clear()  # what was said in the open is forgotten
        self._transport.write(b"220 2.0.0 Ready to start TLS\r\n")
        try:
            upgraded = await self._loop.start_tls(self._transport, self, context, server_side=True)
        except (OSError, ssl.SSLError):
            upgraded = None
        if upgraded is None:
            self.drop()
            return
        self._transport = upgraded
        self._secure, self._upgrading = True, False
        self._clear()

    def _authenticate(self, rest: str) -> None:
        if not self.desk.options.login:
            self.say("502 5.5.1 Not offered")
        elif fault := self._note("auth"):
            self.say("235 2.7.0 Authentication successful", fault)
        else:
            self._login = auth.Login(self.desk.options.login)
            self._proceed(self._login.begin(rest))

    def _proceed(self, reply: str) -> None:
        if not reply.startswith("334"):
            self._known, self._login = reply.startswith("235"), None
        self.say(reply)

    def _mail(self, rest: str) -> None:
        path = _PATH.match(rest[5:]) if rest[:5].upper() == "FROM:" else None
        options = self.desk.options
        if options.login and not self._known:
            self.say("530 5.7.0 Authentication required")
        elif path is None:
            self.say("501 5.1.7 Bad sender address syntax")
        elif self._sender is not None:
            self.say("503 5.5.1 Nested MAIL command")
        elif (size := _SIZE.search(path[2] or "")) and int(size[1]) > options.max_size:
            self.say("552 5.3.4 Message size exceeds the limit")
        elif self.say("250 2.1.0 Ok", self._note("mail", path[1])):
            self._sender = path[1]

    def _recipient(self, rest: str) -> None:
        path = _PATH.match(rest[3:]) if rest[:3].upper() == "TO:" else None
        if self._sender is None:
            self.say("503 5.5.1 MAIL first")
        elif path is None or "@" not in path[1]:
            self.say("501 5.1.3 Bad recipient address syntax")
        elif refusal := self.desk.refusal(path[1]):
            self.say(refusal)
        elif self.say("250 2.1.5 Ok", self._note("rcpt", path[1])):
            self._recipients.append(path[1])

    def _data(self, _rest: str) -> None:
        if not self._recipients:
            self.say("554 5.5.1 No valid recipients")
        elif self.say("354 End data with <CR><LF>.<CR><LF>", self._fault("data")):
            self._body, self._scanned = True, 0
            self._buffer[:0] = b"\r\n"  # so that the first line begins as the others do
            self._cutting = self._fault("body")

    def _take_body(self) -> bool:
        if self._cutting is not None and len(self._buffer) - 2 >= self._cutting.bytes:
            self.say("421 4.3.0 Going away", self._cutting)
            return False
        end = self._buffer.find(_END, self._scanned)
        if end < 0:
            self._scanned = max(0, len(self._buffer) - len(_END) + 1)
            return False
        raw = bytes(self._buffer[: end + 2]).replace(b"\r\n.", b"\r\n")[2:]
        del self._buffer[: end + len(_END)]
        self._body = False
        self._finish(raw)
        return True

    def _finish(self, raw: bytes) -> None:
        desk, fault = self.desk, self._fault("dot")
        if len(raw) > desk.options.max_size:
            self.say("552 5.3.4 Message size exceeds the limit")
        elif fault is not None and fault.do in {"reply", "drop", "reset", "hold"}:
            self.say("", fault)
        else:
            letter = desk.letters.take(self._sender or "", tuple(self._recipients), raw)
            self.say(f"250 2.0.0 Ok: queued as {letter.number}", fault)
            desk.taken(letter)
        self._clear()

    def _reset(self, _rest: str) -> None:
        self._clear()
        self.say("250 2.0.0 Ok")

    def _nothing(self, _rest: str) -> None:
        self.say("250 2.0.0 Ok")

    def _quit(self, _rest: str) -> None:
        self.say("221 2.0.0 Bye", self._note("quit"))
        self.over = True

    def _unknown(self, _rest: str) -> None:
        self.say("500 5.5.2 Command not recognised")

    def _clear(self) -> None:
        self._sender, self._recipients, self._cutting = None, [], None

    def _fault(self, step: str) -> Fault | None:
        return self._note(step, *self._recipients)

    def _note(self, step: str, *addresses: str) -> Fault | None:
        fault = self.desk.faults.at(step, *addresses)
        if fault is not None:
            self.desk.counted[f"fault {step} {fault.do}"] += 1
        return fault

    _COMMANDS: ClassVar[dict[str, Callable[[Session, str], None]]] = {
        "HELO": _hello,
        "EHLO": _extended_hello,
        "STARTTLS": _start_tls,
        "AUTH": _authenticate,
        "MAIL": _mail,
        "RCPT": _recipient,
        "DATA": _data,
        "RSET": _reset,
        "NOOP": _nothing,
        "QUIT": _quit,
    }
