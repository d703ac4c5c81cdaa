"""What this process has in hand: the tokens of its claims, for which it keeps the leases up."""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Iterable

from mailings.sending.claiming import Claimed


class Holdings:
    """How many deliveries of each claim have no outcome in the database yet."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._open: Counter[str] = Counter()

    def take(self, rows: Iterable[Claimed]) -> None:
        """They are ours."""
        with self._lock:
            self._open.update(row.owner for row in rows)

    def drop(self, rows: Iterable[Claimed]) -> None:
        """They are not any more."""
        with self._lock:
            for row in rows:
                self._open[row.owner] -= 1
                if self._open[row.owner] <= 0:
                    del self._open[row.owner]

    def owners(self) -> list[str]:
        """The tokens that must not run out."""
        with self._lock:
            return list(self._open)
