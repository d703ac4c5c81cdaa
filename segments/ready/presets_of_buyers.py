"""Presets about what clients buy: how often, how long ago, for how much, which products."""

from __future__ import annotations

from core.web.words import N_
from segments.models import ActiveWindow
from segments.ready.parameters import HALF_GONE, Asks, Facts, OfFields, Parameter
from segments.ready.preset_parts import (
    Given,
    Json,
    Missing,
    Preset,
    all_of,
    any_of,
    at_least,
    clients,
    counted_deal,
    days,
    is_,
    no,
    some,
)

GROUP = N_("Buyers")
YEAR = 365
_MOST = 100_000_000_000


def _days(key: str, label: str, default: object) -> Parameter:
    return Parameter(key, label, default=default)


_HALF = N_("Days after which half of the clients no longer come back")
_ALL = N_("Days after which hardly anyone comes back")


def _half(facts: Facts) -> int:
    return facts.half_gone


def _nearly_all(facts: Facts) -> int:
    return facts.nearly_all_gone


def _lost_after(facts: Facts) -> int:
    return max(facts.nearly_all_gone, YEAR)


# ---- how often and how long ago -----------------------------------------------------------------


def _window(given: Given) -> Json:
    if given["window"] == ActiveWindow.MONTH:
        return is_("sold_on", "this", "month")
    return is_("sold_on", "in_last", days(int(given["window"]) - 1))


_PAID = is_("amount", "gt", 0)


def _active(given: Given) -> Json:
    return clients(at_least(given["sales"], "deals", _window(given), _PAID))


def _regulars(given: Given) -> Json:
    periods = [
        some("deals", is_("sold_on", "back", {"n": number, "unit": given["unit"]}), _PAID)
        for number in range(1, given["periods"] + 1)
    ]
    ways = [all_of(*periods)]
    if given["templates"]:
        ways.append(some("recurring_deals"))
    if given["field"]:
        ways.append(is_(given["field"], "yes"))
    return clients(any_of(*ways))


# ---- for how much -------------------------------------------------------------------------------


def _likely_worth(facts: Facts) -> str:
    return "margin" if facts.scope.rule.margin.counted else "ltv"


def _vip(given: Given) -> Json:
    how = given["how"]
    edge = is_(given["by"], "top", given["percent"]) if how == "percent" else None
    return clients(
        edge or is_(given["by"], "ge", given["sum"]), is_("days_since_sale", "le", given["days"])
    )


def _no_margin(given: Given) -> list[Missing]:
    if given["by"] == "ltv" or given.facts.scope.rule.margin.counted:
        return []
    words = N_("No margin is counted: choose what tells it in the sale rule, or take LTV")
    return [Missing(words, parameter="by")]


def _no_rfm(given: Given) -> list[Missing]:
    if given.facts.scope.stages:
        return []
    return [Missing(N_("The RFM scores of clients are not computed yet"), read="rfm")]


_CHECK_GROWS = Parameter(
    "ratio", N_("Latest three checks to the earlier ones"), Asks.NUMBER, 1.3, low=0
)
_CHECK_FALLS = Parameter(
    "ratio", N_("Latest three checks to the earlier ones"), Asks.NUMBER, 0.7, low=0
)
_SALES_OF_TREND = 4
_REGULAR = OfFields(("contact", "company"), ("boolean",), "постоянн|regular")

