"""Addresses in letters: which are let in, their marks for statistics, and where a click leads.

The address of a link is fixed for the whole mailing and stored with it; nothing that comes with a click ever changes
where it leads. The personal parts allowed are values in the query: the promo code, `{{ code }}`, and in `utm_term`, where
the mailing's author wants it, a mark of the recipient by which a lead of the site is known again.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from urllib.parse import parse_qsl, quote, urlencode, urlsplit, urlunsplit

CODE = "{{code}}"
UNSUBSCRIBE = "{{ unsubscribe }}"
LANDING = "{{ offer.url }}"
_CODE_MARK = re.compile(r"\{\{-?\s*code\s*-?\}\}")
_HELD = "0code0"
_SPACES = re.compile(r"[\x00-\x20\x7f\u0085\u00a0\u2028\u2029\\]")
_TERM, _MARK = "utm_term=", "rb."
_MARKED = re.compile(r"\brb\.(\d{1,10}\.\d{1,20}\.[0-9a-f]{16})(?![0-9a-f])", re.IGNORECASE)
_PLAIN = {"mailto", "tel"}
_PLAIN_FORM = re.compile(r"(?:mailto:[^\s<>\"']+@[^\s<>\"']+|tel:\+?[0-9 ()\-]+)", re.IGNORECASE)


def is_mark(url: str, mark: str) -> bool:
    """Whether the address is this mark alone, however it is spaced."""
    return re.sub(r"[\s-]", "", url) == re.sub(r"[\s-]", "", mark)


def trouble(url: str) -> str | None:
    """Why the address can't stand in a letter; a code of the words, or None."""
    held = _CODE_MARK.sub(_HELD, url.strip())
    if "{{" in held or "{%" in held or "}}" in held:
        return "personal"
    if _SPACES.search(held):
        return "address"
    try:
        parts = urlsplit(held)
        host, _port = parts.hostname, parts.port
    except ValueError:
        return "address"
    if parts.scheme.lower() in _PLAIN:
        return None if held == url.strip() and _PLAIN_FORM.fullmatch(held) else "address"
    if parts.scheme.lower() not in {"http", "https"} or not host:
        return "address"
    if parts.username is not None or parts.password is not None:
        return "address"
    outside = "".join((parts.netloc, parts.path, parts.fragment))
    names = (name for name, _value in parse_qsl(parts.query, keep_blank_values=True))
    if _HELD in outside or any(_HELD in name for name in names):
        return "personal"
    return None


def followed(url: str) -> bool:
    """Whether clicks on it are counted: a page of the web, not a mailbox or a phone."""
    return urlsplit(url.strip()).scheme.lower() in {"http", "https"}


def image_trouble(url: str) -> str | None:
    """Why the address can't be a picture's."""
    found = trouble(url)
    if found is None and (not followed(url) or _CODE_MARK.search(url)):
        return "address"
    return found


def with_utm(url: str, marks: Mapping[str, str]) -> str:
    """The address with these `utm_…` it has not got yet; one with a source of its own stays as it is."""
    held = _CODE_MARK.sub(_HELD, url.strip())
    parts = urlsplit(held)
    present = {name for name, _value in parse_qsl(parts.query, keep_blank_values=True)}
    if "utm_source" in present:
        return held.replace(_HELD, CODE)
    added = urlencode({k: v for k, v in marks.items() if v and k not in present}, quote_via=quote)
    query = "&".join(filter(None, (parts.query, added)))
    return urlunsplit(parts._replace(query=query)).replace(_HELD, CODE)


def destination(stored: str, code: str | None, mark: str = "") -> str:
    """Where a click leads: the stored address, with the recipient's promo code and mark in their places."""
    url = _CODE_MARK.sub(quote(code or "", safe=""), stored)
    return with_mark(url, mark) if mark else url


def with_mark(url: str, label: str) -> str:
    """The address with this label in `utm_term`, behind what stands there already."""
    parts = urlsplit(url)
    mark, given = _MARK + label, [each for each in parts.query.split("&") if each]
    term = next((n for n, each in enumerate(given) if each.startswith(_TERM)), None)
    if term is None:
        given.append(_TERM + mark)
    else:
        given[term] += mark if given[term] == _TERM else f".{mark}"
    return urlunsplit(parts._replace(query="&".join(given)))


def marks_in(text: str) -> list[str]:
    """The labels that stand in the text of UTM marks, whoever put them there."""
    return [found.lower() for found in _MARKED.findall(text)]
