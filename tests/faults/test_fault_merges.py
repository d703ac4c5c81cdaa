"""Merged duplicates: the winner's card is right at once, and old links lead to the winner."""

from __future__ import annotations

import pytest
import sqlalchemy as sa
from support.settings_page import plain
from support.trouble import finish, newest, requests, write_all
from support.truths import assert_truth, metrics_of, wanted

from core.queue import Queue
from integration import merged
from integration.mirror import Address, Contact, DealContact
from integration.models import MergedClient

CARD = "CRM_CONTACT_DETAIL_TAB"


@pytest.fixture
def pair(world):
    """Two contacts with deals and addresses of their own, everything settled: (world, winner, loser)."""
    finish(world)
    with world.runtime.sessions() as session:
        reachable = sa.exists().where(
            Address.portal_id == DealContact.portal_id,
            Address.entity == "contact",
            Address.entity_id == DealContact.contact_id,
            Address.normalised.is_not(None),
        )
        one, other = sa.orm.aliased(Address), sa.orm.aliased(Address)
        shared = (
            sa.select(one.entity_id)
            .join(other, (one.normalised == other.normalised) & (one.entity_id != other.entity_id))
            .where(one.entity == "contact", other.entity == "contact")
        )
        rows = session.scalars(
            sa.select(DealContact.contact_id)
            .where(reachable, DealContact.contact_id.not_in(shared))
            .group_by(DealContact.contact_id)
            .order_by(sa.func.count().desc(), DealContact.contact_id)
        )
        winner, loser = list(rows)[:2]
    with world.runtime.engine.begin() as connection:
        connection.execute(sa.text("DELETE FROM expected_echoes"))
    return world, winner, loser


def change(world, contact, **fields):
    order = {"table": "contact", "action": "update", "id": contact, "fields": fields}
    world.demo.control("mutate", order)


def merge(world, winner, loser):
    order = {"table": "contact", "action": "merge", "id": winner, "losers": [loser]}
    world.demo.control("mutate", order)


def tell(world, name, contact):
    event = {
        "event": name,
        "data[FIELDS][ID]": str(contact),
        "auth[member_id]": world.member_id,
        "auth[application_token]": world.keys["application_token"],
    }
    assert world.browser.post("/events", data=event).status_code == 200


def assert_followed(world, winner, loser):
    world.count()
    truth = world.truth()
    assert metrics_of(world, "contact") == wanted(truth["contacts"])
    assert str(winner) in truth["contacts"]
    with world.runtime.sessions() as session:
        found = merged.into(session, world.portal_id, "contact", loser)
        assert session.get_one(Contact, (world.portal_id, loser)).deleted_at is not None
    assert (found.loser_id, found.winner_id) == (loser, winner)


@pytest.mark.parametrize("told", ["ONCRMCONTACTDELETE", "ONCRMCONTACTUPDATE"])
def test_one_event_about_a_merge_moves_the_losers_deals(pair, told):
    world, winner, loser = pair
    world.demo.control("options", {"event_copies": 0, "merge_tells": False})
    merge(world, winner, loser)
    mark = newest(world)
    if told.endswith("DELETE"):
        tell(world, "ONCRMCONTACTUPDATE", winner)
    tell(world, told, loser if told.endswith("DELETE") else winner)
    world.work(Queue.INTERACTIVE)
    assert len(requests(world, since=mark)) <= 8
    assert_followed(world, winner, loser)
    write_all(world)
    assert_truth(world)


def test_without_events_the_next_run_moves_them(pair):
    world, winner, loser = pair
    world.demo.control("options", {"event_copies": 0, "merge_tells": False})
    merge(world, winner, loser)
    assert world.sync().full is False
    assert_followed(world, winner, loser)
    mark = newest(world)
    world.sync()
    assert len(requests(world, since=mark)) <= 6, "nothing is left to look for"


def test_a_duplicate_that_is_only_alike_stays(pair):
    world, winner, loser = pair
    (row,) = (row for row in world.rows("contact") if row["ID"] == winner)
    change(world, loser, PHONE=row.get("PHONE") or [], EMAIL=row.get("EMAIL") or [])
    world.sync()
    with world.runtime.sessions() as session:
        assert session.get_one(Contact, (world.portal_id, loser)).deleted_at is None
        assert merged.into(session, world.portal_id, "contact", loser) is None


def test_old_links_lead_to_the_winner(pair):
    world, winner, loser = pair
    opened = world.open(placement=CARD, options={"ID": str(loser)})
    headers = {"Authorization": f"Bearer {opened.headers['X-Session']}"}
    merge(world, winner, loser)
    world.sync()
    world.count()
    ltv = metrics_of(world, "contact")[winner][0]

    answer = world.open(placement=CARD, options={"ID": str(loser)})
    text = plain(answer.get_data(as_text=True))
    assert answer.status_code == 200
    assert "Эту карточку объединили с другой" in text
    assert f"{ltv:,.2f}".replace(",", "\xa0").replace(".", ",") in text or "LTV" in text
    blind = world.open(10, placement=CARD, options={"ID": str(loser)})
    assert blind.status_code == 403, "who may not see the winner sees nothing of it"

    stale = world.browser.get(f"/card?client=contact:{loser}", headers=headers)
    page = stale.get_data(as_text=True)
    assert "Эту карточку объединили с другой" in page
    assert f'data-open-path="/crm/contact/details/{winner}/"' in page
    assert world.browser.get(f"/card?client=contact:{winner}", headers=headers).status_code == 403

    run = world.app.test_cli_runner().invoke
    done = run(args=["client", "--portal", world.member_id, f"contact:{loser}", "--json"])
    assert done.exit_code == 0, done.output
    assert f'"merged_into":"contact:{winner}"' in done.output
    assert f'"ltv":"{ltv}"' in done.output


def test_a_chain_of_merges_leads_to_its_end_and_a_restored_client_to_itself(pair):
    world, winner, loser = pair
    third = next(row["ID"] for row in world.rows("contact") if row["ID"] not in (winner, loser))
    of = {"portal_id": world.portal_id, "kind": "contact"}
    with world.runtime.sessions.begin() as session:
        for gone, kept in ((loser, third), (third, winner)):
            session.add(MergedClient(**of, loser_id=gone, winner_id=kept))
            row = session.get_one(Contact, (world.portal_id, gone))
            row.deleted_at = sa.func.now()
    with world.runtime.sessions.begin() as session:
        assert merged.into(session, world.portal_id, "contact", loser).winner_id == winner
        session.get_one(Contact, (world.portal_id, third)).deleted_at = None
    with world.runtime.sessions() as session:
        assert merged.into(session, world.portal_id, "contact", loser).winner_id == third
        assert merged.into(session, world.portal_id, "contact", third) is None
