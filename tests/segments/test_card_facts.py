"""What is known of cards by heart says of everybody what the mirror says, whatever was edited since."""

from __future__ import annotations

import random
from dataclasses import replace

import pytest
import sqlalchemy as sa
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from support.known_facts import assert_as_from_scratch
from support.segment_portal import CUSTOM, NOW, Maker, stored
from support.segment_questions import random_definitions

from integration.mirror import Activity, Address, Company, Contact, Deal, DealContact, Lead
from integration.models import ChangedCard, ChangedClient
from segments import asked_fields, audience
from segments.card_facts import FactsRun
from segments.conditions import definitions
from segments.conditions.catalog import scope_of
from segments.conditions.compile import members, weighed
from segments.facts import keeping
from segments.members import upkeep
from segments.models import SaleRule
from segments.rules.tree import Kind

RULES = (
    None,
    {"client_mode": "company", "pipelines": [0]},
    {"contact_mode": "full", "client_mode": "contact", "date_source": "moved"},
    {"contact_mode": "split", "pipelines": [1], "date_source": "history"},
)
TABLES = {"contact": Contact, "company": Company, "lead": Lead}
EDITS = 3
QUIET = {"deadline": None, "database": None, "suppress_health_check": list(HealthCheck)}


def portal(session, seed):
    """A random portal with one of the rules; of every other one somebody has asked for every custom field."""
    rows = stored(session, Maker(seed).rows())
    if seed % 2:
        asked_fields.note(session, rows.portal_id, [asking(*CUSTOM)])
    rule = RULES[seed % len(RULES)]
    if rule:
        session.add(SaleRule(portal_id=rows.portal_id, **rule))
        session.flush()
    return rows


def known(session, portal_id):
    scope = scope_of(session, portal_id, NOW)
    assert scope.known
    return scope


def asking(*codes):
    """A definition that names these fields."""
    where = {"all": [{"field": code, "op": "filled"} for code in codes]}
    kinds = ["contact", "company"]
    return {"version": 1, "clients": {"kinds": kinds, "where": where}, "leads": {"where": where}}


def counters_by_the_mirror(session, scope, definition):
    return audience.counted(
        session, scope.portal_id, members(replace(scope, known=False), definition)
    )


def same(session, scope, raw):
    """Facts and mirror agree on who is selected, and on all counters."""
    definition = definitions.read(raw, scope)
    slow = replace(scope, known=False)
    asked = [
        sorted(tuple(row) for row in session.execute(members(each, definition)))
        for each in (scope, slow)
    ]
    assert asked[0] == asked[1], raw
    by_heart = audience.added_up(session, scope.portal_id, weighed(scope, definition))
    assert by_heart == counters_by_the_mirror(session, scope, definition), raw


def _is(field, op, value=None):
    return {"field": field, "op": op} | ({} if value is None else {"value": value})


_STATES = st.lists(st.sampled_from("PSF"), min_size=1, max_size=3, unique=True)
_STATE = st.builds(
    lambda op, v: _is("state", op, v), st.sampled_from(["any_of", "none_of"]), _STATES
)
_PIPELINE = st.sampled_from(["0", "1"]).map(lambda each: _is("pipeline", "any_of", [each]))
_OF_DEALS = st.lists(st.one_of(_STATE, _STATE, _PIPELINE), max_size=2)
_OF_ADDRESSES = st.lists(
    st.one_of(
        st.just(_is("valid", "yes")),
        st.lists(
            st.sampled_from(["email", "phone", "messenger", "web"]),
            min_size=1,
            max_size=3,
            unique=True,
        ).map(lambda kinds: _is("kind", "any_of", kinds)),
    ),
    max_size=2,
)
_BOUGHT = st.builds(
    lambda op, value, sale: [_is("sold_on", op, value), _is("amount", "gt", 0), *sale],
    *(st.just("in_last"), st.sampled_from([{"n": days, "unit": "day"} for days in (0, 90, 700)])),
    st.sampled_from([[], [_is("is_sale", "yes")]]),
) | st.sampled_from(
    [
        [_is("sold_on", op, value), _is("amount", "gt", 0)]
        for op, value in (
            *(("before", "2026-06-01"), ("after", "2026-01-15"), ("on", "2026-11-01")),
            *(("more_than_ago", {"n": 200, "unit": "day"}), ("back", {"n": 1, "unit": "year"})),
            *(("weekday", [1, 2, 3]), ("filled", None), ("this", "year")),
        )
    ]
)
_OF_ANY = [
    *(_is("source", "any_of", ["WEB"]), _is("source", "empty"), _is("company", "filled")),
    *(_is("responsible", "any_of", ["1"]), _is("birth_date", "anniversary_month", [3, 5, 7])),
    *(_is("created_at", "in_last", {"n": 1, "unit": "year"}), _is("last_contact_at", "filled")),
    _is("last_contact_at", "in_last", {"n": 300, "unit": "day"}),
]
_OF_LEADS = [
    *(_is("state", "any_of", ["P"]), _is("client_contact", "empty"), _is("closed_at", "filled")),
]
_MEASURE = st.sampled_from(["any", "none", "last", "first"])


