"""Why a client is worth what the card says: every deal of the client, counted or not, and the reason.

The counted amounts come from the same select as the metrics (`segments.worth.sales.credited`), so their sum is
the client's LTV to the last digit. Newest first, a page at a time.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from enum import StrEnum
from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm import Session

from integration.mirror import Company, Deal, DealContact, Pipeline, Status
from integration.sync import prices
from segments.models import ClientKind
from segments.worth import sales
from segments.worth.sales import Rule

_UNDATED = date(1, 1, 1)  # sorts last; a won deal may lack the date the rule asks for


class Verdict(StrEnum):
    """What the sale rule says of one deal."""

    COUNTED = "counted"
    REFUND = "refund"  # a negative amount: lowers the LTV, is no sale
    ZERO = "zero"
    NO_RATE = "no_rate"
    OPEN = "open"
    LOST = "lost"
    PIPELINE = "pipeline"
    TEMPLATE = "template"
    OTHER_CONTACT = "other_contact"
    TO_COMPANY = "to_company"  # the rule gives it to the deal's company
    TO_CONTACT = "to_contact"  # the rule gives it to the deal's contact
    OWN_COMPANY = "own_company"

    @property
    def in_ltv(self) -> bool:
        """Whether the deal's amount is part of the LTV."""
        return self in {Verdict.COUNTED, Verdict.REFUND}


@dataclass(frozen=True, slots=True)
class Client:
    """Whose deals are explained."""

    kind: ClientKind
    id: int

    @property
    def name(self) -> str:
        """As `named` takes it: contact:7."""
        return f"{self.kind.value}:{self.id}"

    @classmethod
    def named(cls, name: str) -> Client:
        """The client of a name; ValueError for what is none."""
        kind, _, number = name.partition(":")
        return cls(ClientKind(kind), int(number))


@dataclass(frozen=True, slots=True)
class Line:
    """One deal. `credited` is what it adds to the LTV; in base currency like `base_amount`.

    `margin` is what it adds to the margin, when that is known; `costed`: from a real cost.
    `rate_day` is the day of the rate it was converted at: after `day` when no older rate is known.
    """

    deal_id: int
    title: str | None
    day: date | None
    pipeline: str | None
    stage: str | None
    amount: Decimal
    currency: str
    rate: Decimal | None
    rate_day: date | None
    base_amount: Decimal | None
    credited: Decimal | None
    margin: Decimal | None
    costed: bool | None
    contact_id: int | None
    company_id: int | None
    verdict: Verdict


@dataclass(frozen=True, slots=True)
class Place:
    """Where a page ended: the next one starts after this deal."""

    day: date
    deal_id: int


@dataclass(frozen=True, slots=True)
class Total:
    """Deals with one verdict: how many, and what they add to the LTV.

    `margin` is that of the `priced` deals, of which it is known: they add `priced_sum` to the LTV.
    """

    deals: int
    credited: Decimal
    priced: int = 0
    priced_sum: Decimal = Decimal(0)
    margin: Decimal = Decimal(0)


@dataclass(frozen=True, slots=True)
class Totals:
    """All deals of a client by verdict. `foreign` tells whether any is in another currency."""

    by_verdict: dict[Verdict, Total]
    foreign: bool

    @property
    def ltv(self) -> Decimal:
        """The sum of everything that counts."""
        return sum((total.credited for total in self.by_verdict.values()), Decimal(0))

    @property
    def margin(self) -> Decimal | None:
        """The margin of everything that counts; None when none is known."""
        return self.in_all.margin if self.in_all.priced else None

    @property
    def counted(self) -> int:
        """Deals that are part of the LTV."""
        return self.in_all.deals

    @property
    def in_all(self) -> Total:
        """All deals that are part of the LTV."""
        found = [total for verdict, total in self.by_verdict.items() if verdict.in_ltv]
        return Total(
            sum(total.deals for total in found),
            sum((total.credited for total in found), Decimal(0)),
            sum(total.priced for total in found),
            sum((total.priced_sum for total in found), Decimal(0)),
            sum((total.margin for total in found), Decimal(0)),
        )

    @property
    def deals(self) -> int:
        """All deals."""
        return sum(total.deals for total in self.by_verdict.values())

    def of(self, verdict: Verdict) -> Total:
        """Deals with this verdict."""
        return self.by_verdict.get(verdict, Total(0, Decimal(0)))


