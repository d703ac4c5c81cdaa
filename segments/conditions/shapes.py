"""What kinds of values operators take: read from JSON, with a message when it isn't one.

Each function turns the JSON value into what the SQL is made from, or raises Unfit saying what is allowed,
to follow «must be».
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from typing import Any

from segments.rules.dates import Period, Unit

MAX_LISTED = 1000
MAX_TEXT = 500
_LARGEST = Decimal(10) ** 15


class Unfit(ValueError):
    """A value of another kind; the message says what is allowed."""


@dataclass(frozen=True, slots=True)
class Shape:
    """A kind of value: `key` chooses the input of the form."""

    key: str
    read: Callable[[Any], Any]


def _nothing(raw: Any) -> None:
    if raw is not None:
        raise Unfit("left out")


def _text(raw: Any) -> str:
    if not isinstance(raw, str) or not raw.strip() or len(raw) > MAX_TEXT or "\0" in raw:
        raise Unfit(f"a text of 1 to {MAX_TEXT} characters")
    return raw.strip()


def _listed(read: Callable[[Any], Any], what: str) -> Callable[[Any], list[Any]]:
    def many(raw: Any) -> list[Any]:
        if not isinstance(raw, list) or not 1 <= len(raw) <= MAX_LISTED:
            raise Unfit(f"a list of 1 to {MAX_LISTED} {what}")
        return list(dict.fromkeys(read(item) for item in raw))

    return many


def _number(raw: Any) -> Decimal:
    if isinstance(raw, bool) or not isinstance(raw, int | float):
        raise Unfit("a number")
    if isinstance(raw, float) and not math.isfinite(raw):
        raise Unfit("a number")
    number = Decimal(str(raw))
    if abs(number) >= _LARGEST:
        raise Unfit("a number below 10^15")
    return number


def _range(read: Callable[[Any], Any], what: str) -> Callable[[Any], tuple[Any, Any]]:
    def pair(raw: Any) -> tuple[Any, Any]:
        if not isinstance(raw, list) or len(raw) != 2:
            raise Unfit(f"[from, to], two {what}")
        low, high = read(raw[0]), read(raw[1])
        if low > high:
            raise Unfit(f"[from, to], two {what}, the smaller first")
        return low, high

    return pair


def _day(raw: Any) -> date:
    try:
        if isinstance(raw, str) and len(raw) == 10:
            return date.fromisoformat(raw)
    except ValueError:
        pass
    raise Unfit("a date as 2026-01-31")


def _period(raw: Any) -> Period:
    what = 'as {"n": 30, "unit": "day"}; units: ' + ", ".join(Unit)
    if not isinstance(raw, dict) or set(raw) != {"n", "unit"} or raw["unit"] not in list(Unit):
        raise Unfit(what)
    number = raw["n"]
    if isinstance(number, bool) or not isinstance(number, int):
        raise Unfit(what)
    return Period(number, Unit(raw["unit"]))


def _unit(raw: Any) -> Unit:
    if raw not in list(Unit):
        raise Unfit("one of " + ", ".join(Unit))
    return Unit(raw)


def _whole(low: int, high: int) -> Callable[[Any], int]:
    def number(raw: Any) -> int:
        if isinstance(raw, bool) or not isinstance(raw, int) or not low <= raw <= high:
            raise Unfit(f"a whole number from {low} to {high}")
        return raw

    return number


def _choice(raw: Any) -> str:
    if isinstance(raw, bool) or not isinstance(raw, str | int) or len(str(raw)) > MAX_TEXT:
        raise Unfit("an id of the list")
    if "\0" in str(raw):
        raise Unfit("an id of the list")
    return str(raw)


def _percent(raw: Any) -> Decimal:
    number = _number(raw)
    if not 0 < number <= 100:
        raise Unfit("a number above 0, up to 100")
    return number


def _pattern(raw: Any) -> str:
    """A regular expression that both this program and the database understand, without back references."""
    text = _text(raw)
    try:
        re.compile(text)
    except (re.error, OverflowError, RecursionError):
        raise Unfit("a regular expression") from None
    if re.search(r"\\[1-9]|\(\?(?!:)|\{\d{3,}", text):
        raise Unfit("a regular expression without back references and (?…)")
    return text


def _share(raw: Any) -> tuple[Decimal, str]:
    if not isinstance(raw, dict) or set(raw) != {"percent", "salt"}:
        raise Unfit('as {"percent": 10, "salt": "spring"}')
    return _percent(raw["percent"]), _text(raw["salt"])


NOTHING = Shape("nothing", _nothing)
TEXT = Shape("text", _text)
TEXTS = Shape("texts", _listed(_text, "texts"))
PATTERN = Shape("pattern", _pattern)
NUMBER = Shape("number", _number)
NUMBERS = Shape("numbers", _range(_number, "numbers"))
PERCENT = Shape("percent", _percent)
DAY = Shape("day", _day)
DAYS = Shape("days", _range(_day, "dates"))
PERIOD = Shape("period", _period)
UNIT = Shape("unit", _unit)
MONTHS = Shape("months", _listed(_whole(1, 12), "months"))
WEEKDAYS = Shape("weekdays", _listed(_whole(1, 7), "days of the week"))
CHOICES = Shape("choices", _listed(_choice, "ids"))
COUNT = Shape("count", _whole(1, 10_000))
SHARE = Shape("share", _share)
SEGMENT = Shape("segment", _whole(1, 2**31 - 1))


def _segment_on(raw: Any) -> tuple[int, date]:
    if not isinstance(raw, dict) or set(raw) != {"segment", "day"}:
        raise Unfit('as {"segment": 5, "day": "2026-01-31"}')
    return SEGMENT.read(raw["segment"]), _day(raw["day"])


def _segment_between(raw: Any) -> tuple[int, tuple[date, date]]:
    if not isinstance(raw, dict) or set(raw) != {"segment", "days"}:
        raise Unfit('as {"segment": 5, "days": ["2026-01-01", "2026-01-31"]}')
    return SEGMENT.read(raw["segment"]), DAYS.read(raw["days"])


SEGMENT_ON = Shape("segment_on", _segment_on)
SEGMENT_BETWEEN = Shape("segment_between", _segment_between)
