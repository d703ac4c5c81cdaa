"""A mailbox over IMAP: the messages after a place in a folder, and their removal by number.

TLS is always verified; without it a password is sent only where private addresses are allowed.
"""

from __future__ import annotations

import imaplib
import re
import socket
import ssl
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from typing import Any

from core import sockets
from core.errors import ForbiddenAddress

TIMEOUT = 20.0
LARGEST = 256 * 1024
"""As much of a message as is read: headers, the report and the beginning of what is enclosed."""

TLS, STARTTLS, PLAIN = "tls", "starttls", "plain"


class MailboxTrouble(Exception):
    """The mailbox can't be read; `code` says why: address, connection, certificate, login, folder, protocol."""

    def __init__(self, code: str, detail: str = "") -> None:
        super().__init__(f"{code}: {detail}" if detail else code)
        self.code = code


@dataclass(frozen=True, slots=True)
class Account:
    """Where a mailbox is and who may read it."""

    host: str
    port: int
    security: str
    username: str
    password: str
    folder: str = "INBOX"

    @classmethod
    def of(cls, stored: dict[str, Any], password: str) -> Account:
        """From `MailServer.mailbox`: host, port, security (tls, starttls), username, folder."""
        security = str(stored.get("security") or TLS)
        return cls(
            host=str(stored.get("host") or ""),
            port=int(stored.get("port") or (993 if security == TLS else 143)),
            security=security,
            username=str(stored.get("username") or ""),
            password=password,
            folder=str(stored.get("folder") or "INBOX"),
        )


@dataclass(frozen=True, slots=True)
class Letter:
    """A message of the folder."""

    uid: int
    raw: bytes


class Mailbox:
    """An open folder. Numbers of messages mean something only together with `validity`."""

    def __init__(self, wire: imaplib.IMAP4, validity: int) -> None:
        self._wire, self.validity = wire, validity

    def after(self, uid: int, at_most: int) -> Iterator[Letter]:
        """The messages after this number, in order; none is marked as read."""
        for number in self._numbers(uid)[:at_most]:
            answer = _asked(self._wire.uid, "FETCH", str(number), f"(BODY.PEEK[]<0.{LARGEST}>)")
            raw = next((part[1] for part in answer if isinstance(part, tuple)), None)
            if raw is not None:  # somebody else may have removed it meanwhile
                yield Letter(number, raw)

    def remove(self, uids: list[int]) -> None:
        """Remove these messages, and no others that somebody has marked meanwhile."""
        if not uids:
            return
        listed = ",".join(map(str, uids))
        _asked(self._wire.uid, "STORE", listed, "+FLAGS.SILENT", r"(\Deleted)")
        if "UIDPLUS" in self._wire.capabilities:
            _asked(self._wire.uid, "EXPUNGE", listed)

    def _numbers(self, uid: int) -> list[int]:
        answer = _asked(self._wire.uid, "SEARCH", f"UID {uid + 1}:*")
        found = (answer[0] or b"").split() if answer else []
        return sorted({int(each) for each in found if int(each) > uid})


@contextmanager
def opened(
    account: Account, *, allow_private: bool, context: ssl.SSLContext | None = None
) -> Iterator[Mailbox]:
    """The folder of this account. Raises MailboxTrouble."""
    wire = _connected(account, allow_private, context or sockets.trusting_only_known())
    try:
        yield Mailbox(wire, _entered(wire, account))
    except (OSError, imaplib.IMAP4.error) as error:
        raise MailboxTrouble("connection", str(error)) from error
    finally:
        for ending in (wire.logout, wire.shutdown):  # a cut link leaves the second to be done
            with suppress(OSError, imaplib.IMAP4.error):
                ending()


def _entered(wire: imaplib.IMAP4, account: Account) -> int:
    """Log in and open the folder; its validity."""
    try:
        wire.login(account.username, account.password)
    except imaplib.IMAP4.error as error:
        raise MailboxTrouble("login", str(error)) from error
    kind, _ = wire.select(_quoted(account.folder))
    if kind != "OK":
        raise MailboxTrouble("folder", account.folder)
    _, told = wire.response("UIDVALIDITY")
    found = re.search(rb"\d+", told[0]) if told and isinstance(told[0], bytes) else None
    return int(found[0]) if found else 0


def _connected(account: Account, allow_private: bool, context: ssl.SSLContext) -> imaplib.IMAP4:
    plain = account.security == PLAIN
    if plain and not allow_private:
        raise MailboxTrouble("address", "only with TLS")
    try:
        wire = _Wire(account, allow_private, context if account.security == TLS else None)
        if account.security == STARTTLS:
            wire.starttls(context)
    except ForbiddenAddress as error:
        raise MailboxTrouble("address", str(error)) from error
    except ssl.SSLCertVerificationError as error:
        raise MailboxTrouble("certificate", error.verify_message) from error
    except (OSError, imaplib.IMAP4.error) as error:
        raise MailboxTrouble("connection", str(error)) from error
    return wire


class _Wire(imaplib.IMAP4):
    """Connects only where `core.sockets` lets it; with a `context`, inside TLS from the first byte on."""

    def __init__(
        self, account: Account, allow_private: bool, context: ssl.SSLContext | None
    ) -> None:
        self._allow_private, self._context = allow_private, context
        super().__init__(account.host, account.port, TIMEOUT)

    def _create_socket(self, timeout: float | None) -> socket.socket:
        bare = sockets.connect(
            self.host, self.port, timeout=timeout or TIMEOUT, allow_private=self._allow_private
        )
        if self._context is None:
            return bare
        try:
            return self._context.wrap_socket(bare, server_hostname=self.host)
        except OSError:
            bare.close()
            raise


def _asked(command: Callable[..., tuple[str, list[Any]]], *arguments: str) -> list[Any]:
    kind, answer = command(*arguments)
    if kind != "OK":
        raise MailboxTrouble("protocol", f"{arguments[0]} was refused")
    return answer


def _quoted(folder: str) -> str:
    """A folder's name as IMAP writes it: other letters in modified UTF-7."""
    escaped = folder.replace("\\", "\\\\").replace('"', '\\"')
    return '"' + "".join(_utf7(escaped)) + '"'


def _utf7(name: str) -> Iterator[str]:
    for part in re.findall(r"[\x20-\x7e]+|[^\x20-\x7e]+", name):
        if part[0].isascii():
            yield part.replace("&", "&-")
        else:
            yield (
                part.encode("utf-7").decode().replace("/", ",").replace("+", "&", 1).rstrip("-")
                + "-"
            )
