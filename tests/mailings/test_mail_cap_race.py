"""Two mailings at one client in the same moment: the cap lets one of them through, the other waits and is judged anew."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

import pytest
import sqlalchemy as sa
from support.mail_sending import Outbox, due_now, states

from core.clock import utcnow
from core.database import transaction
from mailings.channels.base import Outcome, SendResult
from mailings.consent import settings as rules
from mailings.consent.settings import Rules
from mailings.models import Delivery
from mailings.planning.eligibility import BUSY
from mailings.sending import claiming, outcomes
from mailings.sending.keeper import Keeper
from mailings.sending.outcomes import Ended

CLIENTS = 8
TAKEN = SendResult(Outcome.SENT, 250, "2.0.0", "Ok")


@pytest.fixture
def pair(live_sessions):
    """Two mailings to the same clients of a portal that allows one message a week."""

    def made(**plan):
        with transaction(live_sessions) as session:
            outbox = Outbox(session)
            found = rules.rules_of(session, outbox.id).as_json()
            capped = Rules.read({**found, "caps": [{"days": 7, "number": 1}]})
            rules.change(session, outbox.id, capped, 1, confirmation="these are our clients")
            mailings = []
            for _ in range(2):
                outbox.numbers = 0
                mailings.append(outbox.mailing(CLIENTS, plan=plan))
        return outbox, mailings

    return made


def claimed(sessions, outbox, mailing):
    with transaction(sessions) as session:
        outbox.session = session
        running = outbox.running(mailing)
        return running, claiming.claim(session, running, outbox.server, CLIENTS, utcnow())


def asked_at_once(sessions, hands):
    """Every mailing's letters at the gate of a sender of its own, all in the same moment: what passed."""
    keepers = [Keeper(sessions, lambda _: None) for _ in hands]
    for keeper in keepers:
        keeper.start()
    with ThreadPoolExecutor(len(hands) * CLIENTS) as threads:
        asked = [
            threads.submit(keeper.ask, row, running)
            for keeper, (running, rows) in zip(keepers, hands, strict=True)
            for row in rows
        ]
        answers = [each.result() for each in asked]
    for keeper in keepers:
        keeper.close()
    return [each.row for each in answers if each.passed]


@pytest.mark.parametrize("plan", [{}, {"queue_when_capped": True}])
def test_no_client_gets_two(pair, live_sessions, plan):
    outbox, mailings = pair(**plan)
    passed = asked_at_once(
        live_sessions, [claimed(live_sessions, outbox, mailing) for mailing in mailings]
    )
    assert sorted(row.client_id for row in passed) == list(range(1, CLIENTS + 1))
    waiting = sa.select(Delivery.next_try_at - sa.func.now()).where(Delivery.state == "pending")
    with live_sessions() as session:
        waits = session.scalars(waiting).all()
    assert len(waits) == CLIENTS
    assert all(timedelta(0) < wait <= BUSY for wait in waits)

    with transaction(live_sessions) as session:
        outcomes.write(session, [Ended(row, TAKEN, passed=True) for row in passed])
        due_now(session)
    for mailing in mailings:
        assert claimed(live_sessions, outbox, mailing)[1] == []
    with live_sessions() as session:
        found = [states(session, mailing) for mailing in mailings]
    assert sum(each.get("sent", 0) for each in found) == CLIENTS
    assert sum(each.get("pending" if plan else "skipped", 0) for each in found) == CLIENTS


def test_who_was_waited_for_in_vain_makes_room(pair, live_sessions):
    outbox, (first, second) = pair()
    passed = asked_at_once(live_sessions, [claimed(live_sessions, outbox, first)])
    assert len(passed) == CLIENTS
    assert asked_at_once(live_sessions, [claimed(live_sessions, outbox, second)]) == []
    refused = SendResult(Outcome.FAILED, 550, "5.7.1", "no")
    with transaction(live_sessions) as session:
        outcomes.write(session, [Ended(row, refused, passed=True) for row in passed])
        due_now(session)
    assert len(asked_at_once(live_sessions, [claimed(live_sessions, outbox, second)])) == CLIENTS
