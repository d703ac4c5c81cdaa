"""A portal with data and Rubilnik beside it, installed and synced: the processes and the steps.

Everything the application is told here, an administrator would tell it by hand: the key pair, the
first opening of the install page, which pipelines are sales, the switch of writing, which field says
that people agreed to letters. Letters go to a mail server of the demo's own, whose recipients act.
"""

from __future__ import annotations

import base64
import hmac
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
from dataclasses import dataclass
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parent.parent
DATA = ROOT / ".data" / "demo"
PROCESSES = ("web", "worker-interactive", "worker-sync", "worker-compute", "sender", "ticker")
CONSENT_FIELD = "UF_CRM_MAIL_CONSENT"
MAIL_FROM = "Пять направлений <news@five.example.com>"
SPEED, EAGER = 120, 3
SALES_PIPELINES = "0,1"
PATIENCE = 150


ANNOUNCEMENT = """
Ready.

  {portal}/
      The demo portal. Rubilnik is in its left menu: your client base at a glance.

  {portal}/crm/contact/details/{contact_id}/
      A client's card: LTV and average check among the fields, written by Rubilnik;
      the tab «Рубильник» explains them deal by deal.

  {mail}/
      The demo's mail: what you send from «Рассылки» arrives here, to invented people who
      open, click, leave requests on the portal and buy, {speed} times faster than in life.

  {app}/styleguide
      The design system the pages are made of.

  Try: send an offer to «Foreign leads»; move a deal to a won stage and watch the card; choose another user at the top right
  and see what an ordinary manager may see; open Settings in Rubilnik.

Ctrl-C stops everything. Logs: {logs}/
"""


class DemoFailed(Exception):
    """A step did not succeed; the message says which and where to look."""


@dataclass(frozen=True)
class Options:
    """Where the pieces listen and how much data there is."""

    port: int = 8000
    portal_port: int = 8899
    mail_port: int = 8925
    sizes: str = "demo"
    seed: int = 1
    data: Path = DATA
    limits: str = "enterprise"


