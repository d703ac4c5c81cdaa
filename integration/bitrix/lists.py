"""Whole lists: by ascending id, in pages chained inside batches, every page checked before it counts.

https://apidocs.bitrix24.com/settings/performance/huge-data.html
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import quote

from integration.bitrix import answers
from integration.bitrix.ahead import ahead
from integration.bitrix.answers import Answer, Time
from integration.bitrix.batch import MAX_COMMANDS, Command, Sender, one_batch, room
from integration.bitrix.errors import (
    BitrixError,
    OperationTimeLimit,
    PageMismatch,
    PortalFailure,
    UnexpectedAnswer,
    Unreachable,
)
from integration.bitrix.params import Params, query

PAGE = 50
_AFTER = "\0after\0"


@dataclass(frozen=True)
class ListRequest:
    """What to list; the fields are the arguments of `Client.list_all`."""

    method: str
    params: Params
    after_id: int
    id_field: str
    items_path: tuple[str, ...]
    check: Callable[[Any], bool] | None
    total_hint: int | None
    order: Params | None
    prefetch: int


@dataclass(frozen=True)
class Page:
    """Up to 50 rows with ids in (after_id, last_id], ascending. `time`: of the page's own command."""

    rows: list[dict[str, Any]] = field(repr=False)
    after_id: int
    last_id: int
    time: Time = field(repr=False)


def list_by_id(client: Sender, request: ListRequest) -> Iterator[Page]:
    """See `Client.list_all`."""
    walk = _Walk(client, request)
    groups = ahead(walk.groups(), request.prefetch) if request.prefetch else walk.groups()
    for group in groups:
        while group:  # nobody may hold on to pages that were passed on: they take the most memory
            yield group.pop(0)


def list_by_offset(
    client: Sender, method: str, params: Params, items_path: tuple[str, ...]
) -> Iterator[list[Any]]:
    """Pages of a small list, as long as the portal names a next one."""
    start: int | None = 0
    while start is not None:
        made = client.call(method, {**params, "start": start})
        yield answers.rows(made.result, items_path)
        if made.next is not None and made.next <= start:
            raise PageMismatch(f"{method}: the next page would be the same")
        start = made.next


class _Walk:
    """Where a listing stands: the last id read, and how many pages to chain next."""

    def __init__(self, client: Sender, request: ListRequest) -> None:
        self._client = client
        self._request = request
        self._cursor = request.after_id
        self._rows = 0
        self._pages = 0
        self._longest = MAX_COMMANDS
        self._single = True  # the first page, and the one after any trouble, go alone
        self._done = False
        self._failure: BitrixError | None = None
        self._query: str | None = None  # of a chained page, but for the id it starts after

    def groups(self) -> Iterator[list[Page]]:
        """The pages of each request; a failure is raised after the pages that came before it."""
        while not self._done:
            length = 1 if self._single else self._chain_length()
            group = self._chain(length) if length > 1 else [self._one()]
            if group:
                yield group
            if self._failure is not None:
                raise self._failure

    def _one(self) -> Page:
        made = self._client.call(self._request.method, self._params(self._cursor))
        self._single = False
        return self._accept(made)

    def _chain(self, length: int) -> list[Page]:
        """One batch: each page starts after the last id of the page before it.

        `halt` matters: after a failed page the references of the next ones would not resolve, and
        they would read the list from its start.
        """
        commands = {f"p{index}": self._command(index) for index in range(length)}
        try:
            made = one_batch(self._client, commands, halt=True, idempotent=False)
        except (PortalFailure, UnexpectedAnswer, Unreachable, OperationTimeLimit):
            self._longest = max(1, length // 4)
            self._single = True
            return []
        group: list[Page] = []
        for key in commands:
            if key not in made.results:
                self._single = True
                break
            try:
                group.append(self._accept(made.answer(key)))
            except (PageMismatch, UnexpectedAnswer) as error:
                self._failure = error
                break
            if self._done:  # what follows a short page is not part of the list
                break
        return group

    def _command(self, index: int) -> Command:
        if self._query is None:
            self._query = query(self._params(_AFTER))
        after = str(self._cursor)
        if index:
            path = (f"p{index - 1}", *self._request.items_path, PAGE - 1, self._request.id_field)
            after = quote("$result" + "".join(f"[{part}]" for part in path), safe="")
        return self._request.method, self._query.replace(quote(_AFTER), after)

    def _params(self, after: int | str) -> dict[str, Any]:
        request = self._request
        order = {"order": {request.id_field: "ASC"}} if request.order is None else request.order
        conditions = {**request.params.get("filter", {}), f">{request.id_field}": after}
        return {**request.params, **order, "filter": conditions, "start": -1}

    def _accept(self, made: Answer) -> Page:
        request, after = self._request, self._cursor
        found = answers.rows(made.result, request.items_path)
        last = after
        for row in found:
            row_id = _row_id(row, request.id_field)
            if row_id is None or row_id <= last:
                raise PageMismatch(f"{request.method}: a row is out of order or has no id")
            if request.check is not None and not request.check(row):
                raise PageMismatch(f"{request.method}: a row does not satisfy the filter")
            last = row_id
        self._cursor = last
        self._rows += len(found)
        self._pages += 1
        self._done = len(found) < PAGE
        return Page(found, after, last, made.time)

    def _chain_length(self) -> int:
        limiter, method = self._client.limiter, self._request.method
        if limiter.budget("batch").closed_for > 0:
            return 1
        wanted = min(self._longest, self._likely_pages())
        return room(limiter, method, wanted)

    def _likely_pages(self) -> int:
        """Pages after the last one are read for nothing, so without a hint chains grow slowly."""
        hint = self._request.total_hint
        if hint is not None and hint >= self._rows:
            return (hint - self._rows) // PAGE + 1
        return max(5, 2 * self._pages)


def _row_id(row: Any, id_field: str) -> int | None:
    try:
        value = row[id_field]
    except (TypeError, KeyError):
        return None
    if type(value) is int:
        return value
    return int(value) if type(value) is str and value.isascii() and value.isdigit() else None
