"""What can be done to a started mailing, with plain consequences, and how it stands."""

from __future__ import annotations

from dataclasses import dataclass

from core.web.words import gettext as _
from core.web.words import plural
from mailings.models import Mailing
from mailings.rules import lifecycle
from mailings.rules.lifecycle import Action
from mailings.rules.states import MailingState, Mode
from mailings.web.words import mailing as mailing_words
from mailings.web.words import readiness as readiness_words


@dataclass(frozen=True, slots=True)
class Doing:
    """A button, what it asks first and what it comes to."""

    action: str
    label: str
    icon: str
    kind: str
    ask: str
    text: str
    tone: str = ""


@dataclass(frozen=True, slots=True)
class Trouble:
    """What stopped a mailing, and what to do."""

    title: str
    text: str
    href: str = ""
    action: str = ""


def doings(mailing: Mailing, waiting: int) -> list[Doing]:
    """The buttons of a mailing now. `waiting`: how many messages have not left yet."""
    allowed = lifecycle.allowed(MailingState(mailing.state))
    rest = plural(waiting, "%(n)s message has not left yet", "%(n)s messages have not left yet")
    found = {
        Action.PAUSE: Doing(
            *("pause", _("Pause"), "PauseM", "outline", _("Pause the mailing?")),
            _("Nothing more leaves until you resume it. %(rest)s; they wait.", rest=rest),
        ),
        Action.RESUME: Doing(
            *("resume", _("Resume"), "PlayM", "primary", _("Resume the mailing?")),
            _("It goes on where it stopped: %(rest)s. Nobody gets it twice.", rest=rest),
        ),
        Action.CANCEL: Doing(
            *("cancel", _("Cancel the mailing"), "StopM", "plain", _("Cancel the mailing for good?")),
            _("What has left stays with the clients. %(rest)s and never will. It can't be resumed.", rest=rest),
            "danger",
        ),
    }  # fmt: skip
    return [doing for action, doing in found.items() if action in allowed]


def standing(mailing: Mailing, offset: int) -> str:
    """One line beside the state."""
    since = mailing_words.local(mailing.state_at, offset)
    match mailing.state:
        case MailingState.SCHEDULED if mailing.start_at:
            when = mailing_words.local(mailing.start_at, offset)
            if mailing.mode == Mode.REPEATING:
                return _("the next turn: %(when)s", when=when)
            return _("starts by itself: %(when)s", when=when)
        case MailingState.PLANNING:
            return _("the recipients are being written down")
        case MailingState.RUNNING:
            return _("since %(when)s", when=since)
        case MailingState.PAUSED:
            return _("since %(when)s", when=since)
        case _:
            return since


def trouble(mailing: Mailing) -> Trouble | None:
    """Why it stopped by itself, and where that is mended."""
    if mailing.state != MailingState.PAUSED or not mailing.state_reason:
        return None
    text = _("Nothing is lost: who has not got it yet will get it after you press “Resume”.")
    why = readiness_words.reason(mailing.state_reason)
    name = mailing.state_reason.partition(":")[0]
    of_server = name in {"server_unreachable", "sender_refused", "no_server"}
    href = readiness_words.SERVERS if of_server else ""
    return Trouble(_("It stopped: %(why)s", why=why), text, href, _("Open the mail servers"))
