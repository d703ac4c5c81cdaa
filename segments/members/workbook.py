"""An XLSX workbook as rows of texts, parsed by a process of its own: this file, run as a script.

A workbook can claim anything, such as two cells a billion apart, and its parser then asks for more memory
than there is and takes the process with it. Here that is a process without anything else in it, within
bounds of memory and time.
"""

from __future__ import annotations

import datetime
import io
import json
import resource
import subprocess
import sys
from pathlib import Path
from typing import Any

import python_calamine as calamine

MEMORY = 768 * 2**20
SECONDS = 30
_CHARACTERS = 100 * 2**20
_TOO_MUCH, _DAMAGED = 3, 4


class Damaged(ValueError):
    """It is no workbook."""


class TooMuch(ValueError):
    """It holds more than there is room for."""


def rows_of(data: bytes, most: int, columns: int) -> list[list[str]]:
    """The rows of the first sheet, at most so many and so wide. Raises Damaged, TooMuch."""
    bounds = (str(most), str(columns))
    try:
        done = subprocess.run(
            [sys.executable, "-I", str(Path(__file__)), *bounds],
            input=data, capture_output=True, timeout=SECONDS, check=False,
        )  # fmt: skip
    except subprocess.TimeoutExpired:
        raise TooMuch from None
    if done.returncode == 0:
        rows: list[list[str]] = json.loads(done.stdout)
        return rows
    raise Damaged if done.returncode == _DAMAGED else TooMuch


def _main(most: int, columns: int) -> int:
    for what, bound in (
        (resource.RLIMIT_AS, MEMORY),
        (resource.RLIMIT_CPU, SECONDS),
        (resource.RLIMIT_CORE, 0),
    ):
        resource.setrlimit(what, (bound, bound))
    try:
        book = calamine.CalamineWorkbook.from_filelike(io.BytesIO(sys.stdin.buffer.read()))
        sheet = book.get_sheet_by_index(0)
    except (calamine.CalamineError, IndexError, OSError):
        return _DAMAGED
    found: list[list[str]] = [[] for _ in range(min(sheet.start[0], most))] if sheet.start else []
    left = _CHARACTERS
    for row in sheet.iter_rows() if sheet.start else ():
        if len(found) >= most:
            break
        found.append([_text(cell) for cell in row[:columns]])
        left -= sum(map(len, found[-1]))
        if left < 0:
            return _TOO_MUCH
    sys.stdout.buffer.write(json.dumps(found).encode())
    return 0


def _text(cell: Any) -> str:
    """A cell as its reader sees it: whole numbers without a point, as ids and phones are typed as numbers."""
    if isinstance(cell, bool):
        return "1" if cell else "0"
    if isinstance(cell, float) and cell.is_integer() and abs(cell) < 1e15:
        return str(int(cell))
    if isinstance(cell, datetime.datetime):
        return cell.isoformat(" ", "minutes")
    return str(cell)


if __name__ == "__main__":
    sys.exit(_main(int(sys.argv[1]), int(sys.argv[2])))
