"""Messages that come back to a sender: a report of non-delivery, a reply, a complaint (RFC 3464, RFC 5965)."""

from __future__ import annotations

from email.message import EmailMessage
from email.utils import formatdate, make_msgid
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from demo.mail.letters import Letter

SERVER = "mx.example.com"
_ANSWERS = (
    "Добрый день! Пришлите, пожалуйста, подробности и цены.",
    "Здравствуйте. Интересно, но вернёмся к этому в следующем месяце.",
    "Можно ли оплатить по счёту? Перезвоните завтра после обеда.",
)


def report(letter: Letter) -> bytes:
    """The recipient's server took the letter and found later that nobody is there."""
    address = letter.recipients[0]
    about = (
        f"Reporting-MTA: dns; {SERVER}\nArrival-Date: {formatdate()}\n\n"
        f"Final-Recipient: rfc822; {address}\nAction: failed\nStatus: 5.1.1\n"
        f"Diagnostic-Code: smtp; 550 5.1.1 <{address}>: mailbox unavailable\n"
    )
    text = f"The letter to <{address}> could not be delivered: there is no such mailbox."
    parts = (
        ("text/plain", text),
        ("message/delivery-status", about),
        ("text/rfc822-headers", _headers(letter)),
    )
    head = {"From": f"Mail Delivery System <mailer-daemon@{SERVER}>", "To": letter.sender}
    return _multipart(
        head | {"Subject": "Undelivered Mail Returned to Sender"}, "delivery-status", parts
    )


def complaint(letter: Letter) -> bytes:
    """The recipient pressed the button «Spam»."""
    about = (
        "Feedback-Type: abuse\nUser-Agent: demo/1.0\nVersion: 1\n"
        f"Original-Mail-From: <{letter.sender}>\nOriginal-Rcpt-To: <{letter.recipients[0]}>\n"
    )
    parts = (
        ("text/plain", "The recipient calls this letter spam."),
        ("message/feedback-report", about),
        ("text/rfc822-headers", _headers(letter)),
    )
    head = {
        "From": f"feedback@{SERVER}",
        "To": letter.sender,
        "Subject": "Complaint about a letter",
    }
    return _multipart(head, "feedback-report", parts)


def reply(letter: Letter) -> bytes:
    """A person answers."""
    message = EmailMessage()
    message["From"] = letter.recipients[0]
    message["To"] = str(letter.parsed["Reply-To"] or letter.parsed["From"])
    message["Subject"] = f"Re: {letter.subject}"
    message["Date"] = formatdate()
    message["Message-ID"] = make_msgid(domain="example.com")
    message["In-Reply-To"] = message["References"] = letter.message_id
    message.set_content(_ANSWERS[letter.number % len(_ANSWERS)])
    return message.as_bytes()


def _headers(letter: Letter) -> str:
    return letter.raw.partition(b"\r\n\r\n")[0].decode("latin-1").replace("\r\n", "\n") + "\n"


def _multipart(head: dict[str, str], kind: str, parts: tuple[tuple[str, str], ...]) -> bytes:
    """By hand: the standard library has no writer for reports."""
    boundary = "report-of-the-demo"
    lines = [f"{name}: {value}" for name, value in head.items()]
    lines += [
        f"Date: {formatdate()}",
        f"Message-ID: {make_msgid(domain=SERVER)}",
        "Auto-Submitted: auto-replied",
        "MIME-Version: 1.0",
        f'Content-Type: multipart/report; report-type={kind}; boundary="{boundary}"',
        "",
    ]
    for content_type, text in parts:
        lines += [f"--{boundary}", f"Content-Type: {content_type}", "", text]
    lines += [f"--{boundary}--", ""]
    return "\r\n".join("\n".join(lines).split("\n")).encode("latin-1", "replace")
