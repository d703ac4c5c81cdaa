"""How a mailing went in time: sent, opened, clicked, answered by the end of each step, people only."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from itertools import accumulate
from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm import Session

from mailings.models import Delivery, Mailing

STEPS = (
    timedelta(minutes=10),
    timedelta(hours=1),
    timedelta(hours=6),
    timedelta(days=1),
    timedelta(days=7),
    timedelta(days=28),
)
POINTS = 48
_ORIGIN = datetime(2001, 1, 1, tzinfo=UTC)  # a Monday
_COUNTED_BY = "date_bin('5 minutes'::interval, {}, '2001-01-01 00:00:00+00'::timestamptz)"
"""Every step of every clock is so many of these; spelt as the statistics of migration 0036 know it: with their guess of
the number of moments the database counts in parallel.
"""
_MOMENTS = {
    "sent": "sent_at",
    "opened": "human_opened_at",
    "clicked": "human_clicked_at",
    "replied": "replied_at",
}


@dataclass(frozen=True, slots=True)
class Course:
    """`at`: when each step begins; `reached`: how many there were by the end of it, by what they did.

    What nobody did is left out. `step` is the shortest that needs no more than `POINTS` points.
    """

    step: timedelta
    at: Sequence[datetime]
    reached: Mapping[str, Sequence[int]]


def course(session: Session, mailing: Mailing, utc_offset_minutes: int) -> Course | None:
    """From the first message to the last event; None before the first. Steps begin on the portal's clock."""
    origin = _ORIGIN - timedelta(minutes=utc_offset_minutes)
    happened = _happened(session, mailing)
    if "sent" not in happened:
        return None
    first, last = min(happened["sent"]), max(max(counts) for counts in happened.values())
    step = next((each for each in STEPS if _steps(first, last, each, origin) <= POINTS), STEPS[-1])
    start = _begun(first, step, origin)
    at = [start + step * number for number in range(_steps(first, last, step, origin))]
    return Course(step, at, {name: _reached(counts, at, step) for name, counts in happened.items()})


def _happened(session: Session, mailing: Mailing) -> dict[str, Counter[datetime]]:
    """How often each thing happened in each five minutes: one look at the deliveries."""
    moment = sa.DateTime(timezone=True)
    begun = [sa.literal_column(_COUNTED_BY.format(name), moment) for name in _MOMENTS.values()]
    places: list[Any] = [sa.literal_column(str(number + 1)) for number in range(len(begun))]
    query = (
        sa.select(*begun, sa.func.count())
        .where(Delivery.portal_id == mailing.portal_id, Delivery.mailing_id == mailing.id)
        .group_by(*places)
    )
    found: dict[str, Counter[datetime]] = {}
    for *moments, number in session.execute(query):
        for name, moment in zip(_MOMENTS, moments, strict=True):
            if moment is not None:
                found.setdefault(name, Counter())[moment] += number
    return found


def _begun(moment: datetime, step: timedelta, origin: datetime) -> datetime:
    """When the step began that the moment is in."""
    return moment - (moment - origin) % step


def _steps(first: datetime, last: datetime, step: timedelta, origin: datetime) -> int:
    return int((last - _begun(first, step, origin)) / step) + 1


def _reached(counts: Mapping[datetime, int], at: Sequence[datetime], step: timedelta) -> list[int]:
    """How many there were by the end of each step."""
    numbers = [0] * len(at)
    for moment, number in counts.items():
        numbers[max(0, int((moment - at[0]) / step))] += number
    return list(accumulate(numbers))
