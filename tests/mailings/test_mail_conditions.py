"""Segments ask what came of messages and who may be written to, and follow when that changes."""

from __future__ import annotations

from datetime import timedelta
from uuid import uuid4

import pytest
import sqlalchemy as sa
from support.mail_people import People
from support.segment_questions import every_value

from core.clock import utcnow
from core.web import words
from integration.mirror import Deal, Lead
from integration.models import ChangedCard, Portal
from mailings import conditions
from mailings.channels.base import Outcome, SendResult
from mailings.consent import suppressions
from mailings.models import Delivery, MailingLink
from mailings.planning import waterfall
from mailings.receipts.events import Event, record
from mailings.rules.events import EventKind
from mailings.rules.robots import Ruling
from mailings.sending import outcomes
from mailings.sending.claiming import Claimed
from segments import audience
from segments.conditions import definitions, options
from segments.conditions.catalog import scope_of
from segments.conditions.relations import RELATIONS
from segments.conditions.sentences import sentence
from segments.members import saving, upkeep
from segments.ready import presets
from segments.saved import SegmentStay

A_MONTH = {"n": 30, "unit": "day"}


@pytest.fixture
def people(session):
    return Mailed(session)


class Mailed(People):
    """A portal with messages that were sent, and segments."""

    def message(self, mailing, number, ago=timedelta(days=1), kind="contact"):
        row = Delivery(
            portal_id=self.id, mailing_id=mailing.id, channel="email", kind=kind,
            client_id=number, state="sent", sent_at=utcnow() - ago,
        )  # fmt: skip
        self.session.add(row)
        self.session.flush()
        return row

    def happened(self, row, kind, ago=timedelta(0), **facts):
        assert record(self.session, self.id, row.id, Event(kind, utcnow() - ago, **facts))

    def selected(self, *nodes):
        raw = {"version": 1, "clients": {"where": {"all": list(nodes)}}}
        scope = scope_of(self.session, self.id)
        found = audience.listed(self.session, scope, definitions.read(raw, scope))
        return {number for _kind, number in found}

    def ready(self, key, **chosen):
        scope = scope_of(self.session, self.id)
        raw = presets.build(presets.facts_of(self.session, scope), key, chosen)
        found = audience.listed(self.session, scope, definitions.read(raw, scope))
        return {number for _kind, number in found}

    def members(self, segment):
        query = sa.select(SegmentStay.member_id).where(
            SegmentStay.portal_id == self.id,
            SegmentStay.segment_id == segment.id,
            SegmentStay.left_at.is_(None),
        )
        return set(self.session.scalars(query))

    def segment_of(self, *nodes):
        raw = {"version": 1, "clients": {"where": {"all": list(nodes)}}}
        made = saving.create(self.session, self.id, "Спрошенные", raw)
        upkeep.membership.refresh(self.session, scope_of(self.session, self.id), made)
        self.session.execute(sa.delete(ChangedCard).where(ChangedCard.portal_id == self.id))
        return made

    def follow(self):
        return upkeep.follow_touched(self.session, self.id)


def rows(relation, measure="any", *inner):
    where = {"where": {"all": [*inner]}} if inner else {}
    return {"related": relation, "measure": measure, **where}


def field(key, op, value=None):
    return {"field": key, "op": op} | ({} if value is None else {"value": value})


def test_ready_segments_tell_who_read_and_who_came_but_did_not_order(people):
    news = people.mailing(name="Новинки")
    reader, clicker, buyer, lead_maker, late, silent = (
        people.card(f"p{n}@example.com") for n in range(6)
    )
    people.card("never@example.com")
    sent = {n: people.message(news, n) for n in (reader, clicker, buyer, lead_maker, silent)}
    sent[late] = people.message(news, late, timedelta(days=90))
    people.happened(sent[reader], EventKind.OPENED)
    people.happened(sent[late], EventKind.OPENED, timedelta(days=80))
    for number in (clicker, buyer, lead_maker):
        people.happened(sent[number], EventKind.OPENED)
        people.happened(sent[number], EventKind.CLICKED, link=1)
    now = utcnow()
    people.session.add_all(
        [
            Deal(portal_id=people.id, bitrix_id=9001, contact_id=buyer, created_at=now),
            Deal(portal_id=people.id, bitrix_id=9002, contact_id=clicker, created_at=now - timedelta(days=60)),
            Lead(portal_id=people.id, bitrix_id=9003, contact_id=lead_maker, created_at=now),
        ]
    )  # fmt: skip
    people.session.flush()
    found = people.ready
    assert found("opened_not_clicked") == {reader}
    assert found("opened_not_clicked", days=100) == {reader, late}
    assert found("clicked_not_ordered") == {clicker}
    assert found("clicked_not_ordered", days=70) == set()


