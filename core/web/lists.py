"""What a list shows, kept whole in its address: search, filters, sort and columns, and the views people keep of it.

An address that says nothing opens the view its reader has chosen to begin with; `view=` alone opens everything.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from enum import StrEnum
from typing import Any
from urllib.parse import parse_qsl, urlencode

from core.web.words import gettext as _

_LONGEST = 200


class ListKey(StrEnum):
    """The lists whose views and columns people keep."""

    SEGMENTS = "segments"
    MEMBERS = "members"
    MAILINGS = "mailings"
    RECIPIENTS = "recipients"
    OFFERS = "offers"
    SUPPRESSED = "suppressed"
    FOLLOWED = "followed"
    SET_ASIDE = "setaside"
    MINE = "mine"


@dataclass(frozen=True, slots=True)
class Column:
    """A column. `label` is marked by N_; `first`: how a first press on its head sorts, asc or desc, or not at all.

    `shown`: before anybody has chosen.
    """

    key: str
    label: str
    kind: str = ""
    first: str = ""
    shown: bool = True


@dataclass(frozen=True, slots=True)
class View:
    """Search, filters, sort and columns under a name. `opens`: what the list begins with."""

    name: str
    query: str
    opens: bool = False


@dataclass(frozen=True, slots=True)
class Kept:
    """What somebody keeps of a list: his views, and the columns he sees outside of them."""

    views: tuple[View, ...] = ()
    columns: str | None = None


NOTHING_KEPT = Kept()


@dataclass(frozen=True, slots=True)
class Listing:
    """A list: its columns, of which the first always stays; names of its filters; how it is sorted by itself."""

    key: ListKey
    columns: tuple[Column, ...]
    filters: tuple[str, ...]
    sort: str

    def asked(self, arguments: Mapping[str, str], kept: Kept = NOTHING_KEPT) -> Asked:
        """What an address asks for; what is unknown in it asks for nothing."""
        view = next((each for each in kept.views if each.name == arguments.get("view")), None)
        said = {name: arguments[name] for name in self._says if name in arguments}
        if not said and "view" not in arguments:
            view = next((each for each in kept.views if each.opens), None)
        if not said and view is not None:
            said = dict(parse_qsl(view.query, keep_blank_values=True))
        columns = said.get("columns")
        wanted = kept.columns if columns is None else columns
        return Asked(
            listing=self,
            said={name: typed for name in self.filters if (typed := _clean(said.get(name, "")))},
            sort=self._sort(said.get("sort", "")),
            columns=self._columns(wanted),
            own_columns=columns is not None,
            view=view,
            views=kept.views,
            after=arguments.get("after", ""),
        )

    def unsorted(self) -> Listing:
        """The same where there are too many rows to be sorted otherwise than they are stored."""
        return replace(self, columns=tuple(replace(each, first="") for each in self.columns))

    @property
    def _says(self) -> tuple[str, ...]:
        return (*self.filters, "sort", "columns")

    def _sort(self, asked: str) -> str:
        sortable = {each.key for each in self.columns if each.first}
        return asked if asked.removeprefix("-") in sortable else self.sort

    def _columns(self, wanted: str | None) -> tuple[str, ...]:
        keys = None if wanted is None else set(wanted.split(","))
        return tuple(
            each.key
            for number, each in enumerate(self.columns)
            if not number or (each.shown if keys is None else each.key in keys)
        )


@dataclass(frozen=True, slots=True)
class Asked:
    """What is asked of a list: `said` are filters that say something; `sort` as «-ltv», the greatest first."""

    listing: Listing
    said: Mapping[str, str]
    sort: str
    columns: tuple[str, ...]
    own_columns: bool = False
    view: View | None = None
    views: tuple[View, ...] = ()
    after: str = ""

    def __getitem__(self, name: str) -> str:
        return self.said.get(name, "")

    @property
    def by(self) -> tuple[str, bool]:
        """The column that is sorted by, and whether the greatest comes first."""
        return self.sort.removeprefix("-"), self.sort.startswith("-")

    def query(self, **changes: str) -> str:
        """The same in an address."""
        facts = {"view": self.view.name if self.view else "", "sort": self.sort, **self.said}
        if self.own_columns:
            facts["columns"] = ",".join(self.columns)
        return urlencode({**facts, **changes})

    def whole(self) -> str:
        """What a view of this keeps: columns too, whoever chose them."""
        return urlencode({"sort": self.sort, **self.said, "columns": ",".join(self.columns)})

    @property
    def changed(self) -> bool:
        """Whether more or less is asked than the chosen view keeps."""
        if self.view is None:
            return False
        kept = self.listing.asked(dict(parse_qsl(self.view.query, keep_blank_values=True)))
        return kept.whole() != self.whole()

    @property
    def shown(self) -> list[Column]:
        """The columns to be shown, in their order."""
        return [each for each in self.listing.columns if each.key in self.columns]

    def heads(self, at: str) -> list[dict[str, Any]]:
        """The heads of the table at this address."""
        return [self._head(column, at) for column in self.shown]

    def _head(self, column: Column, at: str) -> dict[str, Any]:
        head: dict[str, Any] = {"label": _(column.label), "kind": column.kind}
        if column.first:
            key, descending = self.by
            falls = not descending if key == column.key else column.first == "desc"
            sort = f"-{column.key}" if falls else column.key
            head["href"] = f"{at}?{self.query(sort=sort)}"
            if key == column.key:
                head["sort"] = "desc" if descending else "asc"
        return head


@dataclass(frozen=True, slots=True)
class Picked:
    """Rows that were ticked, by `values`; or all that this address finds."""

    values: tuple[str, ...] = ()
    every: bool = False
    query: Mapping[str, str] = field(default_factory=dict)

    @classmethod
    def read(cls, form: Any) -> Picked:
        """From the form of a list."""
        query = dict(parse_qsl(form.get("query", ""), keep_blank_values=True))
        return cls(tuple(form.getlist("pick")), form.get("every") == "1", query)

    def numbers(self) -> list[int]:
        """The values as numbers of rows; what is none is left out."""
        fit = (each for each in self.values if each.isascii() and each.isdigit())
        return [number for number in map(int, fit) if 0 < number < 2**63]


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of many rows: how many it was done to, and the others by name with why not."""

    done: int
    refused: Sequence[tuple[str, str]] = ()


def _clean(typed: str) -> str:
    return " ".join(typed.replace("\0", "").split())[:_LONGEST]
