"""The SQL of attribution: whose cards are whose, what people did with messages, and the last touch of each card.

It says of all cards what `mailings.rules.attribution.last_touch` says of one.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import distinct_on
from sqlalchemy.orm import Session

from core.database import document
from integration.mirror import Address, Contact, Deal, DealContact, Lead
from integration.models import MergedClient
from mailings.models import Delivery, DeliveryEvent
from mailings.rules.attribution import STRENGTH
from mailings.rules.events import REACTIONS, EventKind
from mailings.rules.states import DeliveryState

LEAD, DEAL = "lead", "deal"
Marked = Sequence[tuple[str, int, int]]
"""Cards that carry the mark of a message: entity, number, delivery."""


def first_touch(session: Session, portal_id: int) -> datetime | None:
    """When somebody first reacted to a message: what was born before follows from none."""
    event = DeliveryEvent
    query = sa.select(sa.func.min(event.at)).where(
        event.portal_id == portal_id,
        event.human,
        event.kind.in_([kind.value for kind in REACTIONS]),
    )
    return session.scalar(query)


def cards(portal_id: int, since: datetime | None, born_after: datetime | None) -> sa.CTE:
    """Leads and deals to look at: those born after a moment, or all that changed or went since another.

    `alive`: still there. `lead_id`: the lead a deal was born of, and a lead itself.
    """
    parts = []
    for entity, table, lead_id in ((LEAD, Lead, Lead.bitrix_id), (DEAL, Deal, Deal.lead_id)):
        what: list[Any] = [
            sa.literal(entity, sa.Text).label("entity"),
            table.bitrix_id,
            table.created_at,
            sa.and_(table.deleted_at.is_(None), table.created_at.is_not(None)).label("alive"),
            table.contact_id,
            table.company_id,
            lead_id.label("lead_id"),
        ]
        query = sa.select(*what).where(table.portal_id == portal_id)
        if since is not None:
            query = query.where(sa.or_(table.synced_at >= since, table.deleted_at >= since))
        elif born_after is not None:
            query = query.where(table.created_at >= born_after)
        parts.append(query)
    return sa.union_all(*parts).cte("cards").prefix_with("MATERIALIZED")


def touches(portal_id: int, since: datetime | None) -> sa.CTE:
    """What people did with messages: whose client, at what address.

    Not put together beforehand: for a few cards it is looked up by client, for all of them it is read through.
    """
    event = DeliveryEvent
    query = (
        sa.select(
            event.delivery_id,
            event.mailing_id,
            event.kind.label("touch"),
            event.at,
            Delivery.kind,
            Delivery.client_id,
            Delivery.address,
        )
        .join(Delivery, (Delivery.portal_id == portal_id) & (Delivery.id == event.delivery_id))
        .where(
            event.portal_id == portal_id,
            event.human,
            event.kind.in_([kind.value for kind in REACTIONS]),
            Delivery.sent_at.is_not(None),
            Delivery.state != sa.literal_column(f"'{DeliveryState.SKIPPED}'"),
        )
    )
    if since is not None:
        query = query.where(event.at >= since)
    return query.cte("touches").prefix_with("NOT MATERIALIZED")


def credited(
    portal_id: int, found: sa.CTE, touched: sa.CTE, window: timedelta, marked: Marked = ()
) -> sa.Select[Any]:
    """One row per card that follows from a message: the card, the touch it is credited to, when it was born."""
    no, yes = sa.false().label("marked"), sa.true().label("marked")
    matches = [each.add_columns(no) for each in _matches(portal_id, found, touched, window)]
    if marked:
        matches.append(_by_mark(portal_id, found, marked, window).add_columns(yes))
    every = sa.union_all(*matches).subquery("every")
    strength = {kind.value: number for number, kind in enumerate(STRENGTH)}
    return (
        sa.select(*every.c)
        .ext(distinct_on(every.c.entity, every.c.bitrix_id))
        .order_by(
            every.c.entity,
            every.c.bitrix_id,
            every.c.marked.desc(),
            every.c.touch == EventKind.OPENED.value,
            every.c.at.desc(),
            sa.case(strength, value=every.c.touch),
            every.c.delivery_id.desc(),
        )
    )


def _by_mark(portal_id: int, found: sa.CTE, marked: Marked, window: timedelta) -> sa.Select[Any]:
    """The message whose mark a card carries: followed when its link was clicked last, or when it was sent."""
    card, event = found.c, DeliveryEvent
    names = ("entity", "bitrix_id", "delivery_id")
    rows = document([dict(zip(names, each, strict=True)) for each in marked])
    mark = (
        sa.func.json_to_recordset(sa.cast(sa.literal(rows, sa.Text), sa.JSON))
        .table_valued(
            sa.column("entity", sa.Text),
            sa.column("bitrix_id", sa.BigInteger),
            sa.column("delivery_id", sa.BigInteger),
        )
        .render_derived(name="mark", with_types=True)
    )
    clicked = (
        sa.select(sa.func.max(event.at))
        .where(
            event.portal_id == portal_id,
            event.delivery_id == Delivery.id,
            event.kind == EventKind.CLICKED.value,
            event.at <= card.created_at,
        )
        .correlate(Delivery, found)
        .scalar_subquery()
    )
    at = sa.func.coalesce(clicked, Delivery.sent_at)
    same = (mark.c.entity == card.entity) & (mark.c.bitrix_id == card.bitrix_id)
    sent = (Delivery.portal_id == portal_id) & (Delivery.id == mark.c.delivery_id)
    return (
        sa.select(
            *(card.entity, card.bitrix_id, card.created_at),
            *(Delivery.id, Delivery.mailing_id),
            sa.literal(EventKind.CLICKED.value, sa.Text),
            at,
        )
        .select_from(found.join(mark, same).join(Delivery, sent))
        .where(card.alive, at <= card.created_at, at >= card.created_at - window)
    )


def _matches(
    portal_id: int, found: sa.CTE, touched: sa.CTE, window: timedelta
) -> list[sa.Select[Any]]:
    """Every touch of a card's client in time: of whom it names, of its lead's and its contact's, by address."""
    card, touch = found.c, touched.c
    what = (
        *(card.entity, card.bitrix_id, card.created_at),
        *(touch.delivery_id, touch.mailing_id, touch.touch, touch.at),
    )
    in_time = sa.and_(card.alive, touch.at <= card.created_at, touch.at >= card.created_at - window)

    def of(kind: str, client: Any, source: Any = found) -> sa.Select[Any]:
        same = sa.and_(touch.kind == kind, touch.client_id == client, in_time)
        return sa.select(*what).select_from(source.join(touched, same))

    more = found.join(
        DealContact,
        sa.and_(
            DealContact.portal_id == portal_id,
            DealContact.deal_id == card.bitrix_id,
            DealContact.position > 0,
        ),
    )
    contact = found.join(
        Contact,
        sa.and_(
            Contact.portal_id == portal_id,
            Contact.bitrix_id == card.contact_id,
            Contact.lead_id.is_not(None),
        ),
    )

    def taken_over(kind: str, client: Any) -> sa.Select[Any]:
        """Of the clients that were merged into this one."""
        merged = found.join(
            MergedClient,
            sa.and_(
                MergedClient.portal_id == portal_id,
                MergedClient.kind == kind,
                MergedClient.winner_id == client,
            ),
        )
        return of(kind, MergedClient.loser_id, merged)

    lead = found.join(Lead, sa.and_(Lead.portal_id == portal_id, Lead.bitrix_id == card.lead_id))
    address = found.join(
        Address,
        sa.and_(
            Address.portal_id == portal_id,
            Address.entity == LEAD,
            Address.entity_id == card.lead_id,
            Address.normalised.is_not(None),
        ),
    )
    by_address = sa.and_(touch.address == Address.normalised, in_time)
    return [
        of("contact", card.contact_id),
        of("company", card.company_id),
        taken_over("contact", card.contact_id),
        taken_over("company", card.company_id),
        of("lead", card.lead_id),
        of("contact", DealContact.contact_id, more).where(card.entity == DEAL),
        of("lead", Contact.lead_id, contact),
        of("contact", Lead.contact_id, lead).where(card.entity == DEAL),
        of("company", Lead.company_id, lead).where(card.entity == DEAL),
        sa.select(*what).select_from(address.join(touched, by_address)),
    ]
