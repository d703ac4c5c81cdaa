"""What stands beside a draft: who gets it and what is missing, and what the last question before the start says."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm import Session

from core.clock import utcnow
from core.web import formats
from core.web.words import gettext as _
from core.web.words import plural
from mailings.models import Mailing, MailServer
from mailings.planning import readiness, waterfall
from mailings.planning.audiences import NoAudience
from mailings.planning.waterfall import HELD, Waterfall
from mailings.rules.plans import BadPlan, Plan
from mailings.rules.states import ChannelKey, SkipReason
from mailings.sending import servers
from mailings.web.drafts import pages as mailing_pages
from mailings.web.letters import pages as letter_pages
from mailings.web.words import mailing as mailing_words
from mailings.web.words import readiness as readiness_words
from mailings.web.words.readiness import Told
from segments import audience
from segments.conditions.definitions import InvalidCondition
from segments.members.saving import NoSuchSegment
from segments.ready.presets import Unready

_STEPS: tuple[tuple[str, tuple[str, ...]], ...] = (
    ("address", (SkipReason.GONE, SkipReason.NO_ADDRESS)),
    ("valid", (SkipReason.INVALID_ADDRESS, SkipReason.DUPLICATE_ADDRESS)),
    ("consented", (SkipReason.NO_CONSENT, SkipReason.WITHDRAWN)),
    ("allowed", (SkipReason.SUPPRESSED, SkipReason.PAUSED)),
    ("rested", (SkipReason.CAPPED,)),
    ("gets", (HELD, SkipReason.NO_CODE, SkipReason.TOO_LATE)),
)
"""The steps a person sees, and the reasons that take people away at each."""
_HOUR, _DAY = 60, 24 * 60


@dataclass(frozen=True, slots=True)
class Lost:
    """People a step takes away, for one reason."""

    why: str
    number: int
    label: str


@dataclass(frozen=True, slots=True)
class Fall:
    """A step of the waterfall as it is shown."""

    label: str
    left: int
    lost: tuple[Lost, ...] = ()


@dataclass(frozen=True, slots=True)
class Side:
    """What stands beside a draft. Without `falls`, `trouble` says why."""

    falls: Waterfall | None
    steps: list[Fall]
    problems: list[Told]
    counted_at: datetime
    trouble: str = ""

    @property
    def blocked(self) -> bool:
        """Whether something has to be mended before the start."""
        return any(each.blocks for each in self.problems)


def side(session: Session, mailing: Mailing) -> Side:
    """Who gets a draft, and what stands in the way."""
    falls, trouble = None, _("Choose whom to write to, and the steps will appear here.")
    try:
        falls = waterfall.preview(session, mailing.portal_id, mailing)
    except (NoAudience, NoSuchSegment, Unready, InvalidCondition, BadPlan):
        pass
    except sa.exc.OperationalError as error:
        if not audience.gave_up(error):
            raise
        session.rollback()
        return Side(None, [], [], utcnow(), _("too long to count"))
    found = readiness.problems(session, mailing, falls)
    words = [readiness_words.told(each, mailing) for each in found]
    return Side(falls, steps(falls, mailing.channel) if falls else [], words, utcnow(), trouble)


def steps(falls: Waterfall, channel: str) -> list[Fall]:
    """The waterfall as it is shown: the reasons gathered into steps."""
    labels = _labels(channel)
    words = mailing_words.skips(channel)
    left = falls.matched
    shown = [Fall(_("In the segment"), left)]
    for key, reasons in _STEPS:
        lost = tuple(
            Lost(str(why), falls.lost(why), words[why]) for why in reasons if falls.lost(why)
        )
        left -= sum(each.number for each in lost)
        shown.append(Fall(labels[key], left, lost))
    return shown


def people(session: Session, mailing: Mailing, why: str) -> list[waterfall.Person] | None:
    """Some of those behind a step; None when it can't be told now."""
    try:
        return waterfall.people(session, mailing.portal_id, mailing, why)
    except (NoAudience, NoSuchSegment, Unready, InvalidCondition, BadPlan):
        return None


