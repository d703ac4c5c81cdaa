"""Tables of the platform itself."""

from __future__ import annotations

from datetime import datetime

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import UUID
from sqlalchemy.orm import Mapped, mapped_column

from core.database import Base


class TickerSlot(Base):
    """A periodic job that was started for one of its turns; the key lets it start only once."""

    __tablename__ = "ticker_slots"

    name: Mapped[str] = mapped_column(sa.Text, primary_key=True)
    slot: Mapped[int] = mapped_column(sa.BigInteger, primary_key=True)
    fired_at: Mapped[datetime] = mapped_column(sa.DateTime(timezone=True))


class Lineage(Base):
    """One row: which database this is, and how far it has come (`core.witness`). `gap_*`: what it may be missing."""

    __tablename__ = "lineage"

    id: Mapped[int] = mapped_column(sa.SmallInteger, primary_key=True, autoincrement=False)
    name: Mapped[str] = mapped_column(
        UUID(as_uuid=False), server_default=sa.text("gen_random_uuid()")
    )
    beat: Mapped[int] = mapped_column(sa.BigInteger, server_default="0")
    beat_at: Mapped[datetime] = mapped_column(
        sa.DateTime(timezone=True), server_default=sa.func.now()
    )
    gap_cause: Mapped[str | None] = mapped_column(sa.Text)
    gap_since: Mapped[datetime | None] = mapped_column(sa.DateTime(timezone=True))
    gap_until: Mapped[datetime | None] = mapped_column(sa.DateTime(timezone=True))
