"""Totals of the base by kind of client, stored: the start page must not add up a million rows."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from datetime import date
from typing import Any

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session

from integration.mirror import Company, Contact
from segments.models import BaseTotals, ClientKind, ClientMetrics
from segments.worth import activity
from segments.worth.sales import Rule

BEST = 5


def recount(session: Session, rule: Rule) -> None:
    """Everything from the rows themselves."""
    portal_id, on = rule.portal_id, activity.today(rule)
    for kind in ClientKind:
        values = dict(session.execute(_all_sums(rule, kind, on)).mappings().one())
        values["active_since"] = rule.active.since(on)
        values["clients"] = _clients(session, portal_id, kind)
        values["best"] = _best(session, portal_id, kind)
        put = insert(BaseTotals).values(portal_id=portal_id, kind=kind.value, **values)
        session.execute(
            put.on_conflict_do_update(index_elements=["portal_id", "kind"], set_=values)
        )


def recount_clients(session: Session, portal_id: int) -> None:
    """How many clients the mirror has now; the sums stay."""
    for kind in ClientKind:
        total = session.get(BaseTotals, (portal_id, kind.value), populate_existing=True)
        if total is not None:
            total.clients = _clients(session, portal_id, kind)
    session.flush()


def move(
    session: Session,
    rule: Rule,
    kind: ClientKind,
    gained: Mapping[str, Any],
    touched: Collection[int],
    highest_touched: Collection[int],
) -> None:
    """Add what the metrics of the touched clients have gained, and see whether any is among the best now."""
    portal_id = rule.portal_id
    total = session.get_one(BaseTotals, (portal_id, kind.value), populate_existing=True)
    for name, more in gained.items():
        setattr(total, name, getattr(total, name) + more)
    _see_window(session, rule, kind, total)
    fell = set(total.best).intersection(touched)  # somebody untouched may be better now
    among = None if fell else [*total.best, *highest_touched]
    total.best = _best(session, portal_id, kind, among)
    session.flush()


def sums(rows: sa.FromClause) -> list[sa.Label[Any]]:
    """The sums of the totals over rows of metrics."""
    row = rows.c
    return [
        sa.func.count().filter(row.sales > 0).label("buyers"),
        sa.func.count().filter(row.sales > 1).label("repeat_buyers"),
        sa.func.coalesce(sa.func.sum(row.sales), 0).label("sales"),
        sa.func.coalesce(sa.func.sum(row.ltv), 0).label("revenue"),
        sa.func.coalesce(sa.func.sum(row.average_check * row.sales), 0).label("turnover"),
    ]


def active(rule: Rule, rows: sa.FromClause, on: date) -> sa.Label[Any]:
    """The number of active clients among rows of metrics, on a day."""
    return sa.func.count().filter(activity.is_active(rule, rows.c, on)).label("active")


def active_now(session: Session, rule: Rule, kind: ClientKind) -> int:
    """Clients active today: the number kept while its window lasts, else counted."""
    total = session.get(BaseTotals, (rule.portal_id, kind.value))
    if total is not None and total.active_since == rule.active.since(activity.today(rule)):
        return total.active
    return _active(session, rule, kind)


def renew_active(session: Session, rule: Rule, kind: ClientKind) -> None:
    """Count the active clients anew where another window has begun: whoever looks next need not."""
    total = session.get(BaseTotals, (rule.portal_id, kind.value), populate_existing=True)
    if total is not None:
        _see_window(session, rule, kind, total)
        session.flush()


def _see_window(session: Session, rule: Rule, kind: ClientKind, total: BaseTotals) -> None:
    """In another window who was active may be so no more."""
    since = rule.active.since(activity.today(rule))
    if total.active_since != since:
        total.active, total.active_since = _active(session, rule, kind), since


def _active(session: Session, rule: Rule, kind: ClientKind) -> int:
    rows: Any = ClientMetrics.__table__
    query = sa.select(active(rule, rows, activity.today(rule)))
    return session.scalar(query.where(rows.c.portal_id == rule.portal_id, rows.c.kind == kind)) or 0


def _all_sums(rule: Rule, kind: ClientKind, on: date) -> sa.Select[Any]:
    rows: Any = ClientMetrics.__table__
    query = sa.select(*sums(rows), active(rule, rows, on))
    return query.where(rows.c.portal_id == rule.portal_id, rows.c.kind == kind)


def highest(rows: sa.FromClause) -> sa.Select[Any]:
    """The select of the clients with the highest LTV of these rows of metrics."""
    row = rows.c
    return sa.select(row.client_id).order_by(row.ltv.desc(), row.client_id).limit(BEST)


def _best(
    session: Session, portal_id: int, kind: ClientKind, client_ids: Collection[int] | None = None
) -> list[int]:
    rows: Any = ClientMetrics.__table__
    query = highest(rows).where(rows.c.portal_id == portal_id, rows.c.kind == kind)
    if client_ids is not None:
        query = query.where(rows.c.client_id.in_(client_ids))
    return list(session.scalars(query))


def _clients(session: Session, portal_id: int, kind: ClientKind) -> int:
    table: type[Contact | Company] = Contact if kind is ClientKind.CONTACT else Company
    query = sa.select(sa.func.count()).where(
        table.portal_id == portal_id, table.deleted_at.is_(None)
    )
    if kind is ClientKind.COMPANY:
        query = query.where(~Company.is_my_company)
    return session.scalar(query) or 0
