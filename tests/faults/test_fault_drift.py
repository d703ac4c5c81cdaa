"""Rows 13, 25 and 26: changes at the boundary and during a run, other schemas, difficult texts."""

from __future__ import annotations

import random
import string
from dataclasses import replace

import pytest
import sqlalchemy as sa
from support.drift import Drifting
from support.trouble import assert_as_without_faults, finish, write_all
from support.truths import assert_truth, mirror_of

from core import runtime
from integration.mirror import Address, Company, Contact, CustomField, Deal
from integration.models import QuarantinedRow, SyncCursor
from segments.writing.writeback import last_run

LONG = "".join(random.Random(1).choices(string.ascii_letters + string.digits, k=64 * 1024))
SOLD = {"stageSemanticId": "S", "contactId": 2, "contactIds": [2], "currencyId": LONG}
UNREADABLE = {
    "crm.contact.list": [
        {"BIRTHDATE": "0000-00-00"},
        {"DATE_CREATE": "yesterday"},
        {"DATE_MODIFY": "2026-01-01T00:00:00"},
        {"ASSIGNED_BY_ID": "nobody"},
        {"COMPANY_ID": [7]},
        {"PHONE": "+7 495 000-00-01"},
        {"EMAIL": [None]},
        {"BIRTHDATE": "0001-01-01T00:00:00+03:00"},
    ],
    "crm.company.list": [{"REVENUE": "∞"}, {"REVENUE": 1e300}],
    "crm.lead.list": [{"DATE_CLOSED": 12345}, {"OPPORTUNITY": "a lot"}],
    "crm.item.list": [
        {"categoryId": "general"},
        {"categoryId": 2**40},
        {"opportunity": {"amount": 5}},
        {"contactIds": [None]},
        {"contactIds": 7},
        {"closedate": "0001-01-01T00:00:00+03:00"},
        {"contactId": "x"},
        SOLD,
    ],
    "crm.stagehistory.list": [
        {"CREATED_TIME": None},
        {"TYPE_ID": 2**20},
        {"OWNER_ID": None},
        {"CATEGORY_ID": "x"},
    ],
    "crm.activity.list": [
        {"OWNER_ID": None},
        {"DIRECTION": 2**20},
        {"TYPE_ID": 2**40},
        {"CREATED": "soon"},
    ],
}
HARMLESS = {
    "crm.contact.list": [
        {"OPENED": None, "UTM_SOURCE": None},
        {"NAME": LONG},
        {"IM": [{"VALUE": LONG}]},
    ],
    "crm.company.list": [{"REVENUE": None, "TITLE": LONG}, {"WEB": [{"VALUE": LONG}]}],
    "crm.item.list": [
        {"title": None, "opportunity": None},
        {"title": LONG},
    ],
    "crm.activity.list": [{"SUBJECT": LONG, "DIRECTION": None}],
}
TABLES = {
    "crm.contact.list": ("contact", "contacts"),
    "crm.company.list": ("company", "companies"),
    "crm.lead.list": ("lead", "leads"),
    "crm.item.list": ("deal", "deals"),
    "crm.activity.list": ("activity", None),
    "crm.stagehistory.list": ("stagehistory", None),
}


def drifting(world, changes, after=None):
    world.runtime = replace(world.runtime, http=Drifting(world.runtime.http, changes, after))
    runtime.install(world.runtime)


def settled(world):
    """The drift is over."""
    world.runtime = replace(world.runtime, http=world.runtime.http._http)
    runtime.install(world.runtime)


