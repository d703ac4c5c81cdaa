"""What measurements run on: servers of their own, the demo portal, the application installed on it."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import sqlalchemy as sa
from alembic import command
from alembic.config import Config

from core import embedded
from core.clock import utcnow
from core.config import Settings
from core.database import transaction
from core.runtime import Runtime
from demo.portal import process
from demo.portal.process import DemoPortal
from integration import portals, tokens
from integration.models import Portal, PortalState

ROOT = Path(__file__).parent.parent
_ROOMY = Path("/var/tmp")  # noqa: S108 - a folder of our own is made in it


def demo_portal(*options: str) -> AbstractContextManager[DemoPortal]:
    """Run the demo portal with these command line options, without hostile texts."""
    return process.demo_portal("--clean", *options)


@contextmanager
def servers(data: Path | None = None) -> Iterator[Settings]:
    """Settings on a PostgreSQL and a Redis of our own; with `data`, kept there for the next run."""
    folder = data or Path(tempfile.mkdtemp(prefix="rubilnik-bench-", dir=_ROOMY))
    folder.mkdir(parents=True, exist_ok=True)
    folder.chmod(0o711)
    own = embedded.ensure(folder)
    try:
        yield Settings(
            data_dir=folder,
            database_url=own.database_url,
            redis_url=own.redis_url,
            public_url="https://app.example.com",
            secret_key="a secret for measurements only, long enough",  # noqa: S106
            encryption_keys=("dGVzdHMtb25seS1lbmNyeXB0aW9uLWtleS0zMmJ5dGU=",),
            allow_private_portals=True,
            log_level="ERROR",
        )
    finally:
        embedded.release(folder)
        if data is None:
            shutil.rmtree(folder)


def runtime(settings: Settings, oauth_url: str = "") -> Runtime:
    """The application's runtime on a migrated database."""
    if oauth_url:
        settings = replace(settings, b24_oauth_urls=(oauth_url,))
    made = Runtime.build(settings)
    config = Config(ROOT / "alembic.ini")
    config.set_main_option("script_location", str(ROOT / "migrations"))
    config.attributes["engine"] = made.engine
    command.upgrade(config, "head")
    return made


def install(made: Runtime, portal: DemoPortal, *, license_name: str = "box_selfhosted") -> int:
    """An installed portal with its tokens, as the install page would leave it; its id.

    The name of a boxed licence switches our limiter off.
    """
    app = portal.control(
        "apps",
        {"title": "Bench", "handler_url": f"{made.settings.public_url}/", "scopes": _SCOPES},
    )
    form = portal.control(f"apps/{app['client_id']}/open", {"user_id": 1})["body"]
    with transaction(made.sessions) as session:
        session.execute(sa.delete(Portal).where(Portal.member_id == form["member_id"]))
        row = portals.register(
            session,
            made.vault,
            domain=portal.url,
            client_id=app["client_id"],
            client_secret=app["client_secret"],
        )
        row.member_id, row.license, row.state = form["member_id"], license_name, PortalState.ACTIVE
        row.endpoint, row.oauth_url = f"{portal.url}/rest/", portal.oauth_url
        expires_at = utcnow() + timedelta(hours=1)
        session.flush()
        tokens.store(session, made.vault, row.id, form["AUTH_ID"], form["REFRESH_ID"], expires_at)
        return row.id


_SCOPES = ["crm", "placement", "user_basic", "userfieldconfig", "im"]
