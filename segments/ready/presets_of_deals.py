"""Presets about deals and leads that stand, were lost, or wait for somebody."""

from __future__ import annotations

from core.web.words import N_
from segments.ready.dwelling import usual_days
from segments.ready.parameters import Asks, Facts, OfFields, Parameter
from segments.ready.preset_parts import (
    Given,
    Json,
    Missing,
    Preset,
    all_of,
    any_of,
    clients,
    counted_deal,
    days,
    is_,
    last,
    leads,
    no,
    none_of,
    some,
)

GROUP, OF_LEADS = N_("Deals"), N_("Leads")
_OPEN, _WON, _LOST = "P", "S", "F"
_NO_CALLS = OfFields(("contact", "company"), ("boolean",), "не (звонить|беспокоить)|do not call")


def _state(*states: str) -> Json:
    return is_("state", "any_of", list(states))


# ---- lost deals ---------------------------------------------------------------------------------


def _lost_deals(given: Given) -> Json:
    reasons, months = given["reasons"], given["months"]
    lost = [_state(_LOST)]
    if reasons:
        lost.append(is_("stage", "any_of", reasons))
    if months:
        lost.append(is_("closed_on", "in_last", {"n": months, "unit": "month"}))
    found = some("deals", *counted_deal(given, *lost))
    if given["any"]:
        return clients(found)
    return clients(found, no("deals", *counted_deal(given, _state(_WON, _OPEN))))


# ---- deals under way ----------------------------------------------------------------------------


def _no_stages(given: Given) -> list[Missing]:
    if given.facts.funnels():
        return []
    return [Missing(N_("No stages of this portal were read yet"), read="stages")]


def _first_halves(given: Given) -> list[str]:
    return [
        stage
        for stages in given.facts.funnels()
        for place, stage in enumerate(stages)
        if place * 2 < len(stages)
    ]


def _abandoned(given: Given) -> Json:
    long_ago = days(given["days"])
    silent = any_of(
        is_("last_activity_at", "more_than_ago", long_ago),
        all_of(is_("last_activity_at", "empty"), is_("created_at", "more_than_ago", long_ago)),
    )
    early = is_("stage", "any_of", _first_halves(given))
    return clients(some("deals", _state(_OPEN), early, is_("has_plans", "no"), silent))


def _final(given: Given) -> Json:
    stages = [stage for each in given.facts.funnels() for stage in each[-given["stages"] :]]
    return clients(some("deals", _state(_OPEN), is_("stage", "any_of", stages)))


def _stuck(given: Given) -> Json:
    usual = usual_days(given.facts, given["percent"])
    longer = [
        all_of(is_("stage", "any_of", stages), is_("days_in_stage", "gt", number))
        for number, stages in usual.items()
    ]
    return clients(some("deals", _state(_OPEN), any_of(*longer)))


def _no_history(given: Given) -> list[Missing]:
    if usual_days(given.facts, given["percent"]):
        return []
    words = N_("The stage history was not read, or no deal has left a stage yet")
    return [Missing(words, read="stage_history")]


def _no_contact(given: Given) -> Json:
    recent = days(given["days"])
    silent = any_of(
        is_("last_contact_at", "empty"), is_("last_contact_at", "more_than_ago", recent)
    )
    if given["field"] is None:
        return clients(silent)
    refused = all_of(is_(given["field"], "yes"), some("deals"), no("deals", _state(_OPEN, _WON)))
    return clients(silent, none_of(refused))


# ---- leads --------------------------------------------------------------------------------------


def _first_stage(given: Given) -> Json:
    first_one = given.facts.stages("STATUS")[:1]
    return leads(_state(_OPEN), is_("stage", "any_of", first_one), no("activities"))


def _no_lead_stages(given: Given) -> list[Missing]:
    if given.facts.stages("STATUS"):
        return []
    return [Missing(N_("No stages of this portal were read yet"), read="stages")]


def _failed(given: Given) -> Json:
    spam = [is_("stage", "none_of", given["spam"])] if given["spam"] else []
    return leads(
        _state(_LOST),
        *spam,
        is_("closed_at", "more_than_ago", days(given["from"])),
        is_("closed_at", "in_last", days(given["to"])),
    )


def _spam_like(facts: Facts) -> list[str]:
    return [
        value
        for value, name in facts.options("lead_stages:F")
        if any(word in name.lower() for word in ("спам", "spam"))
    ]


PRESETS = (
    Preset(
        "lost_deals", GROUP, N_("Clients with lost deals"),
        N_("Only lost deals: none is won and none is under way."),
        _lost_deals,
        (
            Parameter("any", N_("Whatever other deals they have"), Asks.SWITCH, default=False),
            Parameter("reasons", N_("Only these reasons"), Asks.CHOICES, options="deal_stages:F"),
            Parameter("months", N_("Lost within months (0 is ever)"), default=0, low=0, high=240),
        ),
    ),
    Preset(
        "lost_once_buyers", GROUP, N_("Buyers who refused last time"),
        N_("Bought before, but the latest deal is lost and none is under way."),
        lambda g: clients(
            is_("sales", "ge", 1),
            last("deals", _state(_LOST)),
            no("deals", *counted_deal(g, _state(_OPEN))),
        ),
    ),
    Preset(
        "no_deals", GROUP, N_("Clients without deals"),
        N_("Never had a deal at any stage."),
        lambda _g: clients(no("deals")),
    ),
    Preset(
        "abandoned_deals", GROUP, N_("Abandoned deals"),
        N_("A deal in the first half of the funnel: nothing happened for long and nothing is planned."),
        _abandoned,
        (Parameter("days", N_("Days without activities"), default=14),),
        _no_stages,
    ),
    Preset(
        "stuck_in_stage", GROUP, N_("Stuck in a stage"),
        N_("A deal stands in its stage longer than nine of ten deals have stood there."),
        _stuck,
        (Parameter("percent", N_("Longer than this per cent of deals"), default=90, low=50, high=99),),
        _no_history,
    ),
    Preset(
        "final_stages", GROUP, N_("About to be decided"),
        N_("A deal in the last stages of the funnel: better not to disturb."),
        _final,
        (Parameter("stages", N_("Number of last stages"), default=2, high=20),),
        _no_stages,
    ),
    Preset(
        "no_contact", GROUP, N_("No contact for long"),
        N_("No completed call, letter or meeting, except clients with lost deals only who asked not to call."),
        _no_contact,
        (
            Parameter("days", N_("Days without contact"), default=60),
            Parameter("field", N_("Mark «do not call»"), Asks.FIELD, fields=_NO_CALLS),
        ),
    ),
    Preset(
        "long_leads", OF_LEADS, N_("Leads in work too long"),
        N_("Neither converted nor failed for many days."),
        lambda g: leads(_state(_OPEN), is_("created_at", "more_than_ago", days(g["days"]))),
        (Parameter("days", N_("Days since creation"), default=30),),
    ),
    Preset(
        "untouched_leads", OF_LEADS, N_("Leads nobody has begun with"),
        N_("At the first stage, without a single activity."),
        _first_stage,
        lacks=_no_lead_stages,
    ),
    Preset(
        "failed_leads", OF_LEADS, N_("Failed leads to come back to"),
        N_("Failed some time ago, and not as spam."),
        _failed,
        (
            Parameter("from", N_("Failed at least days ago"), default=60),
            Parameter("to", N_("Failed at most days ago"), default=365),
            Parameter("spam", N_("Except these stages"), Asks.CHOICES, _spam_like, options="lead_stages:F"),
        ),
    ),
)  # fmt: skip
