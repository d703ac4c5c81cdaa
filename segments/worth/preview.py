"""What another sale rule would change: every client's worth by it against what is stored now.

One statement a kind: the metrics of the wished rule joined with the stored ones, the sums of both, and
the clients that change most. A very large base is judged by a stable sample of its clients.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import date
from decimal import Decimal
from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm import Session

from core.database import any_of
from integration.mirror import Company, Contact
from segments.models import BaseTotals, ClientKind, ClientMetrics, MetricsRun
from segments.worth import activity, base, totals
from segments.worth.metrics import worth
from segments.worth.sales import Rule, rule_of

SHOWN = 20
WHOLE_UP_TO = 50_000
SAMPLE = 20_000
_VALUES = (
    *("ltv", "sales", "average_check", "first_sale_on", "last_sale_on"),
    *("margin", "margin_coverage", "active"),
)
_SUMS = ("buyers", "sales", "revenue", "turnover", "margin", "active")
_NEVER: sa.ColumnElement[Any] = sa.literal_column("DATE '1970-01-01'")


@dataclass(frozen=True, slots=True)
class Worth:
    """What a client is worth by one rule; without sales: 0, no check, no dates, no margin."""

    ltv: Decimal
    sales: int
    average_check: Decimal | None
    first_sale_on: date | None
    last_sale_on: date | None
    margin: Decimal | None = None
    margin_coverage: Decimal | None = None
    active: bool = False


@dataclass(frozen=True, slots=True)
class Line:
    """A client the rule would change."""

    client_id: int
    old: Worth
    new: Worth
    name: str = ""
    path: str = ""


@dataclass(frozen=True, slots=True)
class Sums:
    """Totals of the clients of a kind by one rule."""

    buyers: int
    sales: int
    revenue: Decimal
    turnover: Decimal
    margin: Decimal | None
    active: int

    @property
    def average_check(self) -> Decimal | None:
        """Of all sales, as on the home page."""
        return round(self.turnover / self.sales, 2) if self.sales else None


@dataclass(frozen=True, slots=True)
class KindPreview:
    """What changes for one kind of client. `sampled`: so many clients were looked at, not all."""

    kind: ClientKind
    changed: int
    old: Sums
    new: Sums
    lines: list[Line]
    sampled: int | None = None


@dataclass(frozen=True, slots=True)
class Preview:
    """What changes for both kinds; not `computed`: there is nothing to compare with yet."""

    kinds: list[KindPreview]
    computed: bool = True

    @property
    def changed(self) -> int:
        """Contacts and companies that would change."""
        return sum(kind.changed for kind in self.kinds)


def compare(session: Session, rule: Rule) -> Preview:
    """What this rule, saved or not, would make of the stored metrics of its portal."""
    if session.get(MetricsRun, rule.portal_id) is None:
        return Preview([], computed=False)
    in_force = rule_of(session, rule.portal_id)
    kinds = [_of_kind(session, in_force, rule, kind) for kind in ClientKind]
    half = SHOWN // len(kinds)
    free = sum(max(half - len(found.lines), 0) for found in kinds)
    return Preview(
        [
            replace(found, lines=_named(session, rule.portal_id, found, half + free))
            for found in kinds
        ]
    )


def _of_kind(session: Session, in_force: Rule, rule: Rule, kind: ClientKind) -> KindPreview:
    ids = _sample(session, rule.portal_id, kind)
    rows = session.execute(_changes(in_force, rule, kind, ids)).mappings().all()
    sums = rows[0]
    old, new = (Sums(*(sums[f"{side}_{name}"] for name in _SUMS)) for side in ("before", "after"))
    lines = [
        Line(row["client_id"], _worth(row, "old"), _worth(row, "new"))
        for row in rows
        if row["client_id"] is not None
    ]
    return KindPreview(
        kind, sums["changed"], old, new, lines, sampled=None if ids is None else len(ids)
    )


def _worth(row: Mapping[Any, Any], side: str) -> Worth:
    return Worth(*(row[f"{side}_{name}"] for name in _VALUES))


def _named(session: Session, portal_id: int, found: KindPreview, number: int) -> list[Line]:
    lines = found.lines[:number]
    names = base.names_of(session, portal_id, found.kind, [line.client_id for line in lines])
    return [
        replace(
            line,
            name=names.get(line.client_id) or f"#{line.client_id}",
            path=f"/crm/{found.kind}/details/{line.client_id}/",
        )
        for line in lines
    ]


def _sample(session: Session, portal_id: int, kind: ClientKind) -> list[int] | None:
    """Every n-th client by a hash of its id, always the same ones; None: the base is not large."""
    total = session.get(BaseTotals, (portal_id, kind.value))
    if total is None or total.buyers <= WHOLE_UP_TO:
        return None
    table: Any = Contact if kind is ClientKind.CONTACT else Company
    stored: Any = ClientMetrics.__table__

    every = max(total.buyers // SAMPLE, 1)

    def chosen(column: Any) -> sa.ColumnElement[bool]:
        drawn = sa.func.hashint8(column).op("&")(sa.literal_column("2147483647"))
        return sa.func.mod(drawn, every) == 0

    mirrored = sa.select(table.bitrix_id).where(
        table.portal_id == portal_id, table.deleted_at.is_(None), chosen(table.bitrix_id)
    )
    with_sales = sa.select(stored.c.client_id).where(
        stored.c.portal_id == portal_id, stored.c.kind == kind.value, chosen(stored.c.client_id)
    )
    return list(session.scalars(sa.union(mirrored, with_sales)))


def _changes(in_force: Rule, rule: Rule, kind: ClientKind, ids: list[int] | None) -> sa.Select[Any]:
    """The clients that change most, each row with the sums; the sums alone when nobody changes."""
    made = worth(rule, kind, ids).subquery("made")
    fresh = _with_activity(made, rule).cte("after").prefix_with("MATERIALIZED")
    rows: Any = ClientMetrics.__table__
    stored = sa.select(rows).where(rows.c.portal_id == rule.portal_id, rows.c.kind == kind.value)
    if ids is not None:
        stored = stored.where(rows.c.client_id == any_of(ids))
    before = _with_activity(stored.subquery("held"), in_force).cte("before")
    before = before.prefix_with("MATERIALIZED")
    changed = _changed(before, fresh)
    top = _most_changed(changed).subquery("top")
    sums = [sa.select(*_sums(side)).subquery(f"{side.name}_sums") for side in (before, fresh)]
    labels = [
        side.c[name].label(f"{label}_{name}")
        for label, side in zip(("before", "after"), sums, strict=True)
        for name in _SUMS
    ]
    number = sa.select(sa.func.count()).select_from(changed).scalar_subquery()
    joined = sums[0].join(sums[1], sa.true()).outerjoin(top, sa.true())
    return (
        sa.select(number.label("changed"), *labels, *top.c)
        .select_from(joined)
        .order_by(top.c.place)
    )


def _with_activity(rows: sa.Subquery, rule: Rule) -> sa.Select[Any]:
    """Rows of metrics, and whether each client is active by the rule they were computed by."""
    active = activity.is_active(rule, rows.c, activity.today(rule))
    return sa.select(rows, active.label("active"))


def _sums(rows: sa.CTE) -> list[sa.Label[Any]]:
    return [
        *totals.sums(rows),
        sa.func.sum(rows.c.margin).label("margin"),
        sa.func.count().filter(rows.c.active).label("active"),
    ]


def _changed(before: sa.CTE, fresh: sa.CTE) -> sa.CTE:
    """Clients of which any value differs, with both; a client without a row has no sales."""

    absent: dict[str, Any] = {"ltv": 0, "sales": 0, "active": sa.false()}

    def value(side: sa.CTE, name: str) -> sa.ColumnElement[Any]:
        return sa.func.coalesce(side.c[name], absent[name]) if name in absent else side.c[name]

    pairs = [(name, value(before, name), value(fresh, name)) for name in _VALUES]
    same = before.c.client_id == fresh.c.client_id
    return (
        sa.select(
            sa.func.coalesce(fresh.c.client_id, before.c.client_id).label("client_id"),
            *(old.label(f"old_{name}") for name, old, _ in pairs),
            *(new.label(f"new_{name}") for name, _, new in pairs),
        )
        .select_from(before.join(fresh, same, full=True))
        .where(sa.or_(*(old.is_distinct_from(new) for _, old, new in pairs)))
        .cte("changed")
    )


def _countable(value: sa.ColumnElement[Any]) -> sa.ColumnElement[Any]:
    return sa.cast(value, sa.Integer) if isinstance(value.type, sa.Boolean) else value


def _most_changed(changed: sa.CTE) -> sa.Select[Any]:
    """The clients that come first by how far any of the values has moved."""
    ranks = []
    for name in _VALUES:
        unknown = _NEVER if name.endswith("_on") else sa.literal_column("0")
        old, new = (
            sa.func.coalesce(_countable(changed.c[f"{side}_{name}"]), unknown)
            for side in ("old", "new")
        )
        moved = sa.func.abs(new - old)
        place = sa.func.row_number().over(order_by=(moved.desc(), changed.c.client_id))
        ranks.append(sa.case((moved > 0, place)))
    ranked = sa.select(*changed.c, sa.func.least(*ranks).label("rank")).subquery("ranked")
    place = sa.func.row_number().over(order_by=(ranked.c.rank, ranked.c.client_id))
    return sa.select(*ranked.c, place.label("place")).order_by(place).limit(SHOWN)
