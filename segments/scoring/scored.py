"""Tables of scores: what each client's purchases score, the edges of a day they were scored by, what groups may bring."""

from __future__ import annotations

from datetime import date, datetime
from decimal import Decimal
from typing import Any

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import ARRAY, JSONB
from sqlalchemy.orm import Mapped, mapped_column

from core.database import Base
from integration.models import Money, OfPortal, Timestamp


class ClientScores(Base):
    """The scores of a client that has bought. `bought` and `spent` are of the window, refunds taken off.

    Without purchases in the window there are no scores, and the group is that of the lost.
    `previous_sale_on` is the day of purchase before the last one. Kept as `client_metrics` are: a partition for
    each portal, built anew and swapped in.
    """

    __tablename__ = "client_scores"
    __table_args__ = {"postgresql_partition_by": "LIST (portal_id)"}  # noqa: RUF012 - SQLAlchemy's name

    portal_id: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    kind: Mapped[str] = mapped_column(sa.Text, primary_key=True)
    client_id: Mapped[int] = mapped_column(sa.BigInteger, primary_key=True, autoincrement=False)
    bought: Mapped[int]
    spent: Mapped[Decimal] = mapped_column(Money)
    previous_sale_on: Mapped[date | None]
    r: Mapped[int | None] = mapped_column(sa.SmallInteger)
    f: Mapped[int | None] = mapped_column(sa.SmallInteger)
    m: Mapped[int | None] = mapped_column(sa.SmallInteger)
    group_key: Mapped[str] = mapped_column(sa.Text)


class ScoreBasis(OfPortal, Base):
    """What the clients of a kind were scored by: the day, the edges and the versions of both rules.

    `how` may be thresholds though quantiles were asked for: there were too few buyers. `gaps` is the history of
    pauses, as [days, ended, still lasting]; `stages` the edges of the lifecycle in force. `ltv_percentiles`: the LTV
    that 1, 2… 99 of a hundred buyers don't exceed. `cells`: everybody alive, as `everybody.cells` counts them.
    """

    __tablename__ = "score_bases"

    kind: Mapped[str] = mapped_column(sa.Text, primary_key=True)
    day: Mapped[date]
    window_days: Mapped[int]
    buyers: Mapped[int]
    how: Mapped[str] = mapped_column(sa.Text)
    days: Mapped[list[int]] = mapped_column(ARRAY(sa.Integer))
    purchases: Mapped[list[int]] = mapped_column(ARRAY(sa.Integer))
    money: Mapped[list[Decimal]] = mapped_column(ARRAY(Money))
    gaps: Mapped[list[Any]] = mapped_column(JSONB)
    stages: Mapped[list[int]] = mapped_column(ARRAY(sa.Integer))
    ltv_percentiles: Mapped[list[Decimal] | None] = mapped_column(ARRAY(Money))
    cells: Mapped[list[Any] | None] = mapped_column(JSONB)
    rule_version: Mapped[int]
    choices_version: Mapped[int]
    due: Mapped[bool] = mapped_column(server_default=sa.false())
    seconds: Mapped[float]
    computed_at: Mapped[datetime] = mapped_column(Timestamp)


class GroupOutlook(OfPortal, Base):
    """An RFM group on the day of the scores: its clients, and what they are likely to buy within a month by themselves.

    `judged`: clients of whom something can be said; `likely` of them will buy, for `expected` in all. Of the others
    too little is known (`segments.rules.returning`).
    """

    __tablename__ = "group_outlooks"

    kind: Mapped[str] = mapped_column(sa.Text, primary_key=True)
    group_key: Mapped[str] = mapped_column(sa.Text, primary_key=True)
    clients: Mapped[int]
    ltv: Mapped[Decimal] = mapped_column(Money)
    judged: Mapped[int]
    likely: Mapped[float]
    expected: Mapped[Decimal] = mapped_column(Money)
