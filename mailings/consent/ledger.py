"""The ledger of consents: lines are added, never changed; what they come to is derived in the same statement.

The latest word of an address about a topic on a channel counts, by when it was said, not by when we heard
of it. Of a yes and a no of the same moment the no counts. Nobody agrees tomorrow: a later moment than now is now.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import asdict, dataclass
from datetime import datetime

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import distinct_on, insert
from sqlalchemy.orm import Session

from core.clock import utcnow
from mailings import touching
from mailings.consent.hashing import address_hash
from mailings.permissions import Consent, ConsentRecord
from mailings.rules.consents import FIRST_TOPIC

_AT_ONCE = 2000
_KEY = ("portal_id", "channel", "topic", "address_hash")


@dataclass(frozen=True, slots=True)
class Line:
    """One word to be recorded: of a normalised address, with the proof there is."""

    channel: str
    address: str
    given: bool
    source: str
    happened_at: datetime
    topic: str = FIRST_TOPIC
    text_version: str | None = None
    text_hash: str | None = None
    ip: str | None = None
    user_agent: str | None = None
    actor: str | None = None
    proof: str | None = None


def record(  # noqa: PLR0913 - a line has so many parts
    session: Session,
    portal_id: int,
    *,
    channel: str,
    topic: str,
    address: str,
    given: bool,
    source: str,
    happened_at: datetime,
    **proof: str | None,
) -> None:
    """Add one line. `proof`: text_version, text_hash, ip, user_agent, actor, proof."""
    line = Line(channel, address, given, source, happened_at, topic, **proof)
    record_all(session, portal_id, [line])


def record_all(session: Session, portal_id: int, lines: Iterable[Line]) -> int:
    """Add these lines, in one statement a portion; how many."""
    rows = [_row(portal_id, line) for line in lines]
    for start in range(0, len(rows), _AT_ONCE):
        portion = rows[start : start + _AT_ONCE]
        _add(session, portion)
        touching.note_addresses(session, portal_id, [str(row["address"]) for row in portion])
    return len(rows)


def stands(
    session: Session, portal_id: int, channel: str, topic: str, address: str
) -> Consent | None:
    """What the ledger comes to for a normalised address; None when it never said anything."""
    key = (portal_id, channel, topic, address_hash(portal_id, address))
    return session.get(Consent, key, populate_existing=True)


def lines_of(
    session: Session, portal_id: int, addresses: Iterable[str], channel: str | None = None
) -> list[ConsentRecord]:
    """Every line of these normalised addresses, the oldest first."""
    hashes = [address_hash(portal_id, each) for each in addresses]
    query = sa.select(ConsentRecord).where(
        ConsentRecord.portal_id == portal_id, ConsentRecord.address_hash.in_(hashes)
    )
    if channel is not None:
        query = query.where(ConsentRecord.channel == channel)
    return list(session.scalars(query.order_by(ConsentRecord.happened_at, ConsentRecord.id)))


def numbers(session: Session, portal_id: int, channel: str, topic: str) -> tuple[int, int]:
    """How many addresses said yes, and how many no."""
    query = sa.select(
        sa.func.count().filter(Consent.given), sa.func.count().filter(~Consent.given)
    ).where(Consent.portal_id == portal_id, Consent.channel == channel, Consent.topic == topic)
    given, refused = session.execute(query).one()
    return given, refused


def _row(portal_id: int, line: Line) -> dict[str, object]:
    if not line.source.strip():
        raise ValueError("a consent has a source")
    if line.happened_at.tzinfo is None:
        raise ValueError("a consent was given at a moment with a time zone")
    return {
        **asdict(line),
        "portal_id": portal_id,
        "address_hash": address_hash(portal_id, line.address),
        "happened_at": min(line.happened_at, utcnow()),
    }


def _add(session: Session, rows: list[dict[str, object]]) -> None:
    line = ConsentRecord
    added = (
        insert(line)
        .values(rows)
        .returning(*(getattr(line, name) for name in (*_KEY, "given", "happened_at", "id")))
        .cte("added")
    )
    keys = [added.c[name] for name in _KEY]
    latest = (
        sa.select(*keys, added.c.given, added.c.happened_at, added.c.id)
        .ext(distinct_on(*keys))
        .order_by(*keys, added.c.happened_at.desc(), added.c.given, added.c.id.desc())
    )
    put = insert(Consent).from_select([*_KEY, "given", "happened_at", "record_id"], latest)
    new, old = put.excluded, Consent
    no_of_then = sa.and_(new.happened_at == old.happened_at, ~new.given, old.given)
    session.execute(
        put.on_conflict_do_update(
            index_elements=list(_KEY),
            set_={name: new[name] for name in ("given", "happened_at", "record_id")},
            where=sa.or_(new.happened_at > old.happened_at, no_of_then),
        ).execution_options(synchronize_session=False)
    )
