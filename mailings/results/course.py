"""How a mailing went in time: sent, opened, clicked, answered by the end of each step, people only."""

from __future__ import annotations

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
_MOMENTS: Mapping[str, Any] = {
    "sent": Delivery.sent_at,
    "opened": Delivery.human_opened_at,
    "clicked": Delivery.human_clicked_at,
    "replied": Delivery.replied_at,
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
    first, last = session.execute(
        _of(
            mailing, sa.func.min(Delivery.sent_at), sa.func.greatest(*map(_last, _MOMENTS.values()))
        )
    ).one()
    if first is None:
        return None
    step = next((each for each in STEPS if (last - first) / each < POINTS - 1), STEPS[-1])
    origin = _ORIGIN - timedelta(minutes=utc_offset_minutes)
    happened: dict[str, dict[datetime, int]] = {}
    for name, column in _MOMENTS.items():
        begun = sa.func.date_bin(step, column, origin)
        query = _of(mailing, begun, sa.func.count()).where(column.is_not(None)).group_by(begun)
        counts: dict[datetime, int] = dict(session.execute(query).all())
        if counts:
            happened[name] = counts
    start = min(happened["sent"])
    steps = int((last - start) / step) + 1
    at = [start + step * number for number in range(steps)]
    reached = {
        name: list(accumulate(counts.get(each, 0) for each in at))
        for name, counts in happened.items()
    }
    return Course(step, at, reached)


def _last(column: Any) -> Any:
    return sa.func.max(column)


def _of(mailing: Mailing, *columns: Any) -> sa.Select[Any]:
    mine = (Delivery.portal_id == mailing.portal_id, Delivery.mailing_id == mailing.id)
    return sa.select(*columns).where(*mine)
