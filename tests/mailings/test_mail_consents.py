"""Permission: the ledger and what it comes to, files of consents, the portal's field, suppressions that outlive all."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
import sqlalchemy as sa
from hypothesis import given
from hypothesis import settings as hypothesis
from hypothesis import strategies as st
from support.mail_people import LONG_AGO, People

from core.clock import utcnow
from integration import admin_rules
from integration.admin_rules import RuleName
from integration.mirror import Contact, CustomField
from mailings.consent import importing, ledger, persons, settings, suppressions, syncing, topics
from mailings.consent.hashing import address_hash, hashed
from mailings.consent.importing import BadFile, NoSource
from mailings.consent.ledger import Line
from mailings.consent.settings import ConsentField, Rules, WrongSettings
from mailings.consent.suppressions import NeverLifted
from mailings.permissions import ConsentRecord
from mailings.rules.consents import Reason


@pytest.fixture
def people(session):
    return People(session)


def stands(people, address, topic="offers"):
    found = ledger.stands(people.session, people.id, "email", topic, address)
    return None if found is None else found.given


def day(number):
    return datetime(2026, 1, number, tzinfo=UTC)


@pytest.mark.parametrize("address", ["a@example.com", "тест@почта.рф", "o'neil@example.com", "+79"])
def test_a_hash_is_the_same_in_python_and_in_sql(session, address):
    assert bytes(session.scalar(sa.select(hashed(7, sa.literal(address))))) == address_hash(
        7, address
    )
    assert address_hash(7, address) != address_hash(8, address)


_said = st.lists(st.tuples(st.integers(1, 4), st.booleans()), min_size=1, max_size=6)


@hypothesis(max_examples=25, deadline=None)
@given(said=_said, one_by_one=st.booleans())
def test_the_latest_word_counts_in_whatever_order_it_comes_and_a_no_beats_a_yes(
    database, said, one_by_one
):
    with sa.orm.Session(database) as session:
        people = People(session)
        lines = [Line("email", "a@example.com", yes, "a form", day(number)) for number, yes in said]
        for portion in ([line] for line in lines) if one_by_one else [lines]:
            ledger.record_all(session, people.id, portion)
        last = max(number for number, _ in said)
        assert stands(people, "a@example.com") == all(yes for number, yes in said if number == last)
        session.rollback()


def test_nobody_agrees_tomorrow_so_a_later_withdrawal_still_counts(people):
    people.says("a@example.com", at=utcnow() + timedelta(days=300))
    people.says("a@example.com", given=False, at=utcnow())
    assert stands(people, "a@example.com") is False


def test_a_line_needs_a_source_and_a_moment_with_a_zone(people):
    with pytest.raises(ValueError, match="source"):
        people.says("a@example.com", source=" ")
    with pytest.raises(ValueError, match="zone"):
        people.says("a@example.com", at=datetime(2026, 1, 1))


FILE = """address;consent;topic;date;proof
Anna@Example.com;да;;01.02.2026;form 7
not an address;;;;
late@example.com;;;2026-01-01;
unknown@example.com;;;;
newer@example.com;;;2026-03-01;
stopped@example.com;;;;
anna@example.com;;;;
future@example.com;;;2090-01-01;
odd@example.com;perhaps;;;
topic@example.com;;secret;;
;yes;;;
'=no@example.com;no;;;
"""


def test_a_file_is_taken_row_by_row_and_never_against_a_later_no(people):
    for address in ("late@example.com", "unknown@example.com", "newer@example.com"):
        people.says(address, given=False, at=datetime(2026, 2, 1, tzinfo=UTC))
    suppressions.suppress(
        people.session, people.id, "email", "stopped@example.com", "bounced", source="test"
    )
    done = importing.import_file(
        people.session, people.id, "email", "Бумажные анкеты", FILE.encode(), actor="user:1"
    )
    assert {each.row: each.reason.value for each in done.refused} == {
        3: "not_an_address", 4: "withdrawn_later", 5: "withdrawn_later", 7: "suppressed", 8: "twice",
        9: "in_the_future", 10: "not_yes_or_no", 11: "no_such_topic", 12: "no_address",
    }  # fmt: skip
    assert done.imported == 3
    assert [stands(people, each) for each in ("anna@example.com", "newer@example.com", "late@example.com")] == [
        True, True, False,
    ]  # fmt: skip
    (line,) = ledger.lines_of(people.session, people.id, ["anna@example.com"])
    assert (line.source, line.proof, line.actor) == ("Бумажные анкеты", "form 7", "user:1")
    assert line.happened_at == datetime(2026, 2, 1, tzinfo=UTC)


@pytest.mark.parametrize(
    ("data", "code"),
    [
        (b"name\nAnna\n", "no_address_column"),
        (b"\xff\xfe\x98", "not_text"),
        (b"", "no_address_column"),
    ],
)
def test_a_file_without_addresses_is_told_as_a_whole(people, data, code):
    with pytest.raises(BadFile) as caught:
        importing.import_file(people.session, people.id, "email", "a list", data)
    assert caught.value.code == code


def test_a_source_has_to_be_declared(people):
    with pytest.raises(NoSource):
        importing.import_file(people.session, people.id, "email", "  ", b"address\na@example.com\n")


def test_a_file_of_a_spreadsheet_in_russian_windows_is_read(people):
    data = "Адрес;Согласие\r\nанна@почта.рф;нет\r\n".encode("cp1251")
    assert importing.import_file(people.session, people.id, "email", "x", data).imported == 1
    assert stands(people, "анна@xn--80a1acny.xn--p1ai") is False


def test_the_proof_of_a_person_opens_in_a_spreadsheet_without_a_formula(people):
    people.card("anna@example.com", consent=False)
    people.says("anna@example.com", source="=HYPERLINK(1)", ip="203.0.113.5")
    person = persons.find(people.session, people.id, "contact", 1)
    header, line = persons.proof(people.session, person).splitlines()
    assert "'=HYPERLINK(1)" in line
    assert "203.0.113.5" in line
    assert header.startswith("happened_at;")


class Field:
    """The portal's field of consent, and what the cards say in it."""

    def __init__(self, people, type_id="boolean", items=None, **values):
        self.people = people
        for entity in ("contact", "lead"):
            people.session.add(
                CustomField(portal_id=people.id, entity=entity, code="UF_OK", type_id=type_id, label="OK", items=items)
            )  # fmt: skip
        people.session.flush()
        people.rules(consent_field=ConsentField("UF_OK", **values).as_json())

    def says(self, number, value, at):
        self.people.session.execute(
            sa.update(Contact)
            .where(Contact.portal_id == self.people.id, Contact.bitrix_id == number)
            .values(custom={} if value is None else {"UF_OK": value}, updated_at=at)
        )

    def sync(self):
        return syncing.sync(self.people.session, self.people.id)


