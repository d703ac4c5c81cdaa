"""Stored members of segments follow the mirror: touched cards alone, whole segments, days, settings, one another."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest
import sqlalchemy as sa
from support.segment_portal import NOW, Maker, stored

from integration.mirror import Contact, Currency, CustomField, Deal, Lead
from integration.models import ChangedCard, MergedClient, Portal
from integration.sync import touched
from segments import audience
from segments.conditions import definitions
from segments.conditions.catalog import scope_of
from segments.members import lists, membership, saving, snapshots, upkeep
from segments.rules.tree import Kind
from segments.saved import How, Segment, SegmentSize, SegmentStay, Why

BUYERS = {"related": "deals", "measure": "count", "op": "ge", "value": 1}
NAMED = {"field": "full_name", "op": "filled"}
BORN = {"field": "birth_date", "op": "in_last", "value": {"n": 400, "unit": "day"}}
RICH_LEADS = {"field": "amount", "op": "ge", "value": 100000}


def clients(*nodes, **more):
    return {"version": 1, "clients": {"where": {"all": list(nodes)}}, **more}


def leads(*nodes):
    return {"version": 1, "leads": {"where": {"all": list(nodes)}}}


@pytest.fixture
def crm(session):
    return Crm(session)


class Crm:
    """A small random portal, and segments of it."""

    def __init__(self, session):
        self.session = session
        self.rows = stored(session, Maker(11).rows())
        self.id = self.rows.portal_id
        session.get_one(Portal, self.id).last_sync_at = NOW
        self.now = NOW

    def segment(self, raw, name="S", **how):
        made = saving.create(self.session, self.id, name, raw, **how)
        if made.how == How.DYNAMIC:
            self.renew(made)
        return made

    def renew(self, segment):
        scope = scope_of(self.session, self.id, self.now)
        moved = membership.refresh(self.session, scope, segment)
        upkeep.tell_dependants(self.session, scope, segment.id, moved.entered + moved.left)
        return moved

    def tick(self):
        """Some time later: stays that begin and end at one moment would be none."""
        self.now += timedelta(seconds=1)

    def touch(self, kind, *ids):
        touched.note(self.session, self.id, kind, ids)

    def follow(self):
        self.tick()
        return upkeep.follow_touched(self.session, self.id, self.now)

    def change(self, table, card_id, **values):
        self.session.execute(
            sa.update(table)
            .where(table.portal_id == self.id, table.bitrix_id == card_id)
            .values(**values)
        )

    def members(self, segment):
        rows = self.session.execute(membership.present(self.id, segment.id))
        return {tuple(row) for row in rows}

    def fresh(self, segment):
        scope = scope_of(self.session, self.id, self.now)
        definition = definitions.read(segment.definition, scope)
        return {
            (kind.value, card) for kind, card in audience.listed(self.session, scope, definition)
        }

    def left_as(self, segment):
        rows = self.session.scalars(
            sa.select(SegmentStay.left_by).where(
                SegmentStay.segment_id == segment.id, SegmentStay.left_at.is_not(None)
            )
        )
        return set(rows)


def assert_true(crm, *segments):
    for segment in segments:
        assert crm.members(segment) == crm.fresh(segment), segment.name


def test_a_touched_card_enters_and_leaves_and_nobody_else_is_looked_at(crm):
    named, rich = crm.segment(clients(NAMED)), crm.segment(leads(RICH_LEADS))
    assert_true(crm, named, rich)
    assert crm.members(named), "the portal has named clients"
    number = next(i for kind, i in crm.members(named) if kind == "contact")
    before = dict(named.counters)
    crm.change(Contact, number, name=None, last_name=None)
    crm.change(Lead, 3, opportunity=200000, currency_id=None, deleted_at=None)
    assert crm.follow() == 0
    assert ("contact", number) in crm.members(named)
    crm.touch("contact", number)
    crm.touch("lead", 3)
    assert crm.follow() == 2
    assert_true(crm, named, rich)
    assert ("lead", 3) in crm.members(rich)
    assert crm.left_as(named) == {Why.CHANGED}
    assert named.counters["contacts"] == before["contacts"] - 1
    assert named.recount_at is not None
    crm.change(Contact, number, deleted_at=crm.now, name="Анна")
    crm.touch("contact", number)
    crm.follow()
    assert ("contact", number) not in crm.members(named)


def test_who_named_a_deal_is_looked_at_and_counters_follow(crm):
    buyers = crm.segment(clients(BUYERS))
    deal = next(d for d in crm.rows.deals if d["contact_id"] and not d["is_recurring"])
    crm.change(Deal, deal["bitrix_id"], deleted_at=crm.now)
    crm.touch("contact", deal["contact_id"])
    crm.follow()
    crm.session.flush()
    assert_true(crm, buyers)
    scope = scope_of(crm.session, crm.id, crm.now)
    membership.recount(crm.session, scope, buyers)
    definition = definitions.read(buyers.definition, scope)
    assert buyers.counters == audience.count(crm.session, scope, definition).as_dict()
    size = crm.session.get_one(
        SegmentSize, (crm.id, buyers.id, scope.today), populate_existing=True
    )
    assert (size.contacts, size.companies) == (
        buyers.counters["contacts"],
        buyers.counters["companies"],
    )


def test_segments_that_name_segments_follow_in_order(crm):
    inner = crm.segment(clients(NAMED), "inner")
    middle = crm.segment(clients({"field": "segment", "op": "in", "value": inner.id}), "middle")
    outer = crm.segment(clients({"field": "segment", "op": "not_in", "value": middle.id}), "outer")
    assert_true(crm, inner, middle, outer)
    number = next(i for kind, i in crm.members(inner) if kind == "contact")
    crm.change(Contact, number, name=None, last_name=None)
    crm.touch("contact", number)
    crm.follow()
    assert ("contact", number) not in crm.members(middle)
    assert ("contact", number) in crm.members(outer)
    assert_true(crm, inner, middle, outer)
    saving.change(
        crm.session,
        crm.id,
        inner.id,
        made_from=1,
        raw=clients({"field": "full_name", "op": "empty"}),
    )
    crm.tick()
    crm.renew(inner)
    assert crm.left_as(inner) == {Why.CHANGED, Why.RULE}
    crm.follow()
    assert_true(crm, inner, middle, outer)


@pytest.mark.parametrize(
    "raw",
    [
        clients(NAMED, limit={"count": 3, "by": "ltv"}),
        clients({"field": "ltv", "op": "top", "value": 20}),
        {**clients(NAMED), **leads()},
    ],
    ids=["limit", "highest", "both"],
)
def test_what_depends_on_others_is_found_anew_as_a_whole(crm, raw):
    segment = crm.segment(raw)
    assert_true(crm, segment)
    crm.touch("contact", 1)
    crm.follow()
    assert segment.stale_at is not None
    crm.change(Contact, 1, deleted_at=crm.now)
    crm.renew(segment)
    assert_true(crm, segment)
    assert segment.stale_at is None


def rewritten(crm, table):
    """The portal's rows put back in the other order."""
    own = table.portal_id == crm.id
    rows = crm.session.execute(sa.select(table.__table__).where(own)).mappings().all()
    assert len(rows) > 1
    crm.session.execute(sa.delete(table).where(own))
    for row in reversed(rows):
        crm.session.execute(sa.insert(table).values(**row))


