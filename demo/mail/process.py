"""The demo mail server as a process of its own: started, told what to do, asked what it took."""

from __future__ import annotations

import json
import tempfile
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from demo.started import started

START_SECONDS = 60.0
CONTROL_SECONDS = 60.0
_PAGE = 1000


class ControlError(Exception):
    """The control API refused an order."""


@dataclass(frozen=True)
class MailSink:
    """A running mail server."""

    port: int
    page_port: int
    pid: int
    log: Path

    @property
    def smtp_url(self) -> str:
        """What SMTP_URL is set to."""
        return f"smtp://127.0.0.1:{self.port}"

    @property
    def page_url(self) -> str:
        """Where letters are read."""
        return f"http://127.0.0.1:{self.page_port}"

    def control(self, path: str = "", body: dict[str, Any] | None = None, method: str = "") -> Any:
        """Call /control/<path>: POST with a body, GET without, or the verb given."""
        request = urllib.request.Request(
            f"{self.page_url}/control/{path}",
            data=None if body is None else json.dumps(body).encode(),
            headers={"Content-Type": "application/json"},
            method=method or None,
        )
        try:
            with urllib.request.urlopen(request, timeout=CONTROL_SECONDS) as answer:
                return json.load(answer)
        except urllib.error.HTTPError as error:
            raise ControlError(error.read().decode()) from error

    def fault(self, at: str, **rule: Any) -> None:
        """Add a fault rule (demo/mail/faults.py)."""
        self.control("faults", {"at": at, **rule})

    def clear_faults(self) -> None:
        """Forget all fault rules."""
        self.control("faults", method="DELETE")

    def reset(self) -> None:
        """As new: no letters, no faults, an empty log, connections accepted."""
        self.control("reset", {})
        self.control("accept", {})

    def taken(self) -> list[dict[str, Any]]:
        """The log: a line for every letter, in order, also of those it could not say so."""
        return [json.loads(line) for line in self.log.read_text().splitlines()]

    def accepted(self) -> list[str]:
        """Message-IDs of the log."""
        return [line["message_id"] for line in self.taken()]

    def messages(self) -> list[dict[str, Any]]:
        """Letters as they can be read: envelope, headers, text, html, defects, raw."""
        found: list[dict[str, Any]] = []
        while page := self.control(
            f"letters?after={found[-1]['number'] if found else 0}&limit={_PAGE}"
        ):
            found += page
        return found


@contextmanager
def mail_sink(*options: str) -> Iterator[MailSink]:
    """Run `python -m demo.mail` on free ports with these options."""
    with tempfile.TemporaryDirectory() as folder:
        log = Path(folder) / "letters.log"
        asked = ("--port", "0", "--page-port", "0", "--log", str(log), *options)
        with started("demo.mail", *asked, patience=START_SECONDS) as (ports, pid):
            yield MailSink(ports["port"], ports["page_port"], pid, log)
