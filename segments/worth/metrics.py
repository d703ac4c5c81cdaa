"""Sales → what each client is worth: one set-based statement, for all clients or for the changed few.

LTV and margin net negative deals; the number of sales, their dates, the mean gap and the average check
take positive amounts only. Definitions and sources: docs/metrics.md.
"""

from __future__ import annotations

import time
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import date
from functools import lru_cache
from typing import Any

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import aggregate_order_by, insert
from sqlalchemy.orm import Session

from core.clock import utcnow
from core.database import THESE, Ids, id_array, id_list
from core.locks import one_at_a_time
from integration.models import ChangedClient, Money
from segments.models import ClientKind, ClientMetrics, MetricsRun
from segments.worth import activity, swap, totals
from segments.worth.sales import Rule, credited, rule_of

_LOCK = 0x4D54
_NOT_VALUES = {"portal_id", "kind", "client_id"}
_VALUES = tuple(c.name for c in ClientMetrics.__table__.columns if c.name not in _NOT_VALUES)


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a computation did: clients with sales it looked at, rows it wrote, seconds it took.

    `touched`: clients whose deals had changed, by kind.
    """

    clients: int
    changed: int
    seconds: float
    touched: Mapping[ClientKind, Sequence[int]] = field(default_factory=dict)


def compute_all(session: Session, portal_id: int) -> Outcome:
    """Recompute every client of the portal. Call in its own transaction."""
    one_at_a_time(session, _LOCK, portal_id)
    rule = rule_of(session, portal_id)
    started = time.perf_counter()
    touched = _take_changed(session, portal_id)
    kinds = sorted(ClientKind)  # in the order of the key: sorted rows are indexed twice as fast
    table: Any = ClientMetrics.__table__
    rows = swap.replace(session, table, portal_id, [worth(rule, kind, None) for kind in kinds])
    totals.recount(session, rule)
    return replace(_finish(session, rule, [(rows, rows)], started), touched=touched)


def compute_changed(session: Session, portal_id: int) -> Outcome:
    """Recompute the clients whose deals changed since the last computation; all if there was none."""
    one_at_a_time(session, _LOCK, portal_id)
    if session.get(MetricsRun, portal_id) is None:
        return compute_all(session, portal_id)
    rule = rule_of(session, portal_id)
    started = time.perf_counter()
    touched = _take_changed(session, portal_id)
    results = [_store_some(session, rule, kind, touched[kind]) for kind in ClientKind]
    return replace(_finish(session, rule, results, started), touched=touched)


def renew_activity(session: Session, portal_id: int) -> None:
    """See who is active in the window of today. Call in its own transaction."""
    one_at_a_time(session, _LOCK, portal_id)
    rule = rule_of(session, portal_id)
    for kind in ClientKind:
        totals.renew_active(session, rule, kind)


def _take_changed(session: Session, portal_id: int) -> dict[ClientKind, list[int]]:
    """The noted clients by kind, noted no longer. To be called before anything is computed.

    What is noted after that may not have been seen, and stays for the next time.
    """
    taken = sa.delete(ChangedClient).where(ChangedClient.portal_id == portal_id)
    rows = session.execute(taken.returning(ChangedClient.kind, ChangedClient.client_id)).all()
    return {kind: sorted({i for found, i in rows if found == kind}) for kind in ClientKind}


def is_stale(session: Session, portal_id: int) -> bool:
    """Whether the stored figures were computed by another version of the sale rule, or never."""
    last = session.get(MetricsRun, portal_id)
    return last is None or last.rule_version != rule_of(session, portal_id).version


def worth(rule: Rule, kind: ClientKind, client_ids: Ids | None) -> sa.Select[Any]:
    """The select of all metrics, one row per client with a sale or a refund.

    Purchases and refunds are added up apart and joined: twice as fast as one pass over both that asks
    the sign of each amount in every sum.
    """
    paid = _added_up(rule, kind, client_ids, "paid", above_zero=True)
    refunded = _added_up(rule, kind, client_ids, "refunded", above_zero=False)
    gap = sa.cast(paid.c.last_on - paid.c.first_on, sa.Numeric) / sa.func.nullif(
        paid.c.number - 1, 0
    )
    covered = paid.c.covered / paid.c.total
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
        _sum_of_known(paid.c.margin, refunded.c.margin).label("margin"),
        sa.func.round(covered, 4).label("margin_coverage"),
        paid.c.kth_on.label("kth_sale_on"),
    ).select_from(paid.join(refunded, paid.c.client_id == refunded.c.client_id, full=True))


def _added_up(
    rule: Rule,
    kind: ClientKind,
    client_ids: Ids | None,
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
            *_earned(rule, sale),
            _kth_newest(rule, sale).label("kth_on"),
        )
        .where(sale.c.amount > zero if above_zero else sale.c.amount < zero)
        .group_by(sale.c.client_id)
        .subquery(name)
    )


def _earned(rule: Rule, sale: sa.Subquery) -> list[sa.ColumnElement[Any]]:
    """The margin, and the turnover of which the real cost is known."""
    if not rule.margin.counted:
        return [_unknown(Money).label(name) for name in ("margin", "covered")]
    covered = sa.func.sum(sale.c.amount).filter(sale.c.costed)
    return [
        sa.func.sum(sale.c.margin).label("margin"),
        sa.func.coalesce(covered, 0).label("covered"),
    ]


def _kth_newest(rule: Rule, sale: sa.Subquery) -> sa.ColumnElement[Any]:
    """The sale that makes a client active; of one alone the last sale tells it."""
    if rule.active.sales == 1:
        return _unknown(sa.Date())
    newest_first = aggregate_order_by(sale.c.sold_on, sale.c.sold_on.desc().nulls_last())
    return sa.func.array_agg(newest_first, type_=sa.ARRAY(sa.Date))[rule.active.sales]


def _sum_of_known(one: sa.ColumnElement[Any], other: sa.ColumnElement[Any]) -> Any:
    """NULL when neither is known."""
    return sa.func.coalesce(one + other, one, other)


def _unknown(kind: Any) -> sa.ColumnElement[Any]:
    return sa.cast(sa.null(), kind)


def _store_some(
    session: Session, rule: Rule, kind: ClientKind, client_ids: Collection[int]
) -> tuple[int, int]:
    """The same for these clients, in one statement, which also tells how the totals of the base move."""
    if not client_ids:
        return (0, 0)
    statement = _storing(rule, kind, activity.today(rule))
    told: Any = session.execute(statement, {THESE.key: id_array(client_ids)}).mappings().one()
    values = dict(told)
    clients, put, removed = (values.pop(name) for name in ("clients", "put", "removed"))
    totals.move(session, rule, kind, values, client_ids, values.pop("highest"))
    return (clients, put + removed)


@lru_cache(maxsize=64)
def _storing(rule: Rule, kind: ClientKind, on: date) -> sa.Select[Any]:
    """The statement for THESE clients. Putting it together costs more than the clients of one deal do."""
    stored: Any = ClientMetrics.__table__
    fresh = worth(rule, kind, THESE).cte("fresh").prefix_with("MATERIALIZED")
    put = insert(stored).from_select([column.name for column in fresh.c], sa.select(*fresh.c))
    put = put.on_conflict_do_update(
        index_elements=["portal_id", "kind", "client_id"],
        set_={name: put.excluded[name] for name in _VALUES},
        where=_differs(stored.c, put.excluded),
    )
    others = sa.select(sa.func.unnest(id_list(THESE))).except_(sa.select(fresh.c.client_id))
    gone = sa.delete(stored).where(
        stored.c.portal_id == rule.portal_id,
        stored.c.kind == kind.value,
        stored.c.client_id == sa.any_(sa.func.array(others.scalar_subquery())),
    )
    written = put.returning(*_columns("old"), *_columns("new")).cte("written")
    removed = gone.returning(*_columns("old")).cte("removed")
    was = sa.union_all(_side(written, "old"), _side(removed, "old")).subquery("was")
    now = _side(written, "new").subquery("now")
    gained, lost = (
        sa.select(*totals.sums(rows), totals.active(rule, rows, on)).subquery()
        for rows in (now, was)
    )
    highest = sa.func.array(totals.highest(fresh).scalar_subquery(), type_=sa.ARRAY(sa.BigInteger))
    columns: list[Any] = [
        _count_of(fresh).label("clients"),
        _count_of(written).label("put"),
        _count_of(removed).label("removed"),
        highest.label("highest"),
        *((gained.c[column.name] - column).label(column.name) for column in lost.c),
    ]
    return sa.select(*columns).select_from(gained.join(lost, sa.true()))


def _columns(side: str) -> list[sa.Label[Any]]:
    """The values of a row as it was before a statement ("old"), or is after it ("new")."""
    columns = ClientMetrics.__table__.columns
    return [
        sa.literal_column(f"{side}.{name}", columns[name].type).label(f"{side}_{name}")
        for name in _VALUES
    ]


def _side(rows: sa.CTE, side: str) -> sa.Select[Any]:
    return sa.select(*(rows.c[f"{side}_{name}"].label(name) for name in _VALUES))


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
