"""Tables of the integration: portals with their tokens and runs, and the mirror of their CRM.

Every key starts with `portal_id`, so that no row is ever reached without naming the portal, and the
tables can be partitioned or sharded by portal. `bitrix_id` is the portal's own id of the object.
"""

from __future__ import annotations

from datetime import date, datetime
from decimal import Decimal
from enum import StrEnum
from typing import Any

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import ARRAY, JSONB
from sqlalchemy.orm import Mapped, declared_attr, mapped_column

from core.database import Base

Timestamp = sa.DateTime(timezone=True)
Money = sa.Numeric(18, 2)


class PortalState(StrEnum):
    """Where a portal is in its life with us."""

    REGISTERED = "registered"  # keys entered, nobody has opened the application yet
    INSTALLING = "installing"
    ACTIVE = "active"
    REOPEN = "reopen"  # tokens died: an admin must open the application once
    BLOCKED = "blocked"  # the plan has no REST, unpaid, or overload block
    UNINSTALLED = "uninstalled"

    @property
    def callable(self) -> bool:
        """Whether REST calls make sense in this state."""
        return self in {PortalState.INSTALLING, PortalState.ACTIVE, PortalState.BLOCKED}


class Portal(Base):
    """One Bitrix24 account. `member_id` never changes, `domain` may."""

    __tablename__ = "portals"

    id: Mapped[int] = mapped_column(sa.Integer, sa.Identity(), primary_key=True)
    member_id: Mapped[str | None] = mapped_column(sa.Text, unique=True)
    domain: Mapped[str] = mapped_column(sa.Text)
    scheme: Mapped[str] = mapped_column(sa.Text, server_default="https")
    endpoint: Mapped[str | None] = mapped_column(sa.Text)
    oauth_url: Mapped[str | None] = mapped_column(sa.Text)
    client_id: Mapped[str] = mapped_column(sa.Text, unique=True)
    client_secret_sealed: Mapped[str | None] = mapped_column(sa.Text)
    application_token_sealed: Mapped[str | None] = mapped_column(sa.Text)
    state: Mapped[str] = mapped_column(sa.Text, server_default=PortalState.REGISTERED)
    state_reason: Mapped[str | None] = mapped_column(sa.Text)
    language: Mapped[str] = mapped_column(sa.Text, server_default="ru")
    base_currency: Mapped[str | None] = mapped_column(sa.Text)
    utc_offset_minutes: Mapped[int] = mapped_column(server_default="180")
    license: Mapped[str | None] = mapped_column(sa.Text)
    installer_id: Mapped[int | None] = mapped_column(sa.BigInteger)
    install_steps: Mapped[dict[str, Any]] = mapped_column(JSONB, server_default="{}")
    created_at: Mapped[datetime] = mapped_column(Timestamp, server_default=sa.func.now())
    installed_at: Mapped[datetime | None] = mapped_column(Timestamp)
    uninstalled_at: Mapped[datetime | None] = mapped_column(Timestamp)
    last_sync_at: Mapped[datetime | None] = mapped_column(Timestamp)

    @property
    def origin(self) -> str:
        """Scheme and host of the portal's pages, as browsers write an origin."""
        return f"{self.scheme}://{self.domain}"


class OfPortal:
    """Mixin: the row belongs to a portal and goes with it."""

    @declared_attr
    def portal_id(cls) -> Mapped[int]:  # noqa: N805 - SQLAlchemy's convention for mixins
        """First column of every primary key."""
        return mapped_column(
            sa.ForeignKey("portals.id", ondelete="CASCADE"), primary_key=True, sort_order=-10
        )


class PortalToken(OfPortal, Base):
    """The OAuth tokens of the user the background work acts as, sealed."""

    __tablename__ = "portal_tokens"

    access_token_sealed: Mapped[str] = mapped_column(sa.Text)
    refresh_token_sealed: Mapped[str] = mapped_column(sa.Text)
    expires_at: Mapped[datetime] = mapped_column(Timestamp)
    refreshed_at: Mapped[datetime] = mapped_column(Timestamp, server_default=sa.func.now())


class RunStatus(StrEnum):
    """State of a sync run."""

    QUEUED = "queued"
    RUNNING = "running"
    DONE = "done"
    FAILED = "failed"


