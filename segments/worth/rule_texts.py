"""A sale rule as typed on the command line: texts to choices, whatever is left out as it is."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from decimal import Decimal, InvalidOperation

from segments.models import ActiveWindow, ClientMode, ContactMode, DateSource, MarginSource
from segments.worth.choices import Active, Margin, Values
from segments.worth.sale_rules import Asked, WrongRule


def asked(texts: Mapping[str, str | None], saved: Values) -> Asked:
    """Pipelines as "0,1" or "all", percents of pipelines as "1:25,3:40". Raises WrongRule.

    Parts of the margin and of "active" that are not typed stay as they are saved.
    """
    source, mode, client = (texts.get(k) for k in ("date_source", "contact_mode", "client_mode"))
    return Asked(
        _pipelines(texts.get("pipelines")),
        DateSource(source) if source else None,
        texts.get("date_field") or None,
        ContactMode(mode) if mode else None,
        ClientMode(client) if client else None,
        _margin(texts, saved.margin),
        _active(texts, saved.active),
    )


def _pipelines(typed: str | None) -> tuple[int, ...] | None:
    if not typed:
        return None
    if typed.strip() == "all":
        return ()
    parts = [part.strip() for part in typed.split(",")]
    if not all(part.isdigit() for part in parts):
        raise WrongRule(f"pipelines must be numbers or 'all', not {typed!r}")
    return tuple(map(int, parts))


def _margin(texts: Mapping[str, str | None], saved: Margin) -> Margin | None:
    names = ("margin_source", "margin_field", "margin_percent", "margin_by_pipeline")
    source, field, percent, by_pipeline = (texts.get(name) for name in names)
    if not any((source, field, percent, by_pipeline)):
        return None
    if source == MarginSource.NONE:
        return Margin()
    margin = replace(saved, source=MarginSource(source)) if source else saved
    if not margin.counted:
        raise WrongRule("say what the margin is counted by, with --margin")
    margin = replace(margin, field=(field or margin.field) if margin.of_field else None)
    if percent:
        margin = replace(margin, percent=_number(percent))
    if by_pipeline:
        margin = replace(margin, by_pipeline=_percents(by_pipeline))
    return margin


def _percents(typed: str) -> tuple[tuple[int, Decimal], ...]:
    found: dict[int, Decimal] = {}
    for part in typed.split(","):
        pipeline, _, percent = part.partition(":")
        if not pipeline.strip().isdigit():
            raise WrongRule(f"percents of pipelines are like 1:25,3:40, not {typed!r}")
        found[int(pipeline)] = _number(percent)
    return tuple(sorted(found.items()))


def _active(texts: Mapping[str, str | None], saved: Active) -> Active | None:
    sales, window = texts.get("active_sales"), texts.get("active_window")
    if not sales and not window:
        return None
    if sales and not sales.isdigit():
        raise WrongRule(f"the number of sales is a whole number, not {sales!r}")
    return Active(
        int(sales) if sales else saved.sales, ActiveWindow(window) if window else saved.window
    )


def _number(typed: str) -> Decimal:
    try:
        number = Decimal(typed.strip())
    except InvalidOperation:
        number = Decimal("NaN")
    if not number.is_finite():
        raise WrongRule(f"a percent is a number, not {typed!r}")
    return number
