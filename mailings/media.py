"""The table of pictures that letters show: uploaded in the editor, asked for by mail programs, gone with their portal."""

from __future__ import annotations

from datetime import datetime

import sqlalchemy as sa
from sqlalchemy.orm import Mapped, mapped_column

from core.database import Base
from integration.models import OfPortal, Timestamp


class Picture(OfPortal, Base):
    """A picture as it is served. `name` stands in its address and can't be guessed; `digest` is of the content."""

    __tablename__ = "pictures"
    __table_args__ = (sa.UniqueConstraint("portal_id", "digest"),)

    name: Mapped[str] = mapped_column(sa.Text, primary_key=True)
    digest: Mapped[bytes] = mapped_column(sa.LargeBinary)
    kind: Mapped[str] = mapped_column(sa.Text)
    width: Mapped[int]
    height: Mapped[int]
    content: Mapped[bytes] = mapped_column(sa.LargeBinary, deferred=True)
    made_by: Mapped[int | None] = mapped_column(sa.BigInteger)
    made_at: Mapped[datetime] = mapped_column(Timestamp, server_default=sa.func.now())