class SyncRun(OfPortal, Base):
    """One full or incremental reading of a portal. `lease_until` fences the process that works on it."""

    __tablename__ = "sync_runs"
    __table_args__ = (
        sa.Index(
            "uq_sync_runs_one_open_per_portal",
            "portal_id",
            unique=True,
            postgresql_where=sa.text("status IN ('queued', 'running')"),
        ),
    )

    id: Mapped[int] = mapped_column(sa.BigInteger, sa.Identity(), primary_key=True)
    full: Mapped[bool]
    status: Mapped[str] = mapped_column(sa.Text, server_default=RunStatus.QUEUED)
    reason: Mapped[str | None] = mapped_column(sa.Text)
    owner: Mapped[str | None] = mapped_column(sa.Text)
    lease_until: Mapped[datetime | None] = mapped_column(Timestamp)
    created_at: Mapped[datetime] = mapped_column(Timestamp, server_default=sa.func.now())
    started_at: Mapped[datetime | None] = mapped_column(Timestamp)
    finished_at: Mapped[datetime | None] = mapped_column(Timestamp)
    followed_at: Mapped[datetime | None] = mapped_column(Timestamp)


class SyncCursor(OfPortal, Base):
    """Where the reading of one entity stands, and what its last run did.

    `portal_rows`: what the portal had when it was last counted.
    """

    __tablename__ = "sync_cursors"

    entity: Mapped[str] = mapped_column(sa.Text, primary_key=True)
    run_id: Mapped[int] = mapped_column(sa.BigInteger)
    last_id: Mapped[int] = mapped_column(sa.BigInteger, server_default="0")
    finished: Mapped[bool] = mapped_column(server_default=sa.false())
    window_started_at: Mapped[datetime | None] = mapped_column(Timestamp)
    watermark_at: Mapped[datetime | None] = mapped_column(Timestamp)
    expected: Mapped[int | None] = mapped_column(sa.BigInteger)
    portal_rows: Mapped[int | None] = mapped_column(sa.BigInteger)
    counted_at: Mapped[datetime | None] = mapped_column(Timestamp)
    rows: Mapped[int] = mapped_column(sa.BigInteger, server_default="0")
    changed: Mapped[int] = mapped_column(sa.BigInteger, server_default="0")
    deleted: Mapped[int] = mapped_column(sa.BigInteger, server_default="0")
    quarantined: Mapped[int] = mapped_column(sa.BigInteger, server_default="0")
    requests: Mapped[int] = mapped_column(sa.BigInteger, server_default="0")
    seconds: Mapped[float] = mapped_column(sa.Float, server_default="0")


class CheckStatus(StrEnum):
    """State of a check of one entity against the portal."""

    QUEUED = "queued"
    RUNNING = "running"
    HELD = "held"  # too much would vanish: an administrator decides
    DONE = "done"
    FAILED = "failed"


class Check(OfPortal, Base):
    """One comparison of an entity's mirror with the portal, and what it found and repaired.

    `expected`: rows alive here when the vanished ones were judged. `approved`: so few vanished that they
    may be buried, or an administrator said so. `shift_seconds`: all stamps of the portal had moved.
    """

    __tablename__ = "checks"
    __table_args__ = (
        sa.Index(
            "uq_checks_one_open_per_entity",
            "portal_id",
            "entity",
            unique=True,
            postgresql_where=sa.text("status IN ('queued', 'running')"),
        ),
    )

    id: Mapped[int] = mapped_column(sa.BigInteger, sa.Identity(), primary_key=True)
    entity: Mapped[str] = mapped_column(sa.Text)
    status: Mapped[str] = mapped_column(sa.Text, server_default=CheckStatus.QUEUED)
    reason: Mapped[str | None] = mapped_column(sa.Text)
    owner: Mapped[str | None] = mapped_column(sa.Text)
    lease_until: Mapped[datetime | None] = mapped_column(Timestamp)
    created_at: Mapped[datetime] = mapped_column(Timestamp, server_default=sa.func.now())
    started_at: Mapped[datetime | None] = mapped_column(Timestamp)
    resume_at: Mapped[datetime | None] = mapped_column(Timestamp)
    finished_at: Mapped[datetime | None] = mapped_column(Timestamp)
    last_id: Mapped[int] = mapped_column(sa.BigInteger, server_default="0")
    listed: Mapped[bool] = mapped_column(server_default=sa.false())
    approved: Mapped[bool] = mapped_column(server_default=sa.false())
    expected: Mapped[int | None] = mapped_column(sa.BigInteger)
    looked: Mapped[int] = mapped_column(sa.BigInteger, server_default="0")
    missing: Mapped[int] = mapped_column(sa.BigInteger, server_default="0")
    differing: Mapped[int] = mapped_column(sa.BigInteger, server_default="0")
    restored: Mapped[int] = mapped_column(sa.BigInteger, server_default="0")
    repaired: Mapped[int] = mapped_column(sa.BigInteger, server_default="0")
    vanished: Mapped[int] = mapped_column(sa.BigInteger, server_default="0")
    buried: Mapped[int] = mapped_column(sa.BigInteger, server_default="0")
    shift_seconds: Mapped[int] = mapped_column(sa.Integer, server_default="0")
    requests: Mapped[int] = mapped_column(sa.BigInteger, server_default="0")
    seconds: Mapped[float] = mapped_column(sa.Float, server_default="0")


