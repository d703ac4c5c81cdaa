"""The mirror of a portal's CRM: its cards, their addresses and history, and its dictionaries.

Every key starts with `portal_id`, so that no row is ever reached without naming the portal.
`bitrix_id` is the portal's own id of the object.
"""

from __future__ import annotations

from datetime import date, datetime
from decimal import Decimal
from enum import StrEnum
from typing import Any

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import ARRAY, JSONB
from sqlalchemy.orm import Mapped, mapped_column

from core.database import Base
from integration.models import ManyOfPortal, Money, OfPortal, Timestamp


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
    __table_args__ = (
        sa.Index(None, "portal_id", "company_id"),
        sa.Index(
            "ix_contacts_responsible",
            *("portal_id", "assigned_by_id", "bitrix_id"),
            postgresql_where=sa.text("deleted_at IS NULL"),
        ),
    )

    type_id: Mapped[str | None] = mapped_column(sa.Text)
    company_id: Mapped[int | None] = mapped_column(sa.BigInteger)
    lead_id: Mapped[int | None] = mapped_column(sa.BigInteger)


class Company(Mirrored, Base):
    """An organisation. `is_my_company` marks the portal owner's own legal entities: never clients."""

    __tablename__ = "companies"
    __table_args__ = (
        sa.Index(
            "ix_companies_own", "portal_id", "bitrix_id", postgresql_where=sa.text("is_my_company")
        ),
        sa.Index(
            "ix_companies_responsible",
            *("portal_id", "assigned_by_id", "bitrix_id"),
            postgresql_where=sa.text("deleted_at IS NULL AND NOT is_my_company"),
        ),
    )

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
_OTHER_CLIENT = {"contact": "company_id", "company": "contact_id"}  # whose the deal may be instead


def _sales_index(what: str, client: str, sign: str) -> sa.Index:
    return sa.Index(
        f"ix_deals_{what}_by_{client}",
        "portal_id",
        f"{client}_id",
        postgresql_include=(*_SALE_COLUMNS, _OTHER_CLIENT[client]),
        postgresql_where=sa.text(f"{_SALE_CANDIDATE} AND {client}_id IS NOT NULL AND {sign}"),
    )


class Deal(Mirrored, Base):
    """A deal. `contact_id` is its primary contact; all of them are in DealContact.

    `base_amount` is its amount in the portal's base currency, `cost` what its product rows cost the
    company in it: NULL when it has no rows, or the purchase price of one isn't known. Both are kept by
    `integration.sync.prices`. `products_hash` is of all its rows; NULL when they could not be read.

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
        sa.Index(
            "ix_deals_templates", "portal_id", "bitrix_id", postgresql_where=sa.text("is_recurring")
        ),
    )

    title: Mapped[str | None] = mapped_column(sa.Text)
    pipeline_id: Mapped[int] = mapped_column(sa.Integer, server_default="0")
    stage_id: Mapped[str | None] = mapped_column(sa.Text)
    stage_semantic: Mapped[str | None] = mapped_column(sa.Text)
    type_id: Mapped[str | None] = mapped_column(sa.Text)
    opportunity: Mapped[Decimal] = mapped_column(Money, server_default="0")
    currency_id: Mapped[str | None] = mapped_column(sa.Text)
    base_amount: Mapped[Decimal | None] = mapped_column(Money)
    cost: Mapped[Decimal | None] = mapped_column(Money)
    products_hash: Mapped[int | None] = mapped_column(sa.BigInteger)
    company_id: Mapped[int | None] = mapped_column(sa.BigInteger)
    contact_id: Mapped[int | None] = mapped_column(sa.BigInteger)
    lead_id: Mapped[int | None] = mapped_column(sa.BigInteger)
    is_recurring: Mapped[bool] = mapped_column(server_default=sa.false())
    is_return_customer: Mapped[bool] = mapped_column(server_default=sa.false())
    begun_on: Mapped[date | None]
    closed_on: Mapped[date | None]
    moved_at: Mapped[datetime | None] = mapped_column(Timestamp)


class DealContact(ManyOfPortal, Base):
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


class Address(ManyOfPortal, Base):
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
    __table_args__ = (
        sa.Index(None, "portal_id", "owner_type", "owner_id"),
        sa.Index(None, "portal_id", "created_at"),
        sa.Index(None, "portal_id", "ended_at"),
    )

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
