"""Brings the database schema to the newest version; safe when several processes start at once."""

from __future__ import annotations

from pathlib import Path

import sqlalchemy as sa
from alembic import command
from alembic.config import Config

from core.errors import ConfigError

OLDEST = 18  # the first PostgreSQL whose RETURNING tells a row as it was before
_LOCK = 0x52554249  # any constant: the advisory lock of schema changes


def config(engine: sa.Engine) -> Config:
    """Alembic's configuration bound to an engine."""
    result = Config(str(Path(__file__).parent.parent / "alembic.ini"))
    result.set_main_option("script_location", str(Path(__file__).parent.parent / "migrations"))
    result.attributes["engine"] = engine
    return result


def upgrade(engine: sa.Engine) -> None:
    """`alembic upgrade head`, one process at a time; ConfigError when the server is too old."""
    with engine.connect() as connection:
        version = int((connection.dialect.server_version_info or (0,))[0])
        if version < OLDEST:
            raise ConfigError(
                f"DATABASE_URL leads to PostgreSQL {version}; version {OLDEST} or newer is needed"
            )
        connection.execute(sa.select(sa.func.pg_advisory_lock(_LOCK)))
        try:
            command.upgrade(config(engine), "head")
        finally:
            connection.execute(sa.select(sa.func.pg_advisory_unlock(_LOCK)))
            connection.commit()
