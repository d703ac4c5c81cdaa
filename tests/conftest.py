"""Fixtures every test may use: servers, database, Redis, the demo portal, a browser.

session        a database session; all its work, commits included, is undone after the test
sessions       the factory behind it, for code that opens its own transactions
live_sessions  a factory that really commits (several processes, kills); tables are emptied after
redis_url      an empty Redis
portal         a running demo portal in a fresh state
world          the application installed on that portal, everything in this process
browser        a headless Chromium; skipped where there is none, failing under CI=true
"""

from __future__ import annotations

import fcntl
import os
import shutil
import tempfile
import time
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from types import CodeType

import pytest
import sqlalchemy as sa
from alembic import command
from alembic.config import Config
from flask import Flask
from jinja2.bccache import Bucket, BytecodeCache
from redis import Redis
from sqlalchemy.orm import Session, sessionmaker
from support import tables

from core import embedded, log
from core.config import Settings
from core.database import SessionFactory, make_engine
from demo.portal.process import DemoPortal, demo_portal
from mailings import conditions as mail_conditions

ROOT = Path(__file__).parents[1]
SCRIPTS = 3
LONG = {"faults", "flows", "browser"}
TINY = {"seed": 1, "sizes": "tiny", "dirty": True}
ENCRYPTION_KEY = "dGVzdHMtb25seS1lbmNyeXB0aW9uLWtleS0zMmJ5dGU="


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption(
        "--scripts", type=int, default=SCRIPTS, help="how many random scripts of edits and faults"
    )


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Folders of few long tests first: begun last, one of their files would run on alone at the end."""
    items.sort(key=lambda item: item.path.parent.name not in LONG)


@pytest.fixture(scope="session", autouse=True)
def _joined() -> None:
    """One catalogue for every test, whichever comes first: that of the whole application."""
    mail_conditions.join()


@pytest.fixture
def root() -> Path:
    """The checkout."""
    return ROOT


def sweep_after_killed_runs(place: Path) -> None:
    """Stop the servers and remove the folders of runs that were killed."""
    for lock in place.glob("rubilnik-tests-*/servers.lock"):
        with suppress(OSError), lock.open() as held:
            fcntl.flock(held, fcntl.LOCK_EX | fcntl.LOCK_NB)  # fails while the run lives
            embedded.stop(lock.parent)
            shutil.rmtree(lock.parent)


@pytest.fixture(scope="session")
def scratch() -> Iterator[Path]:
    """A short-named folder other system users can pass through, unlike pytest's own."""
    memory = Path("/dev/shm")  # noqa: S108 - no disk to wait for
    roomy = memory.is_dir() and shutil.disk_usage(memory).free > 2 * 2**30
    sweep_after_killed_runs(memory if roomy else Path(tempfile.gettempdir()))
    folder = Path(tempfile.mkdtemp(prefix="rubilnik-tests-", dir=memory if roomy else None))
    folder.chmod(0o711)
    yield folder
    shutil.rmtree(folder)


class Compiled(BytecodeCache):
    """Templates compiled once for all the applications a run makes, not by each of them."""

    def __init__(self) -> None:
        self._code: dict[tuple[str, str], CodeType] = {}

    def load_bytecode(self, bucket: Bucket) -> None:
        bucket.code = self._code.get((bucket.key, bucket.checksum))

    def dump_bytecode(self, bucket: Bucket) -> None:
        if bucket.code is not None:
            self._code[bucket.key, bucket.checksum] = bucket.code


