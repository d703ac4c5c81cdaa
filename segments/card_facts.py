"""Tables of what is known of every card by heart: sums of its addresses and deals, so that counters add up numbers.

They follow the mirror in the background (`segments.facts`). A card is *unsure* while the mirror has noted a
change of it, or of one that shares an address with it: it is asked of the mirror itself.
"""

from __future__ import annotations

from datetime import date, datetime
from decimal import Decimal
from typing import Any

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import Mapped, mapped_column

from core.database import Base
from integration.models import OfPortal, Timestamp

COPIES = (
    *("created_at", "source_id", "assigned_by_id", "birth_date", "company_id"),
    *("contact_id", "stage_semantic", "closed_at"),
)
"""Narrow columns of the mirror's row that the facts repeat, where that kind of card has them."""

_PARTITIONED = {"postgresql_partition_by": "LIST (portal_id)"}


class CardFacts(Base):
    """A living card that a segment may select.

    `emails`, `phones`, `messengers`: how many different ones no other card of its side has (clients are a side,
    leads the other); `shared`: how many it has in common with one. `reached_by` is a set of bits: the kinds
    of its addresses, and above them the kinds of its valid ones (`segments.conditions.known`).

    Deals are those conditions ask for; the `counted_…` ones are of pipelines that count by the sale rule.
    `last_state` is that of the last created one. `check_change` and `days_after_lost` are the fields of these
    names, the latter the smallest over the card's sales. `sold_days`: of every sale above zero, in their order.
    `last_contact_at` is the field of this name. The columns of `COPIES` are the mirror's, and so are the values in
    `custom`: of the fields that are asked for (`segments.asked_fields`), those that are not NULL.

    Each portal has a partition of its own, as in `client_metrics`.
    """

    __tablename__ = "card_facts"
    __table_args__ = _PARTITIONED

    portal_id: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    kind: Mapped[str] = mapped_column(sa.Text, primary_key=True)
    card_id: Mapped[int] = mapped_column(sa.BigInteger, primary_key=True, autoincrement=False)
    emails: Mapped[int] = mapped_column(sa.SmallInteger)
    phones: Mapped[int] = mapped_column(sa.SmallInteger)
    messengers: Mapped[int] = mapped_column(sa.SmallInteger)
    shared: Mapped[int] = mapped_column(sa.SmallInteger)
    reached_by: Mapped[int] = mapped_column(sa.SmallInteger)
    deals: Mapped[int]
    open: Mapped[int]
    won: Mapped[int]
    lost: Mapped[int]
    counted_open: Mapped[int]
    counted_won: Mapped[int]
    counted_lost: Mapped[int]
    last_state: Mapped[str | None] = mapped_column(sa.Text)
    days_after_lost: Mapped[int | None]
    check_change: Mapped[Decimal | None] = mapped_column(sa.Numeric)
    sold_days: Mapped[list[date] | None] = mapped_column(sa.ARRAY(sa.Date))
    last_contact_at: Mapped[datetime | None] = mapped_column(Timestamp)
    created_at: Mapped[datetime | None] = mapped_column(Timestamp)
    source_id: Mapped[str | None] = mapped_column(sa.Text)
    assigned_by_id: Mapped[int | None] = mapped_column(sa.BigInteger)
    birth_date: Mapped[date | None]
    company_id: Mapped[int | None] = mapped_column(sa.BigInteger)
    contact_id: Mapped[int | None] = mapped_column(sa.BigInteger)
    stage_semantic: Mapped[str | None] = mapped_column(sa.Text)
    closed_at: Mapped[datetime | None] = mapped_column(Timestamp)
    custom: Mapped[dict[str, Any] | None] = mapped_column(JSONB)


class SharedAddress(Base):
    """An address that several cards of a side have: one row for each of them."""

    __tablename__ = "shared_addresses"
    __table_args__ = (sa.Index(None, "portal_id", "entity", "entity_id"), _PARTITIONED)

    portal_id: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    kind: Mapped[str] = mapped_column(sa.Text, primary_key=True)
    normalised: Mapped[str] = mapped_column(sa.Text, primary_key=True)
    entity: Mapped[str] = mapped_column(sa.Text, primary_key=True)
    entity_id: Mapped[int] = mapped_column(sa.BigInteger, primary_key=True, autoincrement=False)


class CrossingAddress(Base):
    """An address that a lead and a client have: one row for each card that has it."""

    __tablename__ = "crossing_addresses"
    __table_args__ = (sa.Index(None, "portal_id", "entity", "entity_id"), _PARTITIONED)

    portal_id: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    kind: Mapped[str] = mapped_column(sa.Text, primary_key=True)
    normalised: Mapped[str] = mapped_column(sa.Text, primary_key=True)
    entity: Mapped[str] = mapped_column(sa.Text, primary_key=True)
    entity_id: Mapped[int] = mapped_column(sa.BigInteger, primary_key=True, autoincrement=False)


class FactsRun(OfPortal, Base):
    """When the facts of all cards were found, and by what sale rule. `due_at`: since then they are not to be trusted."""

    __tablename__ = "facts_runs"

    basis: Mapped[str] = mapped_column(sa.Text)
    cards: Mapped[int]
    seconds: Mapped[float]
    found_at: Mapped[datetime] = mapped_column(Timestamp)
    due_at: Mapped[datetime | None] = mapped_column(Timestamp)
