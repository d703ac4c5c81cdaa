"""The names a letter may use: `client.name`, `offer.price`, `client.custom.UF_CRM_…`. docs/letters.md explains each.

Everything that puts a value behind a name (`content.recipients`) or offers names to an author reads this list.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import asdict
from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm import Session

from core.web.words import N_
from integration.mirror import CustomField
from mailings.rules import written
from mailings.rules.letters import Content
from mailings.rules.offers import Offer

Known = Callable[[tuple[str, ...]], bool]
PERSONAL = {
    "client.name": N_("First name"),
    "client.last_name": N_("Last name"),
    "client.second_name": N_("Second name"),
    "client.full_name": N_("Full name, of a company its title"),
    "client.post": N_("Position"),
    "client.birth_date": N_("Birthday"),
    "client.kind": N_("What the card is: contact, company or lead"),
    "client.email": N_("The address the letter goes to"),
    "client.ltv": N_("Sum of all purchases"),
    "client.average_check": N_("Average check"),
    "client.sales": N_("Number of purchases"),
    "client.first_sale_on": N_("Day of the first purchase"),
    "client.last_sale_on": N_("Day of the last purchase"),
    "client.days_since_sale": N_("Days since the last purchase"),
    "company.name": N_("Title of the client's company"),
    "manager.name": N_("Name of the responsible employee"),
    "code": N_("The recipient's promo code"),
    "unsubscribe": N_("The address to unsubscribe by"),
}
COMMON = {
    "offer.what": N_("What is offered"),
    "offer.terms": N_("Terms"),
    "offer.product": N_("Product"),
    "offer.price": N_("Price"),
    "offer.old_price": N_("Former price"),
    "offer.valid_till": N_("Last day of the offer"),
    "offer.reason": N_("Why they should take it"),
    "offer.proof": N_("Proof"),
    "offer.call_to_action": N_("Call to action"),
    "offer.url": N_("Address of the offer's page"),
    "sender.name": N_("Name of the sender"),
    "sender.email": N_("Address of the sender"),
}
_PARTS = {"size", "first", "last"}
_RUSSIAN = re.compile(r"[а-яё]", re.IGNORECASE)
_OWN_FIELDS = ("contact", "company", "lead")


def known(session: Session, portal_id: int) -> Known:
    """Whether there is a value of a path, on this portal."""
    codes = {each.code for each in custom_fields(session, portal_id)}
    return known_with(codes)


def known_with(codes: set[str]) -> Known:
    """The same for these codes of custom fields."""

    def is_known(path: tuple[str, ...]) -> bool:
        bare = path[:-1] if path[-1] in _PARTS else path
        name = ".".join(bare)
        if name in PERSONAL or name in COMMON:
            return True
        return len(bare) == 3 and bare[:2] == ("client", "custom") and bare[2] in codes

    return is_known


def custom_fields(session: Session, portal_id: int) -> list[CustomField]:
    """Custom fields of cards letters go to, by their labels."""
    query = sa.select(CustomField).where(
        CustomField.portal_id == portal_id, CustomField.entity.in_(_OWN_FIELDS)
    )
    return list(session.scalars(query.order_by(CustomField.label, CustomField.code)))


def language(content: Content) -> str:
    """The language a letter is written in, told by its letters; Russian before the first one."""
    texts = [content.subject, content.source, *(v for b in content.blocks for v in b.values())]
    text = "".join(texts)
    return "en" if text and not _RUSSIAN.search(text) else "ru"


def utm(offer: Offer, mailing_id: int) -> dict[str, str]:
    """The marks of the letter's links: the offer's, or the mailing's."""
    return {
        "utm_source": offer.utm_source or "rubilnik",
        "utm_medium": "email",
        "utm_campaign": offer.utm_campaign or f"mailing-{mailing_id}",
        "utm_content": offer.utm_content or f"mailing-{mailing_id}",
        "utm_term": offer.utm_term,
    }


def of_offer(offer: Offer, language: str) -> dict[str, Any]:
    """The values behind `offer.…`."""
    shown = {name: value for name, value in asdict(offer).items() if f"offer.{name}" in COMMON}
    if last_day := offer.last_day:
        shown["valid_till"] = written.day(last_day, language)
    return shown
