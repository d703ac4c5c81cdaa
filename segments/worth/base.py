"""The client base at a glance: what pages about the whole base read."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm import Session

from integration.mirror import Company, Contact, Pipeline
from segments.models import BaseDay, BaseTotals, ClientKind, ClientMetrics, MetricsRun
from segments.worth import activity, days, totals
from segments.worth.choices import Active
from segments.worth.days import Silent
from segments.worth.sales import Rule, rule_of


@dataclass(frozen=True, slots=True)
class Glance:
    """Totals of one kind of client. Money is in the base currency; averages are per buyer.

    `silent`: who bought and has been silent too long, as of the last scores. `before`: the same totals a month ago,
    where there are any of the same rule.
    """

    kind: ClientKind
    clients: int
    buyers: int
    revenue: Decimal
    average_ltv: Decimal | None
    average_check: Decimal | None
    repeat_buyers: int
    active: int
    activity: Active
    currency: str
    computed_at: datetime | None
    silent: Silent | None = None
    before: BaseDay | None = None

    def change(self, what: str) -> float | None:
        """How much a total has grown since `before`, as a share of what it was; None: nobody can say."""
        if self.before is None:
            return None
        now, then = _measure(self, what), _measure(self.before, what)
        return float(now / then - 1) if now is not None and then else None

    @property
    def repeat_share(self) -> float | None:
        """Buyers with two sales or more, of all buyers."""
        return self.repeat_buyers / self.buyers if self.buyers else None

    @property
    def active_share(self) -> float | None:
        """Clients active now, of all buyers."""
        return self.active / self.buyers if self.buyers else None


@dataclass(frozen=True, slots=True)
class BestClient:
    """A line of the list of the most valuable clients."""

    kind: ClientKind
    client_id: int
    name: str
    ltv: Decimal
    sales: int
    last_sale_on: Any

    @property
    def path(self) -> str:
        """The client's card on the portal."""
        return f"/crm/{self.kind}/details/{self.client_id}/"


def _measure(of: Glance | BaseDay, what: str) -> Decimal | None:
    """One of the figures that can be compared: a day keeps what they are made of."""
    if isinstance(of, Glance):
        found = getattr(of, what)
    elif what == "average_ltv":
        found = of.revenue / of.buyers if of.buyers else None
    elif what == "average_check":
        found = of.turnover / of.sales if of.sales else None
    else:
        found = getattr(of, what)
    return None if found is None else Decimal(found)


_TABLES: dict[ClientKind, Any] = {ClientKind.CONTACT: Contact, ClientKind.COMPANY: Company}
_NOTHING = BaseTotals(
    clients=0, buyers=0, repeat_buyers=0, sales=0, revenue=Decimal(0), turnover=Decimal(0), best=[]
)


def glance(session: Session, portal_id: int) -> list[Glance]:
    """Totals by kind: people and companies are never added up, a deal counts for both."""
    rule = rule_of(session, portal_id)
    computed = session.get(MetricsRun, portal_id)
    return [_glance(session, rule, kind, computed) for kind in ClientKind]


def best_clients(session: Session, portal_id: int) -> list[BestClient]:
    """The most valuable contacts, by LTV; as many as the totals keep."""
    kind = ClientKind.CONTACT
    total = session.get(BaseTotals, (portal_id, kind)) or _NOTHING
    found = session.scalars(
        sa.select(ClientMetrics)
        .where(
            ClientMetrics.portal_id == portal_id,
            ClientMetrics.kind == kind,
            ClientMetrics.client_id.in_(total.best),
        )
        .order_by(ClientMetrics.ltv.desc(), ClientMetrics.client_id)
    ).all()
    names = names_of(session, portal_id, kind, total.best)
    return [
        BestClient(
            kind,
            row.client_id,
            names.get(row.client_id) or f"#{row.client_id}",
            row.ltv,
            row.sales,
            row.last_sale_on,
        )
        for row in found
    ]


def pipelines(session: Session, portal_id: int) -> list[Pipeline]:
    """The portal's pipelines in their order."""
    query = sa.select(Pipeline).where(Pipeline.portal_id == portal_id)
    return list(session.scalars(query.order_by(Pipeline.sort, Pipeline.bitrix_id)))


def active_clients(session: Session, portal_id: int) -> dict[ClientKind, int]:
    """Clients active today, by kind."""
    rule = rule_of(session, portal_id)
    return {kind: totals.active_now(session, rule, kind) for kind in ClientKind}


def _glance(session: Session, rule: Rule, kind: ClientKind, computed: MetricsRun | None) -> Glance:
    total = session.get(BaseTotals, (rule.portal_id, kind)) or _NOTHING
    current = computed is not None and computed.rule_version == rule.version
    newest = days.newest(session, rule, kind) if current else None
    return Glance(
        kind=kind,
        clients=total.clients,
        buyers=total.buyers,
        revenue=total.revenue,
        average_ltv=round(total.revenue / total.buyers, 2) if total.buyers else None,
        average_check=round(total.turnover / total.sales, 2) if total.sales else None,
        repeat_buyers=total.repeat_buyers,
        active=totals.active_now(session, rule, kind),
        activity=rule.active,
        currency=rule.base_currency,
        computed_at=computed.computed_at if computed else None,
        silent=Silent(newest.silent, newest.silent_ltv, newest.silent_days) if newest else None,
        before=days.before(session, rule, kind, activity.today(rule)) if current else None,
    )


def names_of(
    session: Session, portal_id: int, kind: ClientKind, ids: Sequence[int]
) -> dict[int, str]:
    """Names of clients of a kind by id."""
    name: sa.ColumnElement[Any]
    if kind is ClientKind.CONTACT:
        name = sa.func.concat_ws(" ", Contact.name, Contact.last_name)
    else:
        name = sa.func.coalesce(Company.title, "")
    table = _TABLES[kind]
    query = sa.select(table.bitrix_id, name).where(
        table.portal_id == portal_id, table.bitrix_id.in_(ids)
    )
    return {row[0]: row[1] for row in session.execute(query)}
