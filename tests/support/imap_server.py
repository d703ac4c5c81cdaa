"""A mailbox of its own over IMAP with TLS: messages are put in, read, flagged and removed by number.

`server.letters` is what is in it; `server.dies_before` names a command at which the link is cut.
"""

from __future__ import annotations

import re
import socketserver
import ssl
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

USER, PASSWORD = "returns", "a password for tests only"


@dataclass
class ImapServer:
    """The mailbox: messages by number, those marked as deleted, and how it was asked."""

    port: int = 0
    trust: ssl.SSLContext | None = None
    letters: dict[int, bytes] = field(default_factory=dict)
    deleted: set[int] = field(default_factory=set)
    seen: set[int] = field(default_factory=set)
    commands: list[str] = field(default_factory=list)
    validity: int = 7
    dies_before: str = ""

    def put(self, raw: bytes) -> int:
        """One more message; its number."""
        uid = max(self.letters, default=0) + 1
        self.letters[uid] = raw
        return uid


class _Handler(socketserver.StreamRequestHandler):
    box: ImapServer

    def handle(self) -> None:
        self.say("* OK ready")
        while line := self.rfile.readline():
            tag, _, rest = line.decode().strip().partition(" ")
            command = rest.upper().removeprefix("UID ").split(" ")[0]
            self.box.commands.append(command)
            if self.box.dies_before == command:
                return
            self.say(f"{tag} {self.answer(command, rest) or 'OK done'}")
            if command == "LOGOUT":
                return

    def say(self, text: str) -> None:
        self.wfile.write(text.encode() + b"\r\n")

    def answer(self, command: str, rest: str) -> str:  # noqa: C901 - a case for each command
        """Untagged lines are said here; the tagged one is returned, «OK» if empty."""
        box = self.box
        match command:
            case "CAPABILITY":
                self.say("* CAPABILITY IMAP4rev1 UIDPLUS")
            case "LOGIN":
                return "" if f'"{PASSWORD}"' in rest and USER in rest else "NO wrong password"
            case "SELECT" if '"INBOX"' not in rest:
                return "NO no such folder"
            case "SELECT":
                self.say(f"* OK [UIDVALIDITY {box.validity}] valid")
            case "SEARCH":
                first = int(re.search(r"UID (\d+):\*", rest)[1])
                found = [n for n in sorted(box.letters) if n >= first] or sorted(box.letters)[-1:]
                self.say("* SEARCH " + " ".join(map(str, found)))  # n:* always has the last one
            case "FETCH":
                uid = int(rest.split()[2])
                if raw := box.letters.get(uid):
                    size = int(re.search(r"<0\.(\d+)>", rest)[1])
                    self.say(f"* 1 FETCH (UID {uid} BODY[]<0> {{{len(raw[:size])}}}")
                    self.wfile.write(raw[:size])
                    self.say(")")
            case "STORE":
                box.deleted |= numbers(rest)
            case "EXPUNGE":
                for uid in numbers(rest) & box.deleted:
                    box.letters.pop(uid, None)
        return ""


def numbers(rest: str) -> set[int]:
    """The numbers of messages a command names."""
    return set(map(int, rest.split()[2].split(",")))


class _Server(socketserver.ThreadingTCPServer):
    allow_reuse_address = daemon_threads = True
    context: ssl.SSLContext

    def get_request(self):
        sock, address = super().get_request()
        sock.settimeout(10)
        return self.context.wrap_socket(sock, server_side=True), address

    def handle_error(self, request, client_address) -> None:
        """A client that does not trust us hangs up."""


@contextmanager
def imap_server(folder: Path) -> Iterator[ImapServer]:
    """Serve an empty mailbox on a free port of this machine."""
    box = ImapServer()
    context, box.trust = _certificate(folder)
    handler = type("Handler", (_Handler,), {"box": box})
    with _Server(("127.0.0.1", 0), handler) as server:
        server.context, box.port = context, server.server_address[1]
        thread = threading.Thread(
            target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True
        )
        thread.start()
        yield box
        server.shutdown()
        thread.join()


def _certificate(folder: Path) -> tuple[ssl.SSLContext, ssl.SSLContext]:
    """Of a server on this machine, and of a client that trusts it."""
    key, now = ec.generate_private_key(ec.SECP256R1()), datetime.now(UTC)
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "mail.example.test")])
    made = (
        x509.CertificateBuilder()
        .subject_name(name).issuer_name(name).public_key(key.public_key()).serial_number(1)
        .not_valid_before(now - timedelta(days=1)).not_valid_after(now + timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.IPAddress(ip_address("127.0.0.1"))]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )  # fmt: skip
    pem = made.public_bytes(serialization.Encoding.PEM)
    secret = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    path = folder / "imap.pem"
    path.write_bytes(pem + secret)
    server = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    server.load_cert_chain(path)
    return server, ssl.create_default_context(cadata=pem.decode())