def test_a_day_a_rate_and_a_lost_field_make_stale_what_depends_on_them(crm):
    named, born = crm.segment(clients(NAMED), "named"), crm.segment(clients(BORN), "born")
    costly = crm.segment(clients({"field": "revenue", "op": "ge", "value": 100}), "costly")
    flagged = crm.segment(clients({"field": "UF_CRM_FLAG", "op": "yes"}), "flagged")
    every = [named, born, costly, flagged]

    def stale(now=None):
        upkeep.look_for_stale(crm.session, crm.id, now or crm.now)
        for each in every:
            crm.session.refresh(each)
        found = {each.name for each in every if each.stale_at is not None}
        for each in every:
            each.stale_at = None
        return found

    assert stale() == set()
    assert stale(NOW + timedelta(hours=2)) == set()
    assert stale(NOW + timedelta(days=1)) == {"born"}
    rewritten(crm, Currency)
    assert stale() == set(), "the same rates in another order"
    crm.session.execute(
        sa.update(Currency)
        .where(Currency.portal_id == crm.id, Currency.code == "USD")
        .values(rate=91)
    )
    assert stale() == {"costly"}
    field = (CustomField.portal_id == crm.id) & (CustomField.code == "UF_CRM_FLAG")
    kept = [
        {c.name: getattr(row, c.name) for c in CustomField.__table__.columns}
        for row in crm.session.scalars(sa.select(CustomField).where(field))
    ]
    before = crm.members(flagged)
    crm.session.execute(sa.delete(CustomField).where(field))
    assert stale() == {"costly"}
    assert flagged.problem.startswith("clients.where.all[0].field")
    crm.touch("contact", *range(1, 13))
    crm.follow()
    crm.renew(flagged)
    assert crm.members(flagged) == before, "a field that went breaks nothing"
    assert flagged.problem is not None
    crm.session.execute(sa.insert(CustomField), kept)
    assert stale() == {"costly", "flagged"}
    crm.renew(flagged)
    assert flagged.problem is None
    assert_true(crm, flagged)


def test_the_reason_tells_a_day_from_a_rate(crm):
    born = crm.segment(clients(BORN))
    crm.session.execute(
        sa.update(Contact)
        .where(Contact.portal_id == crm.id)
        .values(
            birth_date=(NOW + timedelta(minutes=180)).date() - timedelta(days=400), deleted_at=None
        )
    )
    crm.tick()
    crm.renew(born)
    assert len(crm.members(born)) == 12
    crm.now += timedelta(days=1)
    crm.renew(born)
    assert crm.members(born) == set()
    assert Why.DAY in crm.left_as(born)
    costly = crm.segment(clients({"field": "revenue", "op": "ge", "value": 0.5}))
    assert costly.counters["companies"] > 0
    crm.session.execute(sa.update(Currency).where(Currency.portal_id == crm.id).values(rate=0))
    crm.tick()
    crm.renew(costly)
    assert crm.left_as(costly) <= {Why.SETTINGS}
    assert_true(crm, costly)


