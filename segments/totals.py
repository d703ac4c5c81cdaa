"""Totals of the base by kind of client, stored: the start page must not add up a million rows."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session

from integration.models import Company, Contact
from segments.models import BaseTotals, ClientKind, ClientMetrics

Sums = dict[str, Any]


def recount(session: Session, portal_id: int) -> None:
    """Everything from the rows themselves."""
    for kind in ClientKind:
        values = _sums(session, portal_id, kind) | {"clients": _clients(session, portal_id, kind)}
        put = insert(BaseTotals).values(portal_id=portal_id, kind=kind.value, **values)
        session.execute(
            put.on_conflict_do_update(index_elements=["portal_id", "kind"], set_=values)
        )


def recount_clients(session: Session, portal_id: int) -> None:
    """How many clients the mirror has now; the sums stay."""
    for kind in ClientKind:
        clients = _clients(session, portal_id, kind)
        session.execute(_update(portal_id, kind).values(clients=clients))


@contextmanager
def kept(session: Session, portal_id: int, touched: Iterable[tuple[str, int]]) -> Iterator[None]:
    """Bring the sums up to what the block does to the metrics of these clients, and of no others."""
    ids: dict[ClientKind, list[int]] = {kind: [] for kind in ClientKind}
    for kind, client_id in touched:
        ids[ClientKind(kind)].append(client_id)
    before = {kind: _sums(session, portal_id, kind, some) for kind, some in ids.items() if some}
    yield
    for known, was in before.items():
        now = _sums(session, portal_id, known, ids[known])
        gained = {name: getattr(BaseTotals, name) + now[name] - was[name] for name in was}
        put = _update(portal_id, known).values(gained).returning(BaseTotals.kind)
        if session.scalar(put) is None:  # never counted before
            recount(session, portal_id)
            break


def _update(portal_id: int, kind: ClientKind) -> sa.Update:
    return sa.update(BaseTotals).where(BaseTotals.portal_id == portal_id, BaseTotals.kind == kind)


def _sums(
    session: Session, portal_id: int, kind: ClientKind, client_ids: Sequence[int] | None = None
) -> Sums:
    row = ClientMetrics
    query = sa.select(
        sa.func.count().filter(row.sales > 0).label("buyers"),
        sa.func.count().filter(row.sales > 1).label("repeat_buyers"),
        sa.func.coalesce(sa.func.sum(row.sales), 0).label("sales"),
        sa.func.coalesce(sa.func.sum(row.ltv), 0).label("revenue"),
        sa.func.coalesce(sa.func.sum(row.average_check * row.sales), 0).label("turnover"),
    ).where(row.portal_id == portal_id, row.kind == kind)
    if client_ids is not None:
        some = sa.literal(list(client_ids), sa.ARRAY(sa.BigInteger))
        query = query.where(row.client_id == sa.any_(some))
    return dict(session.execute(query).mappings().one())


def _clients(session: Session, portal_id: int, kind: ClientKind) -> int:
    table: type[Contact | Company] = Contact if kind is ClientKind.CONTACT else Company
    query = sa.select(sa.func.count()).where(
        table.portal_id == portal_id, table.deleted_at.is_(None)
    )
    if kind is ClientKind.COMPANY:
        query = query.where(~Company.is_my_company)
    return session.scalar(query) or 0
