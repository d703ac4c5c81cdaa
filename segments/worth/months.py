"""Sales of a kind of client by month, first purchases apart from repeat ones: stored, as they are of the whole base.

First are a client's purchases on the day of his first one. Refunds are left out, as of an average check.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm import Session

from segments.models import BaseMonth, ClientKind, ClientMetrics
from segments.worth.sales import Rule, credited

SHOWN = 24
_YEAR = 12
_COUNTED = ("first_sales", "first_turnover", "repeat_sales", "repeat_turnover")


@dataclass(frozen=True, slots=True)
class Month:
    """What was sold in a month, which begins on this day, in the portal's base currency."""

    begins: date
    first_sales: int = 0
    first_turnover: Decimal = Decimal(0)
    repeat_sales: int = 0
    repeat_turnover: Decimal = Decimal(0)


def keep(session: Session, rule: Rule, kind: ClientKind, today: date) -> None:
    """Count the months anew, up to the one of today; in the transaction of the day's scores."""
    mine = (BaseMonth.portal_id == rule.portal_id, BaseMonth.kind == kind.value)
    session.execute(sa.delete(BaseMonth).where(*mine))
    columns = ["portal_id", "kind", "month", *_COUNTED]
    session.execute(sa.insert(BaseMonth).from_select(columns, _summed(rule, kind, today)))


def newest(session: Session, portal_id: int, kind: ClientKind, today: date) -> list[Month]:
    """The last months without gaps, the oldest first; nothing where nobody has bought in them."""
    begins = _months(today, SHOWN)
    rows = session.scalars(
        sa.select(BaseMonth).where(
            BaseMonth.portal_id == portal_id,
            BaseMonth.kind == kind.value,
            BaseMonth.month >= begins[0],
        )
    )
    known = {
        row.month: Month(row.month, *(getattr(row, name) for name in _COUNTED)) for row in rows
    }
    if not known:
        return []
    return [known.get(each, Month(each)) for each in begins if each >= min(known)]


def repeat_share(months: list[Month]) -> Decimal | None:
    """Of what the last twelve of these months brought, the share of repeat purchases; None: they brought nothing."""
    year = months[-_YEAR:]
    repeat = sum((each.repeat_turnover for each in year), Decimal(0))
    whole = repeat + sum((each.first_turnover for each in year), Decimal(0))
    return repeat / whole if whole else None


def _summed(rule: Rule, kind: ClientKind, today: date) -> sa.Select[Any]:
    sale = credited(rule, kind).subquery("sale")
    worth: Any = ClientMetrics.__table__.c
    month = sa.cast(sa.func.date_trunc("month", sale.c.sold_on), sa.Date)
    is_first = sale.c.sold_on == worth.first_sale_on
    of_client = sa.and_(
        worth.portal_id == rule.portal_id,
        worth.kind == kind.value,
        worth.client_id == sale.c.client_id,
    )
    first, repeat = (_sums(sale.c.amount, each) for each in (is_first, ~is_first))
    return (
        sa.select(sa.literal(rule.portal_id), sa.literal(kind.value), month, *first, *repeat)
        .join_from(sale, ClientMetrics.__table__, of_client)
        .where(sale.c.amount > 0, sale.c.sold_on <= today)
        .group_by(month)
    )


def _sums(amount: Any, which: Any) -> tuple[Any, Any]:
    total = sa.func.sum(amount).filter(which)
    return sa.func.count().filter(which), sa.func.coalesce(total, 0)


def _months(today: date, number: int) -> list[date]:
    """The first days of so many months up to this one."""
    last = today.year * _YEAR + today.month - 1
    return [date(each // _YEAR, each % _YEAR + 1, 1) for each in range(last - number + 1, last + 1)]
