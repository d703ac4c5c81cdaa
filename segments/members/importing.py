"""A list from a file: its columns told apart, its rows put into a segment, those that don't fit kept to be told."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session

from core.clock import utcnow
from core.sheets import written
from segments.conditions.catalog import scope_of
from segments.members import lists, membership, sheets
from segments.members.matching import Refusal, Refused, Row, match, understand
from segments.rules.headers import Meaning, guess
from segments.rules.tree import Kind
from segments.saved import ImportColumn, SegmentImport, Why

__all__ = ["BadFile", "Meaning", "Outcome", "Preview", "Refusal", "Refused", "import_list", "look"]

MAX_BYTES, MAX_ROWS = sheets.MAX_BYTES, sheets.MAX_ROWS
BadFile = sheets.BadFile
SAMPLE = 5


class NothingMapped(ValueError):
    """No column is said to hold ids, addresses or names."""


@dataclass(frozen=True, slots=True)
class Preview:
    """What a file looks like: its headers, its first rows, and what its columns seem to be."""

    headers: tuple[str, ...]
    rows: int
    sample: tuple[tuple[str, ...], ...]
    mapping: dict[Meaning, int]


@dataclass(frozen=True, slots=True)
class Outcome:
    """What came of a file: `found` cards, of which `entered` are new in the list and `already` were in."""

    rows: int
    found: int
    entered: int
    already: int
    refused: tuple[Refused, ...]


def look(session: Session, portal_id: int, data: bytes, filename: str) -> Preview:
    """The file's columns, as they were mapped before or as their headers say. Raises BadFile."""
    headers, rows = _read(data, filename)
    query = sa.select(ImportColumn.header, ImportColumn.meaning).where(
        ImportColumn.portal_id == portal_id
    )
    known = {header: Meaning(meaning) for header, meaning in session.execute(query)}
    sample = tuple(tuple(row.cells) for row in rows[:SAMPLE])
    return Preview(tuple(headers), len(rows), sample, guess(headers, known))


def import_list(  # noqa: PLR0913 - a file is its bytes and its name
    session: Session,
    portal_id: int,
    segment_id: int,
    data: bytes,
    filename: str,
    mapping: Mapping[Meaning, int],
    *,
    kind: Kind = Kind.CONTACT,
    user_id: int | None = None,
) -> Outcome:
    """Put the cards that a file names into a static segment.

    `mapping`: which column holds what. `kind`: whose ids they are, and among whom addresses and names are
    looked for first. Raises BadFile, NothingMapped, NoSuchSegment, NotStatic.
    """
    segment = lists.static(session, portal_id, segment_id)
    headers, rows = _read(data, filename)
    chosen = {each: column for each, column in mapping.items() if 0 <= column < len(headers)}
    if not chosen:
        raise NothingMapped
    for row in rows:
        understand(row, chosen)
    cards, refused = match(session, portal_id, rows, kind)
    now = utcnow()
    entered = lists.enter(session, portal_id, segment_id, cards, Why.IMPORT, now)
    lists.touch(session, portal_id, cards)
    outcome = Outcome(len(rows), len(cards), entered, len(cards) - entered, tuple(refused))
    segment.changed_by, segment.changed_at = user_id, now
    _remember(session, portal_id, headers, chosen)
    _keep(session, portal_id, segment_id, filename, headers, outcome, user_id)
    membership.recount(session, scope_of(session, portal_id), segment)
    return outcome


def last_import(session: Session, portal_id: int, segment_id: int) -> SegmentImport | None:
    """What came of the last file read into this segment."""
    return session.get(SegmentImport, (portal_id, segment_id))


def refused_csv(done: SegmentImport, words: Mapping[str, str]) -> bytes:
    """The refused rows as a CSV; `words`: of each reason, and of the headers «row» and «reason»."""
    header = [words["row"], words["reason"], *done.columns]
    lines = ([str(row), words.get(why, why), *cells] for row, why, cells in done.refused)
    return written([header, *lines])


def _read(data: bytes, filename: str) -> tuple[list[str], list[Row]]:
    """The headers, and the rows that aren't empty."""
    rows = sheets.rows_of(data, filename)
    first = next(number for number, cells in enumerate(rows) if any(cells))
    width = max(map(len, rows))
    headers = [*rows[first], *[""] * (width - len(rows[first]))]
    filled = [
        Row(number, cells)
        for number, cells in enumerate(rows[first + 1 :], first + 2)
        if any(cells)
    ]
    return headers, filled


def _remember(
    session: Session, portal_id: int, headers: Sequence[str], mapping: Mapping[Meaning, int]
) -> None:
    rows = {
        headers[column].casefold(): meaning.value
        for meaning, column in mapping.items()
        if headers[column]
    }
    if not rows:
        return
    put = insert(ImportColumn).values(
        [
            {"portal_id": portal_id, "header": header, "meaning": meaning}
            for header, meaning in rows.items()
        ]
    )
    session.execute(
        put.on_conflict_do_update(
            index_elements=["portal_id", "header"], set_={"meaning": put.excluded.meaning}
        )
    )


def _keep(
    session: Session,
    portal_id: int,
    segment_id: int,
    filename: str,
    headers: list[str],
    outcome: Outcome,
    user_id: int | None,
) -> None:
    done = session.get(SegmentImport, (portal_id, segment_id))
    if done is None:
        done = SegmentImport(portal_id=portal_id, segment_id=segment_id)
        session.add(done)
    done.filename, done.columns, done.rows = filename[:200], headers, outcome.rows
    done.found, done.entered = outcome.found, outcome.entered
    done.refused = [[each.row, each.reason.value, list(each.cells)] for each in outcome.refused]
    done.made_by, done.made_at = user_id, utcnow()
    session.flush()
