"""Tables of the platform itself."""

from __future__ import annotations

from datetime import datetime

import sqlalchemy as sa
from sqlalchemy.orm import Mapped, mapped_column

from core.database import Base


class TickerSlot(Base):
    """A periodic job that was started for one of its turns; the key lets it start only once."""

    __tablename__ = "ticker_slots"

    name: Mapped[str] = mapped_column(sa.Text, primary_key=True)
    slot: Mapped[int] = mapped_column(sa.BigInteger, primary_key=True)
    fired_at: Mapped[datetime] = mapped_column(sa.DateTime(timezone=True))
