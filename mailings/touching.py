"""Cards to be looked at again because a message or a consent of theirs changed, noted in the same transaction.

Segments then follow within seconds, as they do after a change of the mirror. Nothing is noted where no segment asks.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm import Session

from core.database import any_of
from integration.mirror import Address, Lead
from integration.models import ChangedCard
from mailings.models import Delivery
from segments.saved import How, Segment

RELATIONS = ("messages", "consents", "stops", "reach")
_PEOPLE = ("contact", "company", "lead")
_WRITTEN_TO = ("email", "phone")
_COLUMNS = ("portal_id", "kind", "card_id")
_NAMES = " || ".join(f'@ == "{name}"' for name in RELATIONS)
_PATH: Any = sa.literal_column(f"'$.**.related ? ({_NAMES})'::jsonpath")


def note_deliveries(session: Session, portal_id: int, delivery_ids: Iterable[int]) -> None:
    """The clients of these messages."""
    ids = sorted(set(delivery_ids))
    if ids:
        session.execute(noting(sa.literal(portal_id), any_of(ids)))


def noting(portal_id: Any, any_of_ids: Any) -> sa.Insert:
    """The statement of `note_deliveries`, for who says it together with others."""
    found = sa.select(portal_id, Delivery.kind, Delivery.client_id).where(
        Delivery.portal_id == portal_id, Delivery.id == any_of_ids, _asked(portal_id)
    )
    return sa.insert(ChangedCard).from_select(_COLUMNS, found)


def note_addresses(session: Session, portal_id: int, addresses: Iterable[str]) -> None:
    """The cards that have one of these normalised addresses."""
    listed = sorted(set(addresses))
    if not listed:
        return
    same = (
        Address.portal_id == portal_id,
        Address.kind.in_(_WRITTEN_TO),
        Address.normalised == sa.any_(sa.cast(listed, sa.ARRAY(sa.Text))),
    )
    own = sa.select(Address.entity, Address.entity_id).where(*same, Address.entity.in_(_PEOPLE))
    of_contact = sa.select(sa.literal("lead"), Lead.bitrix_id).join(
        Address, sa.and_(Lead.portal_id == portal_id, Lead.contact_id == Address.entity_id)
    )  # a lead is reached at its contact's addresses too
    leads = of_contact.where(*same, Address.entity == "contact")
    card = sa.union(own, leads).subquery()
    found = sa.select(sa.literal(portal_id), card.c.entity, card.c.entity_id)
    session.execute(sa.insert(ChangedCard).from_select(_COLUMNS, found.where(_asked(portal_id))))


def _asked(portal_id: Any) -> Any:
    """A segment of the portal names what mailings know; asked once a statement."""
    segment = sa.select(sa.literal(1)).where(
        Segment.portal_id == portal_id,
        Segment.how == How.DYNAMIC,
        Segment.archived_at.is_(None),
        Segment.definition.op("@?", return_type=sa.Boolean)(_PATH),
    )
    return segment.correlate(None).exists()
