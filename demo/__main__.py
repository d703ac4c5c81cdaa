"""`make demo`: a portal with data, Rubilnik beside it, installed and synced; prints what to open.

Everything the application is told here, an administrator would tell it by hand: the key pair, the
first opening of the install page, which pipelines are sales, the switch of writing.
"""

from __future__ import annotations

import argparse
import base64
import json
import os
import secrets
import shutil
import signal
import subprocess
import sys
import time
import urllib.parse
import urllib.request
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parent.parent
DATA = ROOT / ".data" / "demo"
PROCESSES = ("web", "worker-interactive", "worker-sync", "worker-compute", "ticker")
SALES_PIPELINES = "0,1"
PATIENCE = 150


class DemoFailed(Exception):
    """A step did not succeed; the message says which and where to look."""


class Demo:
    """The running pieces and what they need to know of each other."""

    def __init__(self, options: argparse.Namespace) -> None:
        self.options = options
        self.portal = f"http://127.0.0.1:{options.portal_port}"
        self.app = f"http://127.0.0.1:{options.port}"
        self.env = {
            **os.environ,
            "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ.get('PATH', '')}",
            "PORT": str(options.port),
            "PUBLIC_URL": self.app,
            "DATA_DIR": str(DATA),
            "DATABASE_URL": "",
            "REDIS_URL": "",
            "SECRET_KEY": secrets.token_urlsafe(48),
            "ENCRYPTION_KEYS": base64.urlsafe_b64encode(os.urandom(32)).decode(),
            "B24_OAUTH_URLS": f"http://127.0.0.1:{options.portal_port + 1}",
            "ALLOW_PRIVATE_PORTALS": "1",
        }
        self.children: list[subprocess.Popen[bytes]] = []

    def start(self) -> None:
        """Bring everything up, install, sync, write."""
        self._fresh_data()
        self._say("Starting the demo portal with invented data…")
        self._spawn(
            "portal", sys.executable, "-m", "demo.portal",
            "--port", str(self.options.portal_port),
            "--sizes", self.options.sizes, "--seed", str(self.options.seed), "--clean", "--limits", "enterprise",
        )  # fmt: skip
        self._wait("the demo portal", lambda: _get(f"{self.portal}/control/"))
        keys = self._register()
        self._say("Starting Rubilnik…")
        self._flask("migrate")
        self._flask(
            "portals", "add", "--domain", self.portal,
            "--client-id", keys["client_id"], "--client-secret", "-",
            stdin=keys["client_secret"],
        )  # fmt: skip
        self._spawn(
            "app", sys.executable, "-m", "honcho", "start", "-e", os.devnull,
            "-p", str(self.options.port), *PROCESSES,
        )  # fmt: skip
        self._wait("Rubilnik", lambda: _get(f"{self.app}/healthz"))
        self._install(keys["client_id"])
        self._finish_setup()

    def wait(self) -> None:
        """Until Ctrl-C, or until something dies."""
        while all(child.poll() is None for child in self.children):
            time.sleep(0.5)
        raise DemoFailed(f"a process has stopped; see {DATA / 'logs'}")

    def stop(self) -> None:
        """End the processes in the order they depend on each other."""
        for child in reversed(self.children):
            if child.poll() is None:
                child.send_signal(signal.SIGTERM)
                try:
                    child.wait(20)
                except subprocess.TimeoutExpired:
                    child.kill()

    def _fresh_data(self) -> None:
        """The portal lives in memory, so what an earlier demo mirrored is of no use."""
        if DATA.exists():
            self._run(sys.executable, "-m", "core.embedded", "stop")
            shutil.rmtree(DATA)
        (DATA / "logs").mkdir(parents=True)

    def _register(self) -> dict[str, Any]:
        app = {
            "title": "Рубильник",
            "handler_url": f"{self.app}/",
            "install_url": f"{self.app}/install",
            "scopes": ["crm", "placement", "user_basic", "userfieldconfig", "im"],
        }
        found: dict[str, Any] = _post(f"{self.portal}/control/apps", app)
        return found

    def _install(self, client_id: str) -> None:
        self._say("Installing Rubilnik into the portal, as its administrator would…")
        control = f"{self.portal}/control/apps/{client_id}"
        frame = _post(f"{control}/open", {"user_id": 1})
        _form(frame["url"], frame["body"])
        self._wait("the installation", lambda: self._portal_row()["state"] == "active")
        _post(f"{control}/finish", {})

    def _finish_setup(self) -> None:
        self._say("Reading the portal's clients and deals…")
        self._wait("the first reading", lambda: self._portal_row()["last_sync_at"])
        name = self._portal_row()["member_id"]
        self._say("Counting, and writing figures onto the cards…")
        self._flask("sale-rule", "--portal", name, "--pipelines", SALES_PIPELINES)
        self._flask("writing", "--portal", name, "--on")
        self._flask("writeback", "--portal", name, check=False)
        best = json.loads(self._flask("best-client", "--portal", name, "--json"))
        self._announce(best)

    def _announce(self, best: dict[str, Any]) -> None:
        print(
            f"""
Ready.

  {self.portal}/
      The demo portal. Rubilnik is in its left menu: your client base at a glance.

  {self.portal}/crm/contact/details/{best["contact_id"]}/
      A client's card: LTV and average check among the fields, written by Rubilnik;
      the tab «Рубильник» explains them deal by deal.

  Try: move a deal to a won stage and watch the card; choose another user at the top right
  and see what an ordinary manager may see; open Settings in Rubilnik.

Ctrl-C stops everything. Logs: {(DATA / "logs").relative_to(ROOT)}/
""",
            flush=True,
        )

    def _portal_row(self) -> dict[str, Any]:
        found: dict[str, Any] = json.loads(self._flask("portals", "list", "--json"))
        return found

    def _flask(self, *arguments: str, stdin: str = "", check: bool = True) -> str:
        return self._run(
            sys.executable, "-m", "flask", "--app", "wsgi", *arguments, stdin=stdin, check=check
        )

    def _run(self, *command: str, stdin: str = "", check: bool = True) -> str:
        done = subprocess.run(
            command, cwd=ROOT, env=self.env, input=stdin.encode(), capture_output=True, check=False
        )
        if check and done.returncode:
            raise DemoFailed(f"{' '.join(command[2:6])}: {done.stderr.decode()[-2000:]}")
        return done.stdout.decode()

    def _spawn(self, name: str, *command: str) -> None:
        with (DATA / "logs" / f"{name}.log").open("wb") as log:
            self.children.append(
                subprocess.Popen(
                    command, cwd=ROOT, env=self.env, stdin=subprocess.DEVNULL,
                    stdout=log, stderr=subprocess.STDOUT, start_new_session=True,
                )
            )  # fmt: skip

    def _wait(self, what: str, ready: Any) -> None:
        deadline = time.monotonic() + PATIENCE
        while time.monotonic() < deadline:
            if any(child.poll() is not None for child in self.children):
                break
            try:
                if ready():
                    return
            except (OSError, ValueError):
                pass
            time.sleep(0.3)
        raise DemoFailed(f"{what} did not come up; see {DATA / 'logs'}")

    @staticmethod
    def _say(text: str) -> None:
        print(text, flush=True)


