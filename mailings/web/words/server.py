"""Mail servers in words: how they stand, what a check found, the record to add."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from core.web.words import gettext as _
from mailings.models import MailServer
from mailings.sending import dns


@dataclass(frozen=True, slots=True)
class Finding:
    """A line of a check: `state` is good, bad or unsure. `record`: what to add at `place`, of this `type`."""

    state: str
    title: str
    text: str = ""
    place: str = ""
    type: str = "TXT"
    record: str = ""


def securities() -> dict[str, str]:
    """How the way to a server is protected."""
    return {
        "starttls": _("STARTTLS (usually port 587)"),
        "tls": _("TLS (usually port 465)"),
        "none": _("none (only inside your own network)"),
    }


def findings(server: MailServer, *, probed: bool = False) -> list[Finding]:
    """What is known of a server: whether it lets us in, `probed` just now or earlier, and its domain's records."""
    if server.problem:
        connected = [Finding("bad", _("The server does not let us in"), _why(server.problem))]
    elif probed or server.checked_at is not None:
        connected = [Finding("good", _("The server answers and takes the login"))]
    else:
        return []
    checked = server.checked or {}
    records = [_record(each) for each in checked.get("findings", [])]
    if checked and not checked.get("aligned", True):
        records.append(Finding("bad", _("Letters come back to another domain"), _("The domain of the return address must belong to the sender's, or DKIM must sign for it; otherwise DMARC fails.")))  # fmt: skip
    return [*connected, *sorted(records, key=lambda each: _WORST_FIRST[each.state])]


def _why(problem: str) -> str:
    """What went wrong with a connection; what is not known here is told as the server said it."""
    low = problem.lower()
    known = (
        (("refused",), _("Nobody listens at this address and port.")),
        (("timed out", "timeout"), _("No answer came. Check the address and the port.")),
        (("getaddrinfo", "name or service", "no address"), _("There is no server of this name.")),
        (("certificate",), _("Its certificate is not valid, so the letters might reach somebody else.")),
        (("authentication", " 535", "(535"), _("Login or password is wrong.")),
    )  # fmt: skip
    return next((words for signs, words in known if any(sign in low for sign in signs)), problem)


_WORST_FIRST = {"bad": 0, "unsure": 1, "good": 2}


def _record(raw: Mapping[str, Any]) -> Finding:
    """A record of DNS as the check found it."""
    name, found = str(raw.get("about", "")).upper(), str(raw.get("found") or "")
    state = raw.get("state")
    if state == "good":
        return Finding("good", _("%(record)s is in order", record=name), found)
    if state == "not_asked":
        why = _("Say the selector in the server's settings to have it checked.")
        if raw.get("problem") != "no_selector":
            why = _("DNS did not answer. Try again in a minute.")
        return Finding("unsure", _("%(record)s is not checked", record=name), why)
    text = _problems().get(str(raw.get("problem")), "")
    if found:
        text = f"{text} {_('There is now: %(found)s', found=found)}".strip()
    record = str(raw.get("record") or "")
    if dns.OWN_ADDRESS in record:
        address = _("PUBLIC-ADDRESS")
        record = record.replace(dns.OWN_ADDRESS, address)
        own = _("Instead of %(address)s put the public address your letters leave from.", address=address)  # fmt: skip
        text = f"{text} {own}".strip()
    title = _("%(record)s is missing", record=name) if state == "missing" else _("%(record)s is wrong", record=name)  # fmt: skip
    return Finding("bad", title, text, str(raw.get("name") or ""), "TXT", record)


def _problems() -> dict[str, str]:
    return {
        "no_record": _("Mail services can't tell that the letters are yours."),
        "several_records": _("There must be one such record: merge them."),
        "lets_everybody": _("It lets anybody write in your name."),
        "lets_nobody": _("It lets nobody send, your server neither."),
        "too_many_lookups": _("It refers to more than ten other records: mail services give up."),
        "revoked": _("The key was withdrawn."),
        "another_key": _("It holds another key than the one we sign by."),
        "no_policy": _("It does not say what to do with forged letters."),
    }


def server_state(server: MailServer) -> tuple[str, str]:
    """A chip: words and tone."""
    if server.problem:
        return _("does not answer"), "red"
    if server.checked_at is None:
        return _("not checked"), "neutral"
    if any(each.state == "bad" for each in findings(server)):
        return _("needs attention"), "orange"
    return _("works"), "green"
