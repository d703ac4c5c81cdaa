"""What to propose to a client or lead next: one thing, with the reason, by where the client stands.

The first line of the table that fits is taken. A deal in progress goes before any offer: whoever is being talked to
is not to be written to about something else. Stages of life and groups are those of `segments.rules`.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from insights.rules.rhythm import Rhythm
from mailings.rules.offers import OfferKind
from segments.rules import lifecycle

_LEAVING = frozenset({"cannot_lose", "at_risk"})
_SILENT = frozenset({lifecycle.COOLING, lifecycle.SLEEPING, lifecycle.LOST})
_UNSOLD = frozenset({lifecycle.PROSPECT, lifecycle.NEVER_BOUGHT})
VALUABLE = 0.8
"""Whoever brought more than this share of the buyers is worth a call of his own."""


class Act(StrEnum):
    """What is to be done."""

    FINISH = "finish"  # bring the deal in progress to its end
    CALL = "call"  # a valuable client is leaving: talk, do not write
    FIRST = "first"  # a first purchase
    SECOND = "second"  # the second purchase is overdue
    DUE = "due"  # the usual pause is over
    RETURN = "return"  # has been silent for long
    FAREWELL = "farewell"  # lost: a last word
    ADD = "add"  # has just bought for the first time: what goes with it
    RECOMMEND = (
        "recommend"  # one of the best: new things first, and to be asked for a recommendation
    )
    GROW = "grow"  # buys regularly: something more
    ANSWER = "answer"  # a lead that replied to a letter, or followed its link
    QUALIFY = "qualify"  # a lead in progress: find out what is needed
    REVIVE = "revive"  # a lead that came to nothing


@dataclass(frozen=True, slots=True)
class Standing:
    """Where a client stands. None: nobody knows yet. `above`: the share of buyers who brought less."""

    stage: str | None
    group: str | None
    rhythm: Rhythm | None
    open_deals: int = 0
    above: float | None = None

    @property
    def leaving(self) -> bool:
        """Whether somebody valuable has fallen silent."""
        valuable = self.above is not None and self.above >= VALUABLE
        return self.group in _LEAVING or (valuable and self.stage in _SILENT)


@dataclass(frozen=True, slots=True)
class LeadStanding:
    """Where a lead stands. `semantic`: of its stage, as the portal has it: P in progress, S converted, F lost."""

    semantic: str | None
    answered: bool = False


OFFERS: dict[Act, tuple[OfferKind, ...]] = {
    Act.FINISH: (),
    Act.CALL: (OfferKind.WIN_BACK,),
    Act.FIRST: (OfferKind.NEW, OfferKind.LEAD_MAGNET),
    Act.SECOND: (OfferKind.REPEAT, OfferKind.UPSELL_AFTER),
    Act.DUE: (OfferKind.REPEAT,),
    Act.RETURN: (OfferKind.WIN_BACK, OfferKind.EVENT),
    Act.FAREWELL: (OfferKind.WIN_BACK,),
    Act.ADD: (OfferKind.UPSELL_AFTER, OfferKind.CROSS_SELL),
    Act.RECOMMEND: (OfferKind.CROSS_SELL, OfferKind.EVENT, OfferKind.NEW),
    Act.GROW: (OfferKind.CROSS_SELL, OfferKind.UPSELL_BEFORE),
    Act.ANSWER: (),
    Act.QUALIFY: (OfferKind.LEAD_MAGNET, OfferKind.NEW),
    Act.REVIVE: (OfferKind.WIN_BACK, OfferKind.LEAD_MAGNET, OfferKind.EVENT),
}
"""The kinds of offers that serve an act, the fittest first."""


def advice(standing: Standing) -> Act | None:
    """What to do; None while nothing is known of the client."""
    stage = standing.stage
    if standing.open_deals:
        return Act.FINISH
    if standing.leaving:
        return Act.CALL
    if stage in _UNSOLD:
        return Act.FIRST
    if stage == lifecycle.AWAITED:
        return Act.SECOND
    if stage == lifecycle.SLEEPING:
        return Act.RETURN
    if stage == lifecycle.LOST:
        return Act.FAREWELL
    if stage == lifecycle.COOLING or standing.rhythm in {Rhythm.LATE, Rhythm.LOST}:
        return Act.DUE
    if stage == lifecycle.NEW:
        return Act.ADD
    if stage is None:
        return None
    return Act.RECOMMEND if standing.group == "best" else Act.GROW


def for_lead(standing: LeadStanding) -> Act | None:
    """What to do about a lead; None for one that has become a client."""
    if standing.semantic == "S":
        return None
    if standing.answered:
        return Act.ANSWER
    return Act.REVIVE if standing.semantic == "F" else Act.QUALIFY
