"""Resident memory of a process that reads a whole portal, and of one that checks it: many rows, few rows.

Each works in a process of its own which lives from the first row to the last; a worker's own job lives
20 seconds at most, so it can only take less. The demo portal holds its millions as copies of a block.
"""

from __future__ import annotations

import multiprocessing
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

from benchmarks import world
from benchmarks.report import Figure, Options
from core.config import Settings
from core.database import transaction
from core.runtime import Runtime
from integration.sync import checks, engine, reconcile, runs
from integration.sync.entities import CONTACTS, DEALS
from integration.sync.sources import SOURCES

TITLE = "Peak memory of a full sync and of a nightly check, limits off"
FEW = ("--contacts", "20000", "--deals", "80000")
MANY = ("--sizes", "huge")
QUICK_FEW = ("--contacts", "200", "--deals", "800")
QUICK_MANY = (*QUICK_FEW, "--copies", "5")
GOAL = 1.3
_ENTITIES = (CONTACTS, DEALS)


@dataclass(frozen=True)
class Spent:
    """What a process needed: megabytes at its start and at most, seconds, rows it went through."""

    start: float
    peak: float
    seconds: float
    rows: int


def measure(options: Options) -> list[Figure]:
    """Contacts and deals: as few as 100,000 and as many as the demo portal holds."""
    few, many = (QUICK_FEW, QUICK_MANY) if options.quick else (FEW, MANY)
    return compare(few, many)


def compare(few: tuple[str, ...], many: tuple[str, ...]) -> list[Figure]:
    """The same work at portals of these sizes."""
    (small_sync, small_check, _), (sync, check, portal) = _work(few), _work(many)
    return [
        *_figures("full sync", small_sync, sync),
        *_figures("nightly check, nothing differs", small_check, check),
        Figure(f"the demo portal, holding {sync.rows:,} contacts and deals", f"{portal:,.0f} MB"),
    ]


def _figures(what: str, few: Spent, many: Spent) -> list[Figure]:
    times = many.peak / few.peak
    return [
        Figure(f"{what}: {few.rows:,} rows", _told(few)),
        Figure(
            f"{what}: {many.rows:,} rows", _told(many), f"{times:.2f} x of the few",
            f"<= {GOAL} x", times <= GOAL,
        ),
    ]  # fmt: skip


def _told(spent: Spent) -> str:
    return f"{spent.peak:.0f} MB ({spent.start:.0f} at its start), {spent.rows / spent.seconds:,.0f} rows/s"


def _work(size: tuple[str, ...]) -> tuple[Spent, Spent, float]:
    """A sync, then a check of what it stored, each in a process; and what the portal takes at last."""
    with world.demo_portal(*size) as portal, world.servers() as plain:
        settings = replace(plain, b24_oauth_urls=(portal.oauth_url,))
        made = world.runtime(settings)
        portal_id = world.install(made, portal)
        made.engine.dispose()
        sync = _apart(_sync, settings, portal_id)
        check = _apart(_check, settings, portal_id)
        return sync, check, _megabytes("VmHWM", portal.pid)


def _apart(work: Callable[[Runtime, int], int], settings: Settings, portal_id: int) -> Spent:
    """Run it in a new process, which inherits nothing."""
    with multiprocessing.get_context("spawn").Pool(1) as pool:
        return pool.apply(_spend, (work, settings, portal_id))


def _spend(work: Callable[[Runtime, int], int], settings: Settings, portal_id: int) -> Spent:
    made = Runtime.build(settings)
    start, began = _megabytes("VmRSS"), time.monotonic()
    rows = work(made, portal_id)
    return Spent(start, _megabytes("VmHWM"), time.monotonic() - began, rows)


def _sync(made: Runtime, portal_id: int) -> int:
    engine.SOURCES = tuple(s for s in SOURCES if s.name in {spec.name for spec in _ENTITIES})
    with transaction(made.sessions) as session:
        run_id = runs.start(session, portal_id, full=True).id
    while engine.run_slice(made, portal_id, run_id).more:
        pass
    with made.sessions() as session:
        done = runs.progress(session, portal_id)
    assert done is not None
    assert done.status == "done", done.reason
    return sum(entity.changed for entity in done.entities)


def _check(made: Runtime, portal_id: int) -> int:
    checks.CARDS = _ENTITIES
    with transaction(made.sessions) as session:
        checks.request(session, portal_id)
    while reconcile.run_slice(made, portal_id):
        pass
    with made.sessions() as session:
        results = checks.results(session, portal_id)
    assert all(result.status == "done" and not result.found for result in results), results
    return sum(result.looked for result in results)


def _megabytes(name: str, process: int | str = "self") -> float:
    """A line of the process's status: VmRSS now, VmHWM at most."""
    for line in Path(f"/proc/{process}/status").read_text().splitlines():
        if line.startswith(f"{name}:"):
            return int(line.split()[1]) / 1024
    raise LookupError(name)
