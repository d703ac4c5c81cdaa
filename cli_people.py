"""Commands about people: what they agreed to, who is not written to, what is known of one, and its removal."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import click
import orjson
from flask import Flask

from cli_common import as_json, named_portal, portal_option, show
from core.database import transaction
from core.runtime import current
from mailings.consent import erasing, importing, persons, settings, suppressions, syncing
from mailings.consent.importing import BadFile, NoSource
from mailings.consent.settings import ConsentField
from mailings.rules.consents import Reason
from mailings.rules.states import ChannelKey

_ACTOR = "command line"
_channel = click.option(
    "--channel", default="email", type=click.Choice([each.value for each in ChannelKey])
)


def register(app: Flask) -> None:
    """Add the commands to the application."""
    for command in (consents_group, suppress_command, erase_command, export_command):
        app.cli.add_command(command)


@click.group("consents")
def consents_group() -> None:
    """What people agreed to."""


@consents_group.command("import")
@portal_option
@_channel
@click.option("--source", required=True, help="Where these people agreed, in your words.")
@click.argument("file", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@as_json
def import_command(name: str, channel: str, source: str, file: Path, json_: bool) -> None:
    """Record the consents of a CSV file with a column «address»; rows that can't be taken are told."""
    portal = named_portal(name)
    try:
        with transaction(current().sessions) as session:
            done = importing.import_file(
                *(session, portal.id, channel, source, file.read_bytes()), actor=_ACTOR
            )
    except BadFile as error:
        raise click.ClickException(f"{file}: {error.code}. Nothing was recorded") from error
    except NoSource as error:
        raise click.ClickException("say where these people agreed: --source") from error
    refused = [
        {"row": each.row, "address": each.address, "reason": each.reason.value}
        for each in done.refused
    ]
    if json_:
        show([{"imported": done.imported, "refused": refused}], json_=True)
    else:
        show([{"imported": done.imported, "refused": len(refused)}, *refused], json_=False)


@consents_group.command("field")
@portal_option
@_channel
@click.option("--code", required=True, metavar="UF_CRM_…", help="The portal's field that says yes.")
@as_json
def field_command(name: str, channel: str, code: str, json_: bool) -> None:
    """Take consents from a custom field of the portal's cards, now and from now on."""
    portal = named_portal(name)
    with transaction(current().sessions) as session:
        rules = settings.rules_of(session, portal.id)
        field = ConsentField(code, channel=channel)
        settings.change(session, portal.id, replace(rules, consent_field=field))
        recorded = 0
        while new := syncing.sync(session, portal.id):
            recorded += new
    show([{"field": code, "recorded": recorded}], json_=json_)


@click.command("suppress")
@portal_option
@_channel
@click.argument("address")
@as_json
def suppress_command(name: str, channel: str, address: str, json_: bool) -> None:
    """Write to this address no more, whatever else is known of it."""
    portal = named_portal(name)
    normal = importing.normalised(channel, address)
    if normal is None:
        raise click.ClickException(f"not an address of this channel: {address}")
    with transaction(current().sessions) as session:
        suppressions.suppress(
            *(session, portal.id, channel, normal, Reason.MANUAL), source=_ACTOR, actor=_ACTOR
        )
        found = suppressions.of(session, portal.id, channel, normal)
    reason = found.reason if found else Reason.MANUAL.value
    show([{"channel": channel, "address": normal, "reason": reason}], json_=json_)


def _person(command: Any) -> Any:
    """Which card it is about."""
    for kind in reversed(persons.KINDS):
        command = click.option(f"--{kind}", kind, type=int, metavar="N")(command)
    return portal_option(command)


@click.command("erase")
@_person
@as_json
def erase_command(name: str, json_: bool, **cards: int | None) -> None:
    """Remove what the mailings know of a person; nobody writes to him again, also after a sync."""
    portal, (kind, number) = named_portal(name), _card(cards)
    with transaction(current().sessions) as session:
        done = erasing.erase(session, portal.id, kind, number, actor=_ACTOR)
    show([{"entity": kind, "id": number, **done.as_dict()}], json_=json_)


@click.command("export-person")
@_person
@click.option("--proof", is_flag=True, help="Only his consents with their proof, as CSV.")
@as_json
def export_command(name: str, proof: bool, json_: bool, **cards: int | None) -> None:
    """Every row of every table that knows a person, as JSON; with --json one row a line."""
    portal, (kind, number) = named_portal(name), _card(cards)
    with current().sessions() as session:
        person = persons.find(session, portal.id, kind, number)
        if proof:
            click.echo(persons.proof(session, person), nl=False)
            return
        rows = list(persons.known(session, person))
    if json_:
        show(({"table": table, "row": row} for table, row in rows), json_=True)
        return
    tables: dict[str, list[dict[str, Any]]] = {}
    for table, row in rows:
        tables.setdefault(table, []).append(row)
    click.echo(orjson.dumps(tables, default=str, option=orjson.OPT_INDENT_2).decode())


def _card(cards: dict[str, int | None]) -> tuple[str, int]:
    named = [(kind, number) for kind, number in cards.items() if number is not None]
    if len(named) != 1:
        raise click.UsageError("name one card: --contact N, --company N or --lead N")
    return named[0]
