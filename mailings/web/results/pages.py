"""What the pages of a result show: the card, the funnel, where the others went, files."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from sqlalchemy.orm import Session

from core import sheets
from core.web import formats
from core.web.lists import Asked, Column, Listing, ListKey
from core.web.words import N_
from core.web.words import gettext as _
from integration import kept
from integration.mirror import PortalUser
from integration.models import Portal
from mailings.models import Mailing
from mailings.results import course, details, follow_ups, recipients, report
from mailings.results.follow_ups import FollowUp
from mailings.results.recipients import Did, Recipient, Wanted
from mailings.results.report import Figures
from mailings.rules.rates import share
from mailings.rules.states import DeliveryState, MailingState
from mailings.web.words import mailing as mailing_words
from mailings.web.words import result as result_words
from segments.members import choosing
from segments.members.lists import AT_ONCE

_DAY = timedelta(days=1)
_LINES = {"sent": 1, "opened": 3, "clicked": 4, "replied": 5}
"""What a chart shows of a mailing in time, each in its colour."""


@dataclass(frozen=True, slots=True)
class Bar:
    """A step of the funnel: `width` and `left` of a hundred; `of_all` of the first step, `of_last` of the one above."""

    label: str
    number: int
    width: float
    left: float
    of_all: float | None
    of_last: float | None
    href: str


@dataclass(frozen=True, slots=True)
class Left:
    """So many got nothing, for this reason."""

    label: str
    number: int
    href: str


@dataclass(frozen=True, slots=True)
class Next:
    """A follow-up: what it is called, to how many."""

    whom: FollowUp
    label: str
    number: int


def card(session: Session, mailing: Mailing) -> dict[str, Any]:
    """The facts of the card alone."""
    author = session.get(PortalUser, (mailing.portal_id, mailing.author_id or 0))
    return {
        "author": author.name if author else None,
        "mailing": mailing,
        "figures": report.figures(session, mailing),
        "live": mailing.state in {MailingState.PLANNING, MailingState.RUNNING},
        "at": f"/mailings/{mailing.id}/recipients",
    }


def result(session: Session, mailing: Mailing) -> dict[str, Any]:
    """The facts of the whole page."""
    facts = card(session, mailing)
    figures: Figures = facts["figures"]
    return {
        **facts,
        "funnel": funnel(figures, mailing.id),
        "others": others(figures, mailing.id),
        "faults": details.faults(session, mailing) if figures.errors else [],
        "heat": details.heat(session, mailing),
        "nexts": nexts(session, mailing, figures),
    }


def went(session: Session, mailing: Mailing) -> dict[str, Any]:
    """The facts of how it went in time: the columns of its table, and a row for each step."""
    offset = session.get_one(Portal, mailing.portal_id).utc_offset_minutes
    found = course.course(session, mailing, offset)
    if found is None or len(found.at) == 1:
        return {"mailing": mailing, "columns": [], "rows": []}
    lines = [each for each in _LINES if each in found.reached]
    labels = result_words.course()
    clock = found.step < _DAY
    until = found.step if clock else found.step - _DAY
    return {
        "mailing": mailing,
        "columns": [
            {"label": _("By the time") if clock else _("By the end of the day")},
            *({"label": labels[each], "line": _LINES[each]} for each in lines),
        ],
        "rows": [
            (formats.tick(at + until, clock=clock), [found.reached[each][place] for each in lines])
            for place, at in enumerate(found.at)
        ],
    }


def funnel(figures: Figures, mailing_id: int) -> list[Bar]:
    """From the tried to the sold; what a channel can't know is left out."""
    at = f"/mailings/{mailing_id}/recipients"
    steps = [
        (_("Tried"), figures.attempted, f"{at}?state=attempted"),
        (_("Sent"), figures.sent, f"{at}?state=sent"),
    ]
    if figures.tracked:
        steps += [
            (_("Opened"), figures.opened, f"{at}?did=opened"),
            (_("Followed a link"), figures.clicked, f"{at}?did=clicked"),
        ]
    else:
        steps.append((_("Called"), figures.called, f"{at}?did=called"))
    converted, sales = figures.earned.clients, figures.earned.sales
    steps += [
        (_("Became a lead or deal"), converted, f"{at}?did=converted"),
        (_("Sales"), sales, f"/mailings/{mailing_id}/leads"),
    ]
    first = steps[0][1]
    bars, above = [], first
    for label, number, href in steps:
        width = round(100 * min(number / first, 1), 2) if first else 0.0
        left = round((100 - width) / 2, 2)
        bars.append(
            Bar(label, number, width, left, share(number, first), share(number, above), href)
        )
        above = number
    return bars


