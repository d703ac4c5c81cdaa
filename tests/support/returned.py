"""Messages as mail servers, mailbox services and people send them back."""

from __future__ import annotations

from typing import Any

from mailings.models import Delivery
from mailings.rules import tokens
from mailings.rules.tokens import Purpose

OURS = "bounce.example.com"


def label(key: str, delivery: Delivery, purpose: Purpose = Purpose.RETURN) -> str:
    """The delivery's signed label."""
    return tokens.label(key, purpose, delivery.portal_id, delivery.id)


def message_id(key: str, delivery: Delivery) -> str:
    """The identity of the letter."""
    return f"<m{delivery.mailing_id}.{label(key, delivery, Purpose.MESSAGE)}@example.com>"


def verp(key: str, delivery: Delivery) -> str:
    """The address its returns go to."""
    return f"b+{label(key, delivery)}@{OURS}"


def lines(*parts: str) -> bytes:
    """A message of these lines."""
    return "\r\n".join(parts).encode()


def dsn(
    to: str,
    status: str = "5.1.1",
    *,
    action: str = "failed",
    diagnostic: str = "smtp; 550 5.1.1 No such user here",
    original: str = "",
    number: int = 1,
) -> bytes:
    """A report of delivery in the standard form."""
    return lines(
        "From: Mail Delivery System <MAILER-DAEMON@mx.example.net>", f"To: {to}",
        "Subject: Undelivered Mail Returned to Sender", f"Message-ID: <return-{number}@mx.example.net>",
        "Auto-Submitted: auto-replied", "MIME-Version: 1.0",
        'Content-Type: multipart/report; report-type=delivery-status; boundary="BB"', "",
        "--BB", "Content-Type: text/plain; charset=utf-8", "",
        "I'm sorry to have to inform you that your message could not be delivered.", "",
        "--BB", "Content-Type: message/delivery-status", "",
        "Reporting-MTA: dns; mx.example.net", "",
        "Final-Recipient: rfc822; somebody.else@example.org", f"Action: {action}", f"Status: {status}",
        f"Diagnostic-Code: {diagnostic}", "",
        "--BB", "Content-Type: text/rfc822-headers", "",
        *([f"Message-ID: {original}"] if original else []), "Subject: =?utf-8?b?0KHQutC40LTQutCw?=", "",
        "--BB--", "",
    )  # fmt: skip


def complaint(original: str) -> bytes:
    """A complaint in the Abuse Reporting Format, as feedback loops send it."""
    return lines(
        "From: <feedback@fbl.example.net>", "To: abuse@example.com", "Subject: FW: offer",
        "Message-ID: <complaint-1@fbl.example.net>", "MIME-Version: 1.0",
        'Content-Type: multipart/report; report-type=feedback-report; boundary="BB"', "",
        "--BB", "Content-Type: text/plain", "", "This is an email abuse report.", "",
        "--BB", "Content-Type: message/feedback-report", "",
        "Feedback-Type: abuse", "User-Agent: SomeGenerator/1.0", "Version: 1", "",
        "--BB", "Content-Type: message/rfc822", "",
        f"Message-ID: {original}", "Subject: offer", "", "the letter", "",
        "--BB--", "",
    )  # fmt: skip


def qmail(to: str, reason: str = "Sorry, no mailbox here by that name. (#5.1.1)") -> bytes:
    """A return in the words of a server that knows no reports."""
    return lines(
        "From: MAILER-DAEMON@old.example.net", f"To: {to}", "Subject: failure notice",
        "Message-ID: <q-1@old.example.net>", "",
        "Hi. This is the qmail-send program at old.example.net.",
        "I'm afraid I wasn't able to deliver your message to the following addresses.",
        "This is a permanent error; I've given up. Sorry it didn't work out.", "",
        "<somebody@old.example.net>:", reason, "",
        "--- Below this line is a copy of the message.", "", "Return-Path: <x@example.com>", "",
    )  # fmt: skip


def letter(
    to: str, subject: str = "Re: offer", *, text: str = "Yes, please call me.", **headers: Any
) -> bytes:
    """A message of a person, or of a machine that says so in its headers."""
    said = [f"{name.replace('_', '-')}: {value}" for name, value in headers.items()]
    return lines(
        "From: Anna <anna@example.org>", f"To: {to}", f"Subject: {subject}",
        "Message-ID: <reply-1@example.org>", *said, "Content-Type: text/plain; charset=utf-8", "", text,
    )  # fmt: skip