def question(session: Session, mailing: Mailing, falls: Waterfall, offset: int) -> dict[str, Any]:
    """What the last question before the start says: how many people, what, by what, how long."""
    plan, mode = mailing_pages.plan_of(mailing), mailing_pages.mode_of(mailing)
    mail = mailing.channel == ChannelKey.EMAIL
    server = servers.choose(session, mailing) if mail else None
    subject = letter_pages.heads(session, mailing).subject
    facts = [_what(mailing, subject), *_by(server), ("Clock", mailing_words.when(plan, mode, mailing.start_at, offset))]  # fmt: skip
    if mode in ("now", "at"):
        facts.append(("Hourglass", duration(falls.gets, plan, server, mail=mail)))
    if rest := falls.matched - falls.gets:
        facts.append(("Group", plural(rest, "%(n)s person of the segment gets nothing", "%(n)s people of the segment get nothing")))  # fmt: skip
    if falls.waiting:
        facts.append(("PauseM", plural(falls.waiting, "%(n)s person gets it later, when the limits allow", "%(n)s people get it later, when the limits allow")))  # fmt: skip
    return {
        "title": _("Throw the switch?"),
        "people": _people(falls.gets, mail),
        "facts": facts,
        "promise": _(
            "It can be paused or cancelled at any moment: what has not left by then does not leave."
        ),
        "button": _button(falls.gets, mode, mail),
    }


def duration(number: int, plan: Plan, server: MailServer | None, *, mail: bool = True) -> str:
    """How long the sending takes, as far as its limits tell."""
    if not mail:
        daily = plan.per_manager_a_day
        return (
            _("up to %(number)s calls per manager a day", number=daily)
            if daily
            else _("all to-dos appear within minutes")
        )
    rates = [plan.rate_per_minute, (server.rate_per_minute or 0) if server else 0]
    rate = min((each for each in rates if each), default=0)
    quota = (server.daily_quota or 0) if server else 0
    if quota and number > quota:
        days = math.ceil(number / quota)
        return _("about %(days)s: the server takes %(quota)s letters a day", days=plural(days, "%(n)s day", "%(n)s days"), quota=formats.number(quota))  # fmt: skip
    if not rate:
        return _("as fast as the mail server takes it")
    if plan.hours_from:
        return _("about %(time)s of sending hours", time=_time(math.ceil(number / rate)))
    return _("about %(time)s", time=_time(math.ceil(number / rate)))


def _time(minutes: int) -> str:
    if minutes < 2 * _HOUR:
        return plural(max(minutes, 1), "%(n)s minute", "%(n)s minutes")
    if minutes < 2 * _DAY:
        return plural(round(minutes / _HOUR), "%(n)s hour", "%(n)s hours")
    return plural(round(minutes / _DAY), "%(n)s day", "%(n)s days")


def _labels(channel: str) -> Mapping[str, str]:
    mail = channel == ChannelKey.EMAIL
    return {
        "address": _("Have an address") if mail else _("Have a phone"),
        "valid": _("The address can be written to") if mail else _("The phone can be called"),
        "consented": _("Agreed"),
        "allowed": _("Did not unsubscribe"),
        "rested": _("Not written to too often"),
        "gets": _("Will get it"),
    }


def _what(mailing: Mailing, subject: str) -> tuple[str, str]:
    if mailing.channel == ChannelKey.CALL_LIST:
        return "Activity", _("a to-do for the responsible manager: %(title)s", title=subject or mailing.name)  # fmt: skip
    return "Mail", _("the letter “%(subject)s”", subject=subject)


def _by(server: MailServer | None) -> list[tuple[str, str]]:
    if server is None:
        return []
    return [("MailSend", _("by %(server)s, from %(address)s", server=server.name, address=server.from_email))]  # fmt: skip


def _people(number: int, mail: bool) -> str:
    if mail:
        return plural(number, "%(n)s person gets a letter", "%(n)s people get a letter")
    return plural(number, "%(n)s client gets a call", "%(n)s clients get a call")


def _button(number: int, mode: str, mail: bool) -> str:
    if mode in ("repeating", "evergreen"):
        return _("Throw the switch")
    if mail:
        return plural(number, "Send %(n)s letter", "Send %(n)s letters")
    return plural(number, "Hand over %(n)s call", "Hand over %(n)s calls")
