"""The commands about mailings and people, by which everything can be done without a page."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest
from flask import Flask
from support.mail_people import People

import cli_mailings
import cli_people
from core import log, runtime
from core.runtime import Runtime
from mailings.consent import suppressions
from mailings.models import Mailing

HTML = '<html><body><p>Здравствуйте! <a href="https://shop.example.com/new">Смотрите</a></p></body></html>'


@pytest.fixture
def people(session):
    """Three people who can be written to, and one who said nothing."""
    found = People(session)
    for name in ("anna", "boris", "viktor"):
        found.card(f"{name}@example.com")
    found.card("silent@example.com", consent=False)
    session.commit()
    return found


@pytest.fixture
def run(settings, sessions, people, redis_url):
    """A command, and what it prints line by line."""
    made = replace(Runtime.build(settings), sessions=sessions)
    runtime.install(made)
    app = Flask("commands", static_folder=None)
    cli_mailings.register(app)
    cli_people.register(app)

    def run(*arguments, fails=False, reads=None):
        done = app.test_cli_runner().invoke(args=[str(each) for each in arguments])
        assert (done.exit_code != 0) is fails, done.output
        people.session.expire_all()
        if fails or reads is str:
            return done.output
        return [json.loads(line) for line in done.stdout.splitlines()]

    yield run
    made.engine.dispose()
    made.redis.close()
    log.configure("WARNING")


@pytest.fixture
def made(run, people, tmp_path):
    """A mailing made by the command: its number."""
    body = tmp_path / "letter.html"
    body.write_text(HTML)
    (row,) = run(
        "mailings", "create", "--portal", people.portal.domain, "--segment", people.segment.id,
        "--channel", "email", "--subject", "Новинка", "--body-file", body, "--rate", "60/min", "--json",
    )  # fmt: skip
    return row["id"]


def test_a_mailing_is_made_started_steered_and_looked_at(run, people, made):
    portal = ("--portal", people.portal.domain)
    (listed,) = run("mailings", "list", *portal, "--json")
    assert (listed["id"], listed["name"], listed["state"]) == (made, "Новинка", "draft")

    (started,) = run("mailings", "start", made, "--json")
    assert (started["state"], started["size"]) == ("running", 4)
    assert run("mailings", "start", made, "--json") == [started], "a second start changes nothing"

    rows = run("mailings", "deliveries", made, "--json")
    assert [(row["state"], row["address"], row["reason"]) for row in rows] == [
        ("pending", "anna@example.com", None),
        ("pending", "boris@example.com", None),
        ("pending", "viktor@example.com", None),
        ("skipped", "silent@example.com", "no_consent"),
    ]
    (stats,) = run("mailings", "stats", made, "--json")
    assert sum(stats["deliveries"].values()) == stats["size"] == 4
    assert (stats["deliveries"]["pending"], stats["deliveries"]["skipped"]) == (3, 1)

    for command, state in (("pause", "paused"), ("resume", "running"), ("cancel", "cancelled")):
        assert [row["state"] for row in run("mailings", command, made, "--json")] == [state]
    assert "cancelled" in run("mailings", "resume", made, fails=True)


def test_after_a_restore_a_mailing_goes_on_by_choice(run, people, made):
    run("mailings", "start", made, "--json")
    mailing = people.session.get_one(Mailing, (people.id, made))
    mailing.state, mailing.state_reason = (
        "paused",
        "restored:older 2026-11-01T00:00Z 2099-01-01T00:00Z",
    )
    people.session.commit()
    assert "without choosing" in run("mailings", "resume", made, fails=True)
    run("mailings", "resume", made, "--restored", "skip", "--json")
    states = {row["address"]: row["state"] for row in run("mailings", "deliveries", made, "--json")}
    assert states["anna@example.com"] == "unknown"


@pytest.mark.parametrize(
    ("name", "text", "how"),
    [("a.html", HTML, "html"), ("a.txt", "Здравствуйте!\n2 < 3", "text"),
     ("a.mjml", "<mjml><mj-body><mj-section><mj-column><mj-text>Hi</mj-text></mj-column></mj-section></mj-body></mjml>", "mjml")],
)  # fmt: skip
def test_the_letter_is_html_text_or_mjml(run, people, tmp_path, name, text, how):
    body = tmp_path / name
    body.write_text(text)
    args = ("--portal", people.portal.domain, "--segment", "all_clients", "--subject", "S")
    (row,) = run("mailings", "create", *args, "--body-file", body, "--control", 20, "--json")
    (mailing,) = [each for each in _mailings(people) if each.id == row["id"]]
    assert (mailing.content["how"], mailing.preset) == (how, "all_clients")
    assert mailing.plan == {"control_percent": 20}


def _mailings(people):
    from mailings.planning import drafts

    return drafts.listed(people.session, people.id)


def test_what_cannot_be_is_told_and_nothing_is_made(run, people, tmp_path):
    body, broken, binary = tmp_path / "a.txt", tmp_path / "b.txt", tmp_path / "c.txt"
    body.write_text("Здравствуйте!")
    broken.write_text("Здравствуйте, {{ nobody.knows }}! {% if %}")
    binary.write_bytes(b"\xff\xfe\x00")
    args = ("mailings", "create", "--portal", people.portal.domain, "--subject", "S")
    ok = (*args, "--segment", people.segment.id)
    assert "no such segment" in run(*args, "--segment", "10000", "--body-file", body, fails=True)
    assert "no such segment" in run(*args, "--segment", "nobody", "--body-file", body, fails=True)
    assert "Nothing was saved" in run(*ok, "--body-file", broken, fails=True)
    assert "UTF-8" in run(*ok, "--body-file", binary, fails=True)
    assert "not a rate" in run(*ok, "--body-file", body, "--rate", "fast", fails=True)
    assert "control_percent" in run(*ok, "--body-file", body, "--control", 100, fails=True)
    assert "no such mailing" in run("mailings", "start", 10**9, fails=True)
    assert "no such mailing" in run("mailings", "stats", 10**20, fails=True)
    assert _mailings(people) == []


def test_consents_are_imported_and_the_refused_rows_told(run, people, tmp_path, made):
    file = tmp_path / "consents.csv"
    file.write_text("address\nSilent@example.com\nnobody\n")
    args = ("consents", "import", "--portal", people.portal.domain, "--channel", "email")
    (done,) = run(*args, "--source", "Анкеты", file, "--json")
    assert done == {
        "imported": 1,
        "refused": [{"row": 3, "address": "nobody", "reason": "not_an_address"}],
    }
    run("mailings", "start", made, "--json")
    assert {row["state"] for row in run("mailings", "deliveries", made, "--json")} == {"pending"}
    assert "--source" in run(*args, "--source", " ", file, fails=True)
    file.write_text("name\nAnna\n")
    assert "no_address_column" in run(*args, "--source", "x", file, fails=True)


def test_a_suppressed_address_is_not_written_to(run, people, made):
    args = ("suppress", "--portal", people.portal.domain, "--channel", "email")
    assert run(*args, "Anna@Example.com", "--json") == [
        {"channel": "email", "address": "anna@example.com", "reason": "manual"}
    ]
    assert "not an address" in run(*args, "nobody", fails=True)
    run("mailings", "start", made, "--json")
    (row, *_) = run("mailings", "deliveries", made, "--json")
    assert (row["state"], row["reason"]) == ("skipped", "suppressed")


def test_a_person_is_exported_and_erased(run, people, made):
    run("mailings", "start", made, "--json")
    args = ("--portal", people.portal.domain, "--contact", 1, "--json")
    tables = {row["table"] for row in run("export-person", *args)}
    assert tables >= {"contacts", "addresses", "deliveries", "consent_records"}
    proof = run("export-person", *args[:-1], "--proof", reads=str)
    assert [line.count("anna@example.com") for line in proof.splitlines()] == [0, 1]
    (done,) = run("erase", *args)
    assert (done["entity"], done["id"], done["addresses"], done["deliveries"]) == (
        "contact",
        1,
        1,
        1,
    )
    (row, *_) = run("mailings", "deliveries", made, "--json")
    assert (row["state"], row["address"], row["reason"]) == ("skipped", None, "gone")
    assert (
        suppressions.of(people.session, people.id, "email", "anna@example.com").reason == "erased"
    )
    assert "name one card" in run("erase", "--portal", people.portal.domain, fails=True)
