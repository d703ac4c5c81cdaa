"""What the form of a mail server sends: its parts as the use case wants them, and the mailbox of returns."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date
from typing import Any

from core.web.words import gettext as _
from mailings.models import MailServer
from mailings.sending.server_checks import BadServer
from mailings.sending.servers import Wanted

_NUMBERS = ("rate_per_minute", "group_rate_per_minute", "daily_quota")
_TEXTS = (
    "name", "host", "security", "username", "from_email", "from_name", "reply_to",
    "bounce_domain", "dkim_selector",
)  # fmt: skip
_USUAL_PORT, _USUAL_CONNECTIONS = 587, 10


def wanted(form: Mapping[str, str]) -> Wanted:
    """The server as it was entered. Raises BadServer for a number or a day that is none."""
    text = {name: form.get(name, "").strip() for name in _TEXTS}
    return Wanted(
        name=text["name"],
        host=text["host"],
        port=_whole(form, "port") or _USUAL_PORT,
        security=text["security"] or "starttls",
        username=text["username"],
        from_email=text["from_email"],
        from_name=text["from_name"],
        reply_to=text["reply_to"],
        bounce_domain=text["bounce_domain"],
        dkim_selector=text["dkim_selector"],
        connections=_whole(form, "connections") or _USUAL_CONNECTIONS,
        rate_per_minute=_whole(form, "rate_per_minute"),
        group_rate_per_minute=_whole(form, "group_rate_per_minute"),
        daily_quota=_whole(form, "daily_quota"),
        warm_up_from=_day(form, "warm_up_from"),
    )


def mailbox(form: Mapping[str, str]) -> dict[str, Any] | None:
    """The mailbox returned letters are read in; None when no server was entered."""
    host = form.get("mailbox_host", "").strip().lower()
    if not host:
        return None
    port = _whole(form, "mailbox_port")
    found = {
        "host": host,
        "security": form.get("mailbox_security") or "tls",
        "username": form.get("mailbox_username", "").strip(),
        "folder": form.get("mailbox_folder", "").strip() or "INBOX",
    }
    return {**found, "port": port} if port else found


def typed(server: MailServer | None) -> dict[str, Any]:
    """The server as its form shows it."""
    if server is None:
        return {"port": _USUAL_PORT, "security": "starttls", "connections": _USUAL_CONNECTIONS}
    box = server.mailbox or {}
    own = (*_TEXTS, *_NUMBERS, "port", "connections")
    return {
        **{name: getattr(server, name) for name in own},
        "warm_up_from": server.warm_up_from.isoformat() if server.warm_up_from else "",
        **{f"mailbox_{name}": box.get(name) for name in ("host", "port", "username", "folder", "security")},
    }  # fmt: skip


def told(error: BadServer) -> str:
    """What is wrong with a part, in words."""
    return {
        "empty": _("This is needed"),
        "private": _("Addresses inside a private network are not allowed"),
        "unprotected": _("Without encryption the password and the letters can be read on the way"),
        "too_much": _("This is too much"),
        "bad_key": _("This is no private key in PEM that can sign letters"),
    }.get(error.problem, _("This can't be right"))


def _whole(form: Mapping[str, str], name: str) -> int | None:
    text = "".join(form.get(name, "").split())
    if not text:
        return None
    if not (text.isascii() and text.isdigit()):
        raise BadServer(name, "wrong")
    return int(text)


def _day(form: Mapping[str, str], name: str) -> date | None:
    try:
        return date.fromisoformat(form[name]) if form.get(name) else None
    except ValueError as error:
        raise BadServer(name, "wrong") from error
