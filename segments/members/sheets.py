"""Spreadsheets that people upload, CSV and XLSX, as rows of texts: with limits, and no trust in the file."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Iterator

from segments.members import workbook

MAX_BYTES = 20 * 2**20
MAX_ROWS = 100_000
MAX_COLUMNS = 200
_LONGEST_CELL = 32_767
_DELIMITERS = ";,\t|"


class BadFile(ValueError):
    """A file that can't be read: `code` says why, for pages to word."""

    def __init__(self, code: str) -> None:
        super().__init__(code)
        self.code = code


def rows_of(data: bytes, filename: str) -> list[list[str]]:
    """The rows of the file's first sheet as texts, empty ones as well. Raises BadFile."""
    if len(data) > MAX_BYTES:
        raise BadFile("too_big")
    if not data.strip():
        raise BadFile("empty")
    if data.startswith(b"PK\x03\x04"):
        found: Iterable[list[str]] = _xlsx(data)
    elif filename.lower().endswith((".xls", ".xlsx", ".ods")) or data.startswith(b"\xd0\xcf\x11"):
        raise BadFile("not_a_table")
    else:
        found = _csv(_decoded(data))
    rows: list[list[str]] = []
    for row in found:
        if len(rows) > MAX_ROWS:
            raise BadFile("too_many_rows")
        rows.append(row[:MAX_COLUMNS])
    if sum(map(any, rows)) < 2:
        raise BadFile("empty")
    return rows


def _decoded(data: bytes) -> str:
    if data.startswith((b"\xff\xfe", b"\xfe\xff")):
        encodings = ["utf-16"]
    else:
        encodings = ["utf-8-sig", "cp1251"]
    for encoding in encodings:
        try:
            text = data.decode(encoding)
        except UnicodeDecodeError:
            continue
        if "\0" in text:
            break
        return text
    raise BadFile("encoding")


def _csv(text: str) -> Iterator[list[str]]:
    header = text.lstrip().partition("\n")[0]
    delimiter = max(_DELIMITERS, key=header.count)
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter)
    try:
        for row in reader:
            cells = [_clean(cell) for cell in row]
            if reader.line_num == 1 and len(cells) == 1 and cells[0].lower().startswith("sep="):
                continue
            yield cells
    except csv.Error:
        raise BadFile("damaged") from None


def _xlsx(data: bytes) -> list[list[str]]:
    try:
        rows = workbook.rows_of(data, MAX_ROWS + 1, MAX_COLUMNS)
    except workbook.Damaged:
        raise BadFile("damaged") from None
    except workbook.TooMuch:
        raise BadFile("too_big") from None
    return [[_clean(cell) for cell in row] for row in rows]


def _clean(cell: str) -> str:
    return cell.replace("\0", "").replace("\u00a0", " ").strip()[:_LONGEST_CELL]
