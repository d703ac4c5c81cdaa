"""The mirror of what a portal sells: the product rows of its deals, and the catalog they come from."""

from __future__ import annotations

from decimal import Decimal

import sqlalchemy as sa
from sqlalchemy.orm import Mapped, mapped_column

from core.database import Base
from integration.models import Money, OfPortal


class DealProduct(OfPortal, Base):
    """A product row of a deal, as it was sold: `price` is of one piece, with discount and tax.

    `product_id` is NULL for a row typed by hand. `purchase_price` is what a piece cost the company: the
    product's price of the day, which stays once the deal is won (`integration.sync.product_prices`).
    """

    __tablename__ = "deal_products"
    __table_args__ = (sa.Index(None, "portal_id", "product_id", "deal_id"),)

    deal_id: Mapped[int] = mapped_column(sa.BigInteger, primary_key=True)
    row_id: Mapped[int] = mapped_column(sa.BigInteger, primary_key=True)
    product_id: Mapped[int | None] = mapped_column(sa.BigInteger)
    name: Mapped[str | None] = mapped_column(sa.Text)
    quantity: Mapped[Decimal] = mapped_column(sa.Numeric(18, 4))
    price: Mapped[Decimal] = mapped_column(Money)
    amount: Mapped[Decimal] = mapped_column(Money)
    discount: Mapped[Decimal] = mapped_column(Money, server_default="0")
    tax_rate: Mapped[Decimal | None] = mapped_column(sa.Numeric(6, 2))
    tax_included: Mapped[bool] = mapped_column(server_default=sa.false())
    measure: Mapped[str | None] = mapped_column(sa.Text)
    position: Mapped[int] = mapped_column(sa.Integer, server_default="0")
    purchase_price: Mapped[Decimal | None] = mapped_column(Money)
    purchase_currency: Mapped[str | None] = mapped_column(sa.Text)


class Product(OfPortal, Base):
    """A product, variation or service of a catalog, with what it costs the company today.

    `parent_id` is the product a variation belongs to; `section_id` is then the product's. One that is
    deleted on the portal stays: old sales name it.
    """

    __tablename__ = "products"
    __table_args__ = (sa.Index(None, "portal_id", "section_id"),)

    bitrix_id: Mapped[int] = mapped_column(sa.BigInteger, primary_key=True)
    catalog_id: Mapped[int] = mapped_column(sa.Integer)
    section_id: Mapped[int | None] = mapped_column(sa.BigInteger)
    parent_id: Mapped[int | None] = mapped_column(sa.BigInteger)
    name: Mapped[str] = mapped_column(sa.Text)
    active: Mapped[bool] = mapped_column(server_default=sa.true())
    purchase_price: Mapped[Decimal | None] = mapped_column(Money)
    purchase_currency: Mapped[str | None] = mapped_column(sa.Text)


class ProductSection(OfPortal, Base):
    """A section of a catalog; `parent_id` is the one it lies in."""

    __tablename__ = "product_sections"

    bitrix_id: Mapped[int] = mapped_column(sa.BigInteger, primary_key=True)
    catalog_id: Mapped[int] = mapped_column(sa.Integer)
    parent_id: Mapped[int | None] = mapped_column(sa.BigInteger)
    name: Mapped[str] = mapped_column(sa.Text)
