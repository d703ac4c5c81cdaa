"""A portal that is being read from its beginning all the while, as a background to measurements."""

from __future__ import annotations

import threading
from urllib.parse import urlencode
from urllib.request import Request, urlopen

from demo.running import Demo, post

PRESSED_EVERY = 3.0


class FullSyncs(threading.Thread):
    """An administrator who presses «Read everything» on the health page as soon as it is done."""

    def __init__(self, demo: Demo) -> None:
        super().__init__(daemon=True)
        self._demo = demo
        self._stopped = threading.Event()

    def run(self) -> None:
        """Press; while everything is being read, one more press starts nothing."""
        headers = self._session()
        url = f"{self._demo.app}/health/check"
        while not self._stopped.wait(PRESSED_EVERY):
            try:
                with urlopen(Request(url, b"full=1", headers), timeout=30) as answer:
                    answer.read()
            except OSError:  # the page asks the portal who looks, and that may be in trouble
                headers = self._session()

    def _session(self) -> dict[str, str]:
        page = post(f"{self._demo.portal}/control/apps/{self._demo.client_id}/open", {"user_id": 1})
        with urlopen(page["url"], urlencode(page["body"]).encode(), timeout=30) as answer:
            token = answer.headers["X-Session"]
        return {"Authorization": f"Bearer {token}", "HX-Request": "true"}

    def stop(self) -> None:
        """The last one was enough."""
        self._stopped.set()
        self.join()
