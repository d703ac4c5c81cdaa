"""What the letter editor shows: the draft, what is wrong with it, whom it is shown for, names to insert."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm import Session

from core.clock import utcnow
from core.web.i18n import choose_language
from integration.mirror import Contact
from mailings.content import checking, compiling, names, preview
from mailings.content.checking import Findings, Person
from mailings.content.compiling import BadLetter
from mailings.content.preview import Ticket
from mailings.models import Mailing, Offer
from mailings.planning import audiences
from mailings.planning.audiences import NoAudience
from mailings.rules import offers as rules
from mailings.rules.letter_edits import Draft
from mailings.rules.letters import Problem
from mailings.rules.offers import OfferKind
from mailings.rules.states import MailingState
from mailings.web.words import letter as letter_words
from segments import audience
from segments.conditions.definitions import InvalidCondition
from segments.members.saving import NoSuchSegment
from segments.ready.presets import Unready
from segments.rules.tree import Kind

_NO_AUDIENCE = (NoAudience, NoSuchSegment, InvalidCondition, Unready)


@dataclass(frozen=True, slots=True)
class Desk:
    """The editor's facts."""

    mailing: Mailing
    draft: Draft
    problems: Sequence[Problem]
    person: Person
    ticket: str
    offer: Offer | None = None
    focus: int | None = None
    unsaved: bool = False
    size: int | None = None
    custom: Sequence[tuple[str, str]] = field(default=())

    @property
    def draft_json(self) -> str:
        """The draft for its form."""
        return json.dumps(self.draft, ensure_ascii=False)

    @property
    def fixed(self) -> bool:
        """Whether the letter can't be changed any more."""
        return self.mailing.state != MailingState.DRAFT


def desk(
    session: Session, key: str, mailing: Mailing, person: Person | None = None, **more: Any
) -> Desk:
    """The editor of this mailing's letter; `more` replaces what is stored."""
    shown = person or first_person(session, mailing)
    problems, size = state(session, mailing)
    ticket = Ticket(mailing.portal_id, mailing.id, mailing.version, shown.kind, shown.id)
    facts = {
        "draft": {"how": "blocks", "blocks": [], **mailing.content},
        "problems": problems,
        "size": size,
        **more,
    }
    return Desk(
        mailing=mailing,
        person=shown,
        ticket=preview.issue(key, ticket, utcnow()),
        offer=offer_of(session, mailing),
        custom=custom_names(session, mailing.portal_id),
        **facts,
    )


def state(session: Session, mailing: Mailing) -> tuple[list[Problem], int | None]:
    """What keeps the letter from being sent, or its size."""
    try:
        return [], int(compiling.compiled(session, mailing)["size"])
    except BadLetter as error:
        return error.problems, None


def custom_names(session: Session, portal_id: int) -> list[tuple[str, str]]:
    """The portal's own fields: name in a letter, label."""
    found = {each.code: each.label for each in names.custom_fields(session, portal_id)}
    return [(f"client.custom.{code}", label) for code, label in found.items()]


def offer_of(session: Session, mailing: Mailing) -> Offer | None:
    """What the mailing offers."""
    if mailing.offer_id is None:
        return None
    return session.get(Offer, (mailing.portal_id, mailing.offer_id))


def kind_of(desk: Desk) -> OfferKind | None:
    """The type of the mailing's offer."""
    return OfferKind(desk.offer.kind) if desk.offer is not None else None


def said(desk: Desk, language: str) -> dict[str, Any]:
    """What the offer says, by name."""
    return names.of_offer(rules.Offer.read(desk.offer.content), language) if desk.offer else {}


@dataclass(frozen=True, slots=True)
class Heads:
    """The first that people see of a letter, as one reads it; a to-do has a subject only."""

    subject: str
    preheader: str


def heads(session: Session, mailing: Mailing) -> Heads:
    """The heads of a mailing's letter."""
    offer = session.get(Offer, (mailing.portal_id, mailing.offer_id or 0))
    known = names.of_offer(rules.Offer.read(offer.content), choose_language()) if offer else {}
    lines = (str(mailing.content.get(name) or "") for name in ("subject", "preheader"))
    return Heads(*(letter_words.glimpse(line, known) for line in lines))


def first_person(session: Session, mailing: Mailing) -> Person:
    """Whom a letter is shown for at first: somebody of its audience, else the first contact with a name."""
    if found := people(session, mailing, 1):
        return found[0]
    query = (
        sa.select(Contact.bitrix_id)
        .where(Contact.portal_id == mailing.portal_id, Contact.deleted_at.is_(None))
        .order_by(Contact.name.is_(None), Contact.bitrix_id)
        .limit(1)
    )
    number = session.scalar(query) or 0
    return named(session, mailing.portal_id, [Person("contact", number)])[0]


def people(session: Session, mailing: Mailing, most: int) -> list[Person]:
    """Some of the mailing's audience; nobody while it has none."""
    try:
        cards = audiences.cards(session, mailing).limit(most)
    except _NO_AUDIENCE:
        return []
    with audience.patient(session):
        found = [Person(str(kind), number) for kind, number in session.execute(cards)]
    return named(session, mailing.portal_id, found)


def named(session: Session, portal_id: int, listed: Sequence[Person]) -> list[Person]:
    """The same with their names."""
    found = audience.named(session, portal_id, [(Kind(each.kind), each.id) for each in listed])
    return [Person(each.kind.value, each.id, each.name) for each in found]


def checked(session: Session, mailing: Mailing) -> Findings | None:
    """The letter tried on fifty of its audience; None when it can't be put together."""
    try:
        compiled = compiling.compiled(session, mailing)
    except BadLetter:
        return None
    return checking.check(
        session, mailing.portal_id, compiled, people(session, mailing, checking.PEOPLE)
    )
