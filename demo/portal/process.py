"""The demo portal as a process of its own: started, told what to do, stopped."""

from __future__ import annotations

import json
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from demo.started import started

START_SECONDS = 600.0  # millions of rows
CONTROL_SECONDS = 300.0


class ControlError(Exception):
    """The control API refused an order."""


@dataclass(frozen=True)
class DemoPortal:
    """A running demo portal."""

    url: str
    oauth_url: str
    pid: int

    @property
    def domain(self) -> str:
        """host:port of the portal as it was started."""
        return self.url.partition("://")[2]

    def control(self, path: str, body: dict[str, Any] | None = None, method: str = "") -> Any:
        """Call /control/<path>: POST with a body, GET without, or the verb given."""
        request = urllib.request.Request(
            f"{self.url}/control/{path.lstrip('/')}",
            data=None if body is None else json.dumps(body).encode(),
            headers={"Content-Type": "application/json"},
            method=method or None,
        )
        try:
            with urllib.request.urlopen(request, timeout=CONTROL_SECONDS) as answer:
                return json.load(answer)
        except urllib.error.HTTPError as error:
            raise ControlError(error.read().decode()) from error

    def webhook(self, user_id: int = 1, scopes: list[str] | None = None) -> str:
        """The address of a new incoming webhook, with a slash at the end."""
        body = {"user_id": user_id} | ({"scopes": scopes} if scopes else {})
        url: str = self.control("webhooks", body)["url"]
        return url

    def register(self, **form: Any) -> dict[str, Any]:
        """Register a local application; see POST /control/apps."""
        app: dict[str, Any] = self.control("apps", form)
        return app

    def open(self, client_id: str, **how: Any) -> dict[str, Any]:
        """What the browser would post to open an application: {url, body, name}."""
        frame: dict[str, Any] = self.control(f"apps/{client_id}/open", how)
        return frame

    def fault(self, kind: str, match: str = "*", **rule: Any) -> None:
        """Add a fault rule."""
        self.control("faults", {"kind": kind, "match": match, **rule})

    def clear_faults(self) -> None:
        """Forget all fault rules."""
        self.control("faults", method="DELETE")

    def counters(self) -> dict[str, int]:
        """Calls and errors counted so far."""
        counted: dict[str, int] = self.control("counters")
        return counted


@contextmanager
def demo_portal(*options: str) -> Iterator[DemoPortal]:
    """Run `python -m demo.portal` on free ports with these options."""
    asked = ("--port", "0", *options)
    with started("demo.portal", *asked, patience=START_SECONDS) as (addresses, pid):
        yield DemoPortal(addresses["portal"], addresses["oauth"], pid)
