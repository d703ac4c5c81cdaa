"""The catalog of what is sold, and the product rows of deals, which add up to the deal's amount."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from random import Random
from typing import Any

from demo.data.dealing import Deal
from demo.data.draws import RATES
from demo.data.trades import TRADES

Row = dict[str, Any]

PRODUCTS, VARIATIONS = 23, 24  # information blocks: products, and variations of them
CATALOGS = ((PRODUCTS, "Товарный каталог CRM"), (VARIATIONS, "Товарный каталог CRM (предложения)"))
MEASURES = ((796, "шт"), (356, "ч"), (362, "мес"))
_PER_TRADE = 10
_PRICES = (0.02, 0.05, 0.08, 0.12, 0.2, 0.3, 0.45, 0.6)  # of the trade's median
_WITHOUT_ROWS = 0.4
_BY_HAND = 0.06
_KINDS = frozenset({"sale", "company", "lost", "open"})
_CHANGED_DAYS_AGO = 200


def catalogs() -> Iterator[Row]:
    """Yield the information blocks of the catalog."""
    for number, name in CATALOGS:
        parent = PRODUCTS if number == VARIATIONS else None
        yield {"ID": number, "NAME": name, "PRODUCT_IBLOCK_ID": parent}


def sections() -> Iterator[Row]:
    """Yield a section for each trade, and one inside it for what is sold along."""
    for trade, number in zip(TRADES, range(1, 2 * len(TRADES), 2), strict=True):
        yield {"ID": number, "IBLOCK_ID": PRODUCTS, "NAME": trade.title, "SORT": number * 100}
        inner = f"{trade.title}: дополнительно"
        yield {
            "ID": number + 1,
            "IBLOCK_ID": PRODUCTS,
            "NAME": inner,
            "SORT": 500,
            "IBLOCK_SECTION_ID": number,
        }


def products(now: datetime) -> Iterator[Row]:
    """Yield the products of every trade, the last of them with two variations."""
    changed = datetime.fromtimestamp(now.timestamp() - _CHANGED_DAYS_AGO * 86400, now.tzinfo)
    for place, trade in enumerate(TRADES):
        for number, share in enumerate(_PRICES):
            last = number == len(_PRICES) - 1
            inner = number >= len(_PRICES) // 2
            row: Row = {
                "ID": product_id(place, number),
                "IBLOCK_ID": PRODUCTS,
                "IBLOCK_SECTION_ID": 2 * place + 1 + inner,
                "NAME": trade.services[number % len(trade.services)],
                "ACTIVE": "N" if number == 2 else "Y",
                "TYPE": 3 if last else 7,
                "MEASURE": MEASURES[number % 3][0],
                "TIMESTAMP_X": changed,
            }
            if number != 1:  # nobody has entered what this one costs
                row |= _costs(round(trade.median * share * (0.45 + 0.05 * number), 2), number)
            yield row
        for variation in (0, 1):
            number = len(_PRICES) + variation
            yield {
                "ID": product_id(place, number),
                "IBLOCK_ID": VARIATIONS,
                "PARENT_ID": product_id(place, len(_PRICES) - 1),
                "NAME": f"{trade.services[-1]} ({('базовый', 'полный')[variation]})",
                "ACTIVE": "Y",
                "TYPE": 4,
                "MEASURE": MEASURES[0][0],
                "TIMESTAMP_X": changed,
                **_costs(round(trade.median * 0.25 * (1 + variation), 2), 0),
            }


def _costs(roubles: float, number: int) -> Row:
    if number != 3:
        return {"PURCHASING_PRICE": roubles, "PURCHASING_CURRENCY": "RUB"}
    return {"PURCHASING_PRICE": round(roubles / RATES[1], 2), "PURCHASING_CURRENCY": "USD"}


def product_id(trade: int, number: int) -> int:
    """Return the id of a product by its trade and its place there."""
    return trade * _PER_TRADE + number + 1


class ProductRows:
    """Invents the product rows of deals."""

    def __init__(self, seed: int) -> None:
        self.rng = Random(f"{seed}/products")

    def of(self, deal: Deal) -> list[Row]:
        """Return the rows of a deal; none for four of ten, and for what is no sale of goods."""
        rng = self.rng
        draw = rng.random()
        if draw < _WITHOUT_ROWS or deal.kind not in _KINDS or deal.amount <= 0:
            return []
        cents = round(deal.amount * 100)
        shares = [cents]
        if draw > 0.7 and cents > 10_000:
            shares = [int(cents * (0.5 + 0.3 * rng.random()))]
            shares.append(cents - shares[0])
        return [self._row(deal, number, share) for number, share in enumerate(shares, 1)]

    def _row(self, deal: Deal, number: int, cents: int) -> Row:
        draw = self.rng.random()
        if draw < _BY_HAND:
            return {"N": number, "PRODUCT_NAME": "Прочие работы", **_sold(cents, 1)}
        place = int(draw * 997) % (len(_PRICES) + 1)
        price = TRADES[deal.trade].median * _PRICES[min(place, len(_PRICES) - 1)]
        pieces = max(1, int(cents / 100 * RATES[deal.currency] / price))
        while cents % pieces:
            pieces -= 1
        if place >= len(_PRICES) - 1:
            place += 1  # a variation is sold, not what it is a variation of
        row = {"N": number, "PRODUCT_ID": product_id(deal.trade, place), **_sold(cents, pieces)}
        if draw > 0.8:
            row["DISCOUNT_RATE"] = 10.0
        return row


def _sold(cents: int, pieces: int) -> Row:
    return {"PRICE": cents / pieces / 100, "QUANTITY": float(pieces)}
