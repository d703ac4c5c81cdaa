"""Files that a spreadsheet opens by a double click: CSV with a BOM, by semicolons, and nothing in it a formula."""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Iterable, Iterator
from itertools import islice

_BOM = b"\xef\xbb\xbf"
_NUMBER = re.compile(r"[+-]?[\d\s().-]+")
_AT_ONCE = 1000
_FORMULA = ("=", "+", "-", "@", "\t", "\r")


def written(rows: Iterable[Iterable[str]]) -> bytes:
    """A file of these rows."""
    return _BOM + lines(rows)


def portions(rows: Iterable[Iterable[str]]) -> Iterator[bytes]:
    """The same file for many rows, a portion for each so many."""
    left, begun = iter(rows), _BOM
    while some := list(islice(left, _AT_ONCE)):
        yield begun + lines(some)
        begun = b""


def lines(rows: Iterable[Iterable[str]]) -> bytes:
    """More rows of such a file."""
    text = io.StringIO()
    csv.writer(text, delimiter=";").writerows([_safe(cell) for cell in row] for row in rows)
    return text.getvalue().encode()


def _safe(cell: str) -> str:
    """Phones and numbers stay as they are."""
    if cell.startswith(_FORMULA) and not _NUMBER.fullmatch(cell.strip()):
        return "'" + cell
    return cell
