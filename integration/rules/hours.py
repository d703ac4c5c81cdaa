"""When the people of a portal work, so that heavy work can step back; when everything is checked."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Self

DAY_HOURS = 24
CHECK_WINDOW = 3


class WrongHours(ValueError):
    """These hours make no sense; the message says why."""


@dataclass(frozen=True, slots=True)
class Hours:
    """Working days (0 is Monday) and hours by the portal's clock; from which hour the check may begin."""

    days: tuple[int, ...] = (0, 1, 2, 3, 4)
    start: int = 8
    end: int = 20
    check_at: int = 2

    @classmethod
    def of(cls, content: Mapping[str, Any] | None) -> Self:
        """Stored hours; those in force before anyone chose."""
        return cls(**{**content, "days": tuple(content["days"])}) if content else cls()

    @property
    def content(self) -> dict[str, Any]:
        """As it is stored."""
        return {"days": list(self.days), **self.clock}

    @property
    def clock(self) -> dict[str, int]:
        """The hours alone."""
        return {"start": self.start, "end": self.end, "check_at": self.check_at}

    @property
    def check_in_working_time(self) -> bool:
        """Whether the check may begin while people work."""
        return bool(self.days) and self.start - CHECK_WINDOW < self.check_at < self.end

    def checked(self) -> Self:
        """Itself. Raises WrongHours."""
        if any(day not in range(7) for day in self.days) or len(set(self.days)) < len(self.days):
            raise WrongHours("days are different numbers from 0, Monday, to 6, Sunday")
        if not 0 <= self.start < self.end <= DAY_HOURS:
            raise WrongHours("the working day must begin before it ends, between 0 and 24")
        if self.check_at not in range(DAY_HOURS):
            raise WrongHours("the check begins at an hour from 0 to 23")
        return self

    def working(self, now: datetime, utc_offset_minutes: int) -> bool:
        """Whether people work at this moment, by the portal's clock."""
        local = now + timedelta(minutes=utc_offset_minutes)
        return local.weekday() in self.days and self.start <= local.hour < self.end
