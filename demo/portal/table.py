"""One kind of rows in memory: compact, sorted by id, with indexes and a cache of encoded rows.

A row travels in and out as a dict of classic UPPER_SNAKE codes to native values and is kept as a
tuple of its table's columns plus a sparse dict of everything else, which keeps millions of deals
affordable and makes a keyset page a binary search.
"""

from __future__ import annotations

from array import array
from bisect import bisect_left, bisect_right, insort
from collections.abc import Callable, Hashable, Iterable, Iterator, Sequence
from typing import TYPE_CHECKING, Any

from demo.portal.copies import Copies, Retelling
from demo.portal.moments import Timeline
from demo.portal.schema import ENTITIES, MULTIFIELDS

if TYPE_CHECKING:
    from datetime import datetime

    import orjson

Row = tuple[Any, ...]
Getter = Callable[[Row], Any]
Index = dict[Any, list[int]]

_SHARED_VALUES = 1 << 17
_CACHED_SELECTS = 16
_CACHED_ROWS = 50_000
_AS_IT_IS = frozenset({type(None), int, bool, dict})
_LISTS = frozenset({list, tuple})


class Table:
    """Rows of one kind, ascending by id; deleted ids are never given out again."""

    def __init__(self, name: str, columns: Sequence[str] = ()) -> None:
        self.name = name
        self.columns = tuple(columns)
        self.version = 0
        self.last_id = 0
        self._position = {column: number for number, column in enumerate(self.columns)}
        self._ids = array("q")
        self._rows: list[Row] | Copies = []
        self._shared: dict[Any, Any] = {}
        self._indexes: dict[str, Index] = {}
        self._timelines: dict[str, Timeline] = {}
        self._encoded: dict[Hashable, dict[int, orjson.Fragment]] = {}

    def __getstate__(self) -> dict[str, Any]:
        return {**self.__dict__, "_encoded": {}}  # encoded rows cannot be pickled

    def __len__(self) -> int:
        return len(self._ids)

    def __contains__(self, row_id: object) -> bool:
        return isinstance(row_id, int) and self.row(row_id) is not None

    def __iter__(self) -> Iterator[dict[str, Any]]:
        """All rows as dicts, ascending by id."""
        return map(self._unpack, self._rows)

    def ids(self) -> Sequence[int]:
        """All ids, ascending; the live array, not a copy."""
        return self._ids

    def rows(self) -> list[Row] | Copies:
        """All packed rows, in the order of `ids()`."""
        return self._rows

    def get(self, row_id: int) -> dict[str, Any] | None:
        """One row as a fresh dict, or None."""
        row = self.row(row_id)
        return None if row is None else self._unpack(row)

    def row(self, row_id: int) -> Row | None:
        """One packed row, or None."""
        if not _found(self._ids, row_id):
            return None
        return self._rows[bisect_left(self._ids, row_id)]

    def span(self, above: int | None, below: int | None) -> tuple[int, int]:
        """Positions of the ids strictly between two bounds, either of which may be open."""
        start = 0 if above is None else bisect_right(self._ids, above)
        stop = len(self._ids) if below is None else bisect_left(self._ids, below)
        return start, max(start, stop)

    def getter(self, column: str) -> Getter:
        """A function that reads one column, or one sparse value, of a packed row."""
        at = self._position.get(column)
        if at is not None:
            return lambda row: row[at]
        return lambda row: row[-1].get(column) if row[-1] else None

    def load(self, rows: Iterable[dict[str, Any]]) -> None:
        """Add many rows at once; equal values are shared between them."""
        packed = sorted(map(self._pack, rows), key=lambda pair: pair[0])
        if packed and packed[0][0] > self.last_id and isinstance(self._rows, list):
            self._ids.extend(row_id for row_id, _ in packed)
            self._rows.extend(row for _, row in packed)
        else:
            for row_id, row in packed:
                self._place(row_id, row)
        self.last_id = self._ids[-1] if self._ids else 0
        self._shared = {}
        self._indexes.clear()
        self._timelines.clear()
        self.version += 1

    def repeat(self, copies: int, retelling: Retelling) -> None:
        """Hold the loaded rows, whose ids go from 1 without a gap, so many times over."""
        if not isinstance(self._rows, list) or self.last_id != len(self):
            raise ValueError(f"{self.name}: not a block of rows")
        self._ids.extend(range(self.last_id + 1, self.last_id * copies + 1))
        self._rows = Copies(self._rows, self._ids, copies, retelling)
        self.last_id = len(self)
        self._indexes.clear()
        self._timelines.clear()
        self.version += 1

    def insert(self, row: dict[str, Any]) -> int:
        """Add one row; without an ID it gets the next one."""
        row_id = row.get("ID")
        if row_id is None:
            row_id = self.last_id + 1
        row_id, packed = self._pack({**row, "ID": row_id})
        self._place(row_id, packed)
        self.last_id = max(self.last_id, row_id)
        for column, index in self._indexes.items():
            _index(index, self.getter(column)(packed), row_id)
        self._note_times(packed, row_id)
        self.version += 1
        return row_id

    def update(self, row_id: int, changes: dict[str, Any]) -> None:
        """Change some values of one row."""
        if not _found(self._ids, row_id):
            raise KeyError(row_id)
        at = bisect_left(self._ids, row_id)
        old = self._rows[at]
        row = self._unpack(old)
        for one, many in (("CONTACT_ID", "CONTACT_IDS"), ("COMPANY_ID", "COMPANY_IDS")):
            if one in changes and many not in changes:
                row.pop(many, None)
        _, new = self._pack({**row, **changes, "ID": row_id})
        self._rows[at] = new
        for column, index in self._indexes.items():
            read = self.getter(column)
            if read(old) != read(new):
                _unindex(index, read(old), row_id)
                _index(index, read(new), row_id)
        self._note_times(new, row_id)
        self.touch(row_id)

    def delete(self, row_id: int) -> None:
        """Remove one row."""
        if not _found(self._ids, row_id):
            raise KeyError(row_id)
        at = bisect_left(self._ids, row_id)
        row = self._rows.pop(at)
        del self._ids[at]
        for column, index in self._indexes.items():
            _unindex(index, self.getter(column)(row), row_id)
        self.touch(row_id)

    def touch(self, row_id: int) -> None:
        """Forget what was encoded of a row, for a change of something shown with it."""
        self.version += 1
        for cache in self._encoded.values():
            cache.pop(row_id, None)

    def lookup(self, column: str, value: Any) -> Sequence[int]:
        """Ids of the rows whose column equals the value, or contains it; ascending."""
        return self.index(column).get(value, ())

    def index(self, column: str) -> Index:
        """The index of a column, built at first use and then kept up to date."""
        index = self._indexes.get(column)
        if index is None:
            index = self._indexes[column] = {}
            for row_id, value in self._column(column):
                _index(index, value, row_id)
        return index

    def since(self, column: str, moment: datetime) -> Sequence[int]:
        """Ids of rows whose column is at or after a moment, and maybe some that no longer are."""
        line = self._timelines.get(column)
        if line is None or line.outgrown(len(self)):
            line = self._timelines[column] = Timeline(self._by_moment(self.getter(column)))
        return line.after(moment)

    def encoded(self, key: Hashable) -> dict[int, orjson.Fragment]:
        """The cache of rows already encoded one way: id -> JSON."""
        if sum(map(len, self._encoded.values())) > _CACHED_ROWS:
            self._encoded.clear()
        cache = self._encoded.pop(key, None)
        if cache is None:
            cache = {}
            while len(self._encoded) >= _CACHED_SELECTS:
                del self._encoded[next(iter(self._encoded))]
        self._encoded[key] = cache
        return cache

    def _column(self, column: str) -> Iterable[tuple[int, Any]]:
        read = self.getter(column)
        if isinstance(self._rows, Copies):
            return self._rows.column(read, self._position.get(column, -1))
        return zip(self._ids, map(read, self._rows), strict=True)

    def _by_moment(self, read: Getter) -> Iterable[tuple[datetime, int]]:
        if isinstance(self._rows, Copies):
            return self._rows.by_moment(read)
        pairs = ((read(row), row_id) for row_id, row in zip(self._ids, self._rows, strict=True))
        return sorted((at, row_id) for at, row_id in pairs if at is not None)

    def _place(self, row_id: int, row: Row) -> None:
        if _found(self._ids, row_id):
            raise ValueError(f"{self.name} {row_id} already exists")
        at = bisect_left(self._ids, row_id)
        self._ids.insert(at, row_id)
        self._rows.insert(at, row)

    def _pack(self, row: dict[str, Any]) -> tuple[int, Row]:
        if self.name in ENTITIES:
            derive(self.name, row)
        if len(self._shared) > _SHARED_VALUES:
            self._shared.clear()
        share = self._shared.setdefault
        values = [
            v if type(v) in _AS_IT_IS else tuple(v) if isinstance(v, (list, tuple)) else share(v, v)
            for v in map(row.get, self.columns)
        ]
        extra = None
        if others := row.keys() - self._position.keys():
            extra = {
                k: tuple(v) if type(v) in _LISTS else v
                for k, v in row.items()
                if k in others and v is not None
            }
        return int(row["ID"]), (*values, extra or None)

    def _unpack(self, row: Row) -> dict[str, Any]:
        pairs = [*zip(self.columns, row, strict=False), *(row[-1] or {}).items()]
        return {key: list(v) if type(v) is tuple else v for key, v in pairs}

    def _note_times(self, row: Row, row_id: int) -> None:
        for column, line in self._timelines.items():
            at = self.getter(column)(row)
            if at is not None:
                line.add(at, row_id)


