"""What a message that came back to us is: a return, a complaint, a reply, or a machine's courtesy.

Reads only what the message says. Whose delivery it is about is told by signed labels (`mailings.rules.tokens`) found
in it; `labels` lists the candidates and the reader checks their signatures. Addresses named in a return are never
acted upon.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from email.header import decode_header, make_header
from email.message import Message
from email.utils import getaddresses
from enum import StrEnum

from flufl.bounce import all_failures

from mailings.rules.tokens import Purpose

LONGEST_TEXT = 500


class Sort(StrEnum):
    """What kind of message it is."""

    HARD = "hard"  # the address is dead
    SOFT = "soft"  # refused for a reason that may pass: a full box
    BLOCKED = "blocked"  # refused because of the sender: nothing is wrong with the address
    DELAYED = "delayed"
    COMPLAINT = "complaint"
    UNSUBSCRIBE = "unsubscribe"
    REPLY = "reply"
    AUTOMATIC = "automatic"  # out of office, received with thanks
    UNREADABLE = "unreadable"  # a return that nobody understands
    FOREIGN = "foreign"  # nothing of ours


@dataclass(frozen=True, slots=True)
class Label:
    """A label found in a message, still to be proved."""

    purpose: Purpose
    text: str


@dataclass(frozen=True, slots=True)
class Incoming:
    """What a message is, whose it may be, and what the other server said."""

    sort: Sort
    labels: tuple[Label, ...] = ()
    status: str | None = None
    text: str = ""


def read(message: Message, recipient: str = "") -> Incoming:
    """Recognise a message; `recipient` is the envelope's, where it is known."""
    addressed = tuple(_addressed(message, recipient))
    quoted = tuple(_quoted(message))
    if _report(message) == "feedback-report":
        return Incoming(Sort.COMPLAINT, quoted + addressed)
    if any(each.purpose is Purpose.UNSUBSCRIBE for each in addressed):
        return Incoming(Sort.UNSUBSCRIBE, addressed)
    returned = _returned(message)
    if returned is not None:
        sort, status, text = returned
        return Incoming(sort, addressed + quoted, status, text[:LONGEST_TEXT])
    if _automatic(message):
        return Incoming(Sort.AUTOMATIC, addressed)
    answered = tuple(_answered(message))
    if answered:
        return Incoming(Sort.REPLY, answered)
    if any(each.purpose is Purpose.RETURN for each in addressed):
        return Incoming(Sort.UNREADABLE, addressed, text=_first_words(message))
    return Incoming(Sort.FOREIGN)


# -- whose it is -------------------------------------------------------------------------------

_BY_PREFIX = {"b": Purpose.RETURN, "u": Purpose.UNSUBSCRIBE}
_LABEL = r"\d{1,10}\.\d{1,20}\.[0-9a-f]{16}"
_ADDRESS = re.compile(rf"\b([bu])\+({_LABEL})@", re.IGNORECASE)
_MESSAGE_ID = re.compile(rf"<m\d+\.({_LABEL})@", re.IGNORECASE)
_RECIPIENTS = ("Delivered-To", "X-Original-To", "Envelope-To", "X-Envelope-To", "To", "Cc")
_ANSWERS = ("In-Reply-To", "References")


def _addressed(message: Message, recipient: str) -> Iterator[Label]:
    written = [
        recipient,
        *(str(value) for name in _RECIPIENTS for value in message.get_all(name, [])),
    ]
    for text in written:
        for prefix, label in _ADDRESS.findall(text):
            yield Label(_BY_PREFIX[prefix.lower()], label.lower())


def _answered(message: Message) -> Iterator[Label]:
    for name in _ANSWERS:
        for value in message.get_all(name, []):
            yield from _message_ids(str(value))


def _quoted(message: Message) -> Iterator[Label]:
    """Labels of the letter of ours that is enclosed, whole or by its headers."""
    for part in message.walk():
        kind = part.get_content_type()
        if kind == "message/rfc822" and part.is_multipart():
            enclosed: Message = part.get_payload(0)  # type: ignore[assignment]
            yield from _message_ids(str(enclosed.get("Message-ID", "")))
        elif kind in {"text/rfc822-headers", "message/feedback-report"}:
            text = _text(part)
            yield from _message_ids(text)
            yield from (Label(Purpose.RETURN, each[1].lower()) for each in _ADDRESS.findall(text))


def _message_ids(text: str) -> Iterator[Label]:
    yield from (Label(Purpose.MESSAGE, each.lower()) for each in _MESSAGE_ID.findall(text))


# -- returns -----------------------------------------------------------------------------------

_STATUS = re.compile(r"\b([245])\.(\d{1,3})\.(\d{1,3})\b")
_FULL = re.compile(
    r"quota|(?:mailbox|box|inbox|ящик)[^.]{0,30}(?:full|переполнен)|over.?limit", re.IGNORECASE
)
_NOBODY = re.compile(
    r"(?:user|mailbox|recipient|account|address)\b[^.]{0,40}(?:unknown|not found|does(?: not|n't) exist|invalid)|"
    r"(?:no such|unknown) (?:user|mailbox|recipient|account)",
    re.IGNORECASE,
)
_FULL_STATUSES = {"5.2.2", "5.2.3", "5.3.4", "4.2.2"}
_DEAD_STATUSES = {"5.1.1", "5.1.2", "5.1.3", "5.1.6", "5.1.10", "5.2.1", "5.4.1", "5.4.4"}