def spread(world, changes):
    """Each change to another row, from the second half of the table."""
    spread_out = {}
    for method, listed in changes.items():
        ids = [row["ID"] for row in world.rows(TABLES[method][0])]
        spread_out[method] = dict(zip(ids[len(ids) // 2 :], listed, strict=False))
    return spread_out


def quarantined(world):
    with world.runtime.sessions() as session:
        rows = session.scalars(sa.select(QuarantinedRow)).all()
        return {(row.entity, row.bitrix_id): row.reason for row in rows}


def test_rows_of_another_shape_wait_in_quarantine_and_the_run_goes_on(world, fault_free):
    changes = spread(world, UNREADABLE)
    drifting(world, changes)
    assert world.sync().status == "done"
    reasons = quarantined(world)
    found = mirror_of(world)
    for method, by_id in changes.items():
        _, table = TABLES[method]
        for row_id, change in by_id.items():
            kept = [reason for (_, key), reason in reasons.items() if key == str(row_id)]
            assert kept, (method, change)
            assert LONG not in kept[0]
        if table:
            expected = {k: v for k, v in fault_free.mirror[table].items() if k not in by_id}
            assert found[table] == expected, "every other row is there"
    assert len(reasons) >= sum(map(len, changes.values()))
    assert all(reasons.values())

    settled(world)
    assert world.sync(full=True).status == "done"
    assert quarantined(world) == {}, "rows that fit again leave the quarantine"
    finish(world)
    assert_as_without_faults(world, fault_free)


def test_missing_unknown_and_very_long_values_are_only_values(world, fault_free):
    changes = spread(world, HARMLESS)
    drifting(world, changes)
    assert world.sync().status == "done"
    assert quarantined(world) == {}
    with world.runtime.sessions() as session:
        titles = {len(title or "") for title in session.scalars(sa.select(Deal.title))}
    assert len(LONG) in titles
    settled(world)
    world.sync(full=True)
    finish(world)
    assert_as_without_faults(world, fault_free)


def add_field(world, entity, code, kind, **more):
    fields = {"FIELD_NAME": code, "USER_TYPE_ID": kind, "EDIT_FORM_LABEL": code, **more}
    return world.call(f"crm.{entity}.userfield.add", fields=fields)


def custom_of(world, row_id):
    with world.runtime.sessions() as session:
        return session.get_one(Contact, (world.portal_id, row_id)).custom


def test_a_field_that_changes_its_type_or_goes_away(world, fault_free):
    field_id = add_field(world, "contact", "DRIFT", "string")
    person = world.rows("contact")[3]["ID"]
    world.call("crm.contact.update", id=person, fields={"UF_CRM_DRIFT": "twelve"})
    assert world.sync().status == "done"
    assert custom_of(world, person)["UF_CRM_DRIFT"] == "twelve"

    world.call("crm.contact.userfield.delete", id=field_id)
    drifting(world, {"crm.contact.list": {person: {"UF_CRM_DRIFT": "twelve"}}})
    field_id = add_field(world, "contact", "DRIFT", "integer")
    assert world.sync(full=True).status == "done"
    assert "UF_CRM_DRIFT" not in custom_of(world, person)
    assert "UF_CRM_DRIFT: not a whole number" in quarantined(world)["contact", str(person)]

    settled(world)
    drifting(world, {"crm.contact.list": {person: {"UF_CRM_DRIFT": 10**18 * 1e12}}})
    assert world.sync(full=True).status == "done"
    assert "UF_CRM_DRIFT" in quarantined(world)["contact", str(person)]

    settled(world)
    world.call("crm.contact.userfield.delete", id=field_id)
    assert world.sync(full=True).status == "done"
    assert quarantined(world) == {}
    finish(world)
    assert_as_without_faults(world, fault_free, reread=True)


def test_our_own_field_removed_is_named_and_the_others_are_written(world):
    assert world.sync().status == "done"
    world.count()
    for entity in ("contact", "company"):
        rows = world.call(f"crm.{entity}.userfield.list")
        gone = next(r["ID"] for r in rows if r["FIELD_NAME"] == "UF_CRM_RUBILNIK_AVERAGE_CHECK")
        world.call(f"crm.{entity}.userfield.delete", id=gone)
    report = world.write()
    assert "UF_CRM_RUBILNIK_AVERAGE_CHECK" in report.reason, "told, not believed"

    assert world.sync().status == "done"
    report = world.write()
    assert report.reason == "missing_fields: UF_CRM_RUBILNIK_AVERAGE_CHECK"
    assert report.failed == 0
    with world.runtime.sessions() as session:
        assert last_run(session, world.portal_id).reason == report.reason
        known = session.scalars(sa.select(CustomField.code)).all()
    assert "UF_CRM_RUBILNIK_AVERAGE_CHECK" not in known
    truth = world.truth()
    for row in world.rows("contact"):
        expected = float(truth["contacts"].get(str(row["ID"]), {"ltv": 0})["ltv"])
        assert float(row["UF_CRM_RUBILNIK_LTV"].partition("|")[0]) == expected


TEXTS = {
    "emoji-rtl": "Анна 🌻👩‍💻 \u202eעברית العربية\u202c",
    "nul": "И\x00ван\x00",
    "long": LONG,
    "marks": "é́́́ <b>'\";--\\ %s {0}\u2028\ufeff\u0001",
}


@pytest.mark.parametrize("name", TEXTS)
def test_difficult_texts_are_stored_as_they_are_but_for_nul(world, name):
    value = TEXTS[name]
    kept = value.replace("\x00", "")
    fields = {"NAME": value, "LAST_NAME": value, "POST": value, "UTM_SOURCE": value}
    contacts = {"IM": [{"VALUE": value, "VALUE_TYPE": "TELEGRAM"}], "WEB": [{"VALUE": value}]}
    person = world.call("crm.contact.add", fields={**fields, **contacts})
    firm = world.call("crm.company.add", fields={"TITLE": value})
    deal = world.call(
        "crm.deal.add",
        fields={
            "TITLE": value,
            "STAGE_ID": "WON",
            "OPPORTUNITY": 500,
            "CURRENCY_ID": "RUB",
            "CONTACT_ID": person,
            "COMPANY_ID": firm,
            "CLOSEDATE": "2026-01-15",
        },
    )
    add_field(world, "contact", "TEXT", "string", EDIT_FORM_LABEL=value[:40])
    items = [{"VALUE": value[:200]}]
    add_field(world, "contact", "CHOICE", "enumeration", LIST=items)
    world.call("crm.contact.update", id=person, fields={"UF_CRM_TEXT": value})
    assert world.sync().status == "done"
    assert quarantined(world) == {}
    with world.runtime.sessions() as session:
        stored = session.get_one(Contact, (world.portal_id, person))
        assert (stored.name, stored.last_name, stored.post) == (kept, kept, kept)
        assert stored.utm == {"source": kept}
        assert stored.custom["UF_CRM_TEXT"] == kept
        assert session.get_one(Company, (world.portal_id, firm)).title == kept
        assert session.get_one(Deal, (world.portal_id, deal)).title == kept
        typed = session.scalars(
            sa.select(Address.value).where(Address.entity == "contact", Address.entity_id == person)
        ).all()
        assert set(typed) == {kept}
    world.count()
    write_all(world)
    assert_truth(world)


def watermark(world, entity):
    with world.runtime.sessions() as session:
        return session.get_one(SyncCursor, (world.portal_id, entity)).watermark_at


def won_deals(world):
    return [row for row in world.rows("deal") if row["STAGE_SEMANTIC_ID"] == "S"][:6]


def test_changes_in_the_second_of_the_boundary_are_found(world):
    finish(world)
    boundary = watermark(world, "deal")
    deals = won_deals(world)
    for number, deal in enumerate(deals):
        world.demo.control(
            "mutate",
            {
                "table": "deal",
                "action": "update",
                "id": deal["ID"],
                "silent": True,
                "fields": {
                    "OPPORTUNITY": 1000.0 + number,
                    "DATE_MODIFY": boundary.replace(microsecond=0).isoformat(),
                },
            },
        )
    assert not world.sync().full
    world.count()
    write_all(world)
    assert_truth(world)


def test_changes_made_during_a_run_are_found_by_the_next(world):
    finish(world)
    deals, seen = won_deals(world), []

    def meddle(method):
        """Somebody works while the portal is being read: after the answer, before the next call."""
        number = len(seen)
        seen.append(method)
        if number < len(deals):
            world.call(
                "crm.deal.update", id=deals[number]["ID"], fields={"OPPORTUNITY": 7000 + number}
            )

    drifting(world, {}, after=meddle)
    world.sync(full=True)
    assert len(seen) > len(deals)
    settled(world)
    world.sync()
    world.count()
    write_all(world)
    assert_truth(world)


def test_a_portal_with_another_clock_loses_no_change(world):
    world.demo.control("clock", {"offset_seconds": -5400})
    finish(world)
    for number, deal in enumerate(won_deals(world)):
        world.call("crm.deal.update", id=deal["ID"], fields={"OPPORTUNITY": 300 + number})
    world.sync()
    world.count()
    write_all(world)
    assert_truth(world)
