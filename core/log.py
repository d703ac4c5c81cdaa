"""Logs: one line per event, with portal, job and request ids; secrets and personal data masked."""

from __future__ import annotations

import logging
import re
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar, Token

import orjson

_context: ContextVar[dict[str, str | int]] = ContextVar("log_context", default={})  # noqa: B039

Bound = Token[dict[str, str | int]]

_STANDARD = frozenset(logging.makeLogRecord({}).__dict__) | {"message", "asctime", "taskName"}

_LINE_ENDS = {code: f"\\u{code:04x}" for code in (0x85, 0x2028, 0x2029)}  # JSON leaves them raw
_PLAIN = (bool, int, float, type(None))
_NAME = (
    r"(?:\b|(?<=%[0-9a-f]{2}))"
    r"(\w*token|auth(?:_id|orization)?|refresh_id|\w*secret|\w*password|code)"
)
_EQUALS = r"((?:[\"'\]]|%22|%27|%5D)*\s*(?:[=:]|%3D|%3A)\s*(?:[\"']|%22|%27)?)"
_MASKS = (
    (
        re.compile(rf"(?i){_NAME}{_EQUALS}(?:Bearer\s+)?(?:(?!%22|%26)[^\s\"'&,}}])+"),
        r"\1\2***",
    ),
    (re.compile(r"(?i)\b(Bearer\s+)[^\s\"',]+"), r"\1***"),
    (re.compile(r"(/rest/\d+/)[A-Za-z0-9]{8,}"), r"\1***"),
    (re.compile(r"(://[^/\s:@]*:)[^@\s/]+@"), r"\1***@"),
    (re.compile(r"(?i)[\w.+%-]+(?:@|%40)[\w-]+(?:\.[\w-]+)+"), "***@***"),
    (re.compile(r"(?<![\w-])(?:\+\d|[78])[\d\s()-]{9,17}\d(?![\w-])"), "***"),
)


def mask(text: str) -> str:
    """The text without tokens, passwords, webhook secrets, e-mail addresses and phone numbers."""
    for pattern, replacement in _MASKS:
        text = pattern.sub(replacement, text)
    return text.encode("utf-8", "replace").decode()


@contextmanager
def bound(**ids: str | int) -> Iterator[None]:
    """Add ids (portal, job, request) to every line logged inside."""
    token = bind(**ids)
    try:
        yield
    finally:
        unbind(token)


def bind(**ids: str | int) -> Bound:
    """As `bound`, for callers that can't wrap their work in a block; pair it with `unbind`."""
    return _context.set({**_context.get(), **ids})


def unbind(token: Bound) -> None:
    """Take back what `bind` added."""
    _context.reset(token)


class LineFormatter(logging.Formatter):
    """A record as one JSON object on one line; control characters can't forge a second line."""

    def format(self, record: logging.LogRecord) -> str:
        """Encode the record, its extras and the bound ids."""
        line: dict[str, object] = {
            "at": self.formatTime(record, "%Y-%m-%dT%H:%M:%S") + f".{int(record.msecs):03d}",
            "level": record.levelname.lower(),
            "logger": record.name,
            "event": mask(record.getMessage()),
        }
        for key, value in (_context.get() | record.__dict__).items():
            if key not in _STANDARD:
                line[key] = value if isinstance(value, _PLAIN) else mask(str(value))
        if record.exc_info:
            line["error"] = mask(self.formatException(record.exc_info))
        return orjson.dumps(line).decode().translate(_LINE_ENDS)


def configure(level: str) -> None:
    """Send every logger's lines to standard error in this format."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(LineFormatter())
    logging.basicConfig(level=level, handlers=[handler], force=True)
    for noisy in ("urllib3", "rq.worker", "alembic"):
        logging.getLogger(noisy).setLevel(max(logging.WARNING, logging.getLevelName(level)))
