"""Leases: kept up while a sender lives, taken back when it does not.

What a dead sender had only claimed goes back to the queue; what it had taken through the gate is `unknown`.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import UUID
from sqlalchemy.orm import Session

from mailings.channels.base import Outcome
from mailings.models import Delivery, DeliveryAttempt
from mailings.rules.states import DeliveryState
from mailings.sending.claiming import LEASE

_AT_ONCE = 5000


@dataclass(frozen=True, slots=True)
class Reaped:
    """How many deliveries of the dead went back, and how many nobody knows about."""

    returned: int = 0
    unknown: int = 0


def extend(session: Session, owners: Collection[str]) -> int:
    """The owners live: their leases begin anew. Rows being written at this moment are passed over."""
    if not owners:
        return 0
    held = (
        sa.select(Delivery.portal_id, Delivery.id)
        .where(
            _leased(),
            Delivery.owner == sa.any_(sa.cast(sorted(owners), sa.ARRAY(UUID(as_uuid=False)))),
        )
        .with_for_update(skip_locked=True)
        .cte("held")
    )
    extended = (
        sa.update(Delivery)
        .where(Delivery.portal_id == held.c.portal_id, Delivery.id == held.c.id)
        .values(lease_until=sa.func.now() + LEASE)
        .returning(Delivery.id)
        .execution_options(synchronize_session=False)
    )
    return len(session.execute(extended).all())


def reap(session: Session) -> Reaped:
    """Deliveries whose lease is over. The owner of an unknown one is kept: should it live, its word still counts."""
    over = (
        sa.select(Delivery.portal_id, Delivery.id, Delivery.state)
        .where(_leased(), Delivery.lease_until < sa.func.now())
        .limit(_AT_ONCE)
        .with_for_update(skip_locked=True)
        .cte("over")
    )
    was_sending = over.c.state == DeliveryState.SENDING.value
    reaped = (
        sa.update(Delivery)
        .where(Delivery.portal_id == over.c.portal_id, Delivery.id == over.c.id)
        .values(
            state=sa.case(
                (was_sending, DeliveryState.UNKNOWN.value), else_=DeliveryState.PENDING.value
            ),
            owner=sa.case((was_sending, Delivery.owner)),
            lease_until=None,
        )
        .returning(Delivery.portal_id, Delivery.id, Delivery.attempt, Delivery.state)
        .execution_options(synchronize_session=False)
    )
    rows = session.execute(reaped).all()
    unknown = [
        {
            "portal_id": portal_id, "delivery_id": number, "attempt": attempt,
            "outcome": Outcome.UNKNOWN.value, "text": "the sender stopped before the answer came",
        }
        for portal_id, number, attempt, state in rows
        if state == DeliveryState.UNKNOWN.value
    ]  # fmt: skip
    if unknown:
        session.execute(sa.insert(DeliveryAttempt), unknown)
    return Reaped(len(rows) - len(unknown), len(unknown))


def _leased() -> sa.ColumnElement[bool]:
    """As the index of leases has it."""
    return Delivery.state.in_([DeliveryState.CLAIMED.value, DeliveryState.SENDING.value])
