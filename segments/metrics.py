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
from integration.models import ChangedClient
from segments import totals
from segments.models import ClientKind, ClientMetrics, MetricsRun
from segments.sales import Rule, credited, rule_of

_LOCK = 0x4D54
_VALUES = ("ltv", "sales", "average_check", "first_sale_on", "last_sale_on", "mean_gap_days")


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a computation did: clients with sales it looked at, rows it changed, seconds it took."""

    clients: int
    changed: int
    seconds: float


def compute_all(session: Session, portal_id: int) -> Outcome:
    """Recompute every client of the portal. Call in its own transaction."""
    _wait_for_others(session, portal_id)
    rule = rule_of(session, portal_id)
    started = time.perf_counter()
    results = [_store_all(session, rule, kind) for kind in ClientKind]
    session.execute(sa.delete(ChangedClient).where(ChangedClient.portal_id == portal_id))
    totals.recount(session, portal_id)
    return _finish(session, rule, results, started)


def compute_changed(session: Session, portal_id: int) -> Outcome:
    """Recompute the clients whose deals changed since the last computation."""
    _wait_for_others(session, portal_id)
    rule = rule_of(session, portal_id)
    started = time.perf_counter()
    taken = sa.delete(ChangedClient).where(ChangedClient.portal_id == portal_id)
    rows = session.execute(taken.returning(ChangedClient.kind, ChangedClient.client_id)).all()
    with totals.kept(session, portal_id, [(kind, client_id) for kind, client_id in rows]):
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
    """The select of all metrics, one row per client with a sale."""
    sale = credited(rule, kind, client_ids).subquery("sale")
    positive = sale.c.amount > 0
    number = sa.func.count().filter(positive)
    first = sa.func.min(sale.c.sold_on).filter(positive)
    last = sa.func.max(sale.c.sold_on).filter(positive)
    gap = sa.cast(last - first, sa.Numeric) / sa.func.nullif(number - 1, 0)
    return (
        sa.select(
            sa.literal(rule.portal_id).label("portal_id"),
            sa.literal(kind.value).label("kind"),
            sale.c.client_id,
            sa.func.sum(sale.c.amount).label("ltv"),
            number.label("sales"),
            sa.func.round(
                sa.func.sum(sale.c.amount).filter(positive) / sa.func.nullif(number, 0), 2
            ).label("average_check"),
            first.label("first_sale_on"),
            last.label("last_sale_on"),
            sa.func.round(gap, 2).label("mean_gap_days"),
        )
        .group_by(sale.c.client_id)
        .having(sa.func.count().filter(sale.c.amount != 0) > 0)
    )


def _wait_for_others(session: Session, portal_id: int) -> None:
    """One computation of a portal at a time, until the end of the transaction."""
    key = sa.literal(_LOCK, sa.Integer), sa.literal(portal_id, sa.Integer)
    session.execute(sa.select(sa.func.pg_advisory_xact_lock(*key)))


def _store_all(session: Session, rule: Rule, kind: ClientKind) -> tuple[int, int]:
    """Replace what differs; returns (clients with sales, rows changed).

    The aggregate goes into a table of its own first: only so may it use several cores, and rows that
    stay the same are found by one join instead of a conflict each.
    """
    made = sa.CreateTableAs(worth(rule, kind, None), "fresh_metrics", temporary=True)
    fresh = made.table
    session.execute(sa.text("DROP TABLE IF EXISTS fresh_metrics"))
    session.execute(made)
    session.execute(sa.text("ANALYZE fresh_metrics"))
    stored: Any = ClientMetrics.__table__
    mine = (stored.c.portal_id == rule.portal_id, stored.c.kind == kind.value)
    gone = session.execute(
        sa.delete(stored).where(*mine, ~sa.exists().where(fresh.c.client_id == stored.c.client_id))
    )
    rows = sa.select(*fresh.c)
    put = insert(stored).from_select([column.name for column in fresh.c], rows)
    if session.scalar(sa.select(sa.exists().where(*mine))):
        same = sa.and_(*mine, stored.c.client_id == fresh.c.client_id)
        differing = rows.outerjoin(stored, same).where(_differs(fresh.c))
        put = insert(stored).from_select([column.name for column in fresh.c], differing)
        put = put.on_conflict_do_update(
            index_elements=["portal_id", "kind", "client_id"],
            set_={name: put.excluded[name] for name in _VALUES},
        )
    written = session.execute(put, execution_options={"preserve_rowcount": True})
    clients = session.scalar(sa.select(sa.func.count()).select_from(fresh)) or 0
    session.execute(sa.text("DROP TABLE fresh_metrics"))
    changed: int = gone.rowcount + written.rowcount  # type: ignore[attr-defined]
    return (clients, changed)


def _store_some(
    session: Session, rule: Rule, kind: ClientKind, client_ids: Collection[int]
) -> tuple[int, int]:
    """The same for these clients, in one statement."""
    if not client_ids:
        return (0, 0)
    fresh = worth(rule, kind, client_ids).cte("fresh").prefix_with("MATERIALIZED")
    put = insert(ClientMetrics).from_select(
        [column.name for column in fresh.c], sa.select(*fresh.c)
    )
    put = put.on_conflict_do_update(
        index_elements=["portal_id", "kind", "client_id"],
        set_={name: put.excluded[name] for name in _VALUES},
        where=_differs(put.excluded),
    )
    written = put.returning(sa.literal(1)).cte("written")
    gone = sa.delete(ClientMetrics).where(
        ClientMetrics.portal_id == rule.portal_id,
        ClientMetrics.kind == kind.value,
        ~sa.exists().where(fresh.c.client_id == ClientMetrics.client_id),
        ClientMetrics.client_id == sa.any_(sa.literal(list(client_ids), sa.ARRAY(sa.BigInteger))),
    )
    removed = gone.returning(sa.literal(1)).cte("removed")
    counts = sa.select(
        sa.select(sa.func.count()).select_from(fresh).scalar_subquery(),
        sa.select(sa.func.count()).select_from(written).scalar_subquery(),
        sa.select(sa.func.count()).select_from(removed).scalar_subquery(),
    )
    clients, put_rows, removed_rows = session.execute(counts).one()
    return (clients, put_rows + removed_rows)


def _differs(fresh: Any) -> sa.ColumnElement[bool]:
    table = ClientMetrics.__table__
    return sa.tuple_(*(table.c[name] for name in _VALUES)).is_distinct_from(
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
