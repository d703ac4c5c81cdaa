"""A tiny application for the demo portal: one page with the real b24jssdk, whatever is posted to it.

The page puts the SDK's frame object into `window.frame` (or its refusal into `window.refused`) and
remembers every answer; the server remembers every form it was opened with.
"""

from __future__ import annotations

import threading
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import parse_qsl, urlsplit

if TYPE_CHECKING:
    from collections.abc import Iterator

SDK = Path(__file__).parents[2] / "node_modules/@bitrix24/b24jssdk/dist/umd/index.min.js"

PAGE = """<!doctype html><meta charset="utf-8"><title>Проба</title>
<script src="/sdk.js"></script>
<body style="margin:0"><main id="root"><h1>Приложение</h1><p id="state">ждёт</p></main>
<script>
  B24Js.initializeB24Frame().then(
    frame => { window.frame = frame; state.textContent = 'готово' },
    error => { window.refused = error.message; state.textContent = 'отказ' })
</script>"""


@dataclass
class Opening:
    """One form post the application received."""

    path: str
    query: dict[str, str]
    body: dict[str, str]


@dataclass
class FrameApp:
    """The running application."""

    url: str
    openings: list[Opening] = field(default_factory=list)


class _Handler(BaseHTTPRequestHandler):
    app: FrameApp

    def do_GET(self) -> None:
        if self.path == "/sdk.js":
            self._send(SDK.read_bytes(), "text/javascript")
        else:
            self._send(PAGE.encode(), "text/html; charset=utf-8")

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length", 0))).decode()
        parts = urlsplit(self.path)
        pairs = (dict(parse_qsl(text, keep_blank_values=True)) for text in (parts.query, body))
        self.app.openings.append(Opening(parts.path, *pairs))
        self._send(PAGE.encode(), "text/html; charset=utf-8")

    def log_message(self, *_: object) -> None:
        """Keep the test output clean."""

    def _send(self, body: bytes, content_type: str) -> None:
        self.send_response(200)
        self.send_header("Content-Type", content_type)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)


@contextmanager
def running() -> Iterator[FrameApp]:
    """Serve the application on a free port of this machine."""
    handler = type("Handler", (_Handler,), {})
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        handler.app = app = FrameApp(f"http://127.0.0.1:{server.server_port}")
        thread = threading.Thread(target=server.serve_forever, daemon=True)
        thread.start()
        yield app
        server.shutdown()
        thread.join()
