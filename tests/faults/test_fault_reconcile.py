"""Rows 11, 12, 14, 15: what neither events nor syncs have told is found by the check and repaired."""

from __future__ import annotations

import time
from dataclasses import replace
from datetime import UTC, datetime

import pytest
import sqlalchemy as sa
from support.drift import Drifting
from support.killing import Victim
from support.trouble import finish, newest, requests, write_all
from support.truths import assert_truth

from core import runtime
from core.database import transaction
from core.queue import Queue
from integration import jobs
from integration.mirror import Company, Contact, Deal, Lead
from integration.models import ChangedClient, Check, MergedClient, QuarantinedRow
from integration.sync import checks, reconcile
from segments import pipeline

TABLES = {"contact": Contact, "company": Company, "lead": Lead, "deal": Deal}


def check(world, *, confirm=False):
    """A whole check, in this process; results by entity."""
    with transaction(world.runtime.sessions) as session:
        if confirm:
            assert checks.confirm(session, world.portal_id)
        else:
            checks.request(session, world.portal_id)
    work_off(world)
    return results(world)


def work_off(world, seconds=10.0):
    while reconcile.run_slice(world.runtime, world.portal_id, seconds):
        pass


def results(world):
    with world.runtime.sessions() as session:
        return {row.entity: row for row in checks.results(session, world.portal_id)}


def mutate(world, table, action, row_id=None, *, silent=True, **fields):
    order = {"table": table, "action": action, "silent": silent, "fields": fields}
    return world.demo.control("mutate", order | ({"id": row_id} if row_id else {}))["id"]


def settle(world):
    """What follows a changed mirror by itself: metrics of the changed clients, then the cards."""
    assert world.portal_id in pipeline.behind(world.runtime)
    pipeline.recompute(world.runtime, world.portal_id)
    write_all(world)


def alive(world, entity):
    table = TABLES[entity]
    with world.runtime.sessions() as session:
        query = sa.select(table.bitrix_id).where(
            table.portal_id == world.portal_id, table.deleted_at.is_(None)
        )
        return set(session.scalars(query))


def rows_of(world, *tables):
    with world.runtime.sessions() as session:
        return {
            table.__tablename__: session.execute(
                sa.text(f"SELECT xmin::text, * FROM {table.__tablename__} ORDER BY 2, 3")
            ).all()
            for table in tables
        }


def won(world, number=6):
    return [row for row in world.rows("deal") if row["STAGE_SEMANTIC_ID"] == "S"][:number]


def drifting(world, changes=None, after=None):
    world.runtime = replace(world.runtime, http=Drifting(world.runtime.http, changes or {}, after))
    runtime.install(world.runtime)


@pytest.fixture
def read(world):
    """The portal read, counted and written to, and read once more: nothing is left to do."""
    return world.reach(read_twice)


def read_twice(world):
    finish(world)
    world.sync()
    pipeline.recompute(world.runtime, world.portal_id)


def test_a_true_mirror_costs_few_requests_and_nothing_is_written(read):
    before = rows_of(read, *TABLES.values(), ChangedClient, QuarantinedRow)
    mark = newest(read)
    found = check(read)
    assert {name: (r.status, r.found, r.repaired, r.buried) for name, r in found.items()} == (
        dict.fromkeys(TABLES, ("done", 0, 0, 0))
    )
    assert {name: r.looked for name, r in found.items()} == {n: len(read.rows(n)) for n in TABLES}
    assert len(requests(read, since=mark)) == sum(r.requests for r in found.values()) <= 8
    assert rows_of(read, *TABLES.values(), ChangedClient, QuarantinedRow) == before
    assert read.portal_id not in pipeline.behind(read.runtime)


def test_five_thousand_unchanged_contacts_take_three_requests(world):
    people = [
        {
            "table": "contact", "action": "insert", "silent": True,
            "fields": {"NAME": f"N{n}", "DATE_MODIFY": f"2026-04-{n % 28 + 1:02}T10:00:00+00:00"},
        }
        for n in range(5000)
    ]  # fmt: skip
    world.demo.control("mutate", {"orders": people})
    world.sync()
    found = check(world)["contact"]
    assert found.looked == 5000 + 56
    assert (found.found, found.repaired) == (0, 0)
    assert found.requests <= 4, "one page, then 50 pages a request"


