"""The check of the mirror without a portal: what it decides, when it is due, who may work on it."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
import sqlalchemy as sa

from core.clock import utcnow
from integration.mirror import Contact, Deal, DealContact
from integration.models import ChangedClient, Check, CheckStatus, Portal, PortalState, SyncRun
from integration.rules.reconciling import common_shift, too_many
from integration.sync import checks, drift
from integration.sync.burying import bury
from integration.sync.drift import LAST_ID, Listing, Since
from integration.sync.entities import CONTACTS, DEALS
from integration.sync.runs import LostLease
from integration.sync.sources import store_cards

NIGHT_IN_MOSCOW = datetime(2026, 11, 22, 0, 30, tzinfo=UTC)
MODIFIED = "2026-11-01T10:00:00+03:00"


@pytest.fixture
def portal(session):
    return made(session, "checks")


def made(session, name, **facts):
    known = {"state": PortalState.ACTIVE, "last_sync_at": utcnow(), "utc_offset_minutes": 180}
    portal = Portal(domain=f"{name}.example.com", client_id=f"local.{name}", **{**known, **facts})
    session.add(portal)
    session.flush()
    return portal


@pytest.mark.parametrize(
    ("vanished", "alive", "held"),
    [(20, 100, False), (21, 100, True), (20, 20, False), (2000, 100_000, False),
     (2001, 100_000, True), (0, 0, False)],
)  # fmt: skip
def test_more_than_two_percent_and_more_than_twenty_rows_are_too_many(vanished, alive, held):
    assert too_many(vanished, alive) is held


def moments(number):
    return [datetime(2026, 5, 1, tzinfo=UTC) + timedelta(minutes=7 * n) for n in range(number)]


@pytest.mark.parametrize("hours", [1, -3, 5.5, 12.75])
def test_a_moved_clock_moves_every_stamp_alike(hours):
    seconds = int(hours * 3600)
    assert common_shift([(at, seconds) for at in moments(100)], 100) == seconds
    most = [(at, seconds) for at in moments(92)] + [(at, 61) for at in moments(8)]
    assert common_shift(most, 100) == seconds


@pytest.mark.parametrize(
    "moved",
    [
        [(at, 3600) for at in moments(80)],
        [(at, 3599) for at in moments(100)],
        [(at, 30 * 3600) for at in moments(100)],
        [(moments(1)[0], 3600)] * 100,
        [(at, n) for n, at in enumerate(moments(100))],
        [(None, None)] * 100,
        [],
    ],
    ids=["some rows", "no zone", "too far", "one mass change", "real changes", "no stamps", "none"],
)
def test_what_is_no_moved_clock(moved):
    assert common_shift(moved, 100) == 0


def test_few_rows_prove_nothing_of_a_clock():
    assert common_shift([(at, 3600) for at in moments(15)], 15) == 0


def test_due_at_three_in_the_night_of_the_portal(session):
    moscow = made(session, "moscow")
    vladivostok = made(session, "vladivostok", utc_offset_minutes=600)
    new_york = made(session, "new-york", utc_offset_minutes=-300)
    made(session, "never-read", last_sync_at=None)
    made(session, "closed", state=PortalState.REOPEN)
    assert checks.due(session, NIGHT_IN_MOSCOW) == [moscow.id]
    assert checks.due(session, NIGHT_IN_MOSCOW - timedelta(hours=7)) == [vladivostok.id]
    assert checks.due(session, NIGHT_IN_MOSCOW + timedelta(hours=7)) == [new_york.id]
    assert checks.due(session, NIGHT_IN_MOSCOW + timedelta(hours=2)) == []


def test_due_once_a_night(session, portal):
    checks.request(session, portal.id)
    assert checks.due(session, NIGHT_IN_MOSCOW) == [], "it is being done"
    session.execute(sa.update(Check).values(status="done", finished_at=NIGHT_IN_MOSCOW))
    assert checks.due(session, NIGHT_IN_MOSCOW + timedelta(hours=1)) == []
    assert checks.due(session, NIGHT_IN_MOSCOW + timedelta(days=1)) == [portal.id]


def test_asking_twice_asks_once(session, portal):
    checks.request(session, portal.id)
    checks.request(session, portal.id)
    entities = [result.entity for result in checks.results(session, portal.id)]
    assert entities == ["contact", "company", "lead", "deal"]
    assert session.scalar(sa.select(sa.func.count()).select_from(Check)) == 4


def test_one_process_works_on_a_portal(session, portal):
    checks.request(session, portal.id)
    taken = checks.claim(session, portal.id, "one")
    assert taken.entity == "contact"
    assert checks.claim(session, portal.id, "two") is None
    assert checks.waiting(session) == []

    session.execute(sa.update(Check).values(lease_until=sa.func.now() - timedelta(seconds=1)))
    again = checks.claim(session, portal.id, "two")
    assert again.id == taken.id
    with pytest.raises(LostLease):
        checks.keep(session, taken, "one", last_id=50)
    checks.keep(session, again, "two", last_id=100)
    checks.finish(session, taken, "one", CheckStatus.DONE)
    session.refresh(again)
    assert (again.status, again.last_id) == (CheckStatus.RUNNING, 100)


def test_a_portal_that_is_read_whole_or_does_not_answer_is_left_alone(session, portal):
    checks.request(session, portal.id)
    run = SyncRun(portal_id=portal.id, full=True)
    session.add(run)
    session.flush()
    assert checks.waiting(session) == []
    assert checks.claim(session, portal.id, "one") is None
    run.status = "done"
    session.flush()
    assert checks.waiting(session) == [portal.id]
    portal.state = PortalState.BLOCKED
    session.flush()
    assert checks.waiting(session) == []


def test_only_the_newest_held_check_is_released(session, portal):
    for _ in range(2):
        checks.request(session, portal.id)
        session.execute(sa.update(Check).values(status="held", finished_at=sa.func.now()))
    assert all(result.held for result in checks.results(session, portal.id))
    assert checks.confirm(session, portal.id) == 4
    assert checks.is_open(session, portal.id)
    held = sa.select(sa.func.count()).select_from(Check).where(Check.status == "held")
    assert session.scalar(held) == 4
    assert checks.confirm(session, portal.id) == 0


def contact(row_id, modified=MODIFIED, **more):
    return {"ID": str(row_id), "DATE_MODIFY": modified, "COMPANY_ID": "", **more}


def compared(session, portal, rows, after_id=0, up_to=LAST_ID, spec=CONTACTS):
    since = Since(utcnow() + timedelta(minutes=1), datetime(2026, 11, 15, tzinfo=UTC))
    return drift.compare(session, portal.id, spec, Listing(rows, after_id, up_to), since)


def test_a_listing_is_compared_within_its_own_ids(session, portal):
    rows = [contact(i) for i in range(1, 7)]
    store_cards(session, portal.id, CONTACTS, rows, {}, note_clients=False)
    session.execute(
        sa.update(Contact).where(Contact.bitrix_id == 4).values(deleted_at=sa.func.now())
    )
    other = made(session, "neighbour")
    store_cards(session, other.id, CONTACTS, [contact(3), contact(9)], {}, note_clients=False)

    changed = contact(2, "2026-11-01T11:00:00+03:00")
    found = compared(session, portal, [changed, contact(4), contact(5)], after_id=1, up_to=5)
    assert (found.differing, found.restored, found.vanished) == ([2], [4], [3])
    assert (found.missing, found.to_read) == ([], [2, 4])
    found = compared(session, portal, [contact(8)], after_id=5)
    assert (found.missing, found.vanished) == ([8], [6])


def test_the_same_moment_in_another_offset_is_the_same(session, portal):
    store_cards(session, portal.id, CONTACTS, [contact(1)], {}, note_clients=False)
    found = compared(session, portal, [contact(1, "2026-11-01T07:00:00+00:00")])
    assert found.to_read == []


def test_a_change_the_next_sync_will_read_is_late_and_no_drift(session, portal):
    store_cards(session, portal.id, CONTACTS, [contact(1), contact(2)], {}, note_clients=False)
    rows = [contact(1, "2026-11-20T10:00:00+03:00"), contact(2, "2026-11-02T10:00:00+03:00")]
    found = compared(session, portal, [*rows, contact(3, "2026-11-20T10:00:00+03:00")])
    assert found.to_read == [1, 2, 3]
    assert (found.found(found.differing), found.found(found.missing)) == (1, 0)


def test_a_row_stored_since_the_check_began_has_not_vanished(session, portal):
    store_cards(session, portal.id, CONTACTS, [contact(1)], {}, note_clients=False)
    since = Since(utcnow() - timedelta(hours=1), None)
    found = drift.compare(session, portal.id, CONTACTS, Listing([], 0, LAST_ID), since)
    assert found.vanished == []


def test_an_unreadable_stamp_is_read_again_and_not_fatal(session, portal):
    store_cards(session, portal.id, CONTACTS, [contact(1)], {}, note_clients=False)
    assert compared(session, portal, [contact(1, "yesterday")]).differing == [1]


def deal(row_id, **more):
    return {
        "id": row_id, "updatedTime": MODIFIED, "opportunity": 100, "currencyId": "RUB",
        "stageId": "WON", "stageSemanticId": "S", "contactId": 7, "contactIds": [7, 8],
        "companyId": 3, "closedate": "2026-11-01T03:00:00+03:00", "isRecurring": "N", **more,
    }  # fmt: skip


@pytest.mark.parametrize(
    "change",
    [{"opportunity": 101}, {"stageId": "LOSE"}, {"stageSemanticId": "F"}, {"companyId": 4},
     {"contactId": 8, "contactIds": [8, 7]}, {"contactIds": [7]}, {"contactIds": [7, 8, 9]},
     {"closedate": "2026-11-02T03:00:00+03:00"}, {"currencyId": "USD"}, {"categoryId": 2},
     {"isRecurring": "Y"}],
    ids=str,
)  # fmt: skip
def test_what_a_deal_is_worth_is_compared_beside_its_stamp(session, portal, change):
    store_cards(session, portal.id, DEALS, [deal(1), deal(2)], {}, note_clients=False)
    found = compared(session, portal, [deal(1, **change), deal(2)], spec=DEALS)
    assert found.differing == [1]
    assert found.found(found.differing) == 1


def test_a_buried_deal_concerns_all_its_clients(session, portal):
    store_cards(session, portal.id, DEALS, [deal(1), deal(2)], {}, note_clients=False)
    assert bury(session, portal.id, DEALS, [1, 5]) == [1]
    assert bury(session, portal.id, DEALS, [1]) == [], "it is buried already"
    noted = session.execute(sa.select(ChangedClient.kind, ChangedClient.client_id)).all()
    assert set(noted) == {("contact", 7), ("contact", 8), ("company", 3)}
    links = sa.select(sa.func.count()).where(DealContact.deal_id == 1)
    assert session.scalar(links) == 2, "what it was is still known"


def test_a_row_stored_since_is_spared(session, portal):
    store_cards(session, portal.id, DEALS, [deal(1)], {}, note_clients=False)
    assert bury(session, portal.id, DEALS, [1], seen_before=utcnow() - timedelta(hours=1)) == []
    assert session.get_one(Deal, (portal.id, 1)).deleted_at is None