class VanishedRow(OfPortal, Base):
    """A row here that the portal no longer lists, until a second look tells whether it is gone."""

    __tablename__ = "vanished_rows"

    entity: Mapped[str] = mapped_column(sa.Text, primary_key=True)
    bitrix_id: Mapped[int] = mapped_column(sa.BigInteger, primary_key=True)


class MergedClient(OfPortal, Base):
    """A client that was merged into another one as a duplicate: where its old links lead."""

    __tablename__ = "merged_clients"

    kind: Mapped[str] = mapped_column(sa.Text, primary_key=True)
    loser_id: Mapped[int] = mapped_column(sa.BigInteger, primary_key=True)
    winner_id: Mapped[int] = mapped_column(sa.BigInteger)
    merged_at: Mapped[datetime] = mapped_column(Timestamp, server_default=sa.func.now())


class ChangedClient(OfPortal, Base):
    """A client whose deals changed since metrics were last computed: the hand-over to `segments`."""

    __tablename__ = "changed_clients"

    kind: Mapped[str] = mapped_column(sa.Text, primary_key=True)
    client_id: Mapped[int] = mapped_column(sa.BigInteger, primary_key=True)
    changed_at: Mapped[datetime] = mapped_column(Timestamp, server_default=sa.func.now())


class QuarantinedRow(OfPortal, Base):
    """A row of the portal that did not fit, with the reason; the run went on without it."""

    __tablename__ = "quarantined_rows"

    entity: Mapped[str] = mapped_column(sa.Text, primary_key=True)
    bitrix_id: Mapped[str] = mapped_column(sa.Text, primary_key=True)
    reason: Mapped[str] = mapped_column(sa.Text)
    seen_at: Mapped[datetime] = mapped_column(Timestamp, server_default=sa.func.now())


class PortalEvent(OfPortal, Base):
    """A callback of the portal as it came: a hint that an object changed."""

    __tablename__ = "portal_events"
    __table_args__ = (
        sa.Index(
            "ix_portal_events_unhandled",
            "portal_id",
            "id",
            postgresql_where=sa.text("handled_at IS NULL"),
        ),
    )

    id: Mapped[int] = mapped_column(sa.BigInteger, sa.Identity(), primary_key=True)
    event: Mapped[str] = mapped_column(sa.Text)
    object_id: Mapped[int | None] = mapped_column(sa.BigInteger)
    received_at: Mapped[datetime] = mapped_column(Timestamp, server_default=sa.func.now())
    handled_at: Mapped[datetime | None] = mapped_column(Timestamp)


class Trouble(OfPortal, Base):
    """A problem of the portal that needs a person: since when, and whether its administrator was told."""

    __tablename__ = "troubles"

    code: Mapped[str] = mapped_column(sa.Text, primary_key=True)
    since: Mapped[datetime] = mapped_column(Timestamp)
    tried_at: Mapped[datetime | None] = mapped_column(Timestamp)
    told_at: Mapped[datetime | None] = mapped_column(Timestamp)
    gone_at: Mapped[datetime | None] = mapped_column(Timestamp)


class ExpectedEcho(OfPortal, Base):
    """Update events our own writes will bring for an object."""

    __tablename__ = "expected_echoes"

    entity: Mapped[str] = mapped_column(sa.Text, primary_key=True)
    bitrix_id: Mapped[int] = mapped_column(sa.BigInteger, primary_key=True)
    number: Mapped[int] = mapped_column(sa.SmallInteger, server_default="1")
    written_at: Mapped[datetime] = mapped_column(Timestamp, server_default=sa.func.now())


