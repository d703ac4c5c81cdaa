"""Where a client stands, and what to do, in words."""

from __future__ import annotations

from dataclasses import dataclass

from core.web import formats
from core.web.words import gettext as _
from core.web.words import plural
from insights.rules.advice import Act
from insights.tab.addresses import Reach
from insights.tab.card import Card
from insights.tab.lead import LeadFacts
from insights.tab.profile import Profile, Scored
from mailings.web.words import permission
from segments.scoring import score_words


@dataclass(frozen=True, slots=True)
class Told:
    """A proposal: what to do, and why."""

    title: str
    why: str


def stage(scored: Scored) -> tuple[str, str] | None:
    """The stage of life, and who is in it."""
    if scored.stage is None:
        return None
    return score_words.stages()[scored.stage], score_words.about_stages()[scored.stage]


def group(scored: Scored) -> tuple[str, str, str] | None:
    """The RFM group, who is in it, and the colour of its cells."""
    if scored.group is None:
        return None
    meaning = score_words.MEANINGS[scored.group]
    return scored.group_name or _(meaning.name), _(meaning.who), meaning.tone


def proposal(card: Card, profile: Profile) -> Told | None:
    """What to do now."""
    if profile.proposal is None:
        return None
    act = profile.proposal.act
    return Told(_titles()[act], _why(act, card, profile))


def lead_proposal(lead: LeadFacts, profile: Profile) -> Told | None:
    """What to do about a lead now."""
    if profile.proposal is None:
        return None
    act = profile.proposal.act
    return Told(_titles()[act], _why_lead(act, lead))


def call(name: str | None, phones: list[str]) -> Told:
    """A to-do to call, with the numbers at hand."""
    title = _("Call: %(name)s", name=name) if name else _("Call the client")
    return Told(title, ", ".join(phones))


def reach(each: Reach) -> tuple[str, str]:
    """Whether an address may be written to, and the colour of that."""
    day = formats.day
    if each.stopped is not None:
        reason = permission.suppressions()[each.stopped]
        when = day(each.stopped_at) if each.stopped_at else ""
        return _("not written to: %(reason)s, %(day)s", reason=reason, day=when), "orange"
    if each.said is True and each.said_at:
        return _("agreed on %(day)s", day=day(each.said_at)), "green"
    if each.said is False and each.said_at:
        return _("took the consent back on %(day)s", day=day(each.said_at)), "orange"
    if each.as_client:
        return _("may be written to as a client"), "green"
    return _("no consent"), "neutral"


def _titles() -> dict[Act, str]:
    return {
        Act.FINISH: _("Bring the deal in progress to its end"),
        Act.CALL: _("Call: a valuable client is leaving"),
        Act.FIRST: _("Propose a first purchase"),
        Act.SECOND: _("Remind of yourself: the second purchase is overdue"),
        Act.DUE: _("Propose the next purchase: it is time"),
        Act.RETURN: _("Give a reason to come back"),
        Act.FAREWELL: _("Try once more, then let go"),
        Act.ADD: _("Propose what goes with the first purchase"),
        Act.RECOMMEND: _("Show new things first, ask for a recommendation"),
        Act.GROW: _("Propose one thing more"),
        Act.ANSWER: _("Answer: this person wants to talk"),
        Act.QUALIFY: _("Call and find out what is needed"),
        Act.REVIVE: _("Propose again: the reason for the refusal may be gone"),
    }


def _why(act: Act, card: Card, profile: Profile) -> str:
    silent = formats.days(card.days_since or 0)
    if act is Act.FINISH:
        return plural(
            profile.open_deals,
            "%(n)s deal is in progress: another offer would distract from it.",
            "%(n)s deals are in progress: another offer would distract from them.",
        )
    if act is Act.DUE and card.figures.mean_gap_days:
        usual = formats.days(round(card.figures.mean_gap_days))
        return _(
            "Usually buys every %(usual)s; %(passed)s have passed.", usual=usual, passed=silent
        )
    if act is Act.CALL and profile.above is not None:
        share = formats.percent(profile.above)
        return _(
            "Brought more than %(share)s of the buyers, silent for %(days)s.",
            share=share,
            days=silent,
        )
    if act in {Act.CALL, Act.RETURN, Act.FAREWELL, Act.SECOND, Act.DUE}:
        return _("Silent for %(days)s.", days=silent)
    if act is Act.FIRST:
        return _("There have been no purchases yet.")
    if act is Act.ADD:
        return _(
            "Has bought once, %(days)s ago: what was bought is still fresh in mind.", days=silent
        )
    if act is Act.RECOMMEND:
        return _("Buys lately, often and for much: trusts you already.")
    return _("Buys regularly: knows one side of what you do.")


def _why_lead(act: Act, lead: LeadFacts) -> str:
    if act is Act.ANSWER and lead.interest is not None:
        day = formats.day(lead.interest.at)
        if lead.interest.replied:
            return _("Replied to a letter on %(day)s.", day=day)
        return _("Followed a link of a letter on %(day)s.", day=day)
    if lead.days is None:
        return _("The lead is in progress.") if act is Act.QUALIFY else _("The lead was lost.")
    passed = formats.days(lead.days)
    if act is Act.REVIVE:
        return _("The lead was lost %(days)s ago.", days=passed)
    return _("The lead came %(days)s ago and is in progress.", days=passed)