def test_silent_changes_of_every_kind_are_repaired(read):
    first, second, third, fourth, fifth, sixth = (row["ID"] for row in won(read))
    people, firms = read.rows("contact"), read.rows("company")
    mutate(read, "deal", "update", first, OPPORTUNITY=123456.0)
    mutate(read, "deal", "update", second, STAGE_ID="LOSE", STAGE_SEMANTIC_ID="F")
    mutate(read, "deal", "update", third, CONTACT_IDS=[people[5]["ID"], people[6]["ID"]])
    mutate(read, "deal", "update", fourth, CLOSEDATE="2025-01-15")
    mutate(read, "deal", "update", fifth, COMPANY_ID=firms[3]["ID"])
    mutate(read, "deal", "update", sixth, CURRENCY_ID="USD")
    old = {"DATE_MODIFY": "2026-01-10T10:00:00+00:00"}
    mutate(read, "contact", "update", people[0]["ID"], LAST_NAME="Тихонова", **old)
    mutate(read, "company", "update", firms[2]["ID"], TITLE="Тихий дом", **old)
    mutate(read, "lead", "update", read.rows("lead")[0]["ID"], OPPORTUNITY=77.0)
    person = mutate(read, "contact", "insert", NAME="Новая", **old)
    deal = mutate(
        read, "deal", "insert", TITLE="Новая", STAGE_ID="WON", STAGE_SEMANTIC_ID="S",
        OPPORTUNITY=5000.0, CURRENCY_ID="RUB", CATEGORY_ID=0, CONTACT_IDS=[person],
        CONTACT_ID=person, CLOSEDATE="2026-02-02", **old,
    )  # fmt: skip

    read.sync()
    assert deal not in alive(read, "deal"), "a sync asks for what changed lately"
    found = check(read)
    assert {n: (r.missing, r.differing, r.repaired) for n, r in found.items()} == {
        "contact": (1, 1, 2), "company": (0, 1, 1), "lead": (0, 1, 1), "deal": (1, 6, 7),
    }  # fmt: skip
    settle(read)
    assert_truth(read)
    with read.runtime.sessions() as session:
        assert session.get_one(Contact, (read.portal_id, people[0]["ID"])).last_name == "Тихонова"
    assert [r.found for r in check(read).values()] == [0, 0, 0, 0], "and stay repaired"


def test_what_was_deleted_is_buried_and_its_clients_are_recomputed(read):
    """No event reaches the application here."""
    for deal in won(read):
        mutate(read, "deal", "delete", deal["ID"])
    for entity in ("contact", "company", "lead"):
        mutate(read, entity, "delete", read.rows(entity)[4]["ID"], silent=False)
    found = check(read)
    assert {n: (r.vanished, r.buried) for n, r in found.items()} == {
        "contact": (1, 1), "company": (1, 1), "lead": (1, 1), "deal": (6, 6),
    }  # fmt: skip
    settle(read)
    assert_truth(read)
    assert {n: r.found for n, r in check(read).items()} == dict.fromkeys(TABLES, 0)


def test_what_comes_back_lives_again(read):
    deal, person = won(read)[0]["ID"], read.rows("contact")[2]["ID"]
    with read.runtime.engine.begin() as connection:
        for table, row_id in ((Deal, deal), (Contact, person)):
            dead = (
                sa.update(table).where(table.bitrix_id == row_id).values(deleted_at=sa.func.now())
            )
            connection.execute(dead)
        connection.execute(
            sa.insert(MergedClient).values(
                portal_id=read.portal_id, kind="contact", loser_id=person, winner_id=1
            )
        )
    found = check(read)
    assert (found["deal"].restored, found["deal"].repaired) == (1, 1)
    assert (found["contact"].restored, found["contact"].repaired) == (1, 1)
    assert winners(read) == {}, "who lives leads to nobody else"
    settle(read)
    assert_truth(read)


def winners(world):
    with world.runtime.sessions() as session:
        rows = session.execute(
            sa.select(MergedClient.kind, MergedClient.loser_id, MergedClient.winner_id)
        )
        return {(kind, loser): winner for kind, loser, winner in rows}


