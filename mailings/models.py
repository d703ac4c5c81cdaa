"""Tables of mailings: what is offered, each mailing, every recipient's delivery and what came of it.

`consent` keeps its own tables in `mailings.permissions`. Keys are declared as everywhere: the portal first.
"""

from __future__ import annotations

from datetime import date, datetime
from decimal import Decimal
from typing import Any

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import JSONB, UUID
from sqlalchemy.orm import Mapped, declared_attr, mapped_column

from core.database import Base
from integration.models import Money, OfPortal, Timestamp


class Numbered(OfPortal):
    """Mixin: rows of a portal with a number of their own."""

    id: Mapped[int] = mapped_column(sa.BigInteger, sa.Identity(), primary_key=True, sort_order=-9)


class Offer(Numbered, Base):
    """What is proposed, at which terms, to whom and why. `content` is `mailings.rules.offers.Offer`."""

    __tablename__ = "offers"

    kind: Mapped[str] = mapped_column(sa.Text)
    name: Mapped[str] = mapped_column(sa.Text)
    content: Mapped[dict[str, Any]] = mapped_column(JSONB, server_default="{}")
    version: Mapped[int] = mapped_column(server_default="1")
    changed_by: Mapped[int | None] = mapped_column(sa.BigInteger)
    changed_at: Mapped[datetime] = mapped_column(Timestamp, server_default=sa.func.now())
    created_at: Mapped[datetime] = mapped_column(Timestamp, server_default=sa.func.now())
    archived_at: Mapped[datetime | None] = mapped_column(Timestamp)


class PromoCode(OfPortal, Base):
    """A code of an offer's stock; given to one delivery at most."""

    __tablename__ = "promo_codes"
    __table_args__ = (
        sa.Index(
            "ix_promo_codes_free",
            *("portal_id", "offer_id", "code"),
            postgresql_where=sa.text("delivery_id IS NULL"),
        ),
    )

    offer_id: Mapped[int] = mapped_column(sa.BigInteger, primary_key=True)
    code: Mapped[str] = mapped_column(sa.Text, primary_key=True)
    delivery_id: Mapped[int | None] = mapped_column(sa.BigInteger)


class Mailing(Numbered, Base):
    """One sending of an offer to a segment by a channel.

    `content`: the letter or script as its author wrote it (`mailings.rules.letters`), `plan`: pace, hours,
    mode (`mailings.rules.plans`). At launch `audience` keeps the conditions as they were, `fingerprint`
    what the recipients hash to, and `compiled` the letter as it is sent. `parent_id`: the series it is a turn of,
    or the mailing it follows up. `key` is the same for two clicks on one button: only one mailing gets it.
    """

    __tablename__ = "mailings"
    __table_args__ = (
        sa.Index("ix_mailings_state", "portal_id", "state"),
        sa.UniqueConstraint("portal_id", "key"),
    )

    name: Mapped[str] = mapped_column(sa.Text)
    channel: Mapped[str] = mapped_column(sa.Text)
    topic: Mapped[str] = mapped_column(sa.Text, server_default="offers")
    segment_id: Mapped[int | None] = mapped_column(sa.Integer)
    preset: Mapped[str | None] = mapped_column(sa.Text)
    offer_id: Mapped[int | None] = mapped_column(sa.BigInteger)
    server_id: Mapped[int | None] = mapped_column(sa.BigInteger)
    content: Mapped[dict[str, Any]] = mapped_column(JSONB, server_default="{}")
    plan: Mapped[dict[str, Any]] = mapped_column(JSONB, server_default="{}")
    mode: Mapped[str] = mapped_column(sa.Text, server_default="once")
    state: Mapped[str] = mapped_column(sa.Text, server_default="draft")
    state_reason: Mapped[str | None] = mapped_column(sa.Text)
    state_at: Mapped[datetime] = mapped_column(Timestamp, server_default=sa.func.now())
    version: Mapped[int] = mapped_column(server_default="1")
    key: Mapped[str | None] = mapped_column(sa.Text)
    parent_id: Mapped[int | None] = mapped_column(sa.BigInteger)
    turn: Mapped[int | None]
    audience: Mapped[dict[str, Any] | None] = mapped_column(JSONB(none_as_null=True))
    fingerprint: Mapped[str | None] = mapped_column(sa.Text)
    size: Mapped[int | None]
    compiled: Mapped[dict[str, Any] | None] = mapped_column(JSONB(none_as_null=True))
    author_id: Mapped[int | None] = mapped_column(sa.BigInteger)
    created_at: Mapped[datetime] = mapped_column(Timestamp, server_default=sa.func.now())
    changed_at: Mapped[datetime] = mapped_column(Timestamp, server_default=sa.func.now())
    start_at: Mapped[datetime | None] = mapped_column(Timestamp)
    started_at: Mapped[datetime | None] = mapped_column(Timestamp)
    finished_at: Mapped[datetime | None] = mapped_column(Timestamp)
    told_at: Mapped[datetime | None] = mapped_column(Timestamp)
    planned_at: Mapped[datetime | None] = mapped_column(Timestamp)


