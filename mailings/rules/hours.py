"""When a message may go: hours of the day and working days by a clock, and the last moment of a mailing."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from datetime import UTC, datetime, time, timedelta, timezone, tzinfo
from functools import lru_cache
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import phonenumbers
from phonenumbers.timezone import UNKNOWN_TIMEZONE, time_zones_for_number

from mailings.rules.plans import Plan, moment

EVERY_DAY = frozenset(range(7))
_DAY = timedelta(days=1)


@dataclass(frozen=True, slots=True)
class Window:
    """Hours of these weekdays (0 is Monday); an end before the beginning is on the next day."""

    start: time = time.min
    end: time = time.min
    days: frozenset[int] = EVERY_DAY

    @classmethod
    def of(cls, plan: Plan, working_days: Collection[int]) -> Window:
        """The window of a plan; a portal without working days works every day."""
        days = frozenset(working_days) if plan.working_days and working_days else EVERY_DAY
        if plan.hours_from is None or plan.hours_to is None:
            return cls(days=days)
        return cls(time.fromisoformat(plan.hours_from), time.fromisoformat(plan.hours_to), days)

    @property
    def always(self) -> bool:
        """Whether it never closes."""
        return self.start == self.end and self.days == EVERY_DAY

    def opening(self, now: datetime, zone: tzinfo) -> datetime:
        """The first moment from now on at which it is open: now itself, or its next beginning."""
        if self.always:
            return now
        today = now.astimezone(zone).date()
        for shift in range(-1, 9):
            day = today + shift * _DAY
            if day.weekday() not in self.days:
                continue
            begins = datetime.combine(day, self.start, zone).astimezone(UTC)
            last = day if self.end > self.start else day + _DAY
            ends = datetime.combine(last, self.end, zone).astimezone(UTC)
            if begins <= now < ends:
                return now
            if begins > now:
                return begins
        raise AssertionError("a week has at least one working day")


def too_late(plan: Plan, opening: datetime) -> bool:
    """Whether the plan's last moment comes before the message could go."""
    return plan.not_after is not None and opening > moment("not_after", plan.not_after)


def portal_zone(utc_offset_minutes: int) -> tzinfo:
    """The portal's clock."""
    return timezone(timedelta(minutes=utc_offset_minutes))


@lru_cache(maxsize=4096)
def zone_of_phone(phone: str) -> tzinfo | None:
    """The clock where this E.164 number is at home; None where its country has several and it may be in any."""
    try:
        zones = time_zones_for_number(phonenumbers.parse(phone))
    except phonenumbers.NumberParseException:
        return None
    if len(zones) != 1 or zones[0] == UNKNOWN_TIMEZONE:
        return None
    try:
        return ZoneInfo(zones[0])
    except (ZoneInfoNotFoundError, ValueError):
        return None
