"""Where a client stands and what to do next: told from what is on record, done with one button."""

from __future__ import annotations

from datetime import timedelta
from decimal import Decimal

import pytest
from support.mail_people import People
from support.settings_page import plain
from support.world import read

from core.clock import utcnow
from core.database import transaction
from insights.rules.advice import OFFERS, Act, Standing, advice
from insights.rules.rhythm import Rhythm
from insights.tab import actions, card, profile
from integration.mirror import Deal
from mailings.consent import suppressions
from mailings.models import Offer
from segments.models import ClientMetrics
from segments.rules import lifecycle
from segments.saved import Segment, SegmentStay
from segments.scoring import scores
from segments.worth.explain import Client

TODAY = utcnow().date()
ADMIN = 1


@pytest.mark.parametrize(
    ("standing", "act"),
    [
        (Standing(lifecycle.PROSPECT, "new_without_orders", None), Act.FIRST),
        (Standing(lifecycle.NEVER_BOUGHT, "lost_without_orders", None), Act.FIRST),
        (Standing(lifecycle.NEW, "newcomers", None), Act.ADD),
        (Standing(lifecycle.AWAITED, "fading", None), Act.SECOND),
        (Standing(lifecycle.ACTIVE, "best", Rhythm.USUAL), Act.RECOMMEND),
        (Standing(lifecycle.ACTIVE, "regulars", Rhythm.USUAL), Act.GROW),
        (Standing(lifecycle.ACTIVE, "best", Rhythm.LATE), Act.DUE),
        (Standing(lifecycle.COOLING, "attention", None), Act.DUE),
        (Standing(lifecycle.COOLING, "cannot_lose", Rhythm.LOST), Act.CALL),
        (Standing(lifecycle.SLEEPING, "sleeping", Rhythm.LOST), Act.RETURN),
        (Standing(lifecycle.LOST, "lost", None), Act.FAREWELL),
        (Standing(lifecycle.LOST, "lost", None, above=0.5), Act.FAREWELL),
        (Standing(lifecycle.LOST, "lost", None, above=0.99), Act.CALL),
        (Standing(lifecycle.ACTIVE, "regulars", Rhythm.USUAL, above=0.99), Act.GROW),
        (Standing(lifecycle.LOST, "lost", None, open_deals=1), Act.FINISH),
        (Standing(None, None, None), None),
    ],
)
def test_one_thing_is_proposed(standing, act):
    assert advice(standing) is act
    assert act is None or act in OFFERS


@pytest.fixture
def people(session):
    return People(session, last_sync_at=utcnow(), utc_offset_minutes=0)


def bought(people, number, ltv, *, sales=1, days_ago=10, gap=None):
    people.session.add(
        ClientMetrics(
            portal_id=people.id, kind="contact", client_id=number, ltv=Decimal(ltv), sales=sales,
            average_check=Decimal(ltv) / sales, first_sale_on=TODAY - timedelta(days=days_ago),
            last_sale_on=TODAY - timedelta(days=days_ago), mean_gap_days=gap,
        )
    )  # fmt: skip
    people.session.flush()


def profile_of(people, number=1):
    found = card.read(people.session, people.id, Client.named(f"contact:{number}"))
    return profile.read(people.session, people.id, found)


def test_the_place_is_the_share_of_buyers_with_less(people, session):
    for number in range(1, 201):
        people.card(number=number)
        bought(people, number, number * 100)
    assert profile_of(people, 200).above is None, "nobody was compared yet"
    scores.compute_all(session, people.id)
    assert profile_of(people, 200).above == pytest.approx(0.99)
    assert profile_of(people, 100).above == pytest.approx(0.49, abs=0.011)
    assert profile_of(people, 1).above == 0


def test_the_next_purchase_is_expected_by_the_clients_own_habit(people):
    people.card(number=1)
    bought(people, 1, 3000, sales=3, days_ago=40, gap=Decimal(30))
    found = profile_of(people)
    assert found.next_on == TODAY - timedelta(days=10)
    people.card(number=3)
    bought(people, 3, 3000, sales=3, days_ago=900, gap=Decimal(30))
    assert profile_of(people, 3).next_on is None, "whoever has gone is not waited for"
    people.card(number=2)
    bought(people, 2, 1000)
    assert profile_of(people, 2).next_on is None, "one purchase is no habit"


