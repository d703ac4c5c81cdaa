"""Everything that is known of one person, table by table; the proof of his consents; and its removal.

A person is a card and the addresses it has, or had when letters went to it. What was merged into the card is his too.
"""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm import Session

from core.database import Base, any_of
from integration.mirror import Address
from integration.models import MergedClient
from mailings.consent import ledger
from mailings.consent.hashing import address_hash
from mailings.models import (
    Attribution,
    Delivery,
    DeliveryAttempt,
    DeliveryEvent,
    PromoCode,
)
from mailings.permissions import Consent, ConsentRecord, Suppression

KINDS = ("contact", "company", "lead")
_OWNER_TYPES = {"lead": 1, "deal": 2, "contact": 3, "company": 4}
_FORMULA = ("=", "+", "-", "@", "\t", "\r", "\0")
_PROOF = (
    "happened_at", "recorded_at", "channel", "topic", "address", "given", "source",
    "text_version", "text_hash", "ip", "user_agent", "actor", "proof",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Person:
    """A card, those merged into it, and their normalised addresses."""

    portal_id: int
    kind: str
    ids: tuple[int, ...]
    addresses: tuple[str, ...]

    @property
    def hashes(self) -> list[bytes]:
        """The addresses as they are remembered."""
        return [address_hash(self.portal_id, each) for each in self.addresses]


def find(session: Session, portal_id: int, kind: str, card_id: int) -> Person:
    """The person of a card, also of one that is gone."""
    merged = sa.select(MergedClient.loser_id).where(
        MergedClient.portal_id == portal_id,
        MergedClient.kind == kind,
        MergedClient.winner_id == card_id,
    )
    ids = (card_id, *session.scalars(merged))
    own = sa.select(Address.normalised).where(
        Address.portal_id == portal_id,
        Address.entity == kind,
        Address.entity_id == any_of(ids),
        Address.normalised.is_not(None),
    )
    written = sa.select(Delivery.address).where(
        Delivery.portal_id == portal_id,
        Delivery.kind == kind,
        Delivery.client_id == any_of(ids),
        Delivery.address.is_not(None),
    )
    found = session.scalars(sa.union(own, written))
    return Person(portal_id, kind, ids, tuple(sorted(str(each) for each in found)))


def known(session: Session, person: Person) -> Iterator[tuple[str, dict[str, Any]]]:
    """Every row of every table that knows the person: (table, row)."""
    for table, condition in _tables(person):
        query = sa.select(table).where(table.c.portal_id == person.portal_id, condition)
        for row in session.execute(query).mappings():
            yield table.name, {name: _plain(value) for name, value in row.items()}


def proof(session: Session, person: Person) -> str:
    """What he agreed to and took back, as CSV a spreadsheet opens without taking any cell for a formula."""
    return as_csv(ledger.lines_of(session, person.portal_id, person.addresses))


def as_csv(lines: Iterable[ConsentRecord]) -> str:
    """These lines of the ledger with all that proves them, for a spreadsheet."""
    text = io.StringIO()
    writer = csv.writer(text, delimiter=";", lineterminator="\r\n")
    writer.writerow(_PROOF)
    for line in lines:
        writer.writerow([_safe(value) for value in _told(line).values()])
    return text.getvalue()


def as_json(lines: Iterable[ConsentRecord]) -> str:
    """The same for a program: a list, each line with the same names."""
    return json.dumps([_told(line) for line in lines], ensure_ascii=False, indent=1, default=str)


def _told(line: ConsentRecord) -> dict[str, Any]:
    return {name: getattr(line, name) for name in _PROOF}


def deliveries_of(person: Person) -> sa.Select[Any]:
    """Numbers of the messages he was sent, by any card with one of his addresses."""
    return sa.select(Delivery.id).where(Delivery.portal_id == person.portal_id, _sent_to(person))


def _sent_to(person: Person) -> Any:
    own = sa.and_(Delivery.kind == person.kind, Delivery.client_id == any_of(person.ids))
    return sa.or_(own, Delivery.address.in_(person.addresses)) if person.addresses else own


def _tables(person: Person) -> Iterable[tuple[sa.Table, Any]]:
    """Tables by what they know a person by; a table of the future that has such columns is found too."""
    ours = {
        Delivery.__tablename__: _sent_to(person),
        DeliveryAttempt.__tablename__: DeliveryAttempt.delivery_id.in_(deliveries_of(person)),
        DeliveryEvent.__tablename__: DeliveryEvent.delivery_id.in_(deliveries_of(person)),
        PromoCode.__tablename__: PromoCode.delivery_id.in_(deliveries_of(person)),
        Attribution.__tablename__: Attribution.delivery_id.in_(deliveries_of(person)),
        ConsentRecord.__tablename__: ConsentRecord.address_hash.in_(person.hashes),
        Consent.__tablename__: Consent.address_hash.in_(person.hashes),
        Suppression.__tablename__: Suppression.address_hash.in_(person.hashes),
    }
    for table in Base.metadata.sorted_tables:
        condition = ours.get(table.name)
        if condition is None:
            condition = _by_columns(table, person)
        if condition is not None:
            yield table, condition


def _by_columns(table: sa.Table, person: Person) -> Any:
    columns, ids = table.c, any_of(person.ids)
    pairs = (
        ("kind", "client_id"), ("kind", "member_id"), ("kind", "card_id"),
        ("entity", "entity_id"), ("entity", "bitrix_id"), ("entity", "owner_id"),
    )  # fmt: skip
    if table.name == f"{person.kind}s".replace("companys", "companies"):
        return columns.bitrix_id == ids
    for kind, number in pairs:
        if kind in columns and number in columns and "portal_id" in columns:
            same = columns[number] == ids
            if isinstance(columns[number].type, sa.Text):  # numbers of rows that did not fit
                same = columns[number].in_([str(each) for each in person.ids])
            return sa.and_(columns[kind] == person.kind, same)
    if {"owner_type", "owner_id"} <= set(columns.keys()):
        owner = columns.owner_type == _OWNER_TYPES[person.kind]
        return sa.and_(owner, columns.owner_id == ids)
    if {"kind", "loser_id"} <= set(columns.keys()):
        winner = sa.or_(columns.winner_id == ids, columns.loser_id == ids)
        return sa.and_(columns["kind"] == person.kind, winner)
    if f"{person.kind}_id" in columns and "portal_id" in columns:
        return columns[f"{person.kind}_id"] == ids
    return None


def _plain(value: Any) -> Any:
    return value.hex() if isinstance(value, bytes | memoryview) else value


def _safe(value: Any) -> str:
    text = "" if value is None else str(value)
    return "'" + text if text.startswith(_FORMULA) else text
