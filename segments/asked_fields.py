"""Custom fields of cards that conditions ask for: who asks notes them, and the facts of cards repeat their values.

A card of a full portal has hundreds of custom values; a question about one of them is quick where it stands by
itself (`segments.card_facts`).
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from datetime import datetime, timedelta
from typing import Any

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Mapped, Session, mapped_column

from core.clock import utcnow
from core.database import Base
from integration.mirror import CustomField
from integration.models import OfPortal, Portal, Timestamp
from integration.sync import touched
from segments.rules import names

MOST = 32
"""So many fields a portal's facts repeat: the first that were asked for; others are asked of the mirror."""
FORGOTTEN_AFTER = timedelta(days=30)


class AskedField(OfPortal, Base):
    """A custom field that somebody has asked for. `known`: the facts of these cards repeat its values."""

    __tablename__ = "asked_fields"

    entity: Mapped[str] = mapped_column(sa.Text, primary_key=True)
    code: Mapped[str] = mapped_column(sa.Text, primary_key=True)
    asked_at: Mapped[datetime] = mapped_column(Timestamp)
    known: Mapped[bool] = mapped_column(server_default=sa.false())


def named(raws: Iterable[Any]) -> set[tuple[str, str]]:
    """Entities and keys of card fields that definitions name, the catalogue's own among them."""
    return {
        (kind, key)
        for raw in raws
        for place, key in names.fields(raw)
        if place.relation is None
        for kind in place.kinds
    }


def unknown(
    raw: Any, having: Mapping[str, Collection[str]], repeated: Mapping[str, Collection[str]]
) -> bool:
    """Whether a definition names one of the portal's fields (`having`, by entity) that the facts don't repeat."""
    return any(
        key in having.get(entity, ()) and key not in repeated.get(entity, ())
        for entity, key in named([raw])
    )


def note(session: Session, portal_id: int, raws: Iterable[Any]) -> None:
    """Definitions ask for these fields now: those the portal has are to be repeated, as many as fit."""
    asked = named(raws)
    if not asked:
        return
    field, row, now = CustomField, AskedField, utcnow()
    mine, these = row.portal_id == portal_id, sa.tuple_(row.entity, row.code).in_(sorted(asked))
    session.execute(sa.update(row).where(mine, these).values(asked_at=now))
    there = sa.exists().where(mine, row.entity == field.entity, row.code == field.code)
    number = sa.select(sa.func.count()).select_from(row).where(mine).scalar_subquery()
    fresh = (
        sa.select(field.portal_id, field.entity, field.code, sa.literal(now))
        .where(
            field.portal_id == portal_id,
            sa.tuple_(field.entity, field.code).in_(sorted(asked)),
            ~there,
        )
        .order_by(field.entity, field.code)
        .limit(sa.func.greatest(MOST - number, 0))
    )
    put = insert(row).from_select(["portal_id", "entity", "code", "asked_at"], fresh)
    session.execute(put.on_conflict_do_nothing())


def known(session: Session, portal_id: int) -> dict[str, frozenset[str]]:
    """Codes of the fields whose values the facts repeat, by entity."""
    return _codes(session, portal_id, AskedField.known.is_(True))


def every(session: Session, portal_id: int) -> dict[str, frozenset[str]]:
    """Codes of all that were asked for, by entity: those the facts are to repeat from now on."""
    return _codes(session, portal_id)


def _codes(
    session: Session, portal_id: int, *which: sa.ColumnElement[bool]
) -> dict[str, frozenset[str]]:
    query = sa.select(AskedField.entity, sa.func.array_agg(AskedField.code))
    query = query.where(AskedField.portal_id == portal_id, *which).group_by(AskedField.entity)
    return {entity: frozenset(codes) for entity, codes in session.execute(query)}


def are_new() -> sa.ColumnElement[bool]:
    """Of `portals`: whether fields are asked for that the facts don't repeat."""
    return sa.exists().where(AskedField.portal_id == Portal.id, ~AskedField.known)


def repeated(session: Session, portal_id: int, codes: Mapping[str, Collection[str]]) -> None:
    """The facts repeat these from the commit on; those nobody has asked for in a long time are left out next time."""
    rows = AskedField
    pairs = sorted((entity, code) for entity, found in codes.items() for code in found)
    mine = rows.portal_id == portal_id
    these = sa.tuple_(rows.entity, rows.code).in_(pairs)
    session.execute(sa.update(rows).where(mine, these).values(known=True))
    session.execute(sa.delete(rows).where(mine, rows.asked_at < utcnow() - FORGOTTEN_AFTER))


def written(
    session: Session, portal_id: int, entity: str, codes: Collection[str], ids: Collection[int]
) -> None:
    """We have put values into custom fields of these cards ourselves: who asks for one of them looks again."""
    asked = every(session, portal_id).get(entity, frozenset())
    if asked & set(codes):
        touched.note(session, portal_id, entity, ids)
