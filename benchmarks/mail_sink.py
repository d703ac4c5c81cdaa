"""The leanest mail server there can be in Python, in a process of its own, so that it slows nobody down.

It understands pipelined dialogues of letters without attachments to look at, counts, and answers after the simulated
round trip. What it bears by itself is measured too, since every figure of a sender includes it.
"""

from __future__ import annotations

import asyncio
import multiprocessing
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

_context = multiprocessing.get_context("forkserver")
_ANSWERS = {
    b"MAIL": b"250 Ok\r\n",
    b"RCPT": b"250 Ok\r\n",
    b"DATA": b"354 Go\r\n",
    b"RSET": b"250 Ok\r\n",
}
_HELLO = b"250-sink\r\n250 PIPELINING\r\n"


@dataclass(frozen=True)
class Sink:
    """A running server; `taken` counts its letters."""

    port: int
    taken: Any

    @property
    def count(self) -> int:
        """Letters so far."""
        return int(self.taken.value)


@contextmanager
def sink(round_trip: float = 0.0) -> Iterator[Sink]:
    """Run one; answers come `round_trip` seconds after what they answer."""
    taken, port = _context.Value("q", 0, lock=False), _context.Value("i", 0, lock=False)
    process = _context.Process(target=_serve, args=(round_trip, taken, port), daemon=True)
    process.start()
    while not port.value:
        time.sleep(0.01)
    try:
        yield Sink(port.value, taken)
    finally:
        process.kill()
        process.join()


def source(
    port: int, letters: int, raw: bytes, sessions: int = 1, *, pipelined: bool = True
) -> float:
    """Letters a second of the simplest client: no gate, no database, no letter to be made.

    Without pipelining every command waits for its answer, as Postfix's `smtp-source` does it.
    """
    share = letters // sessions
    threads = [
        threading.Thread(target=_pour, args=(port, share, raw, pipelined)) for _ in range(sessions)
    ]
    started = time.perf_counter()
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return share * sessions / (time.perf_counter() - started)


def _pour(port: int, letters: int, raw: bytes, pipelined: bool) -> None:
    with socket.create_connection(("127.0.0.1", port)) as link:
        link.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        answers = link.makefile("rb")
        answers.readline()
        link.sendall(b"EHLO source\r\n")
        answers.readline(), answers.readline()
        start = [b"MAIL FROM:<a@example.com>\r\n", b"RCPT TO:<b@example.org>\r\n", b"DATA\r\n"]
        body = raw.replace(b"\r\n.", b"\r\n..") + b".\r\n"
        turns = [(b"".join(start), 3)] if pipelined else [(command, 1) for command in start]
        for _ in range(letters):
            for said, number in (*turns, (body, 1)):
                link.sendall(said)
                for _ in range(number):
                    answers.readline()


class _Session(asyncio.Protocol):
    """One connection."""

    def __init__(self, round_trip: float, taken: Any) -> None:
        self._round_trip, self._taken = round_trip, taken
        self._kept, self._reading = b"", False
        self._transport: Any = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Greet."""
        self._transport = transport
        link = transport.get_extra_info("socket")
        link.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._answer(b"220 sink\r\n")

    def data_received(self, data: bytes) -> None:
        """Take lines, and letters up to their dots."""
        self._kept += data
        while self._kept and self._letter() if self._reading else self._line():
            pass

    def _letter(self) -> bool:
        _body, dot, rest = self._kept.partition(b"\r\n.\r\n")
        if dot:
            self._reading, self._kept = False, rest
            self._taken.value += 1
            self._answer(b"250 2.0.0 Ok: queued as 1\r\n")
        return bool(dot)

    def _line(self) -> bool:
        line, end, rest = self._kept.partition(b"\r\n")
        if not end:
            return False
        self._kept = rest
        verb = line[:4].upper()
        if verb == b"QUIT":
            self._transport.close()
            return False
        self._reading = verb == b"DATA"
        self._answer(_HELLO if verb in {b"EHLO", b"HELO"} else _ANSWERS.get(verb, b"250 Ok\r\n"))
        return True

    def _answer(self, text: bytes) -> None:
        if self._round_trip:
            loop = asyncio.get_running_loop()
            loop.call_later(self._round_trip, self._transport.write, text)
        else:
            self._transport.write(text)


def _serve(round_trip: float, taken: Any, port: Any) -> None:
    async def run() -> None:
        loop = asyncio.get_running_loop()
        server = await loop.create_server(
            lambda: _Session(round_trip, taken), "127.0.0.1", 0, backlog=1024
        )
        port.value = server.sockets[0].getsockname()[1]
        await server.serve_forever()

    asyncio.run(run())