Returned = tuple[Sort, str | None, str]


def _returned(message: Message) -> Returned | None:
    """What a report of delivery says; of other returns, what `flufl.bounce` makes of them."""
    if _report(message) == "delivery-status":
        said = [each for each in map(_recipient_report, _reports(message)) if each is not None]
        return max(said, key=lambda each: _GRAVITY[each[0]], default=None)
    if _automatic(message) and not _from_daemon(message):
        return None
    if not (_from_daemon(message) or _empty_sender(message)):
        return None
    temporary, permanent = all_failures(message)
    if not temporary and not permanent:
        return None
    words = _first_words(message)
    found = _STATUS.search(words)
    status = found[0] if found else None
    sort = _sort(status, words) if permanent else Sort.DELAYED
    return sort, status, words


_GRAVITY = {Sort.AUTOMATIC: 0, Sort.DELAYED: 1, Sort.BLOCKED: 2, Sort.SOFT: 3, Sort.HARD: 4}


def _reports(message: Message) -> Iterator[Message]:
    """The blocks of a report that speak of one recipient each."""
    for part in message.walk():
        if part.get_content_type() == "message/delivery-status" and part.is_multipart():
            yield from (block for block in part.get_payload() if "Action" in block)  # type: ignore[misc]


def _recipient_report(block: Message) -> Returned | None:
    action = str(block["Action"]).strip().lower()
    text = " ".join(str(block.get("Diagnostic-Code", "")).split())
    found = _STATUS.search(str(block.get("Status", ""))) or _STATUS.search(text)
    status = found[0] if found else None
    if action == "delayed":
        return Sort.DELAYED, status, text
    if action == "failed":
        return _sort(status, text), status, text
    return Sort.AUTOMATIC, status, text  # delivered, relayed, expanded: nothing to do


def _sort(status: str | None, text: str) -> Sort:
    """How bad a refusal is, by its status, else by its words."""
    if status in _FULL_STATUSES or _FULL.search(text):
        return Sort.SOFT
    if status is None or status in _DEAD_STATUSES:
        return Sort.HARD
    if status.startswith("5.7."):
        return Sort.BLOCKED
    dead = status.startswith("5.1.") or (status.startswith("5.") and _NOBODY.search(text))
    return Sort.HARD if dead else Sort.SOFT


# -- manners -----------------------------------------------------------------------------------

_AUTOMATIC_SUBJECT = re.compile(
    r"^\s*(?:auto(?:matic)?[ -]?(?:reply|response|answer)|out of (?:the )?office|автоответ|автоматический ответ|"
    r"нахожусь в отпуске|я в отпуске|вне офиса)",
    re.IGNORECASE,
)
_AUTOMATIC_HEADERS = ("X-Autoreply", "X-Autorespond", "X-Auto-Response", "Autoreply")
_DAEMON = re.compile(r"^(?:mailer-?daemon|postmaster|mail-daemon|bounce)", re.IGNORECASE)


def _automatic(message: Message) -> bool:
    submitted = str(message.get("Auto-Submitted", "no")).split(";")[0].strip().lower()
    precedence = str(message.get("Precedence", "")).strip().lower()
    return (
        submitted != "no"
        or precedence in {"auto_reply", "auto-reply", "junk"}
        or any(name in message for name in _AUTOMATIC_HEADERS)
        or bool(_AUTOMATIC_SUBJECT.search(_plain(message.get("Subject", ""))))
    )


def _from_daemon(message: Message) -> bool:
    senders = getaddresses([str(value) for value in message.get_all("From", [])])
    return any(_DAEMON.search(address) for _name, address in senders)


def _empty_sender(message: Message) -> bool:
    return str(message.get("Return-Path", "x")).strip() == "<>"


def _report(message: Message) -> str:
    if message.get_content_type() != "multipart/report":
        return ""
    return str(message.get_param("report-type", "")).lower()


def _first_words(message: Message) -> str:
    for part in message.walk():
        if part.get_content_type() == "text/plain":
            return " ".join(_text(part).split())[: LONGEST_TEXT * 2]
    return ""


def _text(part: Message) -> str:
    payload = part.get_payload(decode=True)
    if not isinstance(payload, bytes):
        return "\n".join(str(inner) for inner in part.get_payload()) if part.is_multipart() else ""
    try:
        return payload.decode(part.get_content_charset() or "utf-8", "replace")
    except LookupError:
        return payload.decode("utf-8", "replace")


def _plain(header: object) -> str:
    """A header without its encoded words."""
    try:
        return str(make_header(decode_header(str(header))))
    except (UnicodeError, LookupError, ValueError):
        return str(header)