class MailingLink(OfPortal, Base):
    """A link of a mailing's letter: where a click leads. Only these addresses are ever redirected to."""

    __tablename__ = "mailing_links"

    mailing_id: Mapped[int] = mapped_column(sa.BigInteger, primary_key=True)
    number: Mapped[int] = mapped_column(sa.SmallInteger, primary_key=True, autoincrement=False)
    url: Mapped[str] = mapped_column(sa.Text)
    text: Mapped[str | None] = mapped_column(sa.Text)


class Delivery(Base):
    """One message to one client of the audience: the truth about whether it was sent.

    One row per client, so states add up to the audience; `address` is normalised, empty when the client has
    none. `group_key` is the recipient's mail service for the pace. `owner` and `lease_until` fence the sender that
    works on it. `human_*` are the first events of people, the others count machines too.
    Rows go with their portal by a trigger: a foreign key would cost as much as everything else of a million rows.
    """

    __tablename__ = "deliveries"

    @declared_attr.directive
    def __table_args__(cls) -> tuple[Any, ...]:  # noqa: N805 - SQLAlchemy's convention
        errors = sa.text("state IN ('failed', 'bounced')")
        return (
            sa.Index(
                "uq_deliveries_client",
                *("portal_id", "mailing_id", "kind", "client_id"),
                unique=True,
            ),
            sa.Index(
                "uq_deliveries_address",
                *("portal_id", "mailing_id", "address"),
                unique=True,
                postgresql_where=sa.text("address IS NOT NULL AND state <> 'skipped'"),
            ),
            sa.Index(
                "ix_deliveries_due",
                *("portal_id", "mailing_id", "next_try_at", "id"),
                postgresql_where=sa.text("state IN ('pending', 'deferred')"),
            ),
            sa.Index(
                "ix_deliveries_leased",
                *("portal_id", "lease_until"),
                postgresql_where=sa.text("state IN ('claimed', 'sending')"),
            ),
            sa.Index(
                "ix_deliveries_failed",
                *("portal_id", "address"),
                postgresql_where=sa.text("state = 'failed'"),
            ),
            sa.Index("ix_deliveries_errors", "portal_id", "mailing_id", postgresql_where=errors),
            sa.Index(
                "ix_deliveries_of_client",
                *("portal_id", "kind", "client_id", "sent_at"),
                postgresql_where=sa.text("sent_at IS NOT NULL"),
            ),
            sa.Index(
                "ix_deliveries_answered",
                *("portal_id", sa.text("GREATEST(human_clicked_at, replied_at)")),
                postgresql_where=sa.text("human_clicked_at IS NOT NULL OR replied_at IS NOT NULL"),
            ),
        )

    portal_id: Mapped[int] = mapped_column(sa.Integer, primary_key=True)
    id: Mapped[int] = mapped_column(sa.BigInteger, sa.Identity(), primary_key=True)
    mailing_id: Mapped[int] = mapped_column(sa.BigInteger)
    channel: Mapped[str] = mapped_column(sa.Text)
    kind: Mapped[str] = mapped_column(sa.Text)
    client_id: Mapped[int] = mapped_column(sa.BigInteger)
    address: Mapped[str | None] = mapped_column(sa.Text)
    group_key: Mapped[str | None] = mapped_column(sa.Text)
    state: Mapped[str] = mapped_column(sa.Text)
    reason: Mapped[str | None] = mapped_column(sa.Text)
    variant: Mapped[str | None] = mapped_column(sa.Text)
    code: Mapped[str | None] = mapped_column(sa.Text)
    attempt: Mapped[int] = mapped_column(sa.SmallInteger, server_default="0")
    next_try_at: Mapped[datetime | None] = mapped_column(Timestamp)
    owner: Mapped[str | None] = mapped_column(UUID(as_uuid=False))
    lease_until: Mapped[datetime | None] = mapped_column(Timestamp)
    reply_code: Mapped[int | None] = mapped_column(sa.SmallInteger)
    reply_status: Mapped[str | None] = mapped_column(sa.Text)
    provider_id: Mapped[str | None] = mapped_column(sa.Text)
    planned_at: Mapped[datetime] = mapped_column(Timestamp, server_default=sa.func.now())
    sent_at: Mapped[datetime | None] = mapped_column(Timestamp)
    bounced_at: Mapped[datetime | None] = mapped_column(Timestamp)
    opened_at: Mapped[datetime | None] = mapped_column(Timestamp)
    human_opened_at: Mapped[datetime | None] = mapped_column(Timestamp)
    clicked_at: Mapped[datetime | None] = mapped_column(Timestamp)
    human_clicked_at: Mapped[datetime | None] = mapped_column(Timestamp)
    replied_at: Mapped[datetime | None] = mapped_column(Timestamp)
    unsubscribed_at: Mapped[datetime | None] = mapped_column(Timestamp)
    complained_at: Mapped[datetime | None] = mapped_column(Timestamp)


