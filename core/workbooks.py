"""Excel workbooks: every cell is a text, so nothing in one is a formula."""

from __future__ import annotations

import tempfile
from collections.abc import Iterable, Iterator
from itertools import chain, islice

import xlsxwriter

TYPE = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"
ROWS_OF_A_SHEET = 1_048_576
"""What Excel opens; more rows go on in another sheet."""

_LONGEST = 32_767  # characters of a cell
_AT_ONCE = 1 << 16


def portions(rows: Iterable[Iterable[str]]) -> Iterator[bytes]:
    """The workbook of these rows: the file is whole before its first portion, on disk and not in memory."""
    with tempfile.TemporaryFile() as file:
        book = xlsxwriter.Workbook(file, {"constant_memory": True})
        left = iter(rows)
        for first in left:
            sheet = book.add_worksheet()
            for number, row in enumerate(chain([first], islice(left, ROWS_OF_A_SHEET - 1))):
                for column, cell in enumerate(row):
                    sheet.write_string(number, column, cell[:_LONGEST])
        book.close()
        file.seek(0)
        while portion := file.read(_AT_ONCE):
            yield portion
