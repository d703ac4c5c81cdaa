"""What is kept of a portal: left out it is neither read nor kept; switched on again it is read whole."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
import sqlalchemy as sa

from core.database import transaction
from integration import connect as connecting
from integration import hints, keeping, weights, working_hours
from integration.admin_rules import Overtaken
from integration.bitrix.budgets import Priority
from integration.connect import connect
from integration.keeping import InUse
from integration.mirror import Activity, Address, Contact, Deal, Lead, StageMove
from integration.models import Check, PortalEvent, SyncCursor
from integration.rules.hours import Hours, WrongHours
from integration.rules.keeping import Keeping, Use, conflicts
from integration.sync import checks

NOON = datetime(2026, 11, 18, 12, 0, tzinfo=UTC)  # a Wednesday
FIELD = "UF_CRM_DIRECTION"


def number(world, table, *conditions):
    query = sa.select(sa.func.count()).select_from(table)
    with world.runtime.sessions() as session:
        return session.scalar(query.where(table.portal_id == world.portal_id, *conditions))


def keep(world, *skipped, uses=(), made_from=None, **left_out):
    wished = Keeping(
        frozenset(skipped), {entity: frozenset(codes) for entity, codes in left_out.items()}
    )
    with transaction(world.runtime.sessions) as session:
        return keeping.change(session, world.portal_id, wished, uses, 1, made_from=made_from)


def clear(world):
    with transaction(world.runtime.sessions) as session:
        return keeping.clear(session, world.portal_id)


def test_an_entity_left_out_is_not_read_and_comes_back_whole(world):
    world.work()
    world.sync()
    leads, moves, activities = (number(world, table) for table in (Lead, StageMove, Activity))
    assert min(leads, moves, activities) > 0
    addresses = number(world, Address, Address.entity == "lead")

    assert keep(world, "lead", "activity", "history")
    assert not clear(world)
    assert [number(world, table) for table in (Lead, StageMove, Activity)] == [0, 0, 0]
    assert number(world, Address, Address.entity == "lead") == 0
    assert number(world, Address) > 0

    lead = world.rows("lead")[0]["ID"]
    world.call("crm.lead.update", id=lead, fields={"TITLE": "Позвонить"})
    with transaction(world.runtime.sessions) as session:
        session.add(PortalEvent(portal_id=world.portal_id, event="ONCRMLEADUPDATE", object_id=lead))
    assert hints.apply(world.runtime, world.portal_id) == 0
    assert number(world, PortalEvent, PortalEvent.handled_at.is_(None)) == 0
    for full in (False, True):
        done = world.sync(full=full)
        names = {entity.entity for entity in done.entities}
        assert {"contact", "company", "deal"} <= names
        assert not names & {"lead", "activity", "deal_history", "lead_history"}
    with transaction(world.runtime.sessions) as session:
        checks.request(session, world.portal_id)
    assert number(world, Check, Check.entity == "lead") == 0
    assert [number(world, table) for table in (Lead, StageMove, Activity)] == [0, 0, 0]

    assert keep(world)
    done = world.sync()
    assert not done.full, "an ordinary run brings it all"
    assert [number(world, table) for table in (Lead, StageMove, Activity)] == [
        leads, moves, activities,
    ]  # fmt: skip
    assert number(world, Address, Address.entity == "lead") == addresses
    again = {entity.entity: entity.rows for entity in world.sync().entities}
    assert again["lead_history"] == 0, "only once"


def filled(world, table):
    return number(world, table, table.custom.has_key(FIELD))


def test_a_field_left_out_loses_its_values_and_gets_them_back(world):
    world.work()
    contacts, deals = filled(world, Contact), filled(world, Deal)
    assert min(contacts, deals) > 0
    with transaction(world.runtime.sessions) as session:
        known = {
            (field.entity, field.code): field for field in weights.fields(session, world.portal_id)
        }
        sizes = weights.weights(world.runtime, session, world.portal_id)
    assert 0.5 < known["contact", FIELD].filled <= 1
    assert sizes["contact"].rows == number(world, Contact, Contact.deleted_at.is_(None))
    assert sizes["activity"].size > 50 * sizes["activity"].rows

    keep(world, contact=[FIELD], deal=[FIELD])
    clear(world)
    assert (filled(world, Contact), filled(world, Deal)) == (0, 0)
    assert number(world, Contact, Contact.custom != {}) > 0
    world.sync(full=True)
    assert (filled(world, Contact), filled(world, Deal)) == (0, 0)

    keep(world, deal=[FIELD])
    world.sync()
    assert (filled(world, Contact), filled(world, Deal)) == (contacts, 0)

    keep(world, contact=[FIELD])  # removed and back before anything was read meanwhile
    clear(world)
    keep(world)
    world.sync()
    assert (filled(world, Contact), filled(world, Deal)) == (contacts, deals)


def test_a_field_that_comes_back_during_a_run_is_read_by_the_next(world):
    world.work()
    contacts = filled(world, Contact)
    keep(world, contact=[FIELD])
    clear(world)
    with transaction(world.runtime.sessions) as session:
        cursor = session.get_one(SyncCursor, (world.portal_id, "contact"))
        cursor.finished, cursor.last_id = False, 10**9  # a run that has passed all contacts
    keep(world)
    with transaction(world.runtime.sessions) as session:
        session.get_one(SyncCursor, (world.portal_id, "contact")).finished = True
    world.sync()
    assert filled(world, Contact) == contacts


def test_what_a_rule_needs_stays_and_the_second_to_save_is_told(world):
    world.work()
    needed = [Use("deal", FIELD, "sale_rule"), Use("history", None, "sale_rule")]
    with pytest.raises(InUse, match=FIELD):
        keep(world, uses=needed, deal=[FIELD])
    with pytest.raises(InUse, match="history"):
        keep(world, "history", uses=needed)
    assert keep(world, "lead", uses=needed, made_from=0)
    assert not keep(world, "lead", uses=needed)
    with pytest.raises(Overtaken):
        keep(world, made_from=0)


def test_conflicts_name_every_use_of_what_would_go():
    needed = [Use("deal", FIELD, "sale_rule"), Use("contact", FIELD, "writing")]
    assert conflicts(Keeping(), needed) == []
    assert conflicts(Keeping(left_out={"deal": frozenset([FIELD])}), needed) == needed[:1]


def test_the_limiter_follows_the_hours_of_the_portal(world, monkeypatch):
    monkeypatch.setattr(connecting, "utcnow", lambda: NOON)

    def priority():
        return connect(world.runtime, world.portal, priority=Priority.PATIENT).limiter.priority

    assert priority() is Priority.PATIENT
    with transaction(world.runtime.sessions) as session:
        assert working_hours.change(session, world.portal_id, Hours(days=(5, 6)))
    assert priority() is Priority.BACKGROUND
    with pytest.raises(WrongHours), transaction(world.runtime.sessions) as session:
        working_hours.change(session, world.portal_id, Hours(start=20, end=8))


@pytest.mark.parametrize(
    ("check_at", "hour", "due"),
    [(2, 2, True), (2, 5, False), (23, 1, True), (23, 2, False), (13, 14, True)],
)
def test_the_check_begins_at_the_hour_of_the_portal(world, check_at, hour, due):
    world.work()
    with transaction(world.runtime.sessions) as session:
        portal = world.portal
        working_hours.change(session, portal.id, Hours(check_at=check_at))
        now = NOON.replace(hour=(hour - portal.utc_offset_minutes // 60) % 24)
        assert (checks.due(session, now) == [portal.id]) is due
