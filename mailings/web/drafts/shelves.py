"""The list of mailings: by state, name and channel, sorted, page by page; and those of it that were ticked."""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm import Session

from core import keyset
from core.web.lists import Asked, Column, Listing, ListKey, Picked
from core.web.words import N_
from mailings.models import Mailing
from mailings.rules.states import ChannelKey, MailingState
from mailings.web.drafts import listing
from mailings.web.drafts.listing import Line

PAGE = 25
AT_ONCE = 200
SHELVES: dict[str, tuple[MailingState, ...]] = {
    "draft": (MailingState.DRAFT,),
    "scheduled": (MailingState.SCHEDULED,),
    "running": (MailingState.PLANNING, MailingState.RUNNING),
    "paused": (MailingState.PAUSED,),
    "finished": (MailingState.FINISHED,),
    "cancelled": (MailingState.CANCELLED,),
}
"""Which states each part of the list holds."""

LISTING = Listing(
    ListKey.MAILINGS,
    columns=(
        Column("name", N_("Title"), first="asc"),
        Column("state", N_("State")),
        Column("sent", N_("Sent"), "num"),
        Column("opened", N_("Opened"), "num"),
        Column("clicked", N_("Clicked"), "num"),
        Column("size", N_("Recipients"), "num", "desc", shown=False),
        Column("author", N_("Author")),
        Column("time", N_("Time"), first="desc"),
        Column("made", N_("Made"), first="desc", shown=False),
    ),
    filters=("search", "state", "channel"),
    sort="-made",
)
_AT = sa.func.coalesce(Mailing.finished_at, Mailing.started_at, Mailing.changed_at)
_BY: dict[str, tuple[sa.ColumnElement[Any], ...]] = {
    "name": (sa.func.lower(Mailing.name, type_=sa.Text), Mailing.id.expression),
    "size": (sa.func.coalesce(Mailing.size, -1), Mailing.id.expression),
    "time": (_AT, Mailing.id.expression),
    "made": (Mailing.id.expression,),
}


def page(session: Session, portal_id: int, asked: Asked) -> tuple[list[Line], str]:
    """Mailings, and after what the next page begins."""
    name, descending = asked.by
    order = keyset.Order(_BY[name], descending)
    found, after = keyset.page(session, _query(portal_id, asked), order, asked.after, PAGE)
    return listing.lines(session, portal_id, found), after


def every(session: Session, portal_id: int, asked: Asked) -> list[Line]:
    """All that are found, for a file; the newest first."""
    rows = session.scalars(_query(portal_id, asked).order_by(Mailing.id.desc()))
    return listing.lines(session, portal_id, rows)


def number(session: Session, portal_id: int, asked: Asked) -> int:
    """How many are found."""
    query = sa.select(sa.func.count()).select_from(_query(portal_id, asked).subquery())
    return session.scalar(query) or 0


def numbers(session: Session, portal_id: int) -> dict[str, int]:
    """How many mailings each part of the list holds; `all` of them."""
    query = sa.select(Mailing.state, sa.func.count()).where(Mailing.portal_id == portal_id)
    states = dict(session.execute(query.group_by(Mailing.state)).all())
    shelves = {key: sum(states.get(each, 0) for each in held) for key, held in SHELVES.items()}
    return {"all": sum(states.values()), **shelves}


def picked(session: Session, portal_id: int, chosen: Picked) -> list[int]:
    """The mailings that were ticked or found, some hundreds at most."""
    if not chosen.every:
        return chosen.numbers()[:AT_ONCE]
    query = _query(portal_id, LISTING.asked(chosen.query)).with_only_columns(Mailing.id)
    return list(session.scalars(query.order_by(Mailing.id).limit(AT_ONCE)))


def _query(portal_id: int, asked: Asked) -> sa.Select[Any]:
    query = sa.select(Mailing).where(Mailing.portal_id == portal_id)
    if asked["state"] in SHELVES:
        query = query.where(Mailing.state.in_(SHELVES[asked["state"]]))
    if asked["channel"] in set(ChannelKey):
        query = query.where(Mailing.channel == asked["channel"])
    words = asked["search"].split()[:5]
    return query.where(*(Mailing.name.icontains(word, autoescape=True) for word in words))
