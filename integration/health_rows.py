"""What the health page says of each entity: rows here and on the portal, how fresh, what did not fit."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm import Session

from core import remembered
from core.runtime import Runtime
from integration import keeping
from integration.goods import Product, ProductSection
from integration.mirror import Activity, CustomField, StageMove
from integration.models import QuarantinedRow, SyncCursor, SyncRun
from integration.sync import checks
from integration.sync.checks import Result
from integration.sync.entities import BY_NAME, CARDS, PRODUCTS, SECTIONS

COUNTED_FOR = timedelta(minutes=1)
SHOWN = 50


@dataclass(frozen=True, slots=True)
class EntityHealth:
    """One line: `portal_rows` as last counted there, at `counted_at`; mirrored as of `as_of`.

    `drift`: what the last comparison with the portal found wrong here; None where there was none yet.
    `refused`: how the portal refused to let us read it.
    """

    entity: str
    rows: int
    portal_rows: int | None
    counted_at: datetime | None
    as_of: datetime | None
    read_at: datetime | None
    full: bool
    changed: int
    deleted: int
    quarantined: int
    drift: int | None
    repaired: int
    compared_at: datetime | None
    refused: str | None


@dataclass(frozen=True, slots=True)
class SetAside:
    """A quarantined row; `path` leads to its card, where it has one."""

    entity: str
    bitrix_id: str
    reason: str
    seen_at: datetime

    @property
    def path(self) -> str | None:
        """The card on the portal."""
        if self.entity not in BY_NAME or not self.bitrix_id.isdigit():
            return None
        return f"/crm/{self.entity}/details/{self.bitrix_id}/"


def entities(runtime: Runtime, session: Session, portal_id: int) -> list[EntityHealth]:
    """A line for each entity that is kept and has ever been read, in the order of the cards."""
    kept = keeping.rule_of(session, portal_id)
    cursors = {
        cursor.entity: cursor
        for cursor in session.scalars(
            sa.select(SyncCursor).where(SyncCursor.portal_id == portal_id)
        )
    }
    runs = {
        run.id: run
        for run in session.scalars(
            sa.select(SyncRun).where(
                SyncRun.portal_id == portal_id,
                SyncRun.id.in_({cursor.run_id for cursor in cursors.values()}),
            )
        )
    }
    rows = counts(runtime, session, portal_id)
    aside = _set_aside_by_entity(session, portal_id)
    compared = {check.entity: check for check in checks.results(session, portal_id)}
    return [
        _line(
            *(cursors[name], runs.get(cursors[name].run_id), rows[name]),
            *(aside.get(name, 0), compared.get(name)),
        )
        for name in rows
        if name in cursors and kept.reads(name)
    ]


def set_aside(session: Session, portal_id: int, most: int = SHOWN) -> list[SetAside]:
    """The quarantined rows, newest first; so many."""
    query = sa.select(QuarantinedRow).where(QuarantinedRow.portal_id == portal_id)
    newest = (QuarantinedRow.seen_at, QuarantinedRow.entity, QuarantinedRow.bitrix_id)
    query = query.order_by(*(each.desc() for each in newest))
    return [
        SetAside(row.entity, row.bitrix_id, row.reason, row.seen_at)
        for row in session.scalars(query.limit(most))
    ]


def field_labels(session: Session, portal_id: int) -> dict[str, str]:
    """What people call the custom fields, by code."""
    query = sa.select(CustomField.code, CustomField.label).where(CustomField.portal_id == portal_id)
    return {row[0]: row[1] for row in session.execute(query)}


def _line(
    cursor: SyncCursor, run: SyncRun | None, rows: int, aside: int, compared: Result | None
) -> EntityHealth:
    ended = compared is not None and compared.finished_at is not None
    return EntityHealth(
        entity=cursor.entity,
        rows=rows,
        portal_rows=cursor.portal_rows,
        counted_at=cursor.counted_at,
        as_of=cursor.watermark_at,
        read_at=(run.finished_at or run.started_at) if run else None,
        full=run is not None and run.full,
        changed=cursor.changed,
        deleted=cursor.deleted,
        quarantined=aside,
        drift=compared.found if compared and ended else None,
        repaired=compared.restored + compared.repaired + compared.buried if compared else 0,
        compared_at=compared.finished_at if compared else None,
        refused=cursor.refused,
    )


def _set_aside_by_entity(session: Session, portal_id: int) -> dict[str, int]:
    query = (
        sa.select(QuarantinedRow.entity, sa.func.count())
        .where(QuarantinedRow.portal_id == portal_id)
        .group_by(QuarantinedRow.entity)
    )
    return {row[0]: row[1] for row in session.execute(query)}


def counts(runtime: Runtime, session: Session, portal_id: int) -> dict[str, int]:
    """Rows of the mirror by entity; kept for a minute, as millions take a second to count."""
    key = f"rubilnik:counts:{portal_id}"
    kept: dict[str, int] | None = remembered.recall(runtime.redis, key)
    if kept:
        return kept
    found = _counted(session, portal_id)
    remembered.keep(runtime.redis, key, found, COUNTED_FOR)
    return found


def _counted(session: Session, portal_id: int) -> dict[str, int]:
    def number(table: type[Any], *conditions: sa.ColumnElement[bool]) -> int:
        query = sa.select(sa.func.count()).select_from(table)
        return session.scalar(query.where(table.portal_id == portal_id, *conditions)) or 0

    counts = {spec.name: number(spec.table, spec.table.deleted_at.is_(None)) for spec in CARDS}
    for entity in ("deal", "lead"):
        counts[f"{entity}_history"] = number(StageMove, StageMove.entity == entity)
    counts["activity"] = number(Activity)
    counts[PRODUCTS], counts[SECTIONS] = number(Product), number(ProductSection)
    return counts