def _get(url: str) -> bytes:
    with urllib.request.urlopen(url, timeout=5) as reply:
        found: bytes = reply.read()
        return found


def _post(url: str, body: dict[str, Any]) -> Any:
    request = urllib.request.Request(
        url, json.dumps(body).encode(), {"Content-Type": "application/json"}
    )
    with urllib.request.urlopen(request, timeout=30) as reply:
        return json.loads(reply.read())


def _form(url: str, body: dict[str, str]) -> None:
    with urllib.request.urlopen(url, urllib.parse.urlencode(body).encode(), timeout=60) as reply:
        reply.read()


def main() -> int:
    """Run the demo until Ctrl-C."""
    parser = argparse.ArgumentParser(prog="make demo", description=__doc__)
    parser.add_argument("--port", type=int, default=int(os.environ.get("PORT", "8000")))
    parser.add_argument("--portal-port", type=int, default=8899)
    parser.add_argument("--sizes", default="demo", choices=["tiny", "small", "demo", "large"])
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--once", action="store_true", help="stop as soon as everything is ready")
    demo = Demo(parser.parse_args())
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        demo.start()
        if not demo.options.once:
            demo.wait()
    except KeyboardInterrupt:
        print("\nStopping…", flush=True)
    except DemoFailed as error:
        print(f"\nThe demo stopped: {error}", file=sys.stderr)
        return 1
    finally:
        demo.stop()
    return 0


if __name__ == "__main__":
    sys.exit(main())
