"""What a listing of the portal and the mirror differ in: one statement for several pages of ids.

A stamp is compared only with one of the same family of methods, as the mirror stored it. Not every
change moves a stamp, so links and everything a deal's worth depends on are compared as well.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from functools import cache
from typing import Any

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import ARRAY
from sqlalchemy.orm import Session

from core.database import any_of, document, recordset
from integration.mirror import DealContact
from integration.rules.mapping import MirrorRow
from integration.rules.reconciling import common_shift
from integration.sync.entities import EntitySpec

Row = Mapping[str, Any]
LAST_ID = 2**63 - 1
_COMPARED: dict[str, tuple[tuple[str, ...], tuple[str, ...]]] = {  # fields as listed, columns here
    "contact": (("ID", "DATE_MODIFY", "COMPANY_ID"), ("company_id",)),
    "company": (("ID", "DATE_MODIFY", "IS_MY_COMPANY"), ("is_my_company",)),
    "lead": (
        ("ID", "DATE_MODIFY", "STATUS_ID", "OPPORTUNITY", "CONTACT_ID", "COMPANY_ID"),
        ("stage_id", "opportunity", "contact_id", "company_id"),
    ),
    "deal": (
        (
            *("id", "updatedTime", "categoryId", "stageId", "stageSemanticId", "opportunity"),
            *("currencyId", "companyId", "contactId", "contactIds", "closedate", "movedTime"),
            "isRecurring",
        ),
        (
            *("pipeline_id", "stage_id", "stage_semantic", "opportunity", "currency_id"),
            *("company_id", "closed_on", "moved_at", "is_recurring", "products_hash"),
        ),
    ),
}
_CONTACTS: sa.Column[Any] = sa.Column("contact_ids", ARRAY(sa.BigInteger))


@dataclass(frozen=True, slots=True)
class Listing:
    """Rows as listed: everything the portal shows with an id in (after_id, up_to]."""

    rows: Sequence[Row]
    after_id: int
    up_to: int


@dataclass(frozen=True, slots=True)
class Since:
    """When the check began (our clock), and up to when changes have been read already (the portal's)."""

    started_at: datetime
    watermark_at: datetime | None


@dataclass(slots=True)
class Drift:
    """Ids that differ, by how. `late` of them changed after what a sync has read: no drift.

    `shifted` differ by nothing but the portal's clock, which moved by `shift` seconds.
    """

    missing: list[int] = field(default_factory=list)
    restored: list[int] = field(default_factory=list)
    differing: list[int] = field(default_factory=list)
    vanished: list[int] = field(default_factory=list)
    shifted: list[int] = field(default_factory=list)
    late: set[int] = field(default_factory=set)
    shift: int = 0

    @property
    def to_read(self) -> list[int]:
        """Ids whose rows have to be read, ascending."""
        return sorted([*self.missing, *self.restored, *self.differing])

    def found(self, ids: Sequence[int]) -> int:
        """How many of these are drift."""
        return sum(1 for i in ids if i not in self.late)


def listed_fields(spec: EntitySpec) -> list[str]:
    """What a listing for comparison selects."""
    return list(_COMPARED[spec.name][0])


def compare(
    session: Session,
    portal_id: int,
    spec: EntitySpec,
    listing: Listing,
    since: Since,
    shift: int = 0,
) -> Drift:
    """Set the listing against the mirror. `shift`: a shift of the clock found in this check before."""
    found = session.execute(
        _comparison(spec),
        {
            "portal_id": portal_id,
            "rows": document(_lines(spec, listing.rows)),
            "after_id": listing.after_id,
            "up_to": listing.up_to,
            "started_at": since.started_at,
            "watermark_at": since.watermark_at,
        },
    ).all()
    drift = Drift(late={row.bitrix_id for row in found if row.late})
    for row in found:
        if row.how != "differing":
            getattr(drift, row.how).append(row.bitrix_id)
    differing = [row for row in found if row.how == "differing"]
    compared = len(listing.rows) - len(drift.missing) - len(drift.restored)
    moved = [(row.stamp, row.seconds) for row in differing]
    drift.shift = common_shift(moved, compared) or shift
    for row in differing:
        only_clock = drift.shift and row.seconds == drift.shift and not row.otherwise
        (drift.shifted if only_clock else drift.differing).append(row.bitrix_id)
    return drift


def follow_clock(session: Session, portal_id: int, spec: EntitySpec, drift: Drift) -> None:
    """Move the stamps of rows that differ by the portal's clock alone; their content is unchanged."""
    table = spec.table
    if drift.shifted:
        session.execute(
            sa.update(table)
            .where(table.portal_id == portal_id, table.bitrix_id == any_of(drift.shifted))
            .values(updated_at=table.updated_at + timedelta(seconds=drift.shift))
        )


def allow_older(
    session: Session, portal_id: int, spec: EntitySpec, rows: Sequence[Row], since: Since
) -> None:
    """Let rows just read replace ones with a newer stamp, which a store refuses otherwise.

    A portal restored from a backup has older rows. One stored since the check began may really be newer.
    """
    table = spec.table_name
    incoming = recordset(spec.columns, ("bitrix_id", "updated_at"))
    session.execute(
        sa.text(  # names are of our own tables
            f"UPDATE {table} SET updated_at = NULL FROM {incoming} "  # noqa: S608
            f"WHERE {table}.portal_id = :portal_id AND {table}.bitrix_id = incoming.bitrix_id "
            f"AND {table}.updated_at > incoming.updated_at AND {table}.synced_at < :started_at"
        ),
        {
            "portal_id": portal_id,
            "rows": document(_lines(spec, rows)),
            "started_at": since.started_at,
        },
    )


def _lines(spec: EntitySpec, rows: Sequence[Row]) -> Iterator[dict[str, Any]]:
    columns = _columns(spec)
    for row in rows:
        try:
            made = spec.map(row, {})
        except (ValueError, TypeError, AttributeError, KeyError, ArithmeticError):
            made = MirrorRow(int(row[spec.id_field]), {})  # differs: read whole, then quarantined
        line = {name: made.values.get(name) for name in columns}
        line["bitrix_id"] = made.bitrix_id
        if spec.links_contacts:
            line["contact_ids"] = made.contact_ids
        yield line


def _columns(spec: EntitySpec) -> tuple[str, ...]:
    return ("updated_at", *_COMPARED[spec.name][1])


@cache
def _comparison(spec: EntitySpec) -> sa.TextClause:
    """Returns (bitrix_id, how, stamp, seconds, otherwise, late) of every row that differs."""
    table, others = spec.table_name, _columns(spec)[1:]
    names = ("bitrix_id", *_columns(spec), *(["contact_ids"] if spec.links_contacts else []))
    incoming = recordset([*spec.columns, _CONTACTS], names)
    unequal = [f"m.{name} IS DISTINCT FROM l.{name}" for name in others]
    if spec.links_contacts:
        unequal.append(
            f"ARRAY(SELECT c.contact_id FROM {DealContact.__tablename__} c"  # noqa: S608
            " WHERE c.portal_id = :portal_id AND c.deal_id = l.bitrix_id ORDER BY c.position)"
            " IS DISTINCT FROM l.contact_ids"
        )
    otherwise = " OR ".join(unequal)
    statement = sa.text(  # names are of our own tables
        f"WITH l AS MATERIALIZED (SELECT * FROM {incoming}), seen AS ("  # noqa: S608
        "  SELECT l.bitrix_id, m.bitrix_id IS NULL AS missing, m.deleted_at IS NOT NULL AS dead,"
        "         l.updated_at AS theirs, m.updated_at AS stamp,"
        f"        m.bitrix_id IS NOT NULL AND ({otherwise}) AS otherwise"
        f"  FROM l LEFT JOIN {table} m"
        "    ON m.portal_id = :portal_id AND m.bitrix_id = l.bitrix_id"
        ") SELECT bitrix_id, CASE WHEN missing THEN 'missing' WHEN dead THEN 'restored'"
        "   ELSE 'differing' END AS how, stamp,"
        "   CAST(extract(epoch FROM theirs - stamp) AS bigint) AS seconds, otherwise,"
        "   theirs IS DISTINCT FROM stamp AND coalesce(theirs >= :watermark_at, false) AS late"
        " FROM seen WHERE missing OR dead OR otherwise OR theirs IS DISTINCT FROM stamp "
        "UNION ALL "
        "SELECT m.bitrix_id, 'vanished', m.updated_at, NULL, false, false"
        f" FROM {table} m WHERE m.portal_id = :portal_id AND m.bitrix_id > :after_id"
        "   AND m.bitrix_id <= :up_to AND m.deleted_at IS NULL AND m.synced_at < :started_at"
        "   AND NOT EXISTS (SELECT 1 FROM l WHERE l.bitrix_id = m.bitrix_id)"
    )
    return statement.bindparams(
        sa.bindparam("watermark_at", type_=sa.DateTime(timezone=True)),
        sa.bindparam("started_at", type_=sa.DateTime(timezone=True)),
    )
