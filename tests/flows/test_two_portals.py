"""Two portals in one database, with the same ids of people and deals: neither ever sees the other."""

from __future__ import annotations

import re
from decimal import Decimal

import click
import pytest
import sqlalchemy as sa
from redis import Redis
from support.mail_results import mailed
from support.neighbours import (
    everything,
    fingerprints,
    recorded_lines,
    recorded_statements,
    side_by_side,
)
from support.samples.commands import COMMANDS, FOR_ALL_PORTALS
from support.samples.every import SAMPLES
from support.tables import empty
from support.visitor import OURS, Visitor

from core.database import Base
from integration.mirror import Company, Contact, CustomField, Deal, Pipeline, PortalUser, Status
from integration.models import PortalToken
from mailings.models import Mailing
from segments.members import saving
from segments.models import ClientKind, ClientMetrics
from segments.saved import Segment
from segments.worth.explain import Client

THEIRS = "Канарейкин"
OUR_AMOUNT, THEIR_AMOUNT = Decimal("41526377.00"), Decimal("73829164.00")


@pytest.fixture(scope="module")
def pair(settings, database, portal_process, neighbour_process):
    """Both portals read, computed and written; every name and amount of theirs is a canary."""
    with Redis.from_url(settings.redis_url) as redis:
        redis.flushall()
    for number, demo in enumerate((portal_process, neighbour_process), 1):
        demo.control("reset", {"seed": number, "sizes": "tiny"})
    with side_by_side(settings, portal_process, neighbour_process) as worlds:
        with recorded_lines() as lines:
            for world in worlds:
                live(world)
        worlds[0].lines = lines.getvalue()
        for world, name, amount in zip(
            worlds, (OURS, THEIRS), (OUR_AMOUNT, THEIR_AMOUNT), strict=True
        ):
            mark(world, name, amount)
        yield worlds
    empty(database)


def live(world):
    """A portal's first day: installed, read, computed, written, a segment saved, and told of a change."""
    world.install()
    world.work()
    world.set_rule(pipelines=(0, 1))
    world.switch_writing()
    world.count()
    world.write()
    with world.runtime.sessions.begin() as database:
        saving.create(database, world.portal_id, "Все", {"version": 1, "clients": {}})
        mailed(database, world.portal_id)
    world.demo.control("tokens/expire", {})
    Visitor(world, client_in([world])).event()


def mark(world, name, amount):
    """Put the canary into everything of a portal that a page could show."""
    canaries = {
        Contact: {"last_name": name, "custom": {}}, Company: {"title": name},
        Deal: {"title": name, "opportunity": amount}, Pipeline: {"name": name},
        Status: {"name": name}, PortalUser: {"name": name}, CustomField: {"label": name},
        Segment: {"name": name}, Mailing: {"name": name}, ClientMetrics: {"ltv": amount},
    }  # fmt: skip
    with world.runtime.sessions.begin() as database:
        for table, values in canaries.items():
            other = [getattr(table, each).is_distinct_from(value) for each, value in values.items()]
            own = table.portal_id == world.portal_id
            database.execute(sa.update(table).where(own, sa.or_(*other)).values(values))


def leaks(text, name=THEIRS, amount=THEIR_AMOUNT):
    digits = re.sub(r"\D", "", text)
    return [sign for sign in (name, str(int(amount))) if sign in text or sign in digits]


def client_in(worlds) -> int:
    """A contact with sales whose id both portals have."""
    ids = []
    for world in worlds:
        with world.runtime.sessions() as database:
            query = sa.select(ClientMetrics.client_id).where(
                ClientMetrics.portal_id == world.portal_id,
                ClientMetrics.kind == ClientKind.CONTACT,
            )
            ids.append(set(database.scalars(query)))
    return min(set.intersection(*ids))


@pytest.fixture(scope="module")
def administrator(pair):
    return Visitor(pair[0], client_in(pair))


@pytest.fixture
def us(administrator):
    """Our administrator; what was made or read meanwhile bears the canary again."""
    mark(administrator.world, OURS, OUR_AMOUNT)
    return administrator


PORTAL_TABLES = [table.name for table in Base.metadata.sorted_tables if "portal_id" in table.c]
OF_PORTALS = re.compile(rf'(?:FROM|JOIN|UPDATE|INTO) "?({"|".join(PORTAL_TABLES)})\b')


