"""The result of a mailing in words: where a message stands and why, what a client did, what a program did."""

from __future__ import annotations

from typing import Any

from core.web import formats
from core.web.words import gettext as _
from core.web.words import plural
from mailings.results.details import Fault
from mailings.results.follow_ups import FollowUp
from mailings.results.followed import Outcome
from mailings.results.recipients import Did
from mailings.results.report import Figures, NoRoi
from mailings.results.trail import Happening
from mailings.rules.events import EventKind
from mailings.rules.robots import Ruling
from mailings.rules.states import DeliveryState
from mailings.web.words import mailing as mailing_words

TONES = {
    DeliveryState.SENT: "green", DeliveryState.FAILED: "red", DeliveryState.BOUNCED: "red",
    DeliveryState.UNKNOWN: "orange", DeliveryState.DEFERRED: "orange", DeliveryState.SENDING: "blue",
    DeliveryState.CLAIMED: "blue", DeliveryState.PENDING: "blue", DeliveryState.HELD: "violet",
}  # fmt: skip


def states() -> dict[str, str]:
    """Where one message stands."""
    return {
        DeliveryState.HELD: _("held back"),
        DeliveryState.PENDING: _("waits"),
        DeliveryState.CLAIMED: _("is next"),
        DeliveryState.SENDING: _("is leaving"),
        DeliveryState.SENT: _("sent"),
        DeliveryState.DEFERRED: _("will be tried again"),
        DeliveryState.FAILED: _("refused"),
        DeliveryState.BOUNCED: _("returned"),
        DeliveryState.UNKNOWN: _("not known whether it arrived"),
        DeliveryState.SKIPPED: _("not sent"),
        DeliveryState.CANCELLED: _("cancelled"),
    }


def groups() -> dict[str, str]:
    """Where messages stand, to choose from: groups first."""
    return {
        "attempted": _("all that were tried"),
        "errors": _("errors"),
        "open": _("still to be sent"),
        **states(),
    }


def reason(code: str | None) -> str:
    """Why a message was not sent, or came back."""
    if not code:
        return ""
    return reasons().get(code) or mailing_words.skips().get(code) or code


def reasons() -> dict[str, str]:
    """Why messages failed or came back."""
    return {
        "no_such_address": _("there is no such address"),
        "mailbox_full": _("the mailbox is full"),
        "sender_refused": _("the mail service refuses the sender"),
        "refused": _("the mail service refused it"),
        "expired": _("tried for two days without success"),
        "letter": _("the letter could not be put together"),
        "no_smtputf8": _("the server can't write to such an address"),
        "hard": _("there is no such address"),
        "soft": _("the mailbox is full or out of service"),
        "blocked": _("the mail service refuses the sender"),
    }


def fault(found: Fault) -> str:
    """An error with what servers said: «the mailbox is full · 552 5.2.2»."""
    code = " ".join(str(part) for part in (found.code, found.status) if part)
    words = reason(found.reason) or states()[found.state]
    return f"{words} · {code}" if code else words


def dids() -> dict[str, str]:
    """What recipients did, to choose from."""
    return {
        Did.OPENED: _("opened"),
        Did.NOT_OPENED: _("did not open"),
        Did.CLICKED: _("followed a link"),
        Did.CLICKED_ONLY: _("followed a link, but became no lead"),
        Did.REPLIED: _("replied"),
        Did.CALLED: _("was called"),
        Did.UNSUBSCRIBED: _("unsubscribed"),
        Did.COMPLAINED: _("complained about spam"),
        Did.CONVERTED: _("became a lead or deal"),
    }


def course() -> dict[str, str]:
    """What people did, as lines of a chart."""
    return {
        "sent": _("Sent"),
        "opened": _("Opened"),
        "clicked": _("Followed a link"),
        "replied": _("Answered"),
    }


def touches() -> dict[str, str]:
    """After which reaction a lead or deal came."""
    return {
        EventKind.CLICKED: _("after a click"),
        EventKind.REPLIED: _("after a reply"),
        EventKind.CALLED: _("after a call"),
        EventKind.OPENED: _("after opening"),
    }


