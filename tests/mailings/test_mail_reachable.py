"""How many of a segment can be written to now: by channel, each address once, beside the counters of every segment."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest
import sqlalchemy as sa
from redis import Redis
from support.mail_people import People
from support.mail_results import signed_in, web
from support.settings_page import plain

from mailings.conditions import reachable
from mailings.consent import suppressions, topics
from mailings.web.people import reach_views
from segments import segment_views
from segments.conditions import definitions
from segments.conditions.catalog import scope_of
from segments.conditions.compile import members
from segments.members import membership, saving

EVERYBODY = {"version": 1, "clients": {"where": {"all": []}}}


@pytest.fixture
def redis(redis_url):
    with Redis.from_url(redis_url) as client:
        yield client


@pytest.fixture
def people(session):
    """Six contacts with phones; of four e-mails that said yes, two are one address and one is on the stop list."""
    people = People(session)
    for number, email in enumerate(("a", "b", "b", "stopped", "silent", None)):
        address = email and f"{email}@example.com"
        people.card(address, consent=email != "silent", phone=f"+7999000000{number}")
    suppressions.suppress(
        session, people.id, "email", "stopped@example.com", "manual", source="by hand"
    )
    return people


def counted(people, redis):
    redis.flushall()
    scope = scope_of(people.session, people.id)
    cards = members(scope, definitions.read(EVERYBODY, scope))
    found = reachable.count(people.session, redis, people.id, cards, "everybody")
    return found.by_email, found.by_call


def test_each_address_that_a_message_would_go_to_counts_once(people, redis):
    assert counted(people, redis) == (2, 6)
    people.rules(basis="existing_clients")
    assert counted(people, redis) == (3, 6), "who was silent may be written to on this ground"


def test_who_agreed_to_one_topic_can_be_written_to(people, redis):
    topics.save(people.session, people.id, "factory", "Новости завода")
    people.card("news@example.com", consent=False)
    for address in ("news@example.com", "a@example.com"):
        people.says(address, topic="factory")
    assert counted(people, redis) == (3, 6)


def test_the_answer_is_remembered_by_its_question(people, redis):
    scope = scope_of(people.session, people.id)
    cards = members(scope, definitions.read(EVERYBODY, scope))
    first = reachable.count(people.session, redis, people.id, cards, "everybody")
    people.card("new@example.com")
    assert reachable.count(people.session, redis, people.id, cards, "everybody") == first
    again = reachable.count(people.session, redis, people.id, cards, "another question")
    assert again.by_email == first.by_email + 1


def test_what_takes_too_long_is_given_up(people, redis, monkeypatch):
    monkeypatch.setattr(reachable, "PATIENCE_MS", 1)
    scope = scope_of(people.session, people.id)
    cards = members(scope, definitions.read(EVERYBODY, scope))
    slow = cards.where(sa.func.pg_sleep(0.05).is_not(None))
    people.session.commit()
    assert reachable.count(people.session, redis, people.id, slow, "everybody") is None
    assert redis.keys() == []


def test_a_segments_page_and_the_builder_tell_it(settings, sessions, redis_url, people):
    made = saving.create(people.session, people.id, "Все", EVERYBODY)
    membership.refresh(people.session, scope_of(people.session, people.id), made)
    people.session.commit()
    headers = signed_in(settings, people.id) | {"HX-Request": "true"}
    edges = reach_views.blueprint, segment_views.blueprint
    with web(replace(settings, redis_url=redis_url), sessions, *edges) as client:
        page = client.get(f"/segments/{made.id}/state", headers=headers).get_data(as_text=True)
        address = f"/people/reach?segment={made.id}"
        assert f'hx-get="{address}"' in page
        told = "Можно написать сейчас: 2 , позвонить: 6 ."
        assert told in plain(client.get(address, headers=headers).get_data(as_text=True))
        drafted = client.post(
            "/people/reach", headers=headers, data={"draft": json.dumps(EVERYBODY)}
        )
        assert told in plain(drafted.get_data(as_text=True))
        unfinished = json.dumps({"version": 1, "clients": {"where": {"all": [{"field": "ltv"}]}}})
        answer = client.post("/people/reach", headers=headers, data={"draft": unfinished})
        assert answer.status_code == 200
        assert client.get("/people/reach?segment=999", headers=headers).status_code == 404
        wrong = client.post("/people/reach", headers=headers, data={"draft": "[]"})
        assert wrong.status_code == 400
