"""Letters that were taken: a line in the log before the server says so, the newest kept for reading."""

from __future__ import annotations

import json
import os
import re
from dataclasses import dataclass
from datetime import UTC, datetime
from email import message_from_bytes, policy
from email.message import EmailMessage
from functools import cached_property
from pathlib import Path
from typing import Any

_MESSAGE_ID = re.compile(rb"^message-id:[ \t\r\n]*([^\r\n]*)", re.IGNORECASE | re.MULTILINE)
_LONGEST_LINE = 998


@dataclass
class Letter:
    """One letter as it was taken."""

    number: int
    at: datetime
    sender: str
    recipients: tuple[str, ...]
    message_id: str
    raw: bytes

    @cached_property
    def parsed(self) -> EmailMessage:
        """Its headers and parts."""
        return message_from_bytes(self.raw, policy=policy.default)

    @property
    def subject(self) -> str:
        """Its subject, decoded."""
        return str(self.parsed["subject"] or "")

    def part(self, kind: str) -> str:
        """The text of its `plain` or `html` part; empty when it has none."""
        found = self.parsed.get_body(preferencelist=(kind,))
        return str(found.get_content()) if isinstance(found, EmailMessage) else ""

    @property
    def defects(self) -> list[str]:
        """What other servers would refuse or repair."""
        found = [type(one).__name__ for part in self.parsed.walk() for one in part.defects]
        if self.raw.count(b"\n") != self.raw.count(b"\r\n"):
            found.append("BareLineFeed")
        if self.raw.count(b"\r") != self.raw.count(b"\r\n"):
            found.append("BareCarriageReturn")
        if any(len(line) > _LONGEST_LINE for line in self.raw.split(b"\r\n")):
            found.append("LongLine")
        return found

    def as_json(self) -> dict[str, Any]:
        """All of it, for tests."""
        headers = [(name, str(value)) for name, value in self.parsed.items()]
        return {
            "number": self.number,
            "at": self.at.isoformat(),
            "sender": self.sender,
            "recipients": list(self.recipients),
            "message_id": self.message_id,
            "subject": self.subject,
            "headers": {name.lower(): value for name, value in reversed(headers)},
            "header_list": headers,
            "text": self.part("plain"),
            "html": self.part("html"),
            "size": len(self.raw),
            "defects": self.defects,
            "raw": self.raw.decode("latin-1"),
        }


class Letters:
    """The log on disk and the newest letters in memory."""

    def __init__(self, log: Path, keep: int, *, sync: bool = False) -> None:
        self.keep, self._sync = keep, sync
        self.kept: dict[int, Letter] = {}
        self.taken = 0
        self._log = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o644)

    def take(self, sender: str, recipients: tuple[str, ...], raw: bytes) -> Letter:
        """Write a letter down. When this returns, its line is in the log whatever happens to the link."""
        self.taken += 1
        head = raw[: end + 2] if (end := raw.find(b"\r\n\r\n")) >= 0 else raw
        found = _MESSAGE_ID.search(head)
        letter = Letter(
            number=self.taken,
            at=datetime.now(UTC),
            sender=sender,
            recipients=recipients,
            message_id=found[1].strip().decode("latin-1") if found else "",
            raw=raw,
        )
        line = {
            "number": letter.number,
            "at": letter.at.isoformat(),
            "message_id": letter.message_id,
            "sender": sender,
            "recipients": recipients,
            "size": len(raw),
        }
        os.write(self._log, json.dumps(line).encode() + b"\n")
        if self._sync:
            os.fsync(self._log)
        if self.keep:
            self.kept[letter.number] = letter
            if len(self.kept) > self.keep:
                del self.kept[letter.number - self.keep]
        return letter

    def newest(self, address: str = "", before: int = 0, limit: int = 50) -> list[Letter]:
        """A page of letters, newest first; those to or from an address that contains the text."""
        found, wanted = [], address.lower()
        for letter in reversed(self.kept.values()):
            if before and letter.number >= before:
                continue
            if any(wanted in one.lower() for one in (*letter.recipients, letter.sender)):
                found.append(letter)
                if len(found) == limit:
                    break
        return found

    def forget(self) -> None:
        """Empty the shelf and the log."""
        self.kept.clear()
        os.ftruncate(self._log, 0)

    def close(self) -> None:
        """Close the log."""
        os.close(self._log)
