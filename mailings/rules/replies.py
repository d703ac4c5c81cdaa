"""What a mail server's reply means for the recipient, for the pace and for ourselves.

The table is that of RFC 3463 as mail services use it; texts are only asked where codes don't tell.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import timedelta
from enum import StrEnum

FIRST_WAIT = timedelta(minutes=5)
GROWTH = 1.3
RATE_WAIT = timedelta(minutes=1)
LONGEST_ASKED = timedelta(hours=6)
GIVEN_UP_AFTER = timedelta(hours=48)
SOFT_NUMBER, SOFT_DAYS = 3, 30
BLAME_WINDOW, BLAME_PERCENT = 200, 2
FAILURES_IN_A_ROW = 3

_HARD = {"5.1.1", "5.1.2", "5.1.3", "5.1.10", "5.2.1"}
_SOFT = {"5.2.2", "5.2.3", "5.3.4"}
_OURS = {"5.1.7", "5.1.8"}  # the sender's address is refused
_NOT_LET_IN = {530, 534, 535, 538}  # who we are is refused, not what we bring

_STATUS = re.compile(r"\s*([245]\.\d{1,3}\.\d{1,3})(?!\d)")
_RATE = re.compile(
    r"\brate\b|rate.?limit|too (?:many|much|fast)|throttl|slow.?down|(?:sending|daily|hourly) (?:quota|limit)"
    r"|maximum sending|frequency|exceeded the (?:limit|max)|unusual rate",
    re.IGNORECASE,
)
_GREY = re.compile(r"gr[ae]y.?list", re.IGNORECASE)
_NOBODY = re.compile(
    r"no such (?:user|recipient|mailbox|address|person)|(?:user|recipient|mailbox|account|address) (?:is )?"
    r"(?:unknown|not found|does ?n[o']t exist|invalid)|unknown (?:user|recipient|mailbox|local)"
    r"|(?:invalid|non-?existent) (?:mailbox|user|recipient|address)|does not exist",
    re.IGNORECASE,
)
_FULL = re.compile(r"(?:mailbox|quota|storage).{0,20}(?:full|exceeded)|over quota", re.IGNORECASE)
_DISTRUST = re.compile(
    r"spam|black.?list|block.?list|\bblocked\b|reputation|\bspf\b|\bdkim\b|\bdmarc\b|policy|unauthenticated"
    r"|reverse dns|\bptr\b|not authori[sz]ed|relay(?:ing)? (?:access )?denied",
    re.IGNORECASE,
)
_ASKED = re.compile(
    r"(?:in|after|for|wait)\s+(?:at least\s+|about\s+)?(\d{1,5})\s*(s|m|h)(?:ec|in|our|r)?[a-z]*",
    re.IGNORECASE,
)
_ASKED_CLOCK = re.compile(r"(?:in|after|for)\s+(\d{1,2}):(\d\d):(\d\d)", re.IGNORECASE)
_UNIT = {"s": 1, "m": 60, "h": 3600}


class Kind(StrEnum):
    """What is to be done about a message after a reply."""

    TAKEN = "taken"
    LATER = "later"  # this message, again after a while
    REFUSED = "refused"  # this message, never again
    LINK = "link"  # nothing about this message: the server does not talk to us now


class Record(StrEnum):
    """The DNS record, or what else, that a server's distrust is about."""

    SPF = "spf"
    DKIM = "dkim"
    DMARC = "dmarc"
    REVERSE = "ptr"
    REPUTATION = "reputation"


@dataclass(frozen=True, slots=True)
class Decision:
    """A reply understood. `wait`: the server asked for it. `counted`: whether it was a try of the recipient.

    `suppress`: the address is dead. `soft`: the mailbox, not the address. `slow_down`: it complains of the
    pace. `ours`: it distrusts the sender.
    """

    kind: Kind
    status: str | None = None
    wait: timedelta | None = None
    counted: bool = True
    suppress: bool = False
    soft: bool = False
    slow_down: bool = False
    ours: bool = False


