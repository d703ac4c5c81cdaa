"""The command about one client: the figures, and where a merged one has gone."""

from __future__ import annotations

from typing import Any

import click
from flask import Flask

from cli_common import as_json, named_portal, portal_option, show
from core.runtime import current
from insights.tab import card
from integration import merged
from segments.worth.explain import Client


def register(app: Flask) -> None:
    """Add the command to the application."""
    app.cli.add_command(client_command)


@click.command("client")
@portal_option
@click.argument("client", metavar="KIND:ID")
@as_json
def client_command(name: str, client: str, json_: bool) -> None:
    """What a contact:7 or a company:7 is worth; of a merged one, the client it became."""
    portal = named_portal(name)
    try:
        asked = Client.named(client)
    except ValueError as error:
        raise click.ClickException("name a client as contact:7 or company:7") from error
    row: dict[str, Any] = {"client": asked.name}
    with current().sessions() as session:
        merge = merged.into(session, portal.id, asked.kind.value, asked.id)
        if merge is not None:
            asked = Client(asked.kind, merge.winner_id)
            row |= {"merged_into": asked.name, "merged_at": merge.merged_at}
        figures = card.read(session, portal.id, asked).figures
    row |= {
        "ltv": figures.ltv,
        "sales": figures.sales,
        "average_check": figures.average_check,
        "first_sale": figures.first_sale_on,
        "last_sale": figures.last_sale_on,
    }
    show([row], json_=json_)
