"""Offers kept, changed, put away; their stock of promo codes.

Who made his change from an older version than the present one is told so (`Overtaken`).
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session

from core.clock import utcnow
from mailings.models import Mailing, PromoCode
from mailings.models import Offer as OfferRow
from mailings.rules import offers
from mailings.rules.offers import BadOffer, Offer, OfferKind
from mailings.rules.states import MailingState

NAME_LENGTH = 200
MOST_CODES = 200_000
_BREAKS = re.compile(r"[\s,;]+")
_OVER = (MailingState.FINISHED, MailingState.CANCELLED)


class NoSuchOffer(LookupError):
    """This portal has no such offer."""


class Overtaken(Exception):
    """Somebody has saved another version since the one this change was made from."""


class InUse(Exception):
    """Mailings that are not over yet send this offer: `names`."""

    def __init__(self, names: list[str]) -> None:
        super().__init__(", ".join(names))
        self.names = names


@dataclass(frozen=True, slots=True)
class Wish:
    """An offer as somebody wants it kept."""

    kind: OfferKind
    name: str
    content: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Stock:
    """Promo codes of an offer: all, and those nobody has got."""

    total: int = 0
    free: int = 0


@dataclass(frozen=True, slots=True)
class Added:
    """What came of codes that were to be added: new ones, those there already, those that are no codes."""

    added: int
    known: int
    refused: tuple[str, ...]


def create(session: Session, portal_id: int, wish: Wish, *, user_id: int | None = None) -> OfferRow:
    """A new offer. Raises BadOffer."""
    row = OfferRow(
        portal_id=portal_id,
        kind=wish.kind,
        name=_named(wish.name),
        content=Offer.read(wish.content).as_json(),
        changed_by=user_id,
    )
    session.add(row)
    session.flush()
    return row


def change(
    session: Session,
    portal_id: int,
    offer_id: int,
    wish: Wish,
    *,
    made_from: int,
    user_id: int | None = None,
) -> OfferRow:
    """Save what was edited. Raises BadOffer, NoSuchOffer, Overtaken."""
    row = _locked(session, portal_id, offer_id)
    name, content = _named(wish.name), Offer.read(wish.content).as_json()
    if (row.kind, row.name, row.content) == (wish.kind, name, content):
        return row
    if made_from != row.version:
        raise Overtaken
    row.kind, row.name, row.content = wish.kind, name, content
    row.version += 1
    row.changed_by, row.changed_at = user_id, utcnow()
    session.flush()
    return row


def archive(session: Session, portal_id: int, offer_id: int, user_id: int | None = None) -> None:
    """Put an offer away: it is offered no more, what was sent stays. Raises InUse, NoSuchOffer."""
    row = _locked(session, portal_id, offer_id)
    query = sa.select(Mailing.name).where(
        Mailing.portal_id == portal_id,
        Mailing.offer_id == offer_id,
        Mailing.state.not_in((*_OVER, MailingState.DRAFT)),
    )
    if names := list(session.scalars(query.order_by(Mailing.id))):
        raise InUse(names)
    row.archived_at, row.changed_by = utcnow(), user_id


def find(session: Session, portal_id: int, offer_id: int) -> OfferRow:
    """The offer. Raises NoSuchOffer."""
    row = session.get(OfferRow, (portal_id, offer_id))
    if row is None or row.archived_at is not None:
        raise NoSuchOffer
    return row


def missing(row: OfferRow) -> tuple[str, ...]:
    """What must still be filled in before it may be sent out."""
    return offers.missing(OfferKind(row.kind), Offer.read(row.content))


def add_codes(session: Session, portal_id: int, offer_id: int, typed: str) -> Added:
    """Add the codes of a text or a file, one a line or by commas. Raises NoSuchOffer."""
    _locked(session, portal_id, offer_id)
    parts = [part for part in _BREAKS.split(typed.removeprefix("\ufeff")) if part]
    fit = list(dict.fromkeys(part for part in parts if offers.CODE.fullmatch(part)))
    refused = tuple(part[:80] for part in parts if not offers.CODE.fullmatch(part))
    room = max(0, MOST_CODES - stock(session, portal_id, [offer_id])[offer_id].total)
    added = 0
    for start in range(0, min(len(fit), room), 5_000):
        rows = [
            {"portal_id": portal_id, "offer_id": offer_id, "code": code}
            for code in fit[:room][start : start + 5_000]
        ]
        statement = insert(PromoCode).on_conflict_do_nothing().returning(PromoCode.code)
        added += len(session.execute(statement, rows).all())
    return Added(added, len(fit[:room]) - added, (*refused, *fit[room:]))


def remove_free_codes(session: Session, portal_id: int, offer_id: int) -> int:
    """Take back the codes nobody has got. Raises NoSuchOffer."""
    _locked(session, portal_id, offer_id)
    statement = (
        sa.delete(PromoCode)
        .where(
            PromoCode.portal_id == portal_id,
            PromoCode.offer_id == offer_id,
            PromoCode.delivery_id.is_(None),
        )
        .returning(PromoCode.code)
    )
    return len(session.scalars(statement).all())


def stock(session: Session, portal_id: int, offer_ids: Iterable[int]) -> dict[int, Stock]:
    """The codes of each of these offers."""
    wanted = list(offer_ids)
    free = sa.func.count().filter(PromoCode.delivery_id.is_(None))
    query = (
        sa.select(PromoCode.offer_id, sa.func.count(), free)
        .where(PromoCode.portal_id == portal_id, PromoCode.offer_id.in_(wanted))
        .group_by(PromoCode.offer_id)
    )
    found = {number: Stock(total, left) for number, total, left in session.execute(query)}
    return {number: found.get(number, Stock()) for number in wanted}


def _locked(session: Session, portal_id: int, offer_id: int) -> OfferRow:
    row = session.get(OfferRow, (portal_id, offer_id), with_for_update=True, populate_existing=True)
    if row is None or row.archived_at is not None:
        raise NoSuchOffer
    return row


def _named(name: str) -> str:
    cleaned = " ".join(name.replace("\0", "").split())[:NAME_LENGTH]
    if not cleaned:
        raise BadOffer({"name": "empty"})
    return cleaned