def narrowed(statement):
    """Whether a statement names the portal: among the columns it fills, else in its condition."""
    filled, _, rest = statement.partition(")")
    if filled.startswith("INSERT INTO") and not OF_PORTALS.search(rest):
        return "portal_id" in filled
    return "portal_id" in statement.partition(" WHERE ")[2]


def routes(app):
    return {
        (method, rule.rule)
        for rule in app.url_map.iter_rules()
        for method in rule.methods - {"HEAD", "OPTIONS"}
    }


def commands(group, path=()):
    for name, command in group.commands.items():
        if isinstance(command, click.Group):
            yield from commands(command, (*path, name))
            if not command.invoke_without_command:
                continue
        yield " ".join((*path, name)), command


def test_every_route_has_a_sample_here(pair):
    assert routes(pair[0].app) == set(SAMPLES)


def test_every_command_has_a_sample_here(pair):
    found = dict(commands(pair[0].app.cli))
    assert set(found) == set(COMMANDS) | FOR_ALL_PORTALS
    of_portals = {
        name for name, command in found.items()
        if any("--portal" in option.opts for option in command.params)
    }  # fmt: skip
    assert of_portals == set(COMMANDS)


@pytest.mark.parametrize("route", SAMPLES, ids=" ".join)
def test_a_route_shows_and_changes_nothing_of_the_neighbour(pair, us, route):
    them = pair[1]
    engine = them.runtime.engine
    before, calls = fingerprints(engine, them.portal_id), them.demo.counters()
    answer = SAMPLES[route].ask(us)
    text = answer.get_data(as_text=True) + str(answer.headers)
    answer.close()
    assert answer.status_code == SAMPLES[route].status, text[:300]
    if SAMPLES[route].shows:
        assert leaks(text, OURS, OUR_AMOUNT), "the sample shows nothing of its own portal either"
    assert leaks(text) == []
    assert fingerprints(engine, them.portal_id) == before
    assert them.demo.counters() == calls, "the neighbour's portal was called"


@pytest.mark.parametrize("name", COMMANDS)
def test_a_command_shows_and_changes_nothing_of_the_neighbour(pair, name):
    us, them = pair
    engine = them.runtime.engine
    before, calls = fingerprints(engine, them.portal_id), them.demo.counters()
    arguments = [part.format(portal=us.demo.domain) for part in COMMANDS[name]]
    done = us.app.test_cli_runner().invoke(args=[*name.split(), *arguments])
    assert done.exit_code == 0, done.output
    assert done.output
    assert leaks(done.output) == []
    assert fingerprints(engine, them.portal_id) == before
    assert them.demo.counters() == calls


def test_the_background_work_of_one_portal_leaves_the_other_alone(pair):
    us, them = pair
    engine = them.runtime.engine
    before, calls = fingerprints(engine, them.portal_id), them.demo.counters()
    us.switch_writing()
    us.sync(full=True)
    us.work()
    us.count()
    us.write()
    assert fingerprints(engine, them.portal_id) == before
    assert them.demo.counters() == calls


def test_a_session_of_the_neighbours_card_opens_nothing_of_ours(pair, us):
    them = Visitor(pair[1], us.contact_id)
    name = Client(ClientKind.CONTACT, us.contact_id).name
    assert leaks(them.get(f"/card?client={name}").get_data(as_text=True))
    assert leaks(us.get(f"/card?client={name}").get_data(as_text=True)) == []
    other = Client(ClientKind.CONTACT, us.contact_id + 1).name
    for path in ("/card?client=", "/card/deals?client=", "/card/profile?client="):
        assert us.get(path + other).status_code == 403


@pytest.mark.parametrize("event", ["ONCRMCONTACTUPDATE", "ONAPPUNINSTALL"])
def test_the_application_token_of_one_portal_is_worth_nothing_on_the_other(pair, event):
    us, them = pair
    before = fingerprints(us.runtime.engine)
    form = {
        "event": event,
        "data[FIELDS][ID]": "1",
        "auth[member_id]": them.member_id,
        "auth[application_token]": us.keys["application_token"],
    }
    assert us.browser.post("/events", data=form).status_code == 403
    assert fingerprints(us.runtime.engine) == before