@dataclass(frozen=True, slots=True)
class Month:
    """What a client bought in a month; `first` None collects sales without a date."""

    first: date | None
    amount: Decimal
    sales: int


def lines(
    session: Session,
    rule: Rule,
    client: Client,
    *,
    counted_only: bool = False,
    after: Place | None = None,
    limit: int = 20,
) -> tuple[list[Line], Place | None]:
    """A page of deals, newest first, and where the next page starts if there is one."""
    found = _explained(rule, client).subquery("line")
    key = sa.func.coalesce(found.c.day, _UNDATED)
    query = sa.select(found).order_by(key.desc(), found.c.deal_id.desc()).limit(limit + 1)
    if counted_only:
        query = query.where(found.c.verdict.in_([v for v in Verdict if v.in_ltv]))
    if after is not None:
        query = query.where(sa.tuple_(key, found.c.deal_id) < sa.tuple_(after.day, after.deal_id))
    rows = session.execute(query).mappings().all()
    page = [Line(**{**row, "verdict": Verdict(row["verdict"])}) for row in rows[:limit]]
    if len(rows) <= limit:
        return page, None
    return page, Place(page[-1].day or _UNDATED, page[-1].deal_id)


def totals(session: Session, rule: Rule, client: Client) -> Totals:
    """All deals of the client, counted by verdict."""
    found = _explained(rule, client).subquery("line")
    query = sa.select(
        found.c.verdict,
        sa.func.count(),
        sa.func.coalesce(sa.func.sum(found.c.credited), 0),
        sa.func.count(found.c.margin),
        sa.func.coalesce(sa.func.sum(found.c.credited).filter(found.c.margin.is_not(None)), 0),
        sa.func.coalesce(sa.func.sum(found.c.margin), 0),
        sa.func.bool_or(found.c.currency != rule.base_currency),
    ).group_by(found.c.verdict)
    rows = session.execute(query).all()
    return Totals(
        {
            Verdict(verdict): Total(deals, Decimal(sum_), priced, Decimal(known), Decimal(margin))
            for verdict, deals, sum_, priced, known, margin, _ in rows
        },
        any(foreign for *_, foreign in rows),
    )


def months(session: Session, rule: Rule, client: Client) -> list[Month]:
    """Purchases by month, oldest first."""
    sale = sales.credited(rule, client.kind, [client.id]).subquery("sale")
    month = sa.cast(sa.func.date_trunc("month", sale.c.sold_on), sa.Date)
    query = (
        sa.select(
            month.label("first"),
            sa.func.sum(sale.c.amount).label("amount"),
            sa.func.count().filter(sale.c.amount > 0).label("sales"),
        )
        .where(sale.c.amount != 0)
        .group_by(month)
        .order_by(month)
    )
    return [Month(**row) for row in session.execute(query).mappings()]


