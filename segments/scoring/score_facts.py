"""What scores are made of, in SQL: each client's purchases of the window, edges by equal shares, pauses between purchases."""

from __future__ import annotations

import secrets
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from datetime import date, timedelta
from decimal import Decimal
from typing import Any

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import aggregate_order_by
from sqlalchemy.orm import Session

from integration.models import Money
from segments.models import ClientKind
from segments.rules import rfm
from segments.rules.lifecycle import Gaps
from segments.rules.returning import Pauses
from segments.worth.sales import Rule, credited

WATCHED = 100_000
"""Pauses are counted of so many clients, more or less: a curve of more looks the same."""
_ZERO: sa.ColumnElement[Any] = sa.literal_column("0")  # as the covering indexes say it
_FIRST, _SECOND = 1, 2


def facts(
    rule: Rule, kind: ClientKind, day: date, window: int, client_ids: Collection[int] | None = None
) -> sa.Select[Any]:
    """One row per client with purchases: the last two days of purchase, purchases and money of the window.

    The window ends on `day`; what is dated ahead counts as well, as with active clients.
    """
    since = day - timedelta(days=window - 1)
    sale = credited(rule, kind, client_ids).subquery("sale")
    inside = sale.c.sold_on >= since
    newest_first = aggregate_order_by(sale.c.sold_on.distinct(), sale.c.sold_on.desc().nulls_last())
    days: Any = sa.func.array_agg(newest_first, type_=sa.ARRAY(sa.Date))
    paid = (
        sa.select(
            sale.c.client_id,
            days[_FIRST].label("last_on"),
            days[_SECOND].label("previous_on"),
            sa.func.count().filter(inside).label("bought"),
            sa.func.coalesce(sa.func.sum(sale.c.amount).filter(inside), _ZERO).label("spent"),
        )
        .where(sale.c.amount > _ZERO)
        .group_by(sale.c.client_id)
        .subquery("paid")
    )
    back = credited(rule, kind, client_ids).subquery("back")
    refunded = (
        sa.select(back.c.client_id, sa.func.sum(back.c.amount).label("amount"))
        .where(back.c.amount < _ZERO, back.c.sold_on >= since)
        .group_by(back.c.client_id)
        .subquery("refunded")
    )
    spent = paid.c.spent + sa.func.coalesce(refunded.c.amount, _ZERO)
    return sa.select(
        *(paid.c[name] for name in ("client_id", "last_on", "previous_on", "bought")),
        spent.label("spent"),
    ).select_from(paid.outerjoin(refunded, paid.c.client_id == refunded.c.client_id))


@contextmanager
def gathered(
    session: Session, rule: Rule, kind: ClientKind, day: date, window: int
) -> Iterator[Any]:
    """The facts of all clients of the kind in a table of this transaction: they are looked at more than once."""
    name = f"facts_{secrets.token_hex(4)}"
    made = sa.CreateTableAs(
        facts(rule, kind, day, window), name, metadata=sa.MetaData(), temporary=True
    )
    session.execute(made)
    yield made.table
    session.execute(sa.DropTable(made.table))


def buyers(session: Session, table: Any) -> tuple[int, Decimal | None]:
    """Clients with purchases in the window, and their average check."""
    number = sa.func.count().filter(table.c.bought > 0)
    check = sa.func.sum(table.c.spent) / sa.func.nullif(sa.func.sum(table.c.bought), 0)
    found: Any = session.execute(sa.select(number, check).select_from(table)).one()
    return found[0], found[1]


def by_quantiles(session: Session, table: Any, day: date) -> rfm.Edges:
    """Edges by which equal shares of the buyers have each score; equal values share one."""
    idle = sa.cast(day, sa.Date) - table.c.last_on
    return rfm.Edges(
        _edges(session, table, sa.type_coerce(idle, sa.Integer)),
        _edges(session, table, table.c.bought),
        _edges(session, table, sa.cast(table.c.spent, Money)),
    )


def _edges(session: Session, table: Any, value: sa.ColumnElement[Any]) -> tuple[Any, ...]:
    """The least values whose score is 2, 3, 4, 5, as many as there are (`segments.rules.rfm`)."""
    number = sa.func.count().label("number")
    each = (
        sa.select(value.label("value"), number)
        .where(table.c.bought > 0)
        .group_by(value)
        .subquery("each")
    )
    upto = sa.func.sum(each.c.number).over(order_by=each.c.value)
    total = sa.func.sum(each.c.number).over()
    scored = sa.select(
        each.c.value, (1 + sa.func.div(rfm.SCORES * (upto - each.c.number), total)).label("score")
    ).subquery("scored")
    found = session.execute(
        sa.select(
            *(
                sa.func.min(scored.c.value).filter(scored.c.score >= score)
                for score in range(2, rfm.SCORES + 1)
            )
        )
    ).one()
    return tuple(edge for edge in found if edge is not None)


def pauses(session: Session, rule: Rule, kind: ClientKind, table: Any, day: date) -> Pauses:
    """How long pauses between days of purchase were, and how long those have been that still last."""
    clients = session.scalar(sa.select(sa.func.count()).select_from(table)) or 0
    every = 1 + clients // WATCHED
    sale = credited(rule, kind).subquery("sale")
    ordered: dict[str, Any] = {"partition_by": sale.c.client_id, "order_by": sale.c.sold_on}
    before = sa.func.lag(sale.c.sold_on).over(**ordered)
    first = sa.func.first_value(sale.c.sold_on).over(**ordered)
    pause = (
        sa.select((sale.c.sold_on - before).label("days"), (before == first).label("once"))
        .where(sale.c.amount > _ZERO, sale.c.sold_on <= day, _one_of(sale.c.client_id, every))
        .subquery("pause")
    )
    ended = (
        sa.select(pause.c.once, pause.c.days, sa.func.count())
        .where(pause.c.days > 0)
        .group_by(pause.c.once, pause.c.days)
    )
    idle = (sa.cast(day, sa.Date) - table.c.last_on).label("days")
    once = table.c.previous_on.is_(None).label("once")
    lasting = (
        sa.select(once, idle, sa.func.count())
        .where(table.c.last_on <= day, _one_of(table.c.client_id, every))
        .group_by(once, idle)
    )
    found = [
        {(row[0], row[1]): row[2] for row in session.execute(query)} for query in (ended, lasting)
    ]
    keys = sorted({*found[0], *found[1]})
    of = {
        which: [
            Gaps(days, *(each.get((kept, days), 0) for each in found))
            for kept, days in keys
            if kept is which
        ]
        for which in (True, False)
    }
    return Pauses(once=of[True], again=of[False])


def _one_of(client_id: Any, every: int) -> sa.ColumnElement[bool]:
    """One client of so many, the same ones at every look."""
    if every == 1:
        return sa.true()
    place = sa.func.hashint8extended(client_id, sa.cast(0, sa.BigInteger))
    return sa.func.abs(place % every) == 0
