"""Server processes that outlive the one that started them, recognised by the folder they work in."""

from __future__ import annotations

import os
import signal
import subprocess
import time
from collections.abc import Callable, Sequence
from pathlib import Path

from core.embedded.errors import EmbeddedError
from core.embedded.place import Account, as_account

_PROC = Path("/proc")
_LOG_LIMIT = 5_000_000  # bytes kept of a server's log before it is set aside
Process = subprocess.Popen[bytes]
_started: list[Process] = []


def spawn(command: Sequence[str], account: Account | None, log_file: Path) -> Process:
    """Start a server in its own session: a Ctrl-C meant for us doesn't reach it."""
    if log_file.exists() and log_file.stat().st_size > _LOG_LIMIT:
        log_file.replace(log_file.with_suffix(".old.log"))
    with log_file.open("ab") as output:
        server = subprocess.Popen(
            command, **as_account(account), cwd="/", start_new_session=True,
            stdin=subprocess.DEVNULL, stdout=output, stderr=subprocess.STDOUT,
        )  # fmt: skip
    _started.append(server)
    return server


def wait_until(
    ready: Callable[[], bool], server: Process | None, seconds: float, log_file: Path
) -> None:
    """Poll until `ready()`; raises EmbeddedError with the end of the log when it never will be."""
    deadline = time.monotonic() + seconds
    while not ready():
        if time.monotonic() > deadline or (server and server.poll() is not None):
            tail = log_file.read_text(errors="replace")[-1500:] if log_file.exists() else ""
            raise EmbeddedError(f"A server did not come up. {log_file} ends:\n{tail}")
        time.sleep(0.02)


def read_pid(pid_file: Path) -> int | None:
    """The first line of a pid file as a number."""
    try:
        return int(pid_file.read_text().split("\n", 1)[0])
    except (OSError, ValueError):
        return None


def is_alive(pid: int | None, folder: Path) -> bool:
    """Whether this very server runs.

    The pid alone proves nothing: it may be a zombie nobody reaps, or reused after a reboot.
    """
    reap()
    if pid is None:
        return False
    if _PROC.joinpath("self").exists():
        return _works_in(_PROC / str(pid), folder)
    try:
        os.kill(pid, 0)
    except OSError:
        return False
    return True


def members(folder: Path) -> list[int]:
    """The live processes that work in the folder: a server, and what a killed one left."""
    reap()
    return [int(entry.name) for entry in _PROC.glob("[0-9]*") if _works_in(entry, folder)]


def stop(pid: int, folder: Path, *, how: signal.Signals, seconds: float) -> bool:
    """Signal the server and wait for its end; False when it is still there."""
    os.kill(pid, how)
    deadline = time.monotonic() + seconds
    while is_alive(pid, folder):
        if time.monotonic() > deadline:
            return False
        time.sleep(0.02)
    return True


def reap() -> None:
    """Take note of servers of ours that have ended, or Python warns of them at exit."""
    for process in _started:
        if _is_ending(process.pid):
            process.wait()
    _started[:] = [process for process in _started if process.poll() is None]


def _is_ending(pid: int) -> bool:
    """It has left its folder already, and can be waited for in a moment."""
    entry = _PROC / str(pid)
    try:
        entry.joinpath("cwd").readlink()
    except FileNotFoundError:
        return entry.exists()
    except OSError:
        return False
    return False


def _works_in(entry: Path, folder: Path) -> bool:
    try:
        state = entry.joinpath("stat").read_text().rpartition(")")[2].split()[0]
        return state not in "ZX" and entry.joinpath("cwd").readlink() == folder
    except OSError:  # gone, or of another user: not ours
        return False
