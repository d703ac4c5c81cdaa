"""How often one person may be written to: so many messages in a rolling window of days."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

LONGEST_DAYS = 366
_KEYS = {"channel", "days", "number"}


class BadCap(ValueError):
    """A limit that can't be followed."""


@dataclass(frozen=True, slots=True)
class Cap:
    """At most `number` messages in any `days` days; on one channel, or on all together."""

    days: int
    number: int
    channel: str | None = None

    @property
    def window(self) -> timedelta:
        """How far back messages count."""
        return timedelta(days=self.days)

    def as_json(self) -> dict[str, Any]:
        """For the database."""
        return {"channel": self.channel, "days": self.days, "number": self.number}


def read(raw: Iterable[Mapping[str, Any]]) -> tuple[Cap, ...]:
    """The limits that are on: zero of either number means off. Raises BadCap."""
    found = []
    for each in raw:
        if not set(each) <= _KEYS:
            raise BadCap(f"unknown: {', '.join(sorted(set(each) - _KEYS))}")
        days, number = _whole(each.get("days")), _whole(each.get("number"))
        if days > LONGEST_DAYS:
            raise BadCap(f"at most {LONGEST_DAYS} days")
        if days and number:
            found.append(Cap(days, number, each.get("channel") or None))
    return tuple(found)


def counting(caps: Iterable[Cap], channel: str) -> tuple[Cap, ...]:
    """Those that a message on this channel has to keep."""
    return tuple(cap for cap in caps if cap.channel in (None, channel))


def _whole(value: Any) -> int:
    if value is None:
        return 0
    if not isinstance(value, int) or isinstance(value, bool) or value < 0:
        raise BadCap("must be whole numbers, zero or more")
    return value
