"""Product rows of deals: what is kept of them on the deal, and the whole rows that follow from it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from demo.portal.values import to_float, to_int

if TYPE_CHECKING:
    from demo.portal.store import Store

ROWS = "PRODUCT_ROWS"
_IDS_PER_DEAL = 1000
_BY_PERCENT = 2
_KEPT = (
    *("PRODUCT_ID", "PRODUCT_NAME", "PRICE", "QUANTITY", "DISCOUNT_TYPE_ID", "DISCOUNT_RATE"),
    *("DISCOUNT_SUM", "TAX_RATE", "TAX_INCLUDED", "MEASURE_CODE", "SORT"),
)
_NUMBERS = {"PRICE", "QUANTITY", "DISCOUNT_RATE", "DISCOUNT_SUM", "TAX_RATE"}
_INTEGERS = {"PRODUCT_ID", "DISCOUNT_TYPE_ID", "MEASURE_CODE", "SORT"}
_MEASURES = {796: "шт", 356: "ч", 362: "мес", 6: "м"}
_PIECES = 796


def row_id(deal_id: int, number: int) -> int:
    """The id of a deal's row."""
    return deal_id * _IDS_PER_DEAL + number


def owner_of(product_row_id: int) -> tuple[int, int]:
    """The deal and the number in it of a row."""
    return divmod(product_row_id, _IDS_PER_DEAL)


def kept(store: Store, sent: dict[str, Any], number: int) -> dict[str, Any]:
    """What is kept of a row as it was sent; a product gives its name and measure."""
    row: dict[str, Any] = {"N": number}
    for name in _KEPT:
        value = sent.get(name)
        if value is None:
            continue
        row[name] = (
            to_float(value) if name in _NUMBERS else to_int(value) if name in _INTEGERS else value
        )
    if row.get("PRODUCT_ID") and row["PRODUCT_ID"] not in store.tables["product"]:
        row.setdefault("PRODUCT_NAME", f"[{row['PRODUCT_ID']}]")
    return row


def whole(store: Store, deal: dict[str, Any]) -> list[dict[str, Any]]:
    """All rows of a deal with everything the portal shows of them, by id."""
    return [_whole(store, deal, row) for row in sorted(deal.get(ROWS) or (), key=lambda r: r["N"])]


def amount(rows: list[dict[str, Any]]) -> float:
    """What the rows add up to."""
    return round(sum((row.get("PRICE", 0.0) * row.get("QUANTITY", 1.0) for row in rows), 0.0), 2)


def consequences(before: dict[str, Any], changes: dict[str, Any]) -> dict[str, Any]:
    """How the amount of a deal follows its rows; an amount typed by hand stops that."""
    if ROWS in changes:
        manual = changes.get("IS_MANUAL_OPPORTUNITY", before.get("IS_MANUAL_OPPORTUNITY"))
        return {} if manual == "Y" else {"OPPORTUNITY": amount(changes[ROWS])}
    by_hand = changes.get("OPPORTUNITY", before.get("OPPORTUNITY")) != before.get("OPPORTUNITY")
    if by_hand and before.get(ROWS) and "IS_MANUAL_OPPORTUNITY" not in changes:
        return {"IS_MANUAL_OPPORTUNITY": "Y"}
    return {}


def _whole(store: Store, deal: dict[str, Any], row: dict[str, Any]) -> dict[str, Any]:
    product = store.tables["product"].get(row.get("PRODUCT_ID") or 0) or {}
    price, rate = row.get("PRICE", 0.0), row.get("DISCOUNT_RATE", 0.0)
    by_sum = row.get("DISCOUNT_TYPE_ID", _BY_PERCENT) != _BY_PERCENT
    full = price + row.get("DISCOUNT_SUM", 0.0) if by_sum else price / (1 - min(rate, 99) / 100)
    tax = row.get("TAX_RATE")
    without_tax = 1 / (1 + (tax or 0) / 100)
    measure = row.get("MEASURE_CODE") or product.get("MEASURE") or _PIECES
    return {
        "ID": row_id(deal["ID"], row["N"]),
        "OWNER_ID": deal["ID"],
        "OWNER_TYPE": "D",
        "PRODUCT_ID": row.get("PRODUCT_ID", 0),
        "PRODUCT_NAME": row.get("PRODUCT_NAME") or product.get("NAME") or f"[{row['N']}]",
        "PRICE": price,
        "PRICE_ACCOUNT": round(price * _rate(store, deal.get("CURRENCY_ID")), 2),
        "PRICE_EXCLUSIVE": round(price * without_tax, 2),
        "PRICE_NETTO": round(full * without_tax, 2),
        "PRICE_BRUTTO": round(full, 2),
        "QUANTITY": row.get("QUANTITY", 1.0),
        "DISCOUNT_TYPE_ID": row.get("DISCOUNT_TYPE_ID", _BY_PERCENT),
        "DISCOUNT_RATE": rate,
        "DISCOUNT_SUM": round(full - price, 2),
        "TAX_RATE": tax,
        "TAX_INCLUDED": row.get("TAX_INCLUDED", "N"),
        "CUSTOMIZED": "Y",
        "MEASURE_CODE": measure,
        "MEASURE_NAME": _MEASURES.get(measure, "шт"),
        "SORT": row.get("SORT", row["N"] * 10),
        "XML_ID": "",
        "TYPE": product.get("TYPE", 1),
        "STORE_ID": None,
    }


def _rate(store: Store, currency: str | None) -> float:
    for row in store.tables["currency"]:
        if row["CURRENCY"] == currency:
            return float(row.get("AMOUNT") or 1) / int(row.get("AMOUNT_CNT") or 1)
    return 1.0