def _related(relation, measure, where):
    return {"related": relation, "measure": measure, "where": {"all": where}}


_COUNT = st.builds(
    lambda where, op, value: _related("deals", "count", where) | {"op": op, "value": value},
    _OF_DEALS, st.sampled_from(["eq", "ne", "lt", "ge"]), st.integers(0, 3),
)  # fmt: skip
_QUESTION = st.one_of(
    st.builds(_related, st.just("deals"), _MEASURE, _OF_DEALS),
    st.builds(_related, st.just("addresses"), st.sampled_from(["any", "none"]), _OF_ADDRESSES),
    _COUNT,
    st.builds(_related, st.just("deals"), st.sampled_from(["any", "none"]), _BOUGHT),
    st.builds(
        lambda where, op, value: _related("deals", "count", where) | {"op": op, "value": value},
        _BOUGHT,
        st.sampled_from(["eq", "lt", "ge"]),
        st.integers(0, 2),
    ),
    st.integers(0, 400).map(
        lambda days: _related(
            "deals", "any", [_is("is_sale", "yes"), _is("days_after_lost", "le", days)]
        )
    ),
)
_CHECKS = st.sampled_from([0.5, 1, 1.3]).map(lambda ratio: _is("check_change", "ge", ratio))


def _tree(*copied):
    return st.builds(
        lambda mode, parts: {mode: parts},
        st.sampled_from(["all", "any", "none"]),
        st.lists(_QUESTION | st.sampled_from(copied), min_size=1, max_size=3),
    )


_TREE, _LEADS = _tree(*_OF_ANY), _tree(*_OF_ANY, *_OF_LEADS)
_CLIENTS = st.one_of(_TREE, st.builds(lambda t, c: {"any": [t, c]}, _TREE, _CHECKS))
SUMMED = st.builds(
    lambda clients, leads: (
        {"version": 1}
        | ({"clients": {"where": clients}} if clients else {})
        | ({"leads": {"where": leads}} if leads or not clients else {})
    ),
    st.one_of(st.none(), _CLIENTS),
    st.one_of(st.none(), _LEADS),
).map(
    lambda raw: (
        raw if raw.get("leads", {}).get("where", True) else raw | {"leads": {"where": {"all": []}}}
    )
)
"""Questions the facts answer, alone and in groups."""


def agree(session, scope, questions, number):
    """So many random questions are answered the same way."""

    @settings(max_examples=number, **QUIET)
    @given(questions)
    def asked(raw):
        with session.begin_nested():
            same(session, scope, raw)

    asked()


