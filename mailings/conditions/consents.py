"""Conditions on what a card's addresses agreed to, refused, and on those nobody writes to."""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm import aliased

from core.web.words import N_
from integration.mirror import Address
from mailings.conditions import lists
from mailings.consent.hashing import hashed
from mailings.permissions import Consent, ConsentRecord, Suppression
from segments.conditions.catalog import Context, Field, Scope, named, rows_of
from segments.conditions.joining import Joined
from segments.conditions.operators import Type
from segments.conditions.phrases import RowWords
from segments.conditions.related_rows import Rows
from segments.conditions.relations import Relation
from segments.rules.tree import Kind


def _consents_of(kind: Kind, scope: Scope) -> Rows:
    """The latest word of each address of the card, about each topic on each channel."""
    address, consent, record = aliased(Address), aliased(Consent), aliased(ConsentRecord)
    found = (
        sa.select(
            address.entity_id.label("card_id"),
            consent.record_id.label("bitrix_id"),
            *(consent.channel, consent.topic, consent.given, consent.happened_at, record.source),
        )
        .select_from(address)
        .join(consent, _of(consent, address, scope))
        .join(
            record,
            sa.and_(record.portal_id == consent.portal_id, record.id == consent.record_id),
        )
        .where(*_known(address, kind, scope))
        .subquery("consent_of_card")
    )
    return Rows(found, found.c, found.c.card_id, ())


def _stops_of(kind: Kind, scope: Scope) -> Rows:
    """Addresses of the card that are not written to now."""
    address, stop = aliased(Address), aliased(Suppression)
    now = sa.literal(scope.now, sa.DateTime(timezone=True))
    found = (
        sa.select(
            address.entity_id.label("card_id"),
            address.position.label("bitrix_id"),
            *(stop.channel, stop.reason, stop.at, stop.until, stop.mailing_id),
        )
        .select_from(address)
        .join(stop, _of(stop, address, scope))
        .where(*_known(address, kind, scope), sa.or_(stop.until.is_(None), stop.until > now))
        .subquery("stop_of_card")
    )
    return Rows(found, found.c, found.c.card_id, ())


def _of(row: Any, address: Any, scope: Scope) -> Any:
    """What is on record about this address."""
    same = row.address_hash == hashed(scope.portal_id, address.normalised)
    return sa.and_(row.portal_id == scope.portal_id, same)


def _known(address: Any, kind: Kind, scope: Scope) -> tuple[Any, ...]:
    return (
        address.portal_id == scope.portal_id,
        address.entity == kind.value,
        address.normalised.is_not(None),
    )


def _mailing(row: Any, _scope: Scope) -> Any:
    return sa.cast(row.mailing_id, sa.Text)


_WHAT, _DATES = N_("Consent"), N_("Dates")
_CHANNEL = Field(
    "channel", N_("Channel"), Type.CHOICE, named("channel"), _WHAT, options=lists.CHANNELS
)
_CONSENTS = Context(
    "consents",
    N_("Consents"),
    rows_of(
        Field("given", N_("Agreed"), Type.FLAG, named("given"), _WHAT),
        _CHANNEL,
        Field("topic", N_("Topic"), Type.CHOICE, named("topic"), _WHAT, options=lists.TOPICS),
        Field("source", N_("Source of the consent"), Type.TEXT, named("source"), _WHAT),
        Field("happened_at", N_("Said on"), Type.MOMENT, named("happened_at"), _DATES),
    ),
)
_STOPS = Context(
    "stops",
    N_("Stop list"),
    rows_of(
        Field("reason", N_("Reason"), Type.CHOICE, named("reason"), _WHAT, options=lists.STOP_REASONS),
        _CHANNEL,
        Field("mailing", N_("Mailing"), Type.CHOICE, _mailing, _WHAT, options=lists.MAILINGS),
        Field("at", N_("Since"), Type.MOMENT, named("at"), _DATES),
        Field("until", N_("Till"), Type.MOMENT, named("until"), _DATES),
    ),
)  # fmt: skip

CONSENTS = Joined(
    Relation("consents", N_("Consents"), _CONSENTS, _consents_of, ordered="happened_at"),
    RowWords(
        N_("there is an answer about consent"), N_("there is an answer about consent for which"),
        N_("there are no answers about consent"),
        N_("the first answer about consent is one for which"),
        N_("the last answer about consent is one for which"),
        N_("number of answers about consent"), N_("over answers about consent"),
    ),
)  # fmt: skip
STOPS = Joined(
    Relation("stops", N_("Stop list"), _STOPS, _stops_of, ordered="at"),
    RowWords(
        N_("there is an address in the stop list"),
        N_("there is an address in the stop list for which"),
        N_("there are no addresses in the stop list"),
        N_("the first address in the stop list is one for which"),
        N_("the last address in the stop list is one for which"),
        N_("number of addresses in the stop list"), N_("over addresses in the stop list"),
    ),
)  # fmt: skip
