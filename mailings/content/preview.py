"""A letter as one client would get it, for an iframe of its own: reached by a signed ticket that soon runs out."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from datetime import datetime

from itsdangerous import BadSignature, URLSafeSerializer
from sqlalchemy.orm import Session

from integration.models import Portal
from mailings.content import checking, compiling, drafting
from mailings.content.checking import Person
from mailings.content.rendering import Facts, Letter, Rendered

_SALT = "letter.preview.v1"
_WINDOW = 600


class BadTicket(Exception):
    """Not one of ours, or its time is over."""


@dataclass(frozen=True, slots=True)
class Ticket:
    """Whose letter is shown as whom. `version`: makes a changed letter another address."""

    portal_id: int
    mailing_id: int
    version: int
    kind: str
    client_id: int


def issue(key: str, ticket: Ticket, now: datetime) -> str:
    """Signed, for ten to twenty minutes; the same for as long as the letter and the minutes are the same."""
    until = (int(now.timestamp()) // _WINDOW + 2) * _WINDOW
    return _serializer(key).dumps({**asdict(ticket), "until": until})


def read(key: str, text: str, now: datetime) -> Ticket:
    """The genuine ticket. Raises BadTicket."""
    try:
        facts = _serializer(key).loads(text)
    except BadSignature as error:
        raise BadTicket from error
    if facts.pop("until") < now.timestamp():
        raise BadTicket
    return Ticket(**facts)


def rendered(session: Session, ticket: Ticket, sender: dict[str, str]) -> Rendered:
    """The letter for that client. Raises BadLetter, RenderFailed, NoSuchLetter."""
    mailing = drafting.find(session, ticket.portal_id, ticket.mailing_id)
    compiled = mailing.compiled or compiling.compiled(session, mailing, lenient=True)
    person = Person(ticket.kind, ticket.client_id)
    facts = checking.of_people(session, ticket.portal_id, [person])[(person.kind, person.id)]
    return Letter(compiled).render(Facts({**facts.values, "sender": sender}, facts.code))


def portal_origin(session: Session, portal_id: int) -> str:
    """Where the portal's pages come from: they frame ours, which frames the preview."""
    portal = session.get_one(Portal, portal_id)
    return f"{portal.scheme}://{portal.domain}".lower()


def _serializer(key: str) -> URLSafeSerializer:
    return URLSafeSerializer(key, salt=_SALT)
