"""What the portal remembers of the requests it served: a ring of entries and plain counters."""

from __future__ import annotations

from collections import Counter, deque
from dataclasses import asdict, dataclass
from typing import Any

RING = 10_000


@dataclass(slots=True)
class Entry:
    """One call: an HTTP request, or one command of a batch (`parent` = number of its request)."""

    n: int
    at: float
    method: str
    parent: int | None
    credential: str
    user_id: int
    status: int
    error: str | None
    seconds: float
    params: dict[str, Any]


class Journal:
    """A bounded log; old entries fall out, numbers never repeat."""

    def __init__(self, size: int = RING) -> None:
        self.entries: deque[Entry] = deque(maxlen=size)
        self.counters: Counter[str] = Counter()
        self._n = 0

    def next_number(self) -> int:
        """The number of the next entry."""
        self._n += 1
        return self._n

    def add(self, entry: Entry) -> None:
        """Store an entry and count it."""
        self.entries.append(entry)
        self.counters[entry.method] += 1
        if entry.error is not None:
            self.counters[f"error:{entry.error}"] += 1

    def since(self, n: int, method: str | None = None, limit: int = 5000) -> list[dict[str, Any]]:
        """Entries after number `n`, oldest first, of one method if named."""
        chosen = [e for e in self.entries if e.n > n and method in (None, e.method)]
        return [asdict(e) for e in chosen[:limit]]
