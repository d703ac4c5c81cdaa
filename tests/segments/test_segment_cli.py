"""The segments commands: ready ones, saved ones, counters, members, a new one from a file."""

from __future__ import annotations

import json

import pytest
import sqlalchemy as sa

from integration.connect import connect
from segments.ready import presets
from segments.ready.presets import PRESETS
from segments.ready.presets_of_cards import CLIENT_FLAG, LEAD_FLAG
from segments.saved import Segment

BUYERS = {"version": 1, "clients": {"where": {"all": [{"field": "sales", "op": "ge", "value": 1}]}}}


def counted(world):
    world.sync()
    world.count()


@pytest.fixture
def settled(world):
    """The portal read and computed."""
    return world.reach(counted)


def run(world, *arguments, fails=False):
    """What a command prints, line by line."""
    done = world.app.test_cli_runner().invoke(args=["segments", *arguments])
    assert (done.exit_code != 0) is fails, done.output
    return done.output if fails else [json.loads(line) for line in done.output.splitlines()]


def saved(world):
    with world.runtime.sessions() as session:
        return session.scalar(sa.select(sa.func.count()).select_from(Segment))


def test_segments_are_listed_counted_exported_and_made_from_a_file(settled, tmp_path):
    portal = ("--portal", settled.demo.domain)
    rows = run(settled, "presets", "--json")
    assert {row["key"] for row in rows} == set(PRESETS)
    assert {"key": "lost_deals", "name": "Клиенты с проигранными сделками"} in rows

    lacks = {row["key"]: row["lacks"] for row in run(settled, "presets", *portal, "--json")}
    assert lacks["foreign_leads"] is None, "the portal has «Иностранный лид»"
    assert lacks["lost_deals"] is None
    assert "выберите" in lacks["cross_sell"].lower()

    file = tmp_path / "buyers.json"
    file.write_text(json.dumps(BUYERS))
    create = ("create", *portal, "--name", "Покупатели", "--rule-file", str(file), "--json")
    (made,) = run(settled, *create)
    assert set(made) == {"id"}
    (listed,) = run(settled, "list", *portal, "--json")
    assert (listed["id"], listed["name"], listed["how"]) == (made["id"], "Покупатели", "dynamic")

    names = ["emails", "phones", "messengers", "companies", "contacts", "leads"]
    for key in (str(made["id"]), "all_clients", "foreign_leads", "lost_deals"):
        (counters,) = run(settled, "count", *portal, key, "--json")
        members = run(settled, "export", *portal, key, "--json")
        assert list(counters) == names
        assert all(set(member) == {"entity", "id"} for member in members)
        cards = {
            kind: [m for m in members if m["entity"] == kind]
            for kind in ("contact", "company", "lead")
        }
        assert [counters[name] for name in names[3:]] == [
            len(cards["company"]), len(cards["contact"]), len(cards["lead"]),
        ]  # fmt: skip
        assert members, key
    marked = [row for row in settled.rows("lead") if row.get("UF_CRM_FOREIGN") in ("1", 1, True)]
    (counters,) = run(settled, "count", *portal, "foreign_leads", "--json")
    assert counters["leads"] == len(marked)

    with settled.runtime.sessions.begin() as session:
        session.execute(sa.update(Segment).values(how="static", definition=None))
    assert run(settled, "export", *portal, str(made["id"]), "--json") == []


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ('{"version": 1, "clients": {"where": {"all": [{"field": "shoe", "op": "is"}]}}}',
         "clients.where.all[0].field: there is no such field"),
        ('{"version": 1, "leads": {"where": {"all": [{"field": "title", "op": "ge"}]}}}',
         "leads.where.all[0].op"),
        ('{"version": 2}', "version: must be 1"),
        ("[1, 2", "is no JSON"),
        ("\xff", "is no JSON"),
        ("null", "holds no conditions"),
    ],
)  # fmt: skip
def test_a_wrong_file_is_refused_with_the_place_and_nothing_is_stored(
    world, tmp_path, content, said
):
    file = tmp_path / "rule.json"
    file.write_bytes(content.encode("latin-1"))
    arguments = ("--portal", world.demo.domain, "--name", "X", "--rule-file", str(file))
    output = run(world, "create", *arguments, fails=True)
    assert said in output
    assert str(file) in output
    assert "Nothing was saved" in output
    assert saved(world) == 0


def test_what_is_not_there_is_said_plainly(world):
    portal = ("--portal", world.demo.domain)
    for key in ("nobody", "99", "-1", "9" * 30, "²"):
        assert "no such segment" in run(world, "count", *portal, "--", key, fails=True)
    assert "Выберите" in run(world, "export", *portal, "by_source", fails=True)


def test_the_flag_a_preset_needs_is_created_once_and_can_be_filled_in(world):
    client = connect(world.runtime, world.portal)
    created = presets.create_flag_field(client, LEAD_FLAG)
    assert created == ["lead.UF_CRM_RUBILNIK_FOREIGN"]
    assert presets.create_flag_field(client, LEAD_FLAG) == []
    assert len(presets.create_flag_field(client, CLIENT_FLAG)) == 2
    (row,) = (
        each for each in world.call("crm.lead.userfield.list")
        if each["FIELD_NAME"] == LEAD_FLAG.code
    )  # fmt: skip
    assert (row["USER_TYPE_ID"], row["EDIT_IN_LIST"], row["MANDATORY"]) == ("boolean", "Y", "N")