@pytest.mark.parametrize("synced", [False, True], ids=["at once", "after a sync"])
def test_merged_duplicates_lead_to_their_winner(read, synced):
    deals = read.rows("deal")
    losers = {"contact": deals[3]["CONTACT_ID"], "company": deals[4]["COMPANY_ID"]}
    assert all(losers.values())
    kept = {}
    for entity, loser in losers.items():
        typed = {"PHONE": [{"ID": 0, "VALUE": f"+7 495 000-77-0{len(kept)}", "VALUE_TYPE": "WORK"}]}
        kept[entity] = read.rows(entity)[7]["ID"]
        assert kept[entity] != loser
        mutate(read, entity, "update", loser, silent=False, **typed)
    read.sync()
    for entity, loser in losers.items():
        order = {"table": entity, "action": "merge", "id": kept[entity], "losers": [loser]}
        read.demo.control("mutate", order)
    if synced:
        read.sync()
    found = check(read)
    left = 0 if synced else 1  # the run has found them itself
    assert [found[entity].buried for entity in losers] == [left, left]
    assert winners(read) == {(entity, loser): kept[entity] for entity, loser in losers.items()}
    settle(read)
    assert_truth(read)


def test_a_deleted_client_whose_phone_somebody_else_has_was_not_merged(read):
    loser, other = (row["ID"] for row in read.rows("contact")[8:10])
    phone = {"PHONE": [{"ID": 0, "VALUE": "+7 495 000-88-00", "VALUE_TYPE": "HOME"}]}
    early = {"DATE_MODIFY": "2026-01-10T10:00:00+00:00"}
    for row_id in (loser, other):
        mutate(read, "contact", "update", row_id, **early, **phone)
    check(read)
    mutate(read, "contact", "delete", loser, silent=False)
    assert check(read)["contact"].buried == 1
    assert winners(read) == {}


def test_narrowed_rights_bury_nothing_even_when_confirmed(read):
    """Row 15: the list returns less, every single look is refused."""
    before = {name: alive(read, name) for name in TABLES}
    narrowed = {"IS_ADMIN": "N", "ADMIN": "N", "CRM_RIGHTS": {"deal": "", "contact": "S"}}
    mutate(read, "contact", "update", read.rows("contact")[0]["ID"], OPENED="N")
    closed = [row["ID"] for row in read.rows("contact") if row["ASSIGNED_BY_ID"] != 1]
    for row_id in closed:
        mutate(read, "contact", "update", row_id, OPENED="N")
    mutate(read, "user", "update", 1, **narrowed)
    found = check(read)
    assert found["deal"].held
    assert (found["deal"].vanished, found["deal"].expected) == (120, 120)
    assert found["deal"].reason == "120 of 120 rows would vanish"
    assert found["contact"].held
    assert found["company"].status == "done"
    assert {name: alive(read, name) for name in TABLES} == before

    found = check(read, confirm=True)
    assert {n: (r.status, r.buried) for n, r in found.items()} == dict.fromkeys(TABLES, ("done", 0))
    assert {name: alive(read, name) for name in TABLES} == before

    mutate(read, "user", "update", 1, IS_ADMIN="Y", ADMIN="Y", CRM_RIGHTS="A")
    assert [r.found for r in check(read).values()] == [0, 0, 0, 0]


def test_a_list_refused_fails_the_check_and_touches_nothing(read):
    before = alive(read, "contact")
    narrowed = {"IS_ADMIN": "N", "ADMIN": "N", "CRM_RIGHTS": {"contact": ""}}
    mutate(read, "user", "update", 1, **narrowed)
    found = check(read)
    assert found["contact"].status == "failed"
    assert "AccessDenied" in found["contact"].reason
    assert found["deal"].status == "done", "other entities are checked"
    assert alive(read, "contact") == before
    mutate(read, "user", "update", 1, IS_ADMIN="Y", ADMIN="Y", CRM_RIGHTS="A")


def test_a_mass_deletion_is_held_until_an_administrator_confirms(read):
    gone = {row["ID"] for row in read.rows("deal")[10:40]}
    for row_id in gone:
        mutate(read, "deal", "delete", row_id)
    found = check(read)["deal"]
    assert (found.held, found.vanished, found.buried) == (True, 30, 0)
    assert gone <= alive(read, "deal")
    assert check(read)["deal"].held, "the next check finds the same"
    found = check(read, confirm=True)["deal"]
    assert (found.status, found.vanished, found.buried) == ("done", 30, 30)
    settle(read)
    assert_truth(read)
    with read.runtime.sessions() as session:
        assert checks.confirm(session, read.portal_id) == 0, "nothing is held any more"


