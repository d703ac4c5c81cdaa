"""Ids in the order of a moment, for filters that ask what changed since."""

from __future__ import annotations

from array import array
from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from datetime import datetime

_SPARE = 1000


class Timeline:
    """Ids by moment; changed rows are added again, old entries stay until it is made anew."""

    def __init__(self, pairs: Iterable[tuple[datetime, int]] = ()) -> None:
        """The pairs come in the order of time."""
        self._moments = array("d")
        self._ids = array("q")
        for moment, row_id in pairs:
            self._moments.append(moment.timestamp())
            self._ids.append(row_id)

    def add(self, moment: datetime, row_id: int) -> None:
        """Note the moment of a row."""
        at = bisect_right(self._moments, moment.timestamp())
        self._moments.insert(at, moment.timestamp())
        self._ids.insert(at, row_id)

    def after(self, moment: datetime) -> Sequence[int]:
        """Ids noted at or after a moment."""
        return self._ids[bisect_left(self._moments, moment.timestamp()) :]

    def outgrown(self, rows: int) -> bool:
        """Whether old entries have become too many for so many rows."""
        return len(self._ids) > 2 * rows + _SPARE
