"""Every row belongs to one portal: shown on the tables themselves, whichever there are."""

from __future__ import annotations

from datetime import UTC, date, datetime
from decimal import Decimal

import pytest
import sqlalchemy as sa
from alembic import command
from sqlalchemy.dialects.postgresql import ARRAY, JSONB

import app  # noqa: F401 - the composition root imports every package, so all tables are known
from core import migrations
from core.database import Base
from core.errors import ConfigError

NOBODYS = {"lineage", "portals", "ticker_slots"}
TABLES = {table.name: table for table in Base.metadata.sorted_tables}
OF_PORTALS = sorted(set(TABLES) - NOBODYS)
BY_TRIGGER = {
    "addresses",
    "card_facts",
    "client_metrics",
    "client_scores",
    "crossing_addresses",
    "deal_contacts",
    "deliveries",
    "shared_addresses",
}  # go by a trigger: proved with the others below

_SAMPLES = (
    (ARRAY, []), (JSONB, {}), (sa.LargeBinary, b"same"), (sa.Boolean, False), (sa.Float, 0.5), (sa.Numeric, Decimal(1)),
    (sa.Integer, 7), (sa.DateTime, datetime(2026, 11, 1, tzinfo=UTC)), (sa.Date, date(2026, 11, 1)),
    (sa.Text, "same"), (sa.String, "same"),
)  # fmt: skip


def sample_row(table, portal_id):
    """A row with every column filled that has no default: the same one for each portal."""
    row = {"portal_id": portal_id}
    for column in table.columns:
        needed = not column.nullable and column.server_default is None and column.identity is None
        if column.name != "portal_id" and needed:
            row[column.name] = next(v for kind, v in _SAMPLES if isinstance(column.type, kind))
    return row


def add_portal(session, name):
    portals = TABLES["portals"]
    row = {"domain": f"{name}.example.com", "client_id": f"local.{name}", "member_id": name * 8}
    return session.execute(sa.insert(portals).values(row).returning(portals.c.id)).scalar_one()


def number(session, table, portal_id):
    query = sa.select(sa.func.count()).where(table.c.portal_id == portal_id)
    return session.scalar(query)


@pytest.mark.parametrize("name", OF_PORTALS)
def test_the_primary_key_begins_with_the_portal(name):
    assert next(iter(TABLES[name].primary_key.columns)).name == "portal_id"


@pytest.mark.parametrize("name", sorted(set(OF_PORTALS) - BY_TRIGGER))
def test_rows_go_with_their_portal(name):
    (key,) = [key for key in TABLES[name].foreign_keys if key.parent.name == "portal_id"]
    assert (key.target_fullname, key.ondelete) == ("portals.id", "CASCADE")


@pytest.mark.parametrize("name", OF_PORTALS)
def test_every_index_unique_key_and_reference_begins_with_the_portal(name):
    table = TABLES[name]
    leading = {index.name: next(iter(index.columns)).name for index in table.indexes}
    for constraint in table.constraints:
        if isinstance(constraint, sa.UniqueConstraint | sa.ForeignKeyConstraint):
            leading[constraint.name] = next(iter(constraint.columns)).name
    assert {key: first for key, first in leading.items() if first != "portal_id"} == {}


def test_two_portals_hold_the_same_row_in_every_table_and_lose_only_their_own(session):
    anna, boris = add_portal(session, "anna"), add_portal(session, "bori")
    for name in OF_PORTALS:
        for portal_id in (anna, boris):
            session.execute(sa.insert(TABLES[name]).values(sample_row(TABLES[name], portal_id)))
    assert {name: number(session, TABLES[name], anna) for name in OF_PORTALS} == dict.fromkeys(
        OF_PORTALS, 1
    )
    session.execute(sa.delete(TABLES["portals"]).where(TABLES["portals"].c.id == anna))
    left = {
        name: (number(session, TABLES[name], anna), number(session, TABLES[name], boris))
        for name in OF_PORTALS
    }
    assert left == dict.fromkeys(OF_PORTALS, (0, 1))


def test_the_database_has_these_tables_and_no_others(database):
    found = set(sa.inspect(database).get_table_names()) - {"alembic_version"}
    parted = [
        name
        for name, table in TABLES.items()
        if table.dialect_options["postgresql"]["partition_by"]
    ]
    partitions = {name for name in found if name.startswith(tuple(f"{each}_" for each in parted))}
    assert found - partitions == set(TABLES)


def test_the_migrations_make_what_the_models_say(database):
    command.check(migrations.config(database))


def test_a_server_too_old_is_named_before_anything_is_changed(database, monkeypatch):
    monkeypatch.setattr(migrations, "OLDEST", 99)
    with pytest.raises(
        ConfigError, match=r"DATABASE_URL leads to PostgreSQL \d+; version 99 or newer"
    ):
        migrations.upgrade(database)


def test_no_column_is_named_as_a_secret_without_being_sealed():
    words = ("token", "secret", "password")
    plain = [
        f"{table.name}.{column.name}"
        for table in TABLES.values()
        for column in table.columns
        if any(word in column.name for word in words) and not column.name.endswith("_sealed")
    ]
    assert plain == []
