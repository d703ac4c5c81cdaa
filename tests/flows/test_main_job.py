"""The main job from install to the card: mirror, metrics and written fields equal the portal's truth."""

from __future__ import annotations

from datetime import date
from decimal import Decimal

import pytest
import sqlalchemy as sa
from support.truths import assert_cards_hold_truth, metrics_of, wanted
from support.world import read, written

from integration.mirror import Address, Contact, Deal, DealContact
from integration.models import PortalState
from segments.models import ContactMode, DateSource


def test_from_install_to_written_fields(world):
    world.work()
    assert world.progress().status == "done"
    assert {e.entity: e.rows for e in world.progress().entities}["deal"] == len(world.rows("deal"))
    world.set_rule(pipelines=(0, 1))
    world.switch_writing()
    world.count()
    truth = world.truth()
    assert metrics_of(world, "contact") == wanted(truth["contacts"])
    assert metrics_of(world, "company") == wanted(truth["companies"])

    first = world.write()
    assert first.failed == 0
    assert first.written > 0
    assert_cards_hold_truth(world, truth)

    calls = world.demo.counters().get("calls", 0)
    second = world.write()
    assert (second.changed, second.written) == (0, 0)
    assert world.demo.counters().get("calls", 0) == calls, "an unchanged second run sends nothing"


@pytest.mark.parametrize(
    ("source", "mode", "named"),
    [
        (DateSource.MOVED, ContactMode.PRIMARY, {"date_source": "moved"}),
        (DateSource.HISTORY, ContactMode.PRIMARY, {"date_source": "history"}),
        (DateSource.CLOSED, ContactMode.SPLIT, {"multi_contact": "split"}),
        (DateSource.CLOSED, ContactMode.FULL, {"multi_contact": "full"}),
    ],
)
def test_every_choice_of_the_sale_rule_matches_the_truth(world, source, mode, named):
    world.reach(read)
    world.set_rule(pipelines=(0, 1), date_source=source, contact_mode=mode)
    world.count()
    truth = world.truth(**named)
    assert metrics_of(world, "contact") == wanted(truth["contacts"])
    assert metrics_of(world, "company") == wanted(truth["companies"])


def test_the_mirror_holds_what_the_portal_holds(world):
    world.work()
    with world.runtime.sessions() as session:
        deals = session.scalars(sa.select(Deal).where(Deal.portal_id == world.portal_id)).all()
        links = session.execute(
            sa.select(DealContact.deal_id, DealContact.contact_id)
            .where(DealContact.portal_id == world.portal_id)
            .order_by(DealContact.deal_id, DealContact.position)
        ).all()
    rows = {row["ID"]: row for row in world.rows("deal")}
    assert {deal.bitrix_id for deal in deals} == set(rows)
    for deal in deals:
        row = rows[deal.bitrix_id]
        assert deal.opportunity == Decimal(str(row["OPPORTUNITY"] or 0)).quantize(Decimal("0.01"))
        assert deal.stage_id == row["STAGE_ID"]
        assert (deal.contact_id or 0) == (row.get("CONTACT_ID") or 0)
        assert (deal.company_id or 0) == (row.get("COMPANY_ID") or 0)
        closed = row.get("CLOSEDATE")
        assert deal.closed_on == (date.fromisoformat(closed) if closed else None)
        mirrored = [contact for owner, contact in links if owner == deal.bitrix_id]
        assert mirrored == list(row.get("CONTACT_IDS") or [])


def test_addresses_are_normalised_and_the_typed_value_is_kept(world):
    world.reach(read)
    with world.runtime.sessions() as session:
        found = session.scalars(
            sa.select(Address).where(
                Address.portal_id == world.portal_id, Address.entity == "contact"
            )
        ).all()
    typed = {
        (row["ID"], entry["VALUE"].replace("\x00", ""))
        for row in world.rows("contact")
        for name in ("PHONE", "EMAIL", "IM", "WEB")
        for entry in row.get(name) or ()
        if entry["VALUE"].replace("\x00", "")
    }
    assert {(row.entity_id, row.value) for row in found} == typed
    phones = [row for row in found if row.kind == "phone" and row.normalised]
    assert phones
    assert all(row.normalised.startswith("+") for row in phones)
    emails = [row for row in found if row.kind == "email" and row.normalised]
    assert emails
    assert all(row.normalised.isascii() or "@" in row.normalised for row in emails)
    assert all(row.problem for row in found if row.normalised is None)


def test_installing_again_changes_nothing(world):
    def seen():
        placements = world.demo.control("")["apps"][0]["placements"]
        return world.call("crm.contact.userfield.list"), sorted(placements)

    before = seen()
    world.install()
    assert seen() == before
    assert {f"CRM_{card}_DETAIL_TAB" for card in ("CONTACT", "COMPANY", "DEAL", "LEAD")} <= {
        *before[1]
    }


def test_uninstalling_keeps_data_and_ends_access(world):
    world.reach(read)
    frame = world.frame()
    event = {
        "event": "ONAPPUNINSTALL",
        "data[LANGUAGE_ID]": "ru",
        "data[CLEAN]": "0",
        "auth[member_id]": world.member_id,
        "auth[application_token]": "wrong",
    }
    assert world.browser.post("/events", data=event).status_code == 403
    assert world.portal.state == PortalState.ACTIVE
    event["auth[application_token]"] = world.keys["application_token"]
    world.demo.control(f"apps/{world.keys['client_id']}/uninstall", {})
    assert world.browser.post("/events", data=event).status_code == 200
    world.work()
    assert world.portal.state == PortalState.UNINSTALLED
    with world.runtime.sessions() as session:
        kept = session.scalar(sa.select(sa.func.count()).select_from(Contact))
    assert kept
    assert world.post({**frame, "url": frame["url"].replace("/install", "/")}).status_code == 403


def test_a_change_on_the_portal_reaches_the_card_by_its_event(world):
    world.reach(written)
    deal = next(
        row for row in world.rows("deal")
        if row["STAGE_SEMANTIC_ID"] == "P" and row["CATEGORY_ID"] == 0 and row.get("CONTACT_ID")
    )  # fmt: skip
    world.call("crm.deal.update", id=deal["ID"], fields={"STAGE_ID": "WON", "OPPORTUNITY": 70000})
    event = {
        "event": "ONCRMDEALUPDATE",
        "data[FIELDS][ID]": str(deal["ID"]),
        "auth[member_id]": world.member_id,
        "auth[application_token]": world.keys["application_token"],
    }
    for _ in range(3):
        assert world.browser.post("/events", data=event).status_code == 200
    world.work()
    world.count()
    world.write()
    assert_cards_hold_truth(world, world.truth())


def test_an_incremental_run_finds_every_change_without_events(world):
    world.reach(written)
    deals = [row for row in world.rows("deal") if row["CATEGORY_ID"] in (0, 1)][:12]
    for number, deal in enumerate(deals):
        stage = ("WON", "LOSE")[number % 2]
        stage = stage if deal["CATEGORY_ID"] == 0 else f"C{deal['CATEGORY_ID']}:{stage}"
        world.call(
            "crm.deal.update",
            id=deal["ID"],
            fields={"STAGE_ID": stage, "OPPORTUNITY": 1000 + number},
        )
    progress = world.sync()
    assert not progress.full
    world.count()
    world.write()
    truth = world.truth()
    assert metrics_of(world, "contact") == wanted(truth["contacts"])
    assert_cards_hold_truth(world, truth)
