"""Group and stage of life as SQL, as of a day: both depend on it, so that no row is rewritten when a day passes."""

from __future__ import annotations

from datetime import UTC, date, datetime, time, timedelta
from typing import Any

import sqlalchemy as sa

from segments.rules import lifecycle, rfm
from segments.rules.lifecycle import Edges

Expression = sa.SQLColumnExpression[Any]


def group(key: Expression, created_at: Expression, today: date, utc_offset: int) -> Expression:
    """The group: as stored of who has bought; of the others by how old the card is."""
    fresh = _fresh(created_at, today, utc_offset)
    unsold = sa.case((fresh, sa.literal(rfm.FRESH)), else_=sa.literal(rfm.NEVER))
    return sa.func.coalesce(key, unsold)


def stage(
    metrics: Any, previous_on: Expression, created_at: Expression, today: date, utc_offset: int,
    edges: Edges,
) -> Expression:  # fmt: skip
    """The stage of life of a card with this row of metrics; empty when nobody knows when it bought."""
    last_on = metrics.last_sale_on
    idle = sa.literal(today, sa.Date) - last_on
    once = metrics.sales == 1
    return sa.case(
        *(
            (when, sa.null() if name is None else sa.literal(name))
            for when, name in (
                (idle > edges.lost, lifecycle.LOST),
                (idle > edges.sleeping, lifecycle.SLEEPING),
                ((idle > edges.cooling) & once, lifecycle.AWAITED),
                (idle > edges.cooling, lifecycle.COOLING),
                (idle.is_not(None) & once, lifecycle.NEW),
                (last_on - previous_on > edges.sleeping, lifecycle.RETURNED),
                (idle.is_not(None), lifecycle.ACTIVE),
                (metrics.sales > 0, None),
                (_fresh(created_at, today, utc_offset), lifecycle.PROSPECT),
            )
        ),
        else_=sa.literal(lifecycle.NEVER_BOUGHT),
    )


def _fresh(created_at: Expression, today: date, utc_offset: int) -> Expression:
    midnight = datetime.combine(today - timedelta(days=rfm.FRESH_DAYS), time(), UTC)
    since = midnight - timedelta(minutes=utc_offset)
    return created_at >= sa.literal(since, sa.DateTime(timezone=True))
