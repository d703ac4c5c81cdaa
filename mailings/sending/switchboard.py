"""Where one thread waits for many sockets at once, and for what other threads have for it."""

from __future__ import annotations

import selectors
import socket
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import suppress
from typing import Any

READ, WRITE = selectors.EVENT_READ, selectors.EVENT_WRITE
_AT_ONCE = 4096


class Switchboard:
    """Used by one thread, but for `call`."""

    def __init__(self) -> None:
        self._selector = selectors.DefaultSelector()
        self._calls: deque[Callable[[], object]] = deque()
        self._bell, self._ear = socket.socketpair()
        self._bell.setblocking(False)
        self._ear.setblocking(False)
        self._rung = False
        self._selector.register(self._ear, READ)

    def call(self, work: Callable[[], object]) -> None:
        """Have this done by the thread that waits here."""
        self._calls.append(work)
        if not self._rung:
            self._rung = True
            with suppress(OSError):  # full: it is heard anyway; closed: nobody is there any more
                self._bell.send(b"!")

    def watch(self, watched: socket.socket, event: int, whose: Any) -> None:
        """Name `whose` when this socket is ready, until told otherwise."""
        key = self._selector.get_map().get(watched)
        if key is None:
            self._selector.register(watched, event, whose)
        elif key.events != event:
            self._selector.modify(watched, event, whose)

    def forget(self, watched: socket.socket) -> None:
        """Watch it no more; it may be closed already."""
        with suppress(KeyError, ValueError):
            self._selector.unregister(watched)

    def wait(self, seconds: float) -> Iterator[Any]:
        """Whose sockets are ready; what was called for is done by the way."""
        for key, _ in self._selector.select(0 if self._calls else seconds):
            if key.fileobj is self._ear:
                self._ear.recv(_AT_ONCE)
            else:
                yield key.data
        self._rung = False
        for _ in range(len(self._calls)):
            self._calls.popleft()()

    def close(self) -> None:
        """Give the descriptors back."""
        self._selector.close()
        self._bell.close()
        self._ear.close()
