"""Stores the product rows of deals, each with what its product cost the company.

A portal tells today's purchase prices only. A row keeps the price its product had; it follows the product
as long as the deal isn't won, and a sale whose product had no price takes the first one entered.
"""

from __future__ import annotations

from collections.abc import Collection

import sqlalchemy as sa
from sqlalchemy.orm import Session

from core.database import recordset
from integration.goods import DealProduct
from integration.mirror import WON
from integration.sync import prices

_PRICES = ("purchase_price", "purchase_currency")
_KEY = ("portal_id", "deal_id", "row_id")
_SOLD = [c for c in DealProduct.__table__.columns if c.name not in (*_KEY, *_PRICES)]
_NAMES = ", ".join(column.name for column in _SOLD)
_ASSIGNED = ", ".join(
    f"{name} = excluded.{name}" for name in (*(column.name for column in _SOLD), *_PRICES)
)
_ROWS = recordset([DealProduct.__table__.c.row_id, *_SOLD], ["row_id", *(c.name for c in _SOLD)])
_DIFFERING = (
    "SELECT card.id, card.rows FROM json_to_recordset(CAST(:rows AS json))"
    " AS card(id bigint, hash bigint, at timestamptz, rows json)"
    " LEFT JOIN deals d ON d.portal_id = :portal_id AND d.bitrix_id = card.id"
    " WHERE d.products_hash IS DISTINCT FROM card.hash"
    " AND (d.updated_at IS NULL OR card.at >= d.updated_at)"
)
_STORE = sa.text(  # names are of our own tables
    f"WITH differing AS MATERIALIZED ({_DIFFERING}), incoming AS ("  # noqa: S608
    f" SELECT differing.id, incoming.* FROM differing CROSS JOIN LATERAL"
    f" {_ROWS.replace('CAST(:rows AS json)', 'differing.rows')}"
    "), gone AS ("
    " DELETE FROM deal_products g USING differing WHERE g.portal_id = :portal_id"
    " AND g.deal_id = differing.id AND NOT EXISTS ("
    "  SELECT FROM incoming WHERE incoming.id = g.deal_id AND incoming.row_id = g.row_id)"
    f") INSERT INTO deal_products (portal_id, deal_id, row_id, {_NAMES}, {', '.join(_PRICES)})"
    f" SELECT :portal_id, i.id, i.row_id, {', '.join(f'i.{column.name}' for column in _SOLD)},"
    " CASE WHEN kept THEN o.purchase_price ELSE p.purchase_price END,"
    " CASE WHEN kept THEN o.purchase_currency ELSE p.purchase_currency END"
    " FROM incoming i"
    " LEFT JOIN products p ON p.portal_id = :portal_id AND p.bitrix_id = i.product_id"
    " LEFT JOIN deal_products o"
    "  ON o.portal_id = :portal_id AND o.deal_id = i.id AND o.row_id = i.row_id"
    " CROSS JOIN LATERAL (SELECT coalesce(o.product_id = i.product_id"
    "  AND o.purchase_price IS NOT NULL, false) AS kept) k"
    f" ON CONFLICT (portal_id, deal_id, row_id) DO UPDATE SET {_ASSIGNED}"
)
_FOLLOW = sa.text(
    "UPDATE deal_products r SET purchase_price = p.purchase_price,"
    " purchase_currency = p.purchase_currency"
    " FROM products p, deals d"
    " WHERE p.portal_id = :portal_id AND p.bitrix_id = ANY(:ids)"
    " AND r.portal_id = :portal_id AND r.product_id = p.bitrix_id"
    " AND d.portal_id = :portal_id AND d.bitrix_id = r.deal_id"
    " AND (r.purchase_price IS NULL OR d.stage_semantic IS DISTINCT FROM :won)"
    " AND (r.purchase_price, r.purchase_currency)"
    "  IS DISTINCT FROM (p.purchase_price, p.purchase_currency)"
    " RETURNING r.deal_id"
)


def store_rows(session: Session, portal_id: int, rows: str) -> None:
    """Put the rows of deals that differ, before the deals themselves; see `prices.cost_sql`."""
    session.execute(_STORE, {"portal_id": portal_id, "rows": rows})


def follow(session: Session, portal_id: int, product_ids: Collection[int]) -> None:
    """Take over the purchase prices of these products where they may still move, and count costs anew."""
    deals = session.scalars(
        _FOLLOW, {"portal_id": portal_id, "ids": sorted(product_ids), "won": WON}
    ).all()
    if deals:
        prices.count_costs(session, portal_id, sorted(set(deals)))
