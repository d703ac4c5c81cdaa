"""Rows that belong to a card, and the fields conditions can ask of them: deals, leads, calls, addresses…"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa

from core.database import called
from core.web.words import N_
from integration.mirror import Activity
from segments.conditions.catalog import Context, Field, Scope, in_base_currency, named, rows_of
from segments.conditions.operators import Expression, Type
from segments.conditions.related_rows import (
    DEAL_OWNER,
    DealOf,
    Rows,
    activities_of,
    addresses_of,
    deals_of,
    leads_of,
    moves_of,
    products_of,
    sold_on,
    templates_of,
)
from segments.rules.tree import CLIENTS, Kind
from segments.worth import sales

_EVERY = (*CLIENTS, Kind.LEAD)


@dataclass(frozen=True, slots=True)
class Relation:
    """A kind of related rows. `ordered` is the field that says which is the first and the last."""

    key: str
    label: str
    context: Context
    rows: Callable[[Kind, Scope], Rows]
    ordered: str = ""
    kinds: tuple[Kind, ...] = _EVERY


def _id_text(name: str) -> Callable[[Any, Scope], Expression]:
    return lambda row, _: sa.cast(getattr(row, name), sa.Text)


def _is_sale(row: Any, scope: Scope) -> Expression:
    return sales.is_sale(scope.rule, row)


def days_in_stage(row: Any, scope: Scope) -> Expression:
    """Days since the stage changed, with their fraction."""
    now = sa.literal(scope.now, sa.DateTime(timezone=True))
    return sa.extract("epoch", now - row.moved_at) / 86_400


def _days_after_lost(row: DealOf, scope: Scope) -> Expression:
    """Days from the close of the client's latest lost deal before a sale to the sale."""
    earlier = deals_of(row.kind, scope, "lost_deal")
    day, lost_on = sales.sold_on(scope.rule, row), earlier.row.closed_on
    latest = (
        sa.select(sa.func.max(lost_on))
        .select_from(earlier.source)
        .where(
            *earlier.where,
            earlier.card_id == row.card_id,
            earlier.row.stage_semantic == "F",
            lost_on < day,
        )
        .scalar_subquery()
    )
    return sa.case((sales.is_sale(scope.rule, row), day - latest))


def _own_activities(row: DealOf, scope: Scope) -> tuple[Any, tuple[Expression, ...]]:
    activity = called(Activity, "own").c
    of_deal = (
        activity.portal_id == scope.portal_id,
        activity.owner_type == DEAL_OWNER,
        activity.owner_id == row.bitrix_id,
    )
    return activity, of_deal


def _last_activity(row: DealOf, scope: Scope) -> Expression:
    activity, of_deal = _own_activities(row, scope)
    return sa.select(sa.func.max(activity.created_at)).where(*of_deal).scalar_subquery()


def _has_plans(row: DealOf, scope: Scope) -> Expression:
    activity, of_deal = _own_activities(row, scope)
    return sa.select(sa.literal(1)).where(*of_deal, ~activity.completed).exists()


def _utm(part: str) -> Callable[[Any, Scope], Expression]:
    return lambda row, _: row.utm.op("->>", return_type=sa.Text)(sa.literal_column(f"'{part}'"))


def _lead_amount(row: Any, scope: Scope) -> Expression:
    return in_base_currency(row.opportunity, row.currency_id, scope)


def _domain(row: Any, _scope: Scope) -> Expression:
    is_email = row.kind == "email"
    return sa.case((is_email, sa.func.nullif(sa.func.split_part(row.normalised, "@", 2), "")))


def _phone(row: Any, _scope: Scope) -> Expression:
    return sa.case((row.kind == "phone", row.normalised))


def _is_valid(row: Any, _scope: Scope) -> Any:
    return row.normalised.is_not(None)


_STAGE, _DATES, _ORIGIN, _WHO = N_("Stage"), N_("Dates"), N_("Source"), N_("People")
_MONEY, _KIND, _WORK = N_("Amount"), N_("Kind"), N_("Activities")