def test_the_portals_field_is_recorded_only_when_it_changes(people):
    people.card("anna@example.com", consent=False, created_at=LONG_AGO)
    field = Field(people)
    field.says(1, False, day(1))
    assert field.sync() == 0
    field.says(1, True, day(2))
    assert (field.sync(), field.sync(), stands(people, "anna@example.com")) == (1, 0, True)
    field.says(1, None, day(3))
    assert (field.sync(), field.sync(), stands(people, "anna@example.com")) == (1, 0, False)
    field.says(1, True, day(4))
    assert (field.sync(), stands(people, "anna@example.com")) == (1, True)


def test_a_box_ticked_before_does_not_overrule_what_the_person_said_since(people):
    people.card("anna@example.com", consent=False, created_at=LONG_AGO)
    people.says("anna@example.com", given=False, at=day(5))
    field = Field(people)
    field.says(1, True, day(9))
    field.sync()
    assert stands(people, "anna@example.com") is False


def test_a_sync_lifts_no_suppression_and_of_two_cards_a_clear_no_wins(people):
    people.card("anna@example.com", consent=False)
    people.card("anna@example.com", consent=False)
    items = [
        {"id": 31, "value": "Согласен", "xml_id": None},
        {"id": 32, "value": "Против", "xml_id": None},
    ]
    field = Field(people, "enumeration", items, yes=("согласен",), no=("против",))
    suppressions.suppress(
        people.session, people.id, "email", "anna@example.com", "complained", source="x"
    )
    field.says(1, 31, day(1))
    assert (field.sync(), stands(people, "anna@example.com")) == (1, True)
    field.says(2, 32, day(2))
    assert (field.sync(), stands(people, "anna@example.com")) == (1, False)
    assert (
        suppressions.of(people.session, people.id, "email", "anna@example.com").reason
        == "complained"
    )


