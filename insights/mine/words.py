"""An employee's own clients in words: what each list is, and why a client is in it."""

from __future__ import annotations

from dataclasses import dataclass

from core.web import formats
from core.web.words import gettext as _
from insights.mine.clients import Line
from insights.mine.rows import Occasion


@dataclass(frozen=True, slots=True)
class Words:
    """A list's name and rule; what to say when nobody is in it, and who would be."""

    title: str
    about: str
    nobody: str
    who: str
    icon: str


def lists() -> dict[Occasion, Words]:
    """The lists in their order."""
    return {
        Occasion.DUE: Words(
            _("Due for a purchase"),
            _("Their usual pause is nearly over, or already is. The dearest first."),
            _("Nobody is due now"),
            _("A client comes here when the usual pause between purchases is nearly over."),
            "Clock",
        ),
        Occasion.SILENT: Words(
            _("Fell silent"),
            _("Hardly anybody returns by himself from so long a pause. The dearest first."),
            _("Nobody has fallen silent"),
            _("A client comes here after a pause from which hardly anybody returns by himself."),
            "TrendDown",
        ),
        Occasion.ANSWERED: Words(
            _("Answered a mailing"),
            _("Within 14 days. The newest first."),
            _("Nobody has answered lately"),
            _("A client comes here after a reply to a letter, or after following its link."),
            "MailSend",
        ),
    }


def why(occasion: Occasion, line: Line) -> str:
    """The reason."""
    silent = formats.days(line.idle_days)
    usual = formats.days(round(line.gap_days)) if line.gap_days else None
    if occasion is Occasion.ANSWERED:
        when, mailing = formats.ago(line.answered_at), line.mailing
        if line.replied:
            return _("Replied to “%(mailing)s” %(when)s.", mailing=mailing, when=when)
        return _("Followed a link of “%(mailing)s” %(when)s.", mailing=mailing, when=when)
    if occasion is Occasion.DUE and usual:
        return _(
            "Usually buys every %(usual)s; %(passed)s have passed.", usual=usual, passed=silent
        )
    if occasion is Occasion.DUE:
        return _("Has bought once, %(days)s ago: the second purchase is overdue.", days=silent)
    if usual:
        return _("Silent for %(days)s, used to buy every %(usual)s.", days=silent, usual=usual)
    return _("Has bought once, and been silent for %(days)s.", days=silent)
