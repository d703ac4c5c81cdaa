"""What no person should read on a page: values of programs, raw codes, words of another language."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator
from html.parser import HTMLParser

_VOID = {
    "area",
    "base",
    "br",
    "col",
    "embed",
    "hr",
    "img",
    "input",
    "link",
    "meta",
    "source",
    "wbr",
}
_UNREAD = {"script", "style", "code", "kbd", "textarea", "pre"}
"""Not for reading, or written by people and shown as it is."""
_SAID = {"title", "aria-label", "placeholder", "alt"}
_LITERAL = re.compile(
    r"https?://\S*|\S+@\S+|[\w-]+(?:\.[\w-]+)+\S*|\butm_\w+|«[a-z]+»|\([A-Za-z_]+\)"
    r"|\{\{ (?:client|offer|sender|code|unsubscribe)[\w.]* \}\}"
)
"""Addresses, names of files and hosts, what is to be typed as it is, codes that follow their words in brackets."""

RAW = {
    "a value of a program": re.compile(r"\b(?:None|nan|NaN|undefined|null|True|False|Decimal)\b"),
    "an exponent": re.compile(r"(?<![\w#])\d+(?:[.,]\d+)?[eE][+-]?\d+\b"),
    "a date of a program": re.compile(r"\b\d{4}-\d{2}-\d{2}\b"),
    "a raw code": re.compile(r"\b[A-Z][A-Z0-9]*_[A-Z0-9_]+\b|%\(\w+\)s|\{\{|\}\}"),
}
_LATIN, _CYRILLIC = (
    re.compile(r"\b(?![IVX]+\b)[A-Za-z](?:[A-Za-z-]*[A-Za-z])"),
    re.compile(r"[А-Яа-яЁё]{2,}"),
)
_PRODUCTS = """
    Bitrix24 REST SMTP IMAP DNS TXT SPF DKIM DMARC CSV JSON HTML MJML XLSX SMS LTV RFM URL UTM ID PIN TLS SSL
    E-mail e-mail mail Apple Mail CRM INBOX ROI Ctrl Shift Alt Delete STARTTLS Liquid VIP Rubilnik rubilnik Message Telegram WhatsApp Viber Gmail Outlook RUB USD EUR KZT
"""
PRODUCTS = frozenset(_PRODUCTS.split())


class _Reader(HTMLParser):
    """Collects what people read or are told of a page."""

    def __init__(self) -> None:
        super().__init__()
        self.texts: list[str] = []
        self._skipped: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if not self._skipped:
            self.texts += [value for name, value in attrs if name in _SAID and value]
        unread = self._skipped or tag in _UNREAD or ("aria-hidden", "true") in attrs
        if unread and tag not in _VOID:
            self._skipped.append(tag)

    def handle_endtag(self, tag: str) -> None:
        if tag in self._skipped:
            while self._skipped.pop() != tag:
                pass

    def handle_data(self, data: str) -> None:
        if not self._skipped and data.strip():
            self.texts.append(" ".join(data.split()))


def texts(markup: str) -> list[str]:
    """Every piece of text of a page, hidden ones too."""
    reader = _Reader()
    reader.feed(markup)
    return reader.texts


def complaints(markup: str, language: str, names: Collection[str]) -> Iterator[str]:
    """What is wrong with the words of a page. `names`: words of the data, in whatever language."""
    foreign = _LATIN if language == "ru" else _CYRILLIC
    for text in texts(markup):
        bare = _LITERAL.sub(" ", text)
        for what, pattern in RAW.items():
            if hit := pattern.search(bare):
                yield f"{what}: {hit.group()!r} in {text!r}"
        words = [each for each in foreign.findall(bare) if each not in names | PRODUCTS]
        if words:
            yield f"not {language}: {' '.join(words)!r} in {text!r}"