def derive(name: str, row: dict[str, Any]) -> None:
    """Fill what follows from other values: who is first among the linked, has a phone or not."""
    if name in ("deal", "lead"):
        _first_of(row, "CONTACT_IDS", "CONTACT_ID")
    if name == "contact":
        _first_of(row, "COMPANY_IDS", "COMPANY_ID")
    if name != "deal":
        for flag, field in (("HAS_PHONE", "PHONE"), ("HAS_EMAIL", "EMAIL")):
            row[flag] = "Y" if row.get(field) else "N"
        for field in MULTIFIELDS:
            row[field] = row.get(field) or None


def _first_of(row: dict[str, Any], many: str, one: str) -> None:
    ids = row.get(many)
    if ids is None:
        row[many] = [row[one]] if row.get(one) else []
    elif ids and row.get(one) not in ids:
        row[one] = ids[0]
    elif not ids:
        row[one] = row.get(one) and 0


def _index(index: Index, value: Any, row_id: int) -> None:
    for one in _each(value):
        ids = index.setdefault(one, [])
        if not ids or ids[-1] < row_id:
            ids.append(row_id)
        elif not _found(ids, row_id):
            insort(ids, row_id)


def _unindex(index: Index, value: Any, row_id: int) -> None:
    for one in _each(value):
        ids = index.get(one, [])
        if _found(ids, row_id):
            del ids[bisect_left(ids, row_id)]


def _found(ids: Sequence[int], row_id: int) -> bool:
    at = bisect_left(ids, row_id)
    return at < len(ids) and ids[at] == row_id


def _each(value: Any) -> Iterable[Any]:
    if isinstance(value, tuple):
        return value
    return () if value is None else (value,)
