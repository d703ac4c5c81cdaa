"""Metrics of a large mirror: the full recompute against a bare GROUP BY, and a changed thousand."""

from __future__ import annotations

import statistics

import sqlalchemy as sa

from benchmarks import mirror, world
from benchmarks.report import Figure, Options, ratio, timed
from core.database import transaction
from core.runtime import Runtime
from integration.models import ChangedClient
from segments.models import ClientMetrics
from segments.worth import metrics

TITLE = "Metrics of the whole base"
SIZES = (1_000_000, 5_000_000)
QUICK_SIZES = (5_000, 25_000)
_BARE = """
SELECT count(*), sum(n), sum(total), min(first), max(last) FROM (
    SELECT {client}, count(*) AS n, sum(base_amount) AS total,
           min(closed_on) AS first, max(closed_on) AS last FROM deals
    WHERE portal_id = :portal_id AND stage_semantic = 'S' AND NOT is_recurring
      AND deleted_at IS NULL AND {client} IS NOT NULL AND base_amount > 0
    GROUP BY {client}
) sales
"""
_TAKE = """
INSERT INTO changed_clients (portal_id, kind, client_id)
SELECT DISTINCT portal_id, 'contact', contact_id FROM deals
WHERE portal_id = :portal_id AND stage_semantic = 'S' AND bitrix_id % :step = :offset
"""


def measure(options: Options) -> list[Figure]:
    """Both kinds of client, in turns with the bare aggregate of the same rows."""
    contacts, deals = QUICK_SIZES if options.quick else SIZES
    with world.servers(options.data) as settings:
        made = world.runtime(settings)
        portal_id = mirror.provide(made, contacts, deals)
        figures = _full(made, portal_id, options.runs) + _changed(made, portal_id, options.runs)
        made.engine.dispose()
    return figures


def _full(made: Runtime, portal_id: int, runs: int) -> list[Figure]:
    bare: list[float] = []
    first: list[float] = []
    again: list[float] = []
    clients = 0
    for _ in range(runs):
        bare.append(timed(lambda: _bare(made, portal_id)))
        _empty(made)
        first.append(timed(lambda: _compute(made, portal_id)))
        again.append(timed(lambda: _compute(made, portal_id)))
    clients = _compute(made, portal_id)
    return [
        Figure(f"bare GROUP BY, {clients:,} clients", f"{statistics.median(bare):.2f} s"),
        _against("computed and stored, nothing stored before", first, bare, 3.0),
        _against("computed again, nothing differs", again, bare, 3.0),
    ]


def _against(what: str, taken: list[float], bare: list[float], goal: float) -> Figure:
    times = ratio(taken, bare)
    value = f"{statistics.median(taken):.2f} s"
    return Figure(what, value, f"{times:.2f} x bare", f"<= {goal:.1f} x", times <= goal)


def _changed(made: Runtime, portal_id: int, runs: int) -> list[Figure]:
    seconds = []
    number = 0
    for offset in range(max(3, runs)):
        number = _touch(made, portal_id, offset)
        seconds.append(timed(lambda: _recompute_changed(made, portal_id)))
    median = statistics.median(seconds)
    return [
        Figure(
            f"{number:,} changed clients recomputed", f"{1000 * median:.0f} ms", "", "<= 50 ms",
            median <= 0.05,
        )
    ]  # fmt: skip


def _bare(made: Runtime, portal_id: int) -> None:
    with made.sessions() as session:
        for client in ("contact_id", "company_id"):
            session.execute(sa.text(_BARE.format(client=client)), {"portal_id": portal_id}).one()


def _compute(made: Runtime, portal_id: int) -> int:
    with transaction(made.sessions) as session:
        return metrics.compute_all(session, portal_id).clients


def _recompute_changed(made: Runtime, portal_id: int) -> None:
    with transaction(made.sessions) as session:
        metrics.compute_changed(session, portal_id)


def _touch(made: Runtime, portal_id: int, offset: int) -> int:
    """Mark about a thousand clients as changed and spoil their stored figures, so that all differ."""
    with transaction(made.sessions) as session:
        deals = session.scalar(sa.text("SELECT max(bitrix_id) FROM deals")) or 0
        step = max(1, int(deals * 0.68 / 1000))
        session.execute(
            sa.text(_TAKE), {"portal_id": portal_id, "step": step, "offset": offset % step}
        )
        ids = sa.select(ChangedClient.client_id).where(ChangedClient.portal_id == portal_id)
        session.execute(
            sa.update(ClientMetrics)
            .where(
                ClientMetrics.portal_id == portal_id,
                ClientMetrics.kind == "contact",
                ClientMetrics.client_id.in_(ids),
            )
            .values(ltv=0)
        )
        return session.scalar(sa.select(sa.func.count()).select_from(ids.subquery())) or 0


def _empty(made: Runtime) -> None:
    with transaction(made.sessions) as session:
        session.execute(sa.text("TRUNCATE client_metrics"))