class Editor:
    """Edits the mirror at random, and notes whom as the sync does."""

    def __init__(self, session, rows, seed):
        self.session, self.portal_id, self.pick = session, rows.portal_id, random.Random(seed)
        self.maker = Maker(seed + 1000)

    def note(self, kind, *ids):
        for card_id in filter(None, ids):
            self.session.add(ChangedCard(portal_id=self.portal_id, kind=kind, card_id=card_id))

    def addresses(self):
        """Other addresses of a card, some of them of others."""
        kind = self.pick.choice(list(TABLES))
        card_id = self.pick.randint(1, 5)
        mine = (
            Address.portal_id == self.portal_id,
            Address.entity == kind,
            Address.entity_id == card_id,
        )
        self.session.execute(sa.delete(Address).where(*mine))
        for place in range(self.pick.randint(0, 3)):
            of_kind = self.pick.choice(["email", "phone", "messenger"])
            value = f"{of_kind}{self.pick.randint(1, 4)}"
            self.session.add(
                Address(
                    portal_id=self.portal_id, entity=kind, entity_id=card_id, kind=of_kind,
                    position=place, value=value, normalised=value if self.pick.random() < 0.9 else None,
                )
            )  # fmt: skip
        self.note(kind, card_id)

    def burial(self):
        """A card vanishes, comes back, or becomes the owner's own company."""
        kind = self.pick.choice(list(TABLES))
        card = self.session.get(TABLES[kind], (self.portal_id, self.pick.randint(1, 5)))
        card.deleted_at = None if card.deleted_at else NOW
        self.note(kind, card.bitrix_id)

    def own_company(self):
        card = self.session.get(Company, (self.portal_id, self.pick.randint(1, 5)))
        card.is_my_company = not card.is_my_company
        self.note("company", card.bitrix_id)

    def deal(self):
        """A deal changes its state, client, day and amount."""
        deal = self.session.get(Deal, (self.portal_id, self.pick.randint(1, 30)))
        links = sa.select(DealContact.contact_id).where(
            DealContact.portal_id == self.portal_id, DealContact.deal_id == deal.bitrix_id
        )
        concerned = [("contact", each) for each in self.session.scalars(links)]
        concerned += [("contact", deal.contact_id), ("company", deal.company_id)]
        self.note("lead", deal.lead_id)
        deal.stage_semantic = self.pick.choice(["P", "S", "F", None])
        deal.contact_id = self.pick.choice([None, 1, 2, 3])
        deal.lead_id = self.pick.choice([None, 1, 2])
        deal.closed_on, deal.created_at = self.maker.day(), self.maker.moment()
        deal.base_amount = self.pick.choice([None, -100, 100, 300])
        deal.deleted_at = self.pick.choice([None, None, NOW])
        deal.is_recurring = self.pick.random() < 0.1
        self.note("lead", deal.lead_id)
        for kind, client_id in {*concerned, ("contact", deal.contact_id)}:
            if client_id:
                changed = ChangedClient(portal_id=self.portal_id, kind=kind, client_id=client_id)
                self.session.add(changed)

    def card(self):
        """A card's own columns change; a lead is linked to a client, or not any longer."""
        kind = self.pick.choice(list(TABLES))
        card = self.session.get(TABLES[kind], (self.portal_id, self.pick.randint(1, 5)))
        card.source_id, card.created_at = self.pick.choice([None, "WEB"]), self.maker.moment()
        card.custom = self.maker.custom()
        if kind == "lead":
            card.contact_id, card.closed_at = self.pick.choice([None, 1, 2]), self.maker.moment()
        self.note(kind, card.bitrix_id)

    def activity(self):
        """An activity of a client is completed, or isn't any longer."""
        activity = self.session.get(Activity, (self.portal_id, self.pick.randint(1, 24)))
        activity.completed = not activity.completed
        activity.ended_at = self.maker.moment()
        kind = {1: "lead", 3: "contact", 4: "company"}.get(activity.owner_type)
        if kind is not None:
            self.note(kind, activity.owner_id)
            return
        deal = self.session.get(Deal, (self.portal_id, activity.owner_id))
        links = sa.select(DealContact.contact_id).where(
            DealContact.portal_id == self.portal_id, DealContact.deal_id == deal.bitrix_id
        )
        self.note("contact", *{deal.contact_id, *self.session.scalars(links)})
        self.note("company", deal.company_id)
        self.note("lead", deal.lead_id)

    def edit(self):
        ways = [self.addresses, self.burial, self.deal, self.card, self.activity]
        self.pick.choice([*ways, self.addresses, self.deal])()
        self.session.flush()

    def take(self):
        """As the counting chain and the upkeep take what is noted."""
        touched = {kind: set() for kind in Kind}
        for table, column in ((ChangedCard, "card_id"), (ChangedClient, "client_id")):
            gone = sa.delete(table).where(table.portal_id == self.portal_id)
            for kind, card_id in self.session.execute(
                gone.returning(table.kind, getattr(table, column))
            ):
                touched[Kind(kind)].add(card_id)
        keeping.follow(self.session, self.portal_id, touched)
        self.session.expire_all()