_events = st.lists(
    st.tuples(st.sampled_from(list(Reason)), st.sampled_from([None, 5, 10])), min_size=1, max_size=5
)


@hypothesis(max_examples=25, deadline=None)
@given(events=_events)
def test_of_several_suppressions_the_strongest_reason_and_the_longest_term_are_kept(
    database, events
):
    with sa.orm.Session(database) as session:
        people = People(session)
        start = utcnow()
        for reason, days in events:
            until = None if days is None else start + timedelta(days=days)
            suppressions.suppress(
                session, people.id, "email", "a@example.com", reason, source="x", until=until
            )
        found = suppressions.of(session, people.id, "email", "a@example.com")
        order = list(Reason)
        assert Reason(found.reason) is max((reason for reason, _ in events), key=order.index)
        ends = [
            None if days is None or not reason.liftable else start + timedelta(days=days)
            for reason, days in events
        ]
        assert found.until == (None if None in ends else max(ends))
        session.rollback()


def test_a_suppression_that_is_over_gives_way_to_a_weaker_one(people):
    past, later = utcnow() - timedelta(days=1), utcnow() + timedelta(days=3)
    args = (people.session, people.id, "email", "a@example.com")
    suppressions.suppress(*args, Reason.MANUAL, source="x", until=past)
    suppressions.suppress(*args, Reason.PAUSED, source="x", until=later)
    found = suppressions.of(*args)
    assert (found.reason, found.until) == ("paused", later)


def test_a_person_lifts_a_suppression_but_never_a_complaint(people):
    args = (people.session, people.id, "email")
    suppressions.suppress(*args, "a@example.com", Reason.BOUNCED, source="x")
    suppressions.suppress(*args, "b@example.com", Reason.COMPLAINED, source="x")
    assert suppressions.lift(*args, "a@example.com", actor="user:1")
    assert not suppressions.lift(*args, "a@example.com", actor="user:1")
    with pytest.raises(NeverLifted):
        suppressions.lift(*args, "b@example.com", actor="user:1")
    with pytest.raises(ValueError, match="answer"):
        suppressions.lift(*args, "b@example.com", actor=" ")


def test_another_basis_needs_an_administrators_own_words_and_every_version_is_kept(people):
    rules = Rules.read({"basis": "existing_clients"})
    for confirmation, user in (
        (None, 1),
        ("ok", 1),
        ("I answer for it: these are our clients", None),
    ):
        with pytest.raises(WrongSettings):
            settings.change(people.session, people.id, rules, user, confirmation=confirmation)
    words = "I answer for it: these are our clients"
    assert settings.change(people.session, people.id, rules, 1, confirmation=words)
    now = settings.rules_of(people.session, people.id)
    assert (now.confirmed["who"], now.confirmed["text"]) == (1, words)
    people.rules(attribution_days=10)
    assert settings.rules_of(people.session, people.id).confirmed["text"] == words
    settings.change(people.session, people.id, Rules(), 1)
    assert settings.rules_of(people.session, people.id).confirmed is None
    assert len(admin_rules.history(people.session, people.id, RuleName.MAILING)) == 4


@pytest.mark.parametrize(
    "raw",
    [{"caps": [{"days": -1, "number": 2}]}, {"caps": [{"days": 7, "numbr": 2}]}, {"basis": "none"},
     {"caps": [{"days": 9999, "number": 1}]}, {"attribution_days": 4000}],
)  # fmt: skip
def test_rules_that_cannot_be_followed_are_refused(raw):
    with pytest.raises(WrongSettings):
        Rules.read(raw)


def test_topics_are_added_renamed_and_put_away_but_never_the_first(people):
    assert topics.known(people.session, people.id) == {"offers"}
    topics.save(people.session, people.id, "events", "События", 2)
    topics.save(people.session, people.id, "events", "Встречи", 2)
    assert [t.name for t in topics.listed(people.session, people.id)] == ["", "Встречи"]
    topics.archive(people.session, people.id, "events")
    assert topics.known(people.session, people.id) == {"offers"}
    with pytest.raises(topics.BadTopic):
        topics.archive(people.session, people.id, "offers")


def test_lines_of_the_ledger_are_only_added(people):
    for yes in (True, False, True):
        people.says("a@example.com", given=yes, at=day(3))
    lines = sa.select(sa.func.count()).where(ConsentRecord.portal_id == people.id)
    assert (people.session.scalar(lines), stands(people, "a@example.com")) == (3, False)
