"""Conditions on the messages a client was sent, and on what came back of each.

Opened and clicked mean people: programs that look at letters by themselves are left out.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm import aliased

from core.web.words import N_
from mailings.conditions import lists
from mailings.models import Delivery, DeliveryEvent, Mailing, MailingLink
from mailings.rules.events import EventKind
from segments.conditions.catalog import Context, Field, Scope, named, rows_of
from segments.conditions.joining import Joined
from segments.conditions.operators import Expression, Type
from segments.conditions.phrases import RowWords
from segments.conditions.related_rows import Rows
from segments.conditions.relations import Relation
from segments.rules.tree import Kind

_MOMENTS = {
    "opened_at": Delivery.human_opened_at,
    "clicked_at": Delivery.human_clicked_at,
    "replied_at": Delivery.replied_at,
    "bounced_at": Delivery.bounced_at,
    "unsubscribed_at": Delivery.unsubscribed_at,
    "complained_at": Delivery.complained_at,
}


def _messages_of(kind: Kind, scope: Scope) -> Rows:
    """Messages that were sent: each with its mailing, and the first event of every kind."""
    delivery, mailing = aliased(Delivery), aliased(Mailing)
    found = (
        sa.select(
            delivery.client_id.label("card_id"),
            delivery.id.label("bitrix_id"),
            *(delivery.mailing_id, delivery.channel, delivery.sent_at),
            *(getattr(delivery, column.key).label(key) for key, column in _MOMENTS.items()),
            *(mailing.topic, mailing.offer_id),
        )
        .join(
            mailing,
            sa.and_(mailing.portal_id == delivery.portal_id, mailing.id == delivery.mailing_id),
        )
        .where(
            delivery.portal_id == scope.portal_id,
            delivery.kind == kind.value,
            delivery.sent_at.is_not(None),
        )
        .subquery("message")
    )
    return Rows(found, found.c, found.c.card_id, ())


def _happened(name: str) -> Callable[[Any, Scope], Expression]:
    return lambda row, _scope: getattr(row, name).is_not(None)


def _id_text(name: str) -> Callable[[Any, Scope], Expression]:
    return lambda row, _scope: sa.cast(getattr(row, name), sa.Text)


def _links(row: Any, scope: Scope) -> Expression:
    """The addresses of the links a person followed, in one text."""
    event, link = aliased(DeliveryEvent), aliased(MailingLink)
    same = sa.and_(
        link.portal_id == event.portal_id,
        link.mailing_id == event.mailing_id,
        link.number == event.link,
    )
    return (
        sa.select(sa.func.string_agg(link.url.distinct(), " "))
        .join_from(event, link, same)
        .where(
            event.portal_id == scope.portal_id,
            event.delivery_id == row.bitrix_id,
            event.kind == EventKind.CLICKED.value,
            event.human,
        )
        .scalar_subquery()
    )


_WHAT, _CAME, _DATES = N_("Message"), N_("What came of it"), N_("Dates")
_CONTEXT = Context(
    "messages",
    N_("Messages of mailings"),
    rows_of(
        Field("mailing", N_("Mailing"), Type.CHOICE, _id_text("mailing_id"), _WHAT, options=lists.MAILINGS),
        Field("offer", N_("Offer"), Type.CHOICE, _id_text("offer_id"), _WHAT, options=lists.OFFERS),
        Field("channel", N_("Channel"), Type.CHOICE, named("channel"), _WHAT, options=lists.CHANNELS),
        Field("topic", N_("Topic"), Type.CHOICE, named("topic"), _WHAT, options=lists.TOPICS),
        Field("opened", N_("Opened"), Type.FLAG, _happened("opened_at"), _CAME),
        Field("clicked", N_("Followed a link"), Type.FLAG, _happened("clicked_at"), _CAME),
        Field("links", N_("Followed links"), Type.TEXT, _links, _CAME),
        Field("replied", N_("Replied"), Type.FLAG, _happened("replied_at"), _CAME),
        Field("bounced", N_("Came back"), Type.FLAG, _happened("bounced_at"), _CAME),
        Field("unsubscribed", N_("Unsubscribed by it"), Type.FLAG, _happened("unsubscribed_at"), _CAME),
        Field("complained", N_("Complained of it"), Type.FLAG, _happened("complained_at"), _CAME),
        Field("sent_at", N_("Sent on"), Type.MOMENT, named("sent_at"), _DATES),
        Field("opened_at", N_("Opened on"), Type.MOMENT, named("opened_at"), _DATES),
        Field("clicked_at", N_("Followed a link on"), Type.MOMENT, named("clicked_at"), _DATES),
        Field("replied_at", N_("Replied on"), Type.MOMENT, named("replied_at"), _DATES),
        Field("bounced_at", N_("Came back on"), Type.MOMENT, named("bounced_at"), _DATES),
        Field("unsubscribed_at", N_("Unsubscribed on"), Type.MOMENT, named("unsubscribed_at"), _DATES),
        Field("complained_at", N_("Complained on"), Type.MOMENT, named("complained_at"), _DATES),
    ),
)  # fmt: skip

MESSAGES = Joined(
    Relation("messages", N_("Messages of mailings"), _CONTEXT, _messages_of, ordered="sent_at"),
    RowWords(
        N_("there is a message of a mailing"), N_("there is a message of a mailing for which"),
        N_("there are no messages of mailings"),
        N_("the first message of a mailing is one for which"),
        N_("the last message of a mailing is one for which"),
        N_("number of messages of mailings"), N_("over messages of mailings"),
    ),
    lists.LISTS,
)  # fmt: skip
