"""The fields of a card: its own columns, what the client is worth, sampling."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any

import sqlalchemy as sa

from core.database import called
from core.web.words import N_
from integration.mirror import Company, Contact, Lead
from segments.card_facts import COPIES, CardFacts
from segments.conditions.catalog import Column, Context, Field, Scope, in_base_currency, rows_of
from segments.conditions.known import unsure
from segments.conditions.operators import Expression, Type
from segments.conditions.related_rows import activities_of, contact_moment, deals_of
from segments.conditions.relations import days_in_stage
from segments.models import ClientMetrics
from segments.rules.tree import CLIENTS, Kind
from segments.scoring import score_sql
from segments.scoring.scored import ClientScores
from segments.worth import sales

TABLES: dict[Kind, Any] = {Kind.CONTACT: Contact, Kind.COMPANY: Company, Kind.LEAD: Lead}
_PERSON = (Kind.CONTACT, Kind.LEAD)
_LEAD = (Kind.LEAD,)
_COMPANY = (Kind.COMPANY,)
LATEST_SALES = 3
_METRICS, _SCORES = called(ClientMetrics, "worth"), called(ClientScores, "scored")


@dataclass
class Card:
    """The row of a card in a select, joined with its metrics and scores once a condition asks for them.

    A `known` card is that of its facts; the mirror's row is joined once a condition asks for it.
    """

    kind: Kind
    scope: Scope
    known: bool = False
    _asked: set[str] = field(default_factory=set)

    @property
    def row(self) -> Any:
        """The mirror's row."""
        self._asked.add("row")
        return self._mirror.c

    def own(self, name: str) -> Any:
        """A column of the mirror's row: of the facts, where they repeat it."""
        return getattr(self.facts if self.known and name in COPIES else self.row, name)

    @property
    def facts(self) -> Any:
        """The facts of a known card; None of one the mirror is asked about."""
        return self.anchor.c if self.known else None

    @property
    def anchor(self) -> Any:
        """What the select begins with."""
        return called(CardFacts, "fact") if self.known else self._mirror

    @property
    def id(self) -> Any:
        """The portal's number of the card."""
        return self.anchor.c["card_id" if self.known else "bitrix_id"]

    @property
    def metrics(self) -> Any:
        """The row of `client_metrics`, empty for a client without sales."""
        self._asked.add("metrics")
        return _METRICS.c

    @property
    def scores(self) -> Any:
        """The row of `client_scores`, empty for a client who never bought."""
        self._asked.add("scores")
        return _SCORES.c

    def values_with(self, code: str) -> Any:
        """The custom values: those of the facts, where they repeat this one."""
        known = self.known and code in self.scope.known_fields.get(self.kind, ())
        return (self.facts if known else self.row).custom

    def source(self) -> Any:
        """What to select from; call it when all conditions are compiled."""
        source, row, portal_id = self.anchor, self._mirror.c, self.scope.portal_id
        if self.known and "row" in self._asked:
            same = sa.and_(row.portal_id == portal_id, row.bitrix_id == self.id)
            source = source.join(self._mirror, same)
        for name, rows in (("metrics", _METRICS), ("scores", _SCORES)):
            if name not in self._asked:
                continue
            same = sa.and_(
                rows.c.portal_id == portal_id,
                rows.c.kind == self.kind.value,
                rows.c.client_id == self.id,
            )
            source = source.outerjoin(rows, same)
        return source

    @property
    def _mirror(self) -> Any:
        return called(TABLES[self.kind], "card")

    def alive(self) -> list[Expression]:
        """The portal's cards that a segment may select: not deleted, not the owner's own companies.

        Known ones have facts; those of them that are unsure are left to the mirror.
        """
        if self.known:
            facts = self.facts
            sure = facts.card_id.not_in(unsure(self.scope, self.kind))
            return [facts.portal_id == self.scope.portal_id, facts.kind == self.kind.value, sure]
        row = self.row
        found: list[Expression] = [row.portal_id == self.scope.portal_id, row.deleted_at.is_(None)]
        if self.kind is Kind.COMPANY:
            found.append(~row.is_my_company)
        return [*found, *self.scope.among(row.bitrix_id)]

    def rank(self, name: str) -> Callable[[Decimal], Expression]:
        """The value that the highest per cent of clients with sales reach; equal ones are all in."""

        def edge(percent: Decimal) -> Expression:
            table = called(ClientMetrics, "ranked").c
            value = getattr(table, name)
            place = sa.func.percentile_disc(float(1 - percent / 100)).within_group(value)
            return (
                sa.select(place)
                .where(
                    table.portal_id == self.scope.portal_id,
                    table.kind == self.kind.value,
                    table.sales > 0,
                )
                .scalar_subquery()
            )

        return edge


def _own(name: str) -> Column:
    return lambda card, _: card.own(name)


def _worth(name: str) -> Column:
    return lambda card, _: getattr(card.metrics, name)


def _id_text(name: str) -> Column:
    return lambda card, _: sa.cast(card.own(name), sa.Text)