@pytest.fixture(scope="session", autouse=True)
def compiled() -> Iterator[None]:
    """See Compiled."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Flask, "jinja_options", {"bytecode_cache": Compiled()})
        yield


@pytest.fixture(scope="session")
def servers(scratch: Path) -> Iterator[embedded.Servers]:
    """PostgreSQL and Redis for this run alone."""
    yield embedded.ensure(scratch)
    embedded.release(scratch)


@pytest.fixture(scope="session")
def settings(servers: embedded.Servers, scratch: Path) -> Settings:
    """Complete settings on the test servers."""
    return Settings(
        data_dir=scratch,
        database_url=servers.database_url,
        redis_url=servers.redis_url,
        public_url="https://app.example.com",
        secret_key="a secret for tests only, long enough to sign with",
        encryption_keys=(ENCRYPTION_KEY,),
        b24_client_id="local.0123456789abcd.12345678",
        b24_client_secret="a client secret for tests only",
        allow_private_portals=True,
    )


@pytest.fixture(scope="session")
def database(settings: Settings) -> Iterator[sa.Engine]:
    """An engine on a database the migrations have made."""
    engine = make_engine(settings.database_url)
    config = Config(ROOT / "alembic.ini")
    config.set_main_option("script_location", str(ROOT / "migrations"))
    config.attributes["engine"] = engine
    command.upgrade(config, "head")
    yield engine
    engine.dispose()


@pytest.fixture
def sessions(database: sa.Engine) -> Iterator[SessionFactory]:
    """Sessions on one connection whose outer transaction is rolled back after the test."""
    with database.connect() as connection:
        outer = connection.begin()
        yield sessionmaker(
            connection, expire_on_commit=False, join_transaction_mode="create_savepoint"
        )
        outer.rollback()


@pytest.fixture
def session(sessions: SessionFactory) -> Iterator[Session]:
    """One session of `sessions`."""
    with sessions() as session:
        yield session


@pytest.fixture
def live_sessions(database: sa.Engine) -> Iterator[SessionFactory]:
    """Sessions that commit for every process to see; all tables are emptied afterwards."""
    yield sessionmaker(database, expire_on_commit=False)
    tables.empty(database)


@pytest.fixture
def redis_url(settings: Settings) -> str:
    """The address of a Redis that holds nothing."""
    with Redis.from_url(settings.redis_url) as client:
        client.flushall()
    return settings.redis_url


@pytest.fixture(scope="session")
def portal_process() -> Iterator[DemoPortal]:
    """One demo portal for the whole run: tiny data, seed 1, limits off."""
    with demo_portal("--sizes", "tiny", "--limits", "off") as portal:
        yield portal


@pytest.fixture(scope="session")
def neighbour_process() -> Iterator[DemoPortal]:
    """A second demo portal with other people and deals: somebody else's."""
    with demo_portal("--sizes", "tiny", "--limits", "off", "--seed", "2") as portal:
        yield portal


_hours: set[str] = set()  # the data counts back from the full hour


@pytest.fixture
def portal(portal_process: DemoPortal) -> DemoPortal:
    """The demo portal as it was at its start (see demo/portal/process.py for what it can be told)."""
    start = {"name": f"start {time.time() // 3600:.0f}"}
    if start["name"] in _hours:
        portal_process.control("restore", start)
    else:
        portal_process.control("reset", TINY)
        portal_process.control("save", start)
        _hours.add(start["name"])
    return portal_process


@pytest.fixture
def portal_settings(settings: Settings, portal: DemoPortal) -> Settings:
    """Settings of an application of this portal, whose OAuth server is the portal's own."""
    return replace(settings, b24_oauth_urls=(portal.oauth_url,))


@pytest.fixture(scope="session")
def browser_process() -> Iterator[object]:
    """Chromium, once for the whole run."""
    from support.browser import Browser, missing

    if reason := missing():
        if os.environ.get("CI") == "true":
            pytest.fail(f"browser tests may not be skipped in CI: {reason}")
        pytest.skip(reason)
    with Browser() as browser:
        yield browser


@pytest.fixture
def browser(browser_process):
    """Chromium with a clean profile and one empty page (see support/browser.py)."""
    browser_process.fresh()
    yield browser_process
    browser_process.fresh()  # a page left open would go on drawing and polling beside other tests


@pytest.fixture(scope="session")
def installation(
    settings: Settings, database: sa.Engine, portal_process: DemoPortal
) -> Iterator[object]:
    """The application installed on the demo portal for real, by the first test that needs it."""
    from support.installation import Installation

    found = Installation(settings, database, portal_process, TINY)
    yield found
    found.close()


@pytest.fixture
def world(installation, live_sessions: SessionFactory) -> Iterator[object]:
    """The application just installed on the demo portal (see support/world.py)."""
    yield installation.world()
    log.configure("WARNING")
