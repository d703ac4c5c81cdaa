"""One page of a list: which rows, in which order, how many in all."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from demo.portal.schema import Field
from demo.portal.values import to_float, to_int, to_text

if TYPE_CHECKING:
    from collections.abc import Callable, Hashable, Iterator, Sequence

    from demo.portal.filters import Plan
    from demo.portal.store import Getter, Memory, Row, Table

PAGE = 50
_NUMERIC = {"integer", "user", "double", "crm_category", "crm_contact", "crm_company", "crm_lead"}

Order = list[tuple[Field, bool]]


@dataclass(frozen=True)
class Page:
    """Rows of one page with their ids; `total` and `next` are None when start was -1."""

    rows: list[tuple[int, Row]]
    total: int | None = None
    next: int | None = None
    ordered: bool = False


def page(table: Table, plan: Plan, order: Order, start: int, memory: Memory, key: Hashable) -> Page:
    """The page at `start` (floored to a page), or at -1 the first one without counting."""
    descending = bool(order) and order[0][0].name == "ID" and order[0][1]
    by_id = not order or order[0][0].name == "ID"
    if by_id and start < 0:
        return Page(_first(table, plan, descending))
    if by_id and plan.test is None and plan.only is None:
        return _slice(table, plan, descending, start)

    def find() -> Sequence[int]:
        found = [row_id for row_id, _ in candidates(table, plan, descending)]
        return found if by_id else _sorted(table, found, order)

    ids = memory.ids((table.name, table.version, key), find)
    if start < 0:
        return Page(_rows(table, ids[:PAGE]), ordered=True)
    offset = start // PAGE * PAGE
    return Page(
        _rows(table, ids[offset : offset + PAGE]), len(ids), _next(offset, len(ids)), not by_id
    )


def candidates(table: Table, plan: Plan, descending: bool = False) -> Iterator[tuple[int, Row]]:
    """Every matching row with its id, by id."""
    test = plan.test
    if plan.only is not None:
        pairs = _picked(table, plan, descending)
    else:
        start, stop = table.span(plan.above, plan.below)
        at = range(stop - 1, start - 1, -1) if descending else range(start, stop)
        ids, rows = table.ids(), table.rows()
        pairs = ((ids[i], rows[i]) for i in at)
    return pairs if test is None else (pair for pair in pairs if test(pair[1]))


def _picked(table: Table, plan: Plan, descending: bool) -> Iterator[tuple[int, Row]]:
    for row_id in sorted(plan.only or (), reverse=descending):
        if plan.above is not None and row_id <= plan.above:
            continue
        if plan.below is not None and row_id >= plan.below:
            continue
        row = table.row(row_id)
        if row is not None:
            yield row_id, row


def _first(table: Table, plan: Plan, descending: bool) -> list[tuple[int, Row]]:
    found: list[tuple[int, Row]] = []
    for pair in candidates(table, plan, descending):
        found.append(pair)
        if len(found) == PAGE:
            break
    return found


def _slice(table: Table, plan: Plan, descending: bool, start: int) -> Page:
    low, high = table.span(plan.above, plan.below)
    total, offset = high - low, start // PAGE * PAGE
    ids, rows = table.ids(), table.rows()
    if descending:
        first, last = max(low, high - offset - PAGE), max(low, high - offset)
    else:
        first, last = min(high, low + offset), min(high, low + offset + PAGE)
    pairs = list(zip(ids[first:last], rows[first:last], strict=True))
    return Page(pairs[::-1] if descending else pairs, total, _next(offset, total))


def _next(offset: int, total: int) -> int | None:
    return offset + PAGE if offset + PAGE < total else None


def _rows(table: Table, ids: Sequence[int]) -> list[tuple[int, Row]]:
    return [(row_id, row) for row_id in ids if (row := table.row(row_id)) is not None]


def _sorted(table: Table, ids: list[int], order: Order) -> list[int]:
    for known, descending in reversed(order):
        key = _sort_key(table, known)
        ids.sort(key=key, reverse=descending)
    return ids


def _sort_key(table: Table, known: Field) -> Callable[[int], tuple[bool, Any]]:
    read: Getter = table.getter(known.name)

    def key(row_id: int) -> tuple[bool, Any]:
        row = table.row(row_id)
        value = None if row is None else read(row)
        value = value[0] if isinstance(value, tuple) and value else value
        if not value and value != 0:
            return False, 0
        return True, _comparable(value, known)

    return key


def _comparable(value: Any, known: Field) -> Any:
    if known.type in ("date", "datetime"):
        return value
    if known.type in _NUMERIC or known.type == "enumeration":
        return to_int(value) if known.type != "double" else to_float(value)
    return to_float(value) if known.type == "money" else to_text(value).casefold()
