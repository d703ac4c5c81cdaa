"""What became of a mailing's deliveries, as numbers and row by row; the states add up to the audience."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm import Session

from mailings.models import Delivery, Mailing
from mailings.rules.states import DeliveryState

_BATCH = 5000
_SHOWN = ("id", "kind", "client_id", "state", "address", "reason", "code", "attempt", "sent_at")


def numbers(session: Session, mailing: Mailing) -> dict[str, int]:
    """How many deliveries are in each state."""
    query = (
        sa.select(Delivery.state, sa.func.count())
        .where(Delivery.portal_id == mailing.portal_id, Delivery.mailing_id == mailing.id)
        .group_by(Delivery.state)
    )
    found = dict(session.execute(query).all())
    return {state.value: found.get(state.value, 0) for state in DeliveryState}


def rows(session: Session, portal_id: int, mailing_id: int) -> Iterator[dict[str, Any]]:
    """Every delivery, in portions from the database."""
    query = (
        sa.select(*(getattr(Delivery, name) for name in _SHOWN))
        .where(Delivery.portal_id == portal_id, Delivery.mailing_id == mailing_id)
        .order_by(Delivery.id)
        .execution_options(yield_per=_BATCH)
    )
    for row in session.execute(query).mappings():
        yield dict(row)
