"""What the client tab shows: stored figures, the rule behind them, and how fresh they are."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from decimal import Decimal

import sqlalchemy as sa
from sqlalchemy.orm import Session

from core.clock import utcnow
from insights.rules.chart import Sum
from insights.rules.rhythm import Rhythm, rhythm
from integration.mirror import Company, Contact, CustomField, Pipeline
from integration.models import Portal
from integration.sync import runs
from integration.sync.runs import RunProgress
from segments.models import ClientKind, ClientMetrics, MetricsRun
from segments.worth import explain, references
from segments.worth.explain import Client, Totals, Verdict
from segments.worth.sales import Rule, rule_of


@dataclass(frozen=True, slots=True)
class Figures:
    """What the client is worth, as stored by the last computation."""

    ltv: Decimal
    sales: int
    average_check: Decimal | None
    first_sale_on: date | None
    last_sale_on: date | None
    mean_gap_days: Decimal | None
    margin: Decimal | None = None
    margin_coverage: Decimal | None = None


NO_SALES = Figures(Decimal(0), 0, None, None, None, None)


@dataclass(frozen=True, slots=True)
class Terms:
    """The sale rule with the portal's own names. `pipelines` None means all of them."""

    rule: Rule
    pipelines: list[str] | None
    date_field: str | None
    names: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Freshness:
    """Whether the portal has been read, and when the figures were made."""

    read_at: datetime | None
    computed_at: datetime | None
    run: RunProgress | None
    stale: bool

    @property
    def ready(self) -> bool:
        """Whether there are figures at all."""
        return self.computed_at is not None


@dataclass(frozen=True, slots=True)
class Card:
    """One client's tab."""

    client: Client
    name: str | None
    figures: Figures
    terms: Terms
    totals: Totals
    purchases: list[Sum]
    freshness: Freshness
    today: date

    @property
    def days_since(self) -> int | None:
        """Whole days since the last sale."""
        last = self.figures.last_sale_on
        return None if last is None else (self.today - last).days

    @property
    def rhythm(self) -> Rhythm | None:
        """Whether the next purchase is late."""
        return rhythm(self.days_since, self.figures.mean_gap_days)

    @property
    def positive(self) -> Decimal:
        """What the counted sales add up to, refunds not taken off."""
        return self.totals.of(Verdict.COUNTED).credited


def read(session: Session, portal_id: int, client: Client) -> Card:
    """Everything about one client that the tab shows, but the list of deals."""
    portal = session.get_one(Portal, portal_id)
    rule = rule_of(session, portal_id)
    totals = explain.totals(session, rule, client)
    figures = _figures(session, portal_id, client)
    return Card(
        client=client,
        name=_name(session, portal_id, client),
        figures=figures,
        terms=_terms(session, rule),
        totals=totals,
        purchases=[
            Sum(month.first, month.amount, month.sales)
            for month in explain.months(session, rule, client)
        ],
        freshness=_freshness(session, portal, rule, figures, totals),
        today=(utcnow() + timedelta(minutes=portal.utc_offset_minutes)).date(),
    )


def _figures(session: Session, portal_id: int, client: Client) -> Figures:
    stored = session.get(ClientMetrics, (portal_id, client.kind.value, client.id))
    if stored is None:
        return NO_SALES
    return Figures(
        stored.ltv,
        stored.sales,
        stored.average_check,
        stored.first_sale_on,
        stored.last_sale_on,
        stored.mean_gap_days,
        stored.margin,
        stored.margin_coverage,
    )


def _name(session: Session, portal_id: int, client: Client) -> str | None:
    if client.kind is ClientKind.COMPANY:
        company = session.get(Company, (portal_id, client.id))
        return company.title if company else None
    person = session.get(Contact, (portal_id, client.id))
    parts = (person.name, person.last_name) if person else ()
    return " ".join(filter(None, parts)) or None


def _terms(session: Session, rule: Rule) -> Terms:
    names = None
    if rule.pipelines is not None:
        names = list(
            session.scalars(
                sa.select(Pipeline.name)
                .where(Pipeline.portal_id == rule.portal_id, Pipeline.bitrix_id.in_(rule.pipelines))
                .order_by(Pipeline.sort, Pipeline.bitrix_id)
            )
        )
    key = (rule.portal_id, "deal", rule.date_field)
    field = session.get(CustomField, key) if rule.date_field else None
    meant = references.names(session, rule.portal_id) if rule.margin.counted else {}
    return Terms(rule, names, field.label if field else rule.date_field, meant)


def _freshness(
    session: Session, portal: Portal, rule: Rule, figures: Figures, totals: Totals
) -> Freshness:
    computed = session.get(MetricsRun, portal.id)
    stored = (figures.ltv, figures.sales, figures.margin)
    differs = stored != (totals.ltv, totals.of(Verdict.COUNTED).deals, totals.margin)
    return Freshness(
        read_at=portal.last_sync_at,
        computed_at=computed.computed_at if computed else None,
        run=runs.progress(session, portal.id),
        stale=computed is not None and (differs or computed.rule_version != rule.version),
    )
