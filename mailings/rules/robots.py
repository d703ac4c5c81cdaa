"""Whether a person or a program opened a letter or followed its link, and by which rule that is said.

A program never makes the figures of people smaller or greater: both are counted and shown apart. Nothing but the
request itself is looked at: what it calls itself, how soon it came, and what was followed just before.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from enum import StrEnum

from mailings.rules.events import EventKind

AT_ONCE = timedelta(seconds=2)
"""Nobody reads a letter so soon after it has left: a gateway looks into it before it lets it in."""

BURST = timedelta(seconds=5)
"""Links followed within this time belong together."""

MANY_LINKS = 4
"""Nobody follows so many different links within one burst."""


class Ruling(StrEnum):
    """The rule by which it was a program."""

    APPLE = (
        "apple"  # Apple Mail fetches all pictures beforehand, and says nothing but this of itself
    )
    NAMELESS = "nameless"
    PROGRAM = "program"  # it calls itself a scanner, a preview, a library
    AT_ONCE = "at_once"
    ALL_LINKS = "all_links"


@dataclass(frozen=True, slots=True)
class Seen:
    """What is known when somebody opens a letter or follows a link.

    `after`: how long after sending, None when that isn't known. `burst`: different links of the letter followed
    lately, this one included; `links`: all it has.
    """

    kind: EventKind
    agent: str
    after: timedelta | None = None
    burst: int = 0
    links: int = 0


def ruling(seen: Seen) -> Ruling | None:
    """The rule that says it was a program; None: a person."""
    return next((rule for rule, holds in _RULES.items() if holds(seen)), None)


def _apple(seen: Seen) -> bool:
    return seen.kind is EventKind.OPENED and seen.agent.strip() == "Mozilla/5.0"


def _nameless(seen: Seen) -> bool:
    return seen.agent.strip() in {"", "-", "Mozilla/5.0", "Mozilla/4.0"}


def _program(seen: Seen) -> bool:
    return not _PEOPLES_PROXY.search(seen.agent) and bool(_PROGRAM.search(seen.agent))


def _at_once(seen: Seen) -> bool:
    return seen.after is not None and seen.after < AT_ONCE


def _all_links(seen: Seen) -> bool:
    if seen.kind is not EventKind.CLICKED or seen.links <= 1:
        return False
    return seen.burst >= min(seen.links, MANY_LINKS)


_RULES: dict[Ruling, Callable[[Seen], bool]] = {
    Ruling.APPLE: _apple,
    Ruling.NAMELESS: _nameless,
    Ruling.PROGRAM: _program,
    Ruling.AT_ONCE: _at_once,
    Ruling.ALL_LINKS: _all_links,
}

# These fetch a picture when a person looks at the letter: Gmail, Yahoo, Yandex, Mail.ru.
_PEOPLES_PROXY = re.compile(
    r"imageproxy|mailproxy|imageresizer|mail\.?ru.{0,20}\bimg", re.IGNORECASE
)
_PROGRAM = re.compile(
    r"(?<!cu)bot\b|crawler|spider|scanner|preview|prefetch|headless|phantomjs|existence discovery|"
    r"externalhit|vkshare|whatsapp|"
    r"proofpoint|barracuda|mimecast|symantec|fireeye|forcepoint|ironport|safelinks|kaspersky|dr\.?web|"
    r"\b(?:curl|wget|java|perl|ruby|axios)/|python|go-http|okhttp|libwww|http-?client|node-fetch|urllib",
    re.IGNORECASE,
)