def _explained(rule: Rule, client: Client) -> sa.Select[tuple[object, ...]]:
    credit = sales.credited(rule, client.kind, [client.id]).subquery("credit")
    stages = sa.case(
        (Deal.pipeline_id == 0, sa.literal("DEAL_STAGE")),
        else_=sa.func.concat("DEAL_STAGE_", Deal.pipeline_id),
    )
    currency = sa.func.coalesce(Deal.currency_id, rule.base_currency)
    query: sa.Select[tuple[object, ...]] = (
        sa.select(
            Deal.bitrix_id.label("deal_id"),
            Deal.title,
            sa.func.coalesce(credit.c.sold_on, Deal.closed_on).label("day"),
            Pipeline.name.label("pipeline"),
            sa.func.coalesce(Status.name, Deal.stage_id).label("stage"),
            Deal.opportunity.label("amount"),
            currency.label("currency"),
            sa.case((currency != rule.base_currency, _snapshot("rate"))).label("rate"),
            sa.case((currency != rule.base_currency, _snapshot("day"))).label("rate_day"),
            Deal.base_amount,
            credit.c.amount.label("credited"),
            *_earned(rule, credit),
            Deal.contact_id,
            Deal.company_id,
            _verdict(rule, client, credit).label("verdict"),
        )
        .select_from(Deal)
        .outerjoin(credit, credit.c.deal_id == Deal.bitrix_id)
        .outerjoin(
            Pipeline,
            sa.and_(Pipeline.portal_id == rule.portal_id, Pipeline.bitrix_id == Deal.pipeline_id),
        )
        .outerjoin(
            Status,
            sa.and_(
                Status.portal_id == rule.portal_id,
                Status.dictionary == stages,
                Status.status_id == Deal.stage_id,
            ),
        )
    )
    return query.where(
        Deal.portal_id == rule.portal_id,
        Deal.deleted_at.is_(None),
        _concerns(rule, client),
    )


def _earned(rule: Rule, credit: sa.Subquery) -> list[sa.Label[Any]]:
    if rule.margin.counted:
        return [credit.c.margin.label("margin"), credit.c.costed.label("costed")]
    return [
        sa.cast(sa.null(), sa.Numeric).label("margin"),
        sa.cast(sa.null(), sa.Boolean).label("costed"),
    ]


def _snapshot(column: str) -> sa.ColumnElement[Any]:
    deals = Deal.__tablename__
    return sa.literal_column(prices.snapshot_sql(deals, column, f"{deals}.portal_id"))


def _concerns(rule: Rule, client: Client) -> sa.ColumnElement[bool]:
    """The deal names the client, whether or not the rule gives it to them."""
    if client.kind is ClientKind.COMPANY:
        return Deal.company_id == client.id
    linked = sa.select(DealContact.deal_id).where(
        DealContact.portal_id == rule.portal_id, DealContact.contact_id == client.id
    )
    primary = sa.select(Deal.bitrix_id).where(
        Deal.portal_id == rule.portal_id, Deal.contact_id == client.id
    )
    # An array, as a sub-select would make the planner read every deal of the portal.
    ids = sa.func.array(linked.union(primary).scalar_subquery())
    return Deal.bitrix_id == sa.any_(sa.type_coerce(ids, sa.ARRAY(sa.BigInteger)))


def _verdict(rule: Rule, client: Client, credit: sa.Subquery) -> sa.ColumnElement[str]:
    """The first reason that applies; what is left is credited to the client."""
    own = sa.exists().where(
        Company.portal_id == rule.portal_id,
        Company.bitrix_id == client.id,
        Company.is_my_company,
    )
    included = sa.true() if rule.pipelines is None else Deal.pipeline_id.in_(rule.pipelines)
    reasons: list[tuple[Any, Verdict]] = [
        (credit.c.amount > 0, Verdict.COUNTED),
        (credit.c.amount < 0, Verdict.REFUND),
        (credit.c.amount == 0, Verdict.ZERO),
        (credit.c.deal_id.is_not(None), Verdict.NO_RATE),
        (Deal.is_recurring, Verdict.TEMPLATE),
        (Deal.stage_semantic == "F", Verdict.LOST),
        (Deal.stage_semantic.is_distinct_from("S"), Verdict.OPEN),
        (sa.not_(included), Verdict.PIPELINE),
    ]
    if client.kind is ClientKind.COMPANY:
        reasons.append((own, Verdict.OWN_COMPANY))
    another = Verdict.TO_COMPANY if client.kind is ClientKind.CONTACT else Verdict.TO_CONTACT
    reasons.append((sa.not_(sales.owns(rule, client.kind)), another))
    return sa.case(
        *((condition, sa.literal(verdict.value)) for condition, verdict in reasons),
        else_=sa.literal(Verdict.OTHER_CONTACT.value),
    )