def test_ready_segments_tell_whom_nothing_reaches_and_who_was_never_asked(people):
    people.card("yes@example.com")
    silent = people.card("silent@example.com", consent=False)
    called = people.card("called@example.com", consent=False, phone="+79990000001")
    gone = people.card("gone@example.com")
    suppressions.suppress(
        people.session, people.id, "email", "gone@example.com", "complained", source="x"
    )
    wrong, nothing = people.card(None), people.card()
    people.card("lead@example.com", kind="lead", consent=False)
    assert people.ready("not_reachable") == {silent, gone, wrong, nothing}
    refused = people.card("refused@example.com", consent=False)
    people.says("refused@example.com", given=False)
    assert people.ready("no_consent") == {silent, called}
    people.rules(basis="existing_clients")
    assert people.ready("not_reachable") == {gone, wrong, nothing, refused}


def test_what_came_of_a_message_is_asked_of_the_people_it_went_to(people):
    news, old = people.mailing(name="Новинки"), people.mailing(name="Старая")
    reader, clicker, silent, robot, late = (people.card(f"p{n}@example.com") for n in range(5))
    never = people.card("never@example.com")
    sent = {n: people.message(news, n) for n in (reader, clicker, silent, robot)}
    sent[late] = people.message(old, late, timedelta(days=90))
    people.session.add(
        MailingLink(portal_id=people.id, mailing_id=news.id, number=1, url="https://a.test/sale")
    )
    people.happened(sent[reader], EventKind.OPENED)
    people.happened(sent[clicker], EventKind.CLICKED, link=1)
    people.happened(sent[robot], EventKind.OPENED, ruling=Ruling.ALL_LINKS)
    people.happened(sent[late], EventKind.OPENED, timedelta(days=80))
    people.happened(sent[silent], EventKind.BOUNCED)

    got = field("mailing", "any_of", [str(news.id)])
    assert people.selected(rows("messages", "any", got)) == {reader, clicker, silent, robot}
    assert people.selected(rows("messages", "none", got)) == {late, never}
    assert people.selected(rows("messages", "any", got, field("opened", "yes"))) == {
        reader, clicker,
    }  # fmt: skip
    lately = field("opened_at", "in_last", A_MONTH)
    assert people.selected(rows("messages", "any", lately)) == {reader, clicker}
    never_opened = rows("messages", "none", field("opened", "yes"))
    assert people.selected(rows("messages"), never_opened) == {silent, robot}
    sale = field("links", "contains", "/sale")
    assert people.selected(rows("messages", "any", sale)) == {clicker}
    assert people.selected(rows("messages", "last", field("bounced", "yes"))) == {silent}
    several = {"related": "messages", "measure": "count", "op": "eq", "value": 0}
    assert people.selected(several) == {never}


def test_consents_and_stops_are_asked_by_channel_and_topic(people):
    yes = people.card("yes@example.com")
    no = people.card("no@example.com")
    silent = people.card("silent@example.com", consent=False)
    gone = people.card("gone@example.com")
    people.says("no@example.com", given=False, at=utcnow())
    suppressions.suppress(
        people.session, people.id, "email", "gone@example.com", "complained", source="arf"
    )
    suppressions.suppress(
        *(people.session, people.id, "email", "yes@example.com", "paused"),
        source="page", until=utcnow() - timedelta(days=1),
    )  # fmt: skip
    mail, offers = field("channel", "any_of", ["email"]), field("topic", "any_of", ["offers"])
    given, refused = field("given", "yes"), field("given", "no")
    assert people.selected(rows("consents", "any", mail, offers, given)) == {yes, gone}
    assert people.selected(rows("consents", "any", mail, refused)) == {no}
    assert people.selected(rows("consents", "none", mail, offers)) == {silent}
    assert people.selected(rows("consents", "any", field("topic", "any_of", ["news"]))) == set()
    assert people.selected(rows("stops")) == {gone}
    assert people.selected(rows("stops", "any", field("reason", "any_of", ["complained"]))) == {
        gone
    }


def test_who_can_be_written_to_is_judged_as_the_waterfall_judges(people):
    for number in range(6):
        people.card(f"p{number}@example.com", consent=number % 2 == 0, phone=f"+7999000000{number}")
    people.card(None)
    people.card()
    suppressions.suppress(
        people.session, people.id, "email", "p0@example.com", "manual", source="x"
    )
    can = field("reachable", "yes")
    mail = rows("reach", "any", field("channel", "any_of", ["email"]), can)
    gets = waterfall.preview(people.session, people.id, people.mailing()).gets
    assert people.selected(mail) == {3, 5}
    assert gets == 2
    why = rows("reach", "any", field("reason", "any_of", ["suppressed"]))
    assert people.selected(why) == {1}
    call = rows("reach", "any", field("channel", "any_of", ["call_list"]), can)
    assert people.selected(call) == {1, 2, 3, 4, 5, 6}
    people.rules(basis="existing_clients")
    assert people.selected(mail) == {2, 3, 4, 5, 6}
    assert people.selected(rows("reach", "none", can)) == {7, 8}


