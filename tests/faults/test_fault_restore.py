"""Row 27: the database is put back to an older state. What happened since is read again, nothing is lost.

Mailings, which must not go out twice then, are not built yet.
"""

from __future__ import annotations

from contextlib import contextmanager

import sqlalchemy as sa
from support.trouble import checked, finish
from support.truths import assert_truth

from core.database import Base
from core.queue import Queue
from integration.models import Portal, PortalState


@contextmanager
def backup(world):
    """All rows as they are now, to be put back by the function this gives."""
    tables = [table.name for table in Base.metadata.sorted_tables]
    with world.runtime.engine.begin() as connection:
        connection.execute(sa.text("CREATE SCHEMA kept"))
        for name in tables:
            connection.execute(sa.text(f"CREATE TABLE kept.{name} AS TABLE {name}"))

    def put_back():
        with world.runtime.engine.begin() as connection:
            for name in reversed(tables):
                connection.execute(sa.text(f"DELETE FROM {name}"))
            for name in tables:
                connection.execute(sa.text(f"INSERT INTO {name} SELECT * FROM kept.{name}"))
        world.runtime.redis.flushall()

    try:
        yield put_back
    finally:
        with world.runtime.engine.begin() as connection:
            connection.execute(sa.text("DROP SCHEMA kept CASCADE"))


def a_days_work(world):
    """Edits, a new deal, a deletion and a merge, all of them noticed and written."""
    deals = [row for row in world.rows("deal") if row.get("STAGE_SEMANTIC_ID") == "S"]
    contacts = [row["ID"] for row in world.rows("contact")]
    copied = {k: deals[0].get(k) for k in ("TITLE", "CATEGORY_ID", "STAGE_ID", "OPPORTUNITY")}
    orders = [
        *(
            {"table": "deal", "action": "update", "id": deal["ID"], "fields": {"OPPORTUNITY": 777}}
            for deal in deals[:10]
        ),
        {
            "table": "deal", "action": "insert", "id": 0,
            "fields": {**copied, "CONTACT_IDS": [contacts[0]]},
        },
        {"table": "deal", "action": "delete", "id": deals[-1]["ID"], "fields": {}},
        {"table": "contact", "action": "merge", "id": contacts[1], "losers": [contacts[2]]},
    ]  # fmt: skip
    world.demo.control("mutate", {"orders": orders})
    finish(world)
    checked(world)
    finish(world)


def test_yesterdays_backup_catches_up_with_the_portal(world):
    finish(world)
    with backup(world) as put_back:
        a_days_work(world)
        assert_truth(world)
        put_back()
        with world.runtime.sessions() as session:
            assert session.get_one(Portal, world.portal_id).last_sync_at is not None
        assert world.sync().status == "done"
        world.count()
        world.write()
        checked(world)
        finish(world)
        assert_truth(world)
        assert world.portal.state == PortalState.ACTIVE


def test_a_backup_whose_tokens_were_renewed_since_says_what_to_do_and_keeps_its_data(world):
    finish(world)
    with backup(world) as put_back:
        world.demo.control("tokens/expire", {})
        assert world.sync().status == "done", "renews the tokens"
        put_back()
        world.demo.control("tokens/expire", {})
        world.sync()
        if world.portal.state != PortalState.ACTIVE:  # a portal may take an old refresh token
            assert world.portal.state == PortalState.REOPEN
            assert world.open().status_code == 200
            world.work(Queue.INTERACTIVE)
        finish(world)
        assert world.portal.state == PortalState.ACTIVE
        assert_truth(world)
