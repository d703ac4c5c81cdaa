"""A letter's bytes: everything but the recipient is put together once per mailing.

By hand, because the standard library takes forty times as long; so every value of a header passes `_line`, which lets
no line break through, and the whole is parsed back in tests (docs/letters.md lists the headers).
"""

from __future__ import annotations

import re
from base64 import b64encode
from collections.abc import Mapping
from datetime import datetime
from email.utils import format_datetime
from functools import lru_cache
from hashlib import sha256
from struct import Struct
from typing import Any

import idna

from core.clock import utcnow
from core.config import Settings
from mailings.channels.base import Message
from mailings.content.recipients import Addressed
from mailings.content.rendering import Facts, Letter, Rendered
from mailings.models import Mailing, MailServer
from mailings.rules import tokens
from mailings.rules.tokens import Purpose

_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029\ud800-\udfff]")
_LOCAL = re.compile(r"[A-Za-z0-9!#$%&'*+/=?^_`{|}~.-]{1,64}")
_DOMAIN = re.compile(r"(?=.{1,253}$)[A-Za-z0-9](?:[A-Za-z0-9-]*[A-Za-z0-9])?(?:\.[A-Za-z0-9-]+)*")
_PLAIN = re.compile(r"[A-Za-z0-9 !'*+/,.:;()&%#?_-]*")
_BODY_LINE = 76
_BODY = Struct(f"{_BODY_LINE}s")
_SHORT = 60
_END = "</body></html>"


class BadAddress(ValueError):
    """An address that can't stand in a header or an envelope."""


class Envelope:
    """Makes the messages of one mailing."""

    def __init__(
        self, settings: Settings, mailing: Mailing, server: MailServer, compiled: Mapping[str, Any]
    ) -> None:
        self._key, self._url = settings.secret_key, settings.public_url
        self._portal_id, self._mailing_id = mailing.portal_id, mailing.id
        self._letter = Letter(compiled)
        self._from = ascii_address(server.from_email)
        self._domain = self._from.rpartition("@")[2]
        self._returns = _domain(server.bounce_domain) if server.bounce_domain else ""
        self._sender = {"name": server.from_name or "", "email": server.from_email}
        name = phrase(server.from_name or "")
        boundary = "=_" + sha256(f"{mailing.portal_id}.{mailing.id}".encode()).hexdigest()[:24]
        topic = re.sub(r"[^a-z0-9_-]", "", mailing.topic.lower()) or "offers"
        identity = f"m{mailing.id}.p{mailing.portal_id}"
        self._head = [
            f"From: {name} <{self._from}>" if name else f"From: {self._from}",
            *([f"Reply-To: {ascii_address(server.reply_to)}"] if server.reply_to else []),
            "MIME-Version: 1.0",
            f'Content-Type: multipart/alternative; boundary="{boundary}"',
        ]
        self._bulk = [
            f"List-Id: <{identity}.{self._domain}>",
            f"Feedback-ID: m{mailing.id}:p{mailing.portal_id}:{topic}:rubilnik",
            f"X-Mailru-Msgtype: {identity}",
            "Precedence: bulk",
        ]
        self._opening = _part(boundary, "plain")
        self._middle = _part(boundary, "html")
        self._closing = f"--{boundary}--\r\n".encode()

    def message(self, delivery: Addressed, facts: Facts) -> Message:
        """The letter to one recipient. Raises BadAddress and RenderFailed: this one can't be sent."""
        token, number = self._token, delivery.id
        out = f"{self._url}/u/{token(Purpose.UNSUBSCRIBE, number)}"
        made = {0: out}

        def linked(link: int) -> str:
            if link not in made:  # both parts have it
                made[link] = f"{self._url}/c/{token(Purpose.CLICK, number, link)}"
            return made[link]

        rendered = self._letter.render(self._personal(facts), linked)
        identity = f"m{self._mailing_id}.{self._label(Purpose.MESSAGE, number)}"
        headers = [
            f"Message-ID: <{identity}@{self._domain}>",
            f"List-Unsubscribe: {self._ways_out(out, number)}",
            "List-Unsubscribe-Post: List-Unsubscribe=One-Click",
            *self._bulk,
        ]
        pixel = (
            f'<img src="{self._url}/o/{token(Purpose.OPEN, number)}" width="1" height="1" alt="">'
        )
        html = rendered.html.removesuffix(_END) + pixel + _END
        address = ascii_address(delivery.address or "")
        raw = self._bytes(address, rendered.subject, headers, rendered.text, html)
        sender = self._from
        if self._returns:
            sender = f"b+{self._label(Purpose.RETURN, number)}@{self._returns}"
        return Message(number, address, rendered.subject, rendered.text, raw, sender)

    def test(self, address: str, facts: Facts) -> Message:
        """The same letter for somebody who looks it over: with plain links, counted nowhere."""
        rendered = self._letter.render(self._personal(facts))
        identity = sha256(f"{address}{utcnow().isoformat()}".encode()).hexdigest()[:24]
        headers = [f"Message-ID: <t{self._mailing_id}.{identity}@{self._domain}>"]
        safe = ascii_address(address)
        raw = self._bytes(safe, rendered.subject, headers, rendered.text, rendered.html)
        return Message(0, safe, rendered.subject, rendered.text, raw, self._from)

    def rendered(self, facts: Facts) -> Rendered:
        """The letter as somebody sees it, with plain links."""
        return self._letter.render(self._personal(facts))

    def _personal(self, facts: Facts) -> Facts:
        return Facts({**facts.values, "sender": self._sender}, facts.code)

    def _token(self, purpose: Purpose, delivery_id: int, link: int = 0) -> str:
        return tokens.make(self._key, purpose, self._portal_id, delivery_id, link)

    def _label(self, purpose: Purpose, delivery_id: int) -> str:
        return tokens.label(self._key, purpose, self._portal_id, delivery_id)

    def _ways_out(self, url: str, delivery_id: int) -> str:
        if not self._returns:
            return f"<{url}>"
        label = self._label(Purpose.UNSUBSCRIBE, delivery_id)
        return f"<{url}>, <mailto:u+{label}@{self._returns}>"

    def _bytes(self, address: str, subject: str, headers: list[str], text: str, html: str) -> bytes:
        head = [
            f"Date: {_date(utcnow().replace(microsecond=0))}",
            f"To: {address}",
            f"Subject: {encoded(subject)}",
            *headers,
            *self._head,
        ]
        return b"".join((
            "\r\n".join(head).encode("ascii"),
            b"\r\n\r\n",
            self._opening, _base64(text), self._middle, _base64(html), self._closing,
        ))  # fmt: skip


