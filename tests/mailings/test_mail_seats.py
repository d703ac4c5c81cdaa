"""A server's connections among several senders: never more than it allows, shared equally, taken back from the dead."""

from __future__ import annotations

from datetime import timedelta

import pytest
import sqlalchemy as sa
from support.mail_sending import Outbox

from mailings.models import Pace
from mailings.sending.seats import FORGOTTEN_AFTER, Seats, Want


@pytest.fixture
def ask(session):
    outbox = Outbox(session)
    key = (outbox.id, outbox.server.id)

    def ask(seats, held, most=10, **more):
        return seats.share_out(session, {key: Want(most, held, **more)})[key]

    return ask


def test_one_alone_has_all_and_gives_half_to_the_next(ask):
    first, second = Seats(), Seats()
    assert ask(first, 0) == 10
    assert ask(second, 0) == 0, "all of them are taken"
    assert ask(first, 10) == 5, "two want them"
    assert ask(second, 0) == 0, "their letters have not ended"
    assert ask(first, 7) == 5
    assert ask(second, 0) == 3
    assert ask(first, 5) == 5
    assert ask(second, 3) == 5


def test_odd_ones_and_too_many_senders(ask):
    senders = [Seats() for _ in range(4)]
    for _ in range(2):
        shares = [ask(each, 0, most=3) for each in senders]
    assert sorted(shares) == [0, 1, 1, 1]
    assert sorted(ask(each, 0, most=6) for each in senders)[0] >= 1


def test_who_has_nothing_to_send_leaves_his_share(ask, session):
    first, second = Seats(), Seats()
    ask(first, 0)
    ask(second, 0)
    assert ask(first, 2, working=False) == 0
    assert ask(second, 0) == 5
    first.share_out(session, {})
    assert ask(second, 5) == 10
    second.leave(session)
    assert session.scalars(sa.select(Pace.key).where(Pace.key.startswith("seats:"))).all() == []


def test_the_dead_are_forgotten(ask, session):
    dead, living = Seats(), Seats()
    ask(dead, 10)
    assert ask(living, 0) == 0
    long_ago = sa.func.now() - FORGOTTEN_AFTER - timedelta(seconds=1)
    session.execute(sa.update(Pace).values(counted_at=long_ago))
    assert ask(living, 0) == 10
