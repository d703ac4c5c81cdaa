"""The embedded PostgreSQL: create, start, recover, stop."""

from __future__ import annotations

import os
import shutil
import signal
from urllib.parse import quote

import psycopg
from psycopg import sql

from core.embedded import process
from core.embedded.errors import EmbeddedError
from core.embedded.place import Place, run

NAME = "rubilnik"
_OWNER = "postgres"
_STARTED_IN = 120  # seconds; recovery after a crash replays up to max_wal_size

_SETTINGS = {
    "listen_addresses": "",
    "unix_socket_permissions": "0700",
    "max_connections": "100",
    "work_mem": "16MB",
    "maintenance_work_mem": "128MB",
    "random_page_cost": "1.1",
    "wal_compression": "on",
    # Nothing follows this server: what a transaction makes and fills is written to its file, not to the log as well.
    "wal_level": "minimal",
    "max_wal_senders": "0",
    "max_wal_size": "2GB",
    "min_wal_size": "128MB",
    "jit": "off",
    "timezone": "UTC",
    # Statements and details carry personal data; the application logs its own errors.
    "log_min_error_statement": "panic",
    "log_error_verbosity": "terse",
}


def _settings() -> dict[str, str]:
    """With pages kept in an eighth of the memory: a base of millions of deals is read from there."""
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") // 2**20
    return {
        **_SETTINGS,
        "shared_buffers": f"{min(max(memory // 8, 128), 2048)}MB",
        "effective_cache_size": f"{max(memory // 2, 512)}MB",
    }


class Postgres:
    """One cluster in `<home>/postgres` behind a unix socket that only its owner can open."""

    def __init__(self, place: Place) -> None:
        self._place = place
        self._data = place.home / "postgres"
        self._log = place.home / "postgres.log"
        self._pid_file = self._data / "postmaster.pid"
        self.url = self._url(NAME, NAME)

    def ensure(self) -> None:
        """Running and accepting our database when this returns."""
        if not self._answers(self.url):
            self._start()
            self._provide_database()

    def stop(self) -> None:
        """Fast shutdown: sessions are cut, everything committed is on disk."""
        pid = process.read_pid(self._pid_file)
        if pid is None or not process.is_alive(pid, self._data):
            return
        if not process.stop(pid, self._data, how=signal.SIGINT, seconds=60):
            process.stop(pid, self._data, how=signal.SIGQUIT, seconds=10)

    def _start(self) -> None:
        if not (self._data / "PG_VERSION").exists():
            self._create()
        server = None
        if not process.is_alive(process.read_pid(self._pid_file), self._data):
            self._forget_dead()
            options = {**_settings(), "unix_socket_directories": str(self._place.sockets)}
            arguments = [
                part for key, value in options.items() for part in ("-c", f"{key}={value}")
            ]
            command = [
                str(self._place.postgres_bin / "postgres"),
                "-D",
                str(self._data),
                *arguments,
            ]
            server = process.spawn(command, self._place.account, self._log)
        address = self._url(_OWNER, _OWNER)
        process.wait_until(lambda: self._answers(address), server, _STARTED_IN, self._log)

    def _create(self) -> None:
        """A new cluster appears whole: initdb works beside it and the folder is renamed."""
        draft = self._data.with_name("postgres.new")
        shutil.rmtree(draft, ignore_errors=True)
        run(
            self._place.account, str(self._place.postgres_bin / "initdb"), "-D", str(draft),
            "--username", _OWNER, "--auth", "trust", "--encoding", "UTF8", "--locale", "C",
            "--locale-provider", "builtin", "--builtin-locale", "C.UTF-8", "--data-checksums",
        )  # fmt: skip
        draft.rename(self._data)

    def _forget_dead(self) -> None:
        """Clear what a killed postmaster left.

        PostgreSQL believes a pid file whose pid exists, be it a zombie or a stranger. We know
        better, but remove them only when no orphaned backend still works on the files.
        """
        process.wait_until(lambda: not process.members(self._data), None, 30, self._log)
        for path in (self._pid_file, *self._place.sockets.glob(".s.PGSQL.*")):
            path.unlink(missing_ok=True)

    def _provide_database(self) -> None:
        """Our role and database; the role is no superuser, so row security applies to it."""
        name = sql.Identifier(NAME)
        with psycopg.connect(self._url(_OWNER, _OWNER), autocommit=True) as connection:
            if not connection.execute(
                "SELECT 1 FROM pg_roles WHERE rolname = %s", [NAME]
            ).fetchone():
                connection.execute(sql.SQL("CREATE ROLE {} LOGIN CREATEDB").format(name))
            known = "SELECT 1 FROM pg_database WHERE datname = %s"
            if not connection.execute(known, [NAME]).fetchone():
                connection.execute(sql.SQL("CREATE DATABASE {} OWNER {}").format(name, name))
        if not self._answers(self.url):
            raise EmbeddedError(f"PostgreSQL runs, but its database {NAME} does not answer")

    def _url(self, user: str, database: str) -> str:
        return f"postgresql://{user}@/{database}?host={quote(os.fspath(self._place.sockets))}"

    @staticmethod
    def _answers(url: str) -> bool:
        try:
            with psycopg.connect(url, connect_timeout=5) as connection:
                connection.execute("SELECT 1")
        except psycopg.OperationalError:
            return False
        return True
