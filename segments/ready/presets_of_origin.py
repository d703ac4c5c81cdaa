"""Presets about where clients and leads come from: sources, forms, advertising marks, recommendations."""

from __future__ import annotations

import re

from core.web.words import N_
from segments.ready.parameters import Asks, Facts, OfFields, Parameter
from segments.ready.preset_parts import (
    Given,
    Json,
    Preset,
    all_of,
    any_of,
    both,
    clients,
    days,
    first,
    is_,
    nothing_chosen,
    some,
)

ORIGIN = N_("Where from")

_TOUCHES = Parameter(
    "touch", N_("Which contact with us"), Asks.WAY, "any",
    ways=(
        ("any", N_("any: the card, its leads and deals")), ("card", N_("the card itself")),
        ("first", N_("the first deal")),
    ),
)  # fmt: skip


def _touched(condition: Json, touch: str) -> Json:
    if touch == "card":
        return condition
    if touch == "first":
        return first("deals", condition)
    return any_of(condition, some("deals", condition), some("leads", condition))


def _by_source(given: Given) -> Json:
    source = is_("source", "any_of", given["sources"])
    return both(all_of(_touched(source, given["touch"])), all_of(source))


def _by_utm(given: Given) -> Json:
    mark = is_(f"utm_{given['part']}", "any_of", given["values"])
    return both(all_of(_touched(mark, given["touch"])), all_of(mark))


def _form(given: Given) -> Json:
    asked = [
        is_("source", "any_of", given["sources"]),
        is_("created_at", "in_last", days(given["days"])),
    ]
    if given["campaigns"]:
        asked.append(is_("utm_campaign", "any_of", given["campaigns"]))
    return both(any_of(some("leads", *asked), some("deals", *asked)), all_of(*asked))


def _form_sources(facts: Facts) -> list[str]:
    """Bitrix24's own source of forms, and those named so."""
    named = re.compile("crm-форм|обратн|веб-форм|web.?form|feedback", re.IGNORECASE)
    return [
        value
        for value, name in facts.options("status:SOURCE")
        if value == "WEBFORM" or named.search(name)
    ]


_REFERRER = OfFields(("contact", "company"), ("crm", "string"), "рекоменд|реферер|referr")


def _referred(given: Given) -> Json:
    by_source = is_("source", "any_of", given["sources"])
    field = given["field"]
    return clients(any_of(by_source, *([is_(field, "filled")] if field else [])))


def _recommended(facts: Facts) -> list[str]:
    """Bitrix24's own source of recommendations, and those named so."""
    return [
        value
        for value, name in facts.options("status:SOURCE")
        if value == "RECOMMENDATION" or "рекоменд" in name.lower() or "referr" in name.lower()
    ]


_CHOOSE_SOURCE = nothing_chosen(N_("Choose at least one source"), "sources")
_SOURCES = Parameter("sources", N_("Sources"), Asks.CHOICES, options="status:SOURCE")

PRESETS = (
    Preset(
        "feedback_form", ORIGIN, N_("Feedback form"),
        N_("Wrote through a form of the site lately: leads, and clients by their leads and deals."),
        _form,
        (
            Parameter("sources", N_("Sources"), Asks.CHOICES, _form_sources, options="status:SOURCE"),
            Parameter("days", N_("Within days"), default=90),
            Parameter("campaigns", N_("Only these utm_campaign"), Asks.TEXTS),
        ),
        _CHOOSE_SOURCE,
    ),
    Preset(
        "by_source", ORIGIN, N_("By source"),
        N_("Came from the chosen sources."),
        _by_source, (_SOURCES, _TOUCHES), _CHOOSE_SOURCE,
    ),
    Preset(
        "by_utm", ORIGIN, N_("By advertising mark"),
        N_("Came with the chosen UTM marks."),
        _by_utm,
        (
            Parameter(
                "part", N_("Mark"), Asks.WAY, "campaign",
                ways=tuple((part, f"utm_{part}") for part in ("source", "medium", "campaign")),
            ),
            Parameter("values", N_("Values"), Asks.TEXTS),
            _TOUCHES,
        ),
        nothing_chosen(N_("Write at least one value of the mark"), "values"),
    ),
    Preset(
        "referred", ORIGIN, N_("Came by recommendation"),
        N_("Their source is a recommendation, or it is known who recommended you."),
        _referred,
        (
            Parameter("sources", N_("Sources"), Asks.CHOICES, _recommended, options="status:SOURCE"),
            Parameter("field", N_("Field with who recommended"), Asks.FIELD, fields=_REFERRER),
        ),
        nothing_chosen(N_("Choose the source of recommendations or the field with who recommended"),
                        "sources", "field"),
    ),
)  # fmt: skip
