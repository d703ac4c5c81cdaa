"""The call list's messages: an offer as a script for the client's responsible employee, in a to-do."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy.orm import Session

from core.clock import utcnow
from core.config import Settings
from integration import working_hours
from integration.models import Portal
from mailings.channels.base import Message
from mailings.content import names, recipients
from mailings.content.managers import responsible
from mailings.content.recipients import Addressed
from mailings.content.rendering import Facts
from mailings.models import Mailing
from mailings.models import Offer as OfferRow
from mailings.rules import calls, templating, tokens, written
from mailings.rules.letters import BadLetter, Content, Problem
from mailings.rules.offers import Offer
from mailings.rules.templating import Template
from mailings.rules.tokens import Purpose


@dataclass(frozen=True, slots=True)
class CallFacts:
    """What a to-do says of its client, what is offered to all, who is to call and until when."""

    client: Facts
    offer: dict[str, Any]
    responsible_id: int | None
    deadline: datetime


class Script:
    """Makes the to-dos of one mailing."""

    def __init__(self, settings: Settings, mailing: Mailing) -> None:
        content = Content.read(mailing.content)
        self._key, self._mailing = settings.secret_key, mailing
        self._language = names.language(content)
        self._title = Template(content.subject or mailing.name, html=False)
        self._text = Template(content.source, html=False)

    def facts(self, session: Session, rows: Sequence[Addressed]) -> dict[int, CallFacts]:
        """For many deliveries in a few statements."""
        portal_id = self._mailing.portal_id
        portal = session.get_one(Portal, portal_id)
        hours = working_hours.hours_of(session, portal_id)
        due = calls.deadline(utcnow(), hours, portal.utc_offset_minutes)
        offer = names.of_offer(_offer(session, self._mailing), self._language)
        employees = responsible(session, portal_id, rows)
        known = recipients.facts(session, portal_id, rows)
        return {each.id: CallFacts(known[each.id], offer, employees[each.id], due) for each in rows}

    def message(self, row: Addressed, facts: CallFacts) -> Message:
        """The to-do about one client. Raises RenderFailed."""
        values = written.values(facts.client.values, self._language)
        values |= {"offer": facts.offer, "code": facts.client.code or ""}
        title = " ".join(self._title.render(values).split())[: calls.TITLE_LENGTH]
        mark = tokens.label(self._key, Purpose.MESSAGE, self._mailing.portal_id, row.id)
        phone = row.address or ""
        text = calls.description(self._text.render(values), phone, mark, self._language)
        told = {
            "owner_type_id": calls.OWNER_TYPES[row.kind],
            "owner_id": row.client_id,
            "responsible_id": facts.responsible_id,
            "deadline": facts.deadline.isoformat(),
            "mark": mark,
        }
        return Message(row.id, phone, title, text, facts=told)


def check(content: Mapping[str, Any], known: names.Known) -> None:
    """Raises BadLetter when the script can't be sent as it is."""
    read = Content.read(content)
    problems = [] if read.source.strip() else [Problem("source", "empty")]
    problems += [
        Problem(path, each.code, each.part)
        for path, text in (("subject", read.subject), ("source", read.source))
        for each in templating.troubles(text, known)
    ]
    if problems:
        raise BadLetter(problems)


def _offer(session: Session, mailing: Mailing) -> Offer:
    """What the mailing offers; an empty offer when it has none."""
    if mailing.offer_id is None:
        return Offer()
    row = session.get(OfferRow, (mailing.portal_id, mailing.offer_id))
    return Offer.read(row.content) if row else Offer()
