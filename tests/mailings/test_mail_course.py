"""How a mailing went in time: numbers that only grow, steps that fit the time it took, people only."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from support.mail_results import MailPortal

from mailings.models import Delivery
from mailings.results.course import POINTS, course

START = datetime(2026, 3, 2, 9, 58, tzinfo=UTC)
MOSCOW = 180


@pytest.fixture
def portal(session):
    return MailPortal(session)


def delivered(portal, mailing, number, **moments):
    row = Delivery(
        portal_id=portal.id, mailing_id=mailing.id, kind="contact", client_id=number,
        channel="email", state="sent", **moments,
    )  # fmt: skip
    portal.session.add(row)
    portal.session.flush()


def minutes(number):
    return START + timedelta(minutes=number)


def test_a_mailing_of_an_hour_is_told_by_ten_minutes(session, portal):
    mailing, other = portal.mailing(), portal.mailing()
    delivered(
        portal,
        mailing,
        1,
        sent_at=minutes(0),
        human_opened_at=minutes(4),
        human_clicked_at=minutes(55),
    )
    delivered(portal, mailing, 2, sent_at=minutes(1), human_opened_at=minutes(31))
    delivered(portal, mailing, 3, sent_at=minutes(13))
    delivered(portal, other, 4, sent_at=minutes(5), human_opened_at=minutes(6))
    found = course(session, mailing, MOSCOW)
    assert found.step == timedelta(minutes=10)
    assert found.at[0] == datetime(2026, 3, 2, 9, 50, tzinfo=UTC)
    assert found.reached == {
        "sent": [2, 2, 3, 3, 3, 3, 3],
        "opened": [0, 1, 1, 2, 2, 2, 2],
        "clicked": [0, 0, 0, 0, 0, 0, 1],
    }


def test_what_programs_opened_and_nobody_did_is_left_out(session, portal):
    mailing = portal.mailing()
    delivered(portal, mailing, 1, sent_at=minutes(0), opened_at=minutes(30))
    assert set(course(session, mailing, MOSCOW).reached) == {"sent"}


def test_days_begin_at_midnight_of_the_portal(session, portal):
    mailing = portal.mailing()
    delivered(portal, mailing, 1, sent_at=minutes(0), replied_at=START + timedelta(days=20))
    found = course(session, mailing, MOSCOW)
    assert found.step == timedelta(days=1)
    assert found.at[0] == datetime(2026, 3, 1, 21, tzinfo=UTC)
    assert found.reached["replied"][-2:] == [0, 1]


@pytest.mark.parametrize("hours", [1, 7, 30, 200, 1000, 7000])
def test_there_are_never_too_many_points(session, portal, hours):
    mailing = portal.mailing()
    delivered(portal, mailing, 1, sent_at=minutes(0), replied_at=START + timedelta(hours=hours))
    found = course(session, mailing, 0)
    assert 2 <= len(found.at) <= POINTS
    assert found.at[-1] <= START + timedelta(hours=hours) < found.at[-1] + found.step


def test_before_the_first_message_there_is_nothing_to_tell(session, portal):
    assert course(session, portal.mailing(), MOSCOW) is None
