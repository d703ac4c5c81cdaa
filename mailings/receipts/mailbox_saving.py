"""The mailbox returned letters are read in, as an administrator enters it; its password is sealed beside it."""

from __future__ import annotations

import re
from typing import Any

from sqlalchemy.orm import Session

from core.crypto import Vault
from mailings.models import MailServer
from mailings.receipts.imap import STARTTLS, TLS
from mailings.sending.server_checks import BadServer

_HOST = re.compile(r"[a-z0-9](?:[a-z0-9.-]{0,251}[a-z0-9])?")
_CONTROL = re.compile(r"[\x00-\x1f\x7f]")
_LONGEST, _LAST_PORT = 200, 65535
_PLACE = ("host", "port", "security", "username", "folder")
_ACCOUNT = ("host", "port", "username")


def save(
    session: Session,
    vault: Vault,
    server: MailServer,
    entered: dict[str, Any] | None,
    password: str,
) -> None:
    """Keep the mailbox of a server; None forgets it. An empty password leaves the stored one, but not for
    another account. Raises BadServer.
    """
    before = server.mailbox or {}
    if entered is None:
        server.mailbox = server.mailbox_password_sealed = server.mailbox_problem = None
        return
    _check(entered)
    if any(before.get(name) != entered.get(name) for name in _ACCOUNT):
        server.mailbox_password_sealed = None
    if password:
        server.mailbox_password_sealed = vault.seal(server.portal_id, password)
    same = all(before.get(name) == entered.get(name) for name in _PLACE)
    server.mailbox = {**entered, "read_to": before["read_to"]} if same and "read_to" in before else entered  # fmt: skip
    server.mailbox_problem = None
    session.flush()


def _check(entered: dict[str, Any]) -> None:
    if not _HOST.fullmatch(entered["host"]):
        raise BadServer("mailbox_host", "wrong")
    if not 0 < entered.get("port", 1) <= _LAST_PORT:
        raise BadServer("mailbox_port", "wrong")
    if entered["security"] not in (TLS, STARTTLS):
        raise BadServer("mailbox_security", "wrong")
    for name in ("username", "folder"):
        if not entered[name]:
            raise BadServer(f"mailbox_{name}", "empty")
        if _CONTROL.search(entered[name]) or len(entered[name]) > _LONGEST:
            raise BadServer(f"mailbox_{name}", "wrong")
