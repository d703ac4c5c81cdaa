"""The totals of the base by day: one row a kind and day, so that a page can say what has changed."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, timedelta
from decimal import Decimal

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session

from segments.models import BaseDay, BaseTotals, ClientKind, MetricsRun
from segments.worth import totals
from segments.worth.sales import Rule

AGAINST_DAYS = 30
KEPT_DAYS = 400
_LATE = 7  # a portal may have been cut off on the very day
_COPIED = ("clients", "buyers", "repeat_buyers", "sales", "revenue", "turnover")


@dataclass(frozen=True, slots=True)
class Silent:
    """Clients who bought and have been silent for more than so many days: how many, and what they had brought."""

    clients: int
    ltv: Decimal
    days: int


def keep(session: Session, rule: Rule, kind: ClientKind, day: date, silent: Silent) -> None:
    """Keep the totals as they stand now as those of this day; old days go."""
    total = session.get(BaseTotals, (rule.portal_id, kind.value), populate_existing=True)
    run = session.get(MetricsRun, rule.portal_id, populate_existing=True)
    if total is None or run is None or run.rule_version != rule.version:
        return  # the totals are of another rule: they are about to be counted anew, and the scores with them
    values = {
        **{name: getattr(total, name) for name in _COPIED},
        "active": totals.active_now(session, rule, kind),
        "silent": silent.clients,
        "silent_ltv": silent.ltv,
        "silent_days": silent.days,
        "rule_version": rule.version,
        "currency": rule.base_currency,
    }
    put = insert(BaseDay).values(portal_id=rule.portal_id, kind=kind.value, day=day, **values)
    session.execute(
        put.on_conflict_do_update(index_elements=["portal_id", "kind", "day"], set_=values)
    )
    session.execute(
        sa.delete(BaseDay).where(
            BaseDay.portal_id == rule.portal_id,
            BaseDay.kind == kind.value,
            BaseDay.day < day - timedelta(days=KEPT_DAYS),
        )
    )


def newest(session: Session, rule: Rule, kind: ClientKind) -> BaseDay | None:
    """The last day kept, if it is of this rule and currency."""
    return session.scalars(_days(rule, kind).limit(1)).first()


def before(session: Session, rule: Rule, kind: ClientKind, today: date) -> BaseDay | None:
    """The day a month ago, or the last one kept before it; None: there is none to compare with."""
    day = today - timedelta(days=AGAINST_DAYS)
    query = _days(rule, kind).where(BaseDay.day <= day, BaseDay.day > day - timedelta(days=_LATE))
    return session.scalars(query.limit(1)).first()


def _days(rule: Rule, kind: ClientKind) -> sa.Select[BaseDay]:
    return (
        sa.select(BaseDay)
        .where(
            BaseDay.portal_id == rule.portal_id,
            BaseDay.kind == kind.value,
            BaseDay.rule_version == rule.version,
            BaseDay.currency == rule.base_currency,
        )
        .order_by(BaseDay.day.desc())
    )
