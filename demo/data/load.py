"""Puts generated rows into the portal's store."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, Protocol

from demo.data.generate import Dataset


class Loadable(Protocol):
    """A table that takes rows in bulk."""

    def load(self, rows: Iterable[dict[str, Any]], /) -> Any:
        """Insert rows as they are, without events."""


class HasTables(Protocol):
    """What of the portal's store loading needs."""

    @property
    def tables(self) -> Mapping[str, Loadable]:
        """The store's tables by name."""


def load(store: HasTables, dataset: Dataset) -> None:
    """Load every table of the data set, streaming."""
    for name, rows in dataset.tables():
        store.tables[name].load(rows)
