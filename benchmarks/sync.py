"""Full sync with the limits off: rows a second into PostgreSQL, against two other clients.

Same emulator, same methods, same fields, same tables, in turns. The peers read with their fastest call
and store what came by a plain executemany; ours is the real engine, which besides checks and types every
value, normalises addresses, hashes rows and keeps a cursor. Product rows of deals, which the peers do not read,
are left out here; what they add is a figure of its own.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import psycopg
import sqlalchemy as sa

from benchmarks import peers, world
from benchmarks.report import Figure, Options, ratio, rounds
from benchmarks.world import DemoPortal
from core.database import transaction
from core.runtime import Runtime
from integration.connect import connect
from integration.models import Portal
from integration.sync import dictionaries, engine, runs, sources
from integration.sync.entities import BY_NAME
from integration.sync.lines import Source
from integration.sync.sources import SOURCES, Start

_SIZES = 40_000, 40_000
"""Contacts and deals: enough that beginning and end don't count, and no more than the emulator keeps rendered."""

TITLE = "Full sync, limits off"
GOALS = {"b24pysdk": 1.5, "fast_bitrix24": 1.0}
_WITH_ROWS = {source.name: source for source in SOURCES}


def measure(options: Options) -> list[Figure]:
    """Deals by crm.item.list, contacts by crm.contact.list."""
    contacts, deals = (300, 900) if options.quick else _SIZES
    figures: list[Figure] = []
    with (
        world.demo_portal("--contacts", str(contacts), "--deals", str(deals)) as portal,
        world.servers() as settings,
    ):
        made = world.runtime(settings, portal.oauth_url)
        portal_id = world.install(made, portal)
        with psycopg.connect(settings.database_url) as connection:
            for entity in ("deal", "contact"):
                bench = _Bench(made, portal, portal_id, connection, entity)
                bench.warm_up()
                figures += bench.compare(bench.stored(), options.runs, stored=True)
                figures += bench.compare(bench.read(), options.runs, stored=False)
            figures += [_Bench(made, portal, portal_id, connection, "deal").with_product_rows()]
        made.engine.dispose()
    return figures


@dataclass
class _Bench:
    """One entity's contenders."""

    made: Runtime
    portal: DemoPortal
    portal_id: int
    connection: psycopg.Connection[Any]
    entity: str

    def __post_init__(self) -> None:
        self.spec = BY_NAME[self.entity]
        self.webhook = self.portal.webhook()
        with self.made.sessions() as session:
            self.client = connect(self.made, session.get_one(Portal, self.portal_id))
        known = dictionaries.read(self.client, language="ru", count=True)
        self.rows = known.totals[self.entity]
        self.source = sources.card_source(replace(self.spec, sells=False))
        with transaction(self.made.sessions) as session:
            dictionaries.store(session, self.portal_id, known)
            self.fields = dictionaries.custom_fields(session, self.portal_id, self.entity)
        self.params = self.spec.params(tuple(self.fields))

    def warm_up(self) -> None:
        """The emulator renders each row once; after that it is not the bottleneck."""
        for work in self.read().values():
            work()

    def stored(self) -> dict[str, Callable[[], None]]:
        """From the portal into PostgreSQL."""

        def plain(reader: peers.Reader) -> Callable[[], None]:
            def work() -> None:
                self._empty()
                rows = reader(self.webhook, self.spec.method, dict(self.params))
                stored = peers.store(self.connection, self.portal_id, self.entity, rows)
                assert stored == self.rows

            return work

        return {"ours": self._sync, **{name: plain(read) for name, read in peers.READERS.items()}}

    def read(self) -> dict[str, Callable[[], None]]:
        """The clients alone."""

        def ours() -> None:
            pages = self.source.pages(self.client, Start(0, None, self.rows, self.fields))
            assert sum(map(len, pages)) == self.rows

        def theirs(reader: peers.Reader) -> Callable[[], None]:
            def work() -> None:
                deque(reader(self.webhook, self.spec.method, dict(self.params)), maxlen=0)

            return work

        return {"ours": ours, **{name: theirs(read) for name, read in peers.READERS.items()}}

    def with_product_rows(self) -> Figure:
        """What deals cost with all that is kept of them."""
        (taken,) = rounds({"ours": lambda: self._sync(_WITH_ROWS[self.entity])}, 1).values()
        return Figure(
            "deals stored, with their product rows", f"{self.rows / taken[0]:,.0f} rows/s"
        )

    def compare(
        self, contenders: dict[str, Callable[[], None]], times: int, *, stored: bool
    ) -> list[Figure]:
        """Rows a second of each, and ours against theirs."""
        seconds = rounds(contenders, times)
        label = "stored" if stored else "read only"
        figures = []
        for name, taken in seconds.items():
            times_faster = ratio(taken, seconds["ours"])
            goal = GOALS.get(name, 0) if stored else 0
            figures.append(
                Figure(
                    f"{self.entity}s {label}: {name}",
                    f"{self.rows / sorted(taken)[len(taken) // 2]:,.0f} rows/s",
                    "" if name == "ours" else f"ours is {times_faster:.2f} x",
                    f">= {goal:.1f} x" if goal else "",
                    times_faster >= goal if goal else None,
                )
            )
        return figures

    def _sync(self, source: Source | None = None) -> None:
        """A full run of the engine, restricted to one entity, into empty tables."""
        self._empty()
        with transaction(self.made.sessions) as session:
            run_id = runs.start(session, self.portal_id, full=True).id
        engine.SOURCES = (source or self.source,)
        try:
            while engine.run_slice(self.made, self.portal_id, run_id, seconds=600).more:
                pass
        finally:
            engine.SOURCES = SOURCES
        with self.made.sessions() as session:
            made = runs.progress(session, self.portal_id)
        assert made is not None
        assert made.status == "done", made.reason
        assert [entity.changed for entity in made.entities] == [self.rows]

    def _empty(self) -> None:
        with transaction(self.made.sessions) as session:
            tables = f"{self.spec.table_name}, addresses, deal_contacts, sync_cursors"
            session.execute(sa.text(f"TRUNCATE {tables}, changed_clients, changed_cards"))
            session.get_one(Portal, self.portal_id).last_sync_at = None  # a portal's first reading
