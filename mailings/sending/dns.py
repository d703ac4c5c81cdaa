"""Whether the world will believe a server's letters: SPF, DKIM and DMARC of the sending domain, as DNS has them.

The findings are data, each with the record that would put it right; what blocks a large mailing is said here too.
https://datatracker.ietf.org/doc/html/rfc7489
"""

from __future__ import annotations

import base64
import ipaddress
from collections.abc import Callable
from dataclasses import asdict, dataclass
from enum import StrEnum
from typing import Any

import dns.exception
import dns.resolver
from cryptography.hazmat.primitives import serialization
from sqlalchemy.orm import Session

from core.addresses import is_public
from core.clock import utcnow
from core.crypto import Vault
from mailings.models import MailServer
from mailings.rules.replies import Record

BULK = 1000
"""From so many recipients on, a mailing waits until nothing blocks it."""

OWN_ADDRESS = "ADDRESS"
"""In a record to add: the public address letters leave from, which only their sender knows."""

NO_SELECTOR = "no_selector"
"""The one thing that is not asked although DNS would answer."""

_INSIDE = {"local", "localdomain", "lan", "internal", "home", "intranet"}
_SECONDS = 4.0
_MOST_LOOKUPS = 10
_TWO_LABELS = {"com", "co", "org", "net", "gov", "edu", "ac", "msk", "spb"}

Texts = Callable[[str], list[str]]
"""The TXT records of a name; raises NoAnswer."""


class NoAnswer(Exception):
    """DNS could not be asked; nothing is known."""


class State(StrEnum):
    """How one check ended."""

    GOOD = "good"
    MISSING = "missing"
    WRONG = "wrong"
    NOT_ASKED = "not_asked"  # nothing to look for, or DNS did not answer


@dataclass(frozen=True, slots=True)
class Finding:
    """One check. `name` and `record`: what to add to DNS; `found`: what is there now."""

    about: Record
    state: State
    problem: str = ""
    name: str = ""
    record: str = ""
    found: str = ""

    @property
    def blocks(self) -> bool:
        """Whether large mailings have to wait for it."""
        return self.state in {State.MISSING, State.WRONG}


@dataclass(frozen=True, slots=True)
class Findings:
    """All checks of one server."""

    domain: str
    each: tuple[Finding, ...]
    aligned: bool

    @property
    def blocking(self) -> tuple[Finding, ...]:
        """What has to be put right before a large mailing."""
        return tuple(finding for finding in self.each if finding.blocks)

    def as_json(self) -> dict[str, Any]:
        """For `MailServer.checked`."""
        listed = [asdict(finding) | {"blocks": finding.blocks} for finding in self.each]
        return {"domain": self.domain, "aligned": self.aligned, "findings": listed}


def check(
    server: MailServer, host: str, *, texts: Texts | None = None, vault: Vault | None = None
) -> Findings:
    """Ask DNS about a server's identity. No transaction may be open: DNS may take its time."""
    texts = texts or asked
    domain = server.from_email.rpartition("@")[2]
    returns = server.bounce_domain or domain
    dkim = _dkim(server, domain, texts, vault)
    aligned = organisation(returns) == organisation(domain) or dkim.state is State.GOOD
    return Findings(domain, (_spf(host, returns, texts), dkim, _dmarc(domain, texts)), aligned)


def note(session: Session, portal_id: int, server_id: int, findings: Findings) -> None:
    """Keep them with the server."""
    server = session.get_one(MailServer, (portal_id, server_id))
    server.checked, server.checked_at = findings.as_json(), utcnow()


def blocking(server: MailServer, size: int) -> list[dict[str, Any]]:
    """What of the last check keeps a mailing of this size from starting."""
    if size < BULK or not server.checked:
        return []
    return [finding for finding in server.checked.get("findings", []) if finding.get("blocks")]


def unanswered(server: MailServer) -> bool:
    """Whether the last check could not ask DNS about a record that mail services insist on."""
    found = (server.checked or {}).get("findings", [])
    return any(
        each.get("state") == State.NOT_ASKED.value and each.get("problem") != NO_SELECTOR
        for each in found
    )


def organisation(domain: str) -> str:
    """The domain somebody has registered: what «the same sender» means to DMARC's relaxed alignment."""
    labels = domain.lower().rstrip(".").split(".")
    size = 3 if len(labels) > 2 and len(labels[-1]) == 2 and labels[-2] in _TWO_LABELS else 2
    return ".".join(labels[-size:])


def asked(name: str) -> list[str]:
    """The TXT records of a name from DNS; none if there is no such name."""
    try:
        answer = dns.resolver.resolve(name, "TXT", lifetime=_SECONDS)
    except (dns.resolver.NXDOMAIN, dns.resolver.NoAnswer):
        return []
    except dns.exception.DNSException as error:
        raise NoAnswer(type(error).__name__) from error
    return [b"".join(row.strings).decode("utf-8", "replace") for row in answer]


