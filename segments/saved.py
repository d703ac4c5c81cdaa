"""Tables of saved segments: their questions, every version, who is and was in them, their size in time."""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum
from typing import Any

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import Mapped, mapped_column

from core.database import Base
from integration.models import OfPortal, Timestamp


class How(StrEnum):
    """How a segment gets its members."""

    DYNAMIC = "dynamic"  # by its question, kept up to date
    SNAPSHOT = "snapshot"  # by its question at one moment, frozen
    STATIC = "static"  # by hand or from a file


class Why(StrEnum):
    """Why a card entered a segment or left it."""

    CHANGED = "changed"  # the card changed, or what belongs to it
    RULE = "rule"  # the segment's conditions did
    DAY = "day"  # a day passed
    SETTINGS = "settings"  # the sale rule, a rate or the type of a field changed
    IMPORT = "import"  # from a file
    HAND = "hand"  # by a person
    MERGED = "merged"  # a duplicate was merged into it
    SNAPSHOT = "snapshot"  # when it was frozen


class Segment(OfPortal, Base):
    """A saved segment. `definition` is the JSON of `segments.rules.tree`, empty for a static one.

    `stale_at`: since when its members may be out of date; None when they are up to date. `basis` tells
    by which select, of which day, they were found (`segments.members.membership`). `recount_at`: since when its
    counters, of `counted_at`, may differ. `fingerprint`: of a snapshot, what its members hash to.
    """

    __tablename__ = "segments"

    id: Mapped[int] = mapped_column(sa.Integer, sa.Identity(), primary_key=True)
    name: Mapped[str] = mapped_column(sa.Text)
    note: Mapped[str | None] = mapped_column(sa.Text)
    how: Mapped[str] = mapped_column(sa.Text, server_default=How.DYNAMIC)
    preset: Mapped[str | None] = mapped_column(sa.Text)
    definition: Mapped[dict[str, Any] | None] = mapped_column(JSONB(none_as_null=True))
    version: Mapped[int] = mapped_column(server_default="1")
    changed_by: Mapped[int | None] = mapped_column(sa.BigInteger)
    changed_at: Mapped[datetime] = mapped_column(Timestamp, server_default=sa.func.now())
    created_at: Mapped[datetime] = mapped_column(Timestamp, server_default=sa.func.now())
    counters: Mapped[dict[str, int] | None] = mapped_column(JSONB(none_as_null=True))
    counted_at: Mapped[datetime | None] = mapped_column(Timestamp)
    recount_at: Mapped[datetime | None] = mapped_column(Timestamp)
    basis: Mapped[str | None] = mapped_column(sa.Text)
    fingerprint: Mapped[str | None] = mapped_column(sa.Text)
    refreshed_at: Mapped[datetime | None] = mapped_column(Timestamp)
    stale_at: Mapped[datetime | None] = mapped_column(Timestamp)
    problem: Mapped[str | None] = mapped_column(sa.Text)
    archived_at: Mapped[datetime | None] = mapped_column(Timestamp)


class SegmentVersion(OfPortal, Base):
    """A segment as it was saved once: who changed what, and what to return to."""

    __tablename__ = "segment_versions"

    segment_id: Mapped[int] = mapped_column(sa.Integer, primary_key=True)
    version: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    name: Mapped[str] = mapped_column(sa.Text)
    definition: Mapped[dict[str, Any] | None] = mapped_column(JSONB(none_as_null=True))
    changed_by: Mapped[int | None] = mapped_column(sa.BigInteger)
    changed_at: Mapped[datetime] = mapped_column(Timestamp, server_default=sa.func.now())


class SegmentStay(OfPortal, Base):
    """A client's or lead's time in a segment; still there while `left_at` is empty.

    Present members, the history, and «was in it on a date» are all read from here.
    """

    __tablename__ = "segment_stays"
    __table_args__ = (
        sa.Index(
            "uq_segment_stays_present",
            *("portal_id", "segment_id", "kind", "member_id"),
            unique=True,
            postgresql_where=sa.text("left_at IS NULL"),
        ),
        sa.Index(
            "ix_segment_stays_of_member",
            *("portal_id", "kind", "member_id"),
            postgresql_where=sa.text("left_at IS NULL"),
        ),
    )

    segment_id: Mapped[int] = mapped_column(sa.Integer, primary_key=True)
    kind: Mapped[str] = mapped_column(sa.Text, primary_key=True)
    member_id: Mapped[int] = mapped_column(sa.BigInteger, primary_key=True, autoincrement=False)
    entered_at: Mapped[datetime] = mapped_column(Timestamp, primary_key=True)
    left_at: Mapped[datetime | None] = mapped_column(Timestamp)
    entered_by: Mapped[str] = mapped_column(sa.Text)
    left_by: Mapped[str | None] = mapped_column(sa.Text)


class SegmentSize(OfPortal, Base):
    """How many were in a segment on a day: the last count of it."""

    __tablename__ = "segment_sizes"

    segment_id: Mapped[int] = mapped_column(sa.Integer, primary_key=True)
    day: Mapped[Any] = mapped_column(sa.Date, primary_key=True)
    contacts: Mapped[int] = mapped_column(server_default="0")
    companies: Mapped[int] = mapped_column(server_default="0")
    leads: Mapped[int] = mapped_column(server_default="0")


class SegmentImport(OfPortal, Base):
    """The last file read into a static segment: what came of it, with the rows that did not fit.

    `refused`: [row of the sheet, reason, its cells] of each; `columns`: the headers of the cells.
    """

    __tablename__ = "segment_imports"

    segment_id: Mapped[int] = mapped_column(sa.Integer, primary_key=True, autoincrement=False)
    filename: Mapped[str] = mapped_column(sa.Text)
    columns: Mapped[list[str]] = mapped_column(JSONB)
    rows: Mapped[int]
    found: Mapped[int]
    entered: Mapped[int]
    refused: Mapped[list[list[Any]]] = mapped_column(JSONB)
    made_by: Mapped[int | None] = mapped_column(sa.BigInteger)
    made_at: Mapped[datetime] = mapped_column(Timestamp, server_default=sa.func.now())


class ImportColumn(OfPortal, Base):
    """What a column of this header was said to hold when a file was read last."""

    __tablename__ = "import_columns"

    header: Mapped[str] = mapped_column(sa.Text, primary_key=True)
    meaning: Mapped[str] = mapped_column(sa.Text)
