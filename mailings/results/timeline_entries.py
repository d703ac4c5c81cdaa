"""What a message looks like in a client's timeline, in the languages of those who may read it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy.orm import Session

from core.web import words
from core.web.words import N_
from mailings.content import recipients
from mailings.content.rendering import Facts
from mailings.models import Delivery, Mailing
from mailings.rules import written
from mailings.rules.states import DeliveryState
from mailings.rules.templating import RenderFailed, Template

LANGUAGES = ("ru", "en")
_LONGEST = 250
_STATES = {
    DeliveryState.BOUNCED.value: (N_("came back"), "failure"),
    DeliveryState.UNKNOWN.value: (N_("not known whether it arrived"), "warning"),
}
_SENT = (N_("the letter was sent"), "success")


@dataclass(frozen=True, slots=True)
class Entry:
    """One message in the timeline of one card; `origin` names the delivery in the portal."""

    origin: str
    kind: str
    client_id: int
    responsible_id: int | None
    layout: dict[str, Any]


def entries(session: Session, mailing: Mailing, rows: Sequence[Delivery]) -> list[Entry]:
    """Entries of deliveries of one mailing."""
    compiled = mailing.compiled or {}
    subject = Template(str(compiled.get("subject") or ""), html=False)
    facts = recipients.facts(session, mailing.portal_id, rows)
    return [
        Entry(
            origin=f"{mailing.id}.{row.id}",
            kind=row.kind,
            client_id=row.client_id,
            responsible_id=mailing.author_id,
            layout=_layout(mailing.name, row, _subject(subject, compiled, facts[row.id])),
        )
        for row in rows
    ]


def _subject(template: Template, compiled: Mapping[str, Any], facts: Facts) -> str:
    values = written.values(facts.values, str(compiled.get("language") or "ru"))
    try:
        text = template.render(
            {**values, "offer": compiled.get("offer") or {}, "code": facts.code or ""}
        )
    except RenderFailed:
        return ""
    return " ".join(text.split())[:_LONGEST]


def _layout(name: str, row: Delivery, subject: str) -> dict[str, Any]:
    state, colour = _STATES.get(row.state, _SENT)
    blocks: dict[str, Any] = {}
    if subject:
        blocks["subject"] = {"type": "text", "properties": {"value": subject, "bold": True}}
    blocks["mailing"] = _titled(N_("Name of the mailing"), name[:_LONGEST])
    if row.address:
        blocks["address"] = _titled(N_("Address"), row.address)
    if row.code:
        blocks["code"] = _titled(N_("Promo code"), row.code)
    return {
        "icon": {"code": "info"},
        "header": {
            "title": _translated(N_("Letter of a mailing")),
            "tags": {"state": {"title": _translated(state), "type": colour}},
        },
        "body": {"logo": {"code": "notification"}, "blocks": blocks},
    }


def _titled(title: str, value: str) -> dict[str, Any]:
    block = {"type": "text", "properties": {"value": value}}
    return {
        "type": "withTitle",
        "properties": {"title": _translated(title), "inline": True, "block": block},
    }


def _translated(message: str) -> dict[str, str]:
    found = {}
    for language in LANGUAGES:
        with words.speaking(language):
            found[language] = words.gettext(message)
    return found
