"""The listening socket of the mail server: opened, closed to refuse everybody, opened again."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from demo.mail.smtp import Session

if TYPE_CHECKING:
    from demo.mail.desk import Desk

HOST = "127.0.0.1"
_BACKLOG = 1024


class Server:
    """Where letters come in."""

    def __init__(self, desk: Desk, port: int, *, implicit_tls: bool = False) -> None:
        self.desk, self.port, self._implicit_tls = desk, port, implicit_tls
        self._server: asyncio.Server | None = None

    @property
    def listening(self) -> bool:
        """Whether connections are accepted."""
        return self._server is not None

    async def open(self) -> None:
        """Accept connections; the port stays the same once chosen."""
        if self._server is None:
            context = self.desk.options.tls if self._implicit_tls else None
            self._server = await asyncio.get_running_loop().create_server(
                lambda: Session(self.desk), HOST, self.port, ssl=context, backlog=_BACKLOG
            )
            self.port = self._server.sockets[0].getsockname()[1]

    def close(self) -> None:
        """Refuse new connections; those that are open go on."""
        if self._server is not None:
            self._server.close()
            self._server = None

    def hang_up(self) -> int:
        """Close every open connection without a word; how many."""
        sessions = list(self.desk.sessions)
        for session in sessions:
            session.drop()
        return len(sessions)
