"""What the list shows of a mailing, and how a started mailing stands: names, numbers, how it was set up."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm import Session

from core.web.words import gettext as _
from integration.mirror import PortalUser
from mailings.models import Delivery, Mailing
from mailings.rules.states import ChannelKey, DeliveryState
from mailings.sending import restored, servers
from mailings.web.drafts import pages as mailing_pages
from mailings.web.letters import pages as letter_pages
from mailings.web.words import mailing as mailing_words
from mailings.web.words import steering as steering_words
from segments.ready import presets
from segments.saved import Segment


@dataclass(frozen=True, slots=True)
class Line:
    """A mailing of the list, with the names of its audience and author."""

    mailing: Mailing
    audience: str
    author: str | None


@dataclass(frozen=True, slots=True)
class Progress:
    """How many messages have not come to an end yet, of how many clients."""

    open: int
    size: int

    @property
    def done(self) -> int:
        """How many have."""
        return max(self.size - self.open, 0)


def lines(session: Session, portal_id: int, found: Iterable[Mailing]) -> list[Line]:
    """Mailings as the list shows them."""
    mailings = list(found)
    segments = _names(session, Segment, portal_id, {each.segment_id for each in mailings})
    authors = _names(session, PortalUser, portal_id, {each.author_id for each in mailings})
    return [
        Line(each, _audience(each, segments), authors.get(each.author_id or 0)) for each in mailings
    ]


def line(session: Session, mailing: Mailing) -> Line:
    """One mailing as the list shows it."""
    return lines(session, mailing.portal_id, [mailing])[0]


def standing(session: Session, mailing: Mailing) -> dict[str, Any]:
    """Everything the page of a started mailing says of it, but its result."""
    facts = mailing_pages.portal_facts(session, mailing.portal_id)
    found, look = progress(session, mailing), _look(session, mailing)
    return {
        **facts,
        "mailing": mailing,
        "progress": found,
        "standing": steering_words.standing(mailing, facts["offset"]),
        "doings": steering_words.doings(mailing, found.open, look),
        "trouble": steering_words.trouble(mailing, facts["offset"], look),
        "setup": _setup(session, mailing, facts["offset"]),
    }


def progress(session: Session, mailing: Mailing) -> Progress:
    """How much of a started mailing is done."""
    query = sa.select(sa.func.count()).where(
        Delivery.portal_id == mailing.portal_id,
        Delivery.mailing_id == mailing.id,
    )
    due = query.where(
        Delivery.state.in_([DeliveryState.PENDING.value, DeliveryState.DEFERRED.value])
    )
    taken = query.where(
        Delivery.state.in_([DeliveryState.CLAIMED.value, DeliveryState.SENDING.value])
    )
    still = (session.scalar(due) or 0) + (session.scalar(taken) or 0)
    return Progress(still, mailing.size or 0)


def _look(session: Session, mailing: Mailing) -> steering_words.Look | None:
    gap = restored.gap_of(mailing)
    if gap is None:
        return None
    doubtful = restored.doubtful(session, mailing, gap)
    return steering_words.Look(gap, restored.choices(mailing, gap), doubtful)


def _setup(session: Session, mailing: Mailing, offset: int) -> list[tuple[str, str | None]]:
    """How a started mailing was set up, in words."""
    plan, shown = mailing_pages.plan_of(mailing), line(session, mailing)
    offers = dict(mailing_pages.offers_of(session, mailing))
    server = servers.choose(session, mailing) if mailing.channel == ChannelKey.EMAIL else None
    words = mailing_words
    return [
        (_("Whom"), (mailing.audience or {}).get("name") or shown.audience),
        (_("By what"), words.channels()[mailing.channel]),
        (_("Mail server"), server.name if server else None),
        (_("Letter") if server else _("To-do"), letter_pages.heads(session, mailing).subject),
        (_("Offer"), offers.get(mailing.offer_id or 0)),
        (_("When"), words.when(plan, mailing_pages.mode_of(mailing), mailing.start_at, offset)),
        (_("Author"), shown.author),
        (_("Started"), words.local(mailing.started_at, offset) if mailing.started_at else None),
    ]


def _audience(mailing: Mailing, segments: dict[int, str | None]) -> str:
    if mailing.preset:
        preset = presets.PRESETS.get(mailing.preset)
        return _(preset.name) if preset else mailing.preset
    return segments.get(mailing.segment_id or 0) or ""


def _names(
    session: Session, table: Any, portal_id: int, wanted: set[int | None]
) -> dict[int, str | None]:
    key = table.bitrix_id if table is PortalUser else table.id
    query = sa.select(key, table.name).where(
        table.portal_id == portal_id, key.in_([each for each in wanted if each is not None])
    )
    return dict(session.execute(query).all())
