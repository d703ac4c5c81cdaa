"""Consents from a file or another list, with a declared source: taken, or refused with the reason.

A file never makes anybody consenting who withdrew later, or nobody knows when he agreed, and never lifts what
is suppressed: such rows are refused, so whoever imports sees them.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import islice

import sqlalchemy as sa
from sqlalchemy.orm import Session

from core.clock import utcnow
from integration.rules import addresses
from mailings.consent import ledger, topics
from mailings.consent.hashing import address_hash
from mailings.consent.ledger import Line
from mailings.consent.suppressions import in_force
from mailings.permissions import Consent, Suppression
from mailings.rules.consent_files import BadFile, Refusal, Row, moment, rows, too_long, yes
from mailings.rules.consents import FIRST_TOPIC
from mailings.rules.states import ChannelKey

_AT_ONCE = 2000
_CLOCKS_DIFFER = timedelta(minutes=5)

__all__ = ["BadFile", "Imported", "NoSource", "Refusal", "Refused", "import_file", "import_rows"]


class NoSource(ValueError):
    """Nobody said where the consents come from."""


@dataclass(frozen=True, slots=True)
class Refused:
    """A row that was not taken."""

    row: int
    address: str
    reason: Refusal


@dataclass(frozen=True, slots=True)
class Imported:
    """What came of a file."""

    imported: int
    refused: tuple[Refused, ...]


@dataclass(frozen=True, slots=True)
class _Understood:
    row: Row
    address: str
    topic: str
    given: bool
    happened_at: datetime | None

    @property
    def key(self) -> tuple[str, str]:
        return self.address, self.topic


def import_file(
    session: Session,
    portal_id: int,
    channel: str,
    source: str,
    data: bytes,
    *,
    actor: str | None = None,
) -> Imported:
    """Consents of a CSV file with a column `address`. Raises BadFile, NoSource."""
    return import_rows(session, portal_id, channel, source, rows(data), actor=actor)


def import_rows(
    session: Session,
    portal_id: int,
    channel: str,
    source: str,
    found: Iterable[Row],
    *,
    actor: str | None = None,
) -> Imported:
    """The same of rows that were read already. Raises NoSource."""
    declared = " ".join(source.split())
    if not declared:
        raise NoSource
    known, seen = topics.known(session, portal_id), set[tuple[str, str]]()
    imported, refused = 0, list[Refused]()
    for portion in _portions(found):
        taken: list[_Understood] = []
        for row in portion:
            read = _understood(row, channel, known)
            if isinstance(read, Refusal):
                refused.append(Refused(row.number, row["address"][:200], read))
            elif read.key in seen:
                refused.append(Refused(row.number, read.address, Refusal.TWICE))
            else:
                seen.add(read.key)
                taken.append(read)
        allowed = list(_allowed(session, portal_id, channel, taken, refused))
        lines = (_line(each, channel, declared, actor) for each in allowed)
        imported += ledger.record_all(session, portal_id, lines)
    return Imported(imported, tuple(sorted(refused, key=lambda each: each.row)))


def _understood(row: Row, channel: str, known: frozenset[str]) -> _Understood | Refusal:
    if too_long(row):
        return Refusal.TOO_LONG
    if not row["address"]:
        return Refusal.NO_ADDRESS
    address = normalised(channel, row["address"])
    if address is None:
        return Refusal.NOT_AN_ADDRESS
    given, topic = yes(row["given"]), row["topic"] or FIRST_TOPIC
    if given is None:
        return Refusal.NOT_YES_OR_NO
    if topic not in known:
        return Refusal.NO_SUCH_TOPIC
    happened_at = moment(row["happened_at"]) if row["happened_at"] else None
    if row["happened_at"] and happened_at is None:
        return Refusal.NOT_A_DATE
    if happened_at is not None and happened_at > utcnow() + _CLOCKS_DIFFER:
        return Refusal.IN_THE_FUTURE
    return _Understood(row, address, topic, given, happened_at)


def normalised(channel: str, typed: str) -> str | None:
    """An address of the channel as the mirror keeps it; None when it is none."""
    if channel == ChannelKey.CALL_LIST:
        found = addresses.phones(typed)
        return found[0].value if len(found) == 1 else None
    return addresses.email(typed).value


def _allowed(
    session: Session,
    portal_id: int,
    channel: str,
    taken: list[_Understood],
    refused: list[Refused],
) -> Iterator[_Understood]:
    """Without those whose yes stands against a later no, or a suppression. A no is always welcome."""
    hashes = {each.address: address_hash(portal_id, each.address) for each in taken}
    wanted = list(hashes.values())
    said = sa.select(Consent.address_hash, Consent.topic, Consent.happened_at).where(
        Consent.portal_id == portal_id,
        Consent.channel == channel,
        Consent.address_hash.in_(wanted),
        ~Consent.given,
    )
    withdrawn = {(bytes(row[0]), row[1]): row[2] for row in session.execute(said)}
    query = sa.select(Suppression.address_hash).where(
        Suppression.portal_id == portal_id,
        Suppression.channel == channel,
        Suppression.address_hash.in_(wanted),
        in_force(Suppression),
    )
    suppressed = {bytes(found) for found in session.scalars(query)}
    for each in taken:
        own = hashes[each.address]
        no_at = withdrawn.get((own, each.topic))
        if each.given and own in suppressed:
            refused.append(Refused(each.row.number, each.address, Refusal.SUPPRESSED))
        elif each.given and no_at and (each.happened_at is None or each.happened_at <= no_at):
            refused.append(Refused(each.row.number, each.address, Refusal.WITHDRAWN_LATER))
        else:
            yield each


def _line(each: _Understood, channel: str, source: str, actor: str | None) -> Line:
    cells = {name: each.row[name] or None for name in ("text_version", "ip", "user_agent", "proof")}
    return Line(
        channel=channel,
        address=each.address,
        given=each.given,
        source=source,
        happened_at=each.happened_at or utcnow(),
        topic=each.topic,
        actor=actor,
        **cells,
    )


def _portions(found: Iterable[Row]) -> Iterator[list[Row]]:
    left = iter(found)
    while portion := list(islice(left, _AT_ONCE)):
        yield portion
