"""Millions of rows in the memory of few: one block of rows, told again under other ids.

A copy of a row is made when it is looked at. Its links stay within its copy, so every client has the
deals of the client copied; phones and e-mails become other ones. Rows that are changed or added are
kept by themselves.
"""

from __future__ import annotations

import re
from array import array
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from heapq import merge
from operator import itemgetter
from typing import TYPE_CHECKING, Any, overload

from demo.portal.schema import BY_TYPE_ID, COLUMNS, MULTIFIELDS

if TYPE_CHECKING:
    from datetime import datetime

    from demo.portal.store import Store
    from demo.portal.table import Getter, Row

Change = Callable[[Any, int, Sequence[Any]], Any]

_LINKS = {
    "COMPANY_ID": "company",
    "COMPANY_IDS": "company",
    "CONTACT_ID": "contact",
    "CONTACT_IDS": "contact",
    "LEAD_ID": "lead",
}
_OWNER_TYPE = {"stagehistory": "ENTITY_TYPE_ID", "activity": "OWNER_TYPE_ID"}
_LAST_TWO_DIGITS = re.compile(r"\d\d(?=\D*\Z)")


class Retelling:
    """Makes rows of the copies out of the block's; copy 0 is the block itself."""

    def __init__(self, step: int, changes: Mapping[int, Change]) -> None:
        """`step` parts the ids of one copy from those of the next; `changes` go by column."""
        self._step = step
        self._changes = changes

    def row(self, row: Row, copy: int) -> Row:
        """The whole row."""
        if not copy:
            return row
        made = list(row)
        made[0] += copy * self._step
        for at, change in self._changes.items():
            if value := made[at]:
                made[at] = change(value, copy, row)
        return tuple(made)

    def value(self, at: int, value: Any, copy: int, row: Row) -> Any:
        """One value of the row."""
        change = self._changes.get(at)
        return change(value, copy, row) if change is not None and value and copy else value


class Copies:
    """The rows of a table: its block, the copies of it, and what was changed since."""

    def __init__(
        self, block: list[Row], ids: array[int], copies: int, retelling: Retelling
    ) -> None:
        """`ids` is the table's own array of ids, which go on ascending from 1."""
        self._block = block
        self._ids = ids
        self._copies = copies
        self._retelling = retelling
        self._changed: dict[int, Row | None] = {}  # None: deleted

    def __len__(self) -> int:
        return len(self._ids)

    @overload
    def __getitem__(self, at: int) -> Row: ...
    @overload
    def __getitem__(self, at: slice) -> list[Row]: ...
    def __getitem__(self, at: int | slice) -> Row | list[Row]:
        if isinstance(at, slice):
            return [self._row(row_id) for row_id in self._ids[at]]
        return self._row(self._ids[at])

    def __iter__(self) -> Iterator[Row]:
        return map(self._row, self._ids)

    def __setitem__(self, at: int, row: Row) -> None:
        self._changed[self._ids[at]] = row

    def insert(self, at: int, row: Row) -> None:
        """Take a row whose id is in its place already."""
        self._changed[self._ids[at]] = row

    def pop(self, at: int) -> Row:
        """Give a row away before its id is removed."""
        row = self[at]
        self._changed[self._ids[at]] = None
        return row

    def column(self, read: Getter, at: int) -> Iterator[tuple[int, Any]]:
        """Ids with their values of one column that aren't None: no row is made for that."""
        size, value_of = len(self._block), self._retelling.value
        values = [
            (n, v, row) for n, row in enumerate(self._block, 1) if (v := read(row)) is not None
        ]
        for copy in range(self._copies if values else 0):
            for n, value, row in values:
                row_id = n + copy * size
                if row_id not in self._changed:
                    yield row_id, value_of(at, value, copy, row)
        for row_id, changed in self._changed.items():
            if changed is not None and (value := read(changed)) is not None:
                yield row_id, value

    def by_moment(self, read: Getter) -> Iterator[tuple[datetime, int]]:
        """Moments with ids in the order of time; changed rows at their former moment as well."""
        size, first = len(self._block), itemgetter(0)
        noted = sorted((at, n) for n, row in enumerate(self._block, 1) if (at := read(row)))
        told = (
            (at, row_id) for at, n in noted for row_id in range(n, n + size * self._copies, size)
        )
        rows = ((i, row) for i, row in self._changed.items() if row is not None)
        changed = sorted((at, i) for i, row in rows if (at := read(row)))
        return merge(told, changed, key=first) if changed else told

    def _row(self, row_id: int) -> Row:
        row = self._changed.get(row_id)
        if row is None:
            copy, place = divmod(row_id - 1, len(self._block))
            row = self._retelling.row(self._block[place], copy)
        return row


