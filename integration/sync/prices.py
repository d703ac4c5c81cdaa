"""Deal amounts in the portal's base currency, at the rate of the day the deal was closed.

A portal tells today's rates only, so each day's are kept as a snapshot, and an amount converted once
stays what it was. A day before the first snapshot takes the oldest one.
"""

from __future__ import annotations

from collections.abc import Collection
from datetime import date

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session

from integration.mirror import Currency, CurrencyRate, Deal, DealContact
from integration.models import ChangedClient, Portal


def snapshot_sql(row: str, column: str, portal: str = ":portal_id") -> str:
    """SQL: `rate` or `day` of the snapshot that applies to the deal of this row."""
    of_currency = (
        f"FROM currency_rates r WHERE r.portal_id = {portal} AND r.code = {row}.currency_id"
    )
    closed = f"coalesce({row}.closed_on, ({row}.moved_at AT TIME ZONE 'UTC')::date)"
    return (
        f"coalesce((SELECT r.{column} {of_currency} AND r.day <= {closed} ORDER BY r.day DESC LIMIT 1),"
        f" (SELECT r.{column} {of_currency} ORDER BY r.day LIMIT 1))"
    )


def amount_sql(row: str) -> str:
    """SQL: the deal's amount in base currency; NULL when its currency has never had a rate."""
    base = f"(SELECT base_currency FROM {Portal.__tablename__} WHERE id = :portal_id)"  # noqa: S608 - names of our own
    return (
        f"CASE WHEN coalesce({row}.currency_id = {base}, true) THEN {row}.opportunity"
        f" ELSE round({row}.opportunity * {snapshot_sql(row, 'rate')}, 2) END"
    )


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
        _reprice(session, portal_id, None)
    elif fresh := set(kept).difference(known):
        _reprice(session, portal_id, fresh)


def _reprice(session: Session, portal_id: int, codes: Collection[str] | None) -> None:
    """Compute the amounts of deals again, of all or of these currencies, and note whose they are."""
    chosen = "" if codes is None else " AND currency_id = ANY(:codes)"
    deals, links, changed = (t.__tablename__ for t in (Deal, DealContact, ChangedClient))
    amount = amount_sql(deals)
    statement = sa.text(  # names are of our own tables
        f"WITH priced AS (UPDATE {deals} SET base_amount = {amount} "  # noqa: S608
        f"WHERE portal_id = :portal_id{chosen} AND base_amount IS DISTINCT FROM {amount} "
        "RETURNING bitrix_id, contact_id, company_id), clients AS ("
        "SELECT 'contact' AS kind, contact_id AS id FROM priced "
        "UNION SELECT 'company', company_id FROM priced "
        f"UNION SELECT 'contact', l.contact_id FROM priced JOIN {links} l "
        "ON l.portal_id = :portal_id AND l.deal_id = priced.bitrix_id) "
        f"INSERT INTO {changed} (portal_id, kind, client_id) "
        "SELECT :portal_id, kind, id FROM clients WHERE id IS NOT NULL ON CONFLICT DO NOTHING"
    )
    session.execute(statement, {"portal_id": portal_id, "codes": sorted(codes or ())})
