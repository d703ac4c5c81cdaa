"""Which clients are active: the one definition, for every row of metrics."""

from __future__ import annotations

from datetime import date, timedelta
from typing import Any

import sqlalchemy as sa

from core.clock import utcnow
from segments.worth.sales import Rule


def today(rule: Rule) -> date:
    """The portal's day."""
    return (utcnow() + timedelta(minutes=rule.utc_offset_minutes)).date()


def is_active(rule: Rule, row: Any, on: date) -> sa.ColumnElement[bool]:
    """Condition on a row of metrics computed by this rule: enough sales since the window's first day.

    The window ends on day `on`, which is not before the computation; a won deal dated ahead counts as well.
    """
    newest = row.last_sale_on if rule.active.sales == 1 else row.kth_sale_on
    return sa.func.coalesce(newest >= rule.active.since(on), sa.false())
