"""Runs the migrations on the engine it is given, or on the one the settings name."""

from alembic import context

import integration.appearance
import integration.goods
import integration.kept
import integration.mirror
import integration.models  # noqa: F401
import mailings.media
import mailings.models
import mailings.permissions  # noqa: F401
import segments.card_facts
import segments.models
import segments.saved
import segments.scoring.scored  # noqa: F401
from core import embedded
from core import models as core_models  # noqa: F401
from core.config import Settings
from core.database import Base, make_engine


def _ours(name: str | None, kind: str, _parents: object) -> bool:
    """A portal's partition of figures and facts is made while the application runs, not by a migration."""
    return kind != "table" or not str(name).startswith(_PARTITIONED)


_PARTITIONED = tuple(
    f"{table.name}_"
    for table in Base.metadata.tables.values()
    if table.dialect_options["postgresql"]["partition_by"]
)


def run() -> None:
    """Run them, one transaction each."""
    engine = context.config.attributes.get("engine")
    if engine is None:
        engine = make_engine(embedded.resolve(Settings.from_env()).database_url)
    with engine.connect() as connection:
        context.configure(
            connection=connection,
            target_metadata=Base.metadata,
            compare_type=True,
            compare_server_default=True,
            include_name=_ours,
            transaction_per_migration=True,
        )
        with context.begin_transaction():
            context.run_migrations()


run()
