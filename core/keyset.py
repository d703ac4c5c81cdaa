"""Pages of long lists by keyset: each begins after the last row of the one before, whatever came in meanwhile."""

from __future__ import annotations

import base64
import json
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from typing import Any, TypeVar

import sqlalchemy as sa
from sqlalchemy.orm import Session

_READ: dict[type, Any] = {
    str: str,
    int: int,
    bytes: bytes.fromhex,
    Decimal: Decimal,
    datetime: datetime.fromisoformat,
    date: date.fromisoformat,
}
_LONGEST = 2000
_T = TypeVar("_T")


@dataclass(frozen=True, slots=True)
class Order:
    """What a list is sorted by: expressions that are never NULL, the last of them telling every row apart."""

    by: Sequence[sa.ColumnElement[Any]]
    descending: bool = False


Part = tuple[sa.Select[Any], Order]
"""A query and how its rows are sorted."""


def page(
    session: Session, query: sa.Select[Any], order: Order, after: str, size: int
) -> tuple[list[Any], str]:
    """Rows of the query's first column, and after what the next page begins; nothing after the last one.

    An `after` that nobody was given begins anew.
    """
    return merged(session, [(query, order)], after, size)


def merged(session: Session, parts: Sequence[Part], after: str, size: int) -> tuple[list[Any], str]:
    """The same of several queries as one list: each is asked by itself, so each goes by its own index.

    What they are sorted by is alike, and tells rows of different queries apart too.
    """
    found = [row for query, order in parts for row in _rows(session, query, order, after, size)]
    if len(parts) > 1:
        found.sort(key=lambda row: row[1], reverse=parts[0][1].descending)
    shown = found[:size]
    following = _written(shown[-1][1]) if len(found) > size else ""
    return [row[0] for row in shown], following


def continues(order: Order, after: str) -> bool:
    """Whether `after` is what a page in this order ends with; nothing is before the first one."""
    return not after or _read(after, list(order.by)) is not None


def portions(
    session: Session, page_after: Callable[[str], tuple[list[_T], str]]
) -> Iterator[list[_T]]:
    """Every page of a list, the first one after ""; rows of pages that were passed on are kept no longer."""
    after = ""
    while True:
        found, after = page_after(after)
        session.expunge_all()
        yield found
        if not after:
            return


def _rows(
    session: Session, query: sa.Select[Any], order: Order, after: str, size: int
) -> list[tuple[Any, tuple[Any, ...]]]:
    """The first column of each row, and what it is sorted by; one more than a page holds."""
    columns = list(order.by)
    if (last := _read(after, columns)) is not None:
        here, there = sa.tuple_(*columns), sa.tuple_(*last)
        query = query.where(here < there if order.descending else here > there)
    ordered = [each.desc() if order.descending else each for each in columns]
    query = query.add_columns(*columns).order_by(*ordered).limit(size + 1)
    return [(row[0], tuple(row[-len(columns) :])) for row in session.execute(query)]


def _written(values: Sequence[Any]) -> str:
    texts = [_text(each) for each in values]
    return base64.urlsafe_b64encode(json.dumps(texts).encode()).decode().rstrip("=")


def _text(value: Any) -> str:
    if isinstance(value, date):
        return value.isoformat()
    return value.hex() if isinstance(value, bytes) else str(value)


def _read(after: str, columns: Sequence[sa.ColumnElement[Any]]) -> list[Any] | None:
    """The values of the last row, each of its column's type."""
    if not after or len(after) > _LONGEST:
        return None
    try:
        padded = after + "=" * (-len(after) % 4)
        texts = json.loads(base64.urlsafe_b64decode(padded))
        return [
            sa.literal(_fitting(_READ[column.type.python_type](text)), column.type)
            for text, column in zip(texts, columns, strict=True)
        ]
    except (ValueError, TypeError, ArithmeticError):
        return None


def _fitting(value: Any) -> Any:
    """Raises ValueError for what the database would not take."""
    if isinstance(value, str) and "\0" in value:
        raise ValueError(value)
    if isinstance(value, int) and not -(2**31) <= value < 2**63:
        raise ValueError(value)
    if isinstance(value, datetime) and value.tzinfo is None:
        raise ValueError(value)
    if isinstance(value, Decimal) and not (value.is_finite() and abs(value) < Decimal(10) ** 30):
        raise ValueError(value)
    return value
