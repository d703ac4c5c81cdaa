"""How the person of a tab can be reached: e-mail addresses with what is on record about each, and phones."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm import Session

from insights.subject import Subject
from integration.mirror import Address, AddressKind
from mailings.consent import settings as permission
from mailings.consent.hashing import address_hash
from mailings.consent.suppressions import in_force
from mailings.permissions import Consent, Suppression
from mailings.rules.consents import FIRST_TOPIC, Reason
from mailings.rules.states import ChannelKey

STOPPED_HERE = "client_card"
"""The source of a stop made on the tab."""
PHONES = 3


@dataclass(frozen=True, slots=True)
class Reach:
    """Whether an address may be written to. `said`: yes, no, or nothing; `stopped`: why nobody writes to it."""

    address: str
    said: bool | None
    said_at: datetime | None
    stopped: str | None
    stopped_at: datetime | None
    as_client: bool
    source: str | None = None

    @property
    def allowed(self) -> bool:
        """Whether a mailing may go to it."""
        return self.stopped is None and (self.as_client if self.said is None else self.said)

    @property
    def by_hand(self) -> bool:
        """Whether it was stopped on the tab, so that it may be allowed there; an administrator's word stands."""
        return self.stopped == Reason.MANUAL and self.source == STOPPED_HERE


def phones(session: Session, portal_id: int, subject: Subject) -> list[str]:
    """The first phones of the card, as they are dialled."""
    return list(dict.fromkeys(_of(session, portal_id, subject, AddressKind.PHONE)))[:PHONES]


def reach(session: Session, portal_id: int, subject: Subject) -> list[Reach]:
    """The e-mail addresses of the card, with what is on record about each."""
    addresses = sorted(set(_of(session, portal_id, subject, AddressKind.EMAIL)))
    basis = permission.rules_of(session, portal_id).basis
    as_client = subject.kind.value not in basis.needs_yes(ChannelKey.EMAIL)
    said = _by_hash(session, Consent, portal_id, addresses, Consent.topic == FIRST_TOPIC)
    stopped = _by_hash(session, Suppression, portal_id, addresses, in_force(Suppression))
    found = []
    for address in addresses:
        key = address_hash(portal_id, address)
        consent, stop = said.get(key), stopped.get(key)
        found.append(
            Reach(
                address=address,
                said=consent.given if consent else None,
                said_at=consent.happened_at if consent else None,
                stopped=stop.reason if stop else None,
                stopped_at=stop.at if stop else None,
                as_client=as_client,
                source=stop.source if stop else None,
            )
        )
    return found


def _of(session: Session, portal_id: int, subject: Subject, kind: AddressKind) -> list[str]:
    query = (
        sa.select(Address.normalised)
        .where(
            Address.portal_id == portal_id,
            Address.entity == subject.kind.value,
            Address.entity_id == subject.id,
            Address.kind == kind.value,
            Address.normalised.is_not(None),
        )
        .order_by(Address.position)
    )
    return [str(each) for each in session.scalars(query)]


def _by_hash(
    session: Session, table: Any, portal_id: int, addresses: Sequence[str], condition: Any
) -> dict[bytes, Any]:
    hashes = [address_hash(portal_id, each) for each in addresses]
    query = sa.select(table).where(
        table.portal_id == portal_id,
        table.channel == ChannelKey.EMAIL.value,
        table.address_hash.in_(hashes),
        condition,
    )
    return {bytes(row.address_hash): row for row in session.scalars(query)}