def _utm(part: str) -> Column:
    return lambda card, _: card.row.utm.op("->>", return_type=sa.Text)(
        sa.literal_column(f"'{part}'")
    )


def _full_name(card: Card, _scope: Scope) -> Expression:
    row = card.row
    if card.kind is Kind.COMPANY:
        return sa.func.nullif(row.title, "")
    return sa.func.nullif(sa.func.concat_ws(" ", row.name, row.second_name, row.last_name), "")


def _type(card: Card, _scope: Scope) -> Any:
    # One dictionary for contacts, another for companies: the kind keeps equal codes apart.
    return sa.literal(f"{card.kind}:") + card.row.type_id


def _money_of(amount: str) -> Column:
    return lambda card, scope: in_base_currency(
        getattr(card.row, amount), card.row.currency_id, scope
    )


def _overdue(card: Card, scope: Scope) -> Any:
    """Days since the last sale over the mean gap: 1 is the usual rhythm (docs/metrics.md)."""
    since = sa.literal(scope.today, sa.Date) - card.metrics.last_sale_on
    return sa.cast(since, sa.Numeric) / sa.func.nullif(card.metrics.mean_gap_days, 0)


def _idle(card: Card, scope: Scope) -> Any:
    return sa.literal(scope.today, sa.Date) - card.metrics.last_sale_on


def _check_change(card: Card, scope: Scope) -> Any:
    """The mean of the last three sales over that of the earlier ones; empty below four sales."""
    if card.facts is not None:
        return card.facts.check_change
    deals = deals_of(card.kind, scope, "sold_deal")
    deal = deals.row
    newest_first = (sales.sold_on(scope.rule, deal).desc(), deal.bitrix_id.desc())
    sold = (
        sa.select(deal.base_amount, sa.func.row_number().over(order_by=newest_first).label("place"))
        .select_from(deals.source)
        .where(
            *deals.where,
            deals.card_id == card.id,
            sales.is_sale(scope.rule, deal),
            deal.base_amount > 0,
        )
        .correlate(card.anchor)
        .subquery("sold")
    )
    latest = sa.func.avg(sold.c.base_amount).filter(sold.c.place <= LATEST_SALES)
    earlier = sa.func.avg(sold.c.base_amount).filter(sold.c.place > LATEST_SALES)
    return sa.select(latest / earlier).scalar_subquery()


def _last_contact(card: Card, scope: Scope) -> Any:
    """The latest begin or end of a completed activity of the card or its deals."""
    if card.facts is not None:
        return card.facts.last_contact_at
    done = activities_of(card.kind, scope)
    own = sa.select(sa.func.max(contact_moment(done.row))).select_from(done.source)
    own = own.where(*done.where, done.card_id == card.id, done.row.completed)
    return own.correlate(card.anchor).scalar_subquery()


def _score(name: str) -> Column:
    return lambda card, _: getattr(card.scores, name)


def _rfm_group(card: Card, scope: Scope) -> Any:
    if (
        card.kind not in scope.stages
    ):  # nobody is scored yet: who bought would pass for who never did
        return sa.cast(sa.null(), sa.Text)
    created_at, offset = card.own("created_at"), scope.rule.utc_offset_minutes
    return score_sql.group(card.scores.group_key, created_at, scope.today, offset)


def _life_stage(card: Card, scope: Scope) -> Any:
    previous_on, created_at = card.scores.previous_sale_on, card.own("created_at")
    edges, offset = scope.stages_of(card.kind), scope.rule.utc_offset_minutes
    return score_sql.stage(card.metrics, previous_on, created_at, scope.today, offset, edges)


def _bucket(card: Card, _scope: Scope) -> Any:
    return card.id


_CARD, _SOURCE = N_("Card"), N_("Source")
_VALUE, _LEAD_GROUP, _SAMPLING = N_("Value"), N_("Lead"), N_("Sampling")


def _metric(key: str, label: str, column: Column, *, zero: bool = False) -> Field:
    missing = Decimal(0) if zero else None
    return Field(key, label, Type.METRIC, column, _VALUE, missing=missing, kinds=CLIENTS)


def _rank_of(key: str, label: str) -> Field:
    column = _score(key.removeprefix("rfm_"))
    return Field(key, label, Type.NUMBER, column, _VALUE, kinds=CLIENTS)