def judge(code: int, text: str, *, after_dot: bool = False) -> Decision:
    """What the reply means. `after_dot`: it answers the whole message, not a command before it."""
    status = status_of(text)
    if 200 <= code < 300:
        return Decision(Kind.TAKEN, status)
    if 400 <= code < 500:
        return _transient(code, status, text, after_dot=after_dot)
    if (code in _NOT_LET_IN and not after_dot) or not 500 <= code < 600:
        return Decision(Kind.LINK, status, counted=False)
    return _permanent(code, status, text)


def status_of(text: str) -> str | None:
    """The enhanced status a reply begins with, like 5.1.1."""
    found = _STATUS.match(text)
    return found[1] if found else None


def wait_asked(text: str) -> timedelta | None:
    """The wait a text asks for: «try again in 300 seconds», «come back in 00:05:00»."""
    if clock := _ASKED_CLOCK.search(text):
        seconds = int(clock[1]) * 3600 + int(clock[2]) * 60 + int(clock[3])
    elif found := _ASKED.search(text):
        seconds = int(found[1]) * _UNIT[found[2].lower()]
    else:
        return None
    return min(timedelta(seconds=seconds), LONGEST_ASKED) if seconds else None


def next_wait(attempt: int, luck: float) -> timedelta:
    """How long to wait after the n-th try (the first is 1); `luck` from 0 to 1 spreads the crowd."""
    growth = GROWTH ** min(max(attempt - 1, 0), 40)
    return min(FIRST_WAIT * growth, LONGEST_ASKED) * (1 + luck / 5)


def blamed(text: str) -> Record:
    """What has to be put right so that servers trust the sender."""
    low, status = text.lower(), status_of(text) or ""
    for word, record in (
        ("dmarc", Record.DMARC), ("dkim", Record.DKIM), ("spf", Record.SPF),
        ("reverse dns", Record.REVERSE), ("ptr record", Record.REVERSE),
    ):  # fmt: skip
        if word in low:
            return record
    return {
        "5.7.20": Record.DKIM, "5.7.21": Record.DKIM, "5.7.22": Record.DKIM, "5.7.30": Record.DKIM,
        "5.7.23": Record.SPF, "5.7.24": Record.SPF, "5.7.26": Record.SPF, "5.7.27": Record.SPF,
        "5.7.25": Record.REVERSE, "5.7.515": Record.DMARC,
    }.get(status, Record.REPUTATION)  # fmt: skip


def too_much_blame(recent: list[bool]) -> bool:
    """Whether more than 2 of the last 100 were refused for the sender's sake; `recent`: at most 200, newest last."""
    window = recent[-BLAME_WINDOW:]
    return sum(window) > BLAME_WINDOW * BLAME_PERCENT // 100


def _transient(code: int, status: str | None, text: str, *, after_dot: bool) -> Decision:
    wait = wait_asked(text)
    policy = status is None or status.startswith("4.7.") or status == "4.2.1"
    if policy and _RATE.search(text) and not _GREY.search(text):
        return Decision(Kind.LATER, status, wait or RATE_WAIT, counted=False, slow_down=True)
    if code == 421 and not after_dot:
        return Decision(Kind.LINK, status, counted=False)
    if code == 454 and not after_dot and status == "4.7.0":
        return Decision(Kind.LINK, status, counted=False)  # temporary authentication failure
    return Decision(Kind.LATER, status, wait)


def _permanent(code: int, status: str | None, text: str) -> Decision:
    if status in _HARD or (status is None and code in {550, 551, 553} and _NOBODY.search(text)):
        return Decision(Kind.REFUSED, status, suppress=True)
    if status in _SOFT or (status is None and (code == 552 or _FULL.search(text))):
        return Decision(Kind.REFUSED, status, soft=True)
    distrust = status is None and _DISTRUST.search(text) is not None
    ours = status in _OURS or (status or "").startswith("5.7.") or distrust
    return Decision(Kind.REFUSED, status, ours=ours)
