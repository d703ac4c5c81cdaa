"""From the bytes of a reply to a value or an exception, with the portal's quirks smoothed out."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

import orjson

from core.http import Reply
from integration.bitrix.errors import (
    BitrixError,
    OperationTimeLimit,
    PortalFailure,
    PortalMoved,
    UnexpectedAnswer,
    refusal,
)

_REDIRECTS = frozenset({301, 302, 303, 307, 308})


@dataclass(frozen=True)
class Time:
    """The `time` of an answer. `operating` is the method's accumulated time, not this call's."""

    start: float = 0.0
    finish: float = 0.0
    duration: float = 0.0
    operating: float | None = None
    operating_reset_at: float | None = None
    started_at: datetime | None = None

    @classmethod
    def parse(cls, raw: object) -> Time:
        """Tolerant: every part may be missing, an int, or an ISO text instead of Unix time."""
        if not isinstance(raw, dict):
            return cls()
        moment = raw.get("date_start")
        return cls(
            start=_seconds(raw.get("start")) or 0.0,
            finish=_seconds(raw.get("finish")) or 0.0,
            duration=_seconds(raw.get("duration")) or 0.0,
            operating=_seconds(raw.get("operating")),
            operating_reset_at=_seconds(raw.get("operating_reset_at")),
            started_at=_moment(moment) if isinstance(moment, str) else None,
        )


@dataclass(frozen=True)
class Answer:
    """A method's answer. At start=-1 `total` is 0 or None and says nothing."""

    result: Any
    total: int | None = None
    next: int | None = None
    time: Time = field(default_factory=Time)


@dataclass
class Batch:
    """Answers of a batch by the caller's keys, in the caller's order.

    Every command is in `results`, in `errors`, or in `skipped` (never executed because an earlier
    one failed under `halt`).
    """

    results: dict[str, Any] = field(default_factory=dict)
    errors: dict[str, BitrixError] = field(default_factory=dict)
    totals: dict[str, int] = field(default_factory=dict)
    nexts: dict[str, int] = field(default_factory=dict)
    times: dict[str, Time] = field(default_factory=dict)
    skipped: tuple[str, ...] = ()
    time: Time = field(default_factory=Time)

    def answer(self, key: str) -> Answer:
        """One command's answer; raises its error."""
        if key in self.errors:
            raise self.errors[key]
        return Answer(
            self.results[key],
            self.totals.get(key),
            self.nexts.get(key),
            self.times.get(key, Time()),
        )


def envelope(reply: Reply) -> dict[str, Any]:
    """The JSON object of a reply without an error in it; otherwise the fitting exception."""
    if reply.status in _REDIRECTS:
        raise PortalMoved(reply.headers.get("Location", ""), status=reply.status)
    try:
        body = orjson.loads(reply.body)
    except orjson.JSONDecodeError:
        body = None
    if not isinstance(body, dict):
        if reply.status >= 500:
            raise PortalFailure("no JSON in the answer", status=reply.status)
        raise UnexpectedAnswer(f"not JSON: {_looks_like(reply.body)}", status=reply.status)
    if "error" in body:  # the key decides: the code is "" in classic CRM errors, and may be 0
        raise _refused(body, reply.status)
    return body


def answer(body: Mapping[str, Any], status: int) -> Answer:
    """A method's answer from a checked envelope."""
    if status >= 400 or "result" not in body:
        raise UnexpectedAnswer("no result in the answer", status=status)
    return Answer(
        body["result"],
        _whole(body.get("total")),
        _whole(body.get("next")),
        Time.parse(body.get("time")),
    )


def batch(outer: Answer, keys: list[str], *, halt: bool) -> Batch:
    """The sections of a batch's answer, laid back onto the keys that were sent.

    A section whose keys are 0..n-1 arrives as a list and an empty one as `[]`; keys are never
    numeric here, so that a list can only be empty.
    https://apidocs.bitrix24.com/settings/how-to-call-rest-api/batch.html
    """
    sections = outer.result
    if not isinstance(sections, dict):
        raise UnexpectedAnswer("a batch without sections")
    results, errors = _section(sections, "result"), _section(sections, "result_error")
    times = _section(sections, "result_time")
    made = Batch(time=outer.time)
    for key in keys:
        if key in times:
            made.times[key] = Time.parse(times[key])
        if key in errors:
            made.errors[key] = _refused(errors[key], 400)
        elif key in results:
            made.results[key] = results[key]
        elif halt and made.errors:
            made.skipped += (key,)
        else:
            made.errors[key] = UnexpectedAnswer("the batch says nothing about the command")
    made.totals = _numbers(_section(sections, "result_total"), keys)
    made.nexts = _numbers(_section(sections, "result_next"), keys)
    return made


def rows(result: Any, path: tuple[str, ...] = ()) -> list[Any]:
    """The list under `path` of a result: an empty list may stand for any object on the way."""
    node = result
    for part in path:
        if node in ([], None):
            return []
        if not isinstance(node, dict) or part not in node:
            raise UnexpectedAnswer(f"no {part!r} in the result")
        node = node[part]
    if isinstance(node, dict):
        return list(node.values())
    if not isinstance(node, list):
        raise UnexpectedAnswer("the result is not a list")
    return node


def _section(sections: Mapping[str, Any], name: str) -> dict[str, Any]:
    found = sections.get(name)
    if isinstance(found, dict):
        return found
    if not found:
        return {}
    raise UnexpectedAnswer(f"{name} of a batch is not an object")


def _refused(body: object, status: int) -> BitrixError:
    if not isinstance(body, dict):
        return refusal("", status, body)
    error = body.get("error")
    if isinstance(error, dict):  # REST 3.0
        return refusal(error.get("code"), status, error.get("message"))
    made = refusal(error, status, body.get("error_description"))
    if isinstance(made, OperationTimeLimit):
        made.reset_at = Time.parse(body.get("time")).operating_reset_at
    return made


def _numbers(section: Mapping[str, Any], keys: list[str]) -> dict[str, int]:
    found = ((key, _whole(section.get(key))) for key in keys)
    return {key: number for key, number in found if number is not None}


def _whole(value: object) -> int | None:
    if isinstance(value, bool):
        return None
    if isinstance(value, int):
        return value
    return int(value) if isinstance(value, str) and value.isascii() and value.isdigit() else None


def _seconds(value: object) -> float | None:
    if isinstance(value, int | float) and not isinstance(value, bool):
        return float(value)
    if not isinstance(value, str):
        return None
    try:
        return float(value)
    except ValueError:
        moment = _moment(value)
        return moment.timestamp() if moment else None


def _moment(text: str) -> datetime | None:
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        return None
    return moment if moment.tzinfo else None


def _looks_like(body: bytes) -> str:
    start = body.lstrip()[:1]
    if not start:
        return "an empty body"
    if start == b"<":
        return "an HTML page"
    return "a cut body" if start in b"{[" else "some text"
