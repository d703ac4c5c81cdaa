"""Rows that belong to a card as the database finds them: deals, leads, activities, products, addresses…"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import JSONB

from core.database import called
from integration.goods import DealProduct, Product, ProductSection
from integration.mirror import Activity, Address, Deal, DealContact, Lead, StageMove
from integration.models import Timestamp
from segments.conditions.catalog import Scope, in_base_currency
from segments.conditions.operators import Expression
from segments.models import ClientKind, ContactMode
from segments.rules.tree import Kind
from segments.worth import sales

_LEADS_OF = {Kind.CONTACT: "contact_id", Kind.COMPANY: "company_id"}
_OWNER_TYPES = {Kind.LEAD: 1, Kind.CONTACT: 3, Kind.COMPANY: 4}
DEAL_OWNER = 2


@dataclass(frozen=True, slots=True)
class Rows:
    """Related rows in a select: `row` has the fields, `card_id` is the card each belongs to."""

    source: Any
    row: Any
    card_id: Expression
    where: tuple[Expression, ...]


@dataclass(frozen=True, slots=True)
class DealOf:
    """A deal as a card's: what is asked of it may depend on the card's other deals."""

    columns: Any
    kind: Kind
    card_id: Expression

    def __getattr__(self, name: str) -> Any:
        return getattr(self.columns, name)


def deals_of(kind: Kind, scope: Scope, name: str = "deal", *, templates: bool = False) -> Rows:
    """Deals by card, as the sale rule gives them to clients; or the templates of recurring deals."""
    table, links = called(Deal, name), called(DealContact, f"{name}_link")
    source, deal, link = table, table.c, links.c
    where: list[Expression] = [
        deal.portal_id == scope.portal_id,
        deal.deleted_at.is_(None),
        deal.is_recurring if templates else ~deal.is_recurring,
    ]
    if kind is not Kind.LEAD:
        where.append(sales.owns(scope.rule, ClientKind(kind.value), deal))
    if kind is Kind.CONTACT and scope.rule.contact_mode is not ContactMode.PRIMARY:
        both = sa.and_(link.portal_id == scope.portal_id, link.deal_id == deal.bitrix_id)
        source, card_id = table.join(links, both), link.contact_id
    else:
        card_id = getattr(deal, f"{kind}_id")
        where.append(card_id.is_not(None))
    return Rows(source, DealOf(deal, kind, card_id), card_id, tuple(where))


def templates_of(kind: Kind, scope: Scope) -> Rows:
    """Templates of recurring deals by card."""
    return deals_of(kind, scope, "template", templates=True)


def leads_of(kind: Kind, scope: Scope) -> Rows:
    """Leads that are linked to the client."""
    table = called(Lead, "lead")
    lead = table.c
    card_id = getattr(lead, _LEADS_OF[kind])
    where = (lead.portal_id == scope.portal_id, lead.deleted_at.is_(None), card_id.is_not(None))
    return Rows(table, lead, card_id, where)


def activities_of(kind: Kind, scope: Scope) -> Rows:
    """Of the card itself, and of its deals."""
    own = called(Activity, "own").c
    columns = [
        c.name for c in Activity.__table__.columns if c.name not in {"portal_id", "owner_id"}
    ]
    direct = sa.select(
        own.owner_id.label("card_id"), *(getattr(own, name) for name in columns)
    ).where(own.portal_id == scope.portal_id, own.owner_type == _OWNER_TYPES[kind])
    of_deals, deals = called(Activity, "of_deal"), deals_of(kind, scope)
    theirs = of_deals.c
    through_deals = (
        sa.select(deals.card_id.label("card_id"), *(getattr(theirs, name) for name in columns))
        .select_from(deals.source)
        .join(
            of_deals,
            sa.and_(
                theirs.portal_id == scope.portal_id,
                theirs.owner_type == DEAL_OWNER,
                theirs.owner_id == deals.row.bitrix_id,
            ),
        )
        .where(*deals.where)
    )
    found = sa.union_all(direct, through_deals).subquery("activity")
    return Rows(found, found.c, found.c.card_id, ())


def contact_moment(activity: Any) -> Expression:
    """When a completed activity was a contact with the client, at the latest."""
    return sa.func.greatest(activity.created_at, activity.ended_at, type_=Timestamp)


def moves_of(kind: Kind, scope: Scope) -> Rows:
    """Entries into stages with the stage before and the days stayed: of the card's deals, or of the lead."""
    move = called(StageMove, "move").c
    entity = "lead" if kind is Kind.LEAD else "deal"
    in_time = (move.moved_at, move.bitrix_id)
    until = sa.func.coalesce(
        sa.func.lead(move.moved_at).over(partition_by=move.owner_id, order_by=in_time), scope.now
    )
    entries = (
        sa.select(
            move.owner_id,
            move.bitrix_id,
            move.pipeline_id,
            move.stage_id,
            move.stage_semantic,
            move.moved_at,
            sa.func.lag(move.stage_id)
            .over(partition_by=move.owner_id, order_by=in_time)
            .label("previous_stage_id"),
            (sa.extract("epoch", until - move.moved_at) / 86_400).label("stayed_days"),
        )
        .where(move.portal_id == scope.portal_id, move.entity == entity)
        .subquery("entry")
    )
    if kind is Kind.LEAD:
        return Rows(entries, entries.c, entries.c.owner_id, ())
    deals = deals_of(kind, scope)
    source = deals.source.join(entries, entries.c.owner_id == deals.row.bitrix_id)
    return Rows(source, entries.c, deals.card_id, deals.where)


