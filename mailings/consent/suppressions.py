"""Addresses nobody writes to: kept by hash, so that they outlive the card, and its coming back.

One row per channel and address. Of two reasons the stronger is kept, of two terms the longer. Nothing lifts
a suppression but a person by name, and nobody lifts a complaint or an erasure.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session

from mailings import touching
from mailings.consent.hashing import address_hash
from mailings.permissions import Suppression
from mailings.rules.consents import STRONGEST_LAST, Reason

COUNTED = 100_000
_AT_ONCE = 1_000


class NeverLifted(Exception):
    """A complaint and an erasure stay for good."""


def suppress(  # noqa: PLR0913 - so much is kept of it
    session: Session,
    portal_id: int,
    channel: str,
    address: str,
    reason: Reason | str,
    *,
    source: str,
    mailing_id: int | None = None,
    until: datetime | None = None,
    actor: str | None = None,
) -> None:
    """Don't write to this normalised address any more, or `until` a moment."""
    for_good = not Reason(reason).liftable
    row = {
        "portal_id": portal_id,
        "channel": channel,
        "address_hash": address_hash(portal_id, address),
        "address": None if reason == Reason.ERASED else address,
        "reason": Reason(reason).value,
        "source": source,
        "mailing_id": mailing_id,
        "until": None if for_good else until,
        "actor": actor,
    }
    _put(session, [row])
    touching.note_addresses(session, portal_id, [address])


def stop(
    session: Session,
    portal_id: int,
    channel: str,
    addresses: Collection[str],
    *,
    source: str,
    actor: str,
) -> None:
    """Have nobody write to these normalised addresses any more: somebody by name says so."""
    rows = [
        {
            "portal_id": portal_id,
            "channel": channel,
            "address_hash": address_hash(portal_id, address),
            "address": address,
            "reason": Reason.MANUAL.value,
            "source": source,
            "actor": actor,
        }
        for address in sorted(set(addresses))
    ]
    for start in range(0, len(rows), _AT_ONCE):
        _put(session, rows[start : start + _AT_ONCE])
    touching.note_addresses(session, portal_id, addresses)


def stopped(session: Session, portal_id: int, channel: str, addresses: Collection[str]) -> set[str]:
    """Those of the normalised addresses nobody writes to now."""
    by_hash = {address_hash(portal_id, address): address for address in addresses}
    query = sa.select(Suppression.address_hash).where(
        Suppression.portal_id == portal_id,
        Suppression.channel == channel,
        Suppression.address_hash == sa.any_(sa.cast(list(by_hash), sa.ARRAY(sa.LargeBinary))),
        in_force(Suppression),
    )
    return {by_hash[bytes(found)] for found in session.scalars(query)}


def lift(session: Session, portal_id: int, channel: str, address: str, *, actor: str) -> bool:
    """Write to the address again; False when it was not suppressed. Raises NeverLifted."""
    if not actor.strip():
        raise ValueError("somebody has to answer for it")
    found = of(session, portal_id, channel, address)
    if found is None:
        return False
    if not Reason(found.reason).liftable:
        raise NeverLifted(found.reason)
    session.delete(found)
    session.flush()
    touching.note_addresses(session, portal_id, [address])
    return True


def of(session: Session, portal_id: int, channel: str, address: str) -> Suppression | None:
    """What is on record about a normalised address, over or not."""
    key = (portal_id, channel, address_hash(portal_id, address))
    return session.get(Suppression, key, populate_existing=True)


def numbers(session: Session, portal_id: int) -> dict[Reason, int]:
    """How many addresses are suppressed now, by reason; of very many, one more than are counted."""
    counts = [
        sa.select(sa.func.count()).select_from(_some(portal_id, each)).scalar_subquery()
        for each in Reason
    ]
    found = session.execute(sa.select(*counts)).one()
    return {reason: number for reason, number in zip(Reason, found, strict=True) if number}


def _some(portal_id: int, reason: Reason) -> sa.Subquery:
    own = Suppression.portal_id == portal_id, Suppression.reason == reason.value
    query = sa.select(sa.literal(1)).where(*own, in_force(Suppression))
    return query.limit(COUNTED + 1).subquery()


def in_force(row: Any) -> sa.ColumnElement[bool]:
    """Whether it counts now, by the database's clock."""
    return sa.or_(row.until.is_(None), row.until > sa.func.now())


def strength(reason: sa.ColumnElement[Any] | Any) -> sa.ColumnElement[int]:
    """The reasons as numbers, the strongest the highest."""
    ranks: Iterable[tuple[str, int]] = ((each.value, n) for n, each in enumerate(STRONGEST_LAST))
    return sa.case(dict(ranks), value=reason, else_=-1)


def _put(session: Session, rows: Sequence[Mapping[str, Any]]) -> None:
    put = insert(Suppression).values(rows)
    new, old = put.excluded, Suppression
    over = sa.and_(old.until.is_not(None), old.until <= sa.func.now())
    wins = sa.or_(over, strength(new.reason) >= strength(old.reason))
    longer = sa.case(
        (over, new.until),
        (sa.or_(new.until.is_(None), old.until.is_(None)), sa.null()),
        else_=sa.func.greatest(new.until, old.until),
    )
    kept = ("reason", "source", "mailing_id", "actor", "address")
    changed = {name: sa.case((wins, new[name]), else_=getattr(old, name)) for name in kept}
    session.execute(
        put.on_conflict_do_update(
            index_elements=["portal_id", "channel", "address_hash"],
            set_={**changed, "at": sa.case((wins, new.at), else_=old.at), "until": longer},
        ).execution_options(synchronize_session=False)
    )