def test_rows_deleted_and_inserted_while_paging(read, monkeypatch):
    """Row 12: after each page somebody deletes a row already listed and one still to come, and adds one."""
    monkeypatch.setattr(reconcile, "PAGES_PER_LOOK", 1)
    deals = [row["ID"] for row in read.rows("deal")]
    listed, to_come, seen, added = deals[5:9], deals[-9:-5], [], []

    def meddle(_method):
        number = len(seen)
        seen.append(number)
        if number < len(listed):
            mutate(read, "deal", "delete", listed[number])
            mutate(read, "deal", "delete", to_come[number])
            order = {"TITLE": "Между страниц", "OPPORTUNITY": 100 + number, "STAGE_ID": "WON"}
            added.append(mutate(read, "deal", "insert", silent=False, **order))

    drifting(read, after=meddle)
    check(read)
    assert len(added) == len(listed)
    read.sync()
    check(read)
    assert alive(read, "deal") == {row["ID"] for row in read.rows("deal")}
    settle(read)
    assert_truth(read)


def test_a_change_not_read_yet_is_no_drift(read):
    deal = won(read)[0]["ID"]
    mutate(read, "deal", "update", deal, silent=False, OPPORTUNITY=999.0)
    found = check(read)["deal"]
    assert (found.found, found.repaired) == (0, 1), "repaired, but a sync would have found it too"


def test_a_list_that_repeats_rows_is_not_believed(read):
    """Row 11."""
    before = rows_of(read, Contact)
    first, second = (row["ID"] for row in read.rows("contact")[10:12])
    drifting(read, {"crm.contact.list": {second: {"ID": str(first)}}})
    found = check(read)["contact"]
    assert found.status == "failed"
    assert "out of order" in found.reason
    assert rows_of(read, Contact) == before


def test_a_shifted_clock_is_followed_without_reading_everything(read):
    read.demo.control("options", {"tz_skew_seconds": 3600})
    found = check(read)["deal"]
    assert (found.shift_seconds, found.differing, found.repaired) == (3600, 0, 0)
    assert found.requests <= 3
    assert check(read)["deal"].shift_seconds == 0, "the stamps here have moved with the clock"

    read.demo.control("options", {"tz_skew_seconds": 0})
    deal = won(read)[0]["ID"]
    mutate(read, "deal", "update", deal, OPPORTUNITY=4321.0)
    found = check(read)["deal"]
    assert (found.shift_seconds, found.differing, found.repaired) == (-3600, 1, 1)
    settle(read)
    assert_truth(read)


def test_a_portal_restored_from_a_backup_has_older_rows(read):
    deal, person = won(read)[0]["ID"], read.rows("contact")[3]["ID"]
    mutate(read, "deal", "update", deal, silent=False, OPPORTUNITY=1.0, TITLE="Свежая")
    mutate(read, "contact", "update", person, silent=False, NAME="Свежая")
    read.sync()
    old = {"DATE_MODIFY": "2026-01-10T10:00:00+00:00"}
    mutate(read, "deal", "update", deal, OPPORTUNITY=2.0, TITLE="Старая", **old)
    mutate(read, "contact", "update", person, NAME="Старая", **old)
    found = check(read)
    assert (found["deal"].repaired, found["contact"].repaired) == (1, 1)
    with read.runtime.sessions() as session:
        assert session.get_one(Deal, (read.portal_id, deal)).title == "Старая"
        assert session.get_one(Contact, (read.portal_id, person)).name == "Старая"
    settle(read)
    assert_truth(read)


def test_a_check_goes_on_where_the_last_slice_ended(read, monkeypatch):
    monkeypatch.setattr(reconcile, "PAGES_PER_LOOK", 1)
    gone = won(read)[0]["ID"]
    mutate(read, "deal", "delete", gone)
    with transaction(read.runtime.sessions) as session:
        checks.request(session, read.portal_id)
    mark, slices = newest(read), 0
    while reconcile.run_slice(read.runtime, read.portal_id, 0.0001):
        slices += 1
        assert slices < 100
    assert slices > 6
    found = results(read)
    assert {r.status for r in found.values()} == {"done"}
    assert {n: r.looked for n, r in found.items()} == {n: len(read.rows(n)) for n in TABLES}
    listed = [
        entry["params"]["filter"].get(">id")
        for entry in read.demo.control(f"log?since={mark}&limit=10000")
        if entry["method"] == "crm.item.list" and ">id" in entry["params"].get("filter", {})
    ]
    assert len(listed) == len(set(map(str, listed))), "no page is listed twice"
    assert gone not in alive(read, "deal")