def products_of(kind: Kind, scope: Scope) -> Rows:
    """Product rows of the card's deals; a variation is its product, sold at the deal's day and currency."""
    deals, sections = deals_of(kind, scope), _sections(scope)
    lines, products = called(DealProduct, "line"), called(Product, "product")
    deal, line, product = deals.row, lines.c, products.c
    found = (
        sa.select(
            deals.card_id.label("card_id"),
            line.row_id.label("bitrix_id"),
            line.name,
            line.quantity,
            in_base_currency(line.amount, deal.currency_id, scope).label("amount"),
            sa.func.coalesce(product.parent_id, line.product_id).label("product_id"),
            sections.c.path.label("sections"),
            deal.stage_semantic,
            deal.created_at,
            sold_on(deal, scope).label("sold_on"),
        )
        .select_from(deals.source)
        .join(lines, sa.and_(line.portal_id == scope.portal_id, line.deal_id == deal.bitrix_id))
        .outerjoin(
            products,
            sa.and_(product.portal_id == scope.portal_id, product.bitrix_id == line.product_id),
        )
        .outerjoin(sections, sections.c.bitrix_id == product.section_id)
        .where(*deals.where)
        .subquery("product_row")
    )
    return Rows(found, found.c, found.c.card_id, ())


def _sections(scope: Scope) -> sa.Subquery:
    """Every section of the catalog with the ids of itself and of those it lies in."""
    first, outer = called(ProductSection, "section").c, called(ProductSection, "upper")
    upper = outer.c
    chain = (
        sa.select(first.bitrix_id, first.bitrix_id.label("at"))
        .where(first.portal_id == scope.portal_id)
        .cte(recursive=True)
    )
    further = sa.select(chain.c.bitrix_id, upper.parent_id).join(
        outer,
        sa.and_(
            upper.portal_id == scope.portal_id,
            upper.bitrix_id == chain.c["at"],
            upper.parent_id.is_not(None),
        ),
    )
    chain = chain.union(
        further
    )  # not union_all: sections that lie in each other must not go on for ever
    path = sa.func.jsonb_agg(chain.c["at"], type_=JSONB).label("path")
    return sa.select(chain.c.bitrix_id, path).group_by(chain.c.bitrix_id).subquery()


def addresses_of(kind: Kind, scope: Scope) -> Rows:
    """Phones, e-mails, messengers and sites of the card."""
    table = called(Address, "address")
    address = table.c
    where = (address.portal_id == scope.portal_id, address.entity == kind.value)
    return Rows(table, address, address.entity_id, where)


def sold_on(row: Any, scope: Scope) -> Expression:
    """The day of the sale; empty where the deal is none."""
    return sa.case((sales.is_sale(scope.rule, row), sales.sold_on(scope.rule, row)))
