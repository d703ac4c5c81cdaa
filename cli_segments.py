"""Commands about segments: the ready ones, the saved ones, who is in them, a new one from a file."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import click
from flask import Flask
from sqlalchemy.orm import Session

from cli_common import as_json, named_portal, portal_option, show
from core.database import transaction
from core.runtime import current
from core.web import words
from integration.models import Portal
from segments import audience
from segments.conditions.catalog import scope_of
from segments.conditions.definitions import InvalidCondition
from segments.members import lookup, saving
from segments.members.saving import NoSuchSegment
from segments.ready import presets
from segments.ready.preset_parts import Missing, Preset
from segments.ready.presets import Unready

_BATCH = 5000
_ANY_PORTAL = "ru"


def register(app: Flask) -> None:
    """Add the commands to the application."""
    app.cli.add_command(segments_group)


@click.group("segments")
def segments_group() -> None:
    """Who is selected, and by what."""


@segments_group.command("presets")
@click.option("--portal", "name", help="member_id or domain: also say what it lacks.")
@as_json
def presets_command(name: str | None, json_: bool) -> None:
    """The ready segments: keys and names."""
    if name is None:
        with words.speaking(_ANY_PORTAL):
            rows = [_preset_row(preset) for preset in presets.PRESETS.values()]
        show(rows, json_=json_)
        return
    portal = named_portal(name)
    with words.speaking(portal.language), current().sessions() as session:
        facts = presets.facts_of(session, scope_of(session, portal.id))
        rows = [
            _preset_row(preset) | {"lacks": _worded(presets.missing(preset, facts))}
            for preset in presets.PRESETS.values()
        ]
    show(rows, json_=json_)


@segments_group.command("list")
@portal_option
@as_json
def list_command(name: str, json_: bool) -> None:
    """The saved segments, the newest change first."""
    with current().sessions() as session:
        rows = [
            {
                "id": segment.id,
                "name": segment.name,
                "how": segment.how,
                "version": segment.version,
                "refreshed_at": segment.refreshed_at,
                "problem": segment.problem,
            }
            for segment in saving.listed(session, named_portal(name).id)
        ]
    show(rows, json_=json_)


@segments_group.command("count")
@portal_option
@click.argument("segment", metavar="KEY_OR_ID")
@as_json
def count_command(name: str, segment: str, json_: bool) -> None:
    """How many, now: distinct addresses, and cards."""
    portal = named_portal(name)
    with _asked(portal, segment) as (session, cards), audience.patient(session):
        counters = audience.counted(session, portal.id, cards)
    show([counters.as_dict()], json_=json_)


@segments_group.command("export")
@portal_option
@click.argument("segment", metavar="KEY_OR_ID")
@as_json
def export_command(name: str, segment: str, json_: bool) -> None:
    """Who is in it, one a line."""
    with _asked(named_portal(name), segment) as (session, cards):
        found = session.execute(cards.execution_options(yield_per=_BATCH))
        show(({"entity": str(kind), "id": number} for kind, number in found), json_=json_)


@segments_group.command("create")
@portal_option
@click.option("--name", "called", required=True, help="What people call it.")
@click.option(
    "--rule-file",
    required=True,
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="The conditions as JSON.",
)
@as_json
def create_command(name: str, called: str, rule_file: Path, json_: bool) -> None:
    """Save a segment by its conditions; the members follow."""
    portal, raw = named_portal(name), _conditions(rule_file)
    try:
        with transaction(current().sessions) as session:
            saved = saving.create(session, portal.id, called, raw)
            row = {"id": saved.id}
    except InvalidCondition as error:
        raise click.ClickException(f"{rule_file}: {error}. Nothing was saved") from error
    show([row], json_=json_)


def _conditions(rule_file: Path) -> Any:
    try:
        raw = json.loads(rule_file.read_bytes())
    except (ValueError, RecursionError) as error:
        raise click.ClickException(f"{rule_file} is no JSON: {error}. Nothing was saved") from error
    if raw is None:
        raise click.ClickException(f"{rule_file} holds no conditions. Nothing was saved")
    return raw


@contextmanager
def _asked(portal: Portal, segment: str) -> Iterator[tuple[Session, Any]]:
    """A session and the members' select; a plain message when there is no such segment."""
    with current().sessions() as session:
        try:
            cards = lookup.cards(session, scope_of(session, portal.id), segment)
        except NoSuchSegment as error:
            raise click.ClickException(
                f"no such segment: {segment}; see: segments list --portal …, segments presets"
            ) from error
        except Unready as error:
            with words.speaking(portal.language):
                raise click.ClickException(f"{segment}: {_worded(error.missing)}") from error
        except InvalidCondition as error:
            raise click.ClickException(f"{segment}: {error}") from error
        yield session, cards


def _preset_row(preset: Preset) -> dict[str, Any]:
    return {"key": preset.key, "name": words.gettext(preset.name)}


def _worded(missing: list[Missing]) -> str | None:
    return "; ".join(dict.fromkeys(words.gettext(each.words) for each in missing)) or None
