"""What the mailing settings show: the rules in force and their history, the portal's fields, topics, segments."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm import Session

from core.web.words import gettext as _
from integration import admin_rules
from integration.admin_rules import RuleName
from integration.mirror import CustomField, PortalUser
from integration.models import Portal
from mailings.consent import ledger, settings, topics
from mailings.consent.settings import Rules
from mailings.rules.consents import FIRST_TOPIC
from mailings.rules.states import ChannelKey
from mailings.web.words import mailing as mailing_words
from segments.saved import Segment

_KINDS = ("contact", "company", "lead")
_SAYS_YES = ("boolean", "enumeration", "string", "integer")


@dataclass(frozen=True, slots=True)
class CardField:
    """A custom field of the portal's cards. `kinds`: the cards that have it."""

    code: str
    label: str
    kinds: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Named:
    """A topic with the name it goes by."""

    key: str
    name: str


def fields(session: Session, portal_id: int) -> list[CardField]:
    """Fields that can hold a yes or a no."""
    query = sa.select(CustomField).where(
        CustomField.portal_id == portal_id,
        CustomField.entity.in_(_KINDS),
        CustomField.type_id.in_(_SAYS_YES),
    )
    found: dict[str, list[CustomField]] = {}
    for row in session.scalars(query.order_by(CustomField.label, CustomField.code)):
        found.setdefault(row.code, []).append(row)
    return [
        CardField(
            code, rows[0].label or code, tuple(k for k in _KINDS if k in {r.entity for r in rows})
        )
        for code, rows in found.items()
    ]


def named_topics(session: Session, portal_id: int) -> list[Named]:
    """What people can agree to, in the portal's order; the first one may have no name of its own."""
    return [
        Named(each.key, each.name or _("Offers and promotions"))
        for each in topics.listed(session, portal_id)
    ]


def consent(session: Session, portal_id: int) -> dict[str, Any]:
    """The page of consents: rules, fields, how many said yes and no."""
    given, refused = ledger.numbers(session, portal_id, ChannelKey.EMAIL, FIRST_TOPIC)
    return {
        **_rules(session, portal_id),
        "field_options": [(each.code, each.label) for each in fields(session, portal_id)],
        "topic_options": [(each.key, each.name) for each in named_topics(session, portal_id)],
        **_confirmed(session, portal_id),
        "given": given,
        "refused": refused,
        "history": admin_rules.history(session, portal_id, RuleName.MAILING),
    }


def limits(session: Session, portal_id: int) -> dict[str, Any]:
    """The page of caps, attribution and topics."""
    query = sa.select(Segment).where(Segment.portal_id == portal_id, Segment.archived_at.is_(None))
    return {
        **_rules(session, portal_id),
        "segments": list(session.scalars(query.order_by(Segment.name, Segment.id))),
        "topics": named_topics(session, portal_id),
        "history": admin_rules.history(session, portal_id, RuleName.MAILING),
    }


def _rules(session: Session, portal_id: int) -> Mapping[str, Any]:
    rules: Rules = settings.rules_of(session, portal_id)
    return {"rules": rules, "version": settings.version(session, portal_id)}


def _confirmed(session: Session, portal_id: int) -> dict[str, str]:
    """Who answers for writing to existing clients, and since when."""
    confirmed = settings.rules_of(session, portal_id).confirmed
    if not confirmed:
        return {}
    who = session.get(PortalUser, (portal_id, confirmed["who"]))
    offset = session.get_one(Portal, portal_id).utc_offset_minutes
    return {
        "confirmed_by": (who and who.name) or _("Employee #%(id)s", id=confirmed["who"]),
        "confirmed_at": mailing_words.local(confirmed["when"], offset),
    }
