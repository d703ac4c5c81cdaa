"""Pages listen to mailings and to the portal's health: whoever may look at them, and only when there is news."""

from __future__ import annotations

from datetime import timedelta

import pytest
import sqlalchemy as sa
from support.mail_results import MailPortal

from core.clock import utcnow
from core.web.session import Viewer
from insights import live_topics
from integration.models import Portal, Trouble
from integration.sync import runs
from mailings.models import Delivery
from mailings.rules.events import EventKind


@pytest.fixture
def crm(session):
    return MailPortal(session)


@pytest.fixture
def stand(crm):
    """How a topic stands now, for somebody with these rights."""

    def look(topic, of="", *, portal_id=crm.id, is_admin=False, rights=("write",)):
        viewer = Viewer(
            *(portal_id, 1, is_admin, "ru", "DEFAULT", None, utcnow()), rights=tuple(rights)
        )
        crm.session.flush()
        return getattr(live_topics, f"_{topic}")(crm.session, viewer, str(of))

    return look


def leave(crm, mailing, number):
    """So many letters leave, the first due ones first."""
    first = (
        sa.select(Delivery.id)
        .where(Delivery.mailing_id == mailing.id, Delivery.state == "pending")
        .order_by(Delivery.next_try_at, Delivery.id)
        .limit(number)
    )
    crm.session.execute(
        sa.update(Delivery).where(Delivery.id.in_(first)).values(state="sent", sent_at=utcnow())
    )


def changes(look, act):
    before = look()
    act()
    return look() != before


def test_a_mailing_is_told_of_when_letters_leave_and_when_it_is_steered(crm, stand):
    mailing = crm.mailing(state="running", size=100)
    crm.crowd(mailing, 100, state="pending", next_try_at=utcnow())

    for look in (lambda: stand("mailing", mailing.id), lambda: stand("mailings")):
        assert not changes(look, lambda: None)
        assert changes(look, lambda: leave(crm, mailing, 3))
        assert changes(look, lambda: setattr(mailing, "state", "paused"))
        mailing.state = "running"


def test_a_large_mailing_is_told_of_by_noticeable_shares(crm, stand):
    mailing = crm.mailing(state="running", size=1000)
    crm.crowd(mailing, 1000, state="pending", next_try_at=utcnow())
    told = 0
    for _ in range(20):
        told += changes(lambda: stand("mailing", mailing.id), lambda: leave(crm, mailing, 1))
    assert 3 <= told <= 5, "by fives: each time all of its messages are counted"


def test_reactions_are_told_of_by_the_minute_and_the_last_of_them_too(crm, stand, monkeypatch):
    mailing = crm.mailing()
    delivery = crm.delivery(mailing)
    at = utcnow().replace(second=10)
    clock = [at]
    monkeypatch.setattr("mailings.results.moving.utcnow", lambda: clock[0])

    def opened(seconds):
        clock[0] = at + timedelta(seconds=seconds)
        crm.event(delivery, EventKind.OPENED, clock[0])

    def passes(seconds):
        clock[0] = at + timedelta(seconds=seconds)

    def look():
        return stand("mailing", mailing.id)

    assert changes(look, lambda: opened(0))
    assert not changes(look, lambda: opened(20))
    assert changes(look, lambda: passes(85)), "the second one has not been shown yet"
    assert not changes(look, lambda: passes(3600))


def test_health_is_told_of_when_something_happens_to_the_connection(crm, stand):
    def look():
        return stand("health", is_admin=True)

    def trouble():
        crm.session.add(Trouble(portal_id=crm.id, code="access_lost", since=utcnow()))

    assert not changes(look, lambda: None)
    assert changes(look, lambda: runs.start(crm.session, crm.id, full=True))
    assert changes(look, trouble)
    portal = crm.session.get_one(Portal, crm.id)
    assert changes(look, lambda: setattr(portal, "state_reason", "silent"))


def test_nobody_hears_what_he_may_not_see(crm, stand):
    mailing = crm.mailing(state="running")
    stranger = MailPortal(crm.session)
    for topic in ("mailing", "mailings", "health"):
        assert stand(topic, mailing.id, rights=()) is None, topic
    assert stand("health") is None, "whoever writes is no administrator"
    assert stand("mailing", mailing.id, portal_id=stranger.id) is None
    assert stand("mailings", portal_id=stranger.id) == []
    for nonsense in ("", "x", "9" * 19, "-1", "٣"):
        assert stand("mailing", nonsense) is None
