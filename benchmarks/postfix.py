"""The peer of a sender: Postfix's `smtp-source` pouring letters into its `smtp-sink`, where this machine has both."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import time

_PATH = os.pathsep.join((os.environ.get("PATH", os.defpath), "/usr/sbin"))
_BACKLOG = "100"


def is_here() -> bool:
    """Whether both programs are installed."""
    return all(_programs())


def source(letters: int, size: int) -> float | None:
    """Letters a second of one session that stays open; None where the programs are not installed."""
    pouring, taking = _programs()
    if pouring is None or taking is None:
        return None
    place = f"127.0.0.1:{_free_port()}"
    nobody = ["-u", "nobody"] if os.geteuid() == 0 else []
    server = subprocess.Popen([taking, *nobody, place, _BACKLOG])
    try:
        _wait(place)
        people = ["-f", "a@example.com", "-t", "b@example.org"]
        number = ["-d", "-s", "1", "-m", str(letters), "-l", str(size)]
        started = time.perf_counter()
        subprocess.run([pouring, *number, *people, place], check=True)
        return letters / (time.perf_counter() - started)
    finally:
        server.kill()
        server.wait()


def _programs() -> tuple[str | None, str | None]:
    return shutil.which("smtp-source", path=_PATH), shutil.which("smtp-sink", path=_PATH)


def _free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as found:
        return int(found.getsockname()[1])


def _wait(place: str) -> None:
    host, _, port = place.partition(":")
    deadline = time.monotonic() + 10
    while True:
        try:
            socket.create_connection((host, int(port))).close()
        except ConnectionRefusedError:
            if time.monotonic() > deadline:
                raise
            time.sleep(0.02)
        else:
            return
