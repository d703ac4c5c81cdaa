"""A small HTTP listener standing in for an application that receives the portal's posts."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qsl


class Receiver:
    """Collects posted forms as (path, fields); answers `status` after `pause` seconds."""

    def __init__(self) -> None:
        self.posts: list[tuple[str, dict[str, str]]] = []
        self.status = 200
        self.pause = 0.0
        receiver = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                length = int(self.headers.get("Content-Length", 0))
                fields = dict(parse_qsl(self.rfile.read(length).decode(), keep_blank_values=True))
                receiver.posts.append((self.path, fields))
                time.sleep(receiver.pause)
                self.send_response(receiver.status)
                self.send_header("Content-Length", "0")
                self.end_headers()

            def log_message(self, *_args: object) -> None:
                """Stay silent."""

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self._server.server_address[1]}"

    def wait(self, count: int, seconds: float = 10.0) -> list[dict[str, str]]:
        """The fields of the posts once there are `count` of them."""
        self.until(lambda: len(self.posts) >= count, seconds)
        return [fields for _, fields in self.posts]

    @staticmethod
    def until(condition: Callable[[], bool], seconds: float = 10.0) -> None:
        """Wait for a condition."""
        deadline = time.monotonic() + seconds
        while not condition():
            if time.monotonic() > deadline:
                raise TimeoutError("what was waited for did not happen")
            time.sleep(0.01)

    @classmethod
    @contextmanager
    def listening(cls) -> Iterator[Receiver]:
        """A receiver on a free port of this machine."""
        receiver = cls()
        thread = threading.Thread(target=receiver._server.serve_forever, args=(0.05,), daemon=True)
        thread.start()
        try:
            yield receiver
        finally:
            receiver._server.shutdown()
            receiver._server.server_close()
            thread.join()
