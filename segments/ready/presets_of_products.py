"""Presets about which products clients bought, and when it is time for the next ones."""

from __future__ import annotations

from core.web.words import N_
from segments.ready.parameters import Asks, Parameter
from segments.ready.preset_parts import (
    Given,
    Json,
    Missing,
    Preset,
    all_of,
    any_of,
    clients,
    days,
    is_,
    no,
    some,
)

GROUP = N_("Products")


def _bought(given: Given, what: str) -> Json:
    """A row of the chosen products or sections."""
    chosen = [is_("product", "any_of", given[what])] if given[what] else []
    sections = given[f"{what}_sections"]
    return any_of(*chosen, *([is_("section", "has_any", sections)] if sections else []))


def _goods(what: str, label: str, sections: str) -> tuple[Parameter, Parameter]:
    return (
        Parameter(what, label, Asks.CHOICES, options="products"),
        Parameter(f"{what}_sections", sections, Asks.CHOICES, options="sections"),
    )


def _no_products(given: Given) -> list[Missing]:
    if given.facts.options("products"):
        return []
    words = N_("No products of this portal were read: switch the reading of products on")
    return [Missing(words, read="products")]


def _not_chosen(given: Given, *what: str) -> list[Missing]:
    words = N_("Choose the products or their sections")
    return _no_products(given) or [
        Missing(words, parameter=each)
        for each in what
        if not given[each] and not given[f"{each}_sections"]
    ]


def _upsell(given: Given) -> Json:
    sold = is_("sold_on", "in_last", days(given["days"]))
    return clients(
        some("products", sold, _bought(given, "front")),
        no("products", is_("sold_on", "filled"), _bought(given, "back")),
    )


def _cross_sell(given: Given) -> Json:
    sold = is_("sold_on", "filled")
    return clients(
        some("products", sold, _bought(given, "has")), no("products", sold, _bought(given, "lacks"))
    )


def _buyers_of(given: Given) -> Json:
    recent = given["days"]
    sold = is_("sold_on", "in_last", days(recent)) if recent else is_("sold_on", "filled")
    return clients(some("products", sold, _bought(given, "goods")))


def _due(given: Given) -> Json:
    usual = is_("overdue_ratio", "between", [given["low"], given["high"]])
    if not (given["goods"] or given["goods_sections"]):
        return clients(usual)
    bought, after = _bought(given, "goods"), days(given["days"])
    used_up = all_of(
        some("products", is_("sold_on", "more_than_ago", after), bought),
        no("products", is_("sold_on", "in_last", after), bought),
    )
    return clients(any_of(usual, used_up))


def _wrong_order(given: Given) -> list[Missing]:
    if given["low"] <= given["high"]:
        return []
    return [Missing(N_("The smaller number comes first"), parameter="low")]


PRESETS = (
    Preset(
        "due_for_repeat", GROUP, N_("Due for a repeat purchase"),
        N_("Their usual time between purchases is over, or what they bought is used up."),
        _due,
        (
            Parameter("low", N_("Usual pause, from"), Asks.NUMBER, 0.9, low=0, high=100),
            Parameter("high", N_("Usual pause, up to"), Asks.NUMBER, 1.5, low=0, high=100),
            *_goods("goods", N_("Products that get used up"), N_("Sections that get used up")),
            Parameter("days", N_("Used up in days"), default=30),
        ),
        _wrong_order,
    ),
    Preset(
        "upsell_after", GROUP, N_("Offer the next product"),
        N_("Recently bought the first product and never the next one."),
        _upsell,
        (
            Parameter("days", N_("Bought within days"), default=30),
            *_goods("front", N_("First product"), N_("Sections of the first product")),
            *_goods("back", N_("Next product"), N_("Sections of the next product")),
        ),
        lambda g: _not_chosen(g, "front", "back"),
    ),
    Preset(
        "cross_sell", GROUP, N_("Cross-sale"),
        N_("Bought something of one kind and never anything of the other."),
        _cross_sell,
        (
            *_goods("has", N_("Bought products"), N_("Bought from sections")),
            *_goods("lacks", N_("Never bought products"), N_("Never bought from sections")),
        ),
        lambda g: _not_chosen(g, "has", "lacks"),
    ),
    Preset(
        "buyers_of", GROUP, N_("Buyers of products"),
        N_("Bought the chosen products, or something from the chosen sections."),
        _buyers_of,
        (
            *_goods("goods", N_("Bought products"), N_("Bought from sections")),
            Parameter("days", N_("Bought within days (0 is ever)"), default=0, low=0),
        ),
        lambda g: _not_chosen(g, "goods"),
    ),
)  # fmt: skip
