"""Is a client late with the next purchase, by their own habit."""

from __future__ import annotations

from decimal import Decimal
from enum import StrEnum

DUE, LATE, LOST = Decimal("0.9"), Decimal("1.5"), Decimal(3)
REST_DAYS = 7
"""Nobody is reminded within a week of the last sale, however often he buys."""


class Rhythm(StrEnum):
    """Days since the last sale against the client's mean gap."""

    USUAL = "usual"
    LATE = "late"
    LOST = "lost"


def rhythm(days_since: int | None, mean_gap_days: Decimal | None) -> Rhythm | None:
    """None while there is no habit: fewer than two sales, or all on one day."""
    if days_since is None or not mean_gap_days:
        return None
    ratio = days_since / mean_gap_days
    if ratio > LOST:
        return Rhythm.LOST
    return Rhythm.LATE if ratio > LATE else Rhythm.USUAL
