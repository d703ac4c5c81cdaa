"""The part of the control API about data: fill anew, look at raw rows, change them, tell the truth."""

from __future__ import annotations

from dataclasses import asdict
from datetime import date
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from demo.data import truth
from demo.portal.filling import Wish, filled_store
from demo.portal.mutations import mutate
from demo.portal.snapshots import Snapshots

if TYPE_CHECKING:
    from collections.abc import Callable

    from aiohttp import web

    from demo.portal.state import Portal

ROWS = 1000

Body = dict[str, Any]


class DataControl:
    """Handlers of the control API that read or write the portal's tables."""

    def __init__(self, portal: Portal, wish: Wish) -> None:
        self.portal = portal
        self.wish = wish
        self.snapshots = Snapshots(portal)
        self.wishes: dict[str, Wish] = {}

    async def reset(self, _request: web.Request, body: Body) -> Any:
        """POST /control/reset {seed, sizes | contacts, deals, copies, keep_apps}: other data, no faults."""
        self.wish = Wish.of(body, self.wish)
        self.portal.reset(filled_store(self.wish), keep_apps=bool(body.get("keep_apps")))
        return {name: len(table) for name, table in self.portal.store.tables.items()}

    async def save(self, _request: web.Request, body: Body) -> Any:
        """POST /control/save {name}: remember everything as it is."""
        self.snapshots.save(body["name"])
        self.wishes[body["name"]] = self.wish
        return body

    async def restore(self, _request: web.Request, body: Body) -> Any:
        """POST /control/restore {name}: everything as it was saved; events on their way are dropped."""
        self.snapshots.restore(body["name"])
        self.wish = self.wishes[body["name"]]
        return body

    async def rows(self, request: web.Request, _body: Body) -> Any:
        """GET /control/rows/<table>?ids=1,2&after=0&limit=1000: canonical rows."""
        table = self.portal.store.tables[request.match_info["table"]]
        if "ids" in request.query:
            found = [table.get(int(part)) for part in request.query["ids"].split(",") if part]
            return [row for row in found if row is not None]
        after, limit = int(request.query.get("after", 0)), int(request.query.get("limit", ROWS))
        first, _ = table.span(after, None)
        return [table.get(i) for i in table.ids()[first : first + limit]]

    async def mutate(self, _request: web.Request, body: Body) -> Any:
        """POST /control/mutate; a list of orders is carried out in turn."""
        orders = body.get("orders", [body])
        done = [mutate(self.portal, order) for order in orders]
        return done if "orders" in body else done[0]

    async def truth(self, request: web.Request, _body: Body) -> Any:
        """GET /control/truth?categories=0,1&date_source=&…: from rows, by a rule's fields as text."""
        wanted: Body = dict(request.query)
        if "categories" in wanted:
            listed = wanted.pop("categories")
            chosen = None if listed == "all" else frozenset(map(int, listed.split(",")))
            wanted["categories"] = chosen
        if "percents" in wanted:
            pairs = (pair.split(":") for pair in wanted.pop("percents").split(","))
            wanted["percents"] = {int(key): Decimal(text) for key, text in pairs}
        readers: dict[str, Callable[[str], Any]] = {
            "percent": Decimal,
            "active_sales": int,
            "active_since": date.fromisoformat,
        }
        wanted |= {name: read(wanted[name]) for name, read in readers.items() if name in wanted}
        tables = {name: iter(table) for name, table in self.portal.store.tables.items()}
        found = truth.of_tables(tables, truth.Rule(**wanted))
        return {
            "revenue": found.revenue,
            "contacts": {key: asdict(value) for key, value in found.contacts.items()},
            "companies": {key: asdict(value) for key, value in found.companies.items()},
        }
