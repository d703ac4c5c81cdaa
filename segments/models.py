"""Tables of the segments package: the sale rule, what clients are worth, and write-back settings."""

from __future__ import annotations

from datetime import date, datetime
from decimal import Decimal
from enum import StrEnum

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import ARRAY, JSONB
from sqlalchemy.orm import Mapped, mapped_column

from core.database import Base
from integration.models import Money, OfPortal, Timestamp


class DateSource(StrEnum):
    """Which date of a won deal is the date of the sale."""

    CLOSED = "closed"  # CLOSEDATE
    HISTORY = "history"  # the first entry into the won stage that still holds, by stage history
    MOVED = "moved"  # MOVED_TIME
    CUSTOM = "custom"  # a custom date field of the deal


class ContactMode(StrEnum):
    """Who gets a deal that has several contacts."""

    PRIMARY = "primary"
    SPLIT = "split"
    FULL = "full"


class SaleRule(OfPortal, Base):
    """What counts as a sale on this portal. `pipelines` None means all of them."""

    __tablename__ = "sale_rules"

    version: Mapped[int] = mapped_column(server_default="1")
    pipelines: Mapped[list[int] | None] = mapped_column(ARRAY(sa.Integer))
    date_source: Mapped[str] = mapped_column(sa.Text, server_default=DateSource.CLOSED)
    date_field: Mapped[str | None] = mapped_column(sa.Text)
    contact_mode: Mapped[str] = mapped_column(sa.Text, server_default=ContactMode.PRIMARY)
    changed_by: Mapped[int | None] = mapped_column(sa.BigInteger)
    changed_at: Mapped[datetime] = mapped_column(Timestamp, server_default=sa.func.now())


class SaleRuleVersion(OfPortal, Base):
    """A sale rule as it was saved once, and what the portal lacked of it then.

    `changed_by` None: the command line, the installation, or the portal itself. `names` are those of the
    pipelines and the date field at that moment, by id and code: the portal may lose them.
    """

    __tablename__ = "sale_rule_versions"

    version: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    pipelines: Mapped[list[int] | None] = mapped_column(ARRAY(sa.Integer))
    date_source: Mapped[str] = mapped_column(sa.Text)
    date_field: Mapped[str | None] = mapped_column(sa.Text)
    contact_mode: Mapped[str] = mapped_column(sa.Text)
    missing_pipelines: Mapped[list[int]] = mapped_column(ARRAY(sa.Integer), server_default="{}")
    date_field_missing: Mapped[bool] = mapped_column(server_default=sa.false())
    names: Mapped[dict[str, str]] = mapped_column(JSONB, server_default="{}")
    changed_by: Mapped[int | None] = mapped_column(sa.BigInteger)
    changed_at: Mapped[datetime] = mapped_column(Timestamp, server_default=sa.func.now())


class ClientKind(StrEnum):
    """Which CRM object the client is; totals are taken within one kind."""

    CONTACT = "contact"
    COMPANY = "company"


class ClientMetrics(Base):
    """What one client with sales is worth to date, in the portal's base currency.

    A client without a row has no sales: LTV 0, no average check. `sales`, dates and the average
    check count positive amounts only; `ltv` nets the negative ones.

    Each portal has a partition of its own, which a full recompute builds anew (`segments.swap`); so the
    table has no foreign key and no second index: each would cost more than computing the rows. A trigger
    of `portals` deletes them with their portal.
    """

    __tablename__ = "client_metrics"
    __table_args__ = {"postgresql_partition_by": "LIST (portal_id)"}  # noqa: RUF012 - SQLAlchemy's name

    portal_id: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    kind: Mapped[str] = mapped_column(sa.Text, primary_key=True)
    client_id: Mapped[int] = mapped_column(sa.BigInteger, primary_key=True, autoincrement=False)
    ltv: Mapped[Decimal] = mapped_column(Money)
    sales: Mapped[int]
    average_check: Mapped[Decimal | None] = mapped_column(Money)
    first_sale_on: Mapped[date | None]
    last_sale_on: Mapped[date | None]
    mean_gap_days: Mapped[Decimal | None] = mapped_column(sa.Numeric(10, 2))


class BaseTotals(OfPortal, Base):
    """Sums over all clients of one kind: of `client_metrics`, and how many the mirror had.

    `turnover` and `sales` are of positive amounts; `revenue` nets the negative ones. `best` holds the
    clients with the highest LTV, best first.
    """

    __tablename__ = "base_totals"

    kind: Mapped[str] = mapped_column(sa.Text, primary_key=True)
    clients: Mapped[int]
    buyers: Mapped[int]
    repeat_buyers: Mapped[int]
    sales: Mapped[int] = mapped_column(sa.BigInteger)
    revenue: Mapped[Decimal] = mapped_column(Money)
    turnover: Mapped[Decimal] = mapped_column(Money)
    best: Mapped[list[int]] = mapped_column(ARRAY(sa.BigInteger), server_default="{}")


class MetricsRun(OfPortal, Base):
    """The last computation of a portal's metrics."""

    __tablename__ = "metrics_runs"

    rule_version: Mapped[int]
    clients: Mapped[int]
    changed: Mapped[int]
    seconds: Mapped[float]
    computed_at: Mapped[datetime] = mapped_column(Timestamp)


class WritebackSettings(OfPortal, Base):
    """Whether figures are written to the portal, and which fields. Off until an admin switches it on."""

    __tablename__ = "writeback_settings"

    enabled: Mapped[bool] = mapped_column(server_default=sa.false())
    fields: Mapped[list[str]] = mapped_column(ARRAY(sa.Text))
    proven: Mapped[list[str]] = mapped_column(ARRAY(sa.Text), server_default="{}")
    changed_by: Mapped[int | None] = mapped_column(sa.BigInteger)
    changed_at: Mapped[datetime] = mapped_column(Timestamp, server_default=sa.func.now())


class WritebackRun(OfPortal, Base):
    """What the last write-back did."""

    __tablename__ = "writeback_runs"

    clients: Mapped[int]
    changed: Mapped[int]
    written: Mapped[int]
    failed: Mapped[int]
    seconds: Mapped[float]
    reason: Mapped[str | None] = mapped_column(sa.Text)
    finished_at: Mapped[datetime] = mapped_column(Timestamp)
    resume_at: Mapped[datetime | None] = mapped_column(Timestamp)