def others(figures: Figures, mailing_id: int) -> list[Left]:
    """Who of the audience got nothing on purpose, and why: the steps of the waterfall."""
    words, found = mailing_words.skips(), []
    for part in figures.parts:
        if part.state is DeliveryState.HELD:
            label = words["held"]
        elif part.state is DeliveryState.SKIPPED:
            label = words.get(part.reason or "", part.reason or "")
        elif part.state is DeliveryState.CANCELLED:
            label = _("left when the mailing was cancelled")
        else:
            continue
        where = f"/mailings/{mailing_id}/recipients?state={part.state}"
        href = f"{where}&reason={part.reason}" if part.reason else where
        found.append(Left(label, part.number, href))
    return sorted(found, key=lambda each: -each.number)


def nexts(session: Session, mailing: Mailing, figures: Figures) -> list[Next]:
    """Whom one may write to next."""
    over = MailingState(mailing.state).over or mailing.state == MailingState.PAUSED
    if not over or not figures.tracked or not figures.sent:
        return []
    words = result_words.follow_ups()
    counted = [
        Next(whom, words[whom], follow_ups.number(session, mailing, figures, whom))
        for whom in FollowUp
    ]
    return [each for each in counted if each.number]


LISTING = Listing(
    ListKey.RECIPIENTS,
    columns=(
        Column("client", N_("Client")),
        Column("state", N_("State")),
        Column("did", N_("Reaction")),
        Column("sent", N_("Sent"), first="desc"),
        Column("opened", N_("Opened"), first="desc", shown=False),
        Column("clicked", N_("Followed a link"), first="desc", shown=False),
    ),
    filters=("search", "state", "reason", "did"),
    sort="place",
)
LISTS = 100
SORTED = 50_000
"""Recipients of a larger mailing are shown in the order they were written down."""


def asked(session: Session, mailing: Mailing, user_id: int, arguments: Any) -> Asked:
    """What an address asks of the recipients."""
    listing = LISTING if (mailing.size or 0) <= SORTED else LISTING.unsorted()
    return listing.asked(
        arguments, kept.of(session, (mailing.portal_id, user_id, ListKey.RECIPIENTS))
    )


def wanted(which: Asked) -> Wanted:
    """The same as filters; what is unknown finds nobody."""
    return Wanted(which["state"], which["reason"], which["did"], which["search"])


def listed(session: Session, mailing: Mailing, which: Asked) -> dict[str, Any]:
    """The facts of the list of recipients, or of its next rows."""
    name, descending = which.by
    order = recipients.ordered(name, descending=descending)
    narrowed = wanted(which)
    found, after = recipients.page(session, mailing, narrowed, which.after, order=order)
    at = f"/mailings/{mailing.id}/recipients"
    facts = {
        "mailing": mailing, "found": found, "after": after, "asked": which, "at": at,
        "did_words": did_words,
    }  # fmt: skip
    if which.after:
        return facts
    parts = report.figures(session, mailing).parts
    lists = choosing.found(session, mailing.portal_id, limit=LISTS)
    return facts | {
        "number": recipients.number(session, mailing, narrowed),
        "reasons": sorted({part.reason for part in parts if part.reason}),
        "static_lists": [(str(each.id), each.name) for each in lists],
        "most": AT_ONCE,
    }


def file(session: Session, mailing: Mailing, which: Wanted) -> Iterator[bytes]:
    """Recipients as a file Excel opens, in portions."""
    headers = [
        _("Kind"), _("Number"), _("Name"), _("Address"), _("State"), _("Reason"), _("Answer of the server"),
        _("Sent"), _("Opened"), _("Followed a link"), _("Replied"), _("Unsubscribed"), _("Complained"),
    ]  # fmt: skip
    yield sheets.written([headers])
    for portion in recipients.every(session, mailing, which):
        yield sheets.lines(_cells(each) for each in portion)


def _cells(found: Recipient) -> list[str]:
    row, member = found.delivery, found.member
    answer = " ".join(str(part) for part in (row.reply_code, row.reply_status) if part)
    moments = (
        *(row.sent_at, row.human_opened_at, row.human_clicked_at),
        *(row.replied_at, row.unsubscribed_at, row.complained_at),
    )
    return [
        *(member.kind.value, str(member.id), member.name, row.address or ""),
        *(result_words.states()[row.state], result_words.reason(row.reason), answer),
        *("" if at is None else formats.moment(at) for at in moments),
    ]


def did_words(found: Recipient) -> list[str]:
    """What a recipient did, for the list."""
    row, words = found.delivery, result_words.dids()
    done = {
        Did.OPENED: row.human_opened_at, Did.CLICKED: row.human_clicked_at, Did.REPLIED: row.replied_at,
        Did.UNSUBSCRIBED: row.unsubscribed_at, Did.COMPLAINED: row.complained_at,
    }  # fmt: skip
    return [words[did] for did, at in done.items() if at is not None]
