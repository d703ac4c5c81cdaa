"""Consents from the portal's custom field: a line of the ledger whenever what the field says changes.

Compared are what the cards of an address say now and the last line this field wrote for it, so nothing is missed
and nothing said twice. A clear «no» of any card is a no. An empty field and an unticked box say nothing by
themselves; after a yes they take it back. A yes first seen counts from when the card was made, so it never
overrules what the person has said since; a yes that a person put there after a no counts from then. Neither
lifts a suppression.
"""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import distinct_on
from sqlalchemy.orm import Session

from core.clock import utcnow
from integration.mirror import Address, AddressKind, Company, Contact, CustomField, Lead
from mailings.consent import ledger, settings
from mailings.consent.hashing import hashed
from mailings.consent.ledger import Line
from mailings.consent.settings import ConsentField
from mailings.permissions import ConsentRecord, Suppression
from mailings.rules.consents import Reason
from mailings.rules.states import ChannelKey

SLICE = 20_000
_TABLES: dict[str, Any] = {"contact": Contact, "company": Company, "lead": Lead}
_KINDS = {
    ChannelKey.EMAIL.value: AddressKind.EMAIL.value,
    ChannelKey.CALL_LIST.value: AddressKind.PHONE.value,
}


def sync(session: Session, portal_id: int, limit: int = SLICE) -> int:
    """Record what has changed, at most so many lines; how many. Nothing where no field is chosen."""
    field = settings.rules_of(session, portal_id).consent_field
    if field is None or not field.entities:
        return 0
    query = _changed(session, portal_id, field).where(~_erased(portal_id, field))
    found = session.execute(query.limit(limit)).all()
    source, now = source_of(field), utcnow()
    lines = [
        Line(
            field.channel,
            address,
            given,
            source,
            (made or changed or now) if given and not again else (changed or now),
            field.topic,
        )
        for address, given, again, made, changed in found
    ]
    return ledger.record_all(session, portal_id, lines)


def source_of(field: ConsentField) -> str:
    """How the ledger names the field."""
    return f"portal field {field.code}"


def _erased(portal_id: int, field: ConsentField) -> sa.ColumnElement[bool]:
    """Of who had everything removed nothing is written down again."""
    return sa.exists().where(
        Suppression.portal_id == portal_id,
        Suppression.channel == field.channel,
        Suppression.address_hash == hashed(portal_id, sa.literal_column("said.address", sa.Text)),
        Suppression.reason == Reason.ERASED.value,
    )


def _changed(session: Session, portal_id: int, field: ConsentField) -> sa.Select[Any]:
    """Rows (address, given, again, made, changed): where field and last line differ."""
    said, last = _said(session, portal_id, field).subquery("said"), _last(portal_id, field)
    given = sa.case((said.c.no, sa.false()), (said.c.yes, sa.true()), else_=sa.null())
    took_back = sa.and_(given.is_(None), last.c.given)
    differs = sa.or_(
        sa.and_(given.is_not(None), given.is_distinct_from(last.c.given)),
        took_back,
    )
    return (
        sa.select(
            said.c.address,
            sa.func.coalesce(given, sa.false()),
            last.c.given.is_not(None),
            said.c.made,
            said.c.changed,
        )
        .select_from(sa.join(said, last, last.c.address == said.c.address, isouter=True))
        .where(differs)
        .order_by(said.c.address)
    )


def _said(session: Session, portal_id: int, field: ConsentField) -> sa.Select[Any]:
    """What all living cards of an address say together."""
    parts = []
    for entity in field.entities:
        table = _TABLES[entity]
        yes, no = (_meaning(session, portal_id, field, entity, name) for name in ("yes", "no"))
        text = sa.func.lower(table.custom.op("->>", return_type=sa.Text)(field.code))
        boolean = sa.func.jsonb_typeof(table.custom[field.code]) == "boolean"
        parts.append(
            sa.select(
                Address.normalised.label("address"),
                sa.func.coalesce(text.in_(yes), sa.false()).label("yes"),
                sa.func.coalesce(sa.and_(text.in_(no), ~boolean), sa.false()).label("no"),
                table.created_at.label("made"),
                table.updated_at.label("changed"),
            )
            .join(
                table,
                sa.and_(
                    table.portal_id == Address.portal_id,
                    table.bitrix_id == Address.entity_id,
                    table.deleted_at.is_(None),
                ),
            )
            .where(
                Address.portal_id == portal_id,
                Address.entity == entity,
                Address.kind == _KINDS[field.channel],
                Address.normalised.is_not(None),
            )
        )
    every = sa.union_all(*parts).subquery("every")
    return sa.select(
        every.c.address,
        sa.func.bool_or(every.c.yes).label("yes"),
        sa.func.bool_or(every.c.no).label("no"),
        sa.func.min(every.c.made).label("made"),
        sa.func.max(every.c.changed).label("changed"),
    ).group_by(every.c.address)


def _last(portal_id: int, field: ConsentField) -> sa.Subquery:
    """The last line this field has written for each address."""
    line = ConsentRecord
    return (
        sa.select(line.address, line.given)
        .ext(distinct_on(line.address))
        .where(
            line.portal_id == portal_id,
            line.channel == field.channel,
            line.topic == field.topic,
            line.source == source_of(field),
            line.address.is_not(None),
        )
        .order_by(line.address, line.id.desc())
        .subquery("last")
    )


def _meaning(
    session: Session, portal_id: int, field: ConsentField, entity: str, name: str
) -> list[str]:
    """The values that mean yes, or no, as the mirror holds them: of a list, the numbers of its items."""
    words = {word.strip().lower() for word in getattr(field, name)}
    if words & {"1", "y", "yes", "true", "да"}:
        words |= {"true"}
    row = session.get(CustomField, (portal_id, entity, field.code))
    items = (row.items or ()) if row is not None else ()
    words |= {str(item["id"]) for item in items if item["value"].strip().lower() in words}
    return sorted(words)
