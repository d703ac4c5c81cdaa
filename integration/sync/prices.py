"""Deal amounts and costs in the portal's base currency, at the rate of the day the deal was closed.

A portal tells today's rates only, so each day's are kept as a snapshot, and an amount converted once
stays what it was. A day before the first snapshot takes the oldest one.
"""

from __future__ import annotations

from collections.abc import Collection
from datetime import date

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session

from integration.goods import DealProduct
from integration.mirror import Currency, CurrencyRate, Deal, DealContact
from integration.models import ChangedCard, ChangedClient, Portal

_BASE = f"(SELECT base_currency FROM {Portal.__tablename__} WHERE id = :portal_id)"  # noqa: S608
_OF_CURRENCIES = (
    "currency_id = ANY(:codes) OR bitrix_id IN (SELECT s.deal_id FROM deal_products s"
    " WHERE s.portal_id = :portal_id AND s.purchase_currency = ANY(:codes))"
)


def snapshot_sql(
    row: str, column: str, portal: str = ":portal_id", currency: str | None = None
) -> str:
    """SQL: `rate` or `day` of the snapshot that applies to the deal of this row.

    `currency`: SQL of another currency than the deal's own.
    """
    code = currency or f"{row}.currency_id"
    of_currency = f"FROM currency_rates r WHERE r.portal_id = {portal} AND r.code = {code}"
    closed = f"coalesce({row}.closed_on, ({row}.moved_at AT TIME ZONE 'UTC')::date)"
    return (
        f"coalesce((SELECT r.{column} {of_currency} AND r.day <= {closed} ORDER BY r.day DESC LIMIT 1),"
        f" (SELECT r.{column} {of_currency} ORDER BY r.day LIMIT 1))"
    )


def amount_sql(row: str) -> str:
    """SQL: the deal's amount in base currency; NULL when its currency has never had a rate."""
    return (
        f"CASE WHEN coalesce({row}.currency_id = {_BASE}, true) THEN {row}.opportunity"
        f" ELSE round({row}.opportunity * {snapshot_sql(row, 'rate')}, 2) END"
    )


def cost_sql(row: str) -> str:
    """SQL: what the deal's product rows cost in base currency; NULL when not all of it is known."""
    rate = snapshot_sql(row, "rate", currency="s.purchase_currency")
    price = (
        f"CASE WHEN coalesce(s.purchase_currency = {_BASE}, true) THEN s.purchase_price"
        f" ELSE s.purchase_price * {rate} END"
    )
    return (
        "(SELECT CASE WHEN count(*) = count(c.cost) THEN round(sum(c.cost), 2) END"  # noqa: S608
        f" FROM (SELECT s.quantity * {price} AS cost FROM {DealProduct.__tablename__} s"
        f" WHERE s.portal_id = :portal_id AND s.deal_id = {row}.bitrix_id) c)"
    )


def count_costs(session: Session, portal_id: int, deal_ids: Collection[int]) -> None:
    """Count the costs of these deals anew, as purchase prices of their rows have moved."""
    _count_anew(session, portal_id, "bitrix_id = ANY(:ids)", ids=list(deal_ids))


def keep_rates(session: Session, portal_id: int, day: date, *, new_base: bool) -> None:
    """Keep the rates just stored as the day's snapshot, unless the day has one.

    Deals of a currency that had no rate before get their amount; in a new base currency every deal does.
    """
    if new_base:
        session.execute(sa.delete(CurrencyRate).where(CurrencyRate.portal_id == portal_id))
    known = session.scalars(
        sa.select(CurrencyRate.code).where(CurrencyRate.portal_id == portal_id).distinct()
    ).all()
    today = sa.select(
        Currency.portal_id, Currency.code, sa.literal(day, sa.Date), Currency.rate
    ).where(Currency.portal_id == portal_id)
    put = insert(CurrencyRate).from_select(["portal_id", "code", "day", "rate"], today)
    kept = session.scalars(put.on_conflict_do_nothing().returning(CurrencyRate.code)).all()
    if new_base:
        _count_anew(session, portal_id, "true")
    elif fresh := set(kept).difference(known):
        _count_anew(session, portal_id, _OF_CURRENCIES, codes=sorted(fresh))


def _count_anew(session: Session, portal_id: int, chosen: str, **parameters: object) -> None:
    """Compute amounts and costs of the chosen deals again, and note whose they are."""
    deals, links, changed = (t.__tablename__ for t in (Deal, DealContact, ChangedClient))
    amount, cost = amount_sql(deals), cost_sql(deals)
    statement = sa.text(  # names are of our own tables
        f"WITH priced AS (UPDATE {deals} SET base_amount = {amount}, cost = {cost} "  # noqa: S608
        f"WHERE portal_id = :portal_id AND ({chosen}) "
        f"AND (base_amount IS DISTINCT FROM {amount} OR cost IS DISTINCT FROM {cost}) "
        "RETURNING bitrix_id, contact_id, company_id, lead_id), leads AS ("
        f"INSERT INTO {ChangedCard.__tablename__} (portal_id, kind, card_id) "
        "SELECT DISTINCT :portal_id, 'lead', lead_id FROM priced WHERE lead_id IS NOT NULL"
        "), clients AS ("
        "SELECT 'contact' AS kind, contact_id AS id FROM priced "
        "UNION SELECT 'company', company_id FROM priced "
        f"UNION SELECT 'contact', l.contact_id FROM priced JOIN {links} l "
        "ON l.portal_id = :portal_id AND l.deal_id = priced.bitrix_id) "
        f"INSERT INTO {changed} (portal_id, kind, client_id) "
        "SELECT :portal_id, kind, id FROM clients WHERE id IS NOT NULL"
    )
    session.execute(statement, {"portal_id": portal_id, **parameters})
