"""Rows of a file of consents: a header `address`, optional columns, every cell understood or refused with a reason."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime, time
from enum import StrEnum

MAX_BYTES = 50 * 1024 * 1024
MAX_ROWS = 1_000_000
_LONGEST = 500
_YES = {"", "1", "y", "yes", "true", "да", "+"}
_NO = {"0", "n", "no", "false", "нет", "-"}
_NAMES = {
    "address": {"address", "email", "e-mail", "phone", "адрес", "почта", "телефон"},
    "given": {"given", "consent", "согласие"},
    "topic": {"topic", "тема"},
    "happened_at": {"happened_at", "date", "at", "given_at", "дата"},
    "text_version": {"text_version"},
    "ip": {"ip"},
    "user_agent": {"user_agent"},
    "proof": {"proof", "доказательство"},
}


class BadFile(ValueError):
    """A file that holds no consents: `code` says why."""

    def __init__(self, code: str) -> None:
        super().__init__(code)
        self.code = code


class Refusal(StrEnum):
    """Why a row is not taken."""

    NO_ADDRESS = "no_address"
    NOT_AN_ADDRESS = "not_an_address"
    NOT_YES_OR_NO = "not_yes_or_no"
    NO_SUCH_TOPIC = "no_such_topic"
    NOT_A_DATE = "not_a_date"
    IN_THE_FUTURE = "in_the_future"
    WITHDRAWN_LATER = "withdrawn_later"  # the consent is older than the withdrawal, or nobody knows
    SUPPRESSED = "suppressed"  # the address must not be written to, whatever a file says
    TWICE = "twice"  # the same address and topic came before in the file
    TOO_LONG = "too_long"


@dataclass(frozen=True, slots=True)
class Row:
    """A row as it is typed; `number` is its line in the file."""

    number: int
    cells: Mapping[str, str]

    def __getitem__(self, name: str) -> str:
        """The cell of a column, empty where there is none."""
        return self.cells.get(name, "")


def rows(data: bytes) -> Iterator[Row]:
    """The rows that aren't empty. Raises BadFile."""
    if len(data) > MAX_BYTES:
        raise BadFile("too_large")
    text = _decoded(data)
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=_delimiter(text))
    try:
        header = [_meaning(cell) for cell in next(reader, [])]
        if "address" not in header:
            raise BadFile("no_address_column")
        for count, cells in enumerate(reader):
            if count >= MAX_ROWS:
                raise BadFile("too_many_rows")
            named = {n: _plain(c) for n, c in zip(header, cells, strict=False) if n}
            if any(named.values()):
                yield Row(reader.line_num, named)
    except csv.Error as error:
        raise BadFile("not_csv") from error


def yes(cell: str) -> bool | None:
    """Whether consent is given; None when the cell says neither."""
    said = cell.casefold()
    return True if said in _YES else False if said in _NO else None


def moment(cell: str) -> datetime | None:
    """A date, or date and time, as people and programs write it; without a zone it is UTC. None: it is none."""
    try:
        found = datetime.fromisoformat(cell)
    except ValueError:
        return _by_dots(cell)
    return found if found.tzinfo else found.replace(tzinfo=UTC)


def too_long(row: Row) -> bool:
    """Whether a cell holds more than any of them means."""
    return any(len(cell) > _LONGEST for cell in row.cells.values())


def _by_dots(cell: str) -> datetime | None:
    day, _, clock = cell.partition(" ")
    try:
        dd, mm, yyyy = (int(part) for part in day.split("."))
        at = time.fromisoformat(clock) if clock else time()
        return datetime.combine(date(yyyy, mm, dd), at, UTC)
    except ValueError:
        return None


def _meaning(cell: str) -> str:
    plain = cell.strip().casefold()
    return next((name for name, words in _NAMES.items() if plain in words), "")


def _plain(cell: str) -> str:
    """What a spreadsheet was kept from taking for a formula is itself again."""
    return cell.replace("\0", "").strip().removeprefix("'").strip()


def _decoded(data: bytes) -> str:
    for encoding in ("utf-8-sig", "cp1251"):
        try:
            return data.decode(encoding)
        except UnicodeDecodeError:
            continue
    raise BadFile("not_text")


def _delimiter(text: str) -> str:
    header = text.partition("\n")[0]
    return max((",", ";", "\t"), key=header.count)
