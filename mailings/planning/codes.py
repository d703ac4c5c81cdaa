"""Promo codes of an offer: how many are left, given out to those who get the letter, taken back."""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm import Session

from core.locks import one_at_a_time
from mailings.models import Delivery, Mailing, PromoCode
from mailings.rules.states import DeliveryState

_LOCK = 0x5043


def left(session: Session, mailing: Mailing) -> int | None:
    """How many codes nobody has; None when the offer has no stock of codes."""
    if mailing.offer_id is None:
        return None
    query = sa.select(
        sa.func.count(), sa.func.count().filter(PromoCode.delivery_id.is_(None))
    ).where(PromoCode.portal_id == mailing.portal_id, PromoCode.offer_id == mailing.offer_id)
    stock, free = session.execute(query).one()
    return free if stock else None


def hold(session: Session, mailing: Mailing) -> None:
    """Until the end of the transaction nobody else gives out the portal's codes."""
    if mailing.offer_id is not None:
        one_at_a_time(session, _LOCK, mailing.portal_id)


def give_out(session: Session, mailing: Mailing) -> int:
    """A code to every delivery that is to be sent and has none, in order; how many."""
    of_mailing = (
        Delivery.portal_id == mailing.portal_id,
        Delivery.mailing_id == mailing.id,
    )
    waiting = sa.select(
        Delivery.id, sa.func.row_number().over(order_by=Delivery.id).label("place")
    ).where(*of_mailing, Delivery.state == DeliveryState.PENDING.value, Delivery.code.is_(None))
    free = sa.select(
        PromoCode.code, sa.func.row_number().over(order_by=PromoCode.code).label("place")
    ).where(
        PromoCode.portal_id == mailing.portal_id,
        PromoCode.offer_id == mailing.offer_id,
        PromoCode.delivery_id.is_(None),
    )
    who, what = waiting.subquery("who"), free.subquery("what")
    pairs = sa.select(who.c.id, what.c.code).join(what, what.c.place == who.c.place).cte("pairs")
    taken: Any = (
        sa.update(PromoCode)
        .where(
            PromoCode.portal_id == mailing.portal_id,
            PromoCode.offer_id == mailing.offer_id,
            PromoCode.code == pairs.c.code,
        )
        .values(delivery_id=pairs.c.id)
        .returning(PromoCode.delivery_id, PromoCode.code)
        .cte("taken")
    )
    given = (
        sa.update(Delivery)
        .where(*of_mailing, Delivery.id == taken.c.delivery_id)
        .values(code=taken.c.code)
        .execution_options(synchronize_session=False)
    )
    return int(getattr(session.execute(given), "rowcount", 0))


def take_back(session: Session, mailing: Mailing) -> None:
    """Codes of deliveries that were cancelled before anything was sent are free again."""
    cancelled = sa.select(Delivery.id).where(
        Delivery.portal_id == mailing.portal_id,
        Delivery.mailing_id == mailing.id,
        Delivery.state == DeliveryState.CANCELLED.value,
        Delivery.code.is_not(None),
    )
    session.execute(
        sa.update(PromoCode)
        .where(
            PromoCode.portal_id == mailing.portal_id,
            PromoCode.offer_id == mailing.offer_id,
            PromoCode.delivery_id.in_(cancelled),
        )
        .values(delivery_id=None)
        .execution_options(synchronize_session=False)
    )
