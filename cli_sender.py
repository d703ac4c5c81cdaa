"""The command that sends mailings."""

from __future__ import annotations

import click
from flask import Flask

from core.runtime import current
from mailings.sending import process


def register(app: Flask) -> None:
    """Attach the command to the application."""
    app.cli.add_command(sender_command)


@click.command("sender")
def sender_command() -> None:
    """Send what mailings have to send, until SIGTERM."""
    process.run(current().settings)