class Demo:
    """The running pieces and what they need to know of each other."""

    def __init__(self, options: Options) -> None:
        self.options = options
        self.portal = f"http://127.0.0.1:{options.portal_port}"
        self.app = f"http://127.0.0.1:{options.port}"
        self.mail = f"http://127.0.0.1:{options.mail_port + 1}"
        self.logs = options.data / "logs"
        secret = secrets.token_urlsafe(48)
        self.receipts = f"{self.app}/receipts/email/dsn?key={receipts_key(secret)}"
        self.env = {
            **os.environ,
            "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ.get('PATH', '')}",
            "PORT": str(options.port),
            "WSGI": "styleguide.wsgi:app",
            "PUBLIC_URL": self.app,
            "DATA_DIR": str(self.options.data),
            "DATABASE_URL": "",
            "REDIS_URL": "",
            "SECRET_KEY": secret,
            "ENCRYPTION_KEYS": base64.urlsafe_b64encode(os.urandom(32)).decode(),
            "B24_OAUTH_URLS": f"http://127.0.0.1:{options.portal_port + 1}",
            "ALLOW_PRIVATE_PORTALS": "1",
            "SMTP_URL": f"smtp://127.0.0.1:{options.mail_port}",
            "MAIL_FROM": MAIL_FROM,
        }
        self.children: list[subprocess.Popen[bytes]] = []
        self.member_id = self.client_id = ""

    def start(self) -> None:
        """Bring everything up, install, sync, write."""
        self._fresh_data()
        self._say("Starting the demo portal with invented data…")
        self._spawn(
            "portal", sys.executable, "-m", "demo.portal",
            "--port", str(self.options.portal_port),
            "--sizes", self.options.sizes, "--seed", str(self.options.seed), "--clean", "--limits", self.options.limits,
        )  # fmt: skip
        self._spawn(
            "mail", sys.executable, "-m", "demo.mail",
            "--port", str(self.options.mail_port), "--page-port", str(self.options.mail_port + 1),
            "--log", str(self.options.data / "letters.log"), "--seed", str(self.options.seed),
            "--app", self.app, "--portal", self.portal, "--receipts", self.receipts,
            "--speed", str(SPEED), "--eager", str(EAGER),
        )  # fmt: skip
        self._wait("the demo's mail", lambda: get(f"{self.mail}/control/"))
        self._wait("the demo portal", lambda: get(f"{self.portal}/control/"))
        keys = self._register()
        self.client_id = keys["client_id"]
        self._say("Starting Rubilnik…")
        self.flask("migrate")
        self.flask(
            "portals", "add", "--domain", self.portal,
            "--client-id", keys["client_id"], "--client-secret", "-",
            stdin=keys["client_secret"],
        )  # fmt: skip
        self._spawn(
            "app", sys.executable, "-m", "honcho", "start", "-e", os.devnull,
            "-p", str(self.options.port), *PROCESSES,
        )  # fmt: skip
        self._wait("Rubilnik", lambda: get(f"{self.app}/healthz"))
        self._install(keys["client_id"])
        self._finish_setup()

    def announce(self) -> None:
        """Print what to open."""
        best = json.loads(self.flask("best-client", "--portal", self.member_id, "--json"))
        print(
            ANNOUNCEMENT.format(
                portal=self.portal,
                app=self.app,
                contact_id=best["contact_id"],
                mail=self.mail,
                speed=SPEED,
                logs=self.logs.relative_to(ROOT),
            ),
            flush=True,
        )

    def wait(self) -> None:
        """Until Ctrl-C, or until something dies."""
        while all(child.poll() is None for child in self.children):
            time.sleep(0.5)
        raise DemoFailed(f"a process has stopped; see {self.logs}")

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
        if self.options.data.exists():
            self._run(sys.executable, "-m", "core.embedded", "stop")
            shutil.rmtree(self.options.data)
        self.logs.mkdir(parents=True)

    def _register(self) -> dict[str, Any]:
        app = {
            "title": "Рубильник",
            "handler_url": f"{self.app}/",
            "install_url": f"{self.app}/install",
            "scopes": ["crm", "catalog", "placement", "user_basic", "userfieldconfig", "im"],
        }
        found: dict[str, Any] = post(f"{self.portal}/control/apps", app)
        return found

    def _install(self, client_id: str) -> None:
        self._say("Installing Rubilnik into the portal, as its administrator would…")
        control = f"{self.portal}/control/apps/{client_id}"
        frame = post(f"{control}/open", {"user_id": 1})
        form(frame["url"], frame["body"])
        self._wait("the installation", lambda: self._portal_row()["state"] == "active")
        post(f"{control}/finish", {})

    def _finish_setup(self) -> None:
        self._say("Reading the portal's clients and deals…")
        self._wait("the first reading", lambda: self._portal_row()["last_sync_at"])
        name = self._portal_row()["member_id"]
        self._say("Counting, and writing figures onto the cards…")
        self.flask("sale-rule", "--portal", name, "--pipelines", SALES_PIPELINES)
        self.flask("writing", "--portal", name, "--on", "--badge")
        write = ("writeback", "--portal", name, "--no-wait", "--json")
        self._wait("figures on the cards", lambda: self.flask(*write, check=False))
        self.flask("consents", "field", "--portal", name, "--code", CONSENT_FIELD)
        self.member_id = name

    def _portal_row(self) -> dict[str, Any]:
        found: dict[str, Any] = json.loads(self.flask("portals", "list", "--json"))
        return found

    def flask(self, *arguments: str, stdin: str = "", check: bool = True) -> str:
        """Run a command of the application; what it printed."""
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
        with (self.logs / f"{name}.log").open("wb") as log:
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
        raise DemoFailed(f"{what} did not come up; see {self.logs}")

    @staticmethod
    def _say(text: str) -> None:
        print(text, flush=True)


def receipts_key(secret: str) -> str:
    """The key of the whole installation's door for returned letters, as docs/security.md tells its operator."""
    return f"0.{hmac.digest(secret.encode(), b'receipts:0', 'sha256').hex()[:32]}"


def get(url: str) -> bytes:
    """The body of a page."""
    with urllib.request.urlopen(url, timeout=5) as reply:
        found: bytes = reply.read()
        return found


def post(url: str, body: dict[str, Any]) -> Any:
    """Post JSON, read JSON."""
    request = urllib.request.Request(
        url, json.dumps(body).encode(), {"Content-Type": "application/json"}
    )
    with urllib.request.urlopen(request, timeout=30) as reply:
        return json.loads(reply.read())


def form(url: str, body: dict[str, str]) -> None:
    """Post a form, as a browser's frame does."""
    with urllib.request.urlopen(url, urllib.parse.urlencode(body).encode(), timeout=60) as reply:
        reply.read()