class Mirrored(OfPortal):
    """Mixin: columns every mirrored CRM object has. `row_hash` tells whether a re-read row changed."""

    bitrix_id: Mapped[int] = mapped_column(sa.BigInteger, primary_key=True, sort_order=-9)
    assigned_by_id: Mapped[int | None] = mapped_column(sa.BigInteger)
    source_id: Mapped[str | None] = mapped_column(sa.Text)
    opened: Mapped[bool] = mapped_column(server_default=sa.true())
    utm: Mapped[dict[str, str] | None] = mapped_column(JSONB(none_as_null=True))
    created_at: Mapped[datetime | None] = mapped_column(Timestamp)
    updated_at: Mapped[datetime | None] = mapped_column(Timestamp)
    custom: Mapped[dict[str, Any]] = mapped_column(JSONB, server_default="{}")
    row_hash: Mapped[int] = mapped_column(sa.BigInteger, server_default="0")
    synced_at: Mapped[datetime] = mapped_column(Timestamp, server_default=sa.func.now())
    deleted_at: Mapped[datetime | None] = mapped_column(Timestamp)


class PersonName:
    """Mixin: a person's name in its parts, as the portal keeps it."""

    name: Mapped[str | None] = mapped_column(sa.Text)
    second_name: Mapped[str | None] = mapped_column(sa.Text)
    last_name: Mapped[str | None] = mapped_column(sa.Text)
    honorific: Mapped[str | None] = mapped_column(sa.Text)
    birth_date: Mapped[date | None]
    post: Mapped[str | None] = mapped_column(sa.Text)


class Contact(Mirrored, PersonName, Base):
    """A person. `company_id` is the primary company."""

    __tablename__ = "contacts"
    __table_args__ = (sa.Index(None, "portal_id", "company_id"),)

    type_id: Mapped[str | None] = mapped_column(sa.Text)
    company_id: Mapped[int | None] = mapped_column(sa.BigInteger)
    lead_id: Mapped[int | None] = mapped_column(sa.BigInteger)


class Company(Mirrored, Base):
    """An organisation. `is_my_company` marks the portal owner's own legal entities: never clients."""

    __tablename__ = "companies"

    title: Mapped[str | None] = mapped_column(sa.Text)
    type_id: Mapped[str | None] = mapped_column(sa.Text)
    industry: Mapped[str | None] = mapped_column(sa.Text)
    employees: Mapped[str | None] = mapped_column(sa.Text)
    revenue: Mapped[Decimal | None] = mapped_column(Money)
    currency_id: Mapped[str | None] = mapped_column(sa.Text)
    is_my_company: Mapped[bool] = mapped_column(server_default=sa.false())
    lead_id: Mapped[int | None] = mapped_column(sa.BigInteger)


class Lead(Mirrored, PersonName, Base):
    """A request not yet qualified."""

    __tablename__ = "leads"
    __table_args__ = (
        sa.Index(None, "portal_id", "contact_id"),
        sa.Index(None, "portal_id", "company_id"),
    )

    title: Mapped[str | None] = mapped_column(sa.Text)
    company_title: Mapped[str | None] = mapped_column(sa.Text)
    stage_id: Mapped[str | None] = mapped_column(sa.Text)
    stage_semantic: Mapped[str | None] = mapped_column(sa.Text)
    opportunity: Mapped[Decimal] = mapped_column(Money, server_default="0")
    currency_id: Mapped[str | None] = mapped_column(sa.Text)
    company_id: Mapped[int | None] = mapped_column(sa.BigInteger)
    contact_id: Mapped[int | None] = mapped_column(sa.BigInteger)
    is_return_customer: Mapped[bool] = mapped_column(server_default=sa.false())
    closed_at: Mapped[datetime | None] = mapped_column(Timestamp)
    moved_at: Mapped[datetime | None] = mapped_column(Timestamp)


WON = "S"
_SALE_CANDIDATE = "stage_semantic = 'S' AND NOT is_recurring AND deleted_at IS NULL"
_SALE_COLUMNS = (*("base_amount", "closed_on", "moved_at", "pipeline_id", "bitrix_id"),)