def test_too_many_touched_cards_are_not_compared_one_by_one(crm, monkeypatch):
    segment = crm.segment(clients(NAMED))
    monkeypatch.setattr(upkeep, "AT_ONCE", 3)
    crm.touch("contact", 1, 2, 3, 4)
    crm.follow()
    crm.session.refresh(segment)
    assert segment.stale_at is not None
    assert crm.session.scalar(sa.select(sa.func.count()).select_from(ChangedCard)) == 0


def test_a_save_during_a_look_at_everybody_is_not_lost(crm):
    segment = crm.segment(clients(NAMED))
    seen = replace(scope_of(crm.session, crm.id, crm.now))
    membership.mark_stale(crm.session, crm.id)
    crm.session.refresh(segment)
    definition = definitions.read(segment.definition, seen)
    crm.session.execute(
        sa.update(Segment)
        .where(Segment.portal_id == crm.id)
        .values(version=2, definition=leads())
        .execution_options(synchronize_session=False)
    )
    membership._settle(crm.session, seen, segment, definition)
    assert segment.stale_at is not None


def test_lists_by_hand_take_living_cards_of_this_portal_and_keep_their_story(crm):
    crm.change(Contact, 1, deleted_at=None)
    crm.change(Contact, 2, deleted_at=None)
    crm.change(Contact, 3, deleted_at=crm.now)
    listed = crm.segment(None, "list", how=How.STATIC)
    naming = crm.segment(clients({"field": "segment", "op": "in", "value": listed.id}))
    wanted = [(Kind.CONTACT, i) for i in (1, 2, 3, 999)]
    assert lists.put_in(crm.session, crm.id, listed.id, wanted, 7) == 2
    assert lists.put_in(crm.session, crm.id, listed.id, wanted, 7) == 0
    crm.follow()
    assert crm.members(naming) == {("contact", 1), ("contact", 2)}
    assert lists.take_out(crm.session, crm.id, listed.id, [(Kind.CONTACT, 1)], 7) == 1
    assert listed.counters["contacts"] == 1
    story = lists.history(crm.session, crm.id, listed.id)
    assert [(each.member_id, each.entered, each.why) for each in story] == [
        (1, False, Why.HAND),
        (1, True, Why.HAND),
        (2, True, Why.HAND),
    ]
    crm.follow()
    of_second = lists.of_card(crm.session, crm.id, Kind.CONTACT, 2)
    assert {each.segment_id for each in of_second} == {listed.id, naming.id}
    with pytest.raises(lists.NotStatic):
        lists.put_in(crm.session, crm.id, naming.id, wanted)
    with pytest.raises(saving.NoSuchSegment):
        lists.put_in(crm.session, crm.id + 1, listed.id, wanted)


def test_in_a_list_the_winner_of_a_merge_takes_the_place(crm):
    for number in (1, 2):
        crm.change(Contact, number, deleted_at=None)
    listed = crm.segment(None, "list", how=How.STATIC)
    lists.put_in(crm.session, crm.id, listed.id, [(Kind.CONTACT, 1)])
    crm.session.add(MergedClient(portal_id=crm.id, kind="contact", loser_id=1, winner_id=2))
    crm.change(Contact, 1, deleted_at=crm.now)
    crm.touch("contact", 1)
    crm.follow()
    assert crm.members(listed) == {("contact", 2)}
    assert lists.of_card(crm.session, crm.id, Kind.CONTACT, 2)[0].entered_by == Why.MERGED


def test_a_snapshot_stays_what_it_was_and_tells_when_it_is_not(crm):
    segment = crm.segment(clients(NAMED))
    scope = scope_of(crm.session, crm.id, crm.now)
    frozen = snapshots.freeze(crm.session, scope, segment)
    again = snapshots.freeze(crm.session, scope, segment)
    assert crm.members(frozen) == crm.members(segment)
    assert frozen.fingerprint == again.fingerprint
    assert len(frozen.fingerprint) == 64
    assert frozen.counters == segment.counters
    crm.change(Contact, 1, name=None, last_name=None)
    crm.touch("contact", 1)
    before = crm.members(frozen)
    crm.follow()
    assert crm.members(frozen) == before
    assert snapshots.verified(crm.session, frozen)
    other = snapshots.freeze(crm.session, scope, crm.segment(clients(BORN)))
    assert other.fingerprint != frozen.fingerprint
    kind, number = next(iter(before))
    lists.leave(crm.session, crm.id, frozen.id, [(Kind(kind), number)], Why.HAND, crm.now)
    assert not snapshots.verified(crm.session, frozen)
