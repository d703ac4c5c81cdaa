"""What every command shares: the portal it is about, and how rows are printed."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import click
import orjson

from core.runtime import current
from integration import portals
from integration.models import Portal
from integration.portals import UnknownPortal

as_json = click.option("--json", "json_", is_flag=True, help="One JSON object a line.")
portal_option = click.option("--portal", "name", required=True, help="member_id or domain.")


def named_portal(name: str) -> Portal:
    """The portal of `--portal`; a plain message when there is none."""
    try:
        with current().sessions() as session:
            return portals.find(session, name)
    except UnknownPortal as error:
        raise click.ClickException(f"no such portal: {error}; see: portals list") from error


def show(rows: Iterable[Mapping[str, Any]], *, json_: bool) -> None:
    """One row a line: JSON, or `key=value` for people."""
    for row in rows:
        if json_:
            click.echo(orjson.dumps(dict(row), default=str).decode())
        else:
            click.echo("  ".join(f"{key}={_shown(value)}" for key, value in row.items()))


def _shown(value: object) -> str:
    return "-" if value is None else str(value)
