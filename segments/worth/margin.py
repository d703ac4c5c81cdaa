"""What a deal earned: its amount less its cost, or a percent of it where no cost is known."""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa

from integration.mirror import Deal
from integration.sync import prices
from segments.models import MarginSource
from segments.worth.choices import Margin

_NUMBER = r"^-?\d{1,15}(\.\d+)?$"
_UNKNOWN: sa.ColumnElement[Any] = sa.cast(sa.null(), sa.Numeric)


def of_deal(margin: Margin, base_currency: str) -> sa.SQLColumnExpression[Any]:
    """The margin of a row of `deals` in base currency; NULL where neither cost nor percent is known."""
    return sa.func.coalesce(real(margin, base_currency), _by_percent(margin))


def real(margin: Margin, base_currency: str) -> sa.SQLColumnExpression[Any]:
    """The same from a known cost or margin only."""
    if margin.source is MarginSource.COST:
        return Deal.base_amount - _in_field(margin.field or "", base_currency)
    if margin.source is MarginSource.MARGIN:
        return _in_field(margin.field or "", base_currency)
    if margin.source is MarginSource.PRODUCTS:
        return Deal.base_amount - Deal.cost
    return _UNKNOWN


def _by_percent(margin: Margin) -> sa.ColumnElement[Any]:
    if not margin.has_percents:
        return _UNKNOWN
    percent: Any = _UNKNOWN if margin.percent is None else sa.literal(margin.percent, sa.Numeric)
    if margin.by_pipeline:
        own = {key: sa.literal(value, sa.Numeric) for key, value in margin.by_pipeline}
        percent = sa.case(own, value=Deal.pipeline_id, else_=percent)
    return sa.func.round(Deal.base_amount * percent / 100, 2)


def _in_field(code: str, base_currency: str) -> sa.ColumnElement[Any]:
    """The field's amount in base currency: a number is in the deal's currency, money in its own.

    The mirror may still hold what the field was before it became a number: that counts as unknown.
    """
    key: sa.ColumnElement[Any] = sa.literal_column(_quoted(code))
    held = Deal.custom[key]
    written = sa.func.coalesce(held["amount"].astext, held.astext)
    amount = sa.case((written.op("~")(_NUMBER), sa.cast(written, sa.Numeric)))
    deals = Deal.__tablename__
    currency = (
        f"coalesce(nullif({deals}.custom -> {_quoted(code)} ->> 'currency', ''),"
        f" {deals}.currency_id, {_quoted(base_currency)})"
    )
    rate = prices.snapshot_sql(deals, "rate", f"{deals}.portal_id", currency)
    return sa.func.round(
        sa.case(
            (sa.literal_column(currency) == base_currency, amount),
            else_=amount * sa.literal_column(rate),
        ),
        2,
    )


def _quoted(text: str) -> str:
    return "'" + text.replace("'", "") + "'"
