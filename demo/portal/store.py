"""All the data of the portal in memory, with the facts that are read across tables."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Hashable, Sequence
from typing import Any

from demo.portal.schema import COLUMNS, MULTIFIELDS, TABLES, Entity, FieldSet
from demo.portal.table import Getter, Row, Table

__all__ = ["Getter", "Memory", "Row", "Store", "Table"]

_REMEMBERED = 16


class Memory:
    """Remembers the ids a filter matched, so that paging by offset does not scan every time."""

    def __init__(self) -> None:
        self._known: OrderedDict[Hashable, Sequence[int]] = OrderedDict()

    def ids(self, key: Hashable, find: Callable[[], Sequence[int]]) -> Sequence[int]:
        """The ids under this key, found at the first request."""
        found = self._known.pop(key, None)
        if found is None:
            found = find()
        self._known[key] = found
        while len(self._known) > _REMEMBERED:
            self._known.popitem(last=False)
        return found


class Store:
    """All tables of the portal, with the few facts that are read across them."""

    def __init__(self) -> None:
        self.tables = {name: Table(name, COLUMNS.get(name, ())) for name in TABLES}
        self.memory = Memory()
        self.multifield_id = 0
        self.layouts: dict[tuple[Any, ...], Any] = {}
        self._field_sets: dict[str, tuple[int, FieldSet]] = {}
        self._statuses: tuple[int, dict[str, dict[str, dict[str, Any]]]] = (-1, {})

    def fields(self, entity: Entity) -> FieldSet:
        """The fields of an entity, the portal's own included."""
        table = self.tables["userfield"]
        version, known = self._field_sets.get(entity.name, (-1, None))
        if known is None or version != table.version:
            known = FieldSet(entity, [r for r in table if r["ENTITY_ID"] == entity.uf_entity])
            self._field_sets[entity.name] = (table.version, known)
        return known

    def statuses(self, dictionary: str) -> dict[str, dict[str, Any]]:
        """One dictionary (SOURCE, DEAL_STAGE_3…): STATUS_ID -> row, by SORT."""
        table = self.tables["status"]
        if self._statuses[0] != table.version:
            known: dict[str, dict[str, dict[str, Any]]] = {}
            for row in sorted(table, key=lambda row: (row.get("SORT") or 0, row["ID"])):
                known.setdefault(row["ENTITY_ID"], {})[row["STATUS_ID"]] = row
            self._statuses = (table.version, known)
        return self._statuses[1].get(dictionary, {})

    def next_multifield_id(self) -> int:
        """A number for a new phone, e-mail or other multifield value."""
        if not self.multifield_id:
            self.multifield_id = self.last_multifield_id()
        self.multifield_id += 1
        return self.multifield_id

    def last_multifield_id(self) -> int:
        """The greatest number of a multifield value in use; looks at every one."""
        readers = [
            (table, table.getter(field))
            for table in (self.tables[name] for name in ("lead", "contact", "company"))
            for field in MULTIFIELDS
        ]
        values = (v for table, read in readers for row in table.rows() for v in read(row) or ())
        return max((value["ID"] for value in values), default=0)

    def base_currency(self) -> str:
        """The code of the currency all rates are given in."""
        rows = self.tables["currency"]
        return next((row["CURRENCY"] for row in rows if row.get("BASE") == "Y"), "RUB")