def _sales_index(what: str, client: str, sign: str) -> sa.Index:
    return sa.Index(
        f"ix_deals_{what}_by_{client}",
        "portal_id",
        f"{client}_id",
        postgresql_include=_SALE_COLUMNS,
        postgresql_where=sa.text(f"{_SALE_CANDIDATE} AND {client}_id IS NOT NULL AND {sign}"),
    )


class Deal(Mirrored, Base):
    """A deal. `contact_id` is its primary contact; all of them are in DealContact.

    `base_amount` is its amount in the portal's base currency (`integration.sync.prices`).

    The covering indexes hold exactly what the default metrics need, so that a recompute reads no table
    pages: purchases and refunds apart, because they are added up apart.
    """

    __tablename__ = "deals"
    __table_args__ = (
        *(
            _sales_index("purchases", client, "base_amount > 0")
            for client in ("contact", "company")
        ),
        *(_sales_index("refunds", client, "base_amount < 0") for client in ("contact", "company")),
        sa.Index("ix_deals_contact", "portal_id", "contact_id"),
        sa.Index("ix_deals_company", "portal_id", "company_id"),
    )

    title: Mapped[str | None] = mapped_column(sa.Text)
    pipeline_id: Mapped[int] = mapped_column(sa.Integer, server_default="0")
    stage_id: Mapped[str | None] = mapped_column(sa.Text)
    stage_semantic: Mapped[str | None] = mapped_column(sa.Text)
    type_id: Mapped[str | None] = mapped_column(sa.Text)
    opportunity: Mapped[Decimal] = mapped_column(Money, server_default="0")
    currency_id: Mapped[str | None] = mapped_column(sa.Text)
    base_amount: Mapped[Decimal | None] = mapped_column(Money)
    company_id: Mapped[int | None] = mapped_column(sa.BigInteger)
    contact_id: Mapped[int | None] = mapped_column(sa.BigInteger)
    lead_id: Mapped[int | None] = mapped_column(sa.BigInteger)
    is_recurring: Mapped[bool] = mapped_column(server_default=sa.false())
    is_return_customer: Mapped[bool] = mapped_column(server_default=sa.false())
    begun_on: Mapped[date | None]
    closed_on: Mapped[date | None]
    moved_at: Mapped[datetime | None] = mapped_column(Timestamp)


class DealContact(OfPortal, Base):
    """A contact of a deal; `position` 0 is the primary one."""

    __tablename__ = "deal_contacts"
    __table_args__ = (sa.Index(None, "portal_id", "contact_id"),)

    deal_id: Mapped[int] = mapped_column(sa.BigInteger, primary_key=True)
    contact_id: Mapped[int] = mapped_column(sa.BigInteger, primary_key=True)
    position: Mapped[int] = mapped_column(sa.SmallInteger)


class AddressKind(StrEnum):
    """What an address is reached by."""

    PHONE = "phone"
    EMAIL = "email"
    MESSENGER = "messenger"
    WEB = "web"


class Address(OfPortal, Base):
    """A phone, e-mail, messenger or site of a client or lead: as typed, and normalised.

    `normalised` is empty when the value is no address; `problem` then says why.
    """

    __tablename__ = "addresses"
    __table_args__ = (sa.Index(None, "portal_id", "kind", "normalised"),)

    entity: Mapped[str] = mapped_column(sa.Text, primary_key=True)
    entity_id: Mapped[int] = mapped_column(sa.BigInteger, primary_key=True)
    kind: Mapped[str] = mapped_column(sa.Text, primary_key=True)
    position: Mapped[int] = mapped_column(sa.SmallInteger, primary_key=True)
    value_type: Mapped[str | None] = mapped_column(sa.Text)
    value: Mapped[str] = mapped_column(sa.Text)
    normalised: Mapped[str | None] = mapped_column(sa.Text)
    problem: Mapped[str | None] = mapped_column(sa.Text)


class StageMove(OfPortal, Base):
    """A line of the portal's stage history of deals and leads."""

    __tablename__ = "stage_moves"
    __table_args__ = (sa.Index(None, "portal_id", "entity", "owner_id"),)

    entity: Mapped[str] = mapped_column(sa.Text, primary_key=True)
    bitrix_id: Mapped[int] = mapped_column(sa.BigInteger, primary_key=True)
    owner_id: Mapped[int] = mapped_column(sa.BigInteger)
    move_type: Mapped[int] = mapped_column(sa.SmallInteger)
    pipeline_id: Mapped[int | None] = mapped_column(sa.Integer)
    stage_id: Mapped[str | None] = mapped_column(sa.Text)
    stage_semantic: Mapped[str | None] = mapped_column(sa.Text)
    moved_at: Mapped[datetime] = mapped_column(Timestamp)