_DEALS = Context(
    "deals",
    N_("Deals"),
    rows_of(
        Field("pipeline", N_("Pipeline"), Type.CHOICE, _id_text("pipeline_id"), _STAGE, options="pipelines"),
        Field("stage", N_("Stage"), Type.CHOICE, named("stage_id"), _STAGE, options="deal_stages"),
        Field("state", N_("State"), Type.CHOICE, named("stage_semantic"), _STAGE, options="deal_states"),
        Field("is_sale", N_("Counts as a sale"), Type.FLAG, _is_sale, _STAGE),
        Field("days_in_stage", N_("Days in the stage"), Type.NUMBER, days_in_stage, _STAGE),
        Field("amount", N_("Amount"), Type.MONEY, named("base_amount"), _MONEY),
        Field("currency", N_("Currency"), Type.CHOICE, named("currency_id"), _MONEY, options="currencies"),
        Field("title", N_("Title"), Type.TEXT, named("title"), _KIND),
        Field("type", N_("Deal type"), Type.CHOICE, named("type_id"), _KIND, options="status:DEAL_TYPE"),
        Field("is_return", N_("Repeat deal"), Type.FLAG, named("is_return_customer"), _KIND),
        Field("created_at", N_("Created"), Type.MOMENT, named("created_at"), _DATES),
        Field("updated_at", N_("Changed"), Type.MOMENT, named("updated_at"), _DATES),
        Field("begun_on", N_("Begun"), Type.DATE, named("begun_on"), _DATES),
        Field("closed_on", N_("Close date"), Type.DATE, named("closed_on"), _DATES),
        Field("moved_at", N_("Stage changed"), Type.MOMENT, named("moved_at"), _DATES),
        Field("sold_on", N_("Day of the sale"), Type.DATE, sold_on, _DATES),
        Field("days_after_lost", N_("Days after a lost deal"), Type.NUMBER, _days_after_lost, _DATES),
        Field("last_activity_at", N_("Last activity"), Type.MOMENT, _last_activity, _WORK),
        Field("has_plans", N_("Has planned activities"), Type.FLAG, _has_plans, _WORK),
        Field("source", N_("Source"), Type.CHOICE, named("source_id"), _ORIGIN, options="status:SOURCE"),
        Field("utm_source", "utm_source", Type.TEXT, _utm("source"), _ORIGIN),
        Field("utm_medium", "utm_medium", Type.TEXT, _utm("medium"), _ORIGIN),
        Field("utm_campaign", "utm_campaign", Type.TEXT, _utm("campaign"), _ORIGIN),
        Field(
            "responsible", N_("Responsible person"), Type.CHOICE, _id_text("assigned_by_id"), _WHO,
            options="users",
        ),
    ),
    custom=("deal",),
)  # fmt: skip

_LEADS = Context(
    "leads",
    N_("Leads"),
    rows_of(
        Field("stage", N_("Stage"), Type.CHOICE, named("stage_id"), _STAGE, options="status:STATUS"),
        Field("state", N_("State"), Type.CHOICE, named("stage_semantic"), _STAGE, options="lead_states"),
        Field("amount", N_("Amount"), Type.MONEY, _lead_amount, _MONEY),
        Field("title", N_("Title"), Type.TEXT, named("title"), _KIND),
        Field("is_return", N_("Lead of an existing client"), Type.FLAG, named("is_return_customer"), _KIND),
        Field("created_at", N_("Created"), Type.MOMENT, named("created_at"), _DATES),
        Field("closed_at", N_("Closed"), Type.MOMENT, named("closed_at"), _DATES),
        Field("source", N_("Source"), Type.CHOICE, named("source_id"), _ORIGIN, options="status:SOURCE"),
        Field("utm_source", "utm_source", Type.TEXT, _utm("source"), _ORIGIN),
        Field("utm_medium", "utm_medium", Type.TEXT, _utm("medium"), _ORIGIN),
        Field("utm_campaign", "utm_campaign", Type.TEXT, _utm("campaign"), _ORIGIN),
        Field(
            "responsible", N_("Responsible person"), Type.CHOICE, _id_text("assigned_by_id"), _WHO,
            options="users",
        ),
    ),
    custom=("lead",),
)  # fmt: skip

