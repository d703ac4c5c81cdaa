"""The portal's two limits: the leaky bucket of requests and the `operating` time of methods."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

WINDOW_MINUTES = 10
MINUTE = 60

Billing = Literal["method", "batch", "both"]


@dataclass
class LimitSettings:
    """What is limited and how; `operating_limit` 0 means neither counted nor reported, as in a box."""

    enabled: bool = False
    bucket_size: float = 50
    drain_per_second: float = 2
    count_rejected: bool = False
    operating_limit: float = 480
    billing: Billing = "method"
    floor: float = 0.1
    page_seconds: float | None = None
    write_seconds: float | None = None


PROFILES = {
    "off": LimitSettings(),
    "standard": LimitSettings(enabled=True),
    "enterprise": LimitSettings(enabled=True, bucket_size=250, drain_per_second=5),
}
LICENSES = {"off": "ru_selfhosted", "standard": "ru_pro100", "enterprise": "ru_ent250"}


class Limits:
    """Counts requests per address and seconds per (credential, method)."""

    def __init__(self, settings: LimitSettings) -> None:
        self.settings = settings
        self._buckets: dict[str, tuple[float, float]] = {}
        self._operating: dict[tuple[str, str], dict[int, float]] = {}

    def clear(self) -> None:
        """Forget everything counted so far."""
        self._buckets.clear()
        self._operating.clear()

    @property
    def operating_on(self) -> bool:
        """Whether operating time is counted and reported."""
        return self.settings.enabled and self.settings.operating_limit > 0

    def admit(self, address: str, now: float) -> bool:
        """Pour one request into the bucket of this address; False when it would overflow."""
        s = self.settings
        if not s.enabled or s.bucket_size <= 0:
            return True
        level, at = self._buckets.get(address, (0.0, now))
        level = max(0.0, level - s.drain_per_second * max(0.0, now - at))
        admitted = level + 1 <= s.bucket_size
        if admitted or s.count_rejected:
            level += 1
        self._buckets[address] = (level, now)
        return admitted

    def exhausted(self, credential: str, method: str, now: float) -> bool:
        """Whether this credential has used up the time of this method."""
        if not self.operating_on:
            return False
        return self.used(credential, method, now)[0] > self.settings.operating_limit

    def used(self, credential: str, method: str, now: float) -> tuple[float, int]:
        """Seconds accumulated over the window, and the unix time when the oldest minute leaves it."""
        minute = int(now // MINUTE)
        minutes = self._operating.get((credential, method))
        if not minutes:
            return 0.0, (minute + WINDOW_MINUTES) * MINUTE
        for old in [m for m in minutes if m <= minute - WINDOW_MINUTES]:
            del minutes[old]
        oldest = min(minutes, default=minute)
        return sum(minutes.values()), (oldest + WINDOW_MINUTES) * MINUTE

    def bill(self, credential: str, method: str, seconds: float, now: float) -> None:
        """Add executed time; calls shorter than the floor are free."""
        if not self.operating_on or seconds < self.settings.floor:
            return
        minutes = self._operating.setdefault((credential, method), {})
        minute = int(now // MINUTE)
        minutes[minute] = minutes.get(minute, 0.0) + seconds

    def cost(self, method: str, simulated: float) -> float:
        """The seconds a call takes: the method's own model unless a test fixed a figure."""
        s = self.settings
        if s.page_seconds is not None and method.endswith((".list", ".get")):
            return s.page_seconds
        if s.write_seconds is not None and method.endswith((".update", ".add", ".delete")):
            return s.write_seconds
        return simulated