def encoded(text: str) -> str:
    """A header's text: as it is when that is safe, else in encoded words (RFC 2047)."""
    line = _line(text)
    if len(line) <= _SHORT and _PLAIN.fullmatch(line) and "=?" not in line:
        return line
    widest = max(line)
    step = 22 if widest < "\u0800" else 15 if widest <= "\uffff" else 11
    words = (line[start : start + step] for start in range(0, len(line), step))
    return "\r\n ".join(f"=?utf-8?B?{b64encode(each.encode()).decode()}?=" for each in words)


def phrase(text: str) -> str:
    """The same for a name before an address, where some signs have a meaning."""
    found = encoded(text)
    return f'"{found}"' if found == _line(text) and set(found) & set(",.:;()") else found


def ascii_address(address: str) -> str:
    """The address for headers and envelopes, its domain in ASCII. Raises BadAddress."""
    local, at, domain = address.strip().rpartition("@")
    if not at or not _LOCAL.fullmatch(local) or local.strip(".") != local or ".." in local:
        raise BadAddress("not an address of ASCII letters")
    return f"{local}@{_domain(domain)}"


def _domain(domain: str) -> str:
    try:
        found = domain if domain.isascii() else idna.encode(domain, uts46=True).decode()
    except idna.IDNAError as error:
        raise BadAddress("not a domain") from error
    if not _DOMAIN.fullmatch(found):
        raise BadAddress("not a domain")
    return found.lower()


@lru_cache(maxsize=2)
def _date(second: datetime) -> str:
    return format_datetime(second)


def _line(text: str) -> str:
    return " ".join(_CONTROL.sub(" ", text).split())


def _part(boundary: str, kind: str) -> bytes:
    return (
        f"--{boundary}\r\nContent-Type: text/{kind}; charset=utf-8\r\n"
        f"Content-Transfer-Encoding: base64\r\n\r\n"
    ).encode()


def _base64(text: str) -> bytes:
    whole = b64encode(text.encode())
    full = len(whole) - len(whole) % _BODY_LINE
    lines = [line for (line,) in _BODY.iter_unpack(memoryview(whole)[:full])]
    return (
        b"\r\n".join((*lines, whole[full:], b""))
        if full < len(whole)
        else b"\r\n".join((*lines, b""))
    )
