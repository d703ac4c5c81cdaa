"""Decisions of a check of the mirror: what looks like a moved clock, and what like narrowed rights."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from datetime import datetime

MAY_VANISH_SHARE = 0.02
MAY_VANISH_ROWS = 20

_ZONE_STEP_SECONDS = 15 * 60
_WIDEST_SHIFT_SECONDS = 26 * 3600
_MOST_ROWS = 0.9
_FEWEST_ROWS = 20
_FEWEST_STAMPS = 10


def too_many(vanished: int, alive: int) -> bool:
    """Whether so many rows would vanish at once that narrowed rights are the likelier cause."""
    return vanished > max(MAY_VANISH_ROWS, alive * MAY_VANISH_SHARE)


def common_shift(moved: Sequence[tuple[datetime | None, int | None]], compared: int) -> int:
    """By how many seconds the portal's clock has moved, if that is what the stamps tell; else 0.

    `moved` holds (stamp here, seconds it differs by) of the rows that differ among those `compared`. A
    moved clock moves nearly every stamp, those of different moments alike, by whole quarters of an hour;
    a mass change gives many rows one stamp or differences of every length.
    """
    counted = Counter(seconds for _, seconds in moved if seconds)
    if compared < _FEWEST_ROWS or not counted:
        return 0
    shift, rows = counted.most_common(1)[0]
    stamps = {stamp for stamp, seconds in moved if seconds == shift}
    plausible = shift % _ZONE_STEP_SECONDS == 0 and abs(shift) <= _WIDEST_SHIFT_SECONDS
    spread = rows >= compared * _MOST_ROWS and len(stamps) >= _FEWEST_STAMPS
    return shift if plausible and spread else 0