def test_every_statement_on_a_portals_table_is_narrowed_to_the_portal(us):
    us.world.switch_writing()
    with recorded_statements(us.world.runtime.engine) as statements:
        us.world.sync()
        us.world.count()
        us.world.write()
        for route, sample in SAMPLES.items():
            if route[0] == "GET":
                sample.ask(us).close()
    touched = {text for text in statements if OF_PORTALS.search(text)}
    assert len({name for text in touched for name in OF_PORTALS.findall(text)}) >= 10
    assert [text for text in touched if not narrowed(text)] == []


def test_the_same_ids_live_in_both_portals_with_values_of_their_own(pair):
    us, them = pair
    with us.runtime.sessions() as database:
        for table in (Contact, Company, Deal):
            rows = {
                world.portal_id: dict(
                    database.execute(
                        sa.select(table.bitrix_id, table.synced_at).where(
                            table.portal_id == world.portal_id
                        )
                    ).all()
                )
                for world in pair
            }
            assert set(rows[us.portal_id]) & set(rows[them.portal_id])


def test_when_a_portal_is_erased_nothing_of_it_stays_and_nothing_of_the_other_goes(pair):
    us, them = pair
    engine = us.runtime.engine
    before = fingerprints(engine, us.portal_id)
    with engine.connect() as connection:
        connection.execute(sa.text(f"DELETE FROM portals WHERE id = {them.portal_id}"))
        for table in Base.metadata.sorted_tables:
            if "portal_id" in table.columns:
                query = sa.select(sa.func.count()).where(table.c.portal_id == them.portal_id)
                assert connection.scalar(query) == 0, table.name
        connection.rollback()
    assert fingerprints(engine, us.portal_id) == before


def secrets_of(world):
    """Every secret of a portal that passed through our hands, past tokens included."""
    tokens = {
        text
        for entry in world.demo.control("log?limit=5000")
        for text in re.findall(r"[0-9a-f]{70}", str(entry))
    }
    with world.runtime.sessions() as database:
        vault, row = world.runtime.vault, database.get_one(PortalToken, world.portal_id)
        tokens |= {
            vault.open(world.portal_id, row.access_token_sealed),
            vault.open(world.portal_id, row.refresh_token_sealed),
        }
    body = world.frame()["body"]
    tokens |= {body["AUTH_ID"], body["REFRESH_ID"]}
    return tokens | {world.keys["client_secret"], world.keys["application_token"]}


def test_a_stolen_dump_holds_no_secret(pair):
    dump = everything(pair[0].runtime.engine)
    for world in pair:
        assert world.member_id in dump
        for secret in secrets_of(world):
            assert secret not in dump
    for key in pair[0].runtime.settings.encryption_keys:
        assert key not in dump


def test_the_log_of_a_whole_day_holds_no_secret_and_no_person(pair):
    lines = pair[0].lines
    assert lines.count("\n") >= 10
    assert "sync done" in lines
    for world in pair:
        for secret in secrets_of(world):
            assert secret not in lines
        people = world.rows("contact") + world.rows("lead")
        typed = {
            entry["VALUE"] for row in people for name in ("EMAIL", "PHONE")
            for entry in row.get(name) or () if len(entry["VALUE"]) > 6
        }  # fmt: skip
        assert len(typed) > 50
        assert [value for value in typed if value in lines] == []
        names = {row["LAST_NAME"] for row in people if len(row.get("LAST_NAME") or "") > 4}
        assert [name for name in names if name in lines] == []


def test_a_failure_shows_the_client_neither_its_trace_nor_its_words(pair, us, monkeypatch):
    secret = us.world.keys["client_secret"]

    def fail(*_arguments):
        raise RuntimeError(f"client_secret={secret} of anna@example.com")

    monkeypatch.setattr("integration.sync.runs.progress", fail)
    with recorded_lines() as lines:
        answer = us.get("/home")
    assert answer.status_code == 500
    text = answer.get_data(as_text=True)
    for word in ("Traceback", "RuntimeError", "anna", secret, "progress"):
        assert word not in text
    assert "RuntimeError" in lines.getvalue(), "the log tells what happened"
    assert secret not in lines.getvalue()
    assert "anna@" not in lines.getvalue()
