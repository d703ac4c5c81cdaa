"""Where a link of a letter leads, and noting that it was followed or the letter opened."""

from __future__ import annotations

import logging
from urllib.parse import urlsplit

import sqlalchemy as sa
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.orm import Session

from core.database import SessionFactory, transaction
from mailings.models import Delivery, Mailing, MailingLink
from mailings.receipts import events
from mailings.receipts.events import Opening
from mailings.rules import links, tokens
from mailings.rules.tokens import Purpose

log = logging.getLogger(__name__)

LONGEST_AGENT = 400
_SCHEMES = {"http", "https"}


def target(
    session: Session, portal_id: int, delivery_id: int, number: int, key: str = ""
) -> str | None:
    """The stored address of a delivery's link, the promo code in its place; None where there is none, or none to lead to.

    `key` signs the recipient's mark, where the mailing wants one.
    """
    if not events.storable(portal_id, delivery_id) or number >= 2**15:
        return None
    query = (
        sa.select(MailingLink.url, Delivery.code, Mailing.plan["mark_recipients"].as_boolean())
        .join(
            Mailing,
            sa.and_(
                Mailing.portal_id == MailingLink.portal_id, Mailing.id == MailingLink.mailing_id
            ),
        )
        .join(
            Delivery,
            sa.and_(
                Delivery.portal_id == MailingLink.portal_id,
                Delivery.mailing_id == MailingLink.mailing_id,
            ),
        )
        .where(
            MailingLink.portal_id == portal_id,
            MailingLink.number == number,
            Delivery.portal_id == portal_id,
            Delivery.id == delivery_id,
        )
    )
    row = session.execute(query).one_or_none()
    if row is None:
        return None
    stored, code, marked = row
    mark = tokens.label(key, Purpose.MARK, portal_id, delivery_id) if marked and key else ""
    url = links.destination(stored, code, mark)
    return url if leads_somewhere(url) else None


def leads_somewhere(url: str) -> bool:
    """Whether a browser may be sent there: a whole http or https address that holds nothing to trip over."""
    if any(ord(char) <= 32 or char == "\\" or ord(char) == 127 for char in url):
        return False
    try:
        parts = urlsplit(url)
        host = parts.hostname
    except ValueError:
        return False
    return parts.scheme in _SCHEMES and bool(host) and "@" not in parts.netloc


def note(sessions: SessionFactory, portal_id: int, delivery_id: int, opening: Opening) -> bool:
    """Record it; what goes wrong stays in the log, for the reader must get where he goes."""
    try:
        with transaction(sessions) as session:
            return events.observe(session, portal_id, delivery_id, opening) is not None
    except SQLAlchemyError as error:
        log.warning(
            "event not recorded",
            extra={"portal": portal_id, "delivery": delivery_id, "reason": type(error).__name__},
        )
        return False


def agent_of(header: str | None) -> str:
    """What a caller calls himself, without what PostgreSQL refuses and at a bearable length."""
    return (header or "").replace("\0", "")[:LONGEST_AGENT]
