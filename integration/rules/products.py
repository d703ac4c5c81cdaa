"""Product rows of deals, products and sections of a catalog → rows of the mirror."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

import orjson

from integration.rules.values import Misfit, code, flag, link, money, required_id, text, whole

Row = Mapping[str, Any]

ATTACHED = "productRows"  # where a deal's row carries its product rows, once they are read
_MOST_DECIMALS = 4
_MOST_QUANTITY = Decimal(10) ** 14
_MOST_TAX = 1000
_MISSHAPEN = (ValueError, TypeError, AttributeError, KeyError, ArithmeticError)


@dataclass(slots=True)
class ProductRow:
    """A product row of a deal; amounts are decimal literals, as everywhere on their way to the mirror."""

    row_id: int
    product_id: int | None
    name: str | None
    quantity: str
    price: str
    amount: str
    discount: str
    tax_rate: str | None
    tax_included: bool
    measure: str | None
    position: int


def rows_of(deal: Row, misfits: list[str]) -> list[ProductRow] | None:
    """The product rows a deal carries, by id; None when they were not read. Misfits are left out."""
    carried = deal.get(ATTACHED)
    if carried is None:
        return None
    rows: list[ProductRow] = []
    for row in carried:
        try:
            rows.append(_product_row(row))
        except _MISSHAPEN as error:
            misfits.append(str(error) if isinstance(error, Misfit) else "a product row")
    return rows


def digest(rows: Sequence[ProductRow] | None) -> int | None:
    """A 64-bit hash of the rows; None when they are not known."""
    if rows is None:
        return None
    found = hashlib.blake2b(orjson.dumps(rows), digest_size=8).digest()
    return int.from_bytes(found, "big", signed=True)


def product(row: Row) -> dict[str, Any]:
    """`catalog.product.list` row. A purchase price of 0 is one nobody has entered."""
    bitrix_id = required_id(row.get("id"), "id")
    parent = row.get("parentId")
    price = money(row.get("purchasingPrice"), "purchasingPrice")
    known = Decimal(price) > 0
    return {
        "bitrix_id": bitrix_id,
        "catalog_id": whole(row.get("iblockId"), "iblockId"),
        "section_id": link(row.get("iblockSectionId"), "iblockSectionId"),
        "parent_id": link(parent.get("value") if isinstance(parent, dict) else parent, "parentId"),
        "name": text(row.get("name")) or str(bitrix_id),
        "active": flag(row.get("active")),
        "purchase_price": price if known else None,
        "purchase_currency": code(row.get("purchasingCurrency"), "purchasingCurrency")
        if known
        else None,
    }


def section(row: Row) -> dict[str, Any]:
    """`catalog.section.list` row."""
    bitrix_id = required_id(row.get("id"), "id")
    return {
        "bitrix_id": bitrix_id,
        "catalog_id": whole(row.get("iblockId"), "iblockId"),
        "parent_id": link(row.get("iblockSectionId"), "iblockSectionId"),
        "name": text(row.get("name")) or str(bitrix_id),
    }


def _product_row(row: Row) -> ProductRow:
    price, quantity = money(row.get("price"), "price"), _quantity(row.get("quantity"))
    tax = None if row.get("taxRate") is None else money(row["taxRate"], "taxRate")
    if tax is not None and abs(Decimal(tax)) > _MOST_TAX:
        raise Misfit("taxRate: number out of range")
    return ProductRow(
        row_id=required_id(row.get("id"), "id"),
        product_id=link(row.get("productId"), "productId"),
        name=text(row.get("productName")),
        quantity=format(quantity, "f"),
        price=price,
        amount=money(format(Decimal(price) * quantity, "f"), "price × quantity"),
        discount=money(row.get("discountSum"), "discountSum"),
        tax_rate=tax,
        tax_included=flag(row.get("taxIncluded")),
        measure=text(row.get("measureName")),
        position=whole(row.get("sort"), "sort"),
    )


def _quantity(value: Any) -> Decimal:
    try:
        quantity = round(Decimal(str(value)), _MOST_DECIMALS)
    except ArithmeticError:
        raise Misfit("quantity: not a number") from None
    if not quantity.is_finite() or abs(quantity) >= _MOST_QUANTITY:
        raise Misfit("quantity: number out of range")
    return quantity