class DeliveryAttempt(Numbered, Base):
    """A try that did not end well: when, and what the server said."""

    __tablename__ = "delivery_attempts"
    __table_args__ = (sa.Index(None, "portal_id", "delivery_id"),)

    delivery_id: Mapped[int] = mapped_column(sa.BigInteger)
    attempt: Mapped[int] = mapped_column(sa.SmallInteger)
    at: Mapped[datetime] = mapped_column(Timestamp, server_default=sa.func.now())
    outcome: Mapped[str] = mapped_column(sa.Text)
    reply_code: Mapped[int | None] = mapped_column(sa.SmallInteger)
    reply_status: Mapped[str | None] = mapped_column(sa.Text)
    text: Mapped[str | None] = mapped_column(sa.Text)


class DeliveryEvent(Numbered, Base):
    """What came back of a delivery: opened, clicked, bounced, complained, unsubscribed, replied.

    `human` False: a program did it, by `ruling`, the rule that said so.
    """

    __tablename__ = "delivery_events"
    __table_args__ = (
        sa.Index(None, "portal_id", "delivery_id"),
        sa.Index(None, "portal_id", "mailing_id", "kind"),
        sa.Index(
            "ix_delivery_events_replies",
            *("portal_id", "at"),
            postgresql_where=sa.text("kind = 'replied'"),
        ),
    )

    delivery_id: Mapped[int] = mapped_column(sa.BigInteger)
    mailing_id: Mapped[int] = mapped_column(sa.BigInteger)
    kind: Mapped[str] = mapped_column(sa.Text)
    at: Mapped[datetime] = mapped_column(Timestamp, server_default=sa.func.now())
    link: Mapped[int | None] = mapped_column(sa.SmallInteger)
    human: Mapped[bool] = mapped_column(server_default=sa.true())
    ruling: Mapped[str | None] = mapped_column(sa.Text)
    detail: Mapped[dict[str, Any] | None] = mapped_column(JSONB(none_as_null=True))


class Attribution(OfPortal, Base):
    """The lead or deal a delivery is credited with: the last touch inside the portal's window.

    `sold_on`: the deal counts as a sale since that day; `amount` and `margin` are then its own.
    """

    __tablename__ = "attributions"
    __table_args__ = (
        sa.Index(
            "ix_attributions_mailing",
            *("portal_id", "mailing_id", "happened_at", "entity", "bitrix_id"),
        ),
    )

    entity: Mapped[str] = mapped_column(sa.Text, primary_key=True)
    bitrix_id: Mapped[int] = mapped_column(sa.BigInteger, primary_key=True)
    mailing_id: Mapped[int] = mapped_column(sa.BigInteger)
    delivery_id: Mapped[int] = mapped_column(sa.BigInteger)
    touch: Mapped[str] = mapped_column(sa.Text)
    touched_at: Mapped[datetime] = mapped_column(Timestamp)
    happened_at: Mapped[datetime] = mapped_column(Timestamp)
    sold_on: Mapped[date | None]
    amount: Mapped[Decimal | None] = mapped_column(Money)
    margin: Mapped[Decimal | None] = mapped_column(Money)
    attributed_at: Mapped[datetime] = mapped_column(Timestamp, server_default=sa.func.now())


