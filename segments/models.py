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


class ClientMode(StrEnum):
    """Whose a deal is that has a company and a contact."""

    EACH = "each"  # every card shows its own: the deal counts for the company and for the contact
    COMPANY = "company"  # B2B: the company's, where there is one
    CONTACT = "contact"  # B2C: the contact's, where there is one


class MarginSource(StrEnum):
    """What tells the margin of a deal."""

    NONE = "none"
    PERCENT = "percent"
    COST = "cost"  # a field of the deal with its cost
    MARGIN = "margin"  # a field of the deal with its margin
    PRODUCTS = "products"  # purchase prices of its product rows


class ActiveWindow(StrEnum):
    """The period in which an active client buys: the calendar month, or so many days."""

    MONTH = "month"
    QUARTER = "90"
    HALF_YEAR = "180"
    YEAR = "365"


class RuleColumns:
    """Mixin: the choices of a sale rule. `pipelines` None means all of them."""

    pipelines: Mapped[list[int] | None] = mapped_column(ARRAY(sa.Integer))
    date_source: Mapped[str] = mapped_column(sa.Text, server_default=DateSource.CLOSED)
    date_field: Mapped[str | None] = mapped_column(sa.Text)
    contact_mode: Mapped[str] = mapped_column(sa.Text, server_default=ContactMode.PRIMARY)
    client_mode: Mapped[str] = mapped_column(sa.Text, server_default=ClientMode.EACH)
    margin_source: Mapped[str] = mapped_column(sa.Text, server_default=MarginSource.NONE)
    margin_field: Mapped[str | None] = mapped_column(sa.Text)
    margin_percent: Mapped[Decimal | None] = mapped_column(sa.Numeric(5, 2))
    margin_by_pipeline: Mapped[dict[str, str]] = mapped_column(JSONB, server_default="{}")
    active_sales: Mapped[int] = mapped_column(server_default="1")
    active_window: Mapped[str] = mapped_column(sa.Text, server_default=ActiveWindow.MONTH)


class SaleRule(OfPortal, RuleColumns, Base):
    """What counts as a sale on this portal."""

    __tablename__ = "sale_rules"

    version: Mapped[int] = mapped_column(server_default="1")
    changed_by: Mapped[int | None] = mapped_column(sa.BigInteger)
    changed_at: Mapped[datetime] = mapped_column(Timestamp, server_default=sa.func.now())


class SaleRuleVersion(OfPortal, RuleColumns, Base):
    """A sale rule as it was saved once, and what the portal lacked of it then.

    `changed_by` None: the command line, the installation, or the portal itself. `names` are those of the
    pipelines and the fields at that moment, by id and code: the portal may lose them.
    """

    __tablename__ = "sale_rule_versions"

    version: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    missing_pipelines: Mapped[list[int]] = mapped_column(ARRAY(sa.Integer), server_default="{}")
    date_field_missing: Mapped[bool] = mapped_column(server_default=sa.false())
    margin_field_missing: Mapped[bool] = mapped_column(server_default=sa.false())
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
    check count positive amounts only; `ltv` and `margin` net the negative ones. `margin` NULL: none is
    counted, or nothing is known of it; `margin_coverage` is the share of the turnover with a real cost.
    `kth_sale_on` is the sale that makes a client active, where the rule asks for more than one.

    Each portal has a partition of its own, which a full recompute builds anew (`segments.worth.swap`); so the
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
    margin: Mapped[Decimal | None] = mapped_column(Money)
    margin_coverage: Mapped[Decimal | None] = mapped_column(sa.Numeric(5, 4))
    kth_sale_on: Mapped[date | None]


class BaseTotals(OfPortal, Base):
    """Sums over all clients of one kind: of `client_metrics`, and how many the mirror had.

    `turnover` and `sales` are of positive amounts; `revenue` nets the negative ones. `best` holds the
    clients with the highest LTV, best first. `active` is of the window that begins on `active_since`.
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
    active: Mapped[int] = mapped_column(server_default="0")
    active_since: Mapped[date | None]


class BaseDay(OfPortal, Base):
    """The totals of a kind as they stood when a day's scores were made: what a later day is compared with.

    Only days of the same rule and currency can be. `silent` clients have been silent for longer than the sleeping
    edge; `silent_ltv` is what they had brought.
    """

    __tablename__ = "base_days"

    kind: Mapped[str] = mapped_column(sa.Text, primary_key=True)
    day: Mapped[date] = mapped_column(primary_key=True)
    rule_version: Mapped[int]
    currency: Mapped[str] = mapped_column(sa.Text)
    clients: Mapped[int]
    buyers: Mapped[int]
    repeat_buyers: Mapped[int]
    sales: Mapped[int] = mapped_column(sa.BigInteger)
    revenue: Mapped[Decimal] = mapped_column(Money)
    turnover: Mapped[Decimal] = mapped_column(Money)
    active: Mapped[int]
    silent: Mapped[int]
    silent_ltv: Mapped[Decimal] = mapped_column(Money)
    silent_days: Mapped[int]


class BaseMonth(OfPortal, Base):
    """What clients of a kind bought in a month, in the base currency; as counted with the day's scores.

    `first_*` are of the day of a client's first purchase, `repeat_*` of every later one; positive amounts only.
    """

    __tablename__ = "base_months"

    kind: Mapped[str] = mapped_column(sa.Text, primary_key=True)
    month: Mapped[date] = mapped_column(primary_key=True)
    first_sales: Mapped[int]
    first_turnover: Mapped[Decimal] = mapped_column(Money)
    repeat_sales: Mapped[int]
    repeat_turnover: Mapped[Decimal] = mapped_column(Money)


class FirstRun(OfPortal, Base):
    """How far an administrator was led after the installation: what he has confirmed, and when he was through.

    What can be seen from facts is not kept here (`segments.first_run`).
    """

    __tablename__ = "first_runs"

    confirmed: Mapped[list[str]] = mapped_column(ARRAY(sa.Text), server_default="{}")
    closed_at: Mapped[datetime | None] = mapped_column(Timestamp)
    closed_by: Mapped[int | None] = mapped_column(sa.BigInteger)


class MetricsRun(OfPortal, Base):
    """The last computation of a portal's metrics."""

    __tablename__ = "metrics_runs"

    rule_version: Mapped[int]
    clients: Mapped[int]
    changed: Mapped[int]
    seconds: Mapped[float]
    computed_at: Mapped[datetime] = mapped_column(Timestamp)


class WritebackSettings(OfPortal, Base):
    """Whether figures are written to the portal. Off until an admin switches it on.

    `proven` and `ignored`: fields, as `contact.UF_CRM_…`, whose first value was read back as written, and
    those that kept their old value.
    """

    __tablename__ = "writeback_settings"

    enabled: Mapped[bool] = mapped_column(server_default=sa.false())
    proven: Mapped[list[str]] = mapped_column(ARRAY(sa.Text), server_default="{}")
    ignored: Mapped[list[str]] = mapped_column(ARRAY(sa.Text), server_default="{}")
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