class Activity(OfPortal, Base):
    """A call, meeting, letter or to-do of the portal, by its owner."""

    __tablename__ = "activities"
    __table_args__ = (sa.Index(None, "portal_id", "owner_type", "owner_id"),)

    bitrix_id: Mapped[int] = mapped_column(sa.BigInteger, primary_key=True)
    owner_type: Mapped[int] = mapped_column(sa.Integer)
    owner_id: Mapped[int] = mapped_column(sa.BigInteger)
    type_id: Mapped[int | None] = mapped_column(sa.Integer)
    provider_id: Mapped[str | None] = mapped_column(sa.Text)
    direction: Mapped[int | None] = mapped_column(sa.SmallInteger)
    completed: Mapped[bool] = mapped_column(server_default=sa.false())
    subject: Mapped[str | None] = mapped_column(sa.Text)
    responsible_id: Mapped[int | None] = mapped_column(sa.BigInteger)
    created_at: Mapped[datetime | None] = mapped_column(Timestamp)
    started_at: Mapped[datetime | None] = mapped_column(Timestamp)
    ended_at: Mapped[datetime | None] = mapped_column(Timestamp)


class Pipeline(OfPortal, Base):
    """A deal funnel («воронка»); 0 is the general one."""

    __tablename__ = "pipelines"

    bitrix_id: Mapped[int] = mapped_column(sa.Integer, primary_key=True)
    name: Mapped[str] = mapped_column(sa.Text)
    sort: Mapped[int] = mapped_column(server_default="0")
    is_default: Mapped[bool] = mapped_column(server_default=sa.false())


class Status(OfPortal, Base):
    """A value of a CRM dictionary: stages of deals and leads, sources, types, industries…"""

    __tablename__ = "statuses"

    dictionary: Mapped[str] = mapped_column(sa.Text, primary_key=True)
    status_id: Mapped[str] = mapped_column(sa.Text, primary_key=True)
    name: Mapped[str] = mapped_column(sa.Text)
    sort: Mapped[int] = mapped_column(server_default="0")
    semantic: Mapped[str | None] = mapped_column(sa.Text)
    color: Mapped[str | None] = mapped_column(sa.Text)


class Currency(OfPortal, Base):
    """A currency with today's rate: one unit is `rate` of the base currency."""

    __tablename__ = "currencies"

    code: Mapped[str] = mapped_column(sa.Text, primary_key=True)
    name: Mapped[str | None] = mapped_column(sa.Text)
    rate: Mapped[Decimal] = mapped_column(sa.Numeric(24, 10))
    is_base: Mapped[bool] = mapped_column(server_default=sa.false())


class CurrencyRate(OfPortal, Base):
    """The rate a currency had on a day, kept for good: what deals closed on it are converted at."""

    __tablename__ = "currency_rates"

    code: Mapped[str] = mapped_column(sa.Text, primary_key=True)
    day: Mapped[date] = mapped_column(primary_key=True)
    rate: Mapped[Decimal] = mapped_column(sa.Numeric(24, 10))


class PortalUser(OfPortal, Base):
    """An employee of the portal."""

    __tablename__ = "portal_users"

    bitrix_id: Mapped[int] = mapped_column(sa.BigInteger, primary_key=True)
    name: Mapped[str | None] = mapped_column(sa.Text)
    active: Mapped[bool] = mapped_column(server_default=sa.true())
    departments: Mapped[list[int]] = mapped_column(ARRAY(sa.Integer), server_default="{}")


class CustomField(OfPortal, Base):
    """A user field of the portal (`UF_CRM_…`): its type, label and list values."""

    __tablename__ = "custom_fields"

    entity: Mapped[str] = mapped_column(sa.Text, primary_key=True)
    code: Mapped[str] = mapped_column(sa.Text, primary_key=True)
    type_id: Mapped[str] = mapped_column(sa.Text)
    label: Mapped[str] = mapped_column(sa.Text)
    multiple: Mapped[bool] = mapped_column(server_default=sa.false())
    items: Mapped[list[dict[str, Any]] | None] = mapped_column(JSONB(none_as_null=True))
    item_name: Mapped[str | None] = mapped_column(sa.Text)