def repeat(store: Store, copies: int) -> None:
    """Let the store hold what it holds so many times over."""
    steps = {name: len(store.tables[name]) for name in COLUMNS}
    numbers = store.last_multifield_id()
    for name in COLUMNS:
        table = store.tables[name]
        changes = _changes(name, table.columns, steps, numbers)
        table.repeat(copies, Retelling(steps[name], changes))
    store.multifield_id = numbers * copies


def _changes(
    name: str, columns: Sequence[str], steps: Mapping[str, int], numbers: int
) -> dict[int, Change]:
    """What is another in a copy, by the place of the column."""
    place = {column: number for number, column in enumerate(columns)}
    changes: dict[str, Change] = {
        **{column: _Link(steps[other]) for column, other in _LINKS.items()},
        **{kind: _Multifield(kind, numbers) for kind in MULTIFIELDS},
        "BINDINGS": _Bindings(steps),
        "IS_MY_COMPANY": _none,
    }
    if name in _OWNER_TYPE:
        changes["OWNER_ID"] = _Owner(place[_OWNER_TYPE[name]], steps)
    return {place[column]: change for column, change in changes.items() if column in place}


@dataclass(frozen=True)
class _Link:
    """An id, or several, of rows that have copies too."""

    step: int

    def __call__(self, value: Any, copy: int, _row: Sequence[Any]) -> Any:
        if type(value) is tuple:
            return tuple(one + copy * self.step for one in value)
        return value + copy * self.step


@dataclass(frozen=True)
class _Owner:
    """An id of a row whose kind another column tells."""

    kind_at: int
    steps: Mapping[str, int]

    def __call__(self, value: Any, copy: int, row: Sequence[Any]) -> Any:
        return value + copy * self.steps[BY_TYPE_ID[row[self.kind_at]].name]


@dataclass(frozen=True)
class _Bindings:
    """Owners of an activity, each by its own kind."""

    steps: Mapping[str, int]

    def __call__(self, value: Any, copy: int, _row: Sequence[Any]) -> Any:
        return tuple(self._moved(one, copy) for one in value)

    def _moved(self, one: dict[str, int], copy: int) -> dict[str, int]:
        owners = BY_TYPE_ID[one["OWNER_TYPE_ID"]].name
        return {**one, "OWNER_ID": one["OWNER_ID"] + copy * self.steps[owners]}


@dataclass(frozen=True)
class _Multifield:
    """Addresses of one kind: another person's."""

    kind: str
    numbers: int

    def __call__(self, value: Any, copy: int, _row: Sequence[Any]) -> Any:
        return tuple(self._moved(one, copy) for one in value)

    def _moved(self, one: dict[str, Any], copy: int) -> dict[str, Any]:
        told = self._other(one["VALUE"], copy)
        return {**one, "VALUE": told, "ID": one["ID"] + copy * self.numbers}

    def _other(self, text: str, copy: int) -> str:
        if self.kind == "EMAIL":
            return text.replace("@", f"-{copy}@")
        if self.kind == "PHONE":
            return _LAST_TWO_DIGITS.sub(lambda found: f"{(int(found[0]) + copy) % 100:02}", text)
        return text


def _none(*_: Any) -> None:
    """No copy has it."""
