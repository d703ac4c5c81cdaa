"""Brings the database schema to the newest version; safe when several processes start at once."""

from __future__ import annotations

from pathlib import Path

import sqlalchemy as sa
from alembic import command
from alembic.config import Config

_LOCK = 0x52554249  # any constant: the advisory lock of schema changes


def config(engine: sa.Engine) -> Config:
    """Alembic's configuration bound to an engine."""
    result = Config(str(Path(__file__).parent.parent / "alembic.ini"))
    result.set_main_option("script_location", str(Path(__file__).parent.parent / "migrations"))
    result.attributes["engine"] = engine
    return result


def upgrade(engine: sa.Engine) -> None:
    """`alembic upgrade head`, one process at a time."""
    with engine.connect() as connection:
        connection.execute(sa.select(sa.func.pg_advisory_lock(_LOCK)))
        try:
            command.upgrade(config(engine), "head")
        finally:
            connection.execute(sa.select(sa.func.pg_advisory_unlock(_LOCK)))
            connection.commit()
