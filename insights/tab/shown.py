"""How values of the client tab look to people, where the shell has no filter for them."""

from __future__ import annotations

from datetime import date
from decimal import Decimal

from babel import dates, numbers
from flask import Blueprint
from flask_babel import get_locale

from core.web import formats
from core.web.words import gettext as _

_QUARTERS = ("I", "II", "III", "IV")


def register(blueprint: Blueprint) -> None:
    """Make them filters of all templates."""
    for name, filter_ in (
        ("period", period),
        ("period_short", period_short),
        ("compact", compact),
        ("rate", rate),
        ("currency_sign", currency_sign),
    ):
        blueprint.add_app_template_filter(filter_, name)


def period(first: date, grain: str) -> str:
    """март 2026; III квартал 2026; 2026."""
    if grain == "month":
        return dates.format_date(first, "LLLL y", locale=get_locale())
    if grain == "quarter":
        return _("%(quarter)s quarter of %(year)s", quarter=_quarter(first), year=first.year)
    return str(first.year)


def period_short(first: date, grain: str) -> str:
    """The same under a bar, its year written apart: мар., III кв."""
    if grain == "month":
        return dates.format_date(first, "LLL", locale=get_locale()).rstrip(".")
    return _("%(quarter)s q.", quarter=_quarter(first)) if grain == "quarter" else str(first.year)


def compact(value: Decimal) -> str:
    """250 тыс., for a scale."""
    text = numbers.format_compact_decimal(value, locale=get_locale(), fraction_digits=1)
    return text.replace("-", "−").replace(" ", formats.NBSP)


def rate(value: Decimal) -> str:
    """90,4512: as many decimals as it has, four at most; tiny rates keep two figures."""
    digits = "#,##0.####" if abs(value) >= Decimal("0.01") else "@@"
    return numbers.format_decimal(value, digits, locale=get_locale())


def currency_sign(code: str) -> str:
    """₽ for RUB."""
    return formats.money(0, code).strip("0" + formats.NBSP)


def _quarter(first: date) -> str:
    return _QUARTERS[(first.month - 1) // 3]
