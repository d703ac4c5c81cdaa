"""Mailings held after the database was put back: what is held, what there is to choose, and what each choice does."""

from __future__ import annotations

from datetime import timedelta

import pytest
import sqlalchemy as sa
from support.mail_people import People
from support.mail_sending import Outbox

from core.clock import utcnow
from core.models import Lineage
from core.witness import Cause, Gap
from mailings.models import Delivery, Mailing
from mailings.planning import plan, steering
from mailings.rules.lifecycle import IllegalTransition, LookFirst
from mailings.sending import finishing, restored
from mailings.sending.restored import Choice

HOUR = timedelta(hours=1)


@pytest.fixture
def gap():
    return Gap(Cause.OLDER, utcnow() - 5 * HOUR, utcnow() - HOUR)


@pytest.fixture
def outbox(session):
    session.add(Lineage(id=1))
    session.flush()
    numbering = [f"pg_get_serial_sequence('{table}', 'id')" for table in ("deliveries", "mailings")]
    next_ids = [session.scalar(sa.text(f"SELECT nextval({name})")) for name in numbering]
    yield Outbox(session)
    for name, number in zip(numbering, next_ids, strict=True):  # no rollback takes it back
        session.execute(sa.text(f"SELECT setval({name}, {number})"))


def held(outbox, mailing, gap):
    restored.hold(outbox.session, gap)
    outbox.session.refresh(mailing)
    return mailing


def due(outbox, mailing, **moments):
    """When the n-th client's turn is."""
    for client, at in moments.items():
        of_client = (Delivery.mailing_id == mailing.id, Delivery.client_id == int(client[1:]))
        outbox.session.execute(sa.update(Delivery).where(*of_client).values(next_try_at=at))


def change(outbox, row, **values):
    outbox.session.execute(sa.update(Delivery).where(Delivery.id == row.id).values(**values))


def test_everything_that_could_send_is_held_in_all_portals(outbox, gap):
    other = Outbox(outbox.session)
    states = ("running", "scheduled", "planning", "paused")
    lively = [box.mailing(1, state=each) for each in states for box in (outbox, other)]
    over = [outbox.mailing(1, state=each) for each in ("draft", "finished", "cancelled")]
    assert restored.hold(outbox.session, gap) == 8
    assert restored.hold(outbox.session, gap) == 0
    for mailing in lively + over:
        outbox.session.refresh(mailing)
    assert {m.state for m in lively} == {"paused"}
    assert [m.state for m in over] == ["draft", "finished", "cancelled"]
    assert [restored.held(outbox.session, box.id) for box in (outbox, other)] == [4, 4]
    assert {restored.gap_of(m) for m in lively} == {gap}
    assert {restored.gap_of(m) for m in over} == {None}


def test_a_held_mailing_is_not_simply_resumed(outbox, gap):
    mailing = held(outbox, outbox.mailing(2), gap)
    with pytest.raises(LookFirst):
        steering.resume(outbox.session, outbox.id, mailing.id)
    assert restored.go_on(outbox.session, outbox.id, mailing.id, Choice.SEND)
    assert not restored.go_on(outbox.session, outbox.id, mailing.id, Choice.SKIP), "said already"
    assert (mailing.state, restored.held(outbox.session, outbox.id)) == ("running", 0)
    steering.pause(outbox.session, outbox.id, mailing.id)
    with pytest.raises(IllegalTransition):
        restored.go_on(outbox.session, outbox.id, mailing.id, Choice.SKIP)


def test_who_may_have_got_it_is_skipped_and_the_others_are_not(outbox, gap):
    mailing = outbox.mailing(5)
    due(
        outbox, mailing, c1=gap.since - HOUR, c2=gap.since + HOUR, c3=gap.until + HOUR, c4=gap.since
    )
    sent, taken = outbox.rows(mailing)[4], outbox.rows(mailing)[3]
    change(outbox, sent, state="sent", sent_at=gap.since)
    change(outbox, taken, state="claimed", owner="6a5ef3d0-5a3f-4b50-9bd1-6f4a1a1f0a11")
    held(outbox, mailing, gap)
    assert restored.doubtful(outbox.session, mailing, gap) == 3
    restored.go_on(outbox.session, outbox.id, mailing.id, Choice.SKIP)
    found = [(row.state, row.reason) for row in outbox.rows(mailing)]
    doubt = ("unknown", "restored")
    assert found == [doubt, doubt, ("pending", None), doubt, ("sent", None)]
    assert finishing.finish(outbox.session) == [], "the third is still to get it"


