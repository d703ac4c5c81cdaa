"""Where a client stands among the others, and what to do next: for the tab, beside the figures.

Everything is read as stored: the scores of the night, the segments of the last look, the ledger of consents.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from decimal import Decimal
from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm import Session

from insights.card import Card
from insights.rules import advice
from insights.rules.advice import Act, Standing
from integration.mirror import Address, Deal
from mailings.consent import settings as permission
from mailings.consent.hashing import address_hash
from mailings.consent.suppressions import in_force
from mailings.models import Offer
from mailings.permissions import Consent, Suppression
from mailings.rules.consents import FIRST_TOPIC, Reason
from mailings.rules.states import ChannelKey
from segments.conditions import card_fields
from segments.conditions.card_fields import CARD
from segments.conditions.catalog import scope_of
from segments.members import lists
from segments.members.lists import Stay
from segments.rules import lifecycle
from segments.rules.tree import Kind
from segments.scoring.scored import ScoreBasis
from segments.scoring.scores import choices_of
from segments.worth.explain import Client

STOPPED_HERE = "client_card"
"""The source of a stop made on the tab."""
SEGMENTS = 6
OFFERS = 3
_ASKED = ("lifecycle", "rfm_name", "rfm_r", "rfm_f", "rfm_m")


@dataclass(frozen=True, slots=True)
class Scored:
    """The client's stage of life, RFM group and scores; a name an administrator gave the group, or None."""

    stage: str | None = None
    group: str | None = None
    group_name: str | None = None
    scores: tuple[int, ...] = ()


@dataclass(frozen=True, slots=True)
class Reach:
    """Whether an address may be written to. `said`: yes, no, or nothing; `stopped`: why nobody writes to it."""

    address: str
    said: bool | None
    said_at: datetime | None
    stopped: str | None
    stopped_at: datetime | None
    as_client: bool
    source: str | None = None

    @property
    def allowed(self) -> bool:
        """Whether a mailing may go to it."""
        return self.stopped is None and (self.as_client if self.said is None else self.said)

    @property
    def by_hand(self) -> bool:
        """Whether it was stopped on the tab, so that it may be allowed there; an administrator's word stands."""
        return self.stopped == Reason.MANUAL and self.source == STOPPED_HERE


@dataclass(frozen=True, slots=True)
class Proposal:
    """What to do, and the offers at hand that serve it, the fittest first."""

    act: Act
    offers: tuple[Offer, ...]


@dataclass(frozen=True, slots=True)
class Profile:
    """Beside the figures. `above`: the share of buyers whose LTV is lower; `next_on`: by the client's own habit."""

    scored: Scored
    above: float | None
    next_on: date | None
    open_deals: int
    segments: list[Stay]
    reach: list[Reach]
    proposal: Proposal | None

    @property
    def reachable(self) -> bool:
        """Whether any address may be written to."""
        return any(each.allowed for each in self.reach)

    @property
    def stopped_by_hand(self) -> bool:
        """Whether mailings to the client were stopped on the tab."""
        return any(each.by_hand for each in self.reach)


def read(session: Session, portal_id: int, card: Card) -> Profile:
    """Everything about the client of a tab that is not a figure."""
    client = card.client
    scored = _scored(session, portal_id, client)
    open_deals = _open_deals(session, portal_id, client)
    above = _above(session, portal_id, client, card.figures.ltv) if card.figures.sales else None
    act = advice.advice(Standing(scored.stage, scored.group, card.rhythm, open_deals, above))
    return Profile(
        scored=scored,
        above=above,
        next_on=_next_on(card, scored.stage),
        open_deals=open_deals,
        segments=lists.of_card(session, portal_id, Kind(client.kind.value), client.id)[:SEGMENTS],
        reach=reach(session, portal_id, client),
        proposal=Proposal(act, _offers(session, portal_id, act, card.today)) if act else None,
    )


