"""Where each client of an audience is reached: one row per client, with his best address and what any of them said.

A lead that belongs to a contact is reached at the contact's addresses where it has none of its own. A «no» said
at any address of a card counts for all of them: clients that were merged keep the addresses of both, so the
strictest word wins. Of the addresses left the first is taken that is known to work and said yes.
"""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm import aliased

from integration.mirror import Address, AddressKind, Lead
from mailings.consent.hashing import hashed
from mailings.consent.suppressions import in_force
from mailings.models import Delivery
from mailings.permissions import Consent, ErasedClient, Suppression
from mailings.planning.eligibility import Terms
from mailings.rules.consents import OF_PERSON, Reason
from mailings.rules.states import ChannelKey

REACHED_BY = {
    ChannelKey.EMAIL.value: AddressKind.EMAIL.value,
    ChannelKey.CALL_LIST.value: AddressKind.PHONE.value,
}
_FOR_PERSON = [reason.value for reason in OF_PERSON if reason is not Reason.PAUSED]
_OWN_PLACES, _SILENT, _DEAD, _DIGITS = 10**5, 10**6, 10**7, 10**8


def reached(terms: Terms, cards: sa.Select[Any], *, newcomers: bool) -> sa.Select[Any]:
    """One row per client: his best address, and what is on record about any of them."""
    audience = cards.subquery("audience")
    chosen = sa.select(audience.c.kind, audience.c.member_id.label("client_id"))
    if newcomers:
        chosen = chosen.where(_newcomer(terms, audience))
    known = _addresses(terms, _owners(terms, chosen.cte().prefix_with("MATERIALIZED")))
    suppression, consent = aliased(Suppression), aliased(Consent)
    source = sa.join(
        known,
        suppression,
        sa.and_(
            suppression.portal_id == terms.portal_id,
            suppression.channel == terms.channel,
            suppression.address_hash == known.c.hash,
            in_force(suppression),
        ),
        isouter=True,
    ).outerjoin(
        consent,
        sa.and_(
            consent.portal_id == terms.portal_id,
            consent.channel == terms.channel,
            consent.topic == terms.topic,
            consent.address_hash == known.c.hash,
        ),
    )
    dead = sa.func.coalesce(suppression.reason == Reason.BOUNCED.value, sa.false())
    yes = sa.func.coalesce(consent.given, sa.false())
    said = sa.func.bool_or
    best = sa.func.min(_worth(dead, yes, known)).label("best")
    each = (
        sa.select(
            *(known.c.kind, known.c.client_id),
            sa.func.bool_or(known.c.typed).label("has_address"),
            best,
            said(sa.func.coalesce(~consent.given, sa.false())).label("withdrawn"),
            said(sa.func.coalesce(suppression.reason.in_(_FOR_PERSON), sa.false())).label("told"),
            said(sa.func.coalesce(suppression.reason == Reason.PAUSED.value, sa.false())).label(
                "paused"
            ),
        )
        .select_from(source)
        .group_by(known.c.kind, known.c.client_id)
        .subquery("each")
    )
    row, gone = each.c, aliased(ErasedClient)
    return sa.select(
        *(row.kind, row.client_id, row.has_address, row.withdrawn, row.paused),
        sa.func.substr(row.best, len(str(_DIGITS)) + 1).label("address"),
        sa.func.split_part(row.best, "@", -1).label("domain"),
        (sa.func.substr(row.best, 3, 1) == "0").label("consented"),
        sa.or_(row.told, sa.func.substr(row.best, 2, 1) == "1").label("suppressed"),
        gone.client_id.is_not(None).label("erased"),
    ).select_from(
        sa.join(
            each,
            gone,
            sa.and_(
                gone.portal_id == terms.portal_id,
                gone.kind == row.kind,
                gone.client_id == row.client_id,
            ),
            isouter=True,
        )
    )


def _worth(dead: Any, yes: Any, known: sa.CTE) -> Any:
    """An address behind what it is worth, the best the least: one pass finds it without sorting anything.

    Digits of one number, as that is quicker to write than texts are to join: dead or not, agreed or not, whose, in
    which place.
    """
    worth = (
        _DIGITS
        + sa.case((dead, _DEAD), else_=0)
        + sa.case((yes, 0), else_=_SILENT)
        + known.c.place * _OWN_PLACES
        + known.c.position
    )
    return sa.cast(worth, sa.Text).op("||", return_type=sa.Text)(known.c.address)


def _addresses(terms: Terms, owners: sa.Subquery) -> sa.CTE:
    """Every address of every client with its hash; a client without one has one empty row."""
    address = aliased(Address)
    mine = sa.and_(
        address.portal_id == terms.portal_id,
        address.entity == owners.c.entity,
        address.entity_id == owners.c.entity_id,
        address.kind == REACHED_BY[terms.channel],
    )
    query = sa.select(
        *(owners.c.kind, owners.c.client_id, owners.c.place),
        address.position.label("position"),
        address.entity.is_not(None).label("typed"),
        address.normalised.label("address"),
        hashed(terms.portal_id, address.normalised).label("hash"),
    ).select_from(sa.join(owners, address, mine, isouter=True))
    return query.cte().prefix_with("MATERIALIZED")


def _owners(terms: Terms, clients: sa.CTE) -> sa.Subquery:
    """Whose addresses a client is reached at: his own, then those of the contact a lead belongs to."""
    own = sa.select(
        *(clients.c.kind, clients.c.client_id),
        clients.c.kind.label("entity"),
        clients.c.client_id.label("entity_id"),
        sa.literal(0).label("place"),
    )
    lead = aliased(Lead)
    contacts = sa.select(
        *(clients.c.kind, clients.c.client_id),
        sa.literal("contact", sa.Text),
        lead.contact_id,
        sa.literal(1),
    ).join(
        lead,
        sa.and_(
            clients.c.kind == "lead",
            lead.portal_id == terms.portal_id,
            lead.bitrix_id == clients.c.client_id,
            lead.contact_id.is_not(None),
        ),
    )
    return sa.union_all(own, contacts).subquery("owners")


def _newcomer(terms: Terms, audience: sa.Subquery) -> Any:
    earlier = aliased(Delivery)
    return ~sa.exists().where(
        earlier.portal_id == terms.portal_id,
        earlier.mailing_id == terms.mailing_id,
        earlier.kind == audience.c.kind,
        earlier.client_id == audience.c.member_id,
    )
