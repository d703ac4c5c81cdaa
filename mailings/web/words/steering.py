"""What can be done to a started mailing, with plain consequences, and how it stands."""

from __future__ import annotations

from dataclasses import dataclass

from core.web.words import gettext as _
from core.web.words import plural
from core.witness import Cause, Gap
from mailings.models import Mailing
from mailings.rules import lifecycle
from mailings.rules.lifecycle import Action
from mailings.rules.states import MailingState, Mode
from mailings.sending.restored import Choice
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
    by_admin: bool = False


@dataclass(frozen=True, slots=True)
class Look:
    """What somebody has to choose after the database was restored; `doubtful`: who may have got it already."""

    gap: Gap
    choices: tuple[Choice, ...]
    doubtful: int


@dataclass(frozen=True, slots=True)
class Trouble:
    """What stopped a mailing, and what to do."""

    title: str
    text: str
    href: str = ""
    action: str = ""


def doings(mailing: Mailing, waiting: int, look: Look | None = None) -> list[Doing]:
    """The buttons of a mailing now. `waiting`: how many messages have not left yet; `look`: what to choose first."""
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
    if look is not None:
        del found[Action.RESUME]
        return [*_choices(mailing, look), *(found[each] for each in found if each in allowed)]
    return [doing for action, doing in found.items() if action in allowed]


def _choices(mailing: Mailing, look: Look) -> list[Doing]:
    """After the database was restored: two ways to go on, or one where nothing can have left."""
    if Choice.SKIP not in look.choices:
        text = _("It goes on by its plan.")
        return [
            Doing(
                "resume?sent=send",
                _("Go on"),
                "PlayM",
                "primary",
                _("Let the mailing go on?"),
                text,
                by_admin=True,
            )
        ]
    if mailing.planned_at is None:
        skip = _("The mailing is cancelled here: nobody gets it now.")
        send = _("The mailing starts now. If it was sent already, everybody gets it twice.")
    else:
        people = plural(look.doubtful, "%(n)s recipient", "%(n)s recipients")
        skip = _(
            "%(people)s: not known whether the message arrived, so it is not sent to them. The others get it.",
            people=people,
        )
        send = _("%(people)s may get it a second time.", people=people)
    return [
        Doing(
            "resume?sent=skip",
            _("Don't send it twice"),
            "PlayM",
            "primary",
            _("Skip those who may have got it?"),
            skip,
            by_admin=True,
        ),
        Doing(
            "resume?sent=send",
            _("Send to all the same"),
            "MailSend",
            "outline",
            _("Send to them all the same?"),
            send,
            "danger",
            by_admin=True,
        ),
    ]


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


def trouble(mailing: Mailing, offset: int, look: Look | None = None) -> Trouble | None:
    """Why it stopped by itself, and where that is mended."""
    if look is not None:
        return _held(mailing, offset, look)
    if mailing.state != MailingState.PAUSED or not mailing.state_reason:
        return None
    text = _("Nothing is lost: who has not got it yet will get it after you press “Resume”.")
    why = readiness_words.reason(mailing.state_reason)
    name = mailing.state_reason.partition(":")[0]
    of_server = name in {"server_unreachable", "sender_refused", "no_server"}
    href = readiness_words.SERVERS if of_server else ""
    return Trouble(_("It stopped: %(why)s", why=why), text, href, _("Open the mail servers"))


def _held(mailing: Mailing, offset: int, look: Look) -> Trouble:
    """What may have happened, and that somebody has to choose."""
    since, until = (mailing_words.local(each, offset) for each in (look.gap.since, look.gap.until))
    why = {
        Cause.OLDER: _("The database was restored from a copy of %(since)s.", since=since),
        Cause.COPY: _(
            "This database was carried here from another place; it was last at work on %(since)s.",
            since=since,
        ),
        Cause.SILENT: _(
            "Nothing was sent or written down since %(since)s: the server stood still, or was restored as a whole.",
            since=since,
        ),
    }[look.gap.cause]
    if Choice.SKIP not in look.choices:
        doubt = _("This mailing can't have left meanwhile.")
    elif mailing.planned_at is None:
        doubt = _(
            "If the mailing was started before %(until)s, its recipients have got it.", until=until
        )
    else:
        doubt = plural(
            look.doubtful,
            "%(n)s recipient may have got the message before %(until)s.",
            "%(n)s recipients may have got the message before %(until)s.",
            until=until,
        )
    lost = _("Unsubscriptions of that time may be missing too. Nothing leaves until an administrator chooses.")  # fmt: skip
    return Trouble(_("The mailing waits for an administrator's word"), f"{why} {doubt} {lost}")
