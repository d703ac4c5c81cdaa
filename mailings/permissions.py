"""Tables of permission: the ledger of consents, what it comes to now, and addresses not to be written to."""

from __future__ import annotations

from datetime import datetime

import sqlalchemy as sa
from sqlalchemy.orm import Mapped, mapped_column

from core.database import Base
from integration.models import OfPortal, Timestamp
from mailings.models import Numbered

_BY_ADDRESS = sa.text("coalesce(address, '')")  # COLLATE "C", which alembic can't compare


class Topic(OfPortal, Base):
    """What a person agrees to be told about; `offers` is there from the start."""

    __tablename__ = "topics"

    key: Mapped[str] = mapped_column(sa.Text, primary_key=True)
    name: Mapped[str] = mapped_column(sa.Text)
    sort: Mapped[int] = mapped_column(server_default="0")
    archived_at: Mapped[datetime | None] = mapped_column(Timestamp)


class ConsentRecord(Numbered, Base):
    """A line of the ledger, never changed: an address said yes or no to a topic on a channel, and the proof.

    `source`: where it comes from, in the words of who declared it. `address` is emptied when a person is erased;
    `address_hash` (of `mailings.consent.hashing`) stays.
    """

    __tablename__ = "consent_records"
    __table_args__ = (sa.Index(None, "portal_id", "channel", "address_hash", "topic"),)

    channel: Mapped[str] = mapped_column(sa.Text)
    topic: Mapped[str] = mapped_column(sa.Text)
    address: Mapped[str | None] = mapped_column(sa.Text)
    address_hash: Mapped[bytes] = mapped_column(sa.LargeBinary)
    given: Mapped[bool]
    source: Mapped[str] = mapped_column(sa.Text)
    happened_at: Mapped[datetime] = mapped_column(Timestamp)
    recorded_at: Mapped[datetime] = mapped_column(Timestamp, server_default=sa.func.now())
    text_version: Mapped[str | None] = mapped_column(sa.Text)
    text_hash: Mapped[str | None] = mapped_column(sa.Text)
    ip: Mapped[str | None] = mapped_column(sa.Text)
    user_agent: Mapped[str | None] = mapped_column(sa.Text)
    actor: Mapped[str | None] = mapped_column(sa.Text)
    proof: Mapped[str | None] = mapped_column(sa.Text)


class Consent(OfPortal, Base):
    """What the ledger comes to now: the latest word of an address about a topic on a channel."""

    __tablename__ = "consents"

    channel: Mapped[str] = mapped_column(sa.Text, primary_key=True)
    topic: Mapped[str] = mapped_column(sa.Text, primary_key=True)
    address_hash: Mapped[bytes] = mapped_column(sa.LargeBinary, primary_key=True)
    given: Mapped[bool]
    happened_at: Mapped[datetime] = mapped_column(Timestamp)
    record_id: Mapped[int] = mapped_column(sa.BigInteger)


class Suppression(OfPortal, Base):
    """An address nobody writes to on this channel, whatever else is known of it.

    It survives the deletion of the card and its coming back, because it is kept by the address's hash. `until`: only
    till then. `address` is emptied when the person is erased.
    """

    __tablename__ = "suppressions"
    __table_args__ = (
        sa.Index("ix_suppressions_at", "portal_id", "at", "channel", "address_hash"),
        sa.Index(
            *("ix_suppressions_reason", "portal_id", "reason", "at", "channel", "address_hash"),
            postgresql_include=("until",),
        ),
        sa.Index("ix_suppressions_address", "portal_id", _BY_ADDRESS, "channel", "address_hash"),
        sa.Index("ix_suppressions_domain", "portal_id", sa.text("split_part(address, '@', 2)")),
        sa.Index(
            "ix_suppressions_until",
            *("portal_id", "until"),
            postgresql_where=sa.text("until IS NOT NULL"),
        ),
    )

    channel: Mapped[str] = mapped_column(sa.Text, primary_key=True)
    address_hash: Mapped[bytes] = mapped_column(sa.LargeBinary, primary_key=True)
    address: Mapped[str | None] = mapped_column(sa.Text)
    reason: Mapped[str] = mapped_column(sa.Text)
    source: Mapped[str | None] = mapped_column(sa.Text)
    mailing_id: Mapped[int | None] = mapped_column(sa.BigInteger)
    at: Mapped[datetime] = mapped_column(Timestamp, server_default=sa.func.now())
    until: Mapped[datetime | None] = mapped_column(Timestamp)
    actor: Mapped[str | None] = mapped_column(sa.Text)


class ErasedClient(OfPortal, Base):
    """A card whose person had everything removed: should it come back, nobody writes to it."""

    __tablename__ = "erased_clients"

    kind: Mapped[str] = mapped_column(sa.Text, primary_key=True)
    client_id: Mapped[int] = mapped_column(sa.BigInteger, primary_key=True, autoincrement=False)
    erased_at: Mapped[datetime] = mapped_column(Timestamp, server_default=sa.func.now())
