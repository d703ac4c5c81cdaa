"""The answers of one connection: in order, a round trip later when one is simulated, or spoilt."""

from __future__ import annotations

import asyncio
import socket
import struct
from collections import deque
from typing import TYPE_CHECKING, ClassVar, cast

if TYPE_CHECKING:
    from collections.abc import Callable

    from demo.mail.faults import Fault


class Answers(asyncio.Protocol):
    """A connection that can answer. `over`: nothing more is heard."""

    def __init__(self) -> None:
        self.over = False
        self._mute = False
        self._queue: deque[tuple[bytes, bool]] = deque()
        self._due = 0.0

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Ready to answer."""
        self._transport = cast(asyncio.Transport, transport)
        self._loop = asyncio.get_running_loop()

    def delay(self) -> float:
        """How long a round trip takes."""
        return 0.0

    def drop(self) -> None:
        """Close without a word."""
        self.over = True
        self._transport.close()

    def say(self, text: str, fault: Fault | None = None) -> bool:
        """Answer, or do what the fault says; whether the dialogue goes on as it would."""
        if fault is not None:
            return self._SPOILT[fault.do](self, text, fault)
        leaving = text.startswith(("421", "221"))
        self._put(text.encode() + b"\r\n", last=leaving)
        return not leaving

    def _instead(self, _text: str, fault: Fault) -> bool:
        self._put(fault.reply.encode() + b"\r\n", last=fault.reply.startswith("421"))
        return False

    def _close(self, _text: str, _fault: Fault) -> bool:
        self._put(b"", last=True)
        return False

    def _abort(self, _text: str, _fault: Fault) -> bool:
        link: socket.socket = self._transport.get_extra_info("socket")
        link.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.over = True
        self._transport.abort()
        return False

    def _half(self, text: str, _fault: Fault) -> bool:
        self._put(text.encode()[: len(text) // 2], last=True)
        return False

    def _later(self, text: str, fault: Fault) -> bool:
        self._put(text.encode() + b"\r\n", after=fault.seconds)
        return True

    def _silence(self, _text: str, _fault: Fault) -> bool:
        self._mute = True
        return False

    def _put(self, data: bytes, *, last: bool = False, after: float = 0.0) -> None:
        self.over = self.over or last
        if self._mute:
            return
        wait = after + self.delay()
        if not wait and not self._queue:
            self._write(data, last=last)
            return
        self._due = max(self._due, self._loop.time() + wait)
        self._queue.append((data, last))
        self._loop.call_at(self._due, self._write_next)

    def _write_next(self) -> None:
        data, last = self._queue.popleft()
        self._write(data, last=last)

    def _write(self, data: bytes, *, last: bool) -> None:
        if data and not self._transport.is_closing():
            self._transport.write(data)
        if last:
            self._transport.close()

    _SPOILT: ClassVar[dict[str, Callable[[Answers, str, Fault], bool]]] = {
        "reply": _instead,
        "drop": _close,
        "lose": _close,
        "reset": _abort,
        "cut": _half,
        "late": _later,
        "hold": _silence,
    }