@pytest.mark.parametrize("seed", range(4))
def test_the_facts_select_and_count_as_the_mirror_does(session, seed):
    rows = portal(session, seed)
    keeping.find_all(session, rows.portal_id)
    scope = known(session, rows.portal_id)

    agree(session, scope, SUMMED, 4)
    agree(session, scope, random_definitions(scope), 2)


@pytest.mark.parametrize("seed", range(4))
def test_after_edits_they_agree_at_once_and_are_as_found_from_scratch_once_followed(session, seed):
    rows = portal(session, seed)
    keeping.find_all(session, rows.portal_id)
    editor = Editor(session, rows, seed)
    for number in range(EDITS):
        editor.edit()
        agree(session, known(session, rows.portal_id), SUMMED, 1)
        if number % 3 == 2:
            editor.take()
            assert_as_from_scratch(session, rows.portal_id)
            assert known(session, rows.portal_id)


def test_they_are_not_believed_while_they_are_due_or_of_another_rule(session):
    rows = portal(session, 0)
    assert not scope_of(session, rows.portal_id).known
    keeping.find_all(session, rows.portal_id)
    known(session, rows.portal_id)
    keeping.put_off(session, rows.portal_id)
    assert not scope_of(session, rows.portal_id).known
    keeping.find_all(session, rows.portal_id)
    session.add(SaleRule(portal_id=rows.portal_id, client_mode="company", version=2))
    session.flush()
    assert not scope_of(session, rows.portal_id).known
    assert keeping.due(session, rows.portal_id)


def test_another_own_company_moves_deals_of_others_so_everything_is_found_anew(session):
    rows = portal(session, 1)
    keeping.find_all(session, rows.portal_id)
    editor = Editor(session, rows, 1)
    editor.own_company()
    session.flush()
    assert not scope_of(session, rows.portal_id).known
    editor.take()
    assert session.get_one(FactsRun, rows.portal_id).due_at is not None


def test_the_upkeep_follows_noted_cards_and_finds_all_anew_after_too_many(session, monkeypatch):
    rows = portal(session, 2)
    keeping.find_all(session, rows.portal_id)
    editor = Editor(session, rows, 7)
    for _ in range(5):
        editor.addresses()
    session.flush()
    upkeep.follow_touched(session, rows.portal_id, NOW)
    assert known(session, rows.portal_id)
    assert_as_from_scratch(session, rows.portal_id)
    monkeypatch.setattr(upkeep, "AT_ONCE", 1)
    editor.note("contact", 1, 2, 3)
    session.flush()
    upkeep.follow_touched(session, rows.portal_id, NOW)
    assert not scope_of(session, rows.portal_id).known


@pytest.mark.parametrize("seed", range(len(RULES)))
@pytest.mark.parametrize("days", [0, 60])
def test_a_sale_soon_after_a_lost_deal_is_that_of_one_and_the_same_deal(session, seed, days):
    """By whatever date of sale: that of the stage history is asked two selects further in."""
    rows = portal(session, seed)
    keeping.find_all(session, rows.portal_id)
    scope = known(session, rows.portal_id)
    near = [_is("is_sale", "yes"), _is("days_after_lost", "le", days)]
    same(
        session,
        scope,
        {"version": 1, "clients": {"where": {"all": [_related("deals", "any", near)]}}},
    )
