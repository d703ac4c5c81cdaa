"""What may be used of a portal: by its plan, by a method's execution time, by how urgent a call is.

https://apidocs.bitrix24.com/settings/performance/limits.html
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from enum import Enum
from typing import Self

_PROBE = 10  # calls at once of a method nobody knows the cost of


@dataclass(frozen=True)
class Share:
    """What a call leaves to more urgent ones.

    `reserve`: requests it leaves in the bucket while people use the application, a fifth of it at
    other times. `operating`: its part of a method's execution time.
    """

    reserve: float
    operating: float


class Priority(Enum):
    """Who goes first when the portal can't be asked everything at once."""

    INTERACTIVE = Share(reserve=0, operating=1.0)  # somebody looks at a page and waits
    PROMPT = Share(reserve=2, operating=0.9)  # what an event named, wanted within seconds
    BACKGROUND = Share(reserve=5, operating=0.8)  # a sync
    PATIENT = Share(reserve=10, operating=0.5)  # bulk work that may take the night

    @property
    def reserve(self) -> float:
        """See Share."""
        return self.value.reserve

    @property
    def operating(self) -> float:
        """See Share."""
        return self.value.operating


@dataclass(frozen=True)
class Limits:
    """What the portal's plan allows. `headroom` requests stay unused: the network reorders them."""

    burst: int = 50
    per_second: float = 2.0
    headroom: int = 1
    operating_seconds: float = 480.0
    operating_share: float = 0.8
    operating_window: float = 600.0

    @classmethod
    def enterprise(cls) -> Self:
        """The limits of the Enterprise plan."""
        return cls(burst=250, per_second=5.0, headroom=2)

    @classmethod
    def off(cls) -> Self:
        """No limit on requests a second (a boxed portal); execution time is still watched."""
        return cls(per_second=math.inf)


@dataclass(frozen=True)
class Budget:
    """Execution time of one method, as far as its answers tell."""

    limit: float
    used: float
    stop_at: float
    closed_for: float = 0.0
    seconds_per_call: float | None = None

    @property
    def remaining(self) -> float:
        """Seconds that may still be used before we stop of our own will."""
        return 0.0 if self.closed_for > 0 else max(0.0, self.stop_at - self.used)

    def calls(self, at_most: int) -> int:
        """How many calls fit; at least one while the method is open, to learn how it stands."""
        if self.closed_for > 0:
            return 0
        if self.seconds_per_call is None:
            return min(at_most, _PROBE)
        if not self.seconds_per_call:
            return at_most
        return max(1, min(at_most, int(self.remaining / self.seconds_per_call)))