@pytest.mark.parametrize("choice", Choice)
def test_whoever_has_opened_it_has_got_it_whatever_is_chosen(outbox, gap, choice):
    mailing = outbox.mailing(2)
    due(outbox, mailing, c1=gap.since, c2=gap.since)
    change(outbox, outbox.rows(mailing)[0], opened_at=gap.until)
    held(outbox, mailing, gap)
    assert restored.doubtful(outbox.session, mailing, gap) == 1
    restored.go_on(outbox.session, outbox.id, mailing.id, choice)
    first, second = outbox.rows(mailing)
    assert (first.state, first.sent_at) == ("sent", gap.until)
    assert second.state == ("unknown" if choice is Choice.SKIP else "pending")


def test_what_had_no_recipients_yet_is_cancelled_or_starts(outbox, gap):
    unplanned = {"state": "scheduled", "planned_at": None, "start_at": gap.since + HOUR}
    skipped, sent = outbox.mailing(**unplanned), outbox.mailing(**unplanned)
    restored.hold(outbox.session, gap)
    for mailing, choice in ((skipped, Choice.SKIP), (sent, Choice.SEND)):
        outbox.session.refresh(mailing)
        assert restored.choices(mailing, gap) == (Choice.SKIP, Choice.SEND)
        restored.go_on(outbox.session, outbox.id, mailing.id, choice)
    assert (skipped.state, sent.state) == ("cancelled", "planning")


def test_what_can_not_have_begun_just_goes_on(outbox, gap):
    mailing = outbox.mailing(state="scheduled", planned_at=None, start_at=utcnow() + HOUR)
    held(outbox, mailing, gap)
    assert restored.choices(mailing, gap) == (Choice.SEND,)
    restored.go_on(outbox.session, outbox.id, mailing.id, Choice.SKIP)
    assert mailing.state == "scheduled"


def test_a_long_silence_holds_only_what_has_messages_waiting(outbox, gap):
    waiting, waits_not = outbox.mailing(1), outbox.mailing()
    later = outbox.mailing(state="scheduled", planned_at=None, start_at=utcnow() + HOUR)
    assert restored.hold(outbox.session, Gap(Cause.SILENT, gap.since, gap.until)) == 1
    for mailing in (waiting, waits_not, later):
        outbox.session.refresh(mailing)
    assert [m.state for m in (waiting, waits_not, later)] == ["paused", "running", "scheduled"]


def test_ids_of_letters_that_are_lost_here_are_not_given_again(outbox, gap):
    """Else a client who unsubscribes by an old letter would unsubscribe somebody else."""
    before = max(row.id for row in outbox.rows(outbox.mailing(3)))
    restored.hold(outbox.session, gap)
    after = min(row.id for row in outbox.rows(outbox.mailing(1)))
    assert after > before + 1_000_000


def test_a_draft_of_before_is_started_knowingly(outbox, gap):
    old, new = outbox.mailing(state="draft"), outbox.mailing(state="draft")
    for mailing, at in ((old, gap.since - HOUR), (new, gap.until)):
        mailing.created_at = at
    assert restored.problems(outbox.session, old) == [], "nothing was lost"
    restored.hold(outbox.session, gap)
    (problem,) = restored.problems(outbox.session, old)
    assert (problem.code, problem.blocks) == ("restored", False)
    assert restored.problems(outbox.session, new) == []
    assert outbox.session.get(Mailing, (outbox.id, old.id)).state == "draft"


def test_newcomers_of_an_evergreen_mailing_are_not_written_to_again(outbox, gap):
    people = People(outbox.session)
    people.card("anna@example.com")
    mailing = people.mailing(mode="evergreen", plan={"until": "2090-01-01T00:00+03:00"})
    plan.plan(people.session, mailing)
    held(outbox, mailing, gap)
    people.card("boris@example.com")
    restored.go_on(people.session, people.id, mailing.id, Choice.SKIP)
    assert people.fates(mailing) == {("contact", 1): "unknown", ("contact", 2): "unknown"}
    assert mailing.state == "running"
    people.card("viktor@example.com")
    plan.plan(people.session, mailing)
    assert people.fates(mailing)["contact", 3] == "pending", "who comes now gets it"