PRESETS = (
    Preset(
        "one_time_buyers", GROUP, N_("One-time buyers"),
        N_("Bought once, and longer ago than people usually come back."),
        lambda g: clients(is_("sales", "eq", 1), is_("days_since_sale", "gt", g["days"])),
        (_days("days", _HALF, _half),),
    ),
    Preset(
        "repeat_buyers", GROUP, N_("Repeat buyers"),
        N_("Bought twice or more."),
        lambda g: clients(is_("sales", "ge", g["sales"])),
        (Parameter("sales", N_("Sales at least"), default=2, high=1000),),
    ),
    Preset(
        "regulars", GROUP, N_("Regulars"),
        N_("Bought in each of the latest full periods, have a recurring deal, or are marked as such."),
        _regulars,
        (
            Parameter("periods", N_("Number of periods"), default=3, high=24),
            Parameter(
                "unit", N_("Period"), Asks.WAY, "month",
                ways=(("week", N_("week")), ("month", N_("month")), ("quarter", N_("quarter"))),
            ),
            Parameter("templates", N_("Also those with a recurring deal"), Asks.SWITCH, default=True),
            Parameter("field", N_("Mark of a regular client"), Asks.FIELD, fields=_REGULAR),
        ),
    ),
    Preset(
        "active", GROUP, N_("Active clients"),
        N_("Bought within the period by which your sale rule calls a client active."),
        _active,
        (
            Parameter(
                "sales", N_("Sales at least"), default=lambda f: f.scope.rule.active.sales, high=100
            ),
            Parameter(
                "window", N_("Period"), Asks.WAY, lambda f: f.scope.rule.active.window.value,
                ways=(
                    ("month", N_("this month")), ("90", N_("90 days")), ("180", N_("180 days")),
                    ("365", N_("365 days")),
                ),
            ),
        ),
    ),
    Preset(
        "newly_lapsed", GROUP, N_("Newly lapsed"),
        N_("Have just gone past the time in which people usually come back."),
        lambda g: clients(
            is_("days_since_sale", "gt", g["from"]), is_("days_since_sale", "le", g["to"])
        ),
        (_days("from", _HALF, _half), _days("to", _ALL, _nearly_all)),
    ),
    Preset(
        "sleeping", GROUP, N_("Sleeping clients"),
        N_("Bought before, not for long, and nothing is under way with them."),
        lambda g: clients(
            is_("sales", "ge", 1),
            is_("days_since_sale", "ge", g["days"]),
            no("deals", *counted_deal(g, is_("state", "any_of", ["P"]))),
        ),
        (_days("days", N_("Days without a sale"), HALF_GONE),),
    ),
    Preset(
        "lost", GROUP, N_("Lost clients"),
        N_("Their last sale is so long ago that hardly anyone comes back after that."),
        lambda g: clients(is_("days_since_sale", "gt", g["days"])),
        (_days("days", N_("Days without a sale"), _lost_after),),
    ),
    Preset(
        "vip", GROUP, N_("VIP"),
        N_("The most valuable clients who bought within a year."),
        _vip,
        (
            Parameter(
                "by", N_("By"), Asks.WAY, _likely_worth,
                ways=(("margin", N_("Margin")), ("ltv", N_("LTV"))),
            ),
            Parameter(
                "how", N_("Who counts"), Asks.WAY, "percent",
                ways=(("percent", N_("the highest per cent")), ("sum", N_("from a sum on"))),
            ),
            Parameter("percent", N_("Per cent"), Asks.NUMBER, 10, low=0.1, high=100),
            Parameter("sum", N_("Sum"), Asks.NUMBER, 100_000, low=0, high=_MOST),
            _days("days", N_("Last sale within days"), YEAR),
        ),
        _no_margin,
    ),
    Preset(
        "cannot_lose", GROUP, N_("Cannot lose them"),
        N_("Bought often and for much, but long ago: by the RFM scores."),
        lambda g: clients(
            is_("rfm_r", "le", g["recency"]),
            is_("rfm_f", "ge", g["frequency"]),
            is_("rfm_m", "ge", g["money"]),
        ),
        (
            Parameter("recency", N_("Recency at most"), default=2, high=5),
            Parameter("frequency", N_("Frequency at least"), default=4, high=5),
            Parameter("money", N_("Money at least"), default=4, high=5),
        ),
        _no_rfm,
    ),
    Preset(
        "growing_check", GROUP, N_("The check grows"),
        N_("Their latest three sales are larger than all the earlier ones, on average."),
        lambda g: clients(is_("sales", "ge", _SALES_OF_TREND), is_("check_change", "ge", g["ratio"])),
        (_CHECK_GROWS,),
    ),
    Preset(
        "falling_check", GROUP, N_("The check falls"),
        N_("Their latest three sales are smaller than all the earlier ones, on average."),
        lambda g: clients(is_("sales", "ge", _SALES_OF_TREND), is_("check_change", "le", g["ratio"])),
        (_CHECK_FALLS,),
    ),
    Preset(
        "won_after_lost", GROUP, N_("Returned after a refusal"),
        N_("Bought soon after a lost deal."),
        lambda g: clients(
            some("deals", is_("is_sale", "yes"), is_("days_after_lost", "le", g["days"]))
        ),
        (_days("days", N_("Days from the lost deal to the sale"), 180),),
    ),
)  # fmt: skip