CARD = Context(
    "card",
    N_("Card"),
    rows_of(
        Field("full_name", N_("Name"), Type.TEXT, _full_name, _CARD),
        Field("post", N_("Position"), Type.TEXT, _own("post"), _CARD, kinds=_PERSON),
        Field("birth_date", N_("Birthday"), Type.DATE, _own("birth_date"), _CARD, kinds=_PERSON),
        Field("type", N_("Type"), Type.CHOICE, _type, _CARD, options="types", kinds=CLIENTS),
        Field(
            "responsible", N_("Responsible person"), Type.CHOICE, _id_text("assigned_by_id"),
            _CARD, options="users",
        ),
        Field("created_at", N_("Created"), Type.MOMENT, _own("created_at"), _CARD),
        Field("updated_at", N_("Changed"), Type.MOMENT, _own("updated_at"), _CARD),
        Field("last_contact_at", N_("Last contact"), Type.MOMENT, _last_contact, _CARD),
        Field("opened", N_("Available to everyone"), Type.FLAG, _own("opened"), _CARD),
        Field(
            "company", N_("Company"), Type.CHOICE, _id_text("company_id"), _CARD,
            kinds=_PERSON,
        ),
        Field(
            "industry", N_("Industry"), Type.CHOICE, _own("industry"), _CARD,
            options="status:INDUSTRY", kinds=_COMPANY,
        ),
        Field(
            "employees", N_("Number of employees"), Type.CHOICE, _own("employees"), _CARD,
            options="status:EMPLOYEES", kinds=_COMPANY,
        ),
        Field("revenue", N_("Yearly turnover"), Type.MONEY, _money_of("revenue"), _CARD, kinds=_COMPANY),
        Field("source", N_("Source"), Type.CHOICE, _own("source_id"), _SOURCE, options="status:SOURCE"),
        Field("utm_source", "utm_source", Type.TEXT, _utm("source"), _SOURCE),
        Field("utm_medium", "utm_medium", Type.TEXT, _utm("medium"), _SOURCE),
        Field("utm_campaign", "utm_campaign", Type.TEXT, _utm("campaign"), _SOURCE),
        Field("utm_content", "utm_content", Type.TEXT, _utm("content"), _SOURCE),
        Field("utm_term", "utm_term", Type.TEXT, _utm("term"), _SOURCE),
        Field("title", N_("Lead's title"), Type.TEXT, _own("title"), _LEAD_GROUP, kinds=_LEAD),
        Field(
            "stage", N_("Lead's stage"), Type.CHOICE, _own("stage_id"), _LEAD_GROUP,
            options="status:STATUS", kinds=_LEAD,
        ),
        Field(
            "state", N_("Lead's state"), Type.CHOICE, _own("stage_semantic"), _LEAD_GROUP,
            options="lead_states", kinds=_LEAD,
        ),
        Field("amount", N_("Lead's amount"), Type.MONEY, _money_of("opportunity"), _LEAD_GROUP, kinds=_LEAD),
        Field(
            "is_return", N_("Lead of an existing client"), Type.FLAG, _own("is_return_customer"),
            _LEAD_GROUP, kinds=_LEAD,
        ),
        Field("client_contact", N_("Lead's contact"), Type.CHOICE, _id_text("contact_id"), _LEAD_GROUP, kinds=_LEAD),
        Field("client_company", N_("Lead's company"), Type.CHOICE, _id_text("company_id"), _LEAD_GROUP, kinds=_LEAD),
        Field("closed_at", N_("Lead closed"), Type.MOMENT, _own("closed_at"), _LEAD_GROUP, kinds=_LEAD),
        Field("moved_at", N_("Lead's stage changed"), Type.MOMENT, _own("moved_at"), _LEAD_GROUP, kinds=_LEAD),
        Field(
            "days_in_stage", N_("Days in the lead's stage"), Type.NUMBER,
            lambda card, scope: days_in_stage(card.row, scope), _LEAD_GROUP, kinds=_LEAD,
        ),
        _metric("ltv", N_("LTV"), _worth("ltv"), zero=True),
        _metric("margin", N_("Margin"), _worth("margin")),
        _metric("sales", N_("Number of sales"), _worth("sales"), zero=True),
        _metric("average_check", N_("Average check"), _worth("average_check")),
        _metric("mean_gap_days", N_("Days between sales"), _worth("mean_gap_days")),
        _metric("days_since_sale", N_("Days since the last sale"), _idle),
        _metric("overdue_ratio", N_("Delay against the usual rhythm"), _overdue),
        Field(
            "check_change", N_("Latest checks against the earlier ones"), Type.NUMBER, _check_change,
            _VALUE, kinds=CLIENTS,
        ),
        Field("first_sale_on", N_("First sale"), Type.DATE, _worth("first_sale_on"), _VALUE, kinds=CLIENTS),
        Field("last_sale_on", N_("Last sale"), Type.DATE, _worth("last_sale_on"), _VALUE, kinds=CLIENTS),
        _rank_of("rfm_r", N_("RFM: how recently (1–5)")),
        _rank_of("rfm_f", N_("RFM: how often (1–5)")),
        _rank_of("rfm_m", N_("RFM: for how much (1–5)")),
        Field(
            "rfm_name", N_("RFM group"), Type.CHOICE, _rfm_group, _VALUE, options="rfm_groups",
            kinds=CLIENTS,
        ),
        Field(
            "lifecycle", N_("Stage of life"), Type.CHOICE, _life_stage, _VALUE,
            options="life_stages", kinds=CLIENTS,
        ),
        Field("sample", N_("Random share"), Type.SAMPLE, _bucket, _SAMPLING),
        Field("segment", N_("Segment"), Type.SEGMENT, _bucket, N_("Segments")),
    ),
    custom=("contact", "company", "lead"),
)  # fmt: skip

RANKED = {"ltv", "margin", "sales", "average_check", "mean_gap_days"}
"""Metrics that are stored columns: the highest per cent of them can be asked for."""