_ACTIVITIES = Context(
    "activities",
    N_("Activities"),
    rows_of(
        Field("kind", N_("Kind"), Type.CHOICE, _id_text("type_id"), _KIND, options="activity_kinds"),
        Field("direction", N_("Direction"), Type.CHOICE, _id_text("direction"), _KIND, options="directions"),
        Field("completed", N_("Completed"), Type.FLAG, named("completed"), _KIND),
        Field("subject", N_("Subject"), Type.TEXT, named("subject"), _KIND),
        Field("created_at", N_("Created"), Type.MOMENT, named("created_at"), _DATES),
        Field("started_at", N_("Beginning"), Type.MOMENT, named("started_at"), _DATES),
        Field("ended_at", N_("End"), Type.MOMENT, named("ended_at"), _DATES),
        Field(
            "responsible", N_("Responsible person"), Type.CHOICE, _id_text("responsible_id"), _WHO,
            options="users",
        ),
    ),
)  # fmt: skip

_MOVES = Context(
    "stage_moves",
    N_("Stage history"),
    rows_of(
        Field("pipeline", N_("Pipeline"), Type.CHOICE, _id_text("pipeline_id"), _STAGE, options="pipelines"),
        Field("stage", N_("Entered stage"), Type.CHOICE, named("stage_id"), _STAGE, options="all_stages"),
        Field("from_stage", N_("From stage"), Type.CHOICE, named("previous_stage_id"), _STAGE, options="all_stages"),
        Field("state", N_("State of the stage"), Type.CHOICE, named("stage_semantic"), _STAGE, options="deal_states"),
        Field("moved_at", N_("Entered"), Type.MOMENT, named("moved_at"), _DATES),
        Field("stayed_days", N_("Days stayed"), Type.NUMBER, named("stayed_days"), _DATES),
    ),
)  # fmt: skip

_PRODUCTS = Context(
    "products",
    N_("Products"),
    rows_of(
        Field("product", N_("Product"), Type.CHOICE, _id_text("product_id"), _KIND, options="products"),
        Field("section", N_("Section of products"), Type.LIST, named("sections"), _KIND, options="sections"),
        Field("name", N_("Product name in the deal"), Type.TEXT, named("name"), _KIND),
        Field("quantity", N_("Quantity"), Type.NUMBER, named("quantity"), _MONEY),
        Field("amount", N_("Amount"), Type.MONEY, named("amount"), _MONEY),
        Field("state", N_("State of the deal"), Type.CHOICE, named("stage_semantic"), _STAGE, options="deal_states"),
        Field("created_at", N_("Deal created"), Type.MOMENT, named("created_at"), _DATES),
        Field("sold_on", N_("Day of the sale"), Type.DATE, named("sold_on"), _DATES),
    ),
)  # fmt: skip

_ADDRESSES = Context(
    "addresses",
    N_("Addresses"),
    rows_of(
        Field("kind", N_("Kind"), Type.CHOICE, named("kind"), _KIND, options="address_kinds"),
        Field("value", N_("Address"), Type.TEXT, named("normalised"), _KIND),
        Field("valid", N_("Is a valid address"), Type.FLAG, _is_valid, _KIND),
        Field("phone", N_("Phone number"), Type.TEXT, _phone, _KIND),
        Field("domain", N_("Domain of the e-mail"), Type.TEXT, _domain, _KIND),
        Field("purpose", N_("Purpose"), Type.CHOICE, named("value_type"), _KIND, options="purposes"),
    ),
)  # fmt: skip

RELATIONS: dict[str, Relation] = {
    relation.key: relation
    for relation in (
        Relation("deals", N_("Deals"), _DEALS, deals_of, ordered="created_at"),
        Relation("leads", N_("Leads"), _LEADS, leads_of, ordered="created_at", kinds=CLIENTS),
        Relation("activities", N_("Activities"), _ACTIVITIES, activities_of, ordered="created_at"),
        Relation("stage_moves", N_("Stage history"), _MOVES, moves_of, ordered="moved_at"),
        Relation("products", N_("Products"), _PRODUCTS, products_of, ordered="created_at"),
        Relation("addresses", N_("Addresses"), _ADDRESSES, addresses_of),
        Relation(
            "recurring_deals",
            N_("Templates of recurring deals"),
            _DEALS,
            templates_of,
            ordered="created_at",
        ),
    )
}