def test_offers_at_hand_serve_the_act_and_are_in_force(people, session):
    people.card(number=1)
    for name, kind, till, archived in (
        ("Первый заказ", "new", "", None),
        ("Уже прошло", "new", "2020-01-01", None),
        ("Убрано", "new", "", utcnow()),
        ("Вернитесь", "win_back", "", None),
        ("Памятка", "lead_magnet", (TODAY + timedelta(days=1)).isoformat(), None),
    ):
        content = {"valid_till": till} if till else {}
        session.add(
            Offer(portal_id=people.id, name=name, kind=kind, content=content, archived_at=archived)
        )
    session.flush()
    found = profile_of(people)
    assert found.proposal.act is Act.FIRST
    assert [offer.name for offer in found.proposal.offers] == ["Первый заказ", "Памятка"]


def test_a_deal_in_progress_goes_before_any_offer(people, session):
    people.card(number=1)
    session.add(Deal(portal_id=people.id, bitrix_id=5, contact_id=1, stage_semantic="P"))
    session.flush()
    found = profile_of(people)
    assert found.open_deals == 1
    assert (found.proposal.act, found.proposal.offers) == (Act.FINISH, ())


def test_what_an_employee_stopped_an_employee_allows_and_no_more(people, session):
    client = Client.named("contact:1")
    people.card("yes@example.com", "no@example.com", number=1, consent=False)
    people.says("yes@example.com")
    people.says("no@example.com", given=False)
    before = {each.address: each.allowed for each in profile.reach(session, people.id, client)}
    assert before == {"yes@example.com": True, "no@example.com": False}

    assert actions.stop_mailings(session, people.id, client, user_id=7) == 2
    stopped = profile.reach(session, people.id, client)
    assert [each.allowed for each in stopped] == [False, False]
    assert all(each.by_hand for each in stopped)
    assert actions.stop_mailings(session, people.id, client, user_id=7) == 0

    assert actions.allow_mailings(session, people.id, client, user_id=7) == 2
    after = {each.address: each.allowed for each in profile.reach(session, people.id, client)}
    assert after == before, "what the person said himself stands"


def test_what_an_administrator_stopped_nobody_allows_on_the_card(people, session):
    client = Client.named("contact:1")
    people.card("anna@example.com", number=1)
    suppressions.suppress(
        session,
        people.id,
        "email",
        "anna@example.com",
        "manual",
        source="asked by phone",
        actor="user:1",
    )
    assert not profile_of(people).stopped_by_hand, "no button is offered"
    assert actions.allow_mailings(session, people.id, client, user_id=7) == 0
    assert not profile_of(people).reachable


def test_segments_of_the_client_are_named(people, session):
    people.card(number=1)
    put_away = Segment(
        portal_id=people.id, name="Старый список", how="static", archived_at=utcnow()
    )
    session.add(put_away)
    session.flush()
    session.add(
        SegmentStay(portal_id=people.id, segment_id=put_away.id, kind="contact", member_id=1,
                    entered_at=utcnow(), entered_by="hand")
    )  # fmt: skip
    session.flush()
    assert [stay.name for stay in profile_of(people).segments] == ["Все"]


def test_the_proposal_becomes_a_to_do_of_whoever_looks_at_the_card(world):
    world.reach(read)
    world.set_rule(pipelines=(0, 1))
    world.count()
    with transaction(world.runtime.sessions) as session:
        scores.compute_all(session, world.portal_id)
    opened = world.open(ADMIN, placement="CRM_CONTACT_DETAIL_TAB", options={"ID": "1"})
    headers = {"Authorization": f"Bearer {opened.headers['X-Session']}"}
    assert 'hx-get="/card/profile?client=contact:1"' in opened.get_data(as_text=True)
    shown = world.browser.get("/card/profile?client=contact:1", headers=headers)
    assert shown.status_code == 200
    assert "Поставить дело" in plain(shown.get_data(as_text=True))

    done = world.browser.post("/card/todo?client=contact:1", headers=headers)
    assert done.status_code == 200
    assert "Дело на карточке" in plain(done.get_data(as_text=True))
    todos = [
        row for row in world.rows("activity")
        if row["PROVIDER_ID"] == "CRM_TODO" and (row["OWNER_TYPE_ID"], row["OWNER_ID"]) == (3, 1)
    ]  # fmt: skip
    assert len(todos) == 1
    assert int(todos[0]["RESPONSIBLE_ID"]) == ADMIN
    assert todos[0]["SUBJECT"]

    world.demo.fault("error", "crm.activity.todo.add", status=400, code="ERROR_CORE")
    refused = world.browser.post("/card/todo?client=contact:1", headers=headers)
    assert refused.status_code == 422
    assert "не принял дело" in plain(refused.get_data(as_text=True))
    assert world.browser.post("/card/todo?client=contact:2", headers=headers).status_code == 403
