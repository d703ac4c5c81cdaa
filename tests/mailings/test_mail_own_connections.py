"""What is said at once is there as a whole or not at all, whatever goes wrong while it is being said."""

from __future__ import annotations

import pytest
import sqlalchemy as sa
from psycopg.errors import DivisionByZero

from mailings.sending.own_connections import OwnConnections

SAY = "INSERT INTO ticker_slots (name, slot, fired_at) VALUES (%(name)s, 1, now())"


def names(sessions):
    with sessions() as session:
        return set(session.scalars(sa.text("SELECT name FROM ticker_slots")))


def say(own, *statements, wrong=False):
    with own.quickly() as said:
        for text, *values in statements:
            said.say(text, *values)
        if wrong:
            raise ZeroDivisionError


def test_a_block_that_ends_well_is_committed_and_one_that_does_not_leaves_nothing(live_sessions):
    own = OwnConnections(live_sessions)
    say(own, (SAY, {"name": "first"}), (SAY, {"name": "second"}))
    with pytest.raises(ZeroDivisionError):
        say(own, (SAY, {"name": "third"}), ("SELECT 1",), wrong=True)
    with pytest.raises(DivisionByZero):
        say(own, (SAY, {"name": "fourth"}), ("SELECT 1 / 0",))
    say(own, (SAY, {"name": "fifth"}))
    own.hang_up()
    assert names(live_sessions) == {"first", "second", "fifth"}
