"""A sync and a check need no more memory for a large portal than for a small one."""

from __future__ import annotations

import gc
import tracemalloc
from collections.abc import Callable
from typing import Any

import pytest
import sqlalchemy as sa

from core import bulk
from core.database import transaction
from integration.bitrix import lists
from integration.sync import checks, engine, gathering, product_rows, reconcile
from integration.sync.entities import CONTACTS, DEALS

BLOCK = {"seed": 1, "contacts": 100, "deals": 200, "keep_apps": True}
PAGES = 1
LARGER = 4
COLLECT_AFTER = (500, 2, 2)  # objects: what waits to be collected is nothing that is held


@pytest.fixture
def short_steps(monkeypatch: pytest.MonkeyPatch) -> None:
    """Requests and commits of few pages, so that a small portal takes many of them."""
    monkeypatch.setattr(lists, "MAX_COMMANDS", PAGES)
    monkeypatch.setattr(gathering, "ROWS_PER_COMMIT", PAGES * lists.PAGE)
    monkeypatch.setattr(product_rows, "DEALS_AT_ONCE", PAGES * lists.PAGE)
    monkeypatch.setattr(reconcile, "PAGES_PER_LOOK", PAGES)
    chosen = [source for source in engine.SOURCES if source.name in ("contact", "deal")]
    monkeypatch.setattr(engine, "SOURCES", chosen)
    monkeypatch.setattr(bulk, "_COLLECT_AFTER", COLLECT_AFTER)
    monkeypatch.setattr(checks, "CARDS", (CONTACTS, DEALS))


def peak(work: Callable[[], Any]) -> int:
    """Bytes that the work held at most beyond what was there."""
    gc.freeze()  # a collection is put off while it would look at much that is old
    tracemalloc.start(1)
    try:
        work()
        return tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
        gc.unfreeze()


@pytest.mark.usefixtures("short_steps")
def test_four_times_the_rows_need_no_more_memory(world) -> None:
    def sync() -> None:
        assert world.sync(full=True).status == "done"

    def check() -> None:
        with transaction(world.runtime.sessions) as session:
            checks.request(session, world.portal_id)
        while reconcile.run_slice(world.runtime, world.portal_id):
            pass

    def fill(copies: int) -> None:
        world.demo.control("reset", {**BLOCK, "copies": copies})
        with transaction(world.runtime.sessions) as session:
            session.execute(sa.text("TRUNCATE contacts, addresses, deals, deal_contacts, checks"))

    world.install()
    fill(1)
    sync()  # statements are compiled, modules loaded
    check()
    fill(1)
    few = peak(sync), peak(check)
    fill(LARGER)
    many = peak(sync), peak(check)
    rows = LARGER * (BLOCK["contacts"] + BLOCK["deals"])
    with world.runtime.sessions() as session:
        looked = sum(result.looked for result in checks.results(session, world.portal_id))
        assert looked == rows
    assert [b / a < 1.3 for a, b in zip(few, many, strict=True)] == [True, True], (few, many)
