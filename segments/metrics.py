"""Sales → what each client is worth: one set-based statement, for all clients or for the changed few.

LTV nets negative deals; the number of sales, their dates, the mean gap and the average check take
positive amounts only. Definitions and sources: docs/metrics.md.
"""

from __future__ import annotations

import time
from collections.abc import Collection
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session

from core.clock import utcnow
from core.database import any_of
from core.locks import one_at_a_time
from integration.models import ChangedClient
from segments import swap, totals
from segments.models import ClientKind, ClientMetrics, MetricsRun
from segments.sales import Rule, credited, rule_of

_LOCK = 0x4D54
_VALUES = ("ltv", "sales", "average_check", "first_sale_on", "last_sale_on", "mean_gap_days")


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a computation did: clients with sales it looked at, rows it wrote, seconds it took."""

    clients: int
    changed: int
    seconds: float


def compute_all(session: Session, portal_id: int) -> Outcome:
    """Recompute every client of the portal. Call in its own transaction."""
    one_at_a_time(session, _LOCK, portal_id)
    rule = rule_of(session, portal_id)
    started = time.perf_counter()
    kinds = sorted(ClientKind)  # in the order of the key: sorted rows are indexed twice as fast
    rows = swap.replace(session, portal_id, [worth(rule, kind, None) for kind in kinds])
    session.execute(sa.delete(ChangedClient).where(ChangedClient.portal_id == portal_id))
    totals.recount(session, portal_id)
    return _finish(session, rule, [(rows, rows)], started)


def compute_changed(session: Session, portal_id: int) -> Outcome:
    """Recompute the clients whose deals changed since the last computation; all if there was none."""
    one_at_a_time(session, _LOCK, portal_id)
    if session.get(MetricsRun, portal_id) is None:
        return compute_all(session, portal_id)
    rule = rule_of(session, portal_id)
    started = time.perf_counter()
    taken = sa.delete(ChangedClient).where(ChangedClient.portal_id == portal_id)
    rows = session.execute(taken.returning(ChangedClient.kind, ChangedClient.client_id)).all()
    results = [
        _store_some(session, rule, kind, [some for found, some in rows if found == kind])
        for kind in ClientKind
    ]
    return _finish(session, rule, results, started)


def is_stale(session: Session, portal_id: int) -> bool:
    """Whether the stored figures were computed by another version of the sale rule, or never."""
    last = session.get(MetricsRun, portal_id)
    return last is None or last.rule_version != rule_of(session, portal_id).version


def worth(rule: Rule, kind: ClientKind, client_ids: Collection[int] | None) -> sa.Select[Any]:
    """The select of all metrics, one row per client with a sale or a refund.

    Purchases and refunds are added up apart and joined: twice as fast as one pass over both that asks
    the sign of each amount in every sum.
    """
    paid = _added_up(rule, kind, client_ids, "paid", above_zero=True)
    refunded = _added_up(rule, kind, client_ids, "refunded", above_zero=False)
    gap = sa.cast(paid.c.last_on - paid.c.first_on, sa.Numeric) / sa.func.nullif(
        paid.c.number - 1, 0
    )
    return sa.select(
        sa.literal(rule.portal_id).label("portal_id"),
        sa.literal(kind.value).label("kind"),
        sa.func.coalesce(paid.c.client_id, refunded.c.client_id).label("client_id"),
        (sa.func.coalesce(paid.c.total, 0) + sa.func.coalesce(refunded.c.total, 0)).label("ltv"),
        sa.func.coalesce(paid.c.number, 0).label("sales"),
        sa.func.round(paid.c.total / paid.c.number, 2).label("average_check"),
        paid.c.first_on.label("first_sale_on"),
        paid.c.last_on.label("last_sale_on"),
        sa.func.round(gap, 2).label("mean_gap_days"),
    ).select_from(paid.join(refunded, paid.c.client_id == refunded.c.client_id, full=True))


def _added_up(
    rule: Rule,
    kind: ClientKind,
    client_ids: Collection[int] | None,
    name: str,
    *,
    above_zero: bool,
) -> sa.Subquery:
    sale = credited(rule, kind, client_ids).subquery()
    zero: sa.ColumnElement[Any] = sa.literal_column("0")  # as the covering indexes say it
    return (
        sa.select(
            sale.c.client_id,
            sa.func.sum(sale.c.amount).label("total"),
            sa.func.count().label("number"),
            sa.func.min(sale.c.sold_on).label("first_on"),
            sa.func.max(sale.c.sold_on).label("last_on"),
        )
        .where(sale.c.amount > zero if above_zero else sale.c.amount < zero)
        .group_by(sale.c.client_id)
        .subquery(name)
    )


def _store_some(
    session: Session, rule: Rule, kind: ClientKind, client_ids: Collection[int]
) -> tuple[int, int]:
    """The same for these clients, in one statement, which also tells how the totals of the base move."""
    if not client_ids:
        return (0, 0)
    stored: Any = ClientMetrics.__table__
    mine = (stored.c.portal_id == rule.portal_id, stored.c.kind == kind.value)
    before = sa.select(stored).where(*mine, stored.c.client_id == any_of(client_ids)).cte("before")
    fresh = worth(rule, kind, client_ids).cte("fresh").prefix_with("MATERIALIZED")
    same = before.c.client_id == fresh.c.client_id
    put = insert(stored).from_select(
        [column.name for column in fresh.c],
        sa.select(*fresh.c).outerjoin(before, same).where(_differs(before.c, fresh.c)),
    )
    put = put.on_conflict_do_update(
        index_elements=["portal_id", "kind", "client_id"],
        set_={name: put.excluded[name] for name in _VALUES},
    )
    gone = sa.delete(stored).where(
        *mine,
        stored.c.client_id.in_(sa.select(before.c.client_id).where(~sa.exists().where(same))),
    )
    written = put.returning(sa.literal(1)).cte("written")
    removed = gone.returning(sa.literal(1)).cte("removed")
    now, was = sa.select(*totals.sums(fresh)).subquery(), sa.select(*totals.sums(before)).subquery()
    counts = sa.select(
        *(_count_of(made) for made in (fresh, written, removed)),
        sa.func.array(totals.highest(fresh).scalar_subquery(), type_=sa.ARRAY(sa.BigInteger)),
        *(now.c[column.name] - column for column in was.c),
    ).select_from(now.join(was, sa.true()))
    counted: Any = session.execute(counts).one()
    clients, put_rows, removed_rows, highest, *differences = counted
    gained = dict(zip(was.c.keys(), differences, strict=True))
    totals.move(session, rule.portal_id, kind, gained, client_ids, highest)
    return (clients, put_rows + removed_rows)


def _count_of(rows: sa.CTE) -> sa.ScalarSelect[int]:
    return sa.select(sa.func.count()).select_from(rows).scalar_subquery()


def _differs(before: Any, fresh: Any) -> sa.ColumnElement[bool]:
    return sa.tuple_(*(before[name] for name in _VALUES)).is_distinct_from(
        sa.tuple_(*(fresh[name] for name in _VALUES))
    )


def _finish(
    session: Session, rule: Rule, results: list[tuple[int, int]], started: float
) -> Outcome:
    outcome = Outcome(
        clients=sum(clients for clients, _ in results),
        changed=sum(changed for _, changed in results),
        seconds=round(time.perf_counter() - started, 3),
    )
    values = {
        "rule_version": rule.version,
        "clients": outcome.clients,
        "changed": outcome.changed,
        "seconds": outcome.seconds,
        "computed_at": utcnow(),
    }
    put = insert(MetricsRun).values(portal_id=rule.portal_id, **values)
    session.execute(put.on_conflict_do_update(index_elements=["portal_id"], set_=values))
    return outcome