def _spf(host: str, domain: str, texts: Texts) -> Finding:
    """The server must be allowed by the domain letters are returned to; which mechanism does is its provider's matter."""
    wanted = f"v=spf1 {_allowing(host, domain)} ~all"
    try:
        records = [text for text in texts(domain) if text.lower().split(" ")[0] == "v=spf1"]
        if not records:
            return Finding(Record.SPF, State.MISSING, "no_record", domain, wanted)
        if len(records) > 1:
            found = " | ".join(records)
            return Finding(Record.SPF, State.WRONG, "several_records", domain, wanted, found)
        mechanisms = _mechanisms(records[0], texts)
    except NoAnswer as error:
        return Finding(Record.SPF, State.NOT_ASKED, str(error))
    if any(each in {"all", "+all"} for each in mechanisms):
        return Finding(Record.SPF, State.WRONG, "lets_everybody", domain, wanted, records[0])
    if not any(
        each.startswith(("include:", "ip4:", "ip6:", "a", "mx", "exists:")) for each in mechanisms
    ):
        return Finding(Record.SPF, State.WRONG, "lets_nobody", domain, wanted, records[0])
    if len([m for m in mechanisms if m.split(":")[0].split("/")[0] in _ASKS]) > _MOST_LOOKUPS:
        return Finding(Record.SPF, State.WRONG, "too_many_lookups", domain, "", records[0])
    return Finding(Record.SPF, State.GOOD, name=domain, found=records[0])


def _allowing(host: str, domain: str) -> str:
    """What lets a server send for a domain: its provider's record, its own name, or the address letters leave from."""
    try:
        address = ipaddress.ip_address(host.strip("[]"))
    except ValueError:
        if "." not in host or host.rpartition(".")[2] in _INSIDE:
            return f"ip4:{OWN_ADDRESS}"
        own = organisation(host) == organisation(domain)
        return f"a:{host}" if own else f"include:{organisation(host)}"
    if not is_public(address):
        return f"ip4:{OWN_ADDRESS}"
    return f"ip{address.version}:{address}"


_ASKS = {"include", "a", "mx", "exists", "ptr"}


def _mechanisms(record: str, texts: Texts, depth: int = 0) -> list[str]:
    """Of the record and of those it redirects to; qualifiers that refuse are left out."""
    found = []
    for part in record.lower().split()[1:]:
        if part.startswith("redirect=") and depth < 3:
            target = part.removeprefix("redirect=")
            for other in texts(target):
                if other.lower().startswith("v=spf1"):
                    found += _mechanisms(other, texts, depth + 1)
        elif not part.startswith(("-", "~", "?")) and "=" not in part.split(":")[0]:
            found.append(part.removeprefix("+") if part != "+all" else part)
    return found


def _dkim(server: MailServer, domain: str, texts: Texts, vault: Vault | None) -> Finding:
    """Only where we know the selector: a relay that signs by itself has told us none."""
    if not server.dkim_selector:
        return Finding(Record.DKIM, State.NOT_ASKED, NO_SELECTOR)
    name = f"{server.dkim_selector}._domainkey.{domain}"
    wanted = _public_record(server, vault)
    try:
        records = [text for text in texts(name) if "p=" in text]
    except NoAnswer as error:
        return Finding(Record.DKIM, State.NOT_ASKED, str(error))
    if not records:
        return Finding(Record.DKIM, State.MISSING, "no_record", name, wanted)
    key = _tag(records[0], "p")
    if not key:
        return Finding(Record.DKIM, State.WRONG, "revoked", name, wanted, records[0])
    if wanted and key != _tag(wanted, "p"):
        return Finding(Record.DKIM, State.WRONG, "another_key", name, wanted, records[0])
    return Finding(Record.DKIM, State.GOOD, name=name, found=records[0])


def _dmarc(domain: str, texts: Texts) -> Finding:
    name, wanted = f"_dmarc.{domain}", "v=DMARC1; p=none"
    try:
        places = dict.fromkeys((name, f"_dmarc.{organisation(domain)}"))
        records = [text for place in places for text in texts(place) if _is_dmarc(text)]
    except NoAnswer as error:
        return Finding(Record.DMARC, State.NOT_ASKED, str(error))
    if not records:
        return Finding(Record.DMARC, State.MISSING, "no_record", name, wanted)
    if _tag(records[0], "p") not in {"none", "quarantine", "reject"}:
        return Finding(Record.DMARC, State.WRONG, "no_policy", name, wanted, records[0])
    return Finding(Record.DMARC, State.GOOD, name=name, found=records[0])


def _is_dmarc(text: str) -> bool:
    return text.replace(" ", "").lower().startswith("v=dmarc1")


def _tag(record: str, name: str) -> str:
    for part in record.split(";"):
        key, _, value = part.strip().partition("=")
        if key.strip().lower() == name:
            return "".join(value.split())
    return ""


def _public_record(server: MailServer, vault: Vault | None) -> str:
    """The record of the key we sign by; empty where we hold none."""
    if vault is None or not server.dkim_key_sealed:
        return ""
    pem = vault.open(server.portal_id, server.dkim_key_sealed).encode()
    public = serialization.load_pem_private_key(pem, password=None).public_key()
    raw = public.public_bytes(
        serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo
    )
    return f"v=DKIM1; k=rsa; p={base64.b64encode(raw).decode()}"
