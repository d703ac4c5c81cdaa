"""Tables of the integration itself: portals, their tokens, runs, checks, events and troubles.

Every key starts with `portal_id`, so that no row is ever reached without naming the portal, and the
tables can be partitioned or sharded by portal. What is mirrored of a portal is in `integration.mirror`.
"""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum
from typing import Any

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import Mapped, declared_attr, mapped_column

from core.database import Base

Timestamp = sa.DateTime(timezone=True)
Money = sa.Numeric(18, 2)
_OPEN = sa.text("status IN ('queued', 'running')")


class PortalState(StrEnum):
    """Where a portal is in its life with us."""

    REGISTERED = "registered"  # keys entered, nobody has opened the application yet
    INSTALLING = "installing"
    ACTIVE = "active"
    REOPEN = "reopen"  # tokens died: an admin must open the application once
    BLOCKED = "blocked"  # the plan has no REST, unpaid, overload block, gone, or silent for long
    UNINSTALLED = "uninstalled"

    @property
    def callable(self) -> bool:
        """Whether background work may call the portal; of the others `integration.probes` asks."""
        return self in {PortalState.INSTALLING, PortalState.ACTIVE}

    @property
    def cut_off(self) -> bool:
        """Whether access has ended, so that an administrator's opening of the application renews it."""
        return self in {PortalState.REOPEN, PortalState.BLOCKED, PortalState.UNINSTALLED}


class Portal(Base):
    """One Bitrix24 account. `member_id` never changes, `domain` may.

    `state_reason`: the name of the error that ended access. `silent_since`: no sensible answer since.
    `removal_told_at`: an event said that the application was removed, and nobody has looked yet.
    `has_menu_item`: the portal's menu leads to the application by itself; not when that uses the API only.
    """

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
    state_since: Mapped[datetime | None] = mapped_column(Timestamp)
    silent_since: Mapped[datetime | None] = mapped_column(Timestamp)
    probed_at: Mapped[datetime | None] = mapped_column(Timestamp)
    removal_told_at: Mapped[datetime | None] = mapped_column(Timestamp)
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
    has_menu_item: Mapped[bool] = mapped_column(server_default=sa.true())

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


class ManyOfPortal:
    """Mixin for tables of which a page brings many rows: they go with their portal by a trigger on `portals`.

    A foreign key would be looked up for each row: a sixth of what writing a contact's addresses takes.
    """

    portal_id: Mapped[int] = mapped_column(sa.Integer, primary_key=True, sort_order=-10)


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
            "uq_sync_runs_one_open_per_portal", "portal_id", unique=True, postgresql_where=_OPEN
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

    `portal_rows`: what the portal had when it was last counted. `reading_asked` differs from `reading`
    when the entity is to be read from its first row again, because another field of it is kept now.
    `refused`: what the portal said when it would not let us read an entity we can do without.
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
    refused: Mapped[str | None] = mapped_column(sa.Text)
    rows: Mapped[int] = mapped_column(sa.BigInteger, server_default="0")
    changed: Mapped[int] = mapped_column(sa.BigInteger, server_default="0")
    deleted: Mapped[int] = mapped_column(sa.BigInteger, server_default="0")
    quarantined: Mapped[int] = mapped_column(sa.BigInteger, server_default="0")
    requests: Mapped[int] = mapped_column(sa.BigInteger, server_default="0")
    seconds: Mapped[float] = mapped_column(sa.Float, server_default="0")
    reading: Mapped[int] = mapped_column(server_default="0")
    reading_asked: Mapped[int] = mapped_column(server_default="0")


class AdminRule(OfPortal, Base):
    """A version of one of the administrator's rules; the newest is in force (`integration.admin_rules`).

    `changed_by` None: the command line, or what was in force before anyone chose.
    """

    __tablename__ = "admin_rules"

    rule: Mapped[str] = mapped_column(sa.Text, primary_key=True)
    version: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    content: Mapped[dict[str, Any]] = mapped_column(JSONB)
    changed_by: Mapped[int | None] = mapped_column(sa.BigInteger)
    changed_at: Mapped[datetime] = mapped_column(Timestamp, server_default=sa.func.now())


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
            *("uq_checks_one_open_per_entity", "portal_id", "entity"),
            unique=True,
            postgresql_where=_OPEN,
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
    """A client whose deals changed since metrics were last computed: the hand-over to `segments`.

    Rows are only ever added, so writers never wait for one another, and a change that is not committed
    yet can't be lost with the row of an earlier one.
    """

    __tablename__ = "changed_clients"

    id: Mapped[int] = mapped_column(sa.BigInteger, sa.Identity(), primary_key=True)
    kind: Mapped[str] = mapped_column(sa.Text)
    client_id: Mapped[int] = mapped_column(sa.BigInteger)
    changed_at: Mapped[datetime] = mapped_column(Timestamp, server_default=sa.func.now())


class ChangedCard(OfPortal, Base):
    """A contact, company or lead to look at again: its row changed, or what belongs to it did.

    The hand-over to whoever keeps something by card, as `ChangedClient` is to the metrics.
    """

    __tablename__ = "changed_cards"

    id: Mapped[int] = mapped_column(sa.BigInteger, sa.Identity(), primary_key=True)
    kind: Mapped[str] = mapped_column(sa.Text)
    card_id: Mapped[int] = mapped_column(sa.BigInteger)


class QuarantinedRow(OfPortal, Base):
    """A row of the portal that did not fit, with the reason; the run went on without it."""

    __tablename__ = "quarantined_rows"
    __table_args__ = (
        sa.Index("ix_quarantined_rows_seen", "portal_id", "seen_at", "entity", "bitrix_id"),
        sa.Index("ix_quarantined_rows_reason", "portal_id", "reason"),
    )

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
