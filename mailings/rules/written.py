"""Figures and days as they are written in a letter; quick, because every letter has some."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from typing import Any

NBSP = "\u00a0"
_SIGNS = {"RUB": "₽", "KZT": "₸", "UAH": "₴", "BYN": "Br", "USD": "$", "EUR": "€"}
_MONTHS = (
    *("января", "февраля", "марта", "апреля", "мая", "июня"),
    *("июля", "августа", "сентября", "октября", "ноября", "декабря"),
)


@dataclass(frozen=True, slots=True)
class Sum:
    """An amount of money."""

    amount: Decimal | float
    currency: str


def values(raw: Mapping[str, Any], language: str) -> dict[str, Any]:
    """The same dicts with texts for sums, days and fractions; whole numbers stay numbers.

    An empty text becomes nothing at all, so that `{% if client.name %}` means what one thinks.
    """
    return {name: _plain(value, language) for name, value in raw.items()}


def number(value: Decimal | float, language: str) -> str:
    """1 284,5 in Russian, 1,284.5 in English; no more than two decimals."""
    text = f"{value:,.2f}"
    text = text.removesuffix("0").removesuffix(".0") if text.endswith("0") else text
    if language == "en":
        return text
    return text.replace(",", NBSP).replace(".", ",").replace("-", "−")


def money(value: Sum, language: str) -> str:
    """51 883,33 ₽; whole sums without kopecks."""
    sign = _SIGNS.get(value.currency, value.currency)
    text = f"{value.amount:,.2f}".removesuffix(".00")
    if language == "en":
        return f"{sign}{text}" if len(sign) == 1 else f"{text}{NBSP}{sign}"
    text = text.replace(",", NBSP).replace(".", ",").replace("-", "−")
    return f"{text}{NBSP}{sign}"


def day(value: date, language: str) -> str:
    """21 ноября 2026."""
    if language == "en":
        return f"{value.day}{NBSP}{value:%B %Y}"
    return f"{value.day}{NBSP}{_MONTHS[value.month - 1]} {value.year}"


def _plain(value: Any, language: str) -> Any:
    match value:
        case str():
            return value or None
        case bool() | int() | None:
            return value
        case dict():
            return values(value, language)
        case Sum():
            return money(value, language)
        case date():
            return day(value, language)
        case float() | Decimal():
            return number(value, language)
        case list():
            return [_plain(each, language) for each in value]
    raise TypeError(f"a letter can't say {type(value).__name__}")
