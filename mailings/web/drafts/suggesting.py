"""What the first page shows of mailings: those going out now, and those that wait for somebody."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import timedelta

import sqlalchemy as sa
from sqlalchemy.orm import Session

from core.clock import utcnow
from core.web.words import gettext as _
from mailings.models import Mailing
from mailings.rules.states import MailingState
from mailings.web.drafts import listing as mailing_listing
from mailings.web.drafts.listing import Line, Progress
from mailings.web.drafts.shelves import SHELVES
from mailings.web.words import mailing as mailing_words
from segments.suggestions import Rank, Suggestion

SHOWN = 3
FRESH = timedelta(days=30)
"""An older draft has been given up."""
_STOPPED, _UNFINISHED = 2, 1


@dataclass(frozen=True, slots=True)
class Running:
    """A mailing under way; `progress`: None before its recipients are written down."""

    line: Line
    progress: Progress | None


def running(session: Session, portal_id: int) -> tuple[list[Running], int]:
    """The mailings going out now, the newest first, and how many there are in all."""
    states = [state.value for state in SHELVES["running"]]
    going = (Mailing.portal_id == portal_id, Mailing.state.in_(states))
    found = session.scalars(
        sa.select(Mailing).where(*going).order_by(Mailing.id.desc()).limit(SHOWN)
    )
    shown = [_running(session, each) for each in found]
    number = len(shown)
    if number == SHOWN:
        number = session.scalar(sa.select(sa.func.count()).select_from(Mailing).where(*going)) or 0
    return shown, number


def of(session: Session, portal_id: int) -> Iterator[Suggestion]:
    """Mailings that stopped or came back by themselves, and the draft somebody was at last."""
    told, fresh = Mailing.state_reason.is_not(None), Mailing.changed_at > utcnow() - FRESH
    paused, draft = (Mailing.state == each for each in (MailingState.PAUSED, MailingState.DRAFT))
    for mailing in _latest(session, portal_id, (paused | draft) & told, _STOPPED):
        why = mailing_words.reason(mailing.state_reason or "")
        yield Suggestion(
            *(Rank.STOPPED, _("Mailing"), "red", mailing.name),
            _("It has stopped: %(reason)s.", reason=why),
            *(_("Open the mailing"), f"/mailings/{mailing.id}"),
        )
    for mailing in _latest(session, portal_id, draft & ~told & fresh, _UNFINISHED):
        yield Suggestion(
            *(Rank.UNFINISHED, _("Draft"), "blue", mailing.name),
            _("The mailing is begun and not started yet: nobody gets it."),
            *(_("Go on with it"), f"/mailings/{mailing.id}"),
        )


def _running(session: Session, mailing: Mailing) -> Running:
    written = mailing.planned_at is not None
    return Running(
        mailing_listing.line(session, mailing),
        mailing_listing.progress(session, mailing) if written else None,
    )


def _latest(
    session: Session, portal_id: int, which: sa.ColumnElement[bool], limit: int
) -> Sequence[Mailing]:
    """The mailings changed last."""
    query = sa.select(Mailing).where(Mailing.portal_id == portal_id, which)
    latest = sa.func.greatest(Mailing.state_at, Mailing.changed_at)
    return session.scalars(query.order_by(latest.desc(), Mailing.id.desc()).limit(limit)).all()
