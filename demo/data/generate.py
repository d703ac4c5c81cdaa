"""The entrance to the generator: one seed, sizes and moment always give the same rows.

Rows are dicts of classic field codes to native values, with only what differs from the portal's
defaults: no empty fields, no 'N' flags, no zero amounts of tax. Small tables carry the keys their
REST methods answer with, plus what the portal needs itself: users have ADMIN ('Y'/'N') and
CRM_RIGHTS ('A' all, 'D' department, 'S' own, '' none), pipelines ENTITY_TYPE_ID, stage history
ENTITY_TYPE_ID (1 lead, 2 deal). A boolean custom field holds True or False. A deal carries its product
rows in PRODUCT_ROWS; their ids follow from the deal's and the row's number N.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from datetime import datetime
from typing import Any

from demo.data import (
    activities,
    clients,
    deals,
    dictionaries,
    fields,
    history,
    leads,
    products,
    staff,
)
from demo.data.plan import Plan
from demo.data.sizes import Sizes

Row = dict[str, Any]

# In the order a store should load them: what is referred to comes first.
TABLES = (
    *("department", "user", "currency", "category", "status", "userfield"),
    *("catalog", "section", "product"),
    *("company", "contact", "lead", "deal", "stagehistory", "activity"),
)


class Dataset:
    """A portal's rows, table by table. Every call of `rows` tells the same story anew."""

    def __init__(self, plan: Plan, now: datetime) -> None:
        self.plan = plan
        self.now = now
        self._makers: dict[str, Callable[[], Iterable[Row]]] = {
            "department": dictionaries.departments,
            "user": lambda: staff.users(now, plan.start),
            "currency": lambda: dictionaries.currencies(now),
            "category": dictionaries.categories,
            "status": dictionaries.statuses,
            "userfield": fields.userfields,
            "catalog": products.catalogs,
            "section": products.sections,
            "product": lambda: products.products(now),
            "company": lambda: clients.companies(plan),
            "contact": lambda: clients.Contacts(plan).rows(),
            "lead": lambda: leads.Leads(plan).rows(),
            "deal": lambda: deals.Deals(plan).rows(),
            "stagehistory": lambda: history.stage_history(plan),
            "activity": lambda: activities.activities(plan),
        }

    def rows(self, table: str) -> Iterator[Row]:
        """Yield the rows of a table, ids ascending from 1 (pipelines from 0)."""
        return iter(self._makers[table]())

    def tables(self) -> Iterator[tuple[str, Iterator[Row]]]:
        """Yield (table, rows) in the order of loading."""
        for table in TABLES:
            yield table, self.rows(table)


def generate(seed: int, sizes: Sizes, now: datetime) -> Dataset:
    """Plan a portal. `now` is aware; nothing in the data happens after it but planned dates."""
    if now.tzinfo is None:
        raise ValueError("now must be aware")
    now = now.replace(microsecond=0)
    return Dataset(Plan(seed, sizes, now), now)