def test_a_segment_follows_when_a_letter_is_opened(people):
    readers = people.segment_of(rows("messages", "any", field("opened", "yes")))
    mailing, number = people.mailing(), people.card("a@example.com")
    sent = people.message(mailing, number)
    assert people.members(readers) == set()
    people.happened(sent, EventKind.OPENED)
    assert people.follow() == 1
    assert people.members(readers) == {number}


def test_a_segment_follows_when_consent_or_its_ground_changes(people):
    number = people.card("a@example.com", consent=False)
    lead = people.card(kind="lead", contact_id=number)
    writable = people.segment_of(
        rows("reach", "any", field("channel", "any_of", ["email"]), field("reachable", "yes"))
    )
    assert people.members(writable) == set()
    people.says("a@example.com")
    touched = {(c.kind, c.card_id) for c in people.session.scalars(sa.select(ChangedCard))}
    assert touched == {("contact", number), ("lead", lead)}
    people.follow()
    assert people.members(writable) == {number}
    suppressions.suppress(people.session, people.id, "email", "a@example.com", "manual", source="x")
    people.follow()
    assert people.members(writable) == set()
    suppressions.lift(people.session, people.id, "email", "a@example.com", actor="1")
    people.follow()
    assert people.members(writable) == {number}
    people.session.get_one(Portal, people.id).last_sync_at = utcnow()
    assert upkeep.look_for_stale(people.session, people.id) == 0
    people.rules(basis="existing_clients")
    assert upkeep.look_for_stale(people.session, people.id) == 1


def test_nothing_is_noted_where_no_segment_asks(people):
    people.segment_of(field("full_name", "filled"))
    sent = people.message(people.mailing(), people.card("a@example.com"))
    people.happened(sent, EventKind.OPENED)
    suppressions.suppress(people.session, people.id, "email", "a@example.com", "manual", source="x")
    assert not people.session.scalars(sa.select(ChangedCard)).all()


@pytest.mark.parametrize("joined", conditions.RELATIONS, ids=lambda each: each.relation.key)
def test_every_field_is_asked_and_has_words(people, joined):
    scope, key = scope_of(people.session, people.id), joined.relation.key
    assert RELATIONS[key] is joined.relation
    asked = []
    for each in joined.relation.context.fields.values():
        if each.options:
            assert options.options(people.session, people.id, each.options) is not None
        op = next(iter(each.operators.values()))
        asked.append(field(each.key, op.key, every_value(op.shape.key)))
    side = {"clients": {"where": {"all": [rows(key, "any", *asked)]}}}
    definition = definitions.read({"version": 1, **side}, scope)
    assert list(audience.listed(people.session, scope, definition)) == []
    with words.speaking("ru"):
        said = sentence(people.session, scope, definition)
        for each in joined.relation.context.fields.values():
            assert f"«{words.gettext(each.label)}»" in said


def test_a_sentence_and_a_reason_are_plain_russian(people):
    mailing, number = people.mailing(name="Новинки"), people.card("a@example.com")
    mailing.state = "finished"
    people.happened(people.message(mailing, number), EventKind.OPENED)
    scope = scope_of(people.session, people.id)
    got = field("mailing", "any_of", [str(mailing.id)])
    node = rows("messages", "any", got, field("clicked", "not_yes"))
    raw = {"version": 1, "clients": {"kinds": ["contact"], "where": {"all": [node]}}}
    definition = definitions.read(raw, scope)
    with words.speaking("ru"):
        assert sentence(people.session, scope, definition) == (
            "Контакты, у которых есть сообщение рассылки, у которого"
            " («Рассылка» — одно из «Новинки» и «Перешли по ссылке» — нет/не заполнено)."
        )
    reason = audience.why(people.session, scope, definition, definition.kinds[0], number)
    assert reason is not None
    assert reason.holds


def test_a_segment_follows_the_sender(people):
    got, number = people.segment_of(rows("messages")), people.card("a@example.com")
    row = people.message(people.mailing(), number)
    row.state, row.sent_at, row.owner = "sending", None, str(uuid4())
    people.session.flush()
    claimed = Claimed(
        *(people.id, row.id, row.mailing_id, "email", "contact", number, "a@example.com"),
        *(None, None, None, 1, row.owner),
    )
    took = SendResult(Outcome.SENT, code=250)
    outcomes.write(people.session, [outcomes.Ended(claimed, took, passed=True)])
    people.follow()
    assert people.members(got) == {number}
