"""Leads and deals that carry the mark of a message in their UTM; only marks we have signed count.

A deal has its own mark, or that of the lead it was born of.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm import Session

from integration.mirror import Deal, Lead
from mailings.models import Mailing
from mailings.results.crediting import DEAL, LEAD, Marked
from mailings.rules import links, tokens
from mailings.rules.tokens import BadToken, Purpose


def found(
    session: Session,
    portal_id: int,
    key: str,
    since: datetime | None,
    born_after: datetime | None,
) -> Marked:
    """Cards with a genuine mark among those born after a moment, or changed since another."""
    if not key or not _are_made(session, portal_id):
        return []
    rows: dict[tuple[str, int], int] = {}
    for entity, bitrix_id, text in _carrying(session, portal_id, since, born_after):
        delivery_id = _genuine(portal_id, key, text)
        if delivery_id is not None:
            rows.setdefault((entity, bitrix_id), delivery_id)
    return [(*card, delivery_id) for card, delivery_id in rows.items()]


def _are_made(session: Session, portal_id: int) -> bool:
    """Whether any mailing of the portal marks its links."""
    query = sa.select(Mailing.id).where(
        Mailing.portal_id == portal_id, Mailing.plan["mark_recipients"].as_boolean()
    )
    return session.scalar(query.limit(1)) is not None


def _carrying(
    session: Session, portal_id: int, since: datetime | None, born_after: datetime | None
) -> Iterator[tuple[str, int, str]]:
    """What looks like it, a card's own first."""
    born_of = sa.and_(Lead.portal_id == portal_id, Lead.bitrix_id == Deal.lead_id)
    sources: tuple[tuple[str, Any, Any, Any], ...] = (
        (LEAD, Lead, Lead.utm, Lead),
        (DEAL, Deal, Deal.utm, Deal),
        (DEAL, Deal, Lead.utm, sa.orm.join(Deal, Lead, born_of)),
    )
    for entity, table, utm, source in sources:
        text = sa.cast(utm, sa.Text)
        columns = (sa.literal(entity), table.bitrix_id, text)
        query = (
            sa.select(*columns)
            .select_from(source)
            .where(
                table.portal_id == portal_id,
                table.deleted_at.is_(None),
                text.contains(f"rb.{portal_id}.", autoescape=True),
            )
        )
        if since is not None:
            query = query.where(table.synced_at >= since)
        elif born_after is not None:
            query = query.where(table.created_at >= born_after)
        yield from session.execute(query)


def _genuine(portal_id: int, key: str, text: str) -> int | None:
    for label in links.marks_in(text):
        try:
            portal, delivery_id = tokens.read_label(key, Purpose.MARK, label)
        except BadToken:
            continue
        if portal == portal_id and delivery_id < 2**63:
            return delivery_id
    return None
