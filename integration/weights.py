"""How much of a portal is mirrored: rows and about how many bytes by entity, and how full its custom fields are."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm import Session

from core.runtime import Runtime
from integration import health_rows, keeping
from integration.mirror import Activity, CustomField, StageMove
from integration.sync.entities import CARDS

SAMPLE = 2000
_LINES: dict[str, Any] = {"activity": Activity, "history": StageMove}


@dataclass(frozen=True, slots=True)
class Weight:
    """One kind of rows here: their number, and about how many bytes they take."""

    rows: int
    size: int


@dataclass(frozen=True, slots=True)
class FieldWeight:
    """A custom field: whether it is read, and in about what share of the cards it is filled.

    `filled` None: that isn't known, because it isn't read or nothing was read yet.
    """

    entity: str
    code: str
    label: str
    type_id: str
    kept: bool
    filled: float | None


def weights(runtime: Runtime, session: Session, portal_id: int) -> dict[str, Weight]:
    """By entity, with the histories as one; sizes are of a sample of rows, without indexes."""
    rows = health_rows.counts(runtime, session, portal_id)
    tables: dict[str, Any] = {spec.name: spec.table for spec in CARDS} | _LINES
    counted = {**rows, "history": rows["deal_history"] + rows["lead_history"]}
    return {
        name: Weight(counted[name], int(counted[name] * _row_size(session, portal_id, table)))
        for name, table in tables.items()
    }


def fields(session: Session, portal_id: int) -> list[FieldWeight]:
    """The custom fields of the cards, by entity and name."""
    rule = keeping.rule_of(session, portal_id)
    query = sa.select(CustomField).where(CustomField.portal_id == portal_id)
    filled = {spec.name: _filled(session, portal_id, spec.table) for spec in CARDS}
    found = []
    for row in session.scalars(query.order_by(CustomField.label, CustomField.code)):
        kept = row.code not in rule.left_out.get(row.entity, ())
        shares = filled[row.entity]
        share = shares.get(row.code, 0.0) if kept and shares is not None else None
        found.append(FieldWeight(row.entity, row.code, row.label, row.type_id, kept, share))
    return found


def _sample(portal_id: int, table: Any, *columns: Any) -> Any:
    query = sa.select(*columns).where(table.portal_id == portal_id)
    return query.order_by(sa.desc(table.bitrix_id)).limit(SAMPLE).subquery()


def _row_size(session: Session, portal_id: int, table: Any) -> float:
    whole = sa.func.pg_column_size(sa.literal_column(f"{table.__tablename__}.*")).label("size")
    some = _sample(portal_id, table, whole)
    return float(session.scalar(sa.select(sa.func.avg(some.c.size))) or 0)


def _filled(session: Session, portal_id: int, table: Any) -> dict[str, float] | None:
    """By code, in the newest cards; None when there are no cards."""
    some = _sample(portal_id, table, table.custom.label("custom"))
    number = session.scalar(sa.select(sa.func.count()).select_from(some)) or 0
    if not number:
        return None
    keys = sa.func.jsonb_object_keys(some.c.custom).label("code")
    named = sa.select(keys).subquery()
    counted = sa.select(named.c.code, sa.func.count()).group_by(named.c.code)
    return {row[0]: row[1] / number for row in session.execute(counted)}
