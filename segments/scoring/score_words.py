"""Names of RFM groups and stages of life, and what they mean for the one who is to act."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from core.web.words import N_
from core.web.words import gettext as _
from segments.rules import lifecycle, rfm


@dataclass(frozen=True, slots=True)
class Meaning:
    """A group's usual name, who is in it, and the colour of its cells."""

    name: str
    who: str
    tone: str


MEANINGS: Mapping[str, Meaning] = {
    "best": Meaning(N_("Best"), N_("Buy lately, often and for much."), "green"),
    "regulars": Meaning(N_("Regulars"), N_("Buy often and have not gone."), "green"),
    "growing": Meaning(N_("Growing"), N_("Bought lately, and not for the first time."), "blue"),
    "newcomers": Meaning(N_("Newcomers"), N_("Bought lately, once as a rule."), "blue"),
    "big_start": Meaning(N_("Big start"), N_("Few purchases as yet, but for much."), "violet"),
    "attention": Meaning(N_("Need attention"), N_("Bought more than once and pause."), "orange"),
    "fading": Meaning(N_("Fading"), N_("Bought little, and that some time ago."), "orange"),
    "cannot_lose": Meaning(
        N_("Cannot be lost"), N_("Bought often and for much, and have long been silent."), "red"
    ),
    "at_risk": Meaning(N_("About to leave"), N_("Bought often, and have long been silent."), "red"),
    "sleeping": Meaning(N_("Asleep"), N_("Bought little and long ago."), "neutral"),
    rfm.LOST: Meaning(N_("Gone"), N_("Bought longest ago, or before the period."), "neutral"),
    rfm.FRESH: Meaning(
        N_("New without orders"), N_("The card is 60 days old at most, no purchase yet."), "neutral"
    ),
    rfm.NEVER: Meaning(
        N_("Lost without orders"), N_("The card is older, and no purchase."), "neutral"
    ),
}

_STAGES = {
    lifecycle.PROSPECT: N_("Has not bought yet"),
    lifecycle.NEVER_BOUGHT: N_("Never bought"),
    lifecycle.NEW: N_("First purchase"),
    lifecycle.AWAITED: N_("Second purchase overdue"),
    lifecycle.ACTIVE: N_("Active"),
    lifecycle.RETURNED: N_("Has returned"),
    lifecycle.COOLING: N_("Cooling down"),
    lifecycle.SLEEPING: N_("Sleeping"),
    lifecycle.LOST: N_("Lost client"),
}


def groups(names: Mapping[str, str]) -> dict[str, str]:
    """Every group's name: the one given by an administrator, or the usual one."""
    return {key: names.get(key) or _(MEANINGS[key].name) for key in rfm.ALL_GROUPS}


def advice() -> dict[str, str]:
    """What to do about a group a letter or a call can still move."""
    return {
        "cannot_lose": _("Call or write to them personally: win them back first."),
        "at_risk": _("Give a reason to come back before they settle elsewhere."),
        "attention": _("Remind of yourself while the pause is short."),
        "fading": _("A small occasion is enough now, later it won't be."),
        "newcomers": _("Propose a second purchase while the first is fresh."),
        "big_start": _("Show what goes with the purchase."),
        "growing": _("Propose one thing more while it goes well."),
        "best": _("Show new things first, ask for a recommendation."),
    }


def stages() -> dict[str, str]:
    """Every stage's name."""
    return {key: _(_STAGES[key]) for key in lifecycle.STAGES}


def about_stages() -> dict[str, str]:
    """Who is in each stage."""
    return {
        lifecycle.PROSPECT: _("no purchase, and the card is 60 days old at most"),
        lifecycle.NEVER_BOUGHT: _("no purchase, and the card is older"),
        lifecycle.NEW: _("one purchase, not long ago"),
        lifecycle.AWAITED: _("one purchase; most of those who return have returned by now"),
        lifecycle.ACTIVE: _("several purchases, the last one not long ago"),
        lifecycle.RETURNED: _("bought again after a pause as long as that of the sleeping"),
        lifecycle.COOLING: _("several purchases, silent longer than usual"),
        lifecycle.SLEEPING: _("hardly anybody returns from so long a pause"),
        lifecycle.LOST: _("silent for longer than a year, or even longer where that is usual"),
    }


def wrong(what: str) -> str:
    """Why choices were not saved."""
    return {
        "overtaken": _("Somebody has saved other settings meanwhile. The page shows theirs."),
        "window": _("The period must be a whole number of days, from 30 to 3650."),
        "days": _("Days must grow from 5 points to 2, and be whole numbers."),
        "purchases": _("The number of purchases must grow from 2 points to 5."),
        "money": _("The amounts must grow from 2 points to 5, and be above zero."),
        "thresholds": _("Fill in all the limits, or leave all of them empty for the usual ones."),
        "stages": _("Days of the stages must be whole numbers that grow, up to 10 000."),
        "names": _("A name may have 60 characters at most."),
    }.get(what, _("Choose a group for every cell."))