class AttributionRun(OfPortal, Base):
    """When the portal's leads and deals were last credited, and by which rules: others mean all over again."""

    __tablename__ = "attribution_runs"

    read_to: Mapped[datetime] = mapped_column(Timestamp)
    whole_at: Mapped[datetime] = mapped_column(Timestamp)
    rules: Mapped[str] = mapped_column(sa.Text)


class MailServer(Numbered, Base):
    """An SMTP server letters leave by, with the identity they carry and the pace it bears.

    `from_settings`: its address is SMTP_URL. `failures`: in a row; `rest_until`: it is left alone till then.
    `mailbox`: where returned letters are read (IMAP), its password sealed beside it.
    """

    __tablename__ = "mail_servers"

    name: Mapped[str] = mapped_column(sa.Text)
    from_settings: Mapped[bool] = mapped_column(server_default=sa.false())
    host: Mapped[str | None] = mapped_column(sa.Text)
    port: Mapped[int | None]
    security: Mapped[str] = mapped_column(sa.Text, server_default="starttls")
    username: Mapped[str | None] = mapped_column(sa.Text)
    password_sealed: Mapped[str | None] = mapped_column(sa.Text)
    from_email: Mapped[str] = mapped_column(sa.Text)
    from_name: Mapped[str | None] = mapped_column(sa.Text)
    reply_to: Mapped[str | None] = mapped_column(sa.Text)
    bounce_domain: Mapped[str | None] = mapped_column(sa.Text)
    connections: Mapped[int] = mapped_column(sa.SmallInteger, server_default="10")
    rate_per_minute: Mapped[int | None]
    group_rate_per_minute: Mapped[int | None]
    daily_quota: Mapped[int | None]
    warm_up_from: Mapped[date | None]
    dkim_selector: Mapped[str | None] = mapped_column(sa.Text)
    dkim_key_sealed: Mapped[str | None] = mapped_column(sa.Text)
    mailbox: Mapped[dict[str, Any] | None] = mapped_column(JSONB(none_as_null=True))
    mailbox_password_sealed: Mapped[str | None] = mapped_column(sa.Text)
    mailbox_read_at: Mapped[datetime | None] = mapped_column(Timestamp)
    mailbox_problem: Mapped[str | None] = mapped_column(sa.Text)
    failures: Mapped[int] = mapped_column(server_default="0")
    rest_until: Mapped[datetime | None] = mapped_column(Timestamp)
    problem: Mapped[str | None] = mapped_column(sa.Text)
    checked: Mapped[dict[str, Any] | None] = mapped_column(JSONB(none_as_null=True))
    checked_at: Mapped[datetime | None] = mapped_column(Timestamp)
    changed_by: Mapped[int | None] = mapped_column(sa.BigInteger)
    changed_at: Mapped[datetime] = mapped_column(Timestamp, server_default=sa.func.now())
    archived_at: Mapped[datetime | None] = mapped_column(Timestamp)


class Pace(OfPortal, Base):
    """How much of a pace is used: a bucket of messages that fills with time, or the count of a day.

    `key` names it: `mailing:7`, `server:2`, `server:2:mail.ru`, `day:2:2026-11-22`; `slow:2:mail.ru` is a pace a
    complaint has left, `seats:2:<process>` how many of a server's connections a sender holds.
    """

    __tablename__ = "paces"

    key: Mapped[str] = mapped_column(sa.Text, primary_key=True)
    level: Mapped[float] = mapped_column(sa.Float, server_default="0")
    counted_at: Mapped[datetime] = mapped_column(Timestamp, server_default=sa.func.now())


class PortalNote(OfPortal, Base):
    """How far a mailing's deliveries are written into the portal's timelines.

    Those sent after `since` and up to `until` are being written, in the order of their ids from `before_first_id` on;
    the two are equal when all of them are.
    """

    __tablename__ = "portal_notes"

    mailing_id: Mapped[int] = mapped_column(sa.BigInteger, primary_key=True)
    since: Mapped[datetime | None] = mapped_column(Timestamp)
    until: Mapped[datetime | None] = mapped_column(Timestamp)
    before_first_id: Mapped[int] = mapped_column(sa.BigInteger, server_default="0")
    last_id: Mapped[int] = mapped_column(sa.BigInteger, server_default="0")
    written: Mapped[int] = mapped_column(server_default="0")
    failed: Mapped[int] = mapped_column(server_default="0")
    changed_at: Mapped[datetime] = mapped_column(Timestamp, server_default=sa.func.now())