def test_in_the_night_it_runs_by_itself(read, monkeypatch):
    mutate(read, "deal", "delete", won(read)[0]["ID"])
    noon, night = (datetime(2027, 1, 10, hour, tzinfo=UTC) for hour in (9, 0))
    monkeypatch.setattr(jobs, "utcnow", lambda: noon)
    jobs.check()
    assert read.work(Queue.SYNC) == 0
    monkeypatch.setattr(jobs, "utcnow", lambda: night)
    jobs.check()
    assert read.work(Queue.SYNC) >= 1
    assert {r.status for r in results(read).values()} == {"done"}
    settle(read)
    assert_truth(read)


@pytest.mark.parametrize("wanted", [1, 3, 5, 8])
def test_a_killed_check_is_finished_by_another_process(read, wanted):
    for deal in won(read):
        mutate(read, "deal", "delete", deal["ID"])
    changed = read.rows("deal")[50]["ID"]
    mutate(read, "deal", "update", changed, OPPORTUNITY=31337.0)
    with transaction(read.runtime.sessions) as session:
        checks.request(session, read.portal_id)
    read.demo.fault("delay", "*", seconds=0.05, times=-1)
    mark = newest(read)
    victim = Victim("check", read)
    assert victim.kill_when(lambda: len(requests(read, since=mark)) >= wanted)
    read.demo.clear_faults()
    work_off(read)
    with read.runtime.sessions() as session:
        assert checks.is_open(session, read.portal_id), "the dead process still holds its lease"
        assert checks.waiting(session) == []
    with read.runtime.engine.begin() as connection:
        connection.execute(sa.update(Check).values(lease_until=sa.func.now()))
    with read.runtime.sessions() as session:
        assert checks.waiting(session) == [read.portal_id]
    work_off(read)
    assert {r.status for r in results(read).values()} == {"done"}
    settle(read)
    assert_truth(read)


def test_a_refusal_lets_the_check_wait_and_go_on(read):
    mutate(read, "deal", "delete", won(read)[0]["ID"])
    limit = {"status": 429, "code": "OPERATION_TIME_LIMIT", "times": 50}
    read.demo.fault("error", "crm.item.list", **limit)
    with transaction(read.runtime.sessions) as session:
        checks.request(session, read.portal_id)
    work_off(read)
    found = results(read)
    assert {n for n, r in found.items() if r.status == "done"} == {"contact", "company", "lead"}
    assert "OperationTimeLimit" in found["deal"].reason
    read.demo.clear_faults()
    read.runtime.redis.flushall()
    with read.runtime.engine.begin() as connection:
        connection.execute(sa.update(Check).values(resume_at=sa.func.now()))
    work_off(read)
    assert (results(read)["deal"].status, results(read)["deal"].buried) == ("done", 1)


def test_it_stands_back_while_everything_is_read_anew(read):
    from integration.sync import engine, runs

    with transaction(read.runtime.sessions) as session:
        run = runs.start(session, read.portal_id, full=True)
        checks.request(session, read.portal_id)
    assert not reconcile.run_slice(read.runtime, read.portal_id)
    assert {r.requests for r in results(read).values()} == {0}
    while engine.run_slice(read.runtime, read.portal_id, run.id).more:
        pass
    work_off(read)
    assert {r.status for r in results(read).values()} == {"done"}


def test_a_sync_beside_a_check_waits_for_nothing(read, monkeypatch):
    """A check between two of its slices holds no lock and no run."""
    monkeypatch.setattr(reconcile, "PAGES_PER_LOOK", 1)
    with transaction(read.runtime.sessions) as session:
        checks.request(session, read.portal_id)
    reconcile.run_slice(read.runtime, read.portal_id, 0.0001)
    began = time.monotonic()
    assert read.sync().status == "done"
    assert time.monotonic() - began < 10
    work_off(read)
    assert {r.status for r in results(read).values()} == {"done"}
