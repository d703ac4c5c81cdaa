"""To which touch a lead or deal is credited: the last one before it, inside the portal's window.

What carries a message's own mark follows from that message. Else a click, a reply or a call counts before an open,
whichever came later: a picture may have loaded by itself. What
is said here of one card, `mailings.results.attributing` says of all in SQL; the tests hold the two together.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta

from mailings.rules.events import EventKind

DEFAULT_DAYS = 30
LONGEST_DAYS = 365
STRENGTH = (EventKind.CLICKED, EventKind.REPLIED, EventKind.CALLED, EventKind.OPENED)
"""The stronger first: this decides between touches of one moment."""


@dataclass(frozen=True, slots=True)
class Touch:
    """What a person did with a delivery, and when. `marked`: what happened carries the mark of this delivery."""

    delivery_id: int
    kind: EventKind
    at: datetime
    marked: bool = False


def last_touch(touches: Iterable[Touch], happened_at: datetime, window: timedelta) -> Touch | None:
    """The touch that what happened then is credited to."""
    inside = [each for each in touches if happened_at - window <= each.at <= happened_at]
    return max(inside, key=_rank, default=None)


def _rank(touch: Touch) -> tuple[bool, bool, datetime, int, int]:
    strong = touch.kind is not EventKind.OPENED
    return touch.marked, strong, touch.at, -STRENGTH.index(touch.kind), touch.delivery_id