def outcomes() -> dict[str, str]:
    """What has become of leads and deals, to choose from."""
    return {
        Outcome.OPEN: _("in progress"),
        Outcome.WON: _("ended in success"),
        Outcome.LOST: _("ended without success"),
    }


def rulings() -> dict[str, str]:
    """How it is known that a program did it."""
    return {
        Ruling.APPLE: _("Apple Mail loads pictures by itself"),
        Ruling.NAMELESS: _("a program without a name"),
        Ruling.PROGRAM: _("a program that checks links"),
        Ruling.AT_ONCE: _("too soon after sending for a person"),
        Ruling.ALL_LINKS: _("all links within seconds"),
    }


def follow_ups() -> dict[str, str]:
    """Whom the next letter goes to."""
    return {
        FollowUp.NOT_OPENED: _("Write to those who did not open"),
        FollowUp.CLICKED_ONLY: _("Write to those who clicked without becoming a lead"),
    }


def follow_up_name(whom: FollowUp, name: str) -> str:
    """What the draft and its list are called."""
    if whom is FollowUp.NOT_OPENED:
        return _("%(name)s: did not open", name=name)
    return _("%(name)s: clicked, no lead", name=name)


def no_roi(why: NoRoi | None) -> str:
    """Why there is no return on investment."""
    return {
        NoRoi.NO_COST: _("no cost is set in the plan of the mailing"),
        NoRoi.NO_MARGIN: _("the margin of the sales is not known"),
    }.get(why or NoRoi.NO_COST, "")


def happened(found: Happening) -> str:
    """A line of a trail."""
    facts = found.facts
    match found.what:
        case "planned":
            return _("Written down as a recipient")
        case "sent":
            return _("Taken by the mail server") if facts.get("code") else _("Sent")
        case "try":
            return _try(facts)
        case "credited":
            return _credited(facts)
        case EventKind.CLICKED:
            where = facts.get("link") or facts.get("url") or ""
            return _("Followed the link “%(link)s”", link=where)
        case EventKind.BOUNCED:
            return _("Returned: %(why)s", why=_said(facts))
        case EventKind.CALLED:
            said = _("The manager has called")
            return f"{said}: {facts['result']}" if facts.get("result") else said
        case EventKind.DELAYED:
            return _("The recipient's server is still trying")
    return {
        EventKind.OPENED: _("Has opened the letter"),
        EventKind.REPLIED: _("Has replied"),
        EventKind.COMPLAINED: _("Has complained about spam"),
        EventKind.UNSUBSCRIBED: _("Has unsubscribed"),
        EventKind.UNREADABLE: _("Something came back that was not understood"),
    }.get(EventKind(found.what), found.what)


def _try(facts: dict[str, Any]) -> str:
    outcomes = {
        "deferred": _("Put off by the mail server"),
        "failed": _("Refused by the mail server"),
        "unknown": _("The link was lost: not known whether it arrived"),
    }
    words = outcomes.get(facts.get("outcome") or "", _("A try without success"))
    said = " ".join(str(facts[name]) for name in ("code", "status", "text") if facts.get(name))
    return f"{words}: {said}" if said else words


def _credited(facts: dict[str, Any]) -> str:
    lead = facts["entity"] == "lead"
    words = _("A lead followed: №%(id)s") if lead else _("A deal followed: №%(id)s")
    return words % {"id": facts["id"]}


def _said(facts: dict[str, Any]) -> str:
    words = reason(facts.get("sort"))
    said = " ".join(str(facts[name]) for name in ("status", "text") if facts.get(name))
    return f"{words} ({said})" if said else words


def summary(figures: Figures) -> str:
    """«11 396 of 11 717 sent» for whoever can't see the page."""
    return _(
        "%(sent)s of %(all)s sent",
        sent=formats.number(figures.sent),
        all=formats.number(figures.attempted),
    )


def unsure(number: int) -> str:
    """How many nobody knows about."""
    return plural(
        number,
        "Of %(n)s message it is not known whether it arrived: it is not sent again by itself.",
        "Of %(n)s messages it is not known whether they arrived: they are not sent again by themselves.",
    )
