"""What stands in the way of a mailing's start, as codes with facts; pages put them into words.

What only other parts know, such as the state of a mail server's domain, they add themselves (`also`).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy.orm import Session

from core.clock import utcnow
from mailings.content import compiling, names, scripts
from mailings.content.compiling import BadLetter
from mailings.models import Mailing, Offer
from mailings.planning import audiences, waterfall
from mailings.planning.audiences import NoAudience
from mailings.planning.waterfall import Waterfall
from mailings.rules import offers
from mailings.rules.offers import BadOffer, OfferKind
from mailings.rules.plans import BadPlan, Plan, moment
from mailings.rules.states import ChannelKey, Mode, SkipReason
from segments.conditions.definitions import InvalidCondition
from segments.members.saving import NoSuchSegment
from segments.ready.presets import Unready


@dataclass(frozen=True, slots=True)
class Problem:
    """What is wrong, with what is needed to say it. `blocks`: the mailing does not start before it is put right."""

    code: str
    facts: Mapping[str, Any] = field(default_factory=dict)
    blocks: bool = True


Check = Callable[[Session, Mailing], Iterable[Problem]]
_others: list[Check] = []


def also(check: Check) -> None:
    """Have this asked too; told by the composition root."""
    if check not in _others:
        _others.append(check)


def problems(session: Session, mailing: Mailing, falls: Waterfall | None = None) -> list[Problem]:
    """Everything that stands in the way, the worst first. `falls`: the waterfall, where it is known already."""
    found = _found(session, mailing)
    if not {each.code for each in found} & {*_SEGMENT, "bad_plan"}:
        found += _of_numbers(falls or waterfall.preview(session, mailing.portal_id, mailing))
    return sorted(found, key=lambda problem: not problem.blocks)


def blocking(session: Session, mailing: Mailing) -> list[Problem]:
    """What holds the switch; found without counting anybody."""
    return [each for each in _found(session, mailing) if each.blocks]


def _found(session: Session, mailing: Mailing) -> list[Problem]:
    found = [
        *_of_plan(mailing),
        *_of_segment(session, mailing),
        *_of_offer(session, mailing),
        *_of_letter(session, mailing),
    ]
    for check in _others:
        found += check(session, mailing)
    return found


def _of_plan(mailing: Mailing) -> Iterator[Problem]:
    try:
        plan = Plan.read(mailing.plan or {})
    except BadPlan as error:
        yield Problem("bad_plan", {"field": error.field, "problem": error.problem})
        return
    now = utcnow()
    if plan.not_after is not None and moment("not_after", plan.not_after) <= now:
        yield Problem("too_late", {"not_after": plan.not_after})
    if plan.until is not None and moment("until", plan.until) <= now:
        yield Problem("over", {"until": plan.until})
    if mailing.mode == Mode.REPEATING and plan.every is None:
        yield Problem("no_turns")
    if mailing.mode == Mode.EVERGREEN and plan.until is None:
        yield Problem("no_end")


_SEGMENT = ("no_segment", "segment_gone", "segment_unready", "segment_broken")


def _of_segment(session: Session, mailing: Mailing) -> Iterator[Problem]:
    try:
        audiences.cards(session, mailing)
    except NoAudience:
        yield Problem("no_segment")
    except NoSuchSegment:
        yield Problem("segment_gone")
    except Unready as error:
        yield Problem("segment_unready", {"missing": error.missing})
    except InvalidCondition as error:
        yield Problem("segment_broken", {"problem": str(error)})


def _of_numbers(falls: Waterfall) -> Iterator[Problem]:
    """Nobody to write to is told, not forbidden: it harms nobody, and newcomers may come."""
    if falls.matched == 0:
        yield Problem("empty_audience", blocks=False)
    elif falls.gets == 0:
        silent = falls.lost(SkipReason.NO_CONSENT)
        code = "no_consents" if silent else "nobody_gets"
        yield Problem(code, {"matched": falls.matched, "silent": silent}, blocks=False)
    if short := falls.lost(SkipReason.NO_CODE):
        yield Problem("codes_short", {"short": short, "gets": falls.gets}, blocks=False)


def _of_offer(session: Session, mailing: Mailing) -> Iterator[Problem]:
    if mailing.offer_id is None:
        return
    row = session.get(Offer, (mailing.portal_id, mailing.offer_id))
    if row is None or row.archived_at is not None:
        yield Problem("offer_gone")
        return
    try:
        offer = offers.Offer.read(row.content)
    except BadOffer as error:
        yield Problem("offer_unfinished", {"fields": sorted(error.problems), "offer": row.id})
        return
    if missing := offers.missing(OfferKind(row.kind), offer):
        yield Problem("offer_unfinished", {"fields": list(missing), "offer": row.id})
    if offer.over(utcnow().date()):
        yield Problem("offer_over", {"valid_till": offer.valid_till, "offer": row.id})


def _of_letter(session: Session, mailing: Mailing) -> Iterator[Problem]:
    try:
        if mailing.channel == ChannelKey.CALL_LIST:
            scripts.check(mailing.content, names.known(session, mailing.portal_id))
        else:
            compiling.compiled(session, mailing)
    except BadLetter as error:
        yield Problem("letter_broken", {"problems": error.problems})
    except BadOffer:
        return
