"""The list of offers: found by name and kind, sorted, page by page; and many of them put away at once."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm import Session

from core import keyset
from core.web.lists import Asked, Column, Listing, ListKey, Picked
from core.web.words import N_
from mailings.content import offers
from mailings.content.offers import InUse, NoSuchOffer
from mailings.models import Offer
from mailings.rules.offers import OfferKind

PAGE = 50
AT_ONCE = 200

LISTING = Listing(
    ListKey.OFFERS,
    columns=(
        Column("name", N_("Title"), first="asc"),
        Column("till", N_("Valid till"), first="asc"),
        Column("codes", N_("Promo codes"), "num"),
        Column("left", N_("Left to fill in"), "num"),
        Column("changed", N_("Changed"), first="desc"),
    ),
    filters=("search", "kind"),
    sort="-changed",
)
_NEVER = "9999"
_BY: dict[str, sa.ColumnElement[Any]] = {
    "name": sa.func.lower(Offer.name, type_=sa.Text),
    "till": sa.func.coalesce(Offer.content["valid_till"].astext, _NEVER, type_=sa.Text),
    "changed": Offer.changed_at.expression,
}


def page(session: Session, portal_id: int, asked: Asked) -> tuple[list[Offer], str]:
    """Offers, and after what the next page begins."""
    name, descending = asked.by
    order = keyset.Order((_BY[name], Offer.id.expression), descending)
    return keyset.page(session, _query(portal_id, asked), order, asked.after, PAGE)


def number(session: Session, portal_id: int, asked: Asked) -> int:
    """How many there are."""
    query = sa.select(sa.func.count()).select_from(_query(portal_id, asked).subquery())
    return session.scalar(query) or 0


def anything(session: Session, portal_id: int) -> bool:
    """Whether there is any offer to be shown."""
    kept = Offer.portal_id == portal_id, Offer.archived_at.is_(None)
    return bool(session.scalar(sa.select(sa.exists().where(*kept))))


def put_away(
    session: Session, portal_id: int, chosen: Picked, user_id: int
) -> tuple[int, Sequence[tuple[str, list[str]]]]:
    """Put the ticked ones away: how many were; the others with the mailings that send them."""
    done, refused = 0, []
    for offer_id in _picked(session, portal_id, chosen):
        try:
            name = offers.find(session, portal_id, offer_id).name
            offers.archive(session, portal_id, offer_id, user_id)
        except NoSuchOffer:
            continue
        except InUse as error:
            refused.append((name, error.names))
            continue
        done += 1
    return done, refused


def _picked(session: Session, portal_id: int, chosen: Picked) -> list[int]:
    if not chosen.every:
        return chosen.numbers()[:AT_ONCE]
    query = _query(portal_id, LISTING.asked(chosen.query)).with_only_columns(Offer.id)
    return list(session.scalars(query.order_by(Offer.id).limit(AT_ONCE)))


def _query(portal_id: int, asked: Asked) -> sa.Select[Any]:
    query = sa.select(Offer).where(Offer.portal_id == portal_id, Offer.archived_at.is_(None))
    if asked["kind"] in set(OfferKind):
        query = query.where(Offer.kind == asked["kind"])
    words = asked["search"].split()[:5]
    return query.where(*(Offer.name.icontains(word, autoescape=True) for word in words))
