"""The waterfall: its steps add up, and it tells before the launch what is written down at it."""

from __future__ import annotations

import random

import pytest
import sqlalchemy as sa
from support.mail_people import People

from core.clock import utcnow
from mailings.consent import suppressions
from mailings.models import Delivery, Mailing, Offer, PromoCode
from mailings.planning import plan as planning
from mailings.planning import waterfall
from mailings.planning.audiences import NoAudience
from mailings.rules.states import SkipReason

REASONS = ("unsubscribed", "complained", "bounced", "manual", "paused")


def crowd(people, number=60, seed=1):
    """People of every fate, some sharing addresses."""
    pick = random.Random(seed)
    for _ in range(number):
        kind = pick.choice(["contact", "contact", "company", "lead"])
        emails = [
            pick.choice([None, f"p{pick.randrange(number)}@example.com"])
            for _ in range(pick.choice([0, 1, 1, 1, 2]))
        ]
        people.card(*emails, kind=kind, consent=pick.random() < 0.7)
    for each in range(0, number, 7):
        people.says(f"p{each}@example.com", given=False, at=utcnow())
    for each, reason in zip(range(3, number, 9), REASONS * 9, strict=False):
        suppressions.suppress(
            people.session, people.id, "email", f"p{each}@example.com", reason, source="x"
        )
    return people


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_it_tells_before_the_launch_what_is_written_down_at_it(session, seed):
    people = crowd(People(session), seed=seed)
    offer = Offer(portal_id=people.id, kind="new", name="Скидка")
    session.add(offer)
    session.flush()
    for code in range(5):
        session.add(PromoCode(portal_id=people.id, offer_id=offer.id, code=f"C{code}"))
    mailing = people.mailing(plan={"control_percent": 20}, offer_id=offer.id)
    before = waterfall.preview(session, people.id, mailing)
    behind = {step.key: names(people, mailing, step.key) for step in before}
    planning.plan(session, mailing)
    assert waterfall.preview(session, people.id, mailing) == before
    assert {step.key: names(people, mailing, step.key) for step in before} == behind

    left = before.matched
    for step in before:
        assert step.left == left - step.lost
        left = step.left
    assert left == before.gets
    rows = people.deliveries(mailing)
    assert before.matched == len(rows) == mailing.size
    assert before.gets == sum(row.state == "pending" for row in rows)
    for reason in SkipReason:
        assert before.lost(reason) == sum(row.reason == reason for row in rows), reason
    assert before.lost("held") == sum(row.state == "held" for row in rows)
    assert before.lost("no_code") > 0


def names(people, mailing, key):
    found, page = [], 1
    while some := waterfall.people(people.session, people.id, mailing, key, page=page):
        found += [(person.kind, person.id) for person in some]
        page += 1
    return found


def test_the_people_behind_a_step_are_shown_with_name_and_address_page_by_page(session):
    people = People(session)
    for number in range(60):
        people.card(f"p{number}@example.com", name=f"Имя{number}", consent=number >= 55)
    mailing = people.mailing()
    first = waterfall.people(session, people.id, mailing, "no_consent")
    second = waterfall.people(session, people.id, mailing, "no_consent", page=2)
    assert (len(first), len(second)) == (50, 5)
    assert (first[0].name, first[0].address) == ("Имя0", "p0@example.com")
    assert first[0].path == "/crm/contact/details/1/"
    assert len(waterfall.people(session, people.id, mailing, "left")) == 5
    with pytest.raises(ValueError, match="nothing"):
        waterfall.people(session, people.id, mailing, "nothing")


def test_it_is_there_for_a_mailing_that_is_not_stored_yet(session):
    people = People(session)
    people.card("anna@example.com")
    draft = Mailing(
        portal_id=people.id, channel="email", topic="offers", segment_id=people.segment.id
    )
    assert waterfall.preview(session, people.id, draft).gets == 1
    with pytest.raises(NoAudience):
        waterfall.preview(session, people.id, Mailing(portal_id=people.id, channel="email"))
    with pytest.raises(LookupError):
        waterfall.preview(session, people.id + 1, draft)


def test_after_the_launch_it_tells_of_the_deliveries_whatever_the_segment_selects_now(session):
    people = People(session)
    people.card("anna@example.com")
    mailing = people.mailing()
    planning.plan(session, mailing)
    people.card("boris@example.com")
    assert waterfall.preview(session, people.id, mailing).matched == 1
    session.execute(
        sa.update(Delivery)
        .where(Delivery.portal_id == people.id)
        .values(state="skipped", reason="suppressed")
    )
    after = waterfall.preview(session, people.id, mailing)
    assert (after.gets, after.lost("suppressed")) == (0, 1)