def reach(session: Session, portal_id: int, client: Client) -> list[Reach]:
    """The client's e-mail addresses, with what is on record about each."""
    query = (
        sa.select(Address.normalised)
        .where(
            Address.portal_id == portal_id,
            Address.entity == client.kind.value,
            Address.entity_id == client.id,
            Address.kind == "email",
            Address.normalised.is_not(None),
        )
        .distinct()
        .order_by(Address.normalised)
    )
    addresses = [str(each) for each in session.scalars(query)]
    basis = permission.rules_of(session, portal_id).basis
    as_client = client.kind.value not in basis.needs_yes(ChannelKey.EMAIL)
    said = _by_hash(session, Consent, portal_id, addresses, Consent.topic == FIRST_TOPIC)
    stopped = _by_hash(session, Suppression, portal_id, addresses, in_force(Suppression))
    found = []
    for address in addresses:
        key = address_hash(portal_id, address)
        consent, stop = said.get(key), stopped.get(key)
        found.append(
            Reach(
                address=address,
                said=consent.given if consent else None,
                said_at=consent.happened_at if consent else None,
                stopped=stop.reason if stop else None,
                stopped_at=stop.at if stop else None,
                as_client=as_client,
                source=stop.source if stop else None,
            )
        )
    return found


def _by_hash(
    session: Session, table: Any, portal_id: int, addresses: Sequence[str], condition: Any
) -> dict[bytes, Any]:
    hashes = [address_hash(portal_id, each) for each in addresses]
    query = sa.select(table).where(
        table.portal_id == portal_id,
        table.channel == ChannelKey.EMAIL.value,
        table.address_hash.in_(hashes),
        condition,
    )
    return {bytes(row.address_hash): row for row in session.scalars(query)}


def _scored(session: Session, portal_id: int, client: Client) -> Scored:
    scope = scope_of(session, portal_id)
    card = card_fields.Card(Kind(client.kind.value), scope)
    columns: list[Any] = []
    for key in _ASKED:
        field = CARD.find(key, scope)
        if field is None:
            raise LookupError(key)
        columns.append(field.column(card, scope).label(key))
    query = sa.select(*columns).select_from(card.source())
    row = session.execute(query.where(*card.alive(), card.id == client.id)).first()
    if row is None:
        return Scored()
    scores = tuple(each for each in row[2:] if each is not None)
    names = choices_of(session, portal_id)[1].names if row.rfm_name else {}
    return Scored(row.lifecycle, row.rfm_name, names.get(row.rfm_name), scores)


def _above(session: Session, portal_id: int, client: Client, ltv: Decimal) -> float | None:
    """From the hundredths kept with the scores: nobody waits for a look at everybody."""
    basis = session.get(ScoreBasis, (portal_id, client.kind.value))
    if basis is None or not basis.ltv_percentiles:
        return None
    return bisect_left(basis.ltv_percentiles, ltv) / 100


def _next_on(card: Card, stage: str | None) -> date | None:
    """Nobody is waited for who has given up coming."""
    last, gap = card.figures.last_sale_on, card.figures.mean_gap_days
    if stage in {lifecycle.SLEEPING, lifecycle.LOST}:
        return None
    return last + timedelta(days=round(gap)) if last and gap else None


def _open_deals(session: Session, portal_id: int, client: Client) -> int:
    whose = Deal.contact_id if client.kind.value == "contact" else Deal.company_id
    query = sa.select(sa.func.count()).where(
        Deal.portal_id == portal_id,
        whose == client.id,
        Deal.stage_semantic == "P",
        Deal.deleted_at.is_(None),
        ~Deal.is_recurring,
    )
    return session.scalar(query) or 0


def _offers(session: Session, portal_id: int, act: Act, today: date) -> tuple[Offer, ...]:
    """Offers in force of the kinds that serve the act."""
    kinds = advice.OFFERS[act]
    if not kinds:
        return ()
    last_day = Offer.content["valid_till"].as_string()
    query = (
        sa.select(Offer)
        .where(
            Offer.portal_id == portal_id,
            Offer.kind.in_([kind.value for kind in kinds]),
            Offer.archived_at.is_(None),
            sa.or_(last_day.is_(None), last_day >= today.isoformat()),
        )
        .order_by(Offer.changed_at.desc(), Offer.id)
        .limit(20)
    )
    places = {kind.value: place for place, kind in enumerate(kinds)}
    found = sorted(session.scalars(query), key=lambda offer: places[offer.kind])
    return tuple(found[:OFFERS])
