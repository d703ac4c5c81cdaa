"""When the people of a portal work, so that heavy work can step back."""

from __future__ import annotations

from datetime import datetime, timedelta

_FROM_HOUR, _TO_HOUR = 8, 20
_SATURDAY = 5


def working(now: datetime, utc_offset_minutes: int) -> bool:
    """Whether it is a working day between eight and eight, by the portal's clock."""
    local = now + timedelta(minutes=utc_offset_minutes)
    return local.weekday() < _SATURDAY and _FROM_HOUR <= local.hour < _TO_HOUR
