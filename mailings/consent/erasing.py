"""A person's data removed from every mailing table; what has to stay are numbers and hashes.

His addresses are suppressed by their hashes for good, and his card is remembered by its number: should either
come back with a sync, nobody writes to him. What is under way to him is stopped first; a letter of which the server may
have had the last word already finds its own end.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session

from mailings.consent import persons, suppressions
from mailings.consent.persons import Person
from mailings.models import Delivery, DeliveryAttempt, DeliveryEvent
from mailings.permissions import ConsentRecord, ErasedClient, Suppression
from mailings.rules.consents import Reason
from mailings.rules.states import ChannelKey, DeliveryState, SkipReason

_STOPPED = (
    DeliveryState.HELD,
    DeliveryState.PENDING,
    DeliveryState.CLAIMED,
    DeliveryState.DEFERRED,
)


@dataclass(frozen=True, slots=True)
class Erased:
    """What was done: addresses suppressed, rows emptied by table."""

    addresses: int
    deliveries: int
    attempts: int
    events: int
    consents: int

    def as_dict(self) -> dict[str, int]:
        """The numbers by name."""
        return asdict(self)


def erase(session: Session, portal_id: int, kind: str, card_id: int, *, actor: str) -> Erased:
    """Remove what is known of the person of a card. Doing it again changes nothing."""
    person = persons.find(session, portal_id, kind, card_id)
    for address in person.addresses:
        for channel in ChannelKey:
            suppressions.suppress(
                *(session, portal_id, channel.value, address, Reason.ERASED),
                source="erased on demand",
                actor=actor,
            )
    numbers = sorted(session.scalars(persons.deliveries_of(person)))
    _remember(session, person)
    return Erased(
        addresses=len(person.addresses),
        attempts=_empty(session, person, DeliveryAttempt, numbers, text=None),
        events=_empty(session, person, DeliveryEvent, numbers, detail=sa.null()),
        deliveries=_deliveries(session, person, numbers),
        consents=_consents(session, person),
    )


def _remember(session: Session, person: Person) -> None:
    rows = [
        {"portal_id": person.portal_id, "kind": person.kind, "client_id": number}
        for number in person.ids
    ]
    session.execute(insert(ErasedClient).values(rows).on_conflict_do_nothing())


def _deliveries(session: Session, person: Person, numbers: list[int]) -> int:
    mine = (Delivery.portal_id == person.portal_id, Delivery.id.in_(numbers))
    stopped = Delivery.state.in_([state.value for state in _STOPPED])
    return _changed(
        session,
        sa.update(Delivery)
        .where(*mine)
        .values(
            state=sa.case((stopped, DeliveryState.SKIPPED.value), else_=Delivery.state),
            reason=sa.case((stopped, SkipReason.GONE.value), else_=Delivery.reason),
            owner=sa.case((stopped, sa.null()), else_=Delivery.owner),
            lease_until=sa.case((stopped, sa.null()), else_=Delivery.lease_until),
            next_try_at=sa.null(),
            address=None,
            provider_id=None,
        ),
    )


def _consents(session: Session, person: Person) -> int:
    """The lines stay, as proof that somebody said yes or no: without who, from where, with what."""
    hashes = person.hashes
    session.execute(
        sa.update(Suppression)
        .where(Suppression.portal_id == person.portal_id, Suppression.address_hash.in_(hashes))
        .values(address=None)
        .execution_options(synchronize_session=False)
    )
    return _changed(
        session,
        sa.update(ConsentRecord)
        .where(ConsentRecord.portal_id == person.portal_id, ConsentRecord.address_hash.in_(hashes))
        .values(address=None, ip=None, user_agent=None, proof=None),
    )


def _empty(session: Session, person: Person, table: Any, numbers: list[int], **emptied: Any) -> int:
    return _changed(
        session,
        sa.update(table)
        .where(table.portal_id == person.portal_id, table.delivery_id.in_(numbers))
        .values(**emptied),
    )


def _changed(session: Session, change: sa.Update) -> int:
    done = session.execute(change.execution_options(synchronize_session=False))
    return int(getattr(done, "rowcount", 0))
