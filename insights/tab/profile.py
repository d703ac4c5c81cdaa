"""Where a client or lead stands, and what to do next: for the tab, beside the figures.

Everything is read as stored: the scores of the night, the segments of the last look, the ledger of consents.
"""

from __future__ import annotations

from bisect import bisect_left
from dataclasses import dataclass
from datetime import date, timedelta
from decimal import Decimal
from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm import Session

from insights.rules import advice
from insights.rules.advice import Act, LeadStanding, Standing
from insights.subject import Subject
from insights.tab.addresses import Reach, phones, reach
from insights.tab.card import Card
from insights.tab.lead import LeadFacts
from integration.mirror import Deal
from mailings.models import Offer
from segments.conditions import card_fields
from segments.conditions.card_fields import CARD
from segments.conditions.catalog import scope_of
from segments.members import lists
from segments.members.lists import Stay
from segments.rules import lifecycle
from segments.rules.tree import Kind
from segments.saved import How
from segments.scoring.scored import ScoreBasis
from segments.scoring.scores import choices_of
from segments.worth.explain import Client

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
    stays: list[Stay]
    reach: list[Reach]
    phones: list[str]
    proposal: Proposal | None

    @property
    def segments(self) -> list[Stay]:
        """The segments to name: those entered last."""
        return self.stays[:SEGMENTS]

    @property
    def lists(self) -> list[Stay]:
        """Of the segments, those people put cards into by hand."""
        return [stay for stay in self.stays if stay.how == How.STATIC]

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
    known = scored(session, portal_id, client)
    open_deals = _open_deals(session, portal_id, client)
    above = _above(session, portal_id, client, card.figures.ltv) if card.figures.sales else None
    act = advice.advice(Standing(known.stage, known.group, card.rhythm, open_deals, above))
    return Profile(
        scored=known,
        above=above,
        next_on=_next_on(card, known.stage),
        open_deals=open_deals,
        proposal=_proposal(session, portal_id, act, card.today),
        **_known(session, portal_id, client),
    )


def read_lead(session: Session, portal_id: int, facts: LeadFacts) -> Profile:
    """The same of a lead: it has bought nothing, so it stands nowhere among buyers."""
    answered = facts.interest is not None
    act = advice.for_lead(LeadStanding(facts.lead.stage_semantic, answered=answered))
    return Profile(
        scored=Scored(),
        above=None,
        next_on=None,
        open_deals=0,
        proposal=_proposal(session, portal_id, act, facts.today),
        **_known(session, portal_id, facts.subject),
    )


def _known(session: Session, portal_id: int, subject: Subject) -> dict[str, Any]:
    kind = Kind(subject.kind.value)
    return {
        "stays": lists.of_card(session, portal_id, kind, subject.id),
        "reach": reach(session, portal_id, subject),
        "phones": phones(session, portal_id, subject),
    }


def _proposal(session: Session, portal_id: int, act: Act | None, today: date) -> Proposal | None:
    return Proposal(act, _offers(session, portal_id, act, today)) if act else None


def scored(session: Session, portal_id: int, client: Client) -> Scored:
    """The client's stage, group and scores of the night."""
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
